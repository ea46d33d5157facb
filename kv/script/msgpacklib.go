package script

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// maxPackDepth is how deeply tables are packed: what lies deeper is nil.
const maxPackDepth = 16

// maxUnpackDepth bounds the nesting of what is unpacked.
const maxUnpackDepth = 1000

func (st *state) msgpackLibrary() *lua.LTable {
	t := st.table(library{
		"pack":   st.msgpackPack,
		"unpack": func(l *lua.LState) int { return st.msgpackUnpack(l, 0, 0, true) },
		"unpack_one": func(l *lua.LState) int {
			return st.msgpackUnpack(l, 1, optInt(l, 2, "unpack_one", 0), false)
		},
		"unpack_limit": func(l *lua.LState) int {
			limit := argInt(l, 2, "unpack_limit")
			return st.msgpackUnpack(l, limit, optInt(l, 3, "unpack_limit", 0), false)
		},
	})
	t.RawSetString("_NAME", lua.LString("cmsgpack"))
	t.RawSetString("_VERSION", lua.LString("lua-cmsgpack 0.4.0"))
	t.RawSetString("_COPYRIGHT", lua.LString("see LICENSE"))
	t.RawSetString("_DESCRIPTION", lua.LString("MessagePack for Lua"))
	return t
}

func (st *state) msgpackPack(l *lua.LState) int {
	n := l.GetTop()
	if n == 0 {
		argError(l, 0, "pack", "MessagePack pack needs input.")
	}
	p := packer{st: st, l: l}
	for i := 1; i <= n; i++ {
		p.value(l.Get(i), 0)
	}
	l.Push(lua.LString(p.b))
	return 1
}

// packer writes MessagePack.
type packer struct {
	st *state
	l  *lua.LState
	b  []byte
}

func (p *packer) grown(from int) {
	if int64(len(p.b)) > p.st.budget.maxMemory/2 {
		raisef(p.l, errMemory)
	}
	p.st.budget.bytes += 2 * (len(p.b) - from)
	p.st.budget.spend(p.l, workPerStep+len(p.b)-from)
}

func (p *packer) value(v lua.LValue, depth int) {
	from := len(p.b)
	switch v := v.(type) {
	case lua.LString:
		p.header(len(v), 0xa0, 32, 0xd9, 0xda, 0xdb)
		p.b = append(p.b, v...)
	case lua.LBool:
		if v {
			p.b = append(p.b, 0xc3)
		} else {
			p.b = append(p.b, 0xc2)
		}
	case lua.LNumber:
		p.number(float64(v))
	case *lua.LTable:
		if depth < maxPackDepth {
			p.table(v, depth+1)
			return
		}
		p.b = append(p.b, 0xc0)
	default:
		p.b = append(p.b, 0xc0)
	}
	p.grown(from)
}

// header writes a length: in the first byte if it is less than small, else behind
// a byte that says how wide it is. code8 is 0 where there is no such width.
func (p *packer) header(n int, fixed byte, small int, code8, code16, code32 byte) {
	switch {
	case n < small:
		p.b = append(p.b, fixed|byte(n))
	case n <= math.MaxUint8 && code8 != 0:
		p.b = append(p.b, code8, byte(n))
	case n <= math.MaxUint16:
		p.b = binary.BigEndian.AppendUint16(append(p.b, code16), uint16(n))
	default:
		p.b = binary.BigEndian.AppendUint32(append(p.b, code32), uint32(n))
	}
}

func (p *packer) number(f float64) {
	if f != math.Floor(f) || f < math.MinInt64 || f >= math.MaxInt64 {
		if g := float32(f); float64(g) == f {
			p.b = binary.BigEndian.AppendUint32(append(p.b, 0xca), math.Float32bits(g))
		} else {
			p.b = binary.BigEndian.AppendUint64(append(p.b, 0xcb), math.Float64bits(f))
		}
		return
	}
	n := int64(f)
	switch {
	case n >= 0 && n <= 127:
		p.b = append(p.b, byte(n))
	case n > 0 && n <= math.MaxUint8:
		p.b = append(p.b, 0xcc, byte(n))
	case n > 0 && n <= math.MaxUint16:
		p.b = binary.BigEndian.AppendUint16(append(p.b, 0xcd), uint16(n))
	case n > 0 && n <= math.MaxUint32:
		p.b = binary.BigEndian.AppendUint32(append(p.b, 0xce), uint32(n))
	case n > 0:
		p.b = binary.BigEndian.AppendUint64(append(p.b, 0xcf), uint64(n))
	case n >= -32:
		p.b = append(p.b, byte(n))
	case n >= math.MinInt8:
		p.b = append(p.b, 0xd0, byte(n))
	case n >= math.MinInt16:
		p.b = binary.BigEndian.AppendUint16(append(p.b, 0xd1), uint16(n))
	case n >= math.MinInt32:
		p.b = binary.BigEndian.AppendUint32(append(p.b, 0xd2), uint32(n))
	default:
		p.b = binary.BigEndian.AppendUint64(append(p.b, 0xd3), uint64(n))
	}
}

