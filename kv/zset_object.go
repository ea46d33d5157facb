package kv

import (
	"encoding/binary"
	"math"

	"conclave/kv/ds"
	"conclave/kv/ds/arena"
	"conclave/kv/ds/order"
	"conclave/kv/ds/packed"
)

// zsetObject is a table of records whose keys are the members and whose values
// the scores, and a tree of references to them in order.
type zsetObject struct {
	t    *ds.Table
	tree order.Tree
}

func newZSetObject(p *partition, flat packed.List) *zsetObject {
	o := &zsetObject{t: ds.NewGroup(1).Table(0)}
	var buf [64]byte
	for pos := 0; pos < len(flat); {
		var m, s packed.Value
		m, pos = flat.At(pos)
		s, pos = flat.At(pos)
		o.insert(p, m.Append(buf[:0]), ScoreOf(s))
	}
	return o
}

// A record keeps a score in four bytes if that loses nothing.
const (
	shortScore = 4
	longScore  = 8
)

func scoreSize(s float64) int {
	if float64(float32(s)) == s {
		return shortScore
	}
	return longScore
}

func putRecordScore(val []byte, s float64) {
	if len(val) == shortScore {
		binary.LittleEndian.PutUint32(val, math.Float32bits(float32(s)))
	} else {
		binary.LittleEndian.PutUint64(val, math.Float64bits(s))
	}
}

func recordScore(val []byte) float64 {
	if len(val) == shortScore {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(val)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(val))
}

func (o *zsetObject) find(p *partition, member []byte) ds.Place {
	return o.t.Find(p.members.Shard, p.members.Hash(member), member)
}

// insert adds a member that is absent.
func (o *zsetObject) insert(p *partition, member []byte, score float64) {
	m := &p.members
	ref, r := o.t.InsertRef(m.Shard, m.Hash(member), member, 0, 0, 0, scoreSize(score))
	putRecordScore(r.Value(), score)
	m.trees.Add(&o.tree, order.Item{Score: score, Ref: uint64(ref)})
}

// move gives a member another score. While the tree is changed the record must be
// where the tree thinks it is.
func (o *zsetObject) move(p *partition, f *ds.Place, from, to float64) {
	m := &p.members
	m.trees.Remove(&o.tree, order.Item{Score: from, Ref: uint64(f.Ref())})
	putRecordScore(o.t.Resize(m.Shard, f, 0, 0, scoreSize(to), false).Value(), to)
	m.trees.Add(&o.tree, order.Item{Score: to, Ref: uint64(f.Ref())})
}

func (o *zsetObject) remove(p *partition, f *ds.Place) {
	m := &p.members
	m.trees.Remove(&o.tree, order.Item{Score: recordScore(f.Value()), Ref: uint64(f.Ref())})
	o.t.Delete(m.Shard, f)
}

// removeBatch is how many members removeRange looks up in the tree at once.
const removeBatch = 64

// removeRange removes n members from a rank on.
func (o *zsetObject) removeRange(p *partition, from, n int) {
	m := &p.members
	var refs [removeBatch]arena.Ref
	for n > 0 {
		k := 0
		m.trees.Each(&o.tree, from, func(it order.Item) bool {
			refs[k] = arena.Ref(it.Ref)
			k++
			return k < min(n, removeBatch)
		})
		for _, ref := range refs[:k] {
			f := o.find(p, m.RecordAt(ref).Key())
			o.remove(p, &f)
		}
		n -= k
	}
}

// each calls visit for members in order, from a rank on, until it returns false.
func (o *zsetObject) each(p *partition, from int, visit func(member packed.Value, score float64) bool) {
	p.members.trees.Each(&o.tree, from, func(it order.Item) bool {
		return visit(o.member(p, it), it.Score)
	})
}

// eachBack is each in descending order.
func (o *zsetObject) eachBack(p *partition, from int, visit func(member packed.Value, score float64) bool) {
	p.members.trees.EachBack(&o.tree, from, func(it order.Item) bool {
		return visit(o.member(p, it), it.Score)
	})
}

func (o *zsetObject) member(p *partition, it order.Item) packed.Value {
	return packed.Value{Bytes: p.members.RecordAt(arena.Ref(it.Ref)).Key()}
}

func (o *zsetObject) scan(p *partition, cursor uint64, n int, visit func(member packed.Value, score float64)) (next uint64) {
	return scanTable(o.t, p.members.Shard, cursor, n, func(r ds.Record) {
		visit(packed.Value{Bytes: r.Key()}, recordScore(r.Value()))
	})
}

func (o *zsetObject) count() int   { return o.t.Len() }
func (o *zsetObject) bytes() int64 { return o.t.Bytes() + o.tree.Bytes() }

func (o *zsetObject) flatten(p *partition, dst []byte) []byte {
	list := packed.List(dst)
	o.each(p, 0, func(m packed.Value, score float64) bool {
		list = AppendScore(list.Append(m.Bytes), score)
		return true
	})
	return list
}

func (o *zsetObject) clone(from, to *partition) object {
	c := &zsetObject{t: ds.NewGroup(1).Table(0)}
	o.each(from, 0, func(m packed.Value, score float64) bool {
		c.insert(to, m.Bytes, score)
		return true
	})
	return c
}

func (o *zsetObject) release(p *partition) {
	p.members.Bury(o.t.Group())
	p.members.trees.Bury(&o.tree)
}
