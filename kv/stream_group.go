package kv

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/btree"
)

// unknownRead is a group's read counter that isn't known.
const unknownRead = -1

// streamGroup is a consumer group.
type streamGroup struct {
	name      string
	last      StreamID
	read      int64
	pending   btree.Tree  // from IDs to deliveries
	consumers []arena.Ref // by name
}

// A delivery is what the tree of pending entries says of an ID: when it was
// delivered, how often, and the cell of the consumer; eight bytes each.
const deliverySize = 24

// A consumer is a cell: the length of its name, when it was seen and active, a tree
// of the IDs pending with it, and its name.
const (
	consumerSeen    = 8
	consumerActive  = 16
	consumerPending = 24
	consumerName    = consumerPending + btree.StoredSize
)

func (p *partition) streamPending() btree.Forest { return btree.On(p.members.Nodes(), deliverySize) }
func (p *partition) streamOwn() btree.Forest     { return btree.On(p.members.Nodes(), 0) }

func (p *partition) streamConsumer(ref arena.Ref) []byte {
	a := p.members.Nodes().Arena()
	return a.Bytes(ref, consumerName+int(binary.LittleEndian.Uint32(a.Head(ref)[:])))
}

func (o *streamObject) findGroup(name []byte) (i int, ok bool) {
	return sort.Find(len(o.groups), func(i int) int {
		return bytes.Compare(name, []byte(o.groups[i].name))
	})
}

func (g *streamGroup) findConsumer(p *partition, name []byte) (i int, ok bool) {
	return sort.Find(len(g.consumers), func(i int) int {
		return bytes.Compare(name, p.streamConsumer(g.consumers[i])[consumerName:])
	})
}

// addConsumer adds a consumer whose name is new.
func (o *streamObject) addConsumer(p *partition, g *streamGroup, at int, name []byte, seen, active int64) arena.Ref {
	size := arena.CellSize(consumerName + len(name))
	ref := p.members.Nodes().Alloc(size)
	o.cells += int64(size)
	b := p.members.Nodes().Arena().Bytes(ref, consumerName+len(name))
	clear(b[:consumerName])
	binary.LittleEndian.PutUint32(b, uint32(len(name)))
	binary.LittleEndian.PutUint64(b[consumerSeen:], uint64(seen))
	binary.LittleEndian.PutUint64(b[consumerActive:], uint64(active))
	copy(b[consumerName:], name)
	g.consumers = slices.Insert(g.consumers, at, ref)
	o.charge(p, consumerOnHeap)
	return ref
}

// own adds an ID to those pending with a consumer.
func (o *streamObject) own(p *partition, ref arena.Ref, id StreamID) {
	b := p.streamConsumer(ref)[consumerPending:]
	t := btree.Stored(b)
	o.cells -= t.Bytes()
	p.streamOwn().Insert(&t, id.key())
	o.cells += t.Bytes()
	t.Store(b)
}

// disown is the opposite of own.
func (o *streamObject) disown(p *partition, ref arena.Ref, id StreamID) {
	b := p.streamConsumer(ref)[consumerPending:]
	t := btree.Stored(b)
	o.cells -= t.Bytes()
	p.streamOwn().Delete(&t, id.key())
	o.cells += t.Bytes()
	t.Store(b)
}

func (o *streamObject) freeConsumer(p *partition, ref arena.Ref) {
	b := p.streamConsumer(ref)
	t := btree.Stored(b[consumerPending:])
	size := arena.CellSize(len(b))
	o.cells -= t.Bytes() + int64(size)
	o.charge(p, -consumerOnHeap)
	p.streamOwn().Free(&t)
	p.members.Nodes().Free(ref, size)
}

// takeGroup makes a stream of a group that is leaving this one.
func (o *streamObject) takeGroup(p *partition, g *streamGroup) *streamObject {
	gone := &streamObject{groups: []*streamGroup{g}}
	for _, ref := range g.consumers {
		b := p.streamConsumer(ref)
		t := btree.Stored(b[consumerPending:])
		gone.cells += int64(arena.CellSize(len(b))) + t.Bytes()
	}
	o.cells -= gone.cells
	o.charge(p, -g.onHeap())
	return gone
}

