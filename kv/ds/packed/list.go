package packed

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

// List is a packed list. Changes return it, as append does.
type List []byte

// Value is an entry: bytes, or an integer if Bytes is nil.
type Value struct {
	Bytes []byte // of the list's own memory
	Int   int64
}

// Parse is the value that an entry made of b has, which it refers to.
func Parse(b []byte) Value {
	if n, ok := integer(b); ok {
		return Value{Int: n}
	}
	if b == nil {
		b = []byte{}
	}
	return Value{Bytes: b}
}

// Append appends the value as bytes; integers are printed.
func (v Value) Append(dst []byte) []byte {
	if v.Bytes != nil {
		return append(dst, v.Bytes...)
	}
	return strconv.AppendInt(dst, v.Int, 10)
}

// Len is the number of bytes that Append appends.
func (v Value) Len() int {
	if v.Bytes != nil {
		return len(v.Bytes)
	}
	n, u := 1, uint64(v.Int)
	if v.Int < 0 {
		n, u = 2, -u
	}
	for ; u > 9; u /= 10 {
		n++
	}
	return n
}

// Same reports whether two values are equal.
func (v Value) Same(w Value) bool {
	if v.Bytes == nil || w.Bytes == nil {
		return v.Bytes == nil && w.Bytes == nil && v.Int == w.Int
	}
	return bytes.Equal(v.Bytes, w.Bytes)
}

// Equal reports whether the value is that of b.
func (v Value) Equal(b []byte) bool {
	if v.Bytes != nil {
		return bytes.Equal(v.Bytes, b)
	}
	n, ok := integer(b)
	return ok && n == v.Int
}

const (
	tinyString = 0x40 // below: a string of that length
	tinyInt    = 0x80 // below: an integer
	int8Tag    = 0x80
	int16Tag   = 0x81
	int32Tag   = 0x82
	int64Tag   = 0x83
	string8    = 0x84
	string32   = 0x85

	// MaxValue is the longest value.
	MaxValue = math.MaxInt32 / 2
)

// integer parses an integer in the form in which it would be printed.
func integer(b []byte) (int64, bool) {
	digits := b
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	switch {
	case neg && n <= 1<<63:
		return int64(-n), true
	case !neg && n < 1<<63:
		return int64(n), true
	}
	return 0, false
}

// appendEntry appends an entry.
func appendEntry(dst, val []byte) []byte {
	start := len(dst)
	if n, ok := integer(val); ok {
		dst = appendInt(dst, n)
	} else {
		dst = append(appendStringHead(dst, len(val)), val...)
	}
	return appendBack(dst, len(dst)-start)
}

// appendStringHead appends what stands before a string of n bytes.
func appendStringHead(dst []byte, n int) []byte {
	switch {
	case n < tinyString:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, string8, byte(n))
	}
	return binary.LittleEndian.AppendUint32(append(dst, string32), uint32(n))
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0 && n < tinyInt-tinyString:
		return append(dst, tinyString+byte(n))
	case n == int64(int8(n)):
		return append(dst, int8Tag, byte(n))
	case n == int64(int16(n)):
		return binary.LittleEndian.AppendUint16(append(dst, int16Tag), uint16(n))
	case n == int64(int32(n)):
		return binary.LittleEndian.AppendUint32(append(dst, int32Tag), uint32(n))
	}
	return binary.LittleEndian.AppendUint64(append(dst, int64Tag), uint64(n))
}

// appendBack appends an entry's length, to be read backwards.
func appendBack(dst []byte, n int) []byte {
	groups := backSize(n)
	for i := groups - 1; i >= 0; i-- {
		b := byte(n>>(7*i)) & 0x7f
		if i < groups-1 {
			b |= 0x80
		}
		dst = append(dst, b)
	}
	return dst
}

func backSize(n int) int {
	size := 1
	for n >>= 7; n > 0; n >>= 7 {
		size++
	}
	return size
}

// head is the size of the entry at pos before its value, and of its value.
func (l List) head(pos int) (head, size int) {
	switch tag := l[pos]; {
	case tag < tinyString:
		return 1, int(tag)
	case tag < tinyInt:
		return 1, 0
	case tag <= int64Tag:
		return 1, 1 << (tag - int8Tag)
	case tag == string8:
		return 2, int(l[pos+1])
	}
	return 5, int(binary.LittleEndian.Uint32(l[pos+1:]))
}

// At is the entry at pos, which is below len(l), and the position behind it.
func (l List) At(pos int) (v Value, next int) {
	head, size := l.head(pos)
	next = pos + head + size
	val := l[pos+head : next : next]
	next += backSize(head + size)
	switch tag := l[pos]; {
	case tag < tinyString || tag > int64Tag:
		return Value{Bytes: val}, next
	case tag < tinyInt:
		return Value{Int: int64(tag - tinyString)}, next
	case tag == int8Tag:
		return Value{Int: int64(int8(val[0]))}, next
	case tag == int16Tag:
		return Value{Int: int64(int16(binary.LittleEndian.Uint16(val)))}, next
	case tag == int32Tag:
		return Value{Int: int64(int32(binary.LittleEndian.Uint32(val)))}, next
	}
	return Value{Int: int64(binary.LittleEndian.Uint64(val))}, next
}

