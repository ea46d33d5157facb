package kv

import (
	"math/bits"
	"math/rand/v2"

	"conclave/kv/ds"
	"conclave/kv/ds/packed"
)

// flatMax is the size in bytes beyond which no limit keeps a value flat.
const flatMax = 1 << 30

// HashKey is a key that holds a hash, or none yet. It is good until the partition
// is unlocked; whoever changes it ends with Commit.
type HashKey struct {
	d       DB
	at      place
	key     []byte
	changed bool
}

// Hash opens a key for a command on hashes. ok is false if it holds something
// else.
func (d DB) Hash(key []byte, a Access) (h HashKey, ok bool) {
	h.d, h.key = d, key
	ok = d.open(&h.at, key, Hash, a)
	return h, ok
}

// Exists reports whether the key is there.
func (h *HashKey) Exists() bool { return h.at.found() }

// Len is the number of fields.
func (h *HashKey) Len() int {
	if o := h.object(); o != nil {
		return o.count()
	}
	return h.at.flat().Count() / 2
}

// Get is a field's value, in the store's memory, or an integer in its place.
func (h *HashKey) Get(field []byte) (v packed.Value, ok bool) {
	if o := h.object(); o != nil {
		f := o.find(h.at.part, field)
		if f.IsZero() {
			return v, false
		}
		return packed.Value{Bytes: f.Value()}, true
	}
	list := h.at.flat()
	pos, ok := list.Find(0, field, 1)
	if !ok {
		return v, false
	}
	_, pos = list.At(pos)
	v, _ = list.At(pos)
	return v, true
}

// Set gives a field a value, and reports whether the field is new. Neither may lie
// in the store's memory.
func (h *HashKey) Set(field, val []byte) (added bool) {
	h.changed = true
	l := h.d.s.Limits()
	o := h.object()
	if o == nil {
		list := h.at.flat()
		pos, fields, there := list.Locate(0, field, 1)
		switch {
		case len(field) > l.HashValue || len(val) > l.HashValue, !there && fields >= l.HashEntries,
			len(list)+len(field)+len(val) > flatMax:
			o = h.grow()
		case there:
			_, pos = list.At(pos)
			_, end := list.At(pos)
			var scratch [96]byte
			h.d.splice(&h.at, h.key, kind(Hash, Listpack), pos, end, packed.List(scratch[:0]).Append(val))
			return false
		default:
			var scratch [192]byte
			entry := packed.List(scratch[:0]).Append(field).Append(val)
			h.d.splice(&h.at, h.key, kind(Hash, Listpack), len(list), len(list), entry)
			return true
		}
	}
	h.at.edit()
	return o.set(h.at.part, field, val)
}

// Delete removes a field and reports whether it was there.
func (h *HashKey) Delete(field []byte) bool {
	if o := h.object(); o != nil {
		f := o.find(h.at.part, field)
		if f.IsZero() {
			return false
		}
		h.at.edit()
		o.t.Delete(h.at.part.members.Shard, &f)
		h.changed = true
		return true
	}
	list := h.at.flat()
	pos, ok := list.Find(0, field, 1)
	if !ok {
		return false
	}
	_, end := list.At(pos)
	_, end = list.At(end)
	h.d.splice(&h.at, h.key, kind(Hash, Listpack), pos, end, nil)
	h.changed = true
	return true
}

// Each calls visit for every field until it returns false. visit must not change
// the hash.
func (h *HashKey) Each(visit func(field, val packed.Value) bool) {
	if o := h.object(); o != nil {
		o.t.Each(h.at.part.members.Shard, func(r ds.Record) bool {
			return visit(packed.Value{Bytes: r.Key()}, packed.Value{Bytes: r.Value()})
		})
		return
	}
	list := h.at.flat()
	for pos := 0; pos < len(list); {
		var field, val packed.Value
		field, pos = list.At(pos)
		val, pos = list.At(pos)
		if !visit(field, val) {
			return
		}
	}
}

// Scan is one step of HSCAN: cursors are as those of [DB.Scan]. A hash that is
// flat is shown as a whole.
func (h *HashKey) Scan(cursor uint64, n int, visit func(field, val packed.Value)) (next uint64) {
	o := h.object()
	if o == nil {
		h.Each(func(field, val packed.Value) bool {
			visit(field, val)
			return true
		})
		return 0
	}
	return scanTable(o.t, h.at.part.members.Shard, cursor, n, func(r ds.Record) {
		visit(packed.Value{Bytes: r.Key()}, packed.Value{Bytes: r.Value()})
	})
}

