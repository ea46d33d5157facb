package script

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// library is the functions of one global table.
type library map[string]lua.LGFunction

// sandbox makes the globals and everything a program can reach through them.
func (st *state) sandbox() {
	l := st.l
	st.hidden, st.strict = l.NewTable(), l.NewTable()
	st.strict.RawSetString("__index", l.NewFunction(st.missingGlobal))
	st.protect(st.hidden)
	st.protect(st.strict)
	st.guard, st.shield = l.NewFunction(st.enter), l.NewFunction(shielded)

	g := l.G.Global
	st.globals = g
	for name, f := range st.baseLibrary() {
		g.RawSetString(name, l.NewFunction(f))
	}
	for name, f := range st.hiddenLibrary() {
		g.RawSetString(name, l.NewFunction(f))
	}
	g.RawSetString("_VERSION", lua.LString("Lua 5.1"))
	text := st.table(st.stringLibrary())
	g.RawSetString("string", text)
	g.RawSetString("table", st.table(st.tableLibrary()))
	g.RawSetString("math", st.mathLibrary())
	g.RawSetString("coroutine", st.table(st.coroutineLibrary()))
	g.RawSetString("bit", st.table(st.bitLibrary()))
	g.RawSetString("struct", st.table(st.structLibrary()))
	g.RawSetString("cjson", st.jsonLibrary())
	g.RawSetString("cmsgpack", st.msgpackLibrary())
	g.RawSetString("redis", st.redisLibrary())
	st.stringMetatable(text)

	// Libraries of functions see the same, but for what EVAL alone has.
	st.libGlobals = l.NewTable()
	st.forLoading, st.forRunning = map[string]lua.LValue{"redis": st.loadLibrary()}, map[string]lua.LValue{"_G": st.libGlobals}
	g.ForEach(func(k, v lua.LValue) {
		if isHidden(k) {
			st.libGlobals.RawSet(k, v)
		} else {
			st.forRunning[k.String()] = v
		}
	})
	st.setLoading(false)
	g.RawSetString("_G", g)
	g.Metatable, st.libGlobals.Metatable = st.strict, st.strict
}

// setLoading gives libraries the globals that they have while they are loaded, or
// while their functions run. It is one table, because functions of a library that
// aren't registered keep the one they were made with.
func (st *state) setLoading(loading bool) {
	from, to := st.forLoading, st.forRunning
	if loading {
		from, to = to, from
	}
	for name := range from {
		st.libGlobals.RawSetString(name, lua.LNil)
	}
	for name, v := range to {
		st.libGlobals.RawSetString(name, v)
	}
}

// table is a read-only table of functions.
func (st *state) table(fns library) *lua.LTable {
	t := st.l.NewTable()
	for name, f := range fns {
		t.RawSetString(name, st.l.NewFunction(f))
	}
	st.protect(t)
	return t
}

// stringMetatable makes methods of strings, and arithmetic on them: the library
// reads numerals in its own way.
func (st *state) stringMetatable(methods *lua.LTable) {
	mt := st.l.NewTable()
	mt.RawSetString("__index", methods)
	for name, op := range map[string]func(a, b float64) float64{
		"__add": func(a, b float64) float64 { return a + b },
		"__sub": func(a, b float64) float64 { return a - b },
		"__mul": func(a, b float64) float64 { return a * b },
		"__div": func(a, b float64) float64 { return a / b },
		"__mod": luaMod,
		"__pow": luaPow,
		"__unm": func(a, _ float64) float64 { return -a },
	} {
		mt.RawSetString(name, st.l.NewFunction(func(l *lua.LState) int {
			a, ok := toNumber(l.Get(1))
			b, ok2 := toNumber(l.Get(2))
			if name == "__unm" {
				b, ok2 = a, ok
			}
			if !ok || !ok2 {
				bad := l.Get(1)
				if ok {
					bad = l.Get(2)
				}
				raisef(l, "attempt to perform arithmetic on a %s value", bad.Type().String())
			}
			l.Push(lua.LNumber(op(a, b)))
			return 1
		}))
	}
	st.protect(mt)
	st.l.SetMetatable(lua.LString(""), mt)
}

func (st *state) missingGlobal(l *lua.LState) int {
	name, ok := toText(l.Get(2))
	if l.GetTop() != 2 || !ok {
		raisef(l, "Second argument to luaProtectedTableError must be a string or number")
	}
	raisef(l, "Script attempted to access nonexistent global variable '%s'", name)
	return 0
}

// isHidden reports whether a key is one of ours, which programs don't see.
func isHidden(k lua.LValue) bool {
	s, ok := k.(lua.LString)
	return ok && strings.HasPrefix(string(s), "\x00")
}

// hiddenLibrary is what rewritten programs call.
func (st *state) hiddenLibrary() library {
	return library{
		hiddenConcat: st.concat, hiddenSet: st.set, hiddenGlobal: st.setGlobal,
		hiddenLen: st.length, hiddenKey: st.tableKey, hiddenBuilt: st.tableBuilt,
	}
}

// setGlobal is an assignment to a global.
func (st *state) setGlobal(l *lua.LState) int {
	raisef(l, errReadonly)
	return 0
}

// set is an assignment to a field: object, key, value.
func (st *state) set(l *lua.LState) int {
	object, key, value := l.Get(1), l.Get(2), l.Get(3)
	t, ok := object.(*lua.LTable)
	if !ok {
		if l.GetMetaField(object, "__newindex") == lua.LNil {
			raisef(l, "attempt to index a %s value", object.Type().String())
		}
		l.SetTable(object, key, value)
		return 0
	}
	switch t.Metatable {
	case lua.LNil:
		st.rawSet(l, t, key, value)
	case lua.LValue(st.hidden), lua.LValue(st.strict):
		raisef(l, errReadonly)
	default:
		st.setThrough(l, t, key, value)
	}
	return 0
}

