package persist

import "encoding/binary"

// A ziplist is what Redis had before listpacks: ten bytes of header (size of
// the block, offset of the last element, number of elements), the elements,
// 0xff. Before each element stands the length of the one before it.
const (
	ziplistHeader    = 10
	ziplistEnd       = 0xff
	ziplistFar       = 0xfe // four bytes of length follow
	ziplistUncounted = 0xffff
)

// ziplist reads a ziplist. Each element is checked as it is passed.
type ziplist struct {
	all      []byte
	at       int // where the next element begins
	previous int // length of the element before
	last     int // where the element before began
	tail     uint64
	count    int
	seen     int
}

func packedZiplist(p []byte) (packed, error) {
	if len(p) < ziplistHeader+1 || uint64(binary.LittleEndian.Uint32(p)) != uint64(len(p)) || p[len(p)-1] != ziplistEnd {
		return nil, malformed("a ziplist's frame")
	}
	return &ziplist{
		all: p[:len(p)-1], at: ziplistHeader, last: ziplistHeader,
		tail: uint64(binary.LittleEndian.Uint32(p[4:])), count: int(binary.LittleEndian.Uint16(p[8:])),
	}, nil
}

func (z *ziplist) more() bool { return z.at < len(z.all) }

func (z *ziplist) size() int { return min(z.count, (len(z.all)-z.at)/2) }

func (z *ziplist) finish() error {
	switch {
	case z.count != ziplistUncounted && z.count != z.seen:
		return malformed("a ziplist's number of elements")
	case z.tail != uint64(z.last):
		return malformed("a ziplist's offset of its tail")
	}
	return nil
}

func (z *ziplist) next() (e element, err error) {
	const bad = malformed("a ziplist's element")
	p := z.all[z.at:]
	before, n := uint64(p[0]), 1
	if p[0] == ziplistFar {
		if len(p) < 5 {
			return e, bad
		}
		before, n = uint64(binary.LittleEndian.Uint32(p[1:])), 5
	}
	if p[0] == ziplistEnd || before != uint64(z.previous) || len(p) <= n {
		return e, bad
	}
	p = p[n:]
	head, body, isNumber := ziplistSizes(p)
	if head == 0 || uint64(head)+body > uint64(len(p)) {
		return e, bad
	}
	value := p[head : head+int(body) : head+int(body)]
	switch c := p[0]; {
	case !isNumber:
		e.s = value
	case head == 1 && body == 0:
		e = element{n: int64(c&0x0f) - 1, isNumber: true}
	case body == 1:
		e = element{n: int64(int8(value[0])), isNumber: true}
	case body == 3:
		e = element{n: int24(value), isNumber: true}
	default:
		e = element{n: littleEndianInt(value), isNumber: true}
	}
	z.last = z.at
	z.previous = n + head + int(body)
	z.at += z.previous
	z.seen++
	return e, nil
}

// ziplistSizes are the lengths of the encoding and of what follows it. head is
// zero if there is no element.
func ziplistSizes(p []byte) (head int, body uint64, isNumber bool) {
	switch c := p[0]; {
	case c < 0x40:
		return 1, uint64(c), false
	case c < 0x80:
		if len(p) < 2 {
			return 0, 0, false
		}
		return 2, uint64(c&0x3f)<<8 | uint64(p[1]), false
	case c == 0x80:
		if len(p) < 5 {
			return 0, 0, false
		}
		return 5, uint64(binary.BigEndian.Uint32(p[1:])), false
	case c == 0xc0:
		return 1, 2, true
	case c == 0xd0:
		return 1, 4, true
	case c == 0xe0:
		return 1, 8, true
	case c == 0xf0:
		return 1, 3, true
	case c == 0xfe:
		return 1, 1, true
	case c > 0xf0 && c < 0xfe:
		return 1, 0, true
	}
	return 0, 0, false
}
