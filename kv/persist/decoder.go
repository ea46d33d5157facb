package persist

import (
	"encoding/binary"
	"hash/maphash"
	"strconv"
)

// decoder reads objects from a payload that is completely there, or from the
// window that a source moves along a stream. What it returns shares memory with
// the payload or window, which nobody writes again.
//
// Nothing it returns is longer than what is there, decompressed strings
// excepted.
type decoder struct {
	rest      []byte
	maxString int
	src       *source // nil: rest is all there is
	numbers   []byte  // decimal texts are carved from it
}

func (d *decoder) byte() (byte, error) {
	p, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return p[0], nil
}

// take is the next n bytes. n is compared before it is converted: it may be any
// number a stranger wrote down.
func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.rest)) {
		if d.src == nil {
			return nil, ErrFormat
		}
		var err error
		if d.rest, err = d.src.more(d.rest, n); err != nil {
			return nil, err
		}
	}
	p := d.rest[:n:n]
	d.rest = d.rest[n:]
	return p, nil
}

// uint64 is the next eight bytes, little endian: a time or a raw double.
func (d *decoder) uint64() (uint64, error) {
	p, err := d.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(p), nil
}

// text is a number in decimal.
func (d *decoder) text(n int64) []byte {
	const longest = len("-9223372036854775808")
	if cap(d.numbers)-len(d.numbers) < longest {
		d.numbers = make([]byte, 0, min(max(2*cap(d.numbers), longest), 64*longest))
	}
	start := len(d.numbers)
	d.numbers = strconv.AppendInt(d.numbers, n, 10)
	return d.numbers[start:len(d.numbers):len(d.numbers)]
}

// few is a capacity for n announced elements that costs nothing if they don't
// come.
func few(n uint64) int { return int(min(n, 64)) }

// element is one entry of a listpack or ziplist: a string or a number.
type element struct {
	s        []byte
	n        int64
	isNumber bool
}

func (d *decoder) elementText(e element) []byte {
	if e.isNumber {
		return d.text(e.n)
	}
	return e.s
}

// packed is a listpack or ziplist being read from its start.
type packed interface {
	// more is false at the end, where finish tells whether it was a proper one.
	more() bool
	next() (element, error)
	finish() error
	// size is the announced number of elements, or a guess.
	size() int
}

// packedStrings are all elements as text.
func (d *decoder) packedStrings(p packed, err error) ([][]byte, error) {
	if err != nil {
		return nil, err
	}
	out := make([][]byte, 0, p.size())
	for p.more() {
		e, err := p.next()
		if err != nil {
			return nil, err
		}
		out = append(out, d.elementText(e))
	}
	return out, p.finish()
}

// distinct reports whether no two of n strings are equal.
func distinct(n int, at func(int) []byte) bool {
	if n <= 8 {
		for i := range n {
			for j := range i {
				if string(at(i)) == string(at(j)) {
					return false
				}
			}
		}
		return true
	}
	size := 16
	for size < 2*n {
		size *= 2
	}
	seed := maphash.MakeSeed()
	table := make([]uint32, size) // index plus one
	for i := range n {
		p := at(i)
		slot := int(maphash.Bytes(seed, p)) & (size - 1)
		for table[slot] != 0 {
			if string(at(int(table[slot]-1))) == string(p) {
				return false
			}
			slot = (slot + 1) & (size - 1)
		}
		table[slot] = uint32(i) + 1
	}
	return true
}
