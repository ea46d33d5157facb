package kv

import (
	"math/rand/v2"
	"slices"

	"conclave/kv/ds"
	"conclave/kv/ds/packed"
)

// SetKey is a key that holds a set, or none yet. It is good until the partition is
// unlocked; whoever changes it ends with Commit.
//
// A set begins as an intset if its first member is an integer, and as a packed
// list otherwise; an intset becomes a packed list with the first member that is
// none; what is too large for its form becomes a table.
type SetKey struct {
	d       DB
	at      place
	key     []byte
	changed bool
	expect  int
}

// Set opens a key for a command on sets. ok is false if it holds something else.
func (d DB) Set(key []byte, a Access) (s SetKey, ok bool) {
	s.d, s.key = d, key
	ok = d.open(&s.at, key, Set, a)
	return s, ok
}

// Exists reports whether the key is there.
func (s *SetKey) Exists() bool { return s.at.found() }

// Len is the number of members.
func (s *SetKey) Len() int {
	if o := s.object(); o != nil {
		return o.count()
	}
	if s.isIntset() {
		return s.ints().count()
	}
	return s.at.flat().Count()
}

func (s *SetKey) isIntset() bool { return s.at.found() && encodingOf(s.at.Kind()) == Intset }

func (s *SetKey) ints() intset { return s.at.Value() }

func (s *SetKey) object() *setTable {
	o, _ := s.at.object().(*setTable)
	return o
}

// Has reports whether the set has a member.
func (s *SetKey) Has(member []byte) bool {
	if o := s.object(); o != nil {
		f := o.find(s.at.part, member)
		return !f.IsZero()
	}
	if s.isIntset() {
		n, ok := ParseInt(member)
		if ok {
			_, ok = s.ints().search(n)
		}
		return ok
	}
	_, ok := s.at.flat().Find(0, member, 0)
	return ok
}

// HasValue is Has of a member of another set.
func (s *SetKey) HasValue(v packed.Value) bool {
	if v.Bytes != nil {
		return s.Has(v.Bytes)
	}
	if s.isIntset() {
		_, ok := s.ints().search(v.Int)
		return ok
	}
	var scratch [20]byte
	return s.Has(v.Append(scratch[:0]))
}

// Expect says how many members are about to be added, whether or not they are
// new: a set that may become large is made a table at once.
func (s *SetKey) Expect(n int) {
	s.expect = n
	l := s.d.s.Limits()
	if s.Exists() && s.object() == nil && (s.isIntset() && n > l.intsetMax() || !s.isIntset() && n > l.SetEntries) {
		s.grow()
	}
}

// Add adds a member, which must not lie in the store's memory, and reports
// whether it is new.
func (s *SetKey) Add(member []byte) bool {
	if o := s.object(); o != nil {
		m := s.at.part.members.Shard
		hash := m.Hash(member)
		if f := o.t.Find(m, hash, member); !f.IsZero() {
			return false
		}
		s.at.edit()
		o.t.Insert(m, hash, member, 0, 0, 0, 0)
		s.changed = true
		return true
	}
	n, isInt := ParseInt(member)
	l := s.d.s.Limits()
	switch {
	case s.isIntset() && isInt, !s.Exists() && isInt && max(1, s.expect) <= l.intsetMax():
		return s.addInt(n, l)
	case !s.Exists() && s.expect > l.SetEntries:
		s.changed = true
		return s.grow().add(s.at.part, member)
	case s.isIntset():
		s.changed = true
		if !s.unpackInts(member, l) {
			return s.grow().add(s.at.part, member)
		}
	default:
		list := s.at.flat()
		_, members, there := list.Locate(0, member, 0)
		if there {
			return false
		}
		s.changed = true
		if members >= l.SetEntries || len(member) > l.SetValue || len(list)+len(member) > flatMax {
			return s.grow().add(s.at.part, member)
		}
	}
	list := s.at.flat()
	var scratch [96]byte
	s.d.splice(&s.at, s.key, kind(Set, Listpack), len(list), len(list), packed.List(scratch[:0]).Append(member))
	return true
}

// addInt adds to an intset, or to a set that isn't there yet.
func (s *SetKey) addInt(n int64, l *Limits) bool {
	var ints intset
	if s.Exists() {
		ints = s.ints()
	}
	i, there := ints.search(n)
	if there {
		return false
	}
	s.changed = true
	width := widthOf(n)
	if old := ints.width(); width > old {
		wide := ints.widened(width)
		wide = slices.Insert(wide, 1+i*width, appendWide(nil, n, width)...)
		s.d.setFlat(&s.at, s.key, kind(Set, Intset), wide)
	} else {
		var scratch [8]byte
		pos := 1 + i*old
		s.d.splice(&s.at, s.key, kind(Set, Intset), pos, pos, appendWide(scratch[:0], n, old))
	}
	if s.ints().count() > l.intsetMax() {
		s.grow()
	}
	return true
}

