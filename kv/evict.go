package kv

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"conclave/kv/ds"
	"conclave/resp/command"
)

// Policy says which keys are given up for their memory.
type Policy uint8

// The policies of maxmemory-policy.
const (
	NoEviction Policy = iota
	AllKeysLRU
	AllKeysLFU
	AllKeysRandom
	VolatileLRU
	VolatileLFU
	VolatileRandom
	VolatileTTL
)

func (p Policy) volatile() bool { return p >= VolatileLRU }

// LFU reports whether the policy wants accesses to be counted.
func (p Policy) LFU() bool { return p == AllKeysLFU || p == VolatileLFU }

// Eviction is how much memory the store may take, and what happens then.
type Eviction struct {
	Limit   int64 // bytes of Used; 0: none
	Policy  Policy
	Samples int // keys compared to find one to give up
}

// evictBudget is how long one command may have to give up keys before it runs.
const evictBudget = 500 * time.Microsecond

// poolSize is how many of the best candidates are remembered.
const poolSize = 16

// evictor gives keys up. It remembers the best candidates of former samples, as
// Redis does: the more are compared, the closer the choice comes to the exact one.
type evictor struct {
	set      atomic.Pointer[Eviction]
	overhead atomic.Int64
	full     atomic.Bool // the last MakeRoom found nothing to give up
	evicted  atomic.Int64

	mu   sync.Mutex // taken before any partition
	pool []candidate
}

type candidate struct {
	db    int
	key   []byte
	score uint64 // the higher, the sooner it goes
}

// SetEviction takes effect with the next command. It also selects what the access
// bits of keys mean (see [Store.SetLFU]). No partition need be locked.
func (s *Store) SetEviction(e Eviction) {
	e.Samples = max(e.Samples, 1)
	s.evict.set.Store(&e)
	s.SetLFU(e.Policy.LFU())
	s.evict.mu.Lock()
	s.evict.pool = s.evict.pool[:0]
	s.evict.mu.Unlock()
	s.evict.full.Store(false)
}

// SetOverhead says how much memory is in use beside the store: it counts against
// the limit. No partition need be locked.
func (s *Store) SetOverhead(n int64) { s.evict.overhead.Store(n) }

// Used is what is held against the limit: the store's memory and the overhead. No
// partition need be locked.
func (s *Store) Used() int64 { return s.Bytes() + s.evict.overhead.Load() }

// Full reports whether the limit is passed and there is nothing to give up, as
// MakeRoom found last.
func (s *Store) Full() bool { return s.evict.full.Load() }

// Evicted is the number of keys given up since the start or the last ResetStats.
func (s *Store) Evicted() int64 { return s.evict.evicted.Load() }

// MakeRoom gives up keys until Used is within the limit, there are none left to
// give up, or half a millisecond has passed: the next call goes on. The caller
// holds no partition.
func (s *Store) MakeRoom() {
	set := s.evict.set.Load()
	if set.Limit == 0 || s.passive.Load() {
		return
	}
	if s.Used() <= set.Limit {
		if s.evict.full.Load() {
			s.evict.full.Store(false)
		}
		return
	}
	s.makeRoom(set)
}

func (s *Store) makeRoom(set *Eviction) {
	if set.Policy == NoEviction {
		s.evict.full.Store(true)
		return
	}
	e := &s.evict
	e.mu.Lock()
	defer e.mu.Unlock()
	began := time.Now()
	now := began.UnixMilli()
	for n := 0; s.Used() > set.Limit; n++ {
		if n%16 == 15 && time.Since(began) > evictBudget {
			break
		}
		c, ok := s.pick(set, now)
		if !ok {
			e.full.Store(true)
			return
		}
		mask := MaskOf(c.key)
		if !s.TryLock(mask) { // a long call may have it
			continue
		}
		if s.DB(c.db, now).Evict(c.key) {
			e.evicted.Add(1)
		}
		s.Unlock(mask)
	}
	e.full.Store(false)
}