// Random is a random field of a hash that is there.
func (h *HashKey) Random() (field, val packed.Value) {
	if o := h.object(); o != nil {
		r := o.t.Random(h.at.part.members.Shard, rand.Uint64)
		return packed.Value{Bytes: r.Key()}, packed.Value{Bytes: r.Value()}
	}
	list := h.at.flat()
	pos, _ := list.Seek(2 * rand.IntN(list.Count()/2))
	field, pos = list.At(pos)
	val, _ = list.At(pos)
	return field, val
}

// Sample calls visit for n different fields drawn by chance, or for all if there
// are no more. visit must not change the hash.
func (h *HashKey) Sample(n int, visit func(field, val packed.Value)) {
	if o := h.object(); o != nil {
		sample(o.t, h.at.part.members.Shard, n, func(r ds.Record) {
			visit(packed.Value{Bytes: r.Key()}, packed.Value{Bytes: r.Value()})
		})
		return
	}
	size := h.Len()
	s := selection{min(n, size), size}
	h.Each(func(field, val packed.Value) bool {
		if s.take() {
			visit(field, val)
		}
		return s.want > 0
	})
}

// Commit ends a change: a hash without fields is removed, and who watches the key
// is told. It reports whether the key was removed.
func (h *HashKey) Commit() (removed bool) {
	if !h.changed {
		return false
	}
	h.changed = false
	if h.at.found() && h.empty() {
		h.at.remove()
		removed = true
	}
	h.at.part.members.CountNodes()
	h.d.changed(h.at.part, h.key)
	return removed
}

func (h *HashKey) empty() bool {
	if o := h.object(); o != nil {
		return o.count() == 0
	}
	return len(h.at.Value()) == 0
}

func (h *HashKey) object() *hashObject {
	o, _ := h.at.object().(*hashObject)
	return o
}

// grow makes an object of the key's flat hash.
func (h *HashKey) grow() *hashObject {
	o := newHashObject(h.at.part, h.at.flat())
	h.d.setObject(&h.at, h.key, kind(Hash, Hashtable), o)
	return o
}

// buildHash gives a key the hash that a flat form stands for.
func (d DB) buildHash(at *place, key []byte, flat packed.List) {
	l := d.s.Limits()
	small, n := true, 0
	for pos := 0; pos < len(flat) && small; n++ {
		var v packed.Value
		v, pos = flat.At(pos)
		small = n/2 < l.HashEntries && v.Len() <= l.HashValue
	}
	if small && len(flat) <= flatMax {
		d.setFlat(at, key, kind(Hash, Listpack), flat)
		return
	}
	d.setObject(at, key, kind(Hash, Hashtable), newHashObject(at.part, flat))
}

// hashObject is a table of records whose keys are the fields.
type hashObject struct{ t *ds.Table }

func newHashObject(p *partition, flat packed.List) *hashObject {
	o := &hashObject{ds.NewGroup(1).Table(0)}
	var field, val [64]byte
	for pos := 0; pos < len(flat); {
		var f, v packed.Value
		f, pos = flat.At(pos)
		v, pos = flat.At(pos)
		o.set(p, f.Append(field[:0]), v.Append(val[:0]))
	}
	return o
}

func (o *hashObject) find(p *partition, field []byte) ds.Place {
	return o.t.Find(p.members.Shard, p.members.Hash(field), field)
}

func (o *hashObject) set(p *partition, field, val []byte) (added bool) {
	m := p.members.Shard
	hash := m.Hash(field)
	if f := o.t.Find(m, hash, field); !f.IsZero() {
		copy(o.t.Resize(m, &f, 0, 0, len(val), false).Value(), val)
		return false
	}
	copy(o.t.Insert(m, hash, field, 0, 0, 0, len(val)).Value(), val)
	return true
}

func (o *hashObject) count() int   { return o.t.Len() }
func (o *hashObject) bytes() int64 { return o.t.Bytes() }

func (o *hashObject) flatten(p *partition, dst []byte) []byte {
	list := packed.List(dst)
	o.t.Each(p.members.Shard, func(r ds.Record) bool {
		list = list.Append(r.Key()).Append(r.Value())
		return true
	})
	return list
}

func (o *hashObject) clone(from, to *partition) object {
	c := &hashObject{ds.NewGroup(1).Table(0)}
	o.t.Each(from.members.Shard, func(r ds.Record) bool {
		c.set(to, r.Key(), r.Value())
		return true
	})
	return c
}

func (o *hashObject) release(p *partition) { p.members.Bury(o.t.Group()) }

// scanTable is one step of a scan of an object's table.
func scanTable(t *ds.Table, m *ds.Shard, cursor uint64, n int, visit func(ds.Record)) (next uint64) {
	pos, more, found := bits.Reverse64(cursor), true, 0
	for buckets := n * maxEmptyBuckets; more && found < n && buckets > 0; buckets-- {
		pos, more = t.Scan(m, pos, func(r ds.Record) {
			found++
			visit(r)
		})
	}
	return bits.Reverse64(pos)
}
