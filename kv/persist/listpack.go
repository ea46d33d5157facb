package persist

import (
	"encoding/binary"
	"math"
	"strconv"
)

// A listpack is a sequence of strings and numbers in one block of memory: six
// bytes of header (size of the block, number of elements), the elements, 0xff.
// Behind each element stands its length, to be read backwards.
const (
	listpackHeader = 6
	listpackEnd    = 0xff
	// listpackUncounted says that there are too many elements for the header.
	listpackUncounted = math.MaxUint16
)

// The first byte of an element.
const (
	packUint7  = 0x00 // 0xxxxxxx: a number
	packStr6   = 0x80 // 10xxxxxx: a length
	packInt13  = 0xc0 // 110xxxxx and one byte, signed
	packStr12  = 0xe0 // 1110xxxx and one byte
	packStr32  = 0xf0
	packInt16  = 0xf1
	packInt24  = 0xf2
	packInt32  = 0xf3
	packInt64  = 0xf4
	maxBacklen = 5
)

// listpack reads a listpack. Each element is checked as it is passed.
type listpack struct {
	rest  []byte // without the end byte
	count int    // as the header says
	seen  int
}

func newListpack(p []byte) (*listpack, error) {
	if len(p) < listpackHeader+1 || uint64(binary.LittleEndian.Uint32(p)) != uint64(len(p)) || p[len(p)-1] != listpackEnd {
		return nil, malformed("a listpack's frame")
	}
	return &listpack{rest: p[listpackHeader : len(p)-1], count: int(binary.LittleEndian.Uint16(p[4:]))}, nil
}

// packedListpack is newListpack for those who don't care which it is.
func packedListpack(p []byte) (packed, error) {
	l, err := newListpack(p)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *listpack) more() bool { return len(l.rest) > 0 }

func (l *listpack) size() int { return min(l.count, len(l.rest)/2) }

func (l *listpack) finish() error {
	if l.count != listpackUncounted && l.count != l.seen {
		return malformed("a listpack's number of elements")
	}
	return nil
}

func (l *listpack) next() (e element, err error) {
	head, body := packedSizes(l.rest)
	if head == 0 || uint64(head)+body > uint64(len(l.rest)) {
		return e, malformed("a listpack's element")
	}
	n := head + int(body)
	var back [maxBacklen]byte
	b := appendBacklen(back[:0], n)
	if len(l.rest) < n+len(b) || string(l.rest[n:n+len(b)]) != string(b) {
		return e, malformed("a listpack's length to read backwards")
	}
	e = packedElement(l.rest[:n], head)
	l.rest = l.rest[n+len(b):]
	l.seen++
	return e, nil
}

// number is the next element, which must be a number.
func (l *listpack) number() (int64, error) {
	e, err := l.next()
	if err == nil && !e.isNumber {
		// Redis writes numbers as such, but takes their text as well.
		n, ok := canonicalInt64(e.s)
		if !ok {
			return 0, malformed("a listpack's string where a number is due")
		}
		e.n = n
	}
	return e.n, err
}

// packedSizes are the lengths of the encoding and of what follows it. head is
// zero if there is no element.
func packedSizes(p []byte) (head int, body uint64) {
	if len(p) == 0 {
		return 0, 0
	}
	switch c := p[0]; {
	case c < packStr6:
		return 1, 0
	case c < packInt13:
		return 1, uint64(c & 0x3f)
	case c < packStr12:
		return 1, 1
	case c < packStr32:
		if len(p) < 2 {
			return 0, 0
		}
		return 2, uint64(c&0x0f)<<8 | uint64(p[1])
	case c == packStr32:
		if len(p) < 5 {
			return 0, 0
		}
		return 5, uint64(binary.LittleEndian.Uint32(p[1:]))
	case c == packInt16:
		return 1, 2
	case c == packInt24:
		return 1, 3
	case c == packInt32:
		return 1, 4
	case c == packInt64:
		return 1, 8
	}
	return 0, 0
}

// packedElement reads an element that is completely there.
func packedElement(p []byte, head int) element {
	body := p[head:len(p):len(p)]
	switch c := p[0]; {
	case c < packStr6:
		return element{n: int64(c), isNumber: true}
	case c < packInt13:
		return element{s: body}
	case c < packStr12:
		return element{n: int64(int16(uint16(c)<<11|uint16(body[0])<<3)) >> 3, isNumber: true}
	case c <= packStr32:
		return element{s: body}
	case c == packInt24:
		return element{n: int24(body), isNumber: true}
	}
	return element{n: littleEndianInt(body), isNumber: true}
}