// cloneGroup copies a group into another stream.
func (o *streamObject) cloneGroup(from *partition, g *streamGroup, c *streamObject, to *partition) *streamGroup {
	h := &streamGroup{name: g.name, last: g.last, read: g.read}
	c.charge(to, groupOnHeap+int64(len(h.name)))
	refs := make(map[arena.Ref]arena.Ref, len(g.consumers))
	for i, ref := range g.consumers {
		b := from.streamConsumer(ref)
		seen, active := binary.LittleEndian.Uint64(b[consumerSeen:]), binary.LittleEndian.Uint64(b[consumerActive:])
		refs[ref] = c.addConsumer(to, h, i, b[consumerName:], int64(seen), int64(active))
	}
	from.streamPending().Up(&g.pending, btree.Key{}, func(k btree.Key, v []byte) bool {
		d := deliveryOf(v)
		d.consumer = refs[d.consumer]
		c.deliver(to, h, idOf(k), d)
		return true
	})
	return h
}

type delivery struct {
	ms, count int64
	consumer  arena.Ref
}

func deliveryOf(v []byte) delivery {
	return delivery{
		int64(binary.LittleEndian.Uint64(v)), int64(binary.LittleEndian.Uint64(v[8:])), arena.Ref(binary.LittleEndian.Uint64(v[16:])),
	}
}

func (d delivery) put(v []byte) {
	binary.LittleEndian.PutUint64(v, uint64(d.ms))
	binary.LittleEndian.PutUint64(v[8:], uint64(d.count))
	binary.LittleEndian.PutUint64(v[16:], uint64(d.consumer))
}

// deliver makes an ID pending, or says anew with whom it is.
func (o *streamObject) deliver(p *partition, g *streamGroup, id StreamID, d delivery) {
	v, added := p.streamPending().Insert(&g.pending, id.key())
	var had arena.Ref
	if !added {
		had = deliveryOf(v).consumer
	}
	d.put(v)
	if had == d.consumer {
		return
	}
	if had != 0 {
		o.disown(p, had, id)
	}
	o.own(p, d.consumer, id)
}

// StreamGroup is a consumer group of a stream, good as long as its [StreamKey] and
// until it is deleted.
type StreamGroup struct {
	s *StreamKey
	g *streamGroup
}

// StreamConsumer is a consumer, good as long as its group and until it is deleted.
type StreamConsumer struct {
	p   *partition
	ref arena.Ref
}

// StreamPending is an entry that has been delivered and not acknowledged.
type StreamPending struct {
	ID          StreamID
	Consumer    StreamConsumer
	DeliveredMs int64 // Unix time
	Deliveries  int64
}

// Group finds a group.
func (s *StreamKey) Group(name []byte) (g StreamGroup, ok bool) {
	if s.o == nil {
		return g, false
	}
	i, ok := s.o.findGroup(name)
	if !ok {
		return g, false
	}
	return StreamGroup{s, s.o.groups[i]}, true
}

// CreateGroup adds a group that has read up to an ID, and reports whether its name
// is new. read is its read counter, or -1: not known. The stream is there.
func (s *StreamKey) CreateGroup(name []byte, last StreamID, read int64) bool {
	i, there := s.o.findGroup(name)
	if there {
		return false
	}
	s.editGroup()
	g := &streamGroup{name: string(name), last: last, read: read}
	s.o.groups = slices.Insert(s.o.groups, i, g)
	s.o.charge(s.at.part, g.onHeap())
	return true
}

// DeleteGroup removes a group and reports whether it was there. That is a change of
// the key: who waits for the group's entries has to know.
func (s *StreamKey) DeleteGroup(name []byte) bool {
	if s.o == nil {
		return false
	}
	i, there := s.o.findGroup(name)
	if !there {
		return false
	}
	s.edit()
	s.at.part.buryStream(s.o.takeGroup(s.at.part, s.o.groups[i]))
	s.o.groups = slices.Delete(s.o.groups, i, i+1)
	return true
}

