package script

import (
	"sort"

	lua "github.com/yuin/gopher-lua"
)

func (st *state) tableLibrary() library {
	return library{
		"concat": st.tableConcat, "foreach": st.tableForEach, "foreachi": st.tableForEachI, "getn": tableGetN,
		"insert": st.tableInsert, "maxn": st.tableMaxN, "remove": st.tableRemove, "setn": tableSetN, "sort": st.tableSort,
	}
}

func (st *state) tableConcat(l *lua.LState) int {
	t := argTable(l, 1, "concat")
	sep := optString(l, 2, "concat", "")
	from := optInt(l, 3, "concat", 1)
	to := optInt(l, 4, "concat", tableLen(t))
	b := st.text[:0]
	for i := from; i <= to; i++ {
		v := t.RawGet(lua.LNumber(i))
		switch v.(type) {
		case lua.LString, lua.LNumber:
		default:
			raisef(l, "invalid value (%s) at index %d in table for 'concat'", v.Type().String(), i)
		}
		size := len(b)
		if i > from {
			b = append(b, sep...)
		}
		if b = appendText(b, v); int64(len(b)) > st.budget.maxMemory/2 {
			raisef(l, errMemory)
		}
		st.budget.bytes += 2 * (len(b) - size)
		st.budget.spend(l, workPerStep+len(b)-size)
	}
	l.Push(lua.LString(b))
	st.keepText(b)
	return 1
}

func (st *state) tableForEach(l *lua.LState) int {
	t, f := argTable(l, 1, "foreach"), argFunction(l, 2, "foreach")
	var key lua.LValue = lua.LNil
	for {
		k, v := t.Next(key)
		if k == lua.LNil {
			return 0
		}
		if key = k; st.protected(t) && isHidden(k) {
			continue
		}
		st.callBack(l, f, 1, k, v)
		if l.Get(-1) != lua.LNil {
			return 1
		}
		l.Pop(1)
	}
}

func (st *state) tableForEachI(l *lua.LState) int {
	t, f := argTable(l, 1, "foreachi"), argFunction(l, 2, "foreachi")
	for i, n := 1, tableLen(t); i <= n; i++ {
		st.callBack(l, f, 1, lua.LNumber(i), t.RawGet(lua.LNumber(i)))
		if l.Get(-1) != lua.LNil {
			return 1
		}
		l.Pop(1)
	}
	return 0
}

func tableGetN(l *lua.LState) int {
	l.Push(lua.LNumber(tableLen(argTable(l, 1, "getn"))))
	return 1
}

func tableSetN(l *lua.LState) int {
	argTable(l, 1, "setn")
	raisef(l, "'setn' is obsolete")
	return 0
}

func (st *state) tableMaxN(l *lua.LState) int {
	t := argTable(l, 1, "maxn")
	most := lua.LNumber(0)
	n := 0
	t.ForEach(func(k, _ lua.LValue) {
		n++
		if f, ok := k.(lua.LNumber); ok && f > most {
			most = f
		}
	})
	st.budget.spend(l, 8*n)
	l.Push(most)
	return 1
}

func (st *state) tableInsert(l *lua.LState) int {
	t := argTable(l, 1, "insert")
	st.writable(l, t)
	n := tableLen(t)
	switch l.GetTop() {
	case 2:
		st.rawSet(l, t, lua.LNumber(n+1), l.Get(2))
	case 3:
		at := argInt(l, 2, "insert")
		for i := max(n+1, at); i > at; i-- {
			t.RawSet(lua.LNumber(i), t.RawGet(lua.LNumber(i-1)))
			st.budget.spend(l, workPerStep)
		}
		st.rawSet(l, t, lua.LNumber(at), l.Get(3))
	default:
		raisef(l, "wrong number of arguments to 'insert'")
	}
	return 0
}

func (st *state) tableRemove(l *lua.LState) int {
	t := argTable(l, 1, "remove")
	st.writable(l, t)
	n := tableLen(t)
	at := optInt(l, 2, "remove", n)
	if at < 1 || at > n {
		return 0
	}
	gone := t.RawGet(lua.LNumber(at))
	for i := at; i < n; i++ {
		t.RawSet(lua.LNumber(i), t.RawGet(lua.LNumber(i+1)))
		st.budget.spend(l, workPerStep)
	}
	t.RawSet(lua.LNumber(n), lua.LNil)
	if n < arrayLimit {
		t.Remove(n) // shortens the array, so that its length need not be looked for
	}
	l.Push(gone)
	return 1
}

func (st *state) tableSort(l *lua.LState) int {
	t := argTable(l, 1, "sort")
	st.writable(l, t)
	n := tableLen(t)
	s := &sorter{st: st, l: l, values: make([]lua.LValue, n)}
	st.budget.reserve(l, 16*n)
	for i := range s.values {
		s.values[i] = t.RawGet(lua.LNumber(i + 1))
	}
	if l.Get(2) != lua.LNil {
		s.less = argFunction(l, 2, "sort")
	}
	sort.Sort(s)
	for i, v := range s.values {
		t.RawSet(lua.LNumber(i+1), v)
	}
	return 0
}

// sorter sorts a copy of a table's list: its order may be nonsense, but it ends.
type sorter struct {
	st     *state
	l      *lua.LState
	less   *lua.LFunction
	values []lua.LValue
}

func (s *sorter) Len() int      { return len(s.values) }
func (s *sorter) Swap(i, j int) { s.values[i], s.values[j] = s.values[j], s.values[i] }

func (s *sorter) Less(i, j int) bool {
	s.st.budget.spend(s.l, workPerStep)
	a, b := s.values[i], s.values[j]
	if s.less != nil {
		s.st.callBack(s.l, s.less, 1, a, b)
		v := s.l.Get(-1)
		s.l.Pop(1)
		return lua.LVAsBool(v)
	}
	switch x := a.(type) {
	case lua.LNumber:
		if y, ok := b.(lua.LNumber); ok {
			return x < y
		}
	case lua.LString:
		if y, ok := b.(lua.LString); ok {
			return x < y
		}
	}
	if h, ok := s.l.GetMetaField(a, "__lt").(*lua.LFunction); ok && s.l.GetMetaField(b, "__lt") == lua.LValue(h) {
		s.st.callBack(s.l, h, 1, a, b)
		v := s.l.Get(-1)
		s.l.Pop(1)
		return lua.LVAsBool(v)
	}
	left, right := a.Type().String(), b.Type().String()
	text := "attempt to compare " + left + " with " + right
	if left == right {
		text = "attempt to compare two " + left + " values"
	}
	s.l.Error(lua.LString(text), 0)
	return false
}
