package kv

import (
	"encoding/binary"

	"conclave/kv/ds/deque"
	"conclave/kv/ds/packed"
)

// A list in a record is the number of its elements, two bytes, and then the flat
// form: every push replies the length. It is moved to a chain of nodes much
// earlier than Redis leaves a single listpack, because what is pushed at the
// front of a run of bytes moves all of it. What OBJECT ENCODING says is kept
// apart from that: it depends on the size that Redis's listpack would have.
const (
	listHead = 2
	// flatListMax is how long the flat form in a record may be.
	flatListMax = 1 << 10
	// flatListMin: a chain that has shrunk to this is put into a record again.
	flatListMin = flatListMax / 4
)

// ListKey is a key that holds a list, or none yet. It is good until the partition
// is unlocked; whoever changes it ends with Commit. Indexes count from 0.
type ListKey struct {
	d       DB
	at      place
	key     []byte
	changed bool
	removed bool // elements were removed, or replaced
}

// List opens a key for a command on lists. ok is false if it holds something
// else.
func (d DB) List(key []byte, a Access) (l ListKey, ok bool) {
	l.d, l.key = d, key
	ok = d.open(&l.at, key, List, a)
	return l, ok
}

// Exists reports whether the key is there.
func (l *ListKey) Exists() bool { return l.at.found() }

// Len is the number of elements.
func (l *ListKey) Len() int {
	if o := l.object(); o != nil {
		return o.count()
	}
	return l.flatLen()
}

func (l *ListKey) flatLen() int {
	if !l.at.found() {
		return 0
	}
	return listLen(l.at.Value())
}

func listLen(val []byte) int { return int(binary.LittleEndian.Uint16(val)) }

// body is the flat form of a list that is in a record.
func (l *ListKey) body() packed.List {
	if !l.at.found() {
		return nil
	}
	return listBody(l.at.Value())
}

func listBody(val []byte) packed.List { return val[listHead:] }

// Reserve makes room for elements that are going to be added, or put in the place
// of others. They need not be added in the end.
func (l *ListKey) Reserve(vals ...[]byte) {
	add := 0
	for _, v := range vals {
		add += len(v)
	}
	size, count := listLimits(l.d.s.Limits().ListSize)
	o := l.object()
	if o == nil {
		if len(l.body())+add+len(vals)*maxEntryHead <= flatListMax && l.flatLen()+len(vals) <= count {
			return
		}
		o = newListObject(l.at.part, l.body())
		l.d.setObject(&l.at, l.key, kind(List, o.encoding()), o)
	}
	if !o.quick && (o.listpackSize()+add > size || o.count()+len(vals) > count) {
		l.setQuick(o, true)
	}
}

// maxEntryHead is the most that an entry of a flat form takes beside its text.
const maxEntryHead = 10

func (l *ListKey) setQuick(o *listObject, quick bool) {
	o.quick = quick
	l.at.table.Resize(l.at.part.shard, &l.at.Place, kind(List, o.encoding()), l.at.Expiry(), handleSize, true)
}

// Push adds an element, for which Reserve made room, at the front or at the end.
// It may not lie in the store's memory.
func (l *ListKey) Push(front bool, val []byte) {
	l.changed = true
	o := l.object()
	if o == nil {
		body := l.body()
		pos := len(body)
		if front {
			pos = 0
		}
		l.insertFlat(pos, val)
		return
	}
	l.at.edit()
	ns := l.at.part.members.lists
	if front {
		ns.PushFront(&o.list, val)
		o.bytesOf(ns.First(&o.list), 1)
	} else {
		ns.PushBack(&o.list, val)
		o.bytesOf(ns.Last(&o.list), 1)
	}
}

// insertFlat puts an element before the one at pos of the body.
func (l *ListKey) insertFlat(pos int, val []byte) {
	n := l.flatLen()
	var scratch [128]byte
	if n == 0 {
		entry := packed.List(scratch[:listHead]).Append(val)
		binary.LittleEndian.PutUint16(entry, 1)
		l.d.setFlat(&l.at, l.key, kind(List, Listpack), entry)
		return
	}
	entry := packed.List(scratch[:0]).Append(val)
	l.spliceFlat(pos, pos, entry, n+1)
}

// spliceFlat replaces a part of the body; n is the number of elements then.
func (l *ListKey) spliceFlat(pos, end int, ins []byte, n int) {
	l.d.splice(&l.at, l.key, kind(List, Listpack), listHead+pos, listHead+end, ins)
	binary.LittleEndian.PutUint16(l.at.Value(), uint16(n))
}

