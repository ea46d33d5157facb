package order_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/order"
)

func compare(a, b order.Item) int {
	return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Ref, b.Ref))
}

// Trees and copies of them against sorted slices.
type model struct {
	t     *testing.T
	h     *arena.Heap
	f     *order.Forest
	trees []order.Tree
	want  [][]order.Item
}

func newModel(t *testing.T) *model {
	h := arena.New(arena.Options{}).NewHeap()
	return &model{t: t, h: h, f: order.NewForest(h, cmp.Compare[uint64]), trees: make([]order.Tree, 1), want: make([][]order.Item, 1)}
}

func (m *model) insert(i int, it order.Item) {
	at, there := slices.BinarySearchFunc(m.want[i], it, compare)
	if m.f.Insert(&m.trees[i], it) == there {
		m.t.Fatalf("insert %v: it was there: %v", it, there)
	}
	if !there {
		m.want[i] = slices.Insert(m.want[i], at, it)
	}
}

func (m *model) delete(i int, it order.Item) {
	at, there := slices.BinarySearchFunc(m.want[i], it, compare)
	if m.f.Delete(&m.trees[i], it) != there {
		m.t.Fatalf("delete %v: it was there: %v", it, there)
	}
	if there {
		m.want[i] = slices.Delete(m.want[i], at, at+1)
	}
}

func (m *model) look(i int, it order.Item, from int) {
	want, tree := m.want[i], &m.trees[i]
	at, there := slices.BinarySearchFunc(want, it, compare)
	if rank, ok := m.f.Rank(tree, it); rank != at || ok != there {
		m.t.Fatalf("rank of %v: %d %v, want %d %v", it, rank, ok, at, there)
	}
	if n := m.f.Before(tree, func(x order.Item) bool { return x.Score < it.Score }); n != countBelow(want, it.Score) {
		m.t.Fatalf("%d below %v, want %d", n, it.Score, countBelow(want, it.Score))
	}
	if len(want) == 0 {
		return
	}
	from %= len(want)
	if got := m.f.At(tree, from); got != want[from] {
		m.t.Fatalf("item %d is %v, want %v", from, got, want[from])
	}
	var up, down []order.Item
	m.f.Each(tree, from, func(x order.Item) bool { up = append(up, x); return len(up) < 100 })
	m.f.EachBack(tree, from, func(x order.Item) bool { down = append(down, x); return len(down) < 100 })
	slices.Reverse(down)
	if !slices.Equal(up, want[from:min(len(want), from+100)]) || !slices.Equal(down, want[max(0, from-99):from+1]) {
		m.t.Fatalf("other items from %d on, or down from it", from)
	}
}

func countBelow(items []order.Item, score float64) int {
	n, _ := slices.BinarySearchFunc(items, score, func(it order.Item, s float64) int { return cmp.Compare(it.Score, s) })
	return n
}

func (m *model) run(in []byte, scores int) {
	next := func() int {
		if len(in) < 2 {
			in = nil
			return 0
		}
		n := int(in[0]) | int(in[1])<<8
		in = in[2:]
		return n
	}
	for len(in) > 0 {
		op, n := next(), next()
		i := op / 16 % len(m.trees)
		it := order.Item{Score: float64(n % scores), Ref: uint64(n)}
		switch op %= 16; {
		case op < 8:
			m.insert(i, it)
		case op < 13:
			if items := m.want[i]; len(items) > 0 && op < 11 {
				it = items[n%len(items)]
			}
			m.delete(i, it)
		case op == 13 && len(m.trees) < 4:
			m.trees = append(m.trees, m.f.Copy(&m.trees[i]))
			m.want = append(m.want, slices.Clone(m.want[i]))
		case op == 14 && len(m.trees) > 1 && n%4 == 0:
			if n%8 == 0 {
				m.f.Free(&m.trees[i])
			} else {
				m.f.Bury(&m.trees[i])
			}
			m.trees, m.want = slices.Delete(m.trees, i, i+1), slices.Delete(m.want, i, i+1)
		case op == 15 && m.f.Graves():
			m.f.Reap(1 + n%20)
		default:
			m.look(i, it, n)
		}
	}
	for i := range m.trees {
		var got []order.Item
		m.f.Each(&m.trees[i], 0, func(it order.Item) bool { got = append(got, it); return true })
		if !slices.Equal(got, m.want[i]) || m.trees[i].Len() != len(got) {
			m.t.Fatalf("tree %d: %d items, want %d, or others", i, len(got), len(m.want[i]))
		}
		m.f.Free(&m.trees[i])
	}
	for m.f.Reap(10) {
	}
	if m.h.Live() != 0 || m.f.Buried() != 0 {
		m.t.Fatalf("%d bytes left", m.h.Live())
	}
}

