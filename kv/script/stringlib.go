package script

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (st *state) stringLibrary() library {
	return library{
		"byte": stringByte, "char": stringChar, "dump": stringDump, "find": st.stringFind, "format": st.stringFormat,
		"gfind": st.stringGmatch, "gmatch": st.stringGmatch, "gsub": st.stringGsub, "len": stringLen, "lower": st.stringLower,
		"match": st.stringMatch, "rep": st.stringRep, "reverse": st.stringReverse, "sub": stringSub, "upper": st.stringUpper,
	}
}

// span turns the positions of Lua, which may count from the end, into bounds.
func span(from, to, n int) (int, int) {
	if from < 0 {
		from = max(n+from+1, 1)
	} else if from == 0 {
		from = 1
	}
	if to < 0 {
		to = n + to + 1
	} else if to > n {
		to = n
	}
	if from > to {
		return 0, 0
	}
	return from - 1, to
}

func stringByte(l *lua.LState) int {
	s := argString(l, 1, "byte")
	i := optInt(l, 2, "byte", 1)
	from, to := span(i, optInt(l, 3, "byte", i), len(s))
	if to-from > maxUnpack {
		raisef(l, "string slice too long")
	}
	for _, c := range []byte(s[from:to]) {
		l.Push(lua.LNumber(c))
	}
	return to - from
}

func stringChar(l *lua.LState) int {
	b := make([]byte, l.GetTop())
	for i := range b {
		n := argInt(l, i+1, "char")
		if n < 0 || n > 255 {
			argError(l, i+1, "char", "invalid value")
		}
		b[i] = byte(n)
	}
	l.Push(lua.LString(b))
	return 1
}

func stringDump(l *lua.LState) int {
	argFunction(l, 1, "dump")
	raisef(l, "unable to dump given function")
	return 0
}

func stringLen(l *lua.LState) int {
	l.Push(lua.LNumber(len(argString(l, 1, "len"))))
	return 1
}

func (st *state) stringLower(l *lua.LState) int {
	return st.mapBytes(l, "lower", func(c byte) byte {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		return c
	})
}

func (st *state) stringUpper(l *lua.LState) int {
	return st.mapBytes(l, "upper", func(c byte) byte {
		if c >= 'a' && c <= 'z' {
			c &^= 0x20
		}
		return c
	})
}

func (st *state) mapBytes(l *lua.LState, name string, f func(byte) byte) int {
	s := argString(l, 1, name)
	st.budget.reserve(l, 2*len(s))
	b := []byte(s)
	for i, c := range b {
		b[i] = f(c)
	}
	l.Push(lua.LString(b))
	return 1
}

func (st *state) stringReverse(l *lua.LState) int {
	s := argString(l, 1, "reverse")
	st.budget.reserve(l, 2*len(s))
	b := make([]byte, len(s))
	for i := range b {
		b[i] = s[len(s)-1-i]
	}
	l.Push(lua.LString(b))
	return 1
}

func (st *state) stringRep(l *lua.LState) int {
	s, n := argString(l, 1, "rep"), argInt(l, 2, "rep")
	if n <= 0 || s == "" {
		l.Push(lua.LString(""))
		return 1
	}
	if int64(n) > st.budget.maxMemory/int64(len(s)) {
		raisef(l, errMemory)
	}
	st.budget.reserve(l, n*len(s))
	l.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}

func stringSub(l *lua.LState) int {
	s := argString(l, 1, "sub")
	from, to := span(argInt(l, 2, "sub"), optInt(l, 3, "sub", -1), len(s))
	l.Push(lua.LString(s[from:to]))
	return 1
}

func (st *state) stringFind(l *lua.LState) int { return st.find(l, "find", true) }

func (st *state) stringMatch(l *lua.LState) int { return st.find(l, "match", false) }