// EachGroup calls visit for the groups in the order of their names.
func (s *StreamKey) EachGroup(visit func(StreamGroup)) {
	if s.o != nil {
		for _, g := range s.o.groups {
			visit(StreamGroup{s, g})
		}
	}
}

// Name is the group's name.
func (g StreamGroup) Name() string { return g.g.name }

// LastID is the greatest ID that has been delivered.
func (g StreamGroup) LastID() StreamID { return g.g.last }

// Read is the group's read counter; ok is false if it isn't known.
func (g StreamGroup) Read() (n int64, ok bool) { return g.g.read, g.g.read != unknownRead }

// Pending is the number of pending entries.
func (g StreamGroup) Pending() int { return g.g.pending.Len() }

// Consumers is the number of consumers.
func (g StreamGroup) Consumers() int { return len(g.g.consumers) }

// SetLastID moves the group to an ID, with a read counter or -1: not known.
func (g StreamGroup) SetLastID(id StreamID, read int64) {
	g.s.editGroup()
	g.g.last, g.g.read = id, read
}

// MoveTo moves the group to an ID and leaves its read counter alone.
func (g StreamGroup) MoveTo(id StreamID) { g.SetLastID(id, g.g.read) }

// Advance says that an entry behind the group's last ID has been read.
func (g StreamGroup) Advance(id StreamID) {
	g.s.editGroup()
	o := g.s.o
	switch {
	case g.g.read != unknownRead && !o.gaps(id):
		g.g.read++
	case o.added > 0:
		g.g.read = o.distance(id)
	}
	g.g.last = id
}

// Lag is how many entries the group has not read yet; ok is false if that isn't
// known.
func (g StreamGroup) Lag() (n int64, ok bool) {
	o := g.s.o
	read := g.g.read
	switch {
	case o.added == 0:
		return 0, true
	case read == unknownRead || o.gaps(g.g.last):
		read = o.distance(g.g.last)
	}
	return int64(o.added) - read, read != unknownRead
}

// Consumer finds a consumer.
func (g StreamGroup) Consumer(name []byte) (c StreamConsumer, ok bool) {
	i, ok := g.g.findConsumer(g.s.at.part, name)
	if !ok {
		return c, false
	}
	return StreamConsumer{g.s.at.part, g.g.consumers[i]}, true
}

// MakeConsumer finds a consumer, or makes one that was seen at a Unix time in
// milliseconds.
func (g StreamGroup) MakeConsumer(name []byte, ms int64) (c StreamConsumer, made bool) {
	p := g.s.at.part
	i, there := g.g.findConsumer(p, name)
	if there {
		return StreamConsumer{p, g.g.consumers[i]}, false
	}
	g.s.editGroup()
	return StreamConsumer{p, g.s.o.addConsumer(p, g.g, i, name, ms, -1)}, true
}

// DeleteConsumer removes a consumer with what is pending with it, and returns how
// many entries that were.
func (g StreamGroup) DeleteConsumer(name []byte) (pending int, ok bool) {
	p := g.s.at.part
	i, there := g.g.findConsumer(p, name)
	if !there {
		return 0, false
	}
	g.s.editGroup()
	c := StreamConsumer{p, g.g.consumers[i]}
	pending = c.Pending()
	own := btree.Stored(p.streamConsumer(c.ref)[consumerPending:])
	all := p.streamPending()
	p.streamOwn().Up(&own, btree.Key{}, func(k btree.Key, _ []byte) bool {
		all.Delete(&g.g.pending, k)
		return true
	})
	g.s.o.freeConsumer(p, c.ref)
	g.g.consumers = slices.Delete(g.g.consumers, i, i+1)
	return pending, true
}

// EachConsumer calls visit for the consumers in the order of their names.
func (g StreamGroup) EachConsumer(visit func(StreamConsumer)) {
	for _, ref := range g.g.consumers {
		visit(StreamConsumer{g.s.at.part, ref})
	}
}