// listLen reports the length of a table whose keys are 1 to n, and how many keys
// a table has.
func (st *state) listLen(t *lua.LTable) (n int, list bool) {
	most := 0.0
	list = true
	t.ForEach(func(k, _ lua.LValue) {
		if st.protected(t) && isHidden(k) {
			return
		}
		n++
		f, ok := k.(lua.LNumber)
		if !ok || f <= 0 || float64(f) != math.Floor(float64(f)) {
			list = false
		}
		most = max(most, float64(f))
	})
	return n, list && most == float64(n)
}

func (p *packer) table(t *lua.LTable, depth int) {
	n, list := p.st.listLen(t)
	p.st.budget.spend(p.l, 8*n)
	from := len(p.b)
	if list {
		p.header(n, 0x90, 16, 0, 0xdc, 0xdd)
		for i := 1; i <= n; i++ {
			p.value(t.RawGet(lua.LNumber(i)), depth)
		}
		p.grown(from)
		return
	}
	p.header(n, 0x80, 16, 0, 0xde, 0xdf)
	var k, v lua.LValue = lua.LNil, nil
	for {
		if k, v = t.Next(k); k == lua.LNil {
			return
		}
		if p.st.protected(t) && isHidden(k) {
			continue
		}
		p.value(k, depth)
		p.value(v, depth)
	}
}

func (st *state) msgpackUnpack(l *lua.LState, limit, offset int, all bool) int {
	s := argString(l, 1, "unpack")
	switch {
	case offset < 0 || limit < 0:
		raisef(l, "Invalid request to unpack with offset of %d and limit of %d.", offset, len(s))
	case offset > len(s):
		raisef(l, "Start offset %d greater than input length %d.", offset, len(s))
	}
	if all {
		limit = math.MaxInt
	}
	u := unpacker{st: st, l: l, s: s[offset:]}
	var values []lua.LValue
	for u.s != "" && len(values) < limit {
		if len(values) >= maxUnpack {
			raisef(l, "Too many arguments for MessagePack unpack.")
		}
		values = append(values, u.value(0))
	}
	if !all {
		next := len(s) - len(u.s)
		if u.s == "" {
			next = -1
		}
		l.Push(lua.LNumber(next))
	}
	for _, v := range values {
		l.Push(v)
	}
	if all {
		return len(values)
	}
	return len(values) + 1
}

// unpacker reads MessagePack.
type unpacker struct {
	st *state
	l  *lua.LState
	s  string
}

func (u *unpacker) take(n uint64) string {
	if n > uint64(len(u.s)) {
		raisef(u.l, "Missing bytes in input.")
	}
	s := u.s[:n]
	u.s = u.s[n:]
	return s
}

// number reads a big-endian one of n bytes.
func (u *unpacker) number(n uint64) uint64 {
	v := uint64(0)
	for _, c := range []byte(u.take(n)) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (u *unpacker) value(depth int) lua.LValue {
	u.st.budget.spend(u.l, workPerStep)
	if depth > maxUnpackDepth {
		raisef(u.l, "Bad data format in input.")
	}
	c := u.take(1)[0]
	switch {
	case c < 0x80:
		return lua.LNumber(c)
	case c >= 0xe0:
		return lua.LNumber(int8(c))
	case c < 0x90:
		return u.table(uint64(c&15), depth)
	case c < 0xa0:
		return u.list(uint64(c&15), depth)
	case c < 0xc0:
		return lua.LString(u.take(uint64(c & 31)))
	}
	switch c {
	case 0xc0:
		return lua.LNil
	case 0xc2, 0xc3:
		return lua.LBool(c == 0xc3)
	case 0xca:
		return lua.LNumber(math.Float32frombits(uint32(u.number(4))))
	case 0xcb:
		return lua.LNumber(math.Float64frombits(u.number(8)))
	case 0xcc, 0xcd, 0xce, 0xcf:
		return lua.LNumber(u.number(1 << (c - 0xcc)))
	case 0xd0:
		return lua.LNumber(int8(u.number(1)))
	case 0xd1:
		return lua.LNumber(int16(u.number(2)))
	case 0xd2:
		return lua.LNumber(int32(u.number(4)))
	case 0xd3:
		return lua.LNumber(int64(u.number(8)))
	case 0xc4, 0xc5, 0xc6:
		return lua.LString(u.take(u.number(1 << (c - 0xc4))))
	case 0xd9, 0xda, 0xdb:
		return lua.LString(u.take(u.number(1 << (c - 0xd9))))
	case 0xdc, 0xdd:
		return u.list(u.number(2<<(c-0xdc)), depth)
	case 0xde, 0xdf:
		return u.table(u.number(2<<(c-0xde)), depth)
	}
	raisef(u.l, "Bad data format in input.")
	return lua.LNil
}

func (u *unpacker) list(n uint64, depth int) lua.LValue {
	t := u.l.NewTable()
	u.st.budget.reserve(u.l, 64)
	for i := uint64(1); i <= n; i++ {
		u.st.budget.reserve(u.l, 16)
		t.RawSet(lua.LNumber(i), u.value(depth+1))
	}
	return t
}

func (u *unpacker) table(n uint64, depth int) lua.LValue {
	t := u.l.NewTable()
	u.st.budget.reserve(u.l, 64)
	for range n {
		u.st.budget.reserve(u.l, 100)
		k := u.value(depth + 1)
		v := u.value(depth + 1)
		if k == lua.LNil {
			raisef(u.l, "table index is nil")
		}
		u.st.rawSet(u.l, t, k, v)
	}
	return t
}
