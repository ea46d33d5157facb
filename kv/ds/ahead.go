package ds

import (
	"encoding/binary"
	"unsafe"

	"conclave/kv/ds/arena"
)

// Ahead is a key that is going to be looked up.
type Ahead struct {
	Table *Table // nil: nothing to look at
	Shard *Shard
	Hash  uint64

	ref arena.Ref // of its bucket
}

// LookAhead asks for the cache lines that finding the keys will need. No lock is
// needed: whatever else is going on, it only reads memory, and draws no
// conclusions.
//
// It goes over the keys once for each line on the way to a record. Each pass is
// so short that the processor has the misses of many keys under way at once,
// which is the whole point.
func LookAhead(keys []Ahead) {
	for i := range keys {
		if t := keys[i].Table; t != nil {
			arena.Prefetch(unsafe.Pointer(&t.n))
		}
	}
	for i := range keys {
		k := &keys[i]
		if k.Table == nil {
			continue
		}
		n := k.Table.buckets.Load()
		if n == 0 {
			k.Table = nil
			continue
		}
		k.ref = k.Table.glance(k.Shard, bucketOf(k.Hash, n))
		k.Shard.lines.Arena().Prefetch(k.ref)
	}
	for i := range keys {
		k := &keys[i]
		if k.Table == nil {
			continue
		}
		line := (*bucket)(k.Shard.lines.Arena().PeekLine(k.ref))
		if line == nil {
			continue
		}
		e := perLine - 2
		if m := line.match(tagOf(k.Hash)); m != 0 {
			e = firstMatch(m)
		}
		k.Shard.cells.Arena().Prefetch(line.ref(e))
	}
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