func (st *state) find(l *lua.LState, name string, positions bool) int {
	s, p := argString(l, 1, name), argString(l, 2, name)
	init := optInt(l, 3, name, 1)
	if init < 0 {
		init += len(s) + 1
	}
	init = min(max(init-1, 0), len(s))
	if positions && (lua.LVAsBool(l.Get(4)) || !strings.ContainsAny(p, "^$*+?.([%-")) {
		i := strings.Index(s[init:], p)
		st.budget.spend(l, len(s)-init)
		if i < 0 {
			l.Push(lua.LNil)
			return 1
		}
		l.Push(lua.LNumber(init + i + 1))
		l.Push(lua.LNumber(init + i + len(p)))
		return 2
	}
	m := &matcher{st: st, l: l, text: s, pattern: p}
	start, anchored := 0, strings.HasPrefix(p, "^")
	if anchored {
		start = 1
	}
	for ; init <= len(s); init++ {
		m.level, m.depth = 0, 0
		if end := m.match(init, start); end >= 0 {
			if positions {
				l.Push(lua.LNumber(init + 1))
				l.Push(lua.LNumber(end))
				return 2 + m.pushCaptures(init, end, false)
			}
			return m.pushCaptures(init, end, true)
		}
		if anchored {
			break
		}
	}
	l.Push(lua.LNil)
	return 1
}

func (st *state) stringGmatch(l *lua.LState) int {
	s, p := argString(l, 1, "gmatch"), argString(l, 2, "gmatch")
	at := 0
	l.Push(l.NewFunction(func(l *lua.LState) int {
		m := &matcher{st: st, l: l, text: s, pattern: p}
		for ; at <= len(s); at++ {
			m.level, m.depth = 0, 0
			start := at
			if end := m.match(start, 0); end >= 0 {
				if at = end; end == start {
					at++ // an empty match: go on behind it
				}
				return m.pushCaptures(start, end, true)
			}
		}
		l.Push(lua.LNil)
		return 1
	}))
	return 1
}

func (st *state) stringGsub(l *lua.LState) int {
	s, p := argString(l, 1, "gsub"), argString(l, 2, "gsub")
	by := l.Get(3)
	switch by.(type) {
	case lua.LString, *lua.LTable, *lua.LFunction:
	case lua.LNumber:
		text, _ := toText(by)
		by = lua.LString(text)
	default:
		argError(l, 3, "gsub", "string/function/table expected")
	}
	limit := optInt(l, 4, "gsub", len(s)+1)
	m := &matcher{st: st, l: l, text: s, pattern: p}
	start, anchored := 0, strings.HasPrefix(p, "^")
	if anchored {
		start = 1
	}
	var b []byte
	at, n := 0, 0
	for n < limit {
		m.level, m.depth = 0, 0
		end := m.match(at, start)
		if end >= 0 {
			n++
			size := len(b)
			b = st.replacement(l, m, b, by, at, end)
			if int64(len(b)) > st.budget.maxMemory/2 {
				raisef(l, errMemory)
			}
			st.budget.bytes += 2 * (len(b) - size)
			st.budget.spend(l, len(b)-size)
		}
		if end >= 0 && end > at {
			at = end
		} else if at < len(s) {
			b = append(b, s[at])
			at++
		} else {
			break
		}
		if anchored {
			break
		}
	}
	st.budget.reserve(l, len(b)+len(s)-at)
	b = append(b, s[min(at, len(s)):]...)
	l.Push(lua.LString(b))
	l.Push(lua.LNumber(n))
	return 2
}

// replacement appends what a match is replaced by.
func (st *state) replacement(l *lua.LState, m *matcher, b []byte, by lua.LValue, start, end int) []byte {
	var v lua.LValue
	switch by := by.(type) {
	case lua.LString:
		for i := 0; i < len(by); i++ {
			c := by[i]
			if c != '%' {
				b = append(b, c)
				continue
			}
			i++
			switch {
			case i >= len(by):
				b = append(b, 0) // as Lua has it, which looks at the terminator
			case by[i] < '0' || by[i] > '9':
				b = append(b, by[i])
			case by[i] == '0':
				b = append(b, m.text[start:end]...)
			default:
				b = appendText(b, m.captured(int(by[i]-'1'), start, end))
			}
			if int64(len(b)) > st.budget.maxMemory/2 {
				raisef(l, errMemory)
			}
		}
		return b
	case *lua.LTable:
		v = l.GetTable(by, m.captured(0, start, end))
	case *lua.LFunction:
		st.nest(l)
		l.Push(by)
		l.Call(m.pushCaptures(start, end, true), 1)
		st.depth--
		v = l.Get(-1)
		l.Pop(1)
	}
	switch v.(type) {
	case lua.LString, lua.LNumber:
		return appendText(b, v)
	}
	if lua.LVIsFalse(v) {
		return append(b, m.text[start:end]...)
	}
	raisef(l, "invalid replacement value (a %s)", v.Type().String())
	return b
}
