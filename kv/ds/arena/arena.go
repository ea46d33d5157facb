package arena

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Ref is the place of a cell or a run: a number of bytes from the arena's
// beginning, a multiple of eight. No cell has Ref 0.
type Ref uint64

const (
	// ChunkSize is the unit in which address space is handed out.
	ChunkSize = 16 << 10
	pageSize  = 4 << 10
)

// Options of an arena.
type Options struct {
	// Reserve is the size of the address range; 0 means four times the
	// machine's memory. Less is taken if the system grants less.
	Reserve uint64
	// HugePages asks for transparent huge pages: fewer misses in the
	// translation cache with millions of keys, but page faults a hundred times
	// as long.
	HugePages bool
}

// Arena is one range of addresses. Its methods are safe for concurrent use; who
// may touch the bytes of a cell is its owner's business.
type Arena struct {
	space

	mu   sync.Mutex
	next uint64                // below it all has been handed out before
	free map[uint32]*freeLists // by length in chunks

	inUse, dirty atomic.Int64 // bytes
}

// freeLists hold runs of one length. Dirty ones may still have pages.
type freeLists struct{ dirty, clean []Ref }

// New reserves an arena. It panics if not even 64 MiB of addresses are to be
// had.
func New(o Options) *Arena {
	a := &Arena{next: ChunkSize, free: map[uint32]*freeLists{}}
	a.reserve(o)
	return a
}

// runChunks is the length in chunks of the run for n bytes: exact up to eight,
// then four lengths per power of two. The unused end costs addresses only, and
// lets a value grow in place.
func runChunks(n int) uint32 {
	c := uint32((uint64(n) + ChunkSize - 1) / ChunkSize)
	if k := bits.Len32(c-1) - 3; k > 0 {
		c = (c + 1<<k - 1) &^ (1<<k - 1)
	}
	return c
}

// take hands out a run.
func (a *Arena) take(chunks uint32) Ref {
	size := uint64(chunks) * ChunkSize
	a.inUse.Add(int64(size))
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.free[chunks]; f != nil {
		if n := len(f.dirty); n > 0 {
			r := f.dirty[n-1]
			f.dirty = f.dirty[:n-1]
			a.dirty.Add(-int64(size))
			return a.open(r, size)
		}
		if n := len(f.clean); n > 0 {
			r := f.clean[n-1]
			f.clean = f.clean[:n-1]
			return a.open(r, size)
		}
	}
	if a.next+size > a.size() {
		panic("arena: out of address space")
	}
	r := Ref(a.next)
	a.next += size
	return a.open(r, size)
}

// give takes a run back.
func (a *Arena) give(r Ref, chunks uint32) {
	size := int64(chunks) * ChunkSize
	a.inUse.Add(-size)
	a.dirty.Add(size)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.close(r, uint64(size))
	f := a.free[chunks]
	if f == nil {
		f = &freeLists{}
		a.free[chunks] = f
	}
	f.dirty = append(f.dirty, r)
}

// Trim gives pages of unused runs back to the operating system, up to about max
// bytes, and returns how many bytes of addresses that were. It takes no lock
// while the system works.
func (a *Arena) Trim(max int64) (trimmed int64) {
	for trimmed < max && a.dirty.Load() > 0 {
		r, chunks := a.takeDirty()
		if chunks == 0 {
			break
		}
		size := int64(chunks) * ChunkSize
		a.discard(r, uint64(size))
		a.dirty.Add(-size)
		trimmed += size
		a.mu.Lock()
		f := a.free[chunks]
		f.clean = append(f.clean, r)
		a.mu.Unlock()
	}
	return trimmed
}

func (a *Arena) takeDirty() (Ref, uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for chunks, f := range a.free {
		if n := len(f.dirty); n > 0 {
			r := f.dirty[n-1]
			f.dirty = f.dirty[:n-1]
			return r, chunks
		}
	}
	return 0, 0
}

// Stats of an arena, in bytes of addresses.
type Stats struct {
	InUse int64 // chunks and runs with live cells
	Dirty int64 // unused, not yet given back
}

// Stats may be called at any time.
func (a *Arena) Stats() Stats {
	return Stats{InUse: a.inUse.Load(), Dirty: a.dirty.Load()}
}

// Reserved is the size of the address range.
func (a *Arena) Reserved() uint64 { return a.size() }
