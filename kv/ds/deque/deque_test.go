package deque_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/deque"
	"conclave/kv/ds/packed"
)

// A list against a slice of strings.
func runModel(t *testing.T, in []byte) {
	h := arena.New(arena.Options{}).NewHeap()
	ns := deque.NewNodes(h)
	var l deque.List
	var want []string
	next := func() int {
		if len(in) == 0 {
			return 0
		}
		b := in[0]
		in = in[1:]
		return int(b)
	}
	value := func() string {
		n := next()
		switch n % 8 {
		case 0:
			return fmt.Sprint(n * n * n)
		case 1:
			return strings.Repeat("x", n*40)
		}
		return strings.Repeat("v", n%50)
	}
	from := func(i int, each func(*deque.List, int, func(packed.Value) bool)) (got []string) {
		each(&l, i, func(v packed.Value) bool {
			got = append(got, string(v.Append(nil)))
			return len(got) < 50
		})
		return got
	}
	for len(in) > 0 {
		op, i := next(), next()|next()<<8
		if n := len(want); n > 0 {
			switch i %= n; next() % 3 {
			case 0:
				i = 0
			case 1:
				i = n - 1
			}
		} else {
			op = 0
		}
		switch op %= 32; {
		case op < 8:
			v := value()
			ns.PushBack(&l, []byte(v))
			want = append(want, v)
		case op < 13:
			v := value()
			ns.PushFront(&l, []byte(v))
			want = slices.Insert(want, 0, v)
		case op < 19:
			v := value()
			ns.Insert(&l, i, []byte(v))
			want = slices.Insert(want, i, v)
		case op < 23:
			v := value()
			ns.Set(&l, i, []byte(v))
			want[i] = v
		case op < 27:
			n := next() % 5
			ns.Delete(&l, i, n)
			want = slices.Delete(want, i, min(len(want), i+n))
		case op == 27 && next() < 30:
			n := next()
			ns.Delete(&l, i, n)
			want = slices.Delete(want, i, min(len(want), i+n))
		case op == 28 && next() < 100:
			v := want[i]
			ns.DeleteFunc(&l, func(x packed.Value) bool { return x.Equal([]byte(v)) })
			want = slices.DeleteFunc(want, func(x string) bool { return x == v })
		case op < 30:
			if first, last := ns.First(&l).Append(nil), ns.Last(&l).Append(nil); string(first) != want[0] || string(last) != want[len(want)-1] {
				t.Fatalf("from %.20q to %.20q, want from %.20q to %.20q", first, last, want[0], want[len(want)-1])
			}
			if got := string(ns.At(&l, i).Append(nil)); got != want[i] {
				t.Fatalf("value %d is %.20q, want %.20q", i, got, want[i])
			}
		case op == 30:
			if got := from(i, ns.Each); !slices.Equal(got, want[i:min(len(want), i+50)]) {
				t.Fatalf("other values from %d on", i)
			}
		default:
			got := from(i, ns.EachBack)
			slices.Reverse(got)
			if !slices.Equal(got, want[max(0, i-49):i+1]) {
				t.Fatalf("other values from %d down", i)
			}
		}
		if l.Len() != len(want) {
			t.Fatalf("%d values, want %d", l.Len(), len(want))
		}
		if l.Bytes() != h.Live() {
			t.Fatalf("%d bytes, but it takes %d", l.Bytes(), h.Live())
		}
	}
	var got []string
	ns.Each(&l, 0, func(v packed.Value) bool { got = append(got, string(v.Append(nil))); return true })
	if !slices.Equal(got, want) {
		t.Fatalf("%d values, want %d, or others", len(got), len(want))
	}
	if !slices.Equal(got, texts(ns.AppendTo(nil, &l))) {
		t.Fatal("AppendTo says otherwise")
	}
	size := l.Bytes()
	if ns.Bury(&l); ns.Buried() != size || ns.Graves() != (size > 0) {
		t.Fatalf("%d bytes are buried, want %d", ns.Buried(), size)
	}
	for ns.Reap(2) {
		if ns.Buried() != h.Live() {
			t.Fatalf("%d bytes are still buried, but %d taken", ns.Buried(), h.Live())
		}
	}
	if h.Live() != 0 || ns.Buried() != 0 || l.Len() != 0 {
		t.Fatalf("%d bytes left", h.Live())
	}
}

func texts(list packed.List) (all []string) {
	for pos := 0; pos < len(list); {
		var v packed.Value
		v, pos = list.At(pos)
		all = append(all, string(v.Append(nil)))
	}
	return all
}

func TestListAgreesWithASlice(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			in := make([]byte, 20_000)
			for i := range in {
				in[i] = byte(rng.Uint32())
			}
			runModel(t, in)
		})
	}
}

func FuzzList(f *testing.F) {
	rng := rand.New(rand.NewPCG(9, 9))
	in := make([]byte, 2000)
	for i := range in {
		in[i] = byte(rng.Uint32())
	}
	f.Add(in)
	f.Fuzz(func(t *testing.T, in []byte) { runModel(t, in[:min(len(in), 10_000)]) })
}

// Queues, stacks and what turns from one into the other keep their nodes full.
func TestEndsDontWasteMemory(t *testing.T) {
	val := []byte("0123456789abcdef")
	for name, step := range map[string]func(*deque.Nodes, *deque.List){
		"queue":         func(ns *deque.Nodes, l *deque.List) { ns.Delete(l, 0, 1); ns.PushBack(l, val) },
		"queue back":    func(ns *deque.Nodes, l *deque.List) { ns.Delete(l, l.Len()-1, 1); ns.PushFront(l, val) },
		"stack":         func(ns *deque.Nodes, l *deque.List) { ns.PushFront(l, val); ns.Delete(l, 0, 1) },
		"stack at back": func(ns *deque.Nodes, l *deque.List) { ns.PushBack(l, val); ns.Delete(l, l.Len()-1, 1) },
	} {
		for _, n := range []int{20, 100, 1000, 10_000} {
			h := arena.New(arena.Options{}).NewHeap()
			ns := deque.NewNodes(h)
			var l deque.List
			for range n {
				ns.PushBack(&l, val)
			}
			for range 3 * n {
				step(ns, &l)
			}
			// Both ends may have a node that is partly used.
			if most := int64(n)*20*5/4 + 2*4080; n > 200 && h.Live() > most || n <= 200 && h.Live() > int64(n)*20*3 {
				t.Errorf("%s of %d values: %d bytes", name, n, h.Live())
			}
		}
	}
}

func TestMemoryPerValue(t *testing.T) {
	h := arena.New(arena.Options{}).NewHeap()
	ns := deque.NewNodes(h)
	var l deque.List
	val := []byte("0123456789abcdef")
	for range 10_000 {
		ns.PushBack(&l, val)
		ns.PushFront(&l, val)
	}
	if perValue := float64(h.Live()) / 20_000; perValue > 19 {
		t.Errorf("%.1f bytes per value of 16", perValue)
	}
	if n := testing.AllocsPerRun(1000, func() {
		ns.PushBack(&l, val)
		ns.PushFront(&l, val)
		ns.Delete(&l, 0, 1)
		ns.Delete(&l, l.Len()-1, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
