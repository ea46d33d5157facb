package kv

import (
	"math"

	"conclave/kv/ds/packed"
)

// What a listpack of Redis would take, because OBJECT ENCODING depends on it.

// listpackFrame is the head and the end of a listpack.
const listpackFrame = 7

// listpackEntry is the size of an entry of a listpack.
func listpackEntry(v packed.Value) int {
	size := 0
	if v.Bytes != nil {
		switch n := len(v.Bytes); {
		case n < 64:
			size = 1 + n
		case n < 4096:
			size = 2 + n
		default:
			size = 5 + n
		}
	} else {
		switch n := v.Int; {
		case n >= 0 && n < 128:
			size = 1
		case n >= -4096 && n < 4096:
			size = 2
		case n == int64(int16(n)):
			size = 3
		case n >= -1<<23 && n < 1<<23:
			size = 4
		case n == int64(int32(n)):
			size = 5
		default:
			size = 9
		}
	}
	switch {
	case size <= 127:
		return size + 1
	case size < 16383:
		return size + 2
	case size < 2097151:
		return size + 3
	case size < 268435455:
		return size + 4
	}
	return size + 5
}

// listLimits are the bytes and the entries that list-max-listpack-size lets a
// listpack have.
func listLimits(directive int) (size, count int) {
	const safe = 8 << 10 // where the directive is a number of entries
	switch {
	case directive > 0:
		return safe, directive
	case directive == 0:
		return safe, 1
	}
	return 4 << 10 << min(-directive-1, 4), math.MaxInt
}
