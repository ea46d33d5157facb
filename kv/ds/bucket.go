package ds

import (
	"encoding/binary"
	"math/bits"

	"conclave/kv/ds/arena"
)

const (
	lineSize  = 64
	perLine   = 10
	lineShift = 6
	// version is the bit of a chain's first line that changes with a capture.
	version = 1 << 31
)

// bucket is one line: see the package's documentation.
type bucket [lineSize]byte

func (b *bucket) ref(i int) arena.Ref {
	return arena.Ref(binary.LittleEndian.Uint64(b[8+i*5:])>>16&(1<<40-1)) << 3
}

func (b *bucket) setRef(i int, r arena.Ref) {
	p := 10 + i*5
	b[p] = byte(r >> 3)
	binary.LittleEndian.PutUint32(b[p+1:], uint32(r>>11))
}

func (b *bucket) word() uint32     { return binary.LittleEndian.Uint32(b[60:]) }
func (b *bucket) setWord(w uint32) { binary.LittleEndian.PutUint32(b[60:], w) }

func (b *bucket) version() uint32     { return b.word() & version }
func (b *bucket) setVersion(v uint32) { b.setWord(b.word()&^version | v) }

// next is the chain's next line, or 0.
func (b *bucket) next() arena.Ref { return arena.Ref(b.word()&^version) << lineShift }

func (b *bucket) setNext(r arena.Ref) { b.setWord(b.word()&version | uint32(r>>lineShift)) }

// used is the number of entries.
func (b *bucket) used() int {
	n := 0
	for n < perLine && b[n] != 0 {
		n++
	}
	return n
}

const (
	low7  = 0x7f7f7f7f7f7f7f7f
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// match gives the first eight entries with a tag as bits 7, 15, ...
func (b *bucket) match(tag byte) uint64 {
	x := binary.LittleEndian.Uint64(b[:]) ^ uint64(tag)*ones
	// The exact form: the shorter one reports bytes behind a match, too.
	return ^((x&low7 + low7) | x | low7) & highs
}

func firstMatch(m uint64) int { return bits.TrailingZeros64(m) >> 3 }

// tagOf is the byte of a hash that an entry carries.
func tagOf(hash uint64) byte {
	if t := byte(hash >> 56); t != 0 {
		return t
	}
	return 1
}
