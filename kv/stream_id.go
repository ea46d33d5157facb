package kv

import (
	"math"
	"strconv"

	"conclave/kv/ds/btree"
)

// StreamID names an entry of a stream: a time in milliseconds and a number within
// it.
type StreamID struct{ Ms, Seq uint64 }

// MaxStreamID is the greatest.
var MaxStreamID = StreamID{math.MaxUint64, math.MaxUint64}

func (id StreamID) key() btree.Key { return btree.Key{Hi: id.Ms, Lo: id.Seq} }

func idOf(k btree.Key) StreamID { return StreamID{k.Hi, k.Lo} }

// Compare orders IDs as the entries of a stream are.
func (id StreamID) Compare(o StreamID) int { return id.key().Compare(o.key()) }

// IsZero reports whether it is 0-0, which no entry has.
func (id StreamID) IsZero() bool { return id == StreamID{} }

// Next is the ID behind; ok is false behind the greatest.
func (id StreamID) Next() (next StreamID, ok bool) {
	switch {
	case id.Seq != math.MaxUint64:
		return StreamID{id.Ms, id.Seq + 1}, true
	case id.Ms != math.MaxUint64:
		return StreamID{id.Ms + 1, 0}, true
	}
	return StreamID{}, false
}

// Prev is the ID before; ok is false before 0-0.
func (id StreamID) Prev() (prev StreamID, ok bool) {
	switch {
	case id.Seq != 0:
		return StreamID{id.Ms, id.Seq - 1}, true
	case id.Ms != 0:
		return StreamID{id.Ms - 1, math.MaxUint64}, true
	}
	return StreamID{}, false
}

// Append appends the ID as clients see it.
func (id StreamID) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, id.Ms, 10)
	return strconv.AppendUint(append(dst, '-'), id.Seq, 10)
}
