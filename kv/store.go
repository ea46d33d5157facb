package kv

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"conclave/fsm/slot"
	"conclave/resp/command"
)

const (
	partitions = command.Partitions
	// slotsPerPartition slots share a partition: s, s+64, s+128, ...
	slotsPerPartition = slot.Count / partitions
)

// Config is what a store is made of.
type Config struct {
	// Databases is their number; 0 means 16. Cluster mode uses 1.
	Databases int
}

// Store holds all keys of this node. It is safe for concurrent use under the
// locking rules in the package's documentation.
type Store struct {
	seed  maphash.Seed
	parts [partitions]partition
	ndb   int

	lfu          atomic.Bool
	activeExpire atomic.Bool
	cycle        cycleStats
}

// partition is the unit of locking.
type partition struct {
	mu sync.Mutex
	// Guarded by mu, except for the counters inside.
	dbs []keys

	watchMu  sync.Mutex // taken last, also without mu
	watches  map[watchKey][]watcher
	watching atomic.Int32 // number of entries in watches

	counters counters
	_        [64]byte // keeps neighbours off this partition's cache lines
}

// keys is one database's share of one partition.
type keys struct {
	// tables is nil until the first key arrives. Written under the lock, read
	// without it by counting.
	tables   atomic.Pointer[[slotsPerPartition]table]
	n        atomic.Int64
	volatile atomic.Int64
	bytes    atomic.Int64
	total    *atomic.Int64 // the bytes of the partition, all databases
	cursor   expireCursor  // guarded by the partition's lock
	avgTTL   atomic.Int64  // ms, moving average kept by the expiry cycle
}

// New makes an empty store.
func New(c Config) *Store {
	if c.Databases <= 0 {
		c.Databases = 16
	}
	s := &Store{seed: maphash.MakeSeed(), ndb: c.Databases}
	for i := range s.parts {
		s.parts[i].dbs = make([]keys, c.Databases)
		s.parts[i].watches = map[watchKey][]watcher{}
		for db := range s.parts[i].dbs {
			s.parts[i].dbs[db].total = &s.parts[i].counters.bytes
		}
	}
	s.activeExpire.Store(true)
	return s
}

var _ command.Keyspace = (*Store)(nil)

// Databases is their number.
func (s *Store) Databases() int { return s.ndb }

// Lock locks the partitions in the mask, in ascending order.
func (s *Store) Lock(mask uint64) {
	for ; mask != 0; mask &= mask - 1 {
		s.parts[bits.TrailingZeros64(mask)].mu.Lock()
	}
}

// Unlock unlocks the partitions in the mask.
func (s *Store) Unlock(mask uint64) {
	for ; mask != 0; mask &= mask - 1 {
		s.parts[bits.TrailingZeros64(mask)].mu.Unlock()
	}
}

// MaskOf is the mask of the key's partition. No partition need be locked.
func MaskOf(key []byte) uint64 { return command.PartitionOf(slot.Of(key)) }

// Exists implements [command.Keyspace].
func (s *Store) Exists(db int, key []byte, nowMs int64) bool {
	_, _, r := s.DB(db, nowMs).find(key)
	return r != nil && !r.expired(nowMs)
}

// table returns the slot's table, or nil if the partition's share of the
// database has never held a key.
func (k *keys) table(sl int) *table {
	ts := k.tables.Load()
	if ts == nil {
		return nil
	}
	return &ts[sl/partitions]
}

// makeTable is table, made if need be.
func (k *keys) makeTable(sl int) *table {
	ts := k.tables.Load()
	if ts == nil {
		ts = new([slotsPerPartition]table)
		k.tables.Store(ts)
	}
	return &ts[sl/partitions]
}

// grow accounts for memory taken or, if negative, given back.
func (k *keys) grow(n int64) {
	k.bytes.Add(n)
	k.total.Add(n)
}

func (k *keys) reset() {
	k.tables.Store(nil)
	k.n.Store(0)
	k.volatile.Store(0)
	k.grow(-k.bytes.Load())
	k.avgTTL.Store(0)
	k.cursor = expireCursor{}
}

func (k *keys) insert(t *table, r *record) {
	t.insert(r)
	k.n.Add(1)
	k.grow(r.size())
	if r.expire != 0 {
		k.volatile.Add(1)
	}
}

func (k *keys) forget(r *record) {
	k.n.Add(-1)
	k.grow(-r.size())
	if r.expire != 0 {
		k.volatile.Add(-1)
	}
}

func (k *keys) remove(t *table, r *record) {
	k.forget(r)
	t.remove(r)
}

func (k *keys) setExpiry(t *table, r *record, at int64) {
	switch {
	case r.expire == 0 && at != 0:
		k.volatile.Add(1)
	case r.expire != 0 && at == 0:
		k.volatile.Add(-1)
	}
	t.setExpiry(r, at)
}