// Saw says that a consumer has tried to read at a Unix time in milliseconds, and
// whether it got something. That alone is no change of the key: who waits for one
// would be woken, and seen, for ever.
func (g StreamGroup) Saw(c StreamConsumer, ms int64, active bool) {
	g.s.note()
	b := c.p.streamConsumer(c.ref)
	binary.LittleEndian.PutUint64(b[consumerSeen:], uint64(ms))
	if active {
		binary.LittleEndian.PutUint64(b[consumerActive:], uint64(ms))
	}
}

// FindPending finds a pending entry.
func (g StreamGroup) FindPending(id StreamID) (e StreamPending, ok bool) {
	v, ok := g.s.at.part.streamPending().Find(&g.g.pending, id.key())
	if !ok {
		return e, false
	}
	return g.pendingOf(id, v), true
}

func (g StreamGroup) pendingOf(id StreamID, v []byte) StreamPending {
	d := deliveryOf(v)
	return StreamPending{id, StreamConsumer{g.s.at.part, d.consumer}, d.ms, d.count}
}

// SetPending makes an entry pending, or changes what is said of one that is.
func (g StreamGroup) SetPending(e StreamPending) {
	g.s.editGroup()
	g.s.o.deliver(g.s.at.part, g.g, e.ID, delivery{e.DeliveredMs, e.Deliveries, e.Consumer.ref})
}

// Acknowledge ends that an entry is pending, and reports whether it was.
func (g StreamGroup) Acknowledge(id StreamID) bool {
	p := g.s.at.part
	v, ok := p.streamPending().Find(&g.g.pending, id.key())
	if !ok {
		return false
	}
	g.s.editGroup()
	g.s.o.disown(p, deliveryOf(v).consumer, id)
	p.streamPending().Delete(&g.g.pending, id.key())
	return true
}

// EachPending calls visit for the pending entries from an ID on, until it returns
// false. visit must not change the group.
func (g StreamGroup) EachPending(from StreamID, visit func(StreamPending) bool) {
	g.s.at.part.streamPending().Up(&g.g.pending, from.key(), func(k btree.Key, v []byte) bool {
		return visit(g.pendingOf(idOf(k), v))
	})
}

// EachPendingOf is EachPending of a consumer's entries alone. visit may change what
// is said of an entry, by SetPending, with the same consumer.
func (g StreamGroup) EachPendingOf(c StreamConsumer, from StreamID, visit func(StreamPending) bool) {
	t := btree.Stored(c.p.streamConsumer(c.ref)[consumerPending:])
	all := c.p.streamPending()
	c.p.streamOwn().Up(&t, from.key(), func(k btree.Key, _ []byte) bool {
		v, ok := all.Find(&g.g.pending, k)
		return !ok || visit(g.pendingOf(idOf(k), v))
	})
}

// NextPending is the first pending entry from an ID on.
func (g StreamGroup) NextPending(from StreamID) (e StreamPending, ok bool) {
	k, v, ok := g.s.at.part.streamPending().Ceiling(&g.g.pending, from.key())
	if !ok {
		return e, false
	}
	return g.pendingOf(idOf(k), v), true
}

// LastPending is the last pending entry.
func (g StreamGroup) LastPending() (e StreamPending, ok bool) {
	k, v, ok := g.s.at.part.streamPending().Floor(&g.g.pending, MaxStreamID.key())
	if !ok {
		return e, false
	}
	return g.pendingOf(idOf(k), v), true
}

// Name is the consumer's name, in the store's memory.
func (c StreamConsumer) Name() []byte { return c.p.streamConsumer(c.ref)[consumerName:] }

// Pending is the number of entries pending with the consumer.
func (c StreamConsumer) Pending() int {
	t := btree.Stored(c.p.streamConsumer(c.ref)[consumerPending:])
	return t.Len()
}

// Seen is when the consumer last tried to read, in Unix milliseconds.
func (c StreamConsumer) Seen() int64 {
	return int64(binary.LittleEndian.Uint64(c.p.streamConsumer(c.ref)[consumerSeen:]))
}

// Active is when it last got something, in Unix milliseconds; -1: never.
func (c StreamConsumer) Active() int64 {
	return int64(binary.LittleEndian.Uint64(c.p.streamConsumer(c.ref)[consumerActive:]))
}
