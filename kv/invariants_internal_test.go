package kv

import (
	"testing"

	"conclave/fsm/slot"
	"conclave/kv/ds"
)

// checkInvariants recounts everything that the store keeps counts of.
func checkInvariants(t *testing.T, s *Store) {
	t.Helper()
	s.Lock(^uint64(0))
	defer s.Unlock(^uint64(0))
	for i := range s.parts {
		p := &s.parts[i]
		var bytes int64
		for db := range p.dbs {
			k := &p.dbs[db]
			var n, volatile int64
			if g := k.tables.Load(); g != nil {
				for j := range slotsPerPartition {
					tab := g.Table(j)
					checkTable(t, p.shard, tab, j*partitions+i)
					n, volatile, bytes = n+int64(tab.Len()), volatile+int64(tab.Expiring()), bytes+tab.Bytes()
				}
			}
			if n != k.n.Load() || volatile != k.volatile.Load() {
				t.Errorf("partition %d db %d: counted %d keys, %d volatile; kept %d, %d",
					i, db, n, volatile, k.n.Load(), k.volatile.Load())
			}
		}
		if err := p.shard.Check(bytes); err != nil {
			t.Errorf("partition %d: %v", i, err)
		}
		var objects int64
		for _, o := range p.objects.all {
			if o != nil {
				objects += o.bytes()
			}
		}
		if objects != p.members.Bytes() {
			t.Errorf("partition %d: objects of %d bytes take %d", i, objects, p.members.Bytes())
		}
		if err := p.members.Check(objects + p.members.trees.Buried() + p.members.lists.Buried() + p.members.streams.Buried() - p.members.streams.onHeap.Load() - p.members.Nodes().Live()); err != nil {
			t.Errorf("partition %d: objects: %v", i, err)
		}
	}
}

func checkTable(t *testing.T, shard *ds.Shard, tab *ds.Table, sl int) {
	t.Helper()
	if err := tab.Check(shard); err != nil {
		t.Errorf("slot %d: %v", sl, err)
	}
	tab.Each(shard, func(r ds.Record) bool {
		if got := slot.Of(r.Key()); got != sl {
			t.Errorf("key %q of slot %d lies in slot %d", r.Key(), got, sl)
		}
		return true
	})
}
