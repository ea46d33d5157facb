package kv

import (
	"math/bits"
	"math/rand/v2"

	"conclave/fsm/slot"
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
	if t := k.table(sl); t == nil || t.n.Load() == 0 {
		return 0, false
	}
	if !o.Locked {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	t := k.table(sl) // the table may have been flushed away meanwhile
	if t == nil {
		return 0, false
	}
	more = true
	for more && *found < o.Count && *buckets > 0 {
		*buckets--
		pos, more = t.scan(pos, func(r *record) {
			*found++
			visit(d.entry(r))
		})
	}
	return pos, more
}

// EachInSlot calls visit for every key of one slot until it returns false,
// those included whose time has passed but whose record is still there. The
// slot's partition is locked; visit must not change the store.
func (d DB) EachInSlot(sl int, visit func(Entry) bool) {
	if t := d.s.parts[sl%partitions].dbs[d.n].table(sl); t != nil {
		t.each(func(r *record) bool { return visit(d.entry(r)) })
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
	ts := d.s.parts[i].dbs[d.n].tables.Load()
	if ts == nil {
		return
	}
	for j := range ts {
		ts[j].each(func(r *record) bool {
			if !r.expired(d.now) {
				visit(d.entry(r))
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
	k := &d.s.parts[i].dbs[d.n]
	ts := k.tables.Load()
	if ts == nil {
		return dst, false
	}
	for j := range ts {
		t := &ts[j]
		n := int64(t.n.Load())
		if nth >= n {
			nth -= n
			continue
		}
		r := t.random()
		if r.expired(d.now) {
			d.expire(&d.s.parts[i], k, t, r)
			return dst, false
		}
		return append(dst, r.key...), true
	}
	return dst, false
}

// random is a random record of a table that isn't empty.
func (t *table) random() *record {
	for {
		var n int
		head := t.buckets[rand.IntN(len(t.buckets))]
		for r := head; r != nil; r = r.next {
			n++
		}
		if n == 0 {
			continue
		}
		for n = rand.IntN(n); n > 0; n-- {
			head = head.next
		}
		return head
	}
}
