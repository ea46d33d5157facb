package kv

import (
	"math"
	"slices"
	"strconv"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/btree"
	"conclave/kv/ds/packed"
)

// The flat form of a stream is a list of
//
//	the last ID, the greatest deleted ID, the number of entries ever added
//	the number of entries, and of each: its ID, the number of its fields, fields
//	the number of groups, and of each:
//	  its name, its last ID, its read counter
//	  the number of consumers, and of each: its name, when it was seen and active
//	  the number of pending entries, and of each: its ID, the consumer's index, when
//	  it was delivered and how often
//
// where an ID is two entries of the list.

// flatWriter appends to a flat form.
type flatWriter struct {
	list    packed.List
	scratch []byte
}

func (w *flatWriter) uint(ns ...uint64) {
	for _, n := range ns {
		w.scratch = strconv.AppendUint(w.scratch[:0], n, 10)
		w.list = w.list.Append(w.scratch)
	}
}

func (w *flatWriter) int(ns ...int64) {
	for _, n := range ns {
		w.scratch = strconv.AppendInt(w.scratch[:0], n, 10)
		w.list = w.list.Append(w.scratch)
	}
}

func (w *flatWriter) id(id StreamID) { w.uint(id.Ms, id.Seq) }

func (w *flatWriter) value(v packed.Value) {
	if v.Bytes != nil {
		w.list = w.list.Append(v.Bytes)
	} else {
		w.int(v.Int)
	}
}

func (o *streamObject) flatten(p *partition, dst []byte) []byte {
	w := flatWriter{list: dst, scratch: make([]byte, 0, 20)}
	w.id(o.last)
	w.id(o.maxDeleted)
	w.uint(o.added, uint64(o.length))
	o.each(p, StreamID{}, MaxStreamID, func(e *StreamEntry) bool {
		w.id(e.ID)
		w.uint(uint64(e.n))
		e.Each(func(field, val packed.Value) {
			w.value(field)
			w.value(val)
		})
		return true
	})
	w.uint(uint64(len(o.groups)))
	for _, g := range o.groups {
		w.list = w.list.Append([]byte(g.name))
		w.id(g.last)
		w.int(g.read, int64(len(g.consumers)))
		index := make(map[arena.Ref]int64, len(g.consumers))
		for i, ref := range g.consumers {
			index[ref] = int64(i)
			c := StreamConsumer{p, ref}
			w.list = w.list.Append(c.Name())
			w.int(c.Seen(), c.Active())
		}
		w.uint(uint64(g.pending.Len()))
		p.streamPending().Up(&g.pending, btree.Key{}, func(k btree.Key, v []byte) bool {
			d := deliveryOf(v)
			w.id(idOf(k))
			w.int(index[d.consumer], d.ms, d.count)
			return true
		})
	}
	return w.list
}

// FlatStream reads the flat form of a stream, entry by entry of the list.
type FlatStream struct {
	list packed.List
	pos  int
	buf  []byte
}

// ReadFlatStream begins to read.
func ReadFlatStream(list packed.List) *FlatStream { return &FlatStream{list: list} }

// Text is the next entry, good until the one after it is read.
func (f *FlatStream) Text() []byte {
	var v packed.Value
	v, f.pos = f.list.At(f.pos)
	if v.Bytes != nil {
		return v.Bytes
	}
	f.buf = strconv.AppendInt(f.buf[:0], v.Int, 10)
	return f.buf
}

// Uint is the next entry, a number.
func (f *FlatStream) Uint() uint64 {
	var v packed.Value
	v, f.pos = f.list.At(f.pos)
	if v.Bytes == nil {
		return uint64(v.Int)
	}
	n, _ := strconv.ParseUint(string(v.Bytes), 10, 64)
	return n
}

// Int is the next entry, a number that may be negative.
func (f *FlatStream) Int() int64 { return int64(f.Uint()) }

// ID is what the next two entries say.
func (f *FlatStream) ID() StreamID {
	ms := f.Uint()
	return StreamID{ms, f.Uint()}
}

// buildStream gives a key the stream that a flat form stands for.
func (d DB) buildStream(at *place, key []byte, flat packed.List) {
	p, o, r := at.part, at.part.newStream(), ReadFlatStream(flat)
	o.last, o.maxDeleted, o.added = r.ID(), r.ID(), r.Uint()
	l := d.s.Limits()
	var text []byte
	var fields [][]byte
	var ends []int
	for range r.Uint() {
		id, n := r.ID(), 2*r.Int()
		text, fields, ends = text[:0], fields[:0], ends[:0]
		for range n {
			text = append(text, r.Text()...)
			ends = append(ends, len(text))
		}
		from := 0
		for _, end := range ends {
			fields = append(fields, text[from:end:end])
			from = end
		}
		o.add(p, l, id, fields)
	}
	for range r.Uint() {
		g := &streamGroup{name: string(r.Text()), last: r.ID(), read: r.Int()}
		o.buildGroup(p, g, r)
		i, _ := o.findGroup([]byte(g.name))
		o.groups = slices.Insert(o.groups, i, g)
		o.charge(p, groupOnHeap+int64(len(g.name)))
	}
	d.setObject(at, key, kind(Stream, StreamNodes), o)
}

func (o *streamObject) buildGroup(p *partition, g *streamGroup, r *FlatStream) {
	refs := make([]arena.Ref, min(r.Uint(), math.MaxInt32))
	for i := range refs {
		name := slices.Clone(r.Text())
		seen, active := r.Int(), r.Int()
		at, _ := g.findConsumer(p, name)
		refs[i] = o.addConsumer(p, g, at, name, seen, active)
	}
	for range r.Uint() {
		id, c := r.ID(), r.Int()
		o.deliver(p, g, id, delivery{r.Int(), r.Int(), refs[c]})
	}
}

// addStream adds a stream's entries to a digest: groups don't count.
func (d *Digest) addStream(flat packed.List) {
	r := ReadFlatStream(flat)
	r.ID()
	r.ID()
	r.Uint()
	var id []byte
	for range r.Uint() {
		at, n := r.ID(), 2*r.Int()
		id = strconv.AppendUint(id[:0], at.Ms, 10)
		id = strconv.AppendUint(append(id, '.'), at.Seq, 10)
		d.mix(id)
		for range n {
			d.mix(r.Text())
		}
	}
}
