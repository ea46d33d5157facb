package kv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"conclave/kv/ds"
	"conclave/kv/ds/arena"
	"conclave/kv/ds/deque"
	"conclave/kv/ds/order"
	"conclave/kv/ds/packed"
)

// A collection is a key's value that has elements. While it is small it is a run
// of bytes, its flat form, in the key's record; DUMP, snapshots and copies take
// it as such. When it outgrows the limits of its type it becomes an object: the
// record then holds the object's number in its partition, and the object's memory
// lies in the partition's members, which are off-heap too.

// object is a collection that is too large for a record. Its partition is
// locked, or was locked throughout by whoever made it.
type object interface {
	// count is the number of elements, in the sense of HLEN, LLEN, ...
	count() int
	// bytes is the memory that it takes, about.
	bytes() int64
	// flatten appends the flat form.
	flatten(p *partition, dst []byte) []byte
	// clone makes a copy in a partition, that from which it comes or another one.
	clone(from, to *partition) object
	// release gives all memory back, or has it given back in parts (bury).
	release(p *partition)
}

// objects are a partition's objects by number.
type objects struct {
	all  []object
	free []uint32
}

func (o *objects) add(x object) uint32 {
	if n := len(o.free); n > 0 {
		i := o.free[n-1]
		o.free = o.free[:n-1]
		o.all[i] = x
		return i
	}
	o.all = append(o.all, x)
	return uint32(len(o.all) - 1)
}

func (o *objects) remove(i uint32) object {
	x := o.all[i]
	o.all[i] = nil
	o.free = append(o.free, i)
	return x
}

// handleSize is the size of an owned record's value.
const handleSize = 4

func putHandle(val []byte, n uint32) { binary.LittleEndian.PutUint32(val, n) }

func handleOf(val []byte) uint32 { return binary.LittleEndian.Uint32(val) }

// members is what objects are made of in one partition: a shard of its own, whose
// memory stays where it is, and what allocates in it.
type members struct {
	*ds.Shard
	lists *deque.Nodes
	trees *order.Forest

	streams streamGraves
}

func (m *members) init(sp *ds.Space) {
	m.Shard = sp.NewShard()
	m.lists = deque.NewNodes(m.Nodes())
	m.trees = order.NewForest(m.Nodes(), m.compareKeys)
}

// Bytes is the memory that the objects take. No lock is needed.
func (m *members) Bytes() int64 {
	return m.Shard.Bytes() - m.trees.Buried() - m.lists.Buried() - m.streams.Buried() + m.streams.onHeap.Load()
}

// Buried is the memory of objects that have been given up but not freed yet. No
// lock is needed.
func (m *members) Buried() int64 {
	return m.Shard.Buried() + m.trees.Buried() + m.lists.Buried() + m.streams.Buried()
}

// Graves reports whether there is something to reap.
func (m *members) Graves() bool {
	return m.Shard.Graves() || m.trees.Graves() || m.lists.Graves() || m.streams.Graves()
}

// Reap frees up to about n records and nodes of objects that have been given up,
// and reports whether there are more.
func (m *members) Reap(n int) (more bool) {
	more = m.Shard.Reap(n)
	if m.trees.Graves() {
		more = m.trees.Reap(n) || more
		m.CountNodes()
	}
	if m.lists.Graves() {
		more = m.lists.Reap(n) || more
		m.CountNodes()
	}
	return more
}

// compareKeys orders records by their keys.
func (m *members) compareKeys(a, b uint64) int {
	if a == b {
		return 0
	}
	return bytes.Compare(m.RecordAt(arena.Ref(a)).Key(), m.RecordAt(arena.Ref(b)).Key())
}

// object is the object of a record, which is owned.
func (p *partition) object(r ds.Record) object { return p.objects.all[handleOf(r.Value())] }

// Release implements [ds.Owner].
func (p *partition) Release(r ds.Record) {
	p.objects.remove(handleOf(r.Value())).release(p)
	p.members.CountNodes()
}

// Flatten implements [ds.Owner].
func (p *partition) Flatten(dst []byte, r ds.Record) []byte { return p.object(r).flatten(p, dst) }

// isOwned reports whether a record's value is the number of an object.
func isOwned(kind byte) bool { return kind&ds.Owned != 0 }

// open finds a key for a command on collections of a type: as Lookup does, but
// ok is false if the key holds something else. at is zero before.
func (d DB) open(at *place, key []byte, t Type, a Access) (ok bool) {
	d.look(at, key, a)
	if !at.found() {
		if a&count != 0 {
			at.part.counters.misses.Add(1)
			d.missed(at.part, key, a)
		}
		return true
	}
	if a&count != 0 {
		at.part.counters.hits.Add(1)
	}
	if a&refresh != 0 {
		touch(at.Record, d.now, d.s.lfu.Load())
	}
	return typeOf(at.Kind()) == t
}

// object is the key's object, or nil if it is flat or absent.
func (at *place) object() object {
	if at.found() && isOwned(at.Kind()) {
		return at.part.object(at.Record)
	}
	return nil
}

// flat is the key's flat value; empty if the key is absent. It is not owned.
func (at *place) flat() packed.List {
	if !at.found() {
		return nil
	}
	return at.Value()
}

