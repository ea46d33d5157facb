package kv

import (
	"math"
	"sync/atomic"
	"time"
)

// counters of one partition.
type counters struct {
	hits, misses, expired, dirty atomic.Int64
}

// Stats are counted since the start or the last ResetStats.
type Stats struct {
	Hits, Misses int64 // lookups by commands that read
	Expired      int64 // keys removed because their time had passed
	Dirty        int64 // changes of keys; never reset

	// Of the expiry cycle: how often its time was up before it was done, how
	// long it ran, and the share in percent of the volatile keys that it looked
	// at whose time had passed, as a moving average that is never reset.
	TimeCapped   int64
	CycleTime    time.Duration
	StalePercent float64
}

// Stats sums the counters. No partition need be locked.
func (s *Store) Stats() Stats {
	t := Stats{
		TimeCapped:   s.cycle.capped.Load(),
		CycleTime:    time.Duration(s.cycle.nanos.Load()),
		StalePercent: math.Float64frombits(s.cycle.stale.Load()),
	}
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
	s.cycle.capped.Store(0)
	s.cycle.nanos.Store(0)
	s.evict.evicted.Store(0)
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

// Bytes is the memory that keys and values take, their tables included. No
// partition need be locked.
func (s *Store) Bytes() int64 {
	var n int64
	for i := range s.parts {
		n += s.parts[i].shard.Bytes() + s.parts[i].members.Bytes()
	}
	return n
}

// Memory says where the store's memory is, in bytes.
type Memory struct {
	Live   int64 // keys, values and tables: what Bytes returns
	Buried int64 // emptied, but not freed yet
	Mapped int64 // taken for these, rounded up to whole chunks
	Unused int64 // free, not yet given back to the operating system
}

// Memory may be called at any time.
func (s *Store) Memory() Memory {
	m := Memory{Live: s.Bytes()}
	for i := range s.parts {
		m.Buried += s.parts[i].shard.Buried() + s.parts[i].members.Buried()
	}
	m.Mapped, m.Unused = s.space.Mapped()
	return m
}