// setThrough assigns to a field of a table that has a metatable.
func (st *state) setThrough(l *lua.LState, t *lua.LTable, key, value lua.LValue) {
	for range 100 {
		if t.RawGet(key) != lua.LNil {
			break
		}
		mt, ok := t.Metatable.(*lua.LTable)
		if !ok {
			break
		}
		switch h := mt.RawGetString("__newindex").(type) {
		case *lua.LNilType:
			st.rawSet(l, t, key, value)
			return
		case *lua.LTable:
			t = h
			if st.protected(t) {
				raisef(l, errReadonly)
			}
		case *lua.LFunction:
			l.Push(h)
			l.Push(t)
			l.Push(key)
			l.Push(value)
			l.Call(3, 0)
			return
		default:
			l.SetTable(t, key, value)
			return
		}
	}
	st.rawSet(l, t, key, value)
}

// rawSet stores into a table that is writable.
func (st *state) rawSet(l *lua.LState, t *lua.LTable, key, value lua.LValue) {
	switch k := key.(type) {
	case lua.LString:
		t.RawSetString(string(k), value)
		return
	case lua.LNumber:
		if k != k {
			raisef(l, "table index is NaN")
		}
		if k >= 1 && k < arrayLimit {
			st.countGap(l, t, int(k))
		}
	case *lua.LNilType:
		raisef(l, "table index is nil")
	}
	t.RawSet(key, value)
}

// countGap counts the memory that the library fills if it stores at index i.
func (st *state) countGap(l *lua.LState, t *lua.LTable, i int) {
	if i > 64 && t.RawGetInt(i-1) == lua.LNil {
		st.budget.reserve(l, 16*i)
	}
}

// tableKey is a key of a table constructor, which stores without asking.
func (st *state) tableKey(l *lua.LState) int {
	switch k := l.Get(1).(type) {
	case lua.LNumber:
		if k != k {
			raisef(l, "table index is NaN")
		}
		if k > 64 && k < arrayLimit {
			st.budget.reserve(l, 16*int(k))
		}
	case *lua.LNilType:
		raisef(l, "table index is nil")
	}
	l.SetTop(1)
	return 1
}

// tableBuilt is a table constructor that ends in a list of any length.
func (st *state) tableBuilt(l *lua.LState) int {
	if t, ok := l.Get(1).(*lua.LTable); ok {
		st.budget.reserve(l, 16*t.Len())
	}
	return 1
}

// length is the operator #.
func (st *state) length(l *lua.LState) int {
	switch v := l.Get(1).(type) {
	case lua.LString:
		l.Push(lua.LNumber(len(v)))
	case *lua.LTable:
		l.Push(lua.LNumber(tableLen(v)))
	default:
		if f, ok := l.GetMetaField(v, "__len").(*lua.LFunction); ok {
			l.Push(f)
			l.Push(v)
			l.Call(1, 1)
			return 1
		}
		raisef(l, "attempt to get length of a %s value", v.Type().String())
	}
	return 1
}

// tableLen is a border of a table. Beyond arrayLimit keys are hashed, where the
// library doesn't look.
func tableLen(t *lua.LTable) int {
	n := t.Len()
	if n < arrayLimit-1 || t.RawGet(lua.LNumber(n+1)) == lua.LNil {
		return n
	}
	low, high := n+1, 2*n
	for t.RawGet(lua.LNumber(high)) != lua.LNil {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := (low + high) / 2; t.RawGet(lua.LNumber(mid)) != lua.LNil {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// concat is the operator .. of any number of operands.
func (st *state) concat(l *lua.LState) int {
	n, size := l.GetTop(), 0
	for i := 1; i <= n; i++ {
		switch v := l.Get(i).(type) {
		case lua.LString:
			size += len(v)
		case lua.LNumber:
			size += 24
		default:
			return st.concatMeta(l, n)
		}
	}
	st.budget.reserve(l, size)
	b := st.text[:0]
	if size > cap(b) {
		b = make([]byte, 0, size)
	}
	for i := 1; i <= n; i++ {
		b = appendText(b, l.Get(i))
	}
	l.Push(lua.LString(b))
	st.keepText(b)
	return 1
}

func appendText(b []byte, v lua.LValue) []byte {
	switch v := v.(type) {
	case lua.LString:
		return append(b, v...)
	case lua.LNumber:
		return appendNumber(b, float64(v))
	}
	return b
}

// concatMeta concatenates from the right, two at a time, with metamethods.
func (st *state) concatMeta(l *lua.LState, n int) int {
	right := l.Get(n)
	for i := n - 1; i >= 1; i-- {
		left := l.Get(i)
		a, ok := toText(left)
		b, ok2 := toText(right)
		if ok && ok2 {
			st.budget.reserve(l, len(a)+len(b))
			right = lua.LString(a + b)
			continue
		}
		h := l.GetMetaField(left, "__concat")
		if h == lua.LNil {
			h = l.GetMetaField(right, "__concat")
		}
		if h == lua.LNil {
			bad := right
			if !ok {
				bad = left
			}
			raisef(l, "attempt to concatenate a %s value", bad.Type().String())
		}
		l.Push(h)
		l.Push(left)
		l.Push(right)
		l.Call(2, 1)
		right = l.Get(-1)
		l.Pop(1)
	}
	l.Push(right)
	return 1
}

// keepText keeps a buffer for the next text, unless it is large.
func (st *state) keepText(b []byte) {
	if cap(b) <= keepArgBytes {
		st.text = b[:0]
	}
}
