package persist

import (
	"encoding/binary"
	"math"
	"slices"
)

// An intset is a set of numbers in ascending order: the width of a number and
// how many there are, four bytes each, then the numbers.
const intsetHeader = 8

func (d *decoder) intset(p []byte) (Set, error) {
	const bad = malformed("an intset")
	if len(p) < intsetHeader {
		return nil, bad
	}
	width := uint64(binary.LittleEndian.Uint32(p))
	n := uint64(binary.LittleEndian.Uint32(p[4:]))
	p = p[intsetHeader:]
	if width != 2 && width != 4 && width != 8 || n*width != uint64(len(p)) {
		return nil, bad
	}
	s := make(Set, n)
	var before int64
	for i := range s {
		v := littleEndianInt(p[:width])
		if i > 0 && v <= before {
			return nil, bad
		}
		s[i] = d.text(v)
		before = v
		p = p[width:]
	}
	return s, nil
}

// appendIntset writes numbers, which it sorts.
func appendIntset(b []byte, numbers []int64) []byte {
	slices.Sort(numbers)
	width := 2
	if n := len(numbers); n > 0 {
		low, high := numbers[0], numbers[n-1]
		switch {
		case low < math.MinInt32 || high > math.MaxInt32:
			width = 8
		case low < math.MinInt16 || high > math.MaxInt16:
			width = 4
		}
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(width))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(numbers)))
	for _, n := range numbers {
		switch width {
		case 2:
			b = binary.LittleEndian.AppendUint16(b, uint16(n))
		case 4:
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		default:
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
	}
	return b
}