// At is the i-th element, 0 <= i < Len.
func (l *ListKey) At(i int) packed.Value {
	if o := l.object(); o != nil {
		return l.at.part.members.lists.At(&o.list, i)
	}
	body := l.body()
	v, _ := body.At(l.seek(body, i))
	return v
}

// seek is where the i-th element is, 0 <= i <= Len.
func (l *ListKey) seek(body packed.List, i int) int {
	n := l.flatLen()
	switch {
	case i == n:
		return len(body)
	case i > n/2:
		i -= n
	}
	pos, _ := body.Seek(i)
	return pos
}

// Each calls visit for the elements from the i-th on until it returns false.
// visit must not change the list.
func (l *ListKey) Each(i int, visit func(packed.Value) bool) {
	if o := l.object(); o != nil {
		l.at.part.members.lists.Each(&o.list, i, visit)
		return
	}
	body := l.body()
	if i >= l.flatLen() {
		return
	}
	for pos := l.seek(body, i); pos < len(body); {
		var v packed.Value
		if v, pos = body.At(pos); !visit(v) {
			return
		}
	}
}

// EachBack calls visit for the elements from the i-th, i < Len, down to the
// first, until it returns false. visit must not change the list.
func (l *ListKey) EachBack(i int, visit func(packed.Value) bool) {
	if o := l.object(); o != nil {
		l.at.part.members.lists.EachBack(&o.list, i, visit)
		return
	}
	if i < 0 {
		return
	}
	body := l.body()
	for pos := l.seek(body, i); ; pos = body.Before(pos) {
		if v, _ := body.At(pos); !visit(v) || pos == 0 {
			return
		}
	}
}

// Insert adds an element, for which Reserve made room, before the i-th, or at the
// end for Len. It may not lie in the store's memory.
func (l *ListKey) Insert(i int, val []byte) {
	l.changed = true
	if o := l.object(); o != nil {
		l.at.edit()
		l.at.part.members.lists.Insert(&o.list, i, val)
		o.bytesOf(packed.Parse(val), 1)
		return
	}
	l.insertFlat(l.seek(l.body(), i), val)
}

// Set gives the i-th element, 0 <= i < Len, another content, for which Reserve
// made room. It may not lie in the store's memory.
func (l *ListKey) Set(i int, val []byte) {
	l.changed, l.removed = true, true
	if o := l.object(); o != nil {
		l.at.edit()
		ns := l.at.part.members.lists
		o.bytesOf(ns.At(&o.list, i), -1)
		ns.Set(&o.list, i, val)
		o.bytesOf(packed.Parse(val), 1)
		return
	}
	body := l.body()
	pos := l.seek(body, i)
	_, end := body.At(pos)
	var scratch [128]byte
	l.spliceFlat(pos, end, packed.List(scratch[:0]).Append(val), l.flatLen())
}

// Delete removes n elements from the i-th on; i+n <= Len.
func (l *ListKey) Delete(i, n int) {
	if n == 0 {
		return
	}
	l.changed, l.removed = true, true
	o := l.object()
	if o == nil {
		body, left := l.body(), l.flatLen()-n
		pos := l.seek(body, i)
		end := pos
		if i == left {
			end = len(body)
		} else {
			for range n {
				_, end = body.At(end)
			}
		}
		l.spliceFlat(pos, end, nil, left)
		return
	}
	l.at.edit()
	o.delete(l.at.part, i, n)
}

// Remove removes elements that equal val: all of them for 0, else at most so many,
// from the end if count is negative. It returns how many.
func (l *ListKey) Remove(val []byte, count int64) (removed int) {
	want, total := packed.Parse(val), int64(0)
	l.Each(0, func(v packed.Value) bool {
		if v.Same(want) {
			total++
		}
		return count <= 0 || total < count
	})
	if total == 0 {
		return 0
	}
	skip := int64(0)
	if count < 0 && total > -count {
		skip, total = total+count, -count
	}
	l.changed, l.removed = true, true
	n := 0
	drop := func(v packed.Value) bool {
		if n == int(total) || !v.Same(want) {
			return false
		}
		if skip > 0 {
			skip--
			return false
		}
		n++
		return true
	}
	if o := l.object(); o != nil {
		l.at.edit()
		l.at.part.members.lists.DeleteFunc(&o.list, drop)
		o.entries -= n * listpackEntry(want)
		return n
	}
	var scratch [flatListMax]byte
	body := append(packed.List(scratch[:0]), l.body()...)
	left := body.DeleteFunc(drop)
	l.spliceFlat(0, len(body), left, l.flatLen()-n)
	return n
}

