package kv

import (
	"math/bits"
	"math/rand/v2"

	"conclave/fsm/slot"
	"conclave/kv/ds"
	"conclave/resp/command"
)

// slotBits of a SCAN cursor hold the slot; the rest is the position in the
// slot's table, bit-reversed so that cursors of small tables are small numbers
// (clients keep cursors in doubles).
const slotBits = 14

// AnySlot makes Scan walk all slots.
const AnySlot = -1

// maxEmptyBuckets bounds the work of one Scan by a multiple of the count asked
// for, as Redis does.
const maxEmptyBuckets = 10

// ScanOptions say what one step of a scan covers.
type ScanOptions struct {
	Slot  int // one slot, or AnySlot
	Count int // about how many keys to look at, at least 1
	// Locked says that the caller holds every partition (EXEC); otherwise it
	// holds none and Scan locks one partition at a time.
	Locked bool
}

// Scan is one step of an iteration over the database: it calls visit for some
// keys, those included whose time has passed but whose record is still there,
// and returns the cursor that continues; 0 begins and ends. Every key that is
// present during the whole iteration is visited at least once. visit must not
// change the store.
func (d DB) Scan(cursor uint64, o ScanOptions, visit func(Entry)) uint64 {
	sl, pos := int(cursor&(slot.Count-1)), bits.Reverse64(cursor>>slotBits)
	end := slot.Count
	if o.Slot != AnySlot {
		if sl > o.Slot {
			return 0
		}
		if sl < o.Slot {
			sl, pos = o.Slot, 0
		}
		end = o.Slot + 1
	}
	found, buckets := 0, max(o.Count, 1)*maxEmptyBuckets
	for sl < end {
		next, more := d.scanSlot(sl, pos, o, &found, &buckets, visit)
		if pos = next; !more {
			sl, pos = sl+1, 0
		}
		if found >= o.Count || buckets <= 0 {
			break
		}
	}
	if sl >= end {
		return 0
	}
	return bits.Reverse64(pos)<<slotBits | uint64(sl)
}

// scanSlot scans one slot from pos until the slot or the budget is used up.
func (d DB) scanSlot(sl int, pos uint64, o ScanOptions, found, buckets *int, visit func(Entry)) (next uint64, more bool) {
	p := &d.s.parts[sl%partitions]
	k := &p.dbs[d.n]
	if t := k.table(sl); t == nil || t.Len() == 0 {
		return 0, false
	}
	if !o.Locked {
		p.lock()
		defer p.mu.Unlock()
	}
	t := k.table(sl) // the table may have been flushed away meanwhile
	if t == nil {
		return 0, false
	}
	more = true
	for more && *found < o.Count && *buckets > 0 {
		*buckets--
		pos, more = t.Scan(p.shard, pos, func(r ds.Record) {
			*found++
			visit(d.entry(p, r))
		})
	}
	return pos, more
}

// EachInSlot calls visit for every key of one slot until it returns false,
// those included whose time has passed but whose record is still there. The
// slot's partition is locked; visit must not change the store.
func (d DB) EachInSlot(sl int, visit func(Entry) bool) {
	p := &d.s.parts[sl%partitions]
	if t := p.dbs[d.n].table(sl); t != nil {
		t.Each(p.shard, func(r ds.Record) bool { return visit(d.entry(p, r)) })
	}
}

// Each calls visit for every key whose time has not passed, one partition after
// the other: all are locked (locked) or none, and each is then locked while it
// is visited. visit must not change the store.
func (d DB) Each(locked bool, visit func(Entry)) {
	for i := range d.s.parts {
		if d.s.parts[i].dbs[d.n].n.Load() > 0 {
			d.eachInPartition(i, locked, visit)
		}
	}
}

func (d DB) eachInPartition(i int, locked bool, visit func(Entry)) {
	if !locked {
		mask := command.PartitionOf(i)
		d.s.Lock(mask)
		defer d.s.Unlock(mask)
	}
	p := &d.s.parts[i]
	g := p.dbs[d.n].tables.Load()
	if g == nil {
		return
	}
	for j := range slotsPerPartition {
		g.Table(j).Each(p.shard, func(r ds.Record) bool {
			if !expired(r.Expiry(), d.now) {
				visit(d.entry(p, r))
			}
			return true
		})
	}
}

// randomAttempts bounds the search for a key whose time has not passed, in a
// database that holds little else.
const randomAttempts = 100

// RandomKey appends the name of a random key to dst. It locks what it needs
// unless all partitions are locked already.
func (d DB) RandomKey(dst []byte, locked bool) ([]byte, bool) {
	for range randomAttempts {
		total := d.Len()
		if total == 0 {
			return dst, false
		}
		nth := rand.Int64N(total)
		for i := range d.s.parts {
			n := d.s.parts[i].dbs[d.n].n.Load()
			if nth >= n {
				nth -= n
				continue
			}
			if key, ok := d.randomInPartition(i, nth, dst, locked); ok {
				return key, true
			}
			break
		}
	}
	return dst, false
}

// randomInPartition picks the slot that holds the partition's nth key, and in
// it a random bucket.
func (d DB) randomInPartition(i int, nth int64, dst []byte, locked bool) ([]byte, bool) {
	if !locked {
		mask := command.PartitionOf(i)
		d.s.Lock(mask)
		defer d.s.Unlock(mask)
	}
	p := &d.s.parts[i]
	g := p.dbs[d.n].tables.Load()
	if g == nil {
		return dst, false
	}
	for j := range slotsPerPartition {
		t := g.Table(j)
		n := int64(t.Len())
		if nth >= n {
			nth -= n
			continue
		}
		r := random(t, p.shard)
		if expired(r.Expiry(), d.now) {
			if !d.s.keepsExpired(d.now) {
				at := d.find(r.Key())
				d.expire(&at)
			}
			return dst, false
		}
		return append(dst, r.Key()...), true
	}
	return dst, false
}

// random is a random record of a table that isn't empty.
func random(t *ds.Table, shard *ds.Shard) (picked ds.Record) {
	for n := 0; n == 0; {
		t.Sample(shard, rand.Uint64(), func(r ds.Record) {
			if n++; rand.IntN(n) == 0 {
				picked = r
			}
		})
	}
	return picked
}
