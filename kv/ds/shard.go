package ds

import (
	"hash/maphash"
	"sync/atomic"

	"conclave/kv/ds/arena"
)

// Space is the memory that the tables of all shards take theirs from. It is
// safe for concurrent use.
type Space struct {
	cells, lines *arena.Arena
	seed         maphash.Seed
}

// Options of a space.
type Options struct {
	// HugePages: see [arena.Options].
	HugePages bool
}

// maxLines is as far as a bucket's 31 bits reach.
const maxLines = 1 << (31 + lineShift)

// NewSpace reserves address space.
func NewSpace(o Options) *Space {
	sp := &Space{
		cells: arena.New(arena.Options{HugePages: o.HugePages}),
		seed:  maphash.MakeSeed(),
	}
	sp.lines = arena.New(arena.Options{Reserve: min(maxLines, sp.cells.Reserved()), HugePages: o.HugePages})
	return sp
}

// Hash is the hash of a key in every table of the space.
func (sp *Space) Hash(key []byte) uint64 { return maphash.Bytes(sp.seed, key) }

// Trim gives unused memory back to the operating system, up to about max bytes,
// and returns how much it was.
func (sp *Space) Trim(max int64) int64 { return sp.cells.Trim(max) + sp.lines.Trim(max) }

// Mapped is the memory in use, rounded up to chunks, and what waits for Trim.
func (sp *Space) Mapped() (inUse, unused int64) {
	c, l := sp.cells.Stats(), sp.lines.Stats()
	return c.InUse + l.InUse, c.Dirty + l.Dirty
}

// Shard is what one lock guards. Its methods, and those of its tables, need that
// lock unless they say otherwise.
type Shard struct {
	sp           *Space
	cells, lines *arena.Heap
	live         atomic.Int64
	buried       atomic.Int64
	graves       []*Group
	capture      capture
	owner        Owner

	// nodes is for what is no record and in no table: it is not compacted.
	nodes    *arena.Heap
	nodeLive atomic.Int64
}

// NewShard makes a shard.
func (sp *Space) NewShard() *Shard {
	return &Shard{sp: sp, cells: sp.cells.NewHeap(), lines: sp.lines.NewHeap(), nodes: sp.cells.NewHeap()}
}

// Hash is the hash of a key in every table of the shard.
func (s *Shard) Hash(key []byte) uint64 { return s.sp.Hash(key) }

// Bytes is the memory that the shard's records, tables and nodes take. No lock is
// needed.
func (s *Shard) Bytes() int64 { return s.live.Load() + s.nodeLive.Load() }

// Nodes is where memory comes from that the shard's tables know nothing of. Who
// has used it calls CountNodes before the lock is given up.
func (s *Shard) Nodes() *arena.Heap { return s.nodes }

// CountNodes brings Bytes up to date with Nodes.
func (s *Shard) CountNodes() {
	if n := s.nodes.Live(); n != s.nodeLive.Load() {
		s.nodeLive.Store(n)
	}
}

// Buried is the memory in tables that have been given up but not freed yet. No
// lock is needed.
func (s *Shard) Buried() int64 { return s.buried.Load() }

// Slack is the memory that the shard has taken from the space beside what its
// records and tables take.
func (s *Shard) Slack() int64 {
	return s.cells.Mapped() + s.lines.Mapped() - s.cells.Live() - s.lines.Live()
}

func (s *Shard) charge(t *Table, n int) {
	if n == 0 {
		return
	}
	t.bytes += int64(n)
	if t.group.grave {
		s.buried.Add(int64(n))
	} else {
		s.live.Add(int64(n))
	}
}

// record is the record at r.
func (s *Shard) record(r arena.Ref) Record {
	head, key, val := lengths(s.cells.Arena().Head(r))
	return Record{s.cells.Arena().Bytes(r, head+key+val)}
}

func (s *Shard) line(r arena.Ref) *bucket { return (*bucket)(s.lines.Arena().Line(r)) }

// hashOf is the hash of the record at r.
func (s *Shard) hashOf(r arena.Ref) uint64 {
	head, key, _ := lengths(s.cells.Arena().Head(r))
	return s.sp.Hash(s.cells.Arena().Bytes(r, head+key)[head:])
}

func (s *Shard) allocRecord(t *Table, size int) (arena.Ref, Record) {
	r := s.cells.Alloc(size)
	s.charge(t, arena.CellSize(size))
	return r, Record{s.cells.Arena().Bytes(r, size)}
}

// freeRecord frees a record that is in no bucket any more.
func (s *Shard) freeRecord(t *Table, r arena.Ref, size int, flags byte) {
	s.charge(t, -arena.CellSize(size))
	if flags&pinned != 0 && s.capture.orphan(r, size) {
		return
	}
	s.cells.Free(r, size)
}

func (s *Shard) allocLines(t *Table, n int) arena.Ref {
	s.charge(t, arena.CellSize(n*lineSize))
	return s.lines.Alloc(n * lineSize)
}

func (s *Shard) freeLines(t *Table, r arena.Ref, n int) {
	s.charge(t, -arena.CellSize(n*lineSize))
	s.lines.Free(r, n*lineSize)
}