// pick is the best candidate of the pool, to which a sample has been added.
func (s *Store) pick(set *Eviction, now int64) (candidate, bool) {
	e := &s.evict
	s.sample(set, now)
	if n := len(e.pool); n > 0 {
		c := e.pool[n-1]
		e.pool = e.pool[:n-1]
		return c, true
	}
	return candidate{}, false
}

// sampleTries bounds the search for keys that may be given up, where few may.
const sampleTries = 200

// sample looks at some keys: those of whole buckets, which is cheaper than as many
// keys one by one. Where it looks is random, but for partitions and slots without
// keys, of which the next one that has some is taken: keys are spread evenly by
// their hash, and where they aren't, the pool makes up for it.
func (s *Store) sample(set *Eviction, now int64) {
	for seen, tries := 0, 0; seen < set.Samples && tries < sampleTries; tries++ {
		part, db, ok := s.randomShare(set.Policy.volatile())
		if !ok {
			return
		}
		p, mask := &s.parts[part], command.PartitionOf(part)
		if !s.TryLock(mask) {
			continue
		}
		if t := p.dbs[db].randomTable(set.Policy.volatile()); t != nil {
			t.Sample(p.shard, rand.Uint64(), func(r ds.Record) {
				if set.Policy.volatile() && r.Expiry() == NoExpiry {
					return
				}
				seen++
				s.evict.offer(db, r.Key(), score(set.Policy, r, now))
			})
		}
		s.Unlock(mask)
	}
}

// randomShare picks a partition and a database that has keys in it.
func (s *Store) randomShare(volatile bool) (part, db int, ok bool) {
	first, firstDB := rand.IntN(partitions), rand.IntN(s.ndb)
	for i := range partitions {
		part = (first + i) % partitions
		var total int64
		for db := range s.ndb {
			total += s.parts[part].dbs[db].candidates(volatile)
		}
		if total <= 0 {
			continue
		}
		nth := rand.Int64N(total)
		for j := range s.ndb {
			db = (firstDB + j) % s.ndb
			if nth -= s.parts[part].dbs[db].candidates(volatile); nth < 0 {
				return part, db, true
			}
		}
	}
	return 0, 0, false
}

func (k *keys) candidates(volatile bool) int64 {
	if volatile {
		return k.volatile.Load()
	}
	return k.n.Load()
}

// randomTable is the table of a slot that has keys, or nil.
func (k *keys) randomTable(volatile bool) *ds.Table {
	g := k.tables.Load()
	if g == nil {
		return nil
	}
	first := rand.IntN(slotsPerPartition)
	for i := range slotsPerPartition {
		t := g.Table((first + i) % slotsPerPartition)
		if volatile && t.Expiring() > 0 || !volatile && t.Len() > 0 {
			return t
		}
	}
	return nil
}

// score is how much a key deserves to be given up.
func score(p Policy, r ds.Record, now int64) uint64 {
	switch p {
	case AllKeysLRU, VolatileLRU:
		return uint64((uint32(now/1000) - r.Access()) & accessMask)
	case AllKeysLFU, VolatileLFU:
		return uint64(math.MaxUint8 - freq(r.Access(), now))
	case VolatileTTL:
		return math.MaxUint64 - uint64(r.Expiry())
	}
	return rand.Uint64()
}

// offer adds a candidate to the pool, which is in ascending order, if it is better
// than the worst of a full one.
func (e *evictor) offer(db int, key []byte, score uint64) {
	i := len(e.pool)
	for i > 0 && e.pool[i-1].score > score {
		i--
	}
	for _, c := range e.pool {
		if c.db == db && string(c.key) == string(key) {
			return
		}
	}
	if len(e.pool) < poolSize {
		e.pool = append(e.pool, candidate{})
		copy(e.pool[i+1:], e.pool[i:])
	} else {
		if i == 0 {
			return
		}
		i--
		copy(e.pool[:i], e.pool[1:i+1])
	}
	e.pool[i] = candidate{db, append([]byte(nil), key...), score}
}
