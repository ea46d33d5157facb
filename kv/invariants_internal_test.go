package kv

import (
	"testing"

	"conclave/fsm/slot"
)

// checkInvariants recounts everything that the store keeps counts of.
func checkInvariants(t *testing.T, s *Store) {
	t.Helper()
	s.Lock(^uint64(0))
	defer s.Unlock(^uint64(0))
	for i := range s.parts {
		var total int64
		for db := range s.parts[i].dbs {
			k := &s.parts[i].dbs[db]
			var n, volatile, size int64
			if ts := k.tables.Load(); ts != nil {
				for j := range ts {
					a, b, c := checkTable(t, s, &ts[j], j*partitions+i)
					n, volatile, size = n+a, volatile+b, size+c
				}
			}
			if n != k.n.Load() || volatile != k.volatile.Load() || size != k.bytes.Load() {
				t.Errorf("partition %d db %d: counted %d keys, %d volatile, %d bytes; kept %d, %d, %d",
					i, db, n, volatile, size, k.n.Load(), k.volatile.Load(), k.bytes.Load())
			}
			total += size
		}
		if kept := s.parts[i].counters.bytes.Load(); kept != total {
			t.Errorf("partition %d: counted %d bytes, kept %d", i, total, kept)
		}
	}
}

func checkTable(t *testing.T, s *Store, tab *table, sl int) (n, volatile, size int64) {
	t.Helper()
	seen := map[string]bool{}
	for b, r := range tab.buckets {
		for ; r != nil; r = r.next {
			if seen[string(r.key)] {
				t.Errorf("key %q is there twice", r.key)
			}
			seen[string(r.key)] = true
			if got := slot.Of(r.key); got != sl {
				t.Errorf("key %q of slot %d lies in slot %d", r.key, got, sl)
			}
			if got := tab.bucketOf(r.hash); got != b {
				t.Errorf("key %q of bucket %d lies in bucket %d of %d", r.key, got, b, len(tab.buckets))
			}
			n++
			if r.expire != 0 {
				volatile++
			}
			size += r.size()
		}
	}
	if n != int64(tab.n.Load()) || volatile != int64(tab.volatile) {
		t.Errorf("slot %d: counted %d keys, %d volatile; kept %d, %d", sl, n, volatile, tab.n.Load(), tab.volatile)
	}
	if n > 0 && len(tab.buckets) > int(4*n)+8 {
		t.Errorf("slot %d: %d buckets for %d keys", sl, len(tab.buckets), n)
	}
	return n, volatile, size
}
