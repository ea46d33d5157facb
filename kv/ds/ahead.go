package ds

import (
	"encoding/binary"

	"conclave/kv/ds/arena"
)

// Ahead is a key that is going to be looked up.
type Ahead struct {
	Table *Table // nil: nothing to look at
	Shard *Shard
	Hash  uint64

	bucket uint32
	ref    arena.Ref
}

// LookAhead loads the cache lines that finding the keys will need. No lock is
// needed: whatever else is going on, it only reads memory, and draws no
// conclusions. What it returns means nothing.
//
// It goes over the keys once for each line on the way to a record. Each pass is
// so short that the processor has the misses of many keys under way at once,
// which is the whole point.
func LookAhead(keys []Ahead) (sum byte) {
	for i := range keys {
		k := &keys[i]
		if k.Table == nil {
			continue
		}
		if n := k.Table.buckets.Load(); n > 0 {
			k.bucket = bucketOf(k.Hash, n)
		} else {
			k.Table = nil
		}
	}
	for i := range keys {
		if k := &keys[i]; k.Table != nil {
			k.ref = k.Table.glance(k.Shard, k.bucket)
		}
	}
	for i := range keys {
		if k := &keys[i]; k.Table != nil {
			sum += k.Shard.lines.Arena().Peek(k.ref)
		}
	}
	for i := range keys {
		k := &keys[i]
		if k.Table == nil {
			continue
		}
		line := (*bucket)(k.Shard.lines.Arena().PeekLine(k.ref))
		if line == nil {
			k.Table = nil
			continue
		}
		e := perLine - 2
		if m := line.match(tagOf(k.Hash)); m != 0 {
			e = firstMatch(m)
		}
		k.ref = line.ref(e)
	}
	for i := range keys {
		if k := &keys[i]; k.Table != nil {
			sum += k.Shard.cells.Arena().Peek(k.ref)
		}
	}
	return sum
}

// glance is where a bucket's first line may have been a moment ago.
func (t *Table) glance(s *Shard, b uint32) arena.Ref {
	seg, off := segment(b)
	if seg < smallSegs {
		return arena.Ref(t.dir.first[seg].Load()+off) << lineShift
	}
	e := arena.Ref(t.dir.more.Load()) + arena.Ref(seg-smallSegs)*4
	l := s.lines.Arena().PeekLine(e &^ (lineSize - 1))
	if l == nil {
		return 0
	}
	return arena.Ref(binary.LittleEndian.Uint32(l[e%lineSize:])+off) << lineShift
}
