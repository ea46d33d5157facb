package kv

import (
	"encoding/binary"
	"math"
)

// intset is the value of a set of integers: the width of one in bytes, then the
// integers in ascending order, signed and little-endian. An empty set has no
// bytes.
type intset []byte

func (s intset) width() int {
	if len(s) == 0 {
		return 0
	}
	return int(s[0])
}

func (s intset) count() int {
	if len(s) == 0 {
		return 0
	}
	return (len(s) - 1) / int(s[0])
}

// at is the i-th integer.
func (s intset) at(i int) int64 {
	switch s[0] {
	case 1:
		return int64(int8(s[1+i]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(s[1+2*i:])))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(s[1+4*i:])))
	}
	return int64(binary.LittleEndian.Uint64(s[1+8*i:]))
}

// search is the index of an integer, or of the first one above it.
func (s intset) search(n int64) (i int, ok bool) {
	lo, hi := 0, s.count()
	if hi > 0 && n > s.at(hi-1) { // ascending additions are common
		return hi, false
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		switch v := s.at(mid); {
		case v == n:
			return mid, true
		case v < n:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// widthOf is how many bytes an integer takes.
func widthOf(n int64) int {
	switch {
	case n == int64(int8(n)):
		return 1
	case n == int64(int16(n)):
		return 2
	case n == int64(int32(n)):
		return 4
	}
	return 8
}

// appendWide appends an integer in so many bytes.
func appendWide(dst []byte, n int64, width int) []byte {
	switch width {
	case 1:
		return append(dst, byte(n))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(n))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(n))
}

// widened is the set with room for one more, in integers of so many bytes.
func (s intset) widened(width int) intset {
	wide := make(intset, 1, 1+(s.count()+1)*width)
	wide[0] = byte(width)
	for i := range s.count() {
		wide = appendWide(wide, s.at(i), width)
	}
	return wide
}

// maxIntset bounds set-max-intset-entries, as Redis does.
const maxIntset = math.MaxInt32 / 2
