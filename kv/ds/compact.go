package ds

import "conclave/kv/ds/arena"

// BeginCompaction picks the chunks that are to be emptied, those of which less
// than a share is in use, and reports whether there are any.
func (s *Shard) BeginCompaction(share float64) bool {
	return s.cells.Evacuate(share)+s.lines.Evacuate(share) > 0
}

// EndCompaction puts chunks that could not be emptied back into use.
func (s *Shard) EndCompaction() {
	s.cells.Settle()
	s.lines.Settle()
}

// Compact moves what lies in chunks that are to be emptied, from bucket b on
// until the budget, of lines looked at and records moved, is used up. It returns
// where to go on; 0 after the last bucket. What the table holds doesn't change,
// so that a capture has nothing to preserve.
func (t *Table) Compact(s *Shard, b uint32, budget *int) (next uint32) {
	if b == 0 && t.dir.room > 0 {
		size := int(t.dir.room) * 4
		t.dir.more.Store(uint64(move(s.lines, arena.Ref(t.dir.more.Load()), size)))
	}
	buckets := t.buckets.Load()
	for ; b < buckets && *budget > 0; b++ {
		if seg, off := segment(b); off == 0 {
			u := t.dir.entry(s, seg)
			ref := move(s.lines, arena.Ref(u)<<lineShift, segmentLines(b)*lineSize)
			t.dir.setEntry(s, seg, uint32(ref>>lineShift))
		}
		for line := t.dir.line(s, b); ; *budget-- {
			for i := range line.used() {
				if ref := line.ref(i); s.cells.Evacuating(ref) {
					line.setRef(i, move(s.cells, ref, len(s.record(ref).b)))
					*budget--
				}
			}
			next := line.next()
			if next == 0 {
				break
			}
			next = move(s.lines, next, lineSize)
			line.setNext(next)
			line = s.line(next)
		}
		*budget--
	}
	if b < buckets {
		return b
	}
	return 0
}

// move moves a cell out of a chunk that is to be emptied, and returns where it
// is now.
func move(h *arena.Heap, from arena.Ref, size int) arena.Ref {
	if !h.Evacuating(from) {
		return from
	}
	to := h.Alloc(size)
	copy(h.Arena().Bytes(to, size), h.Arena().Bytes(from, size))
	h.Free(from, size)
	return to
}