func TestTreesAgreeWithSlices(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			m := newModel(t)
			// Deep trees to begin with, in various orders.
			for i := range 3000 * int(seed%4) {
				switch seed / 4 % 3 {
				case 0:
					m.insert(0, order.Item{Score: float64(i), Ref: uint64(i)})
				case 1:
					m.insert(0, order.Item{Score: float64(-i), Ref: uint64(i)})
				default:
					m.insert(0, order.Item{Score: rng.Float64(), Ref: uint64(i)})
				}
			}
			in := make([]byte, 40_000)
			for i := range in {
				in[i] = byte(rng.Uint32())
			}
			m.run(in, 1+int(seed)*50)
		})
	}
}

func FuzzTrees(f *testing.F) {
	rng := rand.New(rand.NewPCG(9, 9))
	in := make([]byte, 2000)
	for i := range in {
		in[i] = byte(rng.Uint32())
	}
	f.Add(in)
	f.Fuzz(func(t *testing.T, in []byte) { newModel(t).run(in[:min(len(in), 10_000)], 100) })
}

// Emptying a tree from either end leaves nothing.
func TestTreesBecomeEmpty(t *testing.T) {
	for _, back := range []bool{false, true} {
		m := newModel(t)
		for i := range 20_000 {
			m.insert(0, order.Item{Score: float64(i * 7919 % 20_000), Ref: 1})
		}
		perItem := float64(m.h.Live()) / 20_000
		if perItem > 28 {
			t.Errorf("%.1f bytes per item", perItem)
		}
		keep := m.f.Copy(&m.trees[0])
		for m.trees[0].Len() > 0 {
			at := 0
			if back {
				at = m.trees[0].Len() - 1
			}
			m.f.Delete(&m.trees[0], m.f.At(&m.trees[0], at))
		}
		if keep.Len() != 20_000 || m.f.At(&keep, 777).Score != 777 {
			t.Error("the copy has changed")
		}
		m.f.Free(&keep)
		if m.h.Live() != 0 {
			t.Errorf("%d bytes left", m.h.Live())
		}
	}
}

// A tree's memory is counted, and what is buried is freed in parts.
func TestTreesAreBuried(t *testing.T) {
	m := newModel(t)
	for i := range 20_000 {
		m.insert(0, order.Item{Score: float64(i * 7919 % 20_000), Ref: uint64(i)})
	}
	for i := range 5_000 {
		m.delete(0, m.want[0][i*3%len(m.want[0])])
	}
	bytes := m.trees[0].Bytes()
	if bytes != m.h.Live() || bytes == 0 {
		t.Fatalf("%d bytes counted, %d taken", bytes, m.h.Live())
	}
	m.f.Bury(&m.trees[0])
	if m.trees[0].Len() != 0 || m.f.Buried() != bytes {
		t.Errorf("%d items, %d bytes buried, want 0, %d", m.trees[0].Len(), m.f.Buried(), bytes)
	}
	for steps := 0; m.f.Reap(7); steps++ {
		if m.f.Buried() != m.h.Live() {
			t.Fatalf("after %d steps %d bytes are buried, %d taken", steps, m.f.Buried(), m.h.Live())
		}
	}
	if m.h.Live() != 0 || m.f.Buried() != 0 {
		t.Errorf("%d bytes left, %d buried", m.h.Live(), m.f.Buried())
	}
}

func BenchmarkInsert(b *testing.B) {
	h := arena.New(arena.Options{}).NewHeap()
	f := order.NewForest(h, cmp.Compare[uint64])
	var t order.Tree
	rng := rand.New(rand.NewPCG(1, 1))
	for i := 0; b.Loop(); i++ {
		f.Insert(&t, order.Item{Score: rng.Float64(), Ref: uint64(i)})
	}
	b.ReportMetric(float64(h.Live())/float64(t.Len()), "B/item")
}
