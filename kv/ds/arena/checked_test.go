//go:build invariants

package arena_test

import (
	"testing"

	"conclave/kv/ds/arena"
)

func TestMisusePanics(t *testing.T) {
	for name, misuse := range map[string]func(*arena.Heap){
		"double free": func(h *arena.Heap) {
			r := h.Alloc(40)
			h.Free(r, 40)
			h.Free(r, 40)
		},
		"wrong size": func(h *arena.Heap) { h.Free(h.Alloc(40), 400) },
		"wild free":  func(h *arena.Heap) { h.Free(h.Alloc(40)+8, 40) },
		"use of a freed run": func(h *arena.Heap) {
			r := h.Alloc(100_000)
			h.Free(r, 100_000)
			h.Arena().Bytes(r, 1)[0] = 1
		},
		"beyond a run": func(h *arena.Heap) { h.Arena().Bytes(h.Alloc(100_000), 1_000_000) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("went unnoticed")
				}
			}()
			misuse(arena.New(arena.Options{}).NewHeap())
		})
	}
}

func TestFreedCellsArePoisoned(t *testing.T) {
	h := arena.New(arena.Options{}).NewHeap()
	r := h.Alloc(40)
	b := h.Arena().Bytes(r, 40)
	copy(b, "secret")
	h.Free(r, 40)
	if b[5] != arena.Poison || b[39] != arena.Poison {
		t.Errorf("%q after it was freed", b)
	}
}
