package script

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// Arguments of library functions, with Lua's error texts.

// raisef raises an error with the position of whoever called the function that
// runs.
func raisef(l *lua.LState, format string, a ...any) {
	l.Error(lua.LString(where(l, 1)+fmt.Sprintf(format, a...)), 0)
}

func argError(l *lua.LState, i int, fn, what string) {
	raisef(l, "bad argument #%d to '%s' (%s)", i, fn, what)
}

func typeError(l *lua.LState, i int, fn, want string) {
	got := "no value"
	if i <= l.GetTop() {
		got = l.Get(i).Type().String()
	}
	argError(l, i, fn, want+" expected, got "+got)
}

func argAny(l *lua.LState, i int, fn string) lua.LValue {
	if i > l.GetTop() {
		argError(l, i, fn, "value expected")
	}
	return l.Get(i)
}

func argString(l *lua.LState, i int, fn string) string {
	s, ok := toText(l.Get(i))
	if !ok {
		typeError(l, i, fn, "string")
	}
	return s
}

func argNumber(l *lua.LState, i int, fn string) float64 {
	f, ok := toNumber(l.Get(i))
	if !ok {
		typeError(l, i, fn, "number")
	}
	return f
}

func argInt(l *lua.LState, i int, fn string) int { return toInt(argNumber(l, i, fn)) }

func optInt(l *lua.LState, i int, fn string, def int) int {
	if l.Get(i) == lua.LNil {
		return def
	}
	return argInt(l, i, fn)
}

func optString(l *lua.LState, i int, fn, def string) string {
	if l.Get(i) == lua.LNil {
		return def
	}
	return argString(l, i, fn)
}

func argTable(l *lua.LState, i int, fn string) *lua.LTable {
	t, ok := l.Get(i).(*lua.LTable)
	if !ok {
		typeError(l, i, fn, "table")
	}
	return t
}

func argFunction(l *lua.LState, i int, fn string) *lua.LFunction {
	f, ok := l.Get(i).(*lua.LFunction)
	if !ok {
		typeError(l, i, fn, "function")
	}
	return f
}
