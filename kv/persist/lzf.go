package persist

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// LZF is a sequence of literal runs and back references. A control byte below
// 32 announces that many literals plus one; otherwise its upper three bits hold
// the length of a reference minus two (7: one more byte is added) and its lower
// five, with the next byte, the distance minus one.
const (
	lzfMaxLiterals = 1 << 5
	lzfMaxDistance = 1 << 13
	lzfMaxMatch    = 7 + 255 + 2

	// lzfMaxRatio bounds what one compressed byte can stand for: a reference of
	// three bytes yields lzfMaxMatch.
	lzfMaxRatio = lzfMaxMatch / 3
)

// lzfTable remembers where three bytes were seen, by their hash. It is kept from
// one string to the next: positions are counted on, and those of former strings
// are below base. The zero table is ready.
type lzfTable struct {
	at   []uint32
	base uint32
}

// prepare makes the table fit for an input of n bytes. A table larger than the
// window is useless, one larger than the input a waste to clear.
func (t *lzfTable) prepare(n int) {
	size := 1 << min(bits.Len(uint(lzfMaxDistance)), max(bits.Len(uint(n)), 6))
	if len(t.at) < size || uint64(t.base)+uint64(n) >= math.MaxUint32 {
		t.at = make([]uint32, max(size, len(t.at)))
		t.base = 1 // 0 is empty
	}
}

// compress appends the compressed form of in to b. It returns b unchanged and
// false if that would take more than most bytes.
func (t *lzfTable) compress(b, in []byte, most int) ([]byte, bool) {
	start := len(b)
	t.prepare(len(in))
	table, base := t.at, t.base
	t.base += uint32(len(in))
	shift := 33 - bits.Len(uint(len(table)))

	lit := 0 // in[lit:i] waits to be written as literals
	i := 0
	for i+2 < len(in) {
		h := lzfHash(in[i:]) >> shift
		ref := int(table[h]) - int(base)
		table[h] = base + uint32(i)
		if ref < 0 || i-ref > lzfMaxDistance || in[ref] != in[i] || in[ref+1] != in[i+1] || in[ref+2] != in[i+2] {
			i++
			continue
		}
		n := 3
		for limit := min(len(in)-i, lzfMaxMatch); n < limit && in[ref+n] == in[i+n]; n++ {
		}
		b = lzfLiterals(b, in[lit:i])
		b = lzfReference(b, i-ref-1, n)
		if len(b)-start > most {
			return b[:start], false
		}
		// Remember the end of the match too, where the next one likely begins.
		for j := i + n - 2; j < i+n && j+2 < len(in); j++ {
			table[lzfHash(in[j:])>>shift] = base + uint32(j)
		}
		i += n
		lit = i
	}
	b = lzfLiterals(b, in[lit:])
	if len(b)-start > most {
		return b[:start], false
	}
	return b, true
}

func lzfHash(p []byte) uint32 {
	return (uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])) * 2654435761
}

func lzfLiterals(b, lit []byte) []byte {
	for len(lit) > 0 {
		n := min(len(lit), lzfMaxLiterals)
		b = append(b, byte(n-1))
		b = append(b, lit[:n]...)
		lit = lit[n:]
	}
	return b
}

func lzfReference(b []byte, distance, n int) []byte {
	n -= 2
	if n < 7 {
		return append(b, byte(n<<5|distance>>8), byte(distance))
	}
	b = append(b, byte(7<<5|distance>>8), byte(n-7))
	return append(b, byte(distance))
}

// lzfDecompress returns the size bytes that in stands for, or false if in is
// malformed or stands for another number of bytes. The output grows as it is
// decoded, so that a claimed size costs nothing until it is earned.
func lzfDecompress(in []byte, size int) ([]byte, bool) {
	if size > len(in)*lzfMaxRatio {
		return nil, false
	}
	out := make([]byte, 0, min(size, 4*len(in)+64))
	for len(in) > 0 {
		ctrl := int(in[0])
		in = in[1:]
		if ctrl < lzfMaxLiterals {
			n := ctrl + 1
			if n > len(in) || n > size-len(out) {
				return nil, false
			}
			out = append(out, in[:n]...)
			in = in[n:]
			continue
		}
		n := ctrl >> 5
		if n == 7 {
			if len(in) == 0 {
				return nil, false
			}
			n += int(in[0])
			in = in[1:]
		}
		n += 2
		if len(in) == 0 {
			return nil, false
		}
		from := len(out) - (ctrl&31<<8 | int(in[0])) - 1
		in = in[1:]
		if from < 0 || n > size-len(out) {
			return nil, false
		}
		// A reference may reach into what it produces: copy what exists, then
		// what that made exist.
		for n > 0 {
			k := min(n, len(out)-from)
			out = append(out, out[from:from+k]...)
			from += k
			n -= k
		}
	}
	return out, len(out) == size
}

// appendCompressed writes in as an LZF string if that saves at least four bytes, as
// Redis asks.
func (t *lzfTable) appendCompressed(b, in []byte) ([]byte, bool) {
	if len(in) <= 20 || uint64(len(in)) >= math.MaxUint32 {
		return b, false
	}
	// The two lengths stand in front of the data and the compressed one isn't
	// known yet: compress behind room for the longest header, then close up.
	const room = 1 + 2*binary.MaxVarintLen64
	start := len(b)
	b = append(b, make([]byte, room)...)
	b, ok := t.compress(b, in, len(in)-4)
	if !ok {
		return b[:start], false
	}
	n := len(b) - start - room
	head := append(make([]byte, 0, room), encLZF)
	head = appendLength(head, uint64(n))
	head = appendLength(head, uint64(len(in)))
	copy(b[start:], head)
	copy(b[start+len(head):], b[start+room:])
	return b[:start+len(head)+n], true
}
