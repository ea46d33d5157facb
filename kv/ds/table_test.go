package ds_test

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"

	"conclave/kv/ds"
)

func key(i int) []byte { return binary.BigEndian.AppendUint64([]byte("key:"), uint64(i)) }

func insert(sp *ds.Space, s *ds.Shard, t *ds.Table, i, size int) {
	k := key(i)
	copy(t.Insert(s, sp.Hash(k), k, 0, 0, 0, size).Value(), k)
}

// A table that is large enough for every kind of segment grows and shrinks.
func TestLargeTable(t *testing.T) {
	sp := ds.NewSpace(ds.Options{})
	s, g := sp.NewShard(), ds.NewGroup(1)
	tab := g.Table(0)
	const n = 100_000
	for i := range n {
		insert(sp, s, tab, i, 12)
	}
	if err := tab.Check(s); err != nil {
		t.Fatal(err)
	}
	if perKey := float64(tab.Bytes()) / n; perKey > 45 {
		t.Errorf("%.1f bytes per record of 24", perKey)
	}
	for i := range n - 100 {
		p := tab.Find(s, sp.Hash(key(i)), key(i))
		if p.IsZero() {
			t.Fatalf("key %d is gone", i)
		}
		tab.Delete(s, &p)
	}
	if err := tab.Check(s); err != nil {
		t.Fatal(err)
	}
	if tab.Len() != 100 || tab.Bytes() > 100*80 {
		t.Errorf("%d records in %d bytes", tab.Len(), tab.Bytes())
	}
	compact(s, tab)
	if err := tab.Check(s); err != nil {
		t.Fatal(err)
	}
	if slack := s.Slack(); slack > 20<<14 {
		t.Errorf("%d bytes unused after compaction", slack)
	}
	for i := n - 100; i < n; i++ {
		p := tab.Find(s, sp.Hash(key(i)), key(i))
		if p.IsZero() {
			t.Fatalf("key %d is gone", i)
		}
		tab.Delete(s, &p)
	}
	if tab.Bytes() != 0 || s.Check(0) != nil {
		t.Errorf("%d bytes left: %v", tab.Bytes(), s.Check(0))
	}
}

// Looking ahead is safe whatever is going on.
func TestLookingAheadDuringChanges(t *testing.T) {
	sp := ds.NewSpace(ds.Options{})
	s, g := sp.NewShard(), ds.NewGroup(1)
	tab := g.Table(0)
	var wg sync.WaitGroup
	var done atomic.Bool
	wg.Go(func() {
		for i := 0; !done.Load(); i++ {
			var batch [8]ds.Ahead
			for j := range batch {
				batch[j] = ds.Ahead{Table: tab, Shard: s, Hash: sp.Hash(key((i + j) % 6000))}
			}
			ds.LookAhead(batch[:])
		}
	})
	for range 5 {
		for i := range 6000 {
			insert(sp, s, tab, i, 12)
		}
		for i := range 6000 {
			p := tab.Find(s, sp.Hash(key(i)), key(i))
			tab.Delete(s, &p)
		}
		sp.Trim(1 << 30)
	}
	done.Store(true)
	wg.Wait()
}

func TestNothingIsAllocatedOnTheHeap(t *testing.T) {
	sp := ds.NewSpace(ds.Options{})
	s, g := sp.NewShard(), ds.NewGroup(1)
	tab := g.Table(0)
	for i := range 10_000 {
		insert(sp, s, tab, i, 12)
	}
	k := key(5)
	h := sp.Hash(k)
	if n := testing.AllocsPerRun(1000, func() {
		p := tab.Find(s, h, k)
		tab.SetExpiry(s, &p, 77)
		copy(tab.Resize(s, &p, 1, 0, 300, true).Value(), k)
		tab.Delete(s, &p)
		tab.Insert(s, h, k, 0, 0, 0, 12)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func compact(s *ds.Shard, tab *ds.Table) {
	if !s.BeginCompaction(1) {
		return
	}
	for b, more := uint32(0), true; more; more = b != 0 {
		budget := 10
		b = tab.Compact(s, b, &budget)
	}
	s.EndCompaction()
}

// Chains of more than one line are moved, too: their lines lie in chunks of
// their own, full of what has become free.
func TestCompactionMovesChains(t *testing.T) {
	sp := ds.NewSpace(ds.Options{})
	s, g := sp.NewShard(), ds.NewGroup(2)
	tabs := []*ds.Table{g.Table(0), g.Table(1)}
	const n = 30_000
	for i := range n {
		insert(sp, s, tabs[0], i, 12)
		insert(sp, s, tabs[1], i, 12)
	}
	slack := s.Slack()
	s.BuryTable(tabs[0])
	for s.Reap(1000) {
	}
	compact(s, tabs[1])
	if after := s.Slack(); after > slack+slack/4 {
		t.Errorf("%d bytes unused with one table gone, %d before", after, slack)
	}
	if err := tabs[1].Check(s); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if p := tabs[1].Find(s, sp.Hash(key(i)), key(i)); p.IsZero() {
			t.Fatalf("key %d is gone", i)
		}
	}
	if err := s.Check(tabs[1].Bytes()); err != nil {
		t.Fatal(err)
	}
}
