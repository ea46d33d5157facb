package kv

import (
	"bytes"
	"strconv"

	"conclave/fsm/slot"
	"conclave/kv/ds"
)

// Special values of an expiry.
const (
	NoExpiry int64 = 0
	KeepTTL  int64 = -1 // what the key had, if it was there
)

// Access says what a lookup leaves behind.
type Access uint8

// A lookup by a command that reads counts as hit or miss and refreshes the
// access time; one by a command that writes only refreshes it. Observers are told
// of a miss that counts, unless the lookup is discreet.
const (
	count Access = 1 << iota
	refresh
	discreet

	ForRead   = count | refresh
	ForWrite  = refresh
	Untouched = count            // as CLIENT NO-TOUCH reads
	Inspect   = count | discreet // as OBJECT looks
	Quiet     = Access(0)
)

// DB is one database at one instant: every expiry decision made through it uses
// the same clock. It is a small value, made per command.
type DB struct {
	s   *Store
	n   int
	now int64
}

// DB selects a database, 0 <= n < Databases.
func (s *Store) DB(n int, nowMs int64) DB { return DB{s, n, nowMs} }

// Number is the database's number.
func (d DB) Number() int { return d.n }

// Now is the instant, in Unix milliseconds.
func (d DB) Now() int64 { return d.now }

// Store is the store that the database belongs to.
func (d DB) Store() *Store { return d.s }

// place is where a key is or would be.
type place struct {
	part  *partition
	keys  *keys
	table *ds.Table // nil if there is none yet
	slot  int
	hash  uint64
	ds.Place
}

// found reports whether the key is there.
func (at *place) found() bool { return !at.IsZero() }

func (d DB) place(key []byte) (at place) {
	d.locate(&at, key)
	return at
}

// locate fills in a zero place. Like all that every command goes through it
// takes a pointer: a place is large to be handed back and forth.
func (d DB) locate(at *place, key []byte) {
	at.slot = slot.Of(key)
	at.part = &d.s.parts[at.slot%partitions]
	at.keys = &at.part.dbs[d.n]
	at.table = at.keys.table(at.slot)
	at.hash = d.s.space.Hash(key)
}

func (d DB) find(key []byte) (at place) {
	d.findAt(&at, key)
	return at
}

func (d DB) findAt(at *place, key []byte) {
	d.locate(at, key)
	if at.table != nil {
		at.Place = at.table.Find(at.part.shard, at.hash, key)
	}
}

// live is findAt, with a key whose time has passed removed.
func (d DB) live(at *place, key []byte) {
	d.findAt(at, key)
	if at.found() && expired(at.Expiry(), d.now) {
		d.expire(at)
	}
}

func (d DB) entry(p *partition, r ds.Record) Entry { return Entry{r, p, d.now, d.s.lfu.Load()} }

// Lookup finds a key. A key whose time has passed is removed and not found.
func (d DB) Lookup(key []byte, a Access) (Entry, bool) {
	var at place
	d.look(&at, key, a)
	if !at.found() {
		if a&count != 0 {
			at.part.counters.misses.Add(1)
			d.missed(at.part, key, a)
		}
		return Entry{}, false
	}
	e := d.entry(at.part, at.Record)
	if a&count != 0 {
		at.part.counters.hits.Add(1)
	}
	if a&refresh != 0 {
		touch(at.Record, d.now, e.lfu)
	}
	return e, true
}

// Exists reports whether the key is present.
func (d DB) Exists(key []byte) bool { return d.s.Exists(d.n, key, d.now) }

// put makes room for a value of size bytes under the key, made if it is absent,
// and returns the value to be written. An absent key's expiry can't be kept;
// with keep, as much of a present value as fits is.
func (d DB) put(at *place, key []byte, kind byte, expiry int64, size int, keep bool) []byte {
	if !at.found() {
		if expiry == KeepTTL {
			expiry = NoExpiry
		}
		return d.insert(at, key, kind, newAccess(d.now, d.s.lfu.Load()), expiry, size)
	}
	old := at.Expiry()
	if expiry == KeepTTL {
		expiry = old
	}
	at.keys.countExpiry(old, expiry)
	if !keep && isOwned(at.Kind()) {
		at.dropObject()
	}
	return at.table.Resize(at.part.shard, &at.Place, kind, expiry, size, keep).Value()
}

// insert adds a key that is absent.
func (d DB) insert(at *place, key []byte, kind byte, access uint32, expiry int64, size int) []byte {
	shard := at.part.shard
	if shard.Graves() || at.part.members.Graves() {
		at.part.reap(reapPerKey)
	}
	at.table = at.keys.makeTable(at.slot)
	at.keys.n.Add(1)
	at.keys.countExpiry(NoExpiry, expiry)
	d.tell(d.s.events.added, at.part, key)
	return at.table.Insert(shard, at.hash, key, kind, access, expiry, size).Value()
}

func (k *keys) countExpiry(from, to int64) {
	switch {
	case from == NoExpiry && to != NoExpiry:
		k.volatile.Add(1)
	case from != NoExpiry && to == NoExpiry:
		k.volatile.Add(-1)
	}
}

// unlink takes a key that is present out of its table. Its record is good until
// it is released.
func (at *place) unlink() {
	var volatile int64
	if at.Expiry() != NoExpiry {
		volatile = 1
	}
	at.keys.forget(1, volatile)
	at.table.Unlink(at.part.shard, &at.Place)
}

// release frees the record and what it stands for.
func (at *place) release() {
	if isOwned(at.Kind()) {
		at.part.Release(at.Record)
	}
	at.releaseRecord()
}

