package kv

import (
	"bytes"
	"hash/maphash"

	"conclave/fsm/slot"
)

// Special values of an expiry.
const (
	NoExpiry int64 = 0
	KeepTTL  int64 = -1 // what the key had, if it was there
)

// Access says what a lookup leaves behind.
type Access uint8

// A lookup by a command that reads counts as hit or miss and refreshes the
// access time; one by a command that writes only refreshes it.
const (
	count Access = 1 << iota
	refresh

	ForRead   = count | refresh
	ForWrite  = refresh
	Untouched = count // as CLIENT NO-TOUCH reads
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
	part *partition
	keys *keys
	slot int
	hash uint64
	made bool // the key was absent before
}

func (d DB) place(key []byte) place {
	sl := slot.Of(key)
	p := &d.s.parts[sl%partitions]
	return place{part: p, keys: &p.dbs[d.n], slot: sl, hash: maphash.Bytes(d.s.seed, key)}
}

func (d DB) find(key []byte) (place, *table, *record) {
	at := d.place(key)
	t := at.keys.table(at.slot)
	if t == nil {
		return at, nil, nil
	}
	return at, t, t.find(at.hash, key)
}

// live is find, with a record whose time has passed removed.
func (d DB) live(key []byte) (place, *table, *record) {
	at, t, r := d.find(key)
	if r != nil && r.expired(d.now) {
		d.expire(at.part, at.keys, t, r)
		r = nil
	}
	return at, t, r
}

func (d DB) entry(r *record) Entry { return Entry{r, d.now, d.s.lfu.Load()} }

// Lookup finds a key. A key whose time has passed is removed and not found.
func (d DB) Lookup(key []byte, a Access) (Entry, bool) {
	at, _, r := d.live(key)
	if r == nil {
		if a&count != 0 {
			at.part.counters.misses.Add(1)
		}
		return Entry{}, false
	}
	e := d.entry(r)
	if a&count != 0 {
		at.part.counters.hits.Add(1)
	}
	if a&refresh != 0 {
		r.touch(d.now, e.lfu)
	}
	return e, true
}

// Exists reports whether the key is present.
func (d DB) Exists(key []byte) bool { return d.s.Exists(d.n, key, d.now) }

// obtain returns the key's record, made if it is absent, and its size before.
func (d DB) obtain(key []byte) (at place, t *table, r *record, size int64) {
	at, t, r = d.live(key)
	if r != nil {
		return at, t, r, r.size()
	}
	at.made = true
	t = at.keys.makeTable(at.slot)
	r = &record{hash: at.hash, key: append([]byte{}, key...), enc: Embstr}
	r.access = newAccess(d.now, d.s.lfu.Load())
	at.keys.insert(t, r)
	return at, t, r, r.size()
}

// written ends a change that obtain began.
func (d DB) written(at place, r *record, before int64) {
	at.keys.grow(r.size() - before)
	d.changed(at.part, r.key)
}

func (d DB) overwrite(key []byte, expiry int64, set func(*record)) {
	at, t, r, size := d.obtain(key)
	set(r)
	if expiry != KeepTTL {
		at.keys.setExpiry(t, r, expiry)
	}
	d.written(at, r, size)
}

// SetString makes the key a string, whatever it was, encoded as SET would. The
// bytes are copied.
func (d DB) SetString(key, val []byte, expiry int64) {
	at, t, r, size := d.obtain(key)
	r.setValue(val)
	if !at.made {
		r.touch(d.now, d.s.lfu.Load())
	}
	if expiry != KeepTTL {
		at.keys.setExpiry(t, r, expiry)
	}
	d.written(at, r, size)
}

// SetText is SetString, but never encodes as an integer (INCRBYFLOAT).
func (d DB) SetText(key, val []byte, expiry int64) {
	d.overwrite(key, expiry, func(r *record) { r.setText(val) })
}

// SetInt makes the key an integer, keeping its expiry.
func (d DB) SetInt(key []byte, n int64) {
	at, _, r, size := d.obtain(key)
	r.setInt(n)
	d.written(at, r, size)
}

// Edit makes the key a raw string of at least size bytes, padded with zero
// bytes where it grows, and returns its value to be written to before the
// partition is unlocked. An absent key is created; the expiry is kept.
func (d DB) Edit(key []byte, size int) []byte {
	at, _, r, before := d.obtain(key)
	if r.enc == Int {
		r.val = Entry{r: r}.AppendBytes(nil)
	}
	r.enc, r.num = Raw, 0
	if old := len(r.val); size > old {
		if size > cap(r.val) && old == 0 {
			r.val = make([]byte, size)
		} else {
			r.val = append(r.val, make([]byte, size-old)...)
		}
	}
	d.written(at, r, before)
	return r.val
}

// Delete removes the key and reports whether it was there.
func (d DB) Delete(key []byte) bool {
	at, t, r := d.live(key)
	if r == nil {
		return false
	}
	at.keys.remove(t, r)
	d.changed(at.part, r.key)
	return true
}

// SetExpiry makes the key expire at a Unix time in milliseconds, or never
// (NoExpiry). It reports whether the key is there.
func (d DB) SetExpiry(key []byte, at int64) bool {
	pl, t, r := d.live(key)
	if r == nil {
		return false
	}
	pl.keys.setExpiry(t, r, at)
	d.changed(pl.part, r.key)
	return true
}

// Move gives the key another name, possibly in another database, replacing
// what has that name. Expiry and access time go along. It reports whether
// there was such a key. Both keys' partitions are locked.
func (d DB) Move(key []byte, to DB, name []byte) bool {
	at, t, r := d.live(key)
	if r == nil {
		return false
	}
	if d.n == to.n && bytes.Equal(key, name) {
		d.changed(at.part, r.key)
		return true
	}
	at.keys.remove(t, r)
	d.changed(at.part, r.key)
	to.enter(name, r)
	return true
}

// enter enters a record that is in no table under a name.
func (d DB) enter(name []byte, r *record) {
	at, t, old := d.find(name)
	if old != nil {
		at.keys.remove(t, old)
	}
	r.hash, r.key = at.hash, append([]byte{}, name...)
	at.keys.insert(at.keys.makeTable(at.slot), r)
	d.changed(at.part, r.key)
}

// Copy makes name a copy of the key, with its expiry, replacing what has that
// name. It reports whether there was such a key. Both keys' partitions are
// locked.
func (d DB) Copy(key []byte, to DB, name []byte) bool {
	_, _, r := d.live(key)
	if r == nil {
		return false
	}
	c := &record{expire: r.expire, access: newAccess(d.now, d.s.lfu.Load())}
	c.copyValue(r)
	to.enter(name, c)
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
