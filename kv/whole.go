package kv

import (
	"bytes"

	"conclave/kv/ds"
)

// A flush gives tables up, which costs nothing per key. Their memory is freed in
// parts: some at once, some with every key that is added, and the rest by Run,
// beside the commands; that is what ASYNC asks for.
const (
	reapAtOnce = 64 // records per partition
	reapPerKey = 4
)

// FlushAll empties every database and returns how many keys there were. All
// partitions are locked.
func (s *Store) FlushAll() int64 {
	var n int64
	for db := range s.ndb {
		n += s.flush(db)
	}
	s.tellFlushed(AllDatabases)
	return n
}

// FlushDB empties one database and returns how many keys there were. All
// partitions are locked.
func (s *Store) FlushDB(db int) int64 {
	n := s.flush(db)
	s.tellFlushed(db)
	return n
}

func (s *Store) flush(db int) int64 {
	var n int64
	for i := range s.parts {
		p := &s.parts[i]
		k := &p.dbs[db]
		s.touchFlushed(p, db)
		n += k.n.Load()
		k.drop(p)
	}
	s.parts[0].counters.dirty.Add(n)
	return n
}

// FlushSlot removes every key of one slot, in every database, and returns how
// many there were. The slot's partition is locked.
func (s *Store) FlushSlot(sl int) int64 {
	p := &s.parts[sl%partitions]
	var n int64
	for db := range p.dbs {
		k := &p.dbs[db]
		t := k.table(sl)
		if t == nil || t.Len() == 0 {
			continue
		}
		var gone [][]byte
		if p.watching.Load() != 0 || len(s.events.changed) > 0 {
			t.Each(p.shard, func(r ds.Record) bool {
				gone = append(gone, bytes.Clone(r.Key()))
				return true
			})
		}
		count := int64(t.Len())
		k.forget(count, int64(t.Expiring()))
		p.shard.BuryTable(t)
		p.reap(reapAtOnce)
		p.counters.dirty.Add(count)
		for _, key := range gone {
			d := s.DB(db, 0)
			if p.watching.Load() != 0 {
				d.touchWatchers(p, key)
			}
			d.tell(s.events.changed, p, key)
		}
		n += count
	}
	return n
}

// SwapDB exchanges two databases at a time in ms. All partitions are locked.
func (s *Store) SwapDB(a, b int, nowMs int64) {
	if a == b {
		return
	}
	for i := range s.parts {
		p := &s.parts[i]
		s.touchSwapped(p, a, b, nowMs)
		s.touchSwapped(p, b, a, nowMs)
		p.dbs[a].swap(&p.dbs[b])
	}
	s.parts[0].counters.dirty.Add(1)
	s.tellFlushed(a)
	s.tellFlushed(b)
}

func (k *keys) swap(o *keys) {
	k.tables.Store(o.tables.Swap(k.tables.Load()))
	k.n.Store(o.n.Swap(k.n.Load()))
	k.volatile.Store(o.volatile.Swap(k.volatile.Load()))
	k.avgTTL.Store(o.avgTTL.Swap(k.avgTTL.Load()))
	k.cursor, o.cursor = o.cursor, k.cursor
}

// CountInSlot is the number of keys of one slot in database 0, those included
// whose time has passed but whose record is still there. No partition need be
// locked.
func (s *Store) CountInSlot(sl int) int {
	if t := s.parts[sl%partitions].dbs[0].table(sl); t != nil {
		return t.Len()
	}
	return 0
}

// KeysInSlot calls visit for up to n keys of one slot in database 0, in no
// particular order. The slot's partition is locked.
func (s *Store) KeysInSlot(sl, n int, visit func(key []byte)) {
	p := &s.parts[sl%partitions]
	t := p.dbs[0].table(sl)
	if t == nil || n <= 0 {
		return
	}
	t.Each(p.shard, func(r ds.Record) bool {
		visit(r.Key())
		n--
		return n > 0
	})
}