// unpackInts makes a packed list of an intset, so that a member can be added that
// is no integer, if the limits allow.
func (s *SetKey) unpackInts(member []byte, l *Limits) bool {
	ints := s.ints()
	n := ints.count()
	longest := max(packed.Value{Int: ints.at(0)}.Len(), packed.Value{Int: ints.at(n - 1)}.Len())
	if n >= l.SetEntries || len(member) > l.SetValue || longest > l.SetValue {
		return false
	}
	s.d.setFlat(&s.at, s.key, kind(Set, Listpack), ints.appendList(make([]byte, 0, 4*n)))
	return true
}

// appendList appends the members to a packed list.
func (s intset) appendList(list packed.List) packed.List {
	for i := range s.count() {
		list = list.AppendInt(s.at(i))
	}
	return list
}

// Delete removes a member and reports whether it was there.
func (s *SetKey) Delete(member []byte) bool {
	if o := s.object(); o != nil {
		f := o.find(s.at.part, member)
		if f.IsZero() {
			return false
		}
		s.at.edit()
		o.t.Delete(s.at.part.members.Shard, &f)
		s.changed = true
		return true
	}
	if s.isIntset() {
		n, ok := ParseInt(member)
		if !ok {
			return false
		}
		i, ok := s.ints().search(n)
		if ok {
			s.deleteInt(i)
		}
		return ok
	}
	pos, ok := s.at.flat().Find(0, member, 0)
	if ok {
		s.deleteAt(pos)
	}
	return ok
}

func (s *SetKey) deleteInt(i int) {
	s.changed = true
	width := s.ints().width()
	pos, end := 1+i*width, 1+(i+1)*width
	if s.ints().count() == 1 {
		pos = 0
	}
	s.d.splice(&s.at, s.key, kind(Set, Intset), pos, end, nil)
}

// deleteAt removes the member at a position of the packed list.
func (s *SetKey) deleteAt(pos int) {
	s.changed = true
	_, end := s.at.flat().At(pos)
	s.d.splice(&s.at, s.key, kind(Set, Listpack), pos, end, nil)
}

// Each calls visit for every member until it returns false. visit must not change
// the set.
func (s *SetKey) Each(visit func(packed.Value) bool) {
	if o := s.object(); o != nil {
		o.t.Each(s.at.part.members.Shard, func(r ds.Record) bool { return visit(packed.Value{Bytes: r.Key()}) })
		return
	}
	if s.isIntset() {
		ints := s.ints()
		for i := range ints.count() {
			if !visit(packed.Value{Int: ints.at(i)}) {
				return
			}
		}
		return
	}
	list := s.at.flat()
	for pos := 0; pos < len(list); {
		var v packed.Value
		if v, pos = list.At(pos); !visit(v) {
			return
		}
	}
}

// Scan is one step of SSCAN: cursors are as those of [DB.Scan]. A set that is flat
// is shown as a whole.
func (s *SetKey) Scan(cursor uint64, n int, visit func(packed.Value)) (next uint64) {
	o := s.object()
	if o == nil {
		s.Each(func(v packed.Value) bool {
			visit(v)
			return true
		})
		return 0
	}
	return scanTable(o.t, s.at.part.members.Shard, cursor, n, func(r ds.Record) { visit(packed.Value{Bytes: r.Key()}) })
}

// Random is a random member of a set that is there.
func (s *SetKey) Random() packed.Value {
	if o := s.object(); o != nil {
		return packed.Value{Bytes: o.t.Random(s.at.part.members.Shard, rand.Uint64).Key()}
	}
	if s.isIntset() {
		return packed.Value{Int: s.ints().at(rand.IntN(s.ints().count()))}
	}
	list := s.at.flat()
	pos, _ := list.Seek(rand.IntN(list.Count()))
	v, _ := list.At(pos)
	return v
}

// Take removes a random member of a set that is there, after it has called take
// for it.
func (s *SetKey) Take(take func(packed.Value)) {
	if o := s.object(); o != nil {
		m := s.at.part.members.Shard
		f := o.t.Random(m, rand.Uint64)
		take(packed.Value{Bytes: f.Key()})
		s.at.edit()
		o.t.Delete(m, &f)
		s.changed = true
		return
	}
	if s.isIntset() {
		i := rand.IntN(s.ints().count())
		take(packed.Value{Int: s.ints().at(i)})
		s.deleteInt(i)
		return
	}
	list := s.at.flat()
	pos, _ := list.Seek(rand.IntN(list.Count()))
	v, _ := list.At(pos)
	take(v)
	s.deleteAt(pos)
}

