package kv

import (
	"math/rand/v2"

	"conclave/kv/ds"
	"conclave/kv/ds/order"
	"conclave/kv/ds/packed"
)

// ZSetKey is a key that holds a sorted set, or none yet. It is good until the
// partition is unlocked; whoever changes it ends with Commit.
//
// The flat form of a sorted set is members and scores (see AppendScore) in the
// set's order: by score, then by the members' bytes.
type ZSetKey struct {
	d       DB
	at      place
	key     []byte
	expect  int
	changed bool
	removed bool
}

// ZSet opens a key for a command on sorted sets. ok is false if it holds
// something else.
func (d DB) ZSet(key []byte, a Access) (z ZSetKey, ok bool) {
	z.d, z.key = d, key
	ok = d.open(&z.at, key, ZSet, a)
	return z, ok
}

// Exists reports whether the key is there.
func (z *ZSetKey) Exists() bool { return z.at.found() }

// Len is the number of members.
func (z *ZSetKey) Len() int {
	if o := z.object(); o != nil {
		return o.count()
	}
	return z.at.flat().Count() / 2
}

// Score is a member's score.
func (z *ZSetKey) Score(member []byte) (score float64, ok bool) {
	if o := z.object(); o != nil {
		f := o.find(z.at.part, member)
		if f.IsZero() {
			return 0, false
		}
		return recordScore(f.Value()), true
	}
	list := z.at.flat()
	pos, ok := list.Find(0, member, 1)
	if !ok {
		return 0, false
	}
	_, pos = list.At(pos)
	v, _ := list.At(pos)
	return ScoreOf(v), true
}

// Rank is a member's score, and the number of members before it.
func (z *ZSetKey) Rank(member []byte) (rank int, score float64, ok bool) {
	if o := z.object(); o != nil {
		f := o.find(z.at.part, member)
		if f.IsZero() {
			return 0, 0, false
		}
		score = recordScore(f.Value())
		rank, _ = z.at.part.members.trees.Rank(&o.tree, order.Item{Score: score, Ref: uint64(f.Ref())})
		return rank, score, true
	}
	list := z.at.flat()
	pos, rank, ok := list.Locate(0, member, 1)
	if !ok {
		return 0, 0, false
	}
	_, pos = list.At(pos)
	v, _ := list.At(pos)
	return rank, ScoreOf(v), true
}

// Expect says that about n members are to be added: the set is given the
// representation for as many at once.
func (z *ZSetKey) Expect(n int) {
	z.expect = n
	if n > z.d.s.Limits().ZSetEntries && z.at.found() && z.object() == nil {
		z.grow()
	}
}

// Update asks decide for a member's score, which is no NaN, telling it the one
// that it has; set is false to leave the member alone, or absent. It reports
// whether the member was added, or its score changed. member must not lie in the
// store's memory.
func (z *ZSetKey) Update(member []byte, decide func(old float64, there bool) (score float64, set bool)) (added, changed bool) {
	if o := z.object(); o != nil {
		return z.updateObject(o, member, decide)
	}
	list := z.at.flat()
	pos, n, there := list.Locate(0, member, 1)
	old := 0.0
	scoreAt, end := pos, pos
	if there {
		_, scoreAt = list.At(pos)
		var v packed.Value
		v, end = list.At(scoreAt)
		old = ScoreOf(v)
	}
	score, set := decide(old, there)
	if !set || there && score == old {
		return false, false
	}
	z.changed = true
	var scratch [192]byte
	if there {
		score += 0 // as below
		if flatBetween(list, pos, end, score, member) {
			z.d.splice(&z.at, z.key, kind(ZSet, Listpack), scoreAt, end, AppendScore(scratch[:0], score))
			return false, true
		}
		z.d.splice(&z.at, z.key, kind(ZSet, Listpack), pos, end, nil)
	} else if l := z.d.s.Limits(); n >= l.ZSetEntries || z.expect > l.ZSetEntries ||
		len(member) > l.ZSetValue || len(list)+len(member) > flatMax {
		o := z.grow()
		o.insert(z.at.part, member, score)
		return true, false
	}
	score += 0 // -0 becomes 0: see withoutMinusZero
	at := flatPlace(z.at.flat(), score, member)
	z.d.splice(&z.at, z.key, kind(ZSet, Listpack), at, at, AppendScore(packed.List(scratch[:0]).Append(member), score))
	return !there, there
}