func int24(p []byte) int64 {
	return int64(int32(uint32(p[0])<<8|uint32(p[1])<<16|uint32(p[2])<<24) >> 8)
}

// littleEndianInt reads 2, 4 or 8 bytes.
func littleEndianInt(p []byte) int64 {
	switch len(p) {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(p)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(p)))
	}
	return int64(binary.LittleEndian.Uint64(p))
}

// appendBacklen writes the length of an element so that it can be read from its
// end: seven bits a byte, the lowest last, all but the first written marked.
func appendBacklen(b []byte, n int) []byte {
	switch {
	case n < 1<<7:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, byte(n>>7), byte(n&0x7f|0x80))
	case n < 1<<21:
		return append(b, byte(n>>14), byte(n>>7&0x7f|0x80), byte(n&0x7f|0x80))
	case n < 1<<28:
		return append(b, byte(n>>21), byte(n>>14&0x7f|0x80), byte(n>>7&0x7f|0x80), byte(n&0x7f|0x80))
	}
	return append(b, byte(n>>28), byte(n>>21&0x7f|0x80), byte(n>>14&0x7f|0x80), byte(n>>7&0x7f|0x80), byte(n&0x7f|0x80))
}

// listpackBuilder writes a listpack. It reuses its memory.
type listpackBuilder struct {
	b     []byte
	count int
}

func newListpackBuilder(b []byte) listpackBuilder {
	return listpackBuilder{b: append(b[:0], make([]byte, listpackHeader)...)}
}

// add appends a string, as a number if it is the text of one.
func (l *listpackBuilder) add(s []byte) {
	if n, ok := canonicalInt64(s); ok {
		l.addInt(n)
		return
	}
	start := len(l.b)
	switch n := len(s); {
	case n < 1<<6:
		l.b = append(l.b, packStr6|byte(n))
	case n < 1<<12:
		l.b = append(l.b, packStr12|byte(n>>8), byte(n))
	default:
		l.b = binary.LittleEndian.AppendUint32(append(l.b, packStr32), uint32(n))
	}
	l.b = append(l.b, s...)
	l.end(start)
}

func (l *listpackBuilder) addInt(n int64) {
	start := len(l.b)
	switch {
	case n >= 0 && n < 1<<7:
		l.b = append(l.b, packUint7|byte(n))
	case n >= -1<<12 && n < 1<<12:
		l.b = append(l.b, packInt13|byte(n>>8)&0x1f, byte(n))
	case n == int64(int16(n)):
		l.b = binary.LittleEndian.AppendUint16(append(l.b, packInt16), uint16(n))
	case n >= -1<<23 && n < 1<<23:
		l.b = append(l.b, packInt24, byte(n), byte(n>>8), byte(n>>16))
	case n == int64(int32(n)):
		l.b = binary.LittleEndian.AppendUint32(append(l.b, packInt32), uint32(n))
	default:
		l.b = binary.LittleEndian.AppendUint64(append(l.b, packInt64), uint64(n))
	}
	l.end(start)
}

func (l *listpackBuilder) end(start int) {
	l.b = appendBacklen(l.b, len(l.b)-start)
	l.count++
}

// bytes is the finished listpack; it lives until the builder's memory is reused.
func (l *listpackBuilder) bytes() []byte {
	l.b = append(l.b, listpackEnd)
	binary.LittleEndian.PutUint32(l.b, uint32(len(l.b)))
	binary.LittleEndian.PutUint16(l.b[4:], uint16(min(l.count, listpackUncounted)))
	return l.b
}

// writePack writes all strings as one listpack.
func (w *encoder) writePack(strings func(add func([]byte))) {
	l := newListpackBuilder(w.pack)
	strings(l.add)
	w.pack = l.bytes()
	w.string(w.pack)
}

// canonicalInt64 is the number whose decimal text s is.
func canonicalInt64(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > len("-9223372036854775808") {
		return 0, false
	}
	if c := s[0]; c != '-' && (c < '0' || c > '9') {
		return 0, false
	}
	n, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil {
		return 0, false
	}
	var scratch [20]byte
	return n, string(strconv.AppendInt(scratch[:0], n, 10)) == string(s)
}
