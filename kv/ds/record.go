package ds

import (
	"encoding/binary"

	"conclave/kv/ds/arena"
)

// Flags of a record.
const (
	hasExpiry = 1 << iota
	longKey   // the key's length has four bytes
	longValue // the value's length has four bytes
	pinned    // the value is being read without the lock, see capture.go
)

const (
	fixedHead  = 7
	lengthSize = 4
	expirySize = 8
	shortMax   = 255
)

// Record is a key with its value, as it lies in memory. The zero value is no
// record.
type Record struct{ b []byte }

// IsZero reports whether it is no record.
func (r Record) IsZero() bool { return r.b == nil }

// headSize is where the key begins.
func headSize(flags byte) int {
	return fixedHead + int(flags&hasExpiry)*expirySize + int(flags>>1&1)*lengthSize + int(flags>>2&1)*lengthSize
}

// lengths reads the lengths of a record from its first bytes.
func lengths(h *[16]byte) (head, key, val int) {
	flags := h[1]
	key, val = int(h[5]), int(h[6])
	head = fixedHead
	if flags&(longKey|longValue) != 0 {
		if flags&longKey != 0 {
			key = int(binary.LittleEndian.Uint32(h[head:]))
			head += lengthSize
		}
		if flags&longValue != 0 {
			val = int(binary.LittleEndian.Uint32(h[head:]))
			head += lengthSize
		}
	}
	if flags&hasExpiry != 0 {
		head += expirySize
	}
	return head, key, val
}

// shape is the flags and the size that a record takes.
func shape(key, val int, expiry bool) (flags byte, size int) {
	if key > shortMax {
		flags |= longKey
	}
	if val > shortMax {
		flags |= longValue
	}
	if expiry || arena.IsRun(headSize(flags)+key+val) {
		flags |= hasExpiry
	}
	return flags, headSize(flags) + key + val
}

// write begins a record in b: everything but the bytes of key and value.
func (r Record) write(kind, flags byte, access uint32, key, val int, expiry int64) {
	b := r.b
	b[0], b[1] = kind, flags
	b[2], b[3], b[4] = byte(access), byte(access>>8), byte(access>>16)
	r.setLengths(flags, key, val)
	if flags&hasExpiry != 0 {
		r.putExpiry(expiry)
	}
}

func (r Record) setLengths(flags byte, key, val int) {
	b, p := r.b, fixedHead
	b[5], b[6] = byte(key), byte(val)
	if flags&longKey != 0 {
		b[5] = 0
		binary.LittleEndian.PutUint32(b[p:], uint32(key))
		p += lengthSize
	}
	if flags&longValue != 0 {
		b[6] = 0
		binary.LittleEndian.PutUint32(b[p:], uint32(val))
	}
}

func (r Record) putExpiry(at int64) {
	binary.LittleEndian.PutUint64(r.b[headSize(r.b[1])-expirySize:], uint64(at))
}

func (r Record) keyAt() (from, to int) {
	from = headSize(r.b[1])
	to = from + int(r.b[5])
	if r.b[1]&longKey != 0 {
		to = from + int(binary.LittleEndian.Uint32(r.b[fixedHead:]))
	}
	return from, to
}

// Key is the record's key.
func (r Record) Key() []byte {
	from, to := r.keyAt()
	return r.b[from:to:to]
}

// Value is the record's value. It may be written to right after the record has
// been inserted or resized.
func (r Record) Value() []byte {
	_, to := r.keyAt()
	return r.b[to:]
}

// Kind is the byte that says what the value is.
func (r Record) Kind() byte { return r.b[0] }

// Expiry is the time at which the record expires; 0 = never.
func (r Record) Expiry() int64 {
	if r.b[1]&hasExpiry == 0 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(r.b[headSize(r.b[1])-expirySize:]))
}

// Access are 24 bits about accesses, the caller's to interpret. They are not
// part of what a capture preserves.
func (r Record) Access() uint32 {
	return uint32(r.b[2]) | uint32(r.b[3])<<8 | uint32(r.b[4])<<16
}

// SetAccess replaces the access bits.
func (r Record) SetAccess(a uint32) {
	r.b[2], r.b[3], r.b[4] = byte(a), byte(a>>8), byte(a>>16)
}

// Size is the memory that the record takes.
func (r Record) Size() int { return arena.CellSize(len(r.b)) }
