package kv

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"conclave/fsm/slot"
	"conclave/kv/ds"
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
	// HugePages asks for transparent huge pages: faster with millions of keys,
	// but slower when memory is touched for the first time.
	HugePages bool
}

// Store holds all keys of this node. It is safe for concurrent use under the
// locking rules in the package's documentation.
type Store struct {
	space *ds.Space
	parts [partitions]partition
	ndb   int

	limits       limits
	lfu          atomic.Bool
	evict        evictor
	snapshotting atomic.Bool
	activeExpire atomic.Bool
	passive      atomic.Bool
	heldUntil    atomic.Int64 // see HoldExpired
	cycle        cycleStats
	events       events // set before the store is used
	blocked      blocked
}

// partition is the unit of locking.
type partition struct {
	mu    sync.Mutex
	index int
	// held is closed when the call ends that has the partition without its lock;
	// nil as a rule. Set under mu by that call, see hold.go.
	held chan struct{}
	// Guarded by mu, except for the counters inside.
	dbs   []keys
	shard *ds.Shard
	// Of collections that are too large for a record.
	objects objects
	members members

	watchMu  sync.Mutex // taken last, also without mu
	watches  map[watchKey][]watcher
	watching atomic.Int32 // number of entries in watches
	blocking atomic.Int32 // number of keys that calls wait for

	counters counters
	_        [64]byte // keeps neighbours off this partition's cache lines
}

// keys is one database's share of one partition.
type keys struct {
	// tables is nil until the first key arrives. Written under the lock, read
	// without it by counting and looking ahead.
	tables   atomic.Pointer[ds.Group]
	n        atomic.Int64
	volatile atomic.Int64
	cursor   expireCursor // guarded by the partition's lock
	avgTTL   atomic.Int64 // ms, moving average kept by the expiry cycle
}

// New makes an empty store.
func New(c Config) *Store {
	if c.Databases <= 0 {
		c.Databases = 16
	}
	s := &Store{space: ds.NewSpace(ds.Options{HugePages: c.HugePages}), ndb: c.Databases}
	for i := range s.parts {
		s.parts[i].index = i
		s.parts[i].dbs = make([]keys, c.Databases)
		s.parts[i].shard = s.space.NewShard()
		s.parts[i].shard.SetOwner(&s.parts[i])
		s.parts[i].members.init(s.space)
		s.parts[i].watches = map[watchKey][]watcher{}
	}
	s.blocked.queues = map[watchKey]*waitQueue{}
	s.Observe(s.waitObserver())
	s.activeExpire.Store(true)
	s.SetLimits(DefaultLimits())
	s.SetEviction(Eviction{})
	return s
}

var _ command.Keyspace = (*Store)(nil)

// Databases is their number.
func (s *Store) Databases() int { return s.ndb }

// Lock locks the partitions in the mask, in ascending order.
func (s *Store) Lock(mask uint64) {
	for ; mask != 0; mask &= mask - 1 {
		s.parts[bits.TrailingZeros64(mask)].lock()
	}
}

// Unlock unlocks the partitions in the mask.
func (s *Store) Unlock(mask uint64) {
	for ; mask != 0; mask &= mask - 1 {
		p := &s.parts[bits.TrailingZeros64(mask)]
		if p.held != nil {
			p.release()
			continue
		}
		p.mu.Unlock()
	}
}

// MaskOf is the mask of the key's partition. No partition need be locked.
func MaskOf(key []byte) uint64 { return command.PartitionOf(slot.Of(key)) }

// Exists implements [command.Keyspace].
func (s *Store) Exists(db int, key []byte, nowMs int64) bool {
	at := s.DB(db, nowMs).find(key)
	return at.found() && !expired(at.Expiry(), nowMs)
}

// table returns the slot's table, or nil if the partition's share of the
// database has never held a key.
func (k *keys) table(sl int) *ds.Table {
	if g := k.tables.Load(); g != nil {
		return g.Table(sl / partitions)
	}
	return nil
}

// makeTable is table, made if need be.
func (k *keys) makeTable(sl int) *ds.Table {
	g := k.tables.Load()
	if g == nil {
		g = ds.NewGroup(slotsPerPartition)
		k.tables.Store(g)
	}
	return g.Table(sl / partitions)
}

// forget counts out keys that are gone.
func (k *keys) forget(n, volatile int64) {
	k.n.Add(-n)
	if volatile != 0 {
		k.volatile.Add(-volatile)
	}
}

// drop gives up all keys. Most of their memory is freed later.
func (k *keys) drop(p *partition) {
	if g := k.tables.Swap(nil); g != nil {
		p.shard.Bury(g)
		p.reap(reapAtOnce)
	}
	k.n.Store(0)
	k.volatile.Store(0)
	k.avgTTL.Store(0)
	k.cursor = expireCursor{}
}
