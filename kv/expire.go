package kv

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"conclave/kv/ds"
)

// The cycle that removes keys nobody asks for, with Redis's parameters: ten
// times a second, at most a quarter of the time, samples of twenty volatile
// keys, again while more than a tenth of them had expired.
const (
	cyclePeriod  = 100 * time.Millisecond
	cycleBudget  = 25 * time.Millisecond
	sampleKeys   = 20
	sampleVisits = 400 // buckets looked at for one sample
	staleTenths  = 1
)

// expireCursor is where the cycle goes on in one database's share of one
// partition.
type expireCursor struct {
	table int
	pos   uint64
}

// cycleStats are written by the cycle only.
type cycleStats struct {
	capped, nanos atomic.Int64
	stale         atomic.Uint64 // the bits of a float64
}

// expire removes a key whose time has passed; the place is then that of an
// absent key.
func (d DB) expire(at *place) {
	at.unlink()
	at.part.counters.expired.Add(1)
	d.tell(d.s.events.expired, at.part, at.Key())
	if at.part.watching.Load() != 0 {
		d.touchWatchers(at.part, at.Key())
	}
	at.release()
}

// SetActiveExpire switches the cycle on (the default) or off; keys then expire
// only when they are accessed. No partition need be locked.
func (s *Store) SetActiveExpire(on bool) { s.activeExpire.Store(on) }

// Run removes expired keys and keeps memory in order, in the background, until
// ctx is done.
func (s *Store) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.runExpiry(ctx) })
	wg.Go(func() { s.runUpkeep(ctx) })
	wg.Wait()
	return nil
}

func (s *Store) runExpiry(ctx context.Context) {
	tick := time.NewTicker(cyclePeriod)
	defer tick.Stop()
	next := 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if s.activeExpire.Load() && !s.keepsExpired(now.UnixMilli()) {
				next = s.expireCycle(now, next)
			}
		}
	}
}

// expireCycle visits the partitions from the given one on, once around or until
// the time is used up, and returns the partition to go on with.
func (s *Store) expireCycle(now time.Time, first int) (next int) {
	began := time.Now()
	var seen, gone int
	next = first
around:
	for i := range partitions {
		pi := (first + i) % partitions
		for db := range s.ndb {
			for s.parts[pi].dbs[db].volatile.Load() > 0 {
				a, b := s.expireSample(pi, db, now.UnixMilli())
				seen, gone = seen+a, gone+b
				if time.Since(began) > cycleBudget {
					s.cycle.capped.Add(1)
					next = pi
					break around
				}
				if b*10 <= a*staleTenths {
					break
				}
			}
		}
	}
	s.cycle.nanos.Add(int64(time.Since(began)))
	s.noteStale(seen, gone)
	return next
}

// noteStale moves the average a twentieth of the way to a sample, as Redis
// does.
func (s *Store) noteStale(seen, gone int) {
	share := 0.0
	if seen > 0 {
		share = 100 * float64(gone) / float64(seen)
	}
	old := math.Float64frombits(s.cycle.stale.Load())
	s.cycle.stale.Store(math.Float64bits(share*0.05 + old*0.95))
}

// expireSample looks at some twenty volatile keys under one hold of the lock
// and removes those whose time has passed. Large tables are looked at in parts.
func (s *Store) expireSample(pi, db int, nowMs int64) (seen, gone int) {
	p := &s.parts[pi]
	p.lock()
	defer p.mu.Unlock()
	d, k := s.DB(db, nowMs), &p.dbs[db]
	g := k.tables.Load()
	if g == nil {
		return 0, 0
	}
	var dead []ds.Record
	var ttl int64
	visit := func(r ds.Record) {
		switch at := r.Expiry(); {
		case at == NoExpiry:
			return
		case expired(at, nowMs):
			dead = append(dead, r)
		default:
			ttl += at - nowMs
		}
		seen++
	}
	c := &k.cursor
	for visits, tables := 0, 0; seen < sampleKeys && visits < sampleVisits && tables <= slotsPerPartition; {
		t, more := g.Table(c.table), false
		if t.Expiring() > 0 {
			visits++
			dead = dead[:0]
			c.pos, more = t.Scan(p.shard, c.pos, visit)
			for _, r := range dead {
				at := d.find(r.Key())
				d.expire(&at)
			}
			gone += len(dead)
		}
		if !more {
			tables++
			c.table, c.pos = (c.table+1)%slotsPerPartition, 0
		}
	}
	if alive := seen - gone; alive > 0 {
		k.noteTTL(ttl / int64(alive))
	}
	return seen, gone
}

// noteTTL moves the average a fiftieth of the way to a sample, as Redis does.
func (k *keys) noteTTL(sample int64) {
	if avg := k.avgTTL.Load(); avg != 0 {
		sample = avg/50*49 + sample/50
	}
	k.avgTTL.Store(sample)
}
