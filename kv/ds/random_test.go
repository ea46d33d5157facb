package ds_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"conclave/kv/ds"
)

// Every record is drawn about equally often, whatever the chains look like.
func TestRandomRecordsAreFair(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sp := ds.NewSpace(ds.Options{})
	for _, n := range []int{1, 2, 10, 64, 300} {
		s, tab := sp.NewShard(), ds.NewGroup(1).Table(0)
		for i := range 2 * n {
			insert(sp, s, tab, i, 1)
		}
		for i := range n {
			p := tab.Find(s, sp.Hash(key(i)), key(i))
			tab.Delete(s, &p)
		}
		const each = 1000
		seen := map[string]int{}
		for range n * each {
			p := tab.Random(s, rng.Uint64)
			seen[string(p.Key())]++
		}
		for i := n; i < 2*n; i++ {
			if got := seen[string(key(i))]; math.Abs(float64(got-each)) > 6*math.Sqrt(each) {
				t.Errorf("of %d records one was drawn %d times, want about %d", n, got, each)
			}
		}
		p := tab.Random(s, rng.Uint64)
		name := string(p.Key())
		tab.Delete(s, &p)
		if p := tab.Find(s, sp.Hash([]byte(name)), []byte(name)); !p.IsZero() || tab.Check(s) != nil {
			t.Errorf("%q couldn't be deleted where it was drawn", name)
		}
	}
}

func BenchmarkRandom(b *testing.B) {
	sp := ds.NewSpace(ds.Options{})
	s, tab := sp.NewShard(), ds.NewGroup(1).Table(0)
	for i := range 100_000 {
		insert(sp, s, tab, i, 12)
	}
	for b.Loop() {
		tab.Random(s, rand.Uint64)
	}
}
