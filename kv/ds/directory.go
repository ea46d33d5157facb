package ds

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"conclave/kv/ds/arena"
)

// Lines of a table's buckets lie in segments, that grow with the table so that
// the directory stays short: one, one and two lines, then four each for the
// first 64 buckets, eight up to 4096, then sixteen segments for each doubling.
// Large segments are runs, of which only the pages in use are resident.
const (
	tinyEnd            = 4
	smallSeg, smallEnd = 4, 64
	midSeg, midEnd     = 8, 4096
	smallSegs          = smallEnd/smallSeg + 2
	midSegs            = (midEnd - smallEnd) / midSeg
	midBits            = 12 // of midEnd
)

// directory says where a table's segments are: the first ones here, the others
// in a cell. Places are in units of lines. It is read without the lock by
// looking ahead.
type directory struct {
	first [smallSegs]atomic.Uint32
	more  atomic.Uint64 // Ref of the cell
	room  uint32        // entries that fit into it
}

// segment tells the segment of a bucket, and where in it the bucket is.
func segment(b uint32) (seg int, off uint32) {
	switch {
	case b < tinyEnd:
		k := bits.Len32(b)
		return k, b &^ (1 << k >> 1)
	case b < smallEnd:
		return int(b/smallSeg) + 2, b % smallSeg
	case b < midEnd:
		return smallSegs + int(b-smallEnd)/midSeg, b % midSeg
	}
	k := bits.Len32(b) - 1
	shift := k - 4
	return smallSegs + midSegs + (k-midBits)*16 + int(b>>shift)&15, b & (1<<shift - 1)
}

// segmentLines is the number of lines in the segment of bucket b.
func segmentLines(b uint32) int {
	switch {
	case b < tinyEnd:
		return max(1, int(b)&^1)
	case b < smallEnd:
		return smallSeg
	case b < midEnd:
		return midSeg
	}
	return 1 << (bits.Len32(b) - 1 - 4)
}

// line is the first line of bucket b.
func (d *directory) line(s *Shard, b uint32) *bucket {
	if b-tinyEnd < smallEnd-tinyEnd {
		u := d.first[b/smallSeg+2].Load() + b%smallSeg
		return s.line(arena.Ref(u) << lineShift)
	}
	seg, off := segment(b)
	return s.line(arena.Ref(d.entry(s, seg)+off) << lineShift)
}

// at is the place of line.
func (d *directory) at(s *Shard, b uint32) arena.Ref {
	seg, off := segment(b)
	return arena.Ref(d.entry(s, seg)+off) << lineShift
}

func (d *directory) entry(s *Shard, seg int) uint32 {
	if seg < smallSegs {
		return d.first[seg].Load()
	}
	e := s.lines.Arena().Bytes(arena.Ref(d.more.Load())+arena.Ref(seg-smallSegs)*4, 4)
	return binary.LittleEndian.Uint32(e)
}

func (d *directory) setEntry(s *Shard, seg int, u uint32) {
	if seg < smallSegs {
		d.first[seg].Store(u)
		return
	}
	e := s.lines.Arena().Bytes(arena.Ref(d.more.Load())+arena.Ref(seg-smallSegs)*4, 4)
	binary.LittleEndian.PutUint32(e, u)
}

// extend makes room for the segment that bucket b begins.
func (d *directory) extend(s *Shard, t *Table, b uint32) {
	seg, _ := segment(b)
	if i := uint32(seg - smallSegs); seg >= smallSegs && i >= d.room {
		room := uint32(arena.CellSize(int(i+i/4+4)*4) / 4)
		ref := s.lines.Alloc(int(room) * 4)
		s.charge(t, int(room)*4)
		to := s.lines.Arena().Bytes(ref, int(room)*4)
		clear(to)
		if d.room > 0 {
			copy(to, s.lines.Arena().Bytes(arena.Ref(d.more.Load()), int(d.room)*4))
			d.drop(s, t)
		}
		d.room = room
		d.more.Store(uint64(ref))
	}
	d.setEntry(s, seg, uint32(s.allocLines(t, segmentLines(b))>>lineShift))
}

// retract frees the segment that bucket b begins, with the cell for places if
// it isn't needed any more.
func (d *directory) retract(s *Shard, t *Table, b uint32) {
	seg, _ := segment(b)
	s.freeLines(t, arena.Ref(d.entry(s, seg))<<lineShift, segmentLines(b))
	d.setEntry(s, seg, 0)
	if seg == smallSegs {
		d.drop(s, t)
	}
}

func (d *directory) drop(s *Shard, t *Table) {
	s.charge(t, -int(d.room)*4)
	s.lines.Free(arena.Ref(d.more.Load()), int(d.room)*4)
	d.more.Store(0)
	d.room = 0
}