// splice puts bytes in the place of those from pos to end of the flat value of a
// key, which is made if it is absent. ins must not lie in the store's memory.
func (d DB) splice(at *place, key []byte, k byte, pos, end int, ins []byte) {
	if !at.found() {
		d.setFlat(at, key, k, ins)
		return
	}
	old := len(at.Value())
	size := old - (end - pos) + len(ins)
	if size < old {
		v := at.table.Change(at.part.shard, &at.Place)
		copy(v[pos+len(ins):], v[end:])
		copy(v[pos:], ins)
		at.table.Resize(at.part.shard, &at.Place, k, at.Expiry(), size, true)
		return
	}
	v := at.table.Resize(at.part.shard, &at.Place, k, at.Expiry(), size, true).Value()
	copy(v[pos+len(ins):], v[end:old])
	copy(v[pos:], ins)
}

// setFlat replaces the value of a key by bytes, and makes the key if it is absent.
// val must not lie in the store's memory.
func (d DB) setFlat(at *place, key []byte, k byte, val []byte) {
	absent := !at.found()
	copy(d.put(at, key, k, KeepTTL, len(val), false), val)
	if absent {
		at.Place = at.table.Find(at.part.shard, at.hash, key)
	}
}

// setObject makes the key's value an object, in place of what it was.
func (d DB) setObject(at *place, key []byte, k byte, x object) {
	var handle [handleSize]byte
	putHandle(handle[:], at.part.objects.add(x))
	d.setFlat(at, key, k, handle[:])
	at.part.members.CountNodes()
}

// dropObject frees the key's object, before the key's value is replaced.
func (at *place) dropObject() {
	at.edit()
	at.part.Release(at.Record)
}

// edit has to be called before the key's object is changed: it gives a snapshot
// the chance to take the object as it was.
func (at *place) edit() { at.table.Change(at.part.shard, &at.Place) }

// remove deletes a key that is present, without telling anybody.
func (at *place) remove() {
	at.unlink()
	at.release()
}

// Count is the number of elements of a collection.
func (e Entry) count() int {
	if isOwned(e.r.Kind()) {
		return e.part.object(e.r).count()
	}
	return flatCount(e.r.Kind(), e.r.Value())
}

// AppendFlat appends the flat form of a collection: what [DB.SetFlat] takes.
func (e Entry) AppendFlat(dst []byte) []byte {
	if isOwned(e.r.Kind()) {
		return e.part.object(e.r).flatten(e.part, dst)
	}
	return appendFlat(dst, e.r.Kind(), e.r.Value())
}

// Flat is the flat form of a collection. What is returned is good until the next
// visit, and doesn't lie in the store's memory.
func (v *Saved) Flat() packed.List {
	if isOwned(v.kind) {
		return v.val
	}
	if v.Type() == List {
		return listBody(v.val)
	}
	if v.Encoding() == Intset {
		v.scratch = appendFlat(v.scratch[:0], v.kind, v.val)
		return v.scratch
	}
	return v.val
}

// SetFlat makes the key a collection of a type with the elements of a flat form,
// which is valid, not empty, and not in the store's memory. What the key was is
// gone, with its expiry if that isn't KeepTTL.
func (d DB) SetFlat(key []byte, t Type, flat packed.List, expiry int64) {
	var at place
	d.live(&at, key)
	at.part.build(d, &at, key, t, flat)
	if expiry != KeepTTL {
		at.keys.countExpiry(at.Expiry(), expiry)
		at.table.SetExpiry(at.part.shard, &at.Place, expiry)
	}
	d.changed(at.part, key)
}

// build gives the key the value that a flat form stands for, in the
// representation that the limits ask for.
func (p *partition) build(d DB, at *place, key []byte, t Type, flat packed.List) {
	switch t {
	case Hash:
		d.buildHash(at, key, flat)
	case Stream:
		d.buildStream(at, key, flat)
	case List:
		d.buildList(at, key, flat)
	case Set:
		d.buildSet(at, key, flat)
	case ZSet:
		d.buildZSet(at, key, flat)
	default:
		panic(fmt.Sprintf("kv: no collection of type %v", t))
	}
}

// flatCount is the number of elements of a flat value.
func flatCount(k byte, val []byte) int {
	if typeOf(k) == List {
		return listLen(val)
	}
	if encodingOf(k) == Intset {
		return intset(val).count()
	}
	n := packed.List(val).Count()
	if typeOf(k) == Hash || typeOf(k) == ZSet {
		return n / 2
	}
	return n
}

// appendFlat appends the flat form of a value that is not owned.
func appendFlat(dst []byte, k byte, val []byte) []byte {
	if typeOf(k) == List {
		return append(dst, listBody(val)...)
	}
	if encodingOf(k) == Intset {
		return intset(val).appendList(dst)
	}
	return append(dst, val...)
}

// Limits say how large collections may become before they are objects; Redis's
// directives of the same names.
type Limits struct {
	HashEntries, HashValue     int // hash-max-listpack-entries, -value
	SetEntries, SetValue       int // set-max-listpack-entries, -value
	IntsetEntries              int // set-max-intset-entries
	ZSetEntries, ZSetValue     int // zset-max-listpack-entries, -value
	ListSize                   int // list-max-listpack-size: entries, or -1 to -5 for 4 to 64 KiB
	StreamBytes, StreamEntries int // stream-node-max-bytes, -entries
}

// DefaultLimits are Redis's.
func DefaultLimits() Limits {
	return Limits{
		HashEntries: 512, HashValue: 64,
		SetEntries: 128, SetValue: 64, IntsetEntries: 512,
		ZSetEntries: 128, ZSetValue: 64,
		ListSize: -2, StreamBytes: 4096, StreamEntries: 100,
	}
}

// SetLimits takes effect with the next change of each collection. No partition
// need be locked.
func (s *Store) SetLimits(l Limits) { s.limits.Store(&l) }

// Limits are those in effect. No partition need be locked.
func (s *Store) Limits() *Limits { return s.limits.Load() }

type limits = atomic.Pointer[Limits]
