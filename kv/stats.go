package kv

import "sync/atomic"

// counters of one partition.
type counters struct {
	hits, misses, expired, dirty atomic.Int64
}

// Stats are counted since the start or the last ResetStats.
type Stats struct {
	Hits, Misses int64 // lookups by commands that read
	Expired      int64 // keys removed because their time had passed
	Dirty        int64 // changes of keys; never reset
}

// Stats sums the counters. No partition need be locked.
func (s *Store) Stats() Stats {
	var t Stats
	for i := range s.parts {
		c := &s.parts[i].counters
		t.Hits += c.hits.Load()
		t.Misses += c.misses.Load()
		t.Expired += c.expired.Load()
		t.Dirty += c.dirty.Load()
	}
	return t
}

// ResetStats is CONFIG RESETSTAT's part of the store. No partition need be
// locked.
func (s *Store) ResetStats() {
	for i := range s.parts {
		c := &s.parts[i].counters
		c.hits.Store(0)
		c.misses.Store(0)
		c.expired.Store(0)
	}
}

// DBStats is a line of INFO keyspace.
type DBStats struct {
	Keys, Expires int64
	AvgTTL        int64 // ms
}

// DBStats describes one database. No partition need be locked.
func (s *Store) DBStats(db int) DBStats {
	var t DBStats
	var weight int64
	for i := range s.parts {
		k := &s.parts[i].dbs[db]
		v := k.volatile.Load()
		t.Keys += k.n.Load()
		t.Expires += v
		if avg := k.avgTTL.Load(); v > 0 && avg > 0 {
			t.AvgTTL += avg
			weight++
		}
	}
	if weight > 0 {
		t.AvgTTL /= weight
	}
	return t
}

// Bytes estimates the memory that keys and values take, their tables included.
// No partition need be locked.
func (s *Store) Bytes() int64 {
	var n int64
	for i := range s.parts {
		for db := range s.ndb {
			n += s.parts[i].dbs[db].bytes.Load()
		}
	}
	return n
}
