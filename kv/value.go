package kv

import (
	"bytes"
	"math"
	"strconv"
)

// Type is what kind of value a key holds.
type Type uint8

// The numbers are Redis's object types: DEBUG DIGEST hashes them.
const (
	String Type = iota
	List
	Set
	ZSet
	Hash
	Module
	Stream
)

// String is the name that TYPE replies.
func (t Type) String() string {
	switch t {
	case String:
		return "string"
	case List:
		return "list"
	case Set:
		return "set"
	case ZSet:
		return "zset"
	case Hash:
		return "hash"
	case Stream:
		return "stream"
	}
	return "unknown"
}

// Encoding is how a value is represented, in the terms of OBJECT ENCODING.
type Encoding uint8

// The encodings of strings; those of other types follow with them.
const (
	Raw Encoding = iota
	Int
	Embstr
)

// String is the name that OBJECT ENCODING replies.
func (e Encoding) String() string {
	switch e {
	case Raw:
		return "raw"
	case Int:
		return "int"
	case Embstr:
		return "embstr"
	}
	return "unknown"
}

// embstrLimit is the longest string that Redis stores beside its header.
const embstrLimit = 44

// record is one key and its value. It belongs to the table of the key's slot.
type record struct {
	next   *record
	hash   uint64
	key    []byte
	val    []byte // unused if enc is Int
	num    int64  // the value if enc is Int
	expire int64  // Unix ms; 0 = never
	access uint32 // 24 bits, see access.go
	typ    Type
	enc    Encoding
}

// recordOverhead estimates what a record costs beside its key and value: the
// struct, its share of the bucket array and the allocator's rounding.
const recordOverhead = 112

func (r *record) size() int64 {
	return recordOverhead + int64(cap(r.key)) + int64(cap(r.val))
}

func (r *record) expired(nowMs int64) bool { return r.expire != 0 && r.expire <= nowMs }

// setText makes the value a string that is not an integer, in the record's
// own memory where that fits without holding on to much more than it needs.
func (r *record) setText(v []byte) {
	r.typ, r.num = String, 0
	if cap(r.val) < len(v) || cap(r.val) > 2*len(v)+64 {
		r.val = make([]byte, len(v))
	}
	r.val = r.val[:len(v)]
	copy(r.val, v)
	r.enc = Raw
	if len(v) <= embstrLimit {
		r.enc = Embstr
	}
}

func (r *record) setInt(n int64) {
	r.typ, r.enc, r.num, r.val = String, Int, n, nil
}

// setValue makes the value a string as SET does: an integer if it is written
// the way integers are printed.
func (r *record) setValue(v []byte) {
	if n, ok := ParseInt(v); ok {
		r.setInt(n)
		return
	}
	r.setText(v)
}

// copyValue makes r's value a copy of src's, encoding included.
func (r *record) copyValue(src *record) {
	r.typ, r.enc, r.num, r.val = src.typ, src.enc, src.num, bytes.Clone(src.val)
}

// ParseInt reads an integer in the one form Redis takes for an integer: the
// form in which it would be printed. No sign but a minus, no leading zero, no
// space.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	neg := b[0] == '-'
	digits := b
	if neg {
		digits = b[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	if digits[0] == '0' {
		return 0, len(b) == 1
	}
	var u uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := uint64(c - '0')
		if u > (math.MaxUint64-d)/10 {
			return 0, false
		}
		u = u*10 + d
	}
	switch {
	case neg && u <= 1<<63:
		return int64(-u), true
	case !neg && u < 1<<63:
		return int64(u), true
	}
	return 0, false
}

// Entry is one key as found by a lookup. It is valid until the partition is
// unlocked or the key is changed through the store.
type Entry struct {
	r   *record
	now int64
	lfu bool
}

// Key is the key's name, in the store's memory.
func (e Entry) Key() []byte { return e.r.key }

// Type is the kind of value.
func (e Entry) Type() Type { return e.r.typ }

// Encoding is how the value is represented.
func (e Entry) Encoding() Encoding { return e.r.enc }

// Expiry is when the key expires, in Unix milliseconds; 0 = never.
func (e Entry) Expiry() int64 { return e.r.expire }

// Expired reports whether the key's time has passed: iterations show such keys
// too.
func (e Entry) Expired() bool { return e.r.expired(e.now) }

// Bytes is a string's value. Integers are printed into scratch, which 20 bytes
// suffice for; everything else is the store's own memory.
func (e Entry) Bytes(scratch []byte) []byte {
	if e.r.enc == Int {
		return strconv.AppendInt(scratch[:0], e.r.num, 10)
	}
	return e.r.val
}

// AppendBytes appends a string's value to dst.
func (e Entry) AppendBytes(dst []byte) []byte {
	if e.r.enc == Int {
		return strconv.AppendInt(dst, e.r.num, 10)
	}
	return append(dst, e.r.val...)
}

// Int is a string's value as an integer, if it is written as one.
func (e Entry) Int() (int64, bool) {
	if e.r.enc == Int {
		return e.r.num, true
	}
	return ParseInt(e.r.val)
}

// Len is the length of a string's value in bytes.
func (e Entry) Len() int {
	if e.r.enc != Int {
		return len(e.r.val)
	}
	var scratch [20]byte
	return len(strconv.AppendInt(scratch[:0], e.r.num, 10))
}

// Size estimates the memory that key and value take, in bytes.
func (e Entry) Size() int64 { return e.r.size() }

// Shared reports whether Redis would share the value between keys: a small
// integer, whose reference count it reports as 2147483647.
func (e Entry) Shared() bool {
	return e.r.enc == Int && e.r.num >= 0 && e.r.num < 10000
}