// releaseRecord frees the record of a key whose object, if any, has moved.
func (at *place) releaseRecord() {
	at.table.Release(at.part.shard, &at.Place)
	at.Place = ds.Place{}
}

// SetString makes the key a string, whatever it was, encoded as SET would. The
// bytes are copied; they must not be the store's.
func (d DB) SetString(key, val []byte, expiry int64) {
	var at place
	d.live(&at, key)
	had := at.found()
	if n, ok := ParseInt(val); ok {
		putInt(d.put(&at, key, kind(String, Int), expiry, intSize, false), n)
	} else {
		copy(d.put(&at, key, textKind(len(val)), expiry, len(val), false), val)
	}
	if had {
		touch(at.Record, d.now, d.s.lfu.Load())
	}
	d.changed(at.part, key)
}

// SetText is SetString, but never encodes as an integer (INCRBYFLOAT).
func (d DB) SetText(key, val []byte, expiry int64) {
	var at place
	d.live(&at, key)
	copy(d.put(&at, key, textKind(len(val)), expiry, len(val), false), val)
	d.changed(at.part, key)
}

// SetInt makes the key an integer, keeping its expiry.
func (d DB) SetInt(key []byte, n int64) {
	var at place
	d.live(&at, key)
	putInt(d.put(&at, key, kind(String, Int), KeepTTL, intSize, false), n)
	d.changed(at.part, key)
}

// Edit makes the key a raw string of at least size bytes, padded with zero
// bytes where it grows, and returns its value to be written to before the
// partition is unlocked. An absent key is created; the expiry is kept.
func (d DB) Edit(key []byte, size int) []byte {
	var at place
	d.live(&at, key)
	var val []byte
	old, isInt := 0, false
	if at.found() {
		if old, isInt = len(at.Value()), encodingOf(at.Kind()) == Int; isInt {
			var scratch [20]byte
			text := strconv.AppendInt(scratch[:0], intOf(at.Value()), 10)
			old = len(text)
			val = d.put(&at, key, kind(String, Raw), KeepTTL, max(size, old), false)
			copy(val, text)
		}
	}
	if !isInt {
		val = d.put(&at, key, kind(String, Raw), KeepTTL, max(size, old), true)
	}
	clear(val[old:])
	d.changed(at.part, key)
	return val
}

// Blank makes the key a raw string of size zero bytes without expiry, whatever it
// was, and returns its value as Edit does.
func (d DB) Blank(key []byte, size int) []byte {
	var at place
	d.live(&at, key)
	val := d.put(&at, key, kind(String, Raw), NoExpiry, size, false)
	clear(val)
	d.changed(at.part, key)
	return val
}

// Delete removes the key and reports whether it was there.
func (d DB) Delete(key []byte) bool {
	var at place
	d.live(&at, key)
	if !at.found() {
		return false
	}
	at.unlink()
	d.changed(at.part, key)
	at.release()
	return true
}

// SetExpiry makes the key expire at a Unix time in milliseconds, or never
// (NoExpiry). It reports whether the key is there.
func (d DB) SetExpiry(key []byte, expiry int64) bool {
	var at place
	d.live(&at, key)
	if !at.found() {
		return false
	}
	at.keys.countExpiry(at.Expiry(), expiry)
	at.table.SetExpiry(at.part.shard, &at.Place, expiry)
	d.changed(at.part, key)
	return true
}

// Move gives the key another name, possibly in another database, replacing
// what has that name. Expiry and access time go along. It reports whether
// there was such a key. Both keys' partitions are locked.
func (d DB) Move(key []byte, to DB, name []byte) bool {
	var at place
	d.live(&at, key)
	if !at.found() {
		return false
	}
	if d.n == to.n && bytes.Equal(key, name) {
		d.changed(at.part, key)
		return true
	}
	moved := to.enter(name, at.part, at.Record, at.Access(), true)
	at = d.find(key) // entering may have moved it
	at.unlink()
	d.changed(at.part, key)
	if moved {
		at.releaseRecord()
	} else {
		at.release()
	}
	to.changed(to.place(name).part, name)
	return true
}

// enter makes name a copy of another key's record, replacing what has that name.
// With move, the record's object is taken over if it is in the same partition,
// which is reported.
func (d DB) enter(name []byte, from *partition, r ds.Record, access uint32, move bool) (moved bool) {
	at := d.find(name)
	if at.found() {
		at.remove()
	}
	val := r.Value()
	if isOwned(r.Kind()) {
		if moved = move && from == at.part; !moved {
			var handle [handleSize]byte
			putHandle(handle[:], at.part.objects.add(from.object(r).clone(from, at.part)))
			at.part.members.CountNodes()
			val = handle[:]
		}
	}
	copy(d.insert(&at, name, r.Kind(), access, r.Expiry(), len(val)), val)
	return moved
}

// Copy makes name a copy of the key, with its expiry, replacing what has that
// name. It reports whether there was such a key. Both keys' partitions are
// locked.
func (d DB) Copy(key []byte, to DB, name []byte) bool {
	var at place
	d.live(&at, key)
	if !at.found() {
		return false
	}
	if d.n != to.n || !bytes.Equal(key, name) {
		to.enter(name, at.part, at.Record, newAccess(d.now, d.s.lfu.Load()), false)
	}
	to.changed(to.place(name).part, name)
	return true
}

// Len is the number of keys, those included whose time has passed but whose
// record is still there. No partition need be locked.
func (d DB) Len() int64 {
	var n int64
	for i := range d.s.parts {
		n += d.s.parts[i].dbs[d.n].n.Load()
	}
	return n
}
