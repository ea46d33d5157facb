//go:build !linux || invariants

package arena

import "sync/atomic"

const (
	pageRuns  = 1024
	spaceSize = 128 << 30
)

// space is a table of chunks, each a part of an ordinary slice. Freeing a run
// drops its slice: what still uses it panics.
type space struct {
	pages [spaceSize / ChunkSize / pageRuns]atomic.Pointer[page]
}

// page holds, for every chunk, its run from there on.
type page [pageRuns][]byte

func (a *Arena) reserve(Options) {}

func (s *space) size() uint64 { return spaceSize }

// at is the table's entry for a chunk that has been handed out.
func (s *space) at(chunk uint64) *[]byte {
	return &s.pages[chunk/pageRuns].Load()[chunk%pageRuns]
}

// open is called with the arena locked.
func (s *space) open(r Ref, size uint64) Ref {
	mem := make([]byte, size)
	for off := uint64(0); off < size; off += ChunkSize {
		chunk := (uint64(r) + off) / ChunkSize
		if p := &s.pages[chunk/pageRuns]; p.Load() == nil {
			p.Store(new(page))
		}
		*s.at(chunk) = mem[off:]
	}
	return r
}

// close is called with the arena locked.
func (s *space) close(r Ref, size uint64) {
	for off := uint64(0); off < size; off += ChunkSize {
		*s.at((uint64(r) + off) / ChunkSize) = nil
	}
}

func (s *space) discard(Ref, uint64) {}

// Bytes are the n bytes at r.
func (s *space) Bytes(r Ref, n int) []byte {
	off := r % ChunkSize
	return (*s.at(uint64(r / ChunkSize)))[off : off+Ref(n) : off+Ref(n)]
}

// Head is the first 16 bytes of a cell: no cell is smaller.
func (s *space) Head(r Ref) *[16]byte { return (*[16]byte)(s.Bytes(r, 16)) }

// Line is the 64 bytes at r.
func (s *space) Line(r Ref) *[64]byte { return (*[64]byte)(s.Bytes(r, 64)) }

// Peek does nothing in this build: without a lock there is nothing to be read.
func (s *space) Peek(Ref) byte { return 0 }

// Prefetch does nothing in this build.
func (s *space) Prefetch(Ref) {}

// PeekLine does nothing in this build.
func (s *space) PeekLine(Ref) *[64]byte { return nil }