func (z *ZSetKey) updateObject(o *zsetObject, member []byte, decide func(float64, bool) (float64, bool)) (added, changed bool) {
	f := o.find(z.at.part, member)
	if f.IsZero() {
		score, set := decide(0, false)
		if set {
			z.edit()
			o.insert(z.at.part, member, score)
		}
		return set, false
	}
	old := recordScore(f.Value())
	score, set := decide(old, true)
	if !set || score == old {
		return false, false
	}
	z.edit()
	o.move(z.at.part, &f, old, score)
	return false, true
}

// Delete removes a member and reports whether it was there.
func (z *ZSetKey) Delete(member []byte) bool {
	if o := z.object(); o != nil {
		f := o.find(z.at.part, member)
		if f.IsZero() {
			return false
		}
		z.edit()
		o.remove(z.at.part, &f)
		return true
	}
	list := z.at.flat()
	pos, ok := list.Find(0, member, 1)
	if !ok {
		return false
	}
	_, end := list.At(pos)
	_, end = list.At(end)
	z.d.splice(&z.at, z.key, kind(ZSet, Listpack), pos, end, nil)
	z.changed = true
	return true
}

// Random is a random member of a sorted set that is there.
func (z *ZSetKey) Random() (member packed.Value, score float64) {
	at := rand.IntN(z.Len())
	z.Range(at, at+1, false, func(m packed.Value, s float64) bool {
		member, score = m, s
		return false
	})
	return member, score
}

// Sample calls visit for n different members drawn by chance, or for all if
// there are no more: then the last one comes first, as in Redis. visit must not change the set.
func (z *ZSetKey) Sample(n int, visit func(member packed.Value, score float64)) {
	size := z.Len()
	if o := z.object(); o != nil && n < size {
		sample(o.t, z.at.part.members.Shard, n, func(r ds.Record) {
			visit(packed.Value{Bytes: r.Key()}, recordScore(r.Value()))
		})
		return
	}
	s := selection{min(n, size), size}
	z.Range(0, size, true, func(m packed.Value, score float64) bool {
		if s.take() {
			visit(m, score)
		}
		return s.want > 0
	})
}

// Scan is one step of ZSCAN: cursors are as those of [DB.Scan]. A sorted set that
// is flat is shown as a whole, in order.
func (z *ZSetKey) Scan(cursor uint64, n int, visit func(member packed.Value, score float64)) (next uint64) {
	o := z.object()
	if o == nil {
		z.Range(0, z.Len(), false, func(m packed.Value, s float64) bool {
			visit(m, s)
			return true
		})
		return 0
	}
	return o.scan(z.at.part, cursor, n, visit)
}

// Flat reports whether the set lies in its key's record as a list of entries.
func (z *ZSetKey) Flat() bool { return z.object() == nil }

// Commit ends a change: a sorted set without members is removed, and who watches
// the key is told. It reports whether the key was removed.
func (z *ZSetKey) Commit() (removed bool) {
	if !z.changed {
		return false
	}
	z.changed = false
	if z.at.found() && z.empty() {
		z.at.remove()
		z.removed = true
	}
	z.at.part.members.CountNodes()
	z.d.changed(z.at.part, z.key)
	return z.removed
}

func (z *ZSetKey) empty() bool {
	if o := z.object(); o != nil {
		return o.count() == 0
	}
	return len(z.at.flat()) == 0
}

func (z *ZSetKey) object() *zsetObject {
	o, _ := z.at.object().(*zsetObject)
	return o
}

// edit is called before the key's object is changed.
func (z *ZSetKey) edit() {
	z.at.edit()
	z.changed = true
}

// grow makes an object of the key's flat set.
func (z *ZSetKey) grow() *zsetObject {
	o := newZSetObject(z.at.part, z.at.flat())
	z.d.setObject(&z.at, z.key, kind(ZSet, Skiplist), o)
	return o
}

// buildZSet gives a key the sorted set that a flat form stands for.
func (d DB) buildZSet(at *place, key []byte, flat packed.List) {
	l := d.s.Limits()
	small, n := len(flat) <= flatMax, 0
	for pos := 0; pos < len(flat) && small; n++ {
		var v packed.Value
		v, pos = flat.At(pos)
		_, pos = flat.At(pos)
		small = n < l.ZSetEntries && v.Len() <= l.ZSetValue
	}
	if small {
		d.setFlat(at, key, kind(ZSet, Listpack), withoutMinusZero(flat))
		return
	}
	d.setObject(at, key, kind(ZSet, Skiplist), newZSetObject(at.part, flat))
}
