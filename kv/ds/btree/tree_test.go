package btree_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/btree"
)

type model struct {
	*testing.T
	h    *arena.Heap
	f    btree.Forest
	val  int
	t    btree.Tree
	keys []btree.Key
	vals map[btree.Key]uint64
}

func newModel(t *testing.T, h *arena.Heap, val int) *model {
	return &model{T: t, h: h, f: btree.On(h, val), val: val, vals: map[btree.Key]uint64{}}
}

func (m *model) insert(k btree.Key, v uint64) {
	m.Helper()
	i, there := slices.BinarySearchFunc(m.keys, k, btree.Key.Compare)
	val, added := m.f.Insert(&m.t, k)
	if added == there || len(val) != m.val {
		m.Fatalf("insert %v: added %v, %d bytes", k, added, len(val))
	}
	if there && m.val > 0 && binary.LittleEndian.Uint64(val) != m.vals[k] {
		m.Fatalf("insert %v: value %x", k, val)
	}
	if m.val > 0 {
		binary.LittleEndian.PutUint64(val, v)
	}
	if !there {
		m.keys = slices.Insert(m.keys, i, k)
	}
	m.vals[k] = v
}

func (m *model) delete(k btree.Key) {
	m.Helper()
	i, there := slices.BinarySearchFunc(m.keys, k, btree.Key.Compare)
	if m.f.Delete(&m.t, k) != there {
		m.Fatalf("delete %v: not %v", k, there)
	}
	if there {
		m.keys = slices.Delete(m.keys, i, i+1)
		delete(m.vals, k)
	}
}

func (m *model) sees(k btree.Key, val []byte) {
	m.Helper()
	if want, there := m.vals[k]; !there || m.val > 0 && binary.LittleEndian.Uint64(val) != want {
		m.Fatalf("%v has %x, want %x", k, val, want)
	}
}

// check looks at everything, from k.
func (m *model) check(k btree.Key) {
	m.Helper()
	if m.t.Len() != len(m.keys) || m.t.Bytes() != m.h.Live() {
		m.Fatalf("%d keys, want %d; %d bytes, want %d", m.t.Len(), len(m.keys), m.t.Bytes(), m.h.Live())
	}
	i, there := slices.BinarySearchFunc(m.keys, k, btree.Key.Compare)
	if v, ok := m.f.Find(&m.t, k); ok != there {
		m.Fatalf("find %v: %v", k, ok)
	} else if ok {
		m.sees(k, v)
	}
	up := i
	m.f.Up(&m.t, k, func(k btree.Key, v []byte) bool {
		if up == len(m.keys) || m.keys[up] != k {
			m.Fatalf("up: %v at %d", k, up)
		}
		m.sees(k, v)
		up++
		return true
	})
	down := i - 1
	if there {
		down++
	}
	if c, _, ok := m.f.Ceiling(&m.t, k); ok != (i < len(m.keys)) || ok && c != m.keys[i] {
		m.Fatalf("ceiling of %v: %v, %v", k, c, ok)
	}
	if c, _, ok := m.f.Floor(&m.t, k); ok != (down >= 0) || ok && c != m.keys[down] {
		m.Fatalf("floor of %v: %v, %v", k, c, ok)
	}
	m.f.Down(&m.t, k, func(k btree.Key, v []byte) bool {
		if down < 0 || m.keys[down] != k {
			m.Fatalf("down: %v at %d", k, down)
		}
		m.sees(k, v)
		down--
		return true
	})
	if up != len(m.keys) || down != -1 {
		m.Fatalf("up ends at %d of %d, down at %d", up, len(m.keys), down)
	}
}

// A tree against a sorted slice, while it grows, shrinks and is used as a queue.
func TestTreeAgreesWithASlice(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			m := newModel(t, arena.New(arena.Options{Reserve: 64 << 20}).NewHeap(), []int{0, 8, 24}[seed%3])
			random := func() btree.Key { return btree.Key{Hi: rng.Uint64N(40), Lo: rng.Uint64N(200)} }
			next := uint64(0)
			for range 15_000 {
				switch phase := next / 2500 % 6; {
				case phase == 0, phase == 3 && rng.IntN(3) > 0:
					m.insert(random(), rng.Uint64())
				case phase == 2:
					m.insert(btree.Key{Hi: 1000, Lo: next}, next)
				case phase == 4 && len(m.keys) > 0:
					m.delete(m.keys[0])
				case phase == 5 && len(m.keys) > 0:
					m.delete(m.keys[rng.IntN(len(m.keys))])
				default:
					m.delete(random())
				}
				if next++; next%500 == 0 {
					m.check(random())
				}
			}
			if seed%2 == 0 {
				m.f.Free(&m.t)
			}
			for m.f.FreePart(&m.t, 3) == 0 {
				if m.t.Bytes() != m.h.Live() {
					t.Fatalf("%d bytes, want %d", m.t.Bytes(), m.h.Live())
				}
			}
			if n := m.h.Live(); n != 0 || m.t.Len() != 0 {
				t.Errorf("%d bytes are left", n)
			}
		})
	}
}

// Ascending keys leave full nodes behind.
func TestAscendingKeysAreDense(t *testing.T) {
	m := newModel(t, arena.New(arena.Options{Reserve: 64 << 20}).NewHeap(), 24)
	const n = 20_000
	for i := range uint64(n) {
		m.insert(btree.Key{Hi: i / 7, Lo: i % 7}, i)
	}
	m.check(btree.Key{})
	if per := float64(m.t.Bytes()) / n; per > 44 {
		t.Errorf("%.1f bytes per key of 40", per)
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte("a1b2c3d4e5"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newModel(t, arena.New(arena.Options{Reserve: 64 << 20}).NewHeap(), 24)
		for ; len(in) >= 3; in = in[3:] {
			k := btree.Key{Hi: uint64(in[1] % 4), Lo: uint64(in[2])}
			if in[0]%3 == 0 {
				m.delete(k)
			} else {
				m.insert(k, uint64(in[0]))
			}
		}
		m.check(btree.Key{Hi: 2})
	})
}
