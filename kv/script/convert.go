package script

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"conclave/resp"
)

// maxReplyDepth bounds the nesting of what a script returns, and of replies that
// it gets.
const maxReplyDepth = 1000

// replyReader turns the reply of a command into a value of Lua. The reply comes
// from a handler of this process: it is well-formed.
type replyReader struct {
	st *state
	b  []byte
}

// line is the rest of the line behind its type.
func (r *replyReader) line() (kind byte, text []byte) {
	i := bytes.IndexByte(r.b, '\n')
	if i < 2 {
		r.b = nil
		return 0, nil
	}
	kind, text = r.b[0], r.b[1:i-1]
	r.b = r.b[i+1:]
	return kind, text
}

func number(text []byte) int {
	n, negative := 0, false
	for i, c := range text {
		if i == 0 && c == '-' {
			negative = true
			continue
		}
		n = 10*n + int(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// bulk is the text of n bytes that follows.
func (r *replyReader) bulk(n int) string {
	if n < 0 || n > len(r.b)-2 {
		r.b = nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n+2:]
	return s
}

// value reads one value.
func (r *replyReader) value() lua.LValue {
	kind, text := r.line()
	l := r.st.l
	switch kind {
	case ':':
		return lua.LNumber(number(text))
	case '$':
		if n := number(text); n >= 0 {
			return lua.LString(r.bulk(n))
		}
		return lua.LFalse
	case '+':
		return r.wrap("ok", lua.LString(text))
	case '-':
		return r.st.errorTable(string(text), true)
	case '*', '>':
		n := number(text)
		if n < 0 {
			return lua.LFalse
		}
		t := l.CreateTable(min(n, len(r.b)), 0)
		for i := 1; i <= n && len(r.b) > 0; i++ {
			t.RawSet(lua.LNumber(i), r.value())
		}
		return t
	case '_':
		return lua.LNil
	case '#':
		return lua.LBool(len(text) > 0 && text[0] == 't')
	case ',':
		f, _ := strconv.ParseFloat(string(text), 64)
		return r.wrap("double", lua.LNumber(f))
	case '(':
		return r.wrap("big_number", lua.LString(text))
	case '=':
		s := r.bulk(number(text))
		v := l.CreateTable(0, 2)
		format, s, _ := strings.Cut(s, ":")
		v.RawSetString("format", lua.LString(format))
		v.RawSetString("string", lua.LString(s))
		return r.wrap("verbatim_string", v)
	case '%':
		m := l.NewTable()
		for n := number(text); n > 0 && len(r.b) > 0; n-- {
			k := r.value()
			v := r.value()
			if k != lua.LNil {
				m.RawSet(k, v)
			}
		}
		return r.wrap("map", m)
	case '~':
		m := l.NewTable()
		for n := number(text); n > 0 && len(r.b) > 0; n-- {
			if k := r.value(); k != lua.LNil {
				m.RawSet(k, lua.LTrue)
			}
		}
		return r.wrap("set", m)
	case '|':
		for n := 2 * number(text); n > 0 && len(r.b) > 0; n-- {
			r.value()
		}
		return r.value()
	}
	return lua.LNil
}

func (r *replyReader) wrap(name string, v lua.LValue) lua.LValue {
	t := r.st.l.CreateTable(0, 1)
	t.RawSetString(name, v)
	return t
}

// replyWriter turns what a script returns into a reply.
type replyWriter struct {
	st    *state
	w     *resp.Writer
	proto int // that of the script's calls
	left  int // bytes that may still be written
	full  bool
}

// value writes one value.
func (r *replyWriter) value(v lua.LValue, depth int) {
	before := r.w.Len()
	switch v := v.(type) {
	case lua.LString:
		r.w.BulkString(string(v))
	case lua.LNumber:
		r.w.Int(toInt64(float64(v)))
	case lua.LBool:
		switch {
		case r.proto == 3:
			r.w.Bool(bool(v))
		case bool(v):
			r.w.Int(1)
		default:
			r.w.Null()
		}
	case *lua.LTable:
		r.table(v, depth)
		return
	default:
		r.w.Null()
	}
	r.count(before)
}

func (r *replyWriter) count(before int) {
	r.left -= r.w.Len() - before
	r.st.budget.steps++
	if r.st.budget.steps >= r.st.budget.next {
		r.st.budget.check()
	}
	r.full = r.full || r.left < 0 || r.st.budget.cause != ""
}

func (r *replyWriter) table(t *lua.LTable, depth int) {
	if depth > maxReplyDepth {
		r.w.Error("ERR reached lua stack limit")
		return
	}
	if r.full {
		return
	}
	if s, ok := t.RawGetString("err").(lua.LString); ok {
		r.w.Error(string(s))
		return
	}
	if s, ok := t.RawGetString("ok").(lua.LString); ok {
		r.w.Simple(string(s))
		return
	}
	if f, ok := t.RawGetString("double").(lua.LNumber); ok {
		r.w.Double(float64(f))
		return
	}
	if s, ok := t.RawGetString("big_number").(lua.LString); ok {
		r.w.BigNumber(strings.NewReplacer("\r", " ", "\n", " ").Replace(string(s)))
		return
	}
	if v, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		format, ok := v.RawGetString("format").(lua.LString)
		text, ok2 := v.RawGetString("string").(lua.LString)
		if ok && ok2 {
			r.w.Verbatim((string(format) + "   ")[:3], string(text))
			return
		}
	}
	if m, ok := t.RawGetString("map").(*lua.LTable); ok {
		r.w.Map(countPairs(m))
		r.pairs(m, depth, true)
		return
	}
	if m, ok := t.RawGetString("set").(*lua.LTable); ok {
		r.w.Set(countPairs(m))
		r.pairs(m, depth, false)
		return
	}
	before := r.w.Len()
	n := 0
	for t.RawGet(lua.LNumber(n+1)) != lua.LNil {
		n++
	}
	r.w.Array(n)
	r.count(before)
	for i := 1; i <= n && !r.full; i++ {
		r.value(t.RawGet(lua.LNumber(i)), depth+1)
	}
}

func countPairs(t *lua.LTable) int {
	n := 0
	t.ForEach(func(k, v lua.LValue) { n++ })
	return n
}

func (r *replyWriter) pairs(t *lua.LTable, depth int, values bool) {
	var k, v lua.LValue = lua.LNil, nil
	for !r.full {
		if k, v = t.Next(k); k == lua.LNil {
			return
		}
		r.value(k, depth+1)
		if values {
			r.value(v, depth+1)
		}
	}
}

// writeReply writes what a script returned.
func (st *state) writeReply(w *resp.Writer, v lua.LValue, proto int) {
	mark := w.Len()
	limit := st.budget.maxMemory
	if limit > math.MaxInt32 {
		limit = math.MaxInt32
	}
	r := replyWriter{st: st, w: w, proto: proto, left: int(limit)}
	r.value(v, 0)
	if r.full {
		w.Truncate(mark)
		text := "ERR " + errMemory
		if st.budget.cause != "" {
			text = "ERR " + st.budget.cause
		}
		w.Error(text)
	}
}