// Commit ends a change: a list without elements is removed, and who watches the
// key is told. It reports whether the key was removed.
func (l *ListKey) Commit() (removed bool) {
	if !l.changed {
		return false
	}
	if l.at.found() {
		if l.Len() == 0 {
			l.at.remove()
			removed = true
		} else if o := l.object(); o != nil && l.removed {
			l.settle(o)
		}
	}
	l.changed, l.removed = false, false
	l.at.part.members.CountNodes()
	l.d.changed(l.at.part, l.key)
	return removed
}

// settle finds the representation of a list that has shrunk.
func (l *ListKey) settle(o *listObject) {
	size, count := listLimits(l.d.s.Limits().ListSize)
	if o.quick && o.listpackSize() <= size/2 && o.count() <= count/2 {
		l.setQuick(o, false)
	}
	if !o.quick && o.entries <= flatListMin {
		var scratch [listHead + 2*flatListMin]byte
		flat := o.flatten(l.at.part, scratch[:listHead])
		binary.LittleEndian.PutUint16(flat, uint16(o.count()))
		l.d.setFlat(&l.at, l.key, kind(List, Listpack), flat)
	}
}

func (l *ListKey) object() *listObject {
	o, _ := l.at.object().(*listObject)
	return o
}

// buildList gives a key the list that a flat form stands for.
func (d DB) buildList(at *place, key []byte, flat packed.List) {
	size, count := listLimits(d.s.Limits().ListSize)
	if len(flat) <= flatListMax {
		if n := flat.Count(); n <= count {
			var scratch [listHead + flatListMax]byte
			val := append(scratch[:listHead], flat...)
			binary.LittleEndian.PutUint16(val, uint16(n))
			d.setFlat(at, key, kind(List, Listpack), val)
			return
		}
	}
	o := newListObject(at.part, flat)
	o.quick = o.listpackSize() > size || o.count() > count
	d.setObject(at, key, kind(List, o.encoding()), o)
}

// listObject is a chain of nodes.
type listObject struct {
	list    deque.List
	entries int // the size that the elements would have in a listpack of Redis
	// quick: Redis would have a quicklist, not a listpack. It stays one until it
	// has shrunk to half of the size at which it becomes one.
	quick bool
}

func newListObject(p *partition, flat packed.List) *listObject {
	o := &listObject{}
	var scratch [64]byte
	for pos := 0; pos < len(flat); {
		var v packed.Value
		v, pos = flat.At(pos)
		p.members.lists.PushBack(&o.list, v.Append(scratch[:0]))
		o.bytesOf(v, 1)
	}
	return o
}

func (o *listObject) encoding() Encoding {
	if o.quick {
		return Quicklist
	}
	return ListpackChain
}

// bytesOf counts an element in, or out with -1.
func (o *listObject) bytesOf(v packed.Value, sign int) { o.entries += sign * listpackEntry(v) }

// listpackSize is the size of a listpack with the elements.
func (o *listObject) listpackSize() int { return listpackFrame + o.entries }

// delete removes n elements from the i-th on. Their sizes are found by looking at
// them, or at the others if these are fewer.
func (o *listObject) delete(p *partition, i, n int) {
	ns := p.members.lists
	few := n <= o.list.Len()-n
	if few {
		left := n
		ns.Each(&o.list, i, func(v packed.Value) bool {
			o.bytesOf(v, -1)
			left--
			return left > 0
		})
	}
	ns.Delete(&o.list, i, n)
	if !few {
		o.entries = 0
		ns.Each(&o.list, 0, func(v packed.Value) bool {
			o.bytesOf(v, 1)
			return true
		})
	}
}

func (o *listObject) count() int   { return o.list.Len() }
func (o *listObject) bytes() int64 { return o.list.Bytes() }

func (o *listObject) flatten(p *partition, dst []byte) []byte {
	return p.members.lists.AppendTo(dst, &o.list)
}

func (o *listObject) clone(from, to *partition) object {
	c := &listObject{entries: o.entries, quick: o.quick}
	var scratch [64]byte
	from.members.lists.Each(&o.list, 0, func(v packed.Value) bool {
		to.members.lists.PushBack(&c.list, v.Append(scratch[:0]))
		return true
	})
	return c
}

func (o *listObject) release(p *partition) { p.members.lists.Bury(&o.list) }
