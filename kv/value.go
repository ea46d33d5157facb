package kv

import (
	"encoding/binary"
	"math"
	"strconv"

	"conclave/kv/ds"
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

// The encodings whose value is the bytes of a record.
const (
	Raw Encoding = iota
	Int
	Embstr
	Listpack
	Intset
)

// The encodings of collections that are too large for that: their kind has the
// bit [ds.Owned].
const (
	Hashtable Encoding = ds.Owned>>4 + iota
	Skiplist
	Quicklist
	StreamNodes
	ListpackChain // what is one listpack in Redis
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
	case Listpack, ListpackChain:
		return "listpack"
	case Intset:
		return "intset"
	case Hashtable:
		return "hashtable"
	case Skiplist:
		return "skiplist"
	case Quicklist:
		return "quicklist"
	case StreamNodes:
		return "stream"
	}
	return "unknown"
}

// embstrLimit is the longest string that Redis stores beside its header.
const embstrLimit = 44

// kind is a type and an encoding as a record carries them.
func kind(t Type, e Encoding) byte { return byte(t) | byte(e)<<4 }

func typeOf(kind byte) Type         { return Type(kind & 15) }
func encodingOf(kind byte) Encoding { return Encoding(kind >> 4) }

// textKind is the kind of a string that isn't encoded as an integer.
func textKind(size int) byte {
	if size <= embstrLimit {
		return kind(String, Embstr)
	}
	return kind(String, Raw)
}

// intSize is the size of an integer's value.
const intSize = 8

func intOf(val []byte) int64 { return int64(binary.LittleEndian.Uint64(val)) }

func putInt(val []byte, n int64) { binary.LittleEndian.PutUint64(val, uint64(n)) }

func expired(expiry, nowMs int64) bool { return expiry != NoExpiry && expiry <= nowMs }

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
	r    ds.Record
	part *partition
	now  int64
	lfu  bool
}

// Key is the key's name, in the store's memory.
func (e Entry) Key() []byte { return e.r.Key() }

// Type is the kind of value.
func (e Entry) Type() Type { return typeOf(e.r.Kind()) }

// Encoding is how the value is represented.
func (e Entry) Encoding() Encoding { return encodingOf(e.r.Kind()) }

// Expiry is when the key expires, in Unix milliseconds; 0 = never.
func (e Entry) Expiry() int64 { return e.r.Expiry() }

// Expired reports whether the key's time has passed: iterations show such keys
// too.
func (e Entry) Expired() bool { return expired(e.r.Expiry(), e.now) }

// Bytes is a string's value. Integers are printed into scratch, which 20 bytes
// suffice for; everything else is the store's own memory.
func (e Entry) Bytes(scratch []byte) []byte {
	if e.Encoding() == Int {
		return strconv.AppendInt(scratch[:0], intOf(e.r.Value()), 10)
	}
	return e.r.Value()
}

// AppendBytes appends a string's value to dst.
func (e Entry) AppendBytes(dst []byte) []byte {
	if e.Encoding() == Int {
		return strconv.AppendInt(dst, intOf(e.r.Value()), 10)
	}
	return append(dst, e.r.Value()...)
}

// Int is a string's value as an integer, if it is written as one.
func (e Entry) Int() (int64, bool) {
	if e.Encoding() == Int {
		return intOf(e.r.Value()), true
	}
	return ParseInt(e.r.Value())
}

// Len is the length of a string's value in bytes.
func (e Entry) Len() int {
	if e.Encoding() != Int {
		return len(e.r.Value())
	}
	var scratch [20]byte
	return len(strconv.AppendInt(scratch[:0], intOf(e.r.Value()), 10))
}

// tableShare is about what a key's entry in a table takes.
const tableShare = 10

// Size is the memory that key and value take, in bytes, with their share of the
// table.
func (e Entry) Size() int64 {
	n := int64(e.r.Size()) + tableShare
	if isOwned(e.r.Kind()) {
		n += e.part.object(e.r).bytes()
	}
	return n
}

// Shared reports whether Redis would share the value between keys: a small
// integer, whose reference count it reports as 2147483647.
func (e Entry) Shared() bool {
	if e.Encoding() != Int {
		return false
	}
	n := intOf(e.r.Value())
	return n >= 0 && n < 10000
}
