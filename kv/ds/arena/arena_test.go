package arena_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"conclave/kv/ds/arena"
)

// Cells of random sizes come and go; none may overlap another, and all memory
// comes back in the end.
func TestCellsKeepWhatIsWrittenToThem(t *testing.T) {
	type cell struct {
		ref  arena.Ref
		size int
		fill byte
	}
	rng := rand.New(rand.NewPCG(1, 1))
	a := arena.New(arena.Options{})
	heaps := []*arena.Heap{a.NewHeap(), a.NewHeap()}
	cells := make([][]cell, len(heaps))
	size := func() int {
		switch rng.IntN(20) {
		case 0:
			return 8000 + rng.IntN(100_000)
		case 1, 2, 3:
			return 1 + rng.IntN(8200)
		}
		return 1 + rng.IntN(300)
	}
	for i := range 60_000 {
		n := rng.IntN(len(heaps))
		h, cs := heaps[n], cells[n]
		if len(cs) > 0 && (rng.IntN(2) == 0 || i > 50_000) {
			j := rng.IntN(len(cs))
			c := cs[j]
			if b := h.Arena().Bytes(c.ref, c.size); len(bytes.Trim(b, string([]byte{c.fill}))) != 0 && c.fill < 128 {
				t.Fatalf("cell %#x of %d bytes has been written to", c.ref, c.size)
			}
			h.Free(c.ref, c.size)
			cs[j] = cs[len(cs)-1]
			cells[n] = cs[:len(cs)-1]
			continue
		}
		c := cell{size: size(), fill: byte(rng.IntN(128))}
		c.ref = h.Alloc(c.size)
		if c.ref == 0 || c.ref%8 != 0 {
			t.Fatalf("a cell at %#x", c.ref)
		}
		b := h.Arena().Bytes(c.ref, c.size)
		for k := range b {
			b[k] = c.fill
		}
		cells[n] = append(cs, c)
		if i%1000 == 0 {
			a.Trim(1 << 20)
		}
	}
	for n, h := range heaps {
		for _, c := range cells[n] {
			h.Free(c.ref, c.size)
		}
		if h.Live() != 0 {
			t.Errorf("%d bytes live after all has been freed", h.Live())
		}
		// A current chunk per size of cells may stay.
		if h.Mapped() > 60*arena.ChunkSize {
			t.Errorf("%d bytes mapped after all has been freed", h.Mapped())
		}
	}
	for a.Stats().Dirty > 0 {
		a.Trim(1 << 40)
	}
	if inUse := a.Stats().InUse; inUse > 120*arena.ChunkSize {
		t.Errorf("%d bytes in use after all has been freed", inUse)
	}
}

func TestCellSizes(t *testing.T) {
	for n := 1; n < 200_000; n++ {
		size := arena.CellSize(n)
		if size < n || n > 128 && n < 2040 && size > n+n/8+8 || n < 16000 && size > n+n/2+16 {
			t.Fatalf("%d bytes take %d", n, size)
		}
		if !arena.SameCell(n, size) && !arena.IsRun(n) {
			t.Fatalf("%d and %d bytes take different cells", n, size)
		}
	}
}

func TestEvacuationEmptiesChunks(t *testing.T) {
	a := arena.New(arena.Options{})
	h := a.NewHeap()
	const size = 48
	var refs []arena.Ref
	for range 10_000 {
		refs = append(refs, h.Alloc(size))
	}
	full := h.Mapped()
	var left []arena.Ref
	for i, r := range refs {
		if i%10 == 0 {
			copy(a.Bytes(r, size), "kept")
			left = append(left, r)
		} else {
			h.Free(r, size)
		}
	}
	if h.Evacuate(0.8) == 0 {
		t.Fatal("nothing to evacuate")
	}
	for i, r := range left {
		if h.Evacuating(r) {
			to := h.Alloc(size)
			copy(a.Bytes(to, size), a.Bytes(r, size))
			h.Free(r, size)
			left[i] = to
		}
	}
	h.Settle()
	if h.Mapped() > full/7 {
		t.Errorf("%d of %d bytes mapped with a tenth of the cells", h.Mapped(), full)
	}
	for _, r := range left {
		if string(a.Bytes(r, 4)) != "kept" {
			t.Fatalf("cell %#x was lost", r)
		}
		h.Free(r, size)
	}
}