// Before is the position of the entry that ends at pos > 0.
func (l List) Before(pos int) int {
	n, shift := 0, 0
	for {
		pos--
		b := l[pos]
		n |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return pos - n
		}
		shift += 7
	}
}

// Append adds a value at the end.
func (l List) Append(val []byte) List { return appendEntry(l, val) }

// AppendInt adds an integer at the end.
func (l List) AppendInt(n int64) List {
	start := len(l)
	l = appendInt(l, n)
	return appendBack(l, len(l)-start)
}

// Insert adds a value before the entry at pos.
func (l List) Insert(pos int, val []byte) List { return l.splice(pos, pos, val) }

// Replace gives the entry at pos another value.
func (l List) Replace(pos int, val []byte) List {
	_, next := l.At(pos)
	return l.splice(pos, next, val)
}

// Delete removes n entries from pos on, or as many as there are.
func (l List) Delete(pos, n int) List {
	end := pos
	for ; n > 0 && end < len(l); n-- {
		end = l.next(end)
	}
	return slices.Delete(l, pos, end)
}

// DeleteFunc removes the entries for which drop returns true; it is called once
// for each, in order.
func (l List) DeleteFunc(drop func(Value) bool) List {
	to := 0
	for pos := 0; pos < len(l); {
		v, next := l.At(pos)
		if !drop(v) {
			to += copy(l[to:], l[pos:next])
		}
		pos = next
	}
	return l[:to]
}

// splice puts a value's entry in the place of the bytes from pos to end. The
// value must not lie in the list.
func (l List) splice(pos, end int, val []byte) List {
	var scratch [64]byte
	entry := appendEntry(scratch[:0], val)
	return slices.Replace(l, pos, end, entry...)
}

// Count is the number of entries.
func (l List) Count() (n int) {
	for pos := 0; pos < len(l); n++ {
		pos = l.next(pos)
	}
	return n
}

// Seek is the position of the i-th entry, counted from the end if negative; ok
// is false if there is none.
func (l List) Seek(i int) (pos int, ok bool) {
	if i >= 0 {
		for ; i > 0 && pos < len(l); i-- {
			pos = l.next(pos)
		}
		return pos, pos < len(l)
	}
	for pos = len(l); i < 0; i++ {
		if pos == 0 {
			return 0, false
		}
		pos = l.Before(pos)
	}
	return pos, true
}

// Find is the position of the first entry at pos or behind that has the value,
// looking at one in every 1+skip; ok is false if there is none.
func (l List) Find(pos int, val []byte, skip int) (at int, ok bool) {
	at, _, ok = l.Locate(pos, val, skip)
	return at, ok
}

// Locate is Find, and says how many it has looked at before: all, if it finds
// none.
func (l List) Locate(pos int, val []byte, skip int) (at, before int, ok bool) {
	// A value has one form only: entries are compared as bytes, first what stands
	// before a string.
	var scratch [16]byte
	head := scratch[:0]
	if n, isInt := integer(val); isInt {
		head, val = appendInt(head, n), nil
	} else {
		head = appendStringHead(head, len(val))
	}
	tag, more, size := head[0], head[1:], len(head)+len(val)
	last := head[len(head)-1] // values of one length tend to differ at the end
	if len(val) > 0 {
		last = val[len(val)-1]
	}
	for pos < len(l) {
		if l[pos] == tag && len(l)-pos > size && l[pos+size-1] == last && bytes.Equal(l[pos+len(head):pos+size], val) && bytes.Equal(l[pos+1:pos+len(head)], more) {
			return pos, before, true
		}
		before++
		for i := 0; i <= skip && pos < len(l); i++ {
			if tag := l[pos]; tag < tinyString {
				pos += 2 + int(tag)
			} else {
				pos = l.next(pos)
			}
		}
	}
	return 0, before, false
}

// next is the position behind the entry at pos.
func (l List) next(pos int) int {
	tag := l[pos]
	if tag < tinyString {
		return pos + 2 + int(tag)
	}
	if tag < tinyInt {
		return pos + 2
	}
	head, size := l.head(pos)
	return pos + head + size + backSize(head+size)
}

// Valid reports whether the bytes are a list: every entry is complete and in its
// shortest form.
func (l List) Valid() bool {
	for pos := 0; pos < len(l); {
		left := len(l) - pos
		switch tag := l[pos]; {
		case tag > string32:
			return false
		case tag == string8 && left < 2, tag == string32 && left < 5:
			return false
		}
		head, size := l.head(pos)
		if size > MaxValue || head+size+backSize(head+size) > left {
			return false
		}
		v, next := l.At(pos)
		var scratch [32]byte
		switch {
		case v.Bytes == nil:
			if !bytes.Equal(appendBack(appendInt(scratch[:0], v.Int), head+size), l[pos:next]) {
				return false
			}
		default:
			if _, isInt := integer(v.Bytes); isInt {
				return false
			}
			short := head == 1 && size < tinyString || head == 2 && size >= tinyString || head == 5 && size > math.MaxUint8
			if !short || !bytes.Equal(appendBack(scratch[:0], head+size), l[pos+head+size:next]) {
				return false
			}
		}
		pos = next
	}
	return true
}