// Sample calls visit for n different members drawn by chance, or for all if there
// are no more. visit must not change the set.
func (s *SetKey) Sample(n int, visit func(packed.Value)) {
	if o := s.object(); o != nil {
		sample(o.t, s.at.part.members.Shard, n, func(r ds.Record) { visit(packed.Value{Bytes: r.Key()}) })
		return
	}
	size := s.Len()
	sel := selection{min(n, size), size}
	s.Each(func(v packed.Value) bool {
		if sel.take() {
			visit(v)
		}
		return sel.want > 0
	})
}

// Commit ends a change: a set without members is removed, and who watches the key
// is told. It reports whether the key was removed.
func (s *SetKey) Commit() (removed bool) {
	if !s.changed {
		return false
	}
	s.changed = false
	if s.at.found() && s.empty() {
		s.at.remove()
		removed = true
	}
	s.at.part.members.CountNodes()
	s.d.changed(s.at.part, s.key)
	return removed
}

func (s *SetKey) empty() bool {
	if o := s.object(); o != nil {
		return o.count() == 0
	}
	return len(s.at.Value()) == 0
}

// grow makes a table of the key's flat set.
func (s *SetKey) grow() *setTable {
	o := newSetTable()
	s.Each(func(v packed.Value) bool {
		var scratch [64]byte
		o.add(s.at.part, v.Append(scratch[:0]))
		return true
	})
	s.d.setObject(&s.at, s.key, kind(Set, Hashtable), o)
	return o
}

func (l *Limits) intsetMax() int { return min(l.IntsetEntries, maxIntset) }

// buildSet gives a key the set that a flat form stands for.
func (d DB) buildSet(at *place, key []byte, flat packed.List) {
	l := d.s.Limits()
	n, ints, short := 0, true, len(flat) <= flatMax
	low, high := int64(0), int64(0)
	for pos := 0; pos < len(flat); n++ {
		var v packed.Value
		v, pos = flat.At(pos)
		ints = ints && v.Bytes == nil
		short = short && v.Len() <= l.SetValue
		low, high = min(low, v.Int), max(high, v.Int)
	}
	switch {
	case ints && n <= l.intsetMax():
		width := max(widthOf(low), widthOf(high))
		all := make([]int64, 0, n)
		for pos := 0; pos < len(flat); {
			var v packed.Value
			v, pos = flat.At(pos)
			all = append(all, v.Int)
		}
		slices.Sort(all)
		val := append(make([]byte, 0, 1+n*width), byte(width))
		for _, v := range all {
			val = appendWide(val, v, width)
		}
		d.setFlat(at, key, kind(Set, Intset), val)
	case short && n <= l.SetEntries:
		d.setFlat(at, key, kind(Set, Listpack), flat)
	default:
		o := newSetTable()
		for pos := 0; pos < len(flat); {
			var v packed.Value
			var scratch [64]byte
			v, pos = flat.At(pos)
			o.add(at.part, v.Append(scratch[:0]))
		}
		d.setObject(at, key, kind(Set, Hashtable), o)
	}
}

// setTable is a table of records whose keys are the members.
type setTable struct{ t *ds.Table }

func newSetTable() *setTable { return &setTable{ds.NewGroup(1).Table(0)} }

func (o *setTable) find(p *partition, member []byte) ds.Place {
	return o.t.Find(p.members.Shard, p.members.Hash(member), member)
}

func (o *setTable) add(p *partition, member []byte) bool {
	m := p.members.Shard
	hash := m.Hash(member)
	if f := o.t.Find(m, hash, member); !f.IsZero() {
		return false
	}
	o.t.Insert(m, hash, member, 0, 0, 0, 0)
	return true
}

func (o *setTable) count() int   { return o.t.Len() }
func (o *setTable) bytes() int64 { return o.t.Bytes() }

func (o *setTable) flatten(p *partition, dst []byte) []byte {
	list := packed.List(dst)
	o.t.Each(p.members.Shard, func(r ds.Record) bool {
		list = list.Append(r.Key())
		return true
	})
	return list
}

func (o *setTable) clone(from, to *partition) object {
	c := newSetTable()
	o.t.Each(from.members.Shard, func(r ds.Record) bool {
		c.add(to, r.Key())
		return true
	})
	return c
}

func (o *setTable) release(p *partition) { p.members.Bury(o.t.Group()) }
