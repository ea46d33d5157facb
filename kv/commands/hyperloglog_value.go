package commands

import (
	"encoding/binary"
	"math/bits"
)

// hll is a HyperLogLog as Redis keeps it in a string: 16 bytes of header
//
//	"HYLL" | encoding | 3 unused | count, 8 bytes, little endian
//
// and 16384 registers of 6 bits. The dense encoding is the registers one after
// the other from the lowest bit up; the sparse one is runs:
//
//	00xxxxxx           ZERO   x+1 registers that are 0
//	01xxxxxx yyyyyyyy  XZERO  xy+1 registers that are 0
//	1vvvvvxx           VAL    x+1 registers that are v+1
//
// The count is the last result of PFCOUNT, or unknown if its highest bit is set.
// A value comes from clients, so that runs may be of any total length.
type hll []byte

const (
	hllRegisters = 1 << hllIndexBits
	hllIndexBits = 14
	hllRankBits  = 64 - hllIndexBits

	hllEncodingAt = 4
	hllCountAt    = 8
	hllHeader     = 16
	hllDenseSize  = hllHeader + hllRegisters*6/8

	hllDense  = 0
	hllSparse = 1
)

// newHLL is an empty one, in the sparse encoding.
func newHLL() hll {
	v := make(hll, hllHeader, 64)
	copy(v, "HYLL")
	v[hllEncodingAt] = hllSparse
	return appendZeros(v, hllRegisters)
}

// valid reports whether this may be a HyperLogLog; the runs aren't looked at.
func (v hll) valid() bool {
	return len(v) >= hllHeader && string(v[:hllEncodingAt]) == "HYLL" && v[hllEncodingAt] <= hllSparse &&
		(!v.dense() || len(v) == hllDenseSize)
}

func (v hll) dense() bool { return v[hllEncodingAt] == hllDense }

func (v hll) forgetCount() { v[hllHeader-1] |= 1 << 7 }

// knownCount is the last count, if nothing was added since.
func (v hll) knownCount() (int64, bool) {
	n := int64(binary.LittleEndian.Uint64(v[hllCountAt:]))
	return n, n >= 0
}

// hllHash is the register that an element falls into, and the rank it raises it
// to: the number of zeros at the end of the hash, plus one.
func hllHash(element []byte) (index int, rank byte) {
	hash := murmur64A(element, 0xadc83b19)
	index = int(hash & (hllRegisters - 1))
	hash = hash>>hllIndexBits | 1<<hllRankBits
	return index, byte(bits.TrailingZeros64(hash) + 1)
}

// murmur64A is Austin Appleby's MurmurHash64A.
func murmur64A(b []byte, seed uint64) uint64 {
	const m, r = 0xc6a4a7935bd1e995, 47
	h := seed ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k ^= k >> r
		h = (h ^ k*m) * m
	}
	if len(b) > 0 {
		var tail [8]byte
		copy(tail[:], b)
		h = (h ^ binary.LittleEndian.Uint64(tail[:])) * m
	}
	h ^= h >> r
	h *= m
	return h ^ h>>r
}

// register reads one register; false if the runs end before it.
func (v hll) register(index int) (byte, bool) {
	if v.dense() {
		return v.denseRegister(index), true
	}
	r, ok := v.seek(hllBegin(), index)
	return r.value, ok
}

// raise sets a register that is lower to rank. A sparse value of more than limit
// bytes becomes dense, as does one whose rank can't be said in a run. It's false
// if the runs are corrupt. The result takes the place of v; the next register
// can be looked for from where the returned place is, if it's a higher one.
func (v hll) raise(from hllPlace, index int, rank byte, limit int64) (hll, hllPlace, bool) {
	if !v.dense() {
		out, next, result := v.raiseSparse(from, index, rank, limit)
		if result != hllTooLarge {
			return out, next, result == hllRaised
		}
		var ok bool
		if v, ok = v.toDense(); !ok {
			return nil, from, false
		}
	}
	if v.denseRegister(index) < rank {
		v.setDense(index, rank)
	}
	return v, from, true
}

// raiseAll is raise for all registers.
func (v hll) raiseAll(regs *[hllRegisters]byte, limit int64) (hll, bool) {
	from, ok := hllBegin(), true
	for i, r := range regs {
		if r == 0 {
			continue
		}
		if v, from, ok = v.raise(from, i, r, limit); !ok {
			return nil, false
		}
	}
	return v, true
}

// toDense is the value in the dense encoding; v itself if it is.
func (v hll) toDense() (hll, bool) {
	if v.dense() {
		return v, true
	}
	out := make(hll, hllDenseSize)
	copy(out, v[:hllHeader])
	out[hllEncodingAt] = hllDense
	ok := v.runs(func(first, length int, value byte) {
		for i := range length {
			out.setDense(first+i, value)
		}
	})
	return out, ok
}

// mergeInto raises registers to those of v; false if the runs are corrupt.
func (v hll) mergeInto(regs *[hllRegisters]byte) bool {
	if !v.dense() {
		return v.runs(func(first, length int, value byte) {
			for i := first; i < first+length; i++ {
				regs[i] = max(regs[i], value)
			}
		})
	}
	b := v[hllHeader:]
	for i := 0; i < hllRegisters; i += 4 {
		four := b[:3]
		regs[i] = max(regs[i], four[0]&63)
		regs[i+1] = max(regs[i+1], four[0]>>6|four[1]<<2&63)
		regs[i+2] = max(regs[i+2], four[1]>>4|four[2]<<4&63)
		regs[i+3] = max(regs[i+3], four[2]>>2)
		b = b[3:]
	}
	return true
}

// histogram counts registers by their value; false if the runs are corrupt.
func (v hll) histogram() (n hllHistogram, ok bool) {
	if !v.dense() {
		set := 0
		ok = v.runs(func(_, length int, value byte) {
			n[value] += int32(length)
			set += length
		})
		n[0] = int32(hllRegisters - set)
		return n, ok
	}
	for b := v[hllHeader:]; len(b) >= 3; b = b[3:] {
		n[b[0]&63]++
		n[b[0]>>6|b[1]<<2&63]++
		n[b[1]>>4|b[2]<<4&63]++
		n[b[2]>>2]++
	}
	return n, true
}

// densePlace is the byte that a register of the dense encoding begins in, and
// the bit.
func densePlace(index int) (at int, bit uint) {
	return hllHeader + index*6/8, uint(index * 6 & 7)
}

func (v hll) denseRegister(index int) byte {
	at, bit := densePlace(index)
	r := uint16(v[at])
	if bit > 2 {
		r |= uint16(v[at+1]) << 8
	}
	return byte(r>>bit) & 63
}

func (v hll) setDense(index int, value byte) {
	at, bit := densePlace(index)
	v[at] = v[at]&^(63<<bit) | value<<bit
	if bit > 2 {
		v[at+1] = v[at+1]&^(63>>(8-bit)) | value>>(8-bit)
	}
}
