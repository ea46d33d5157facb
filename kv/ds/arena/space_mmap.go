//go:build linux && !invariants

package arena

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

// Checked says that this is the build in which misuse is detected.
const Checked = false

const minReserve = 64 << 20

// space is one private mapping, not backed by memory until it is touched.
type space struct {
	mem []byte
}

func (a *Arena) reserve(o Options) {
	n := o.Reserve
	if n == 0 {
		var si syscall.Sysinfo_t
		if err := syscall.Sysinfo(&si); err == nil {
			n = 4 * si.Totalram * uint64(si.Unit)
		}
	}
	// References of the keyspace have 43 bits.
	n = min(max(n, minReserve), 1<<43) &^ (1<<21 - 1)
	for {
		mem, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
		if err == nil {
			a.mem = mem
			break
		}
		if n = n / 2 &^ (1<<21 - 1); n < minReserve {
			panic(fmt.Sprintf("arena: reserve addresses: %v", err))
		}
		runtime.GC() // an arena nobody uses any more may be in the way
	}
	// It is advice: without it everything works, just slower or faster.
	if o.HugePages {
		_ = syscall.Madvise(a.mem, syscall.MADV_HUGEPAGE)
	} else {
		_ = syscall.Madvise(a.mem, syscall.MADV_NOHUGEPAGE)
	}
	runtime.AddCleanup(a, func(mem []byte) { _ = syscall.Munmap(mem) }, a.mem)
}

func (s *space) size() uint64 { return uint64(len(s.mem)) }

func (s *space) open(r Ref, _ uint64) Ref { return r }

func (s *space) close(Ref, uint64) {}

func (s *space) discard(r Ref, size uint64) {
	_ = syscall.Madvise(s.mem[r:uint64(r)+size], syscall.MADV_DONTNEED)
}

// Bytes are the n bytes at r.
func (s *space) Bytes(r Ref, n int) []byte { return s.mem[r : r+Ref(n) : r+Ref(n)] }

// Head is the first 16 bytes of a cell: no cell is smaller.
func (s *space) Head(r Ref) *[16]byte { return (*[16]byte)(s.mem[r : r+16]) }

// Line is the 64 bytes at r.
func (s *space) Line(r Ref) *[64]byte { return (*[64]byte)(s.mem[r : r+64]) }

// Prefetch asks for the cache line at r, as Peek would read it.
func (s *space) Prefetch(r Ref) {
	if r < Ref(len(s.mem)) {
		Prefetch(unsafe.Pointer(&s.mem[r]))
	}
}

// Peek reads the byte at r, wherever that is: the caller may hold no lock and r
// may be out of date, or out of range. The value means nothing; its cache line
// is what the caller is after.
func (s *space) Peek(r Ref) byte {
	if r < Ref(len(s.mem)) {
		return s.mem[r]
	}
	return 0
}

// PeekLine is Line for a caller who holds no lock: nil if r is out of range.
func (s *space) PeekLine(r Ref) *[64]byte {
	if r <= Ref(len(s.mem))-64 {
		return (*[64]byte)(s.mem[r : r+64])
	}
	return nil
}
