package script

import (
	lua "github.com/yuin/gopher-lua"
)

// threadSize is about what a coroutine takes.
const threadSize = 48 << 10

// coroutineLibrary wraps the interpreter's: coroutines are counted, run under the
// budget, and don't yield across a call that a library function makes.
func (st *state) coroutineLibrary() library {
	st.l.Push(st.l.NewFunction(lua.OpenCoroutine))
	st.l.Call(0, 1)
	original := st.l.Get(-1).(*lua.LTable)
	st.l.Pop(1)
	of := func(name string) lua.LGFunction { return original.RawGetString(name).(*lua.LFunction).GFunction }
	create, resume, wrap := of("create"), of("resume"), of("wrap")
	yield, status, running := of("yield"), of("status"), of("running")

	return library{
		"create": func(l *lua.LState) int {
			argFunction(l, 1, "create")
			st.budget.reserve(l, threadSize)
			n := create(l)
			l.Get(-1).(*lua.LState).SetContext(st.budget)
			return n
		},
		"wrap": func(l *lua.LState) int {
			argFunction(l, 1, "wrap")
			st.budget.reserve(l, threadSize)
			n := wrap(l)
			fn := l.Get(-1).(*lua.LFunction)
			fn.Upvalues[0].Value().(*lua.LState).SetContext(st.budget)
			inner := fn.GFunction
			fn.GFunction = func(l *lua.LState) int { return st.resume(l, inner) }
			return n
		},
		"resume": func(l *lua.LState) int {
			if _, ok := l.Get(1).(*lua.LState); !ok {
				argError(l, 1, "resume", "coroutine expected")
			}
			n := st.resume(l, resume)
			if s, ok := l.Get(-1).(lua.LString); ok && n == 2 && l.Get(-2) == lua.LFalse {
				l.Pop(1)
				l.Push(lua.LString(inLuaWords(string(s))))
			}
			return n
		},
		"yield": func(l *lua.LState) int {
			if l == st.l || st.depth != st.threadDepth {
				l.Error(lua.LString("attempt to yield across metamethod/C-call boundary"), 0)
			}
			return yield(l)
		},
		"status": func(l *lua.LState) int {
			if _, ok := l.Get(1).(*lua.LState); !ok {
				argError(l, 1, "status", "coroutine expected")
			}
			return status(l)
		},
		"running": running,
	}
}

// resume runs a coroutine until it yields or ends.
func (st *state) resume(l *lua.LState, f lua.LGFunction) int {
	depth, base := st.depth, st.threadDepth
	st.nest(l)
	st.threadDepth = st.depth
	n := f(l)
	st.depth, st.threadDepth = depth, base
	return n
}
