package kv

import (
	"encoding/binary"
	"math"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/btree"
)

// StreamKey is a key that holds a stream, or none yet. It is good until the
// partition is unlocked; whoever changes it ends with Commit.
type StreamKey struct {
	d       DB
	at      place
	key     []byte
	o       *streamObject // nil if the key is absent
	edited  bool
	changed bool
	grouped bool
}

// streamObject is the object of a stream: every stream has one.
type streamObject struct {
	nodes  btree.Tree // from their IDs to their cells
	tail   arena.Ref  // the last node; 0 if there is none
	length int
	added  uint64
	// first is the first entry's; zero if there is none.
	last, first, maxDeleted StreamID
	groups                  []*streamGroup // by name
	// cells are what nodes and consumers take, with the trees of the consumers.
	cells int64
	// onHeap is what there is on Go's heap.
	onHeap int64
}

// streamIndex is where the trees from IDs to nodes take theirs from.
func (p *partition) streamIndex() btree.Forest { return btree.On(p.members.Nodes(), 8) }

// Stream opens a key for a command on streams. ok is false if it holds something
// else.
func (d DB) Stream(key []byte, a Access) (s StreamKey, ok bool) {
	s.d, s.key = d, key
	if ok = d.open(&s.at, key, Stream, a); ok {
		s.o, _ = s.at.object().(*streamObject)
	}
	return s, ok
}

// Exists reports whether the key is there.
func (s *StreamKey) Exists() bool { return s.o != nil }

// Create makes an empty stream of a key that is absent.
func (s *StreamKey) Create() {
	if s.o == nil {
		s.o = s.at.part.newStream()
		s.d.setObject(&s.at, s.key, kind(Stream, StreamNodes), s.o)
		s.changed = true
	}
}

// edit is called before any change.
func (s *StreamKey) edit() {
	s.note()
	s.changed = true
}

// editGroup is called before a change of a group, of which only those are told who
// keep the data: it is nothing to watch or wait for, as in Redis. Every reader that
// waits would look again whenever another acknowledges.
func (s *StreamKey) editGroup() {
	s.note()
	s.grouped = true
}

// note is called before a change of which nobody is told: when consumers were seen.
func (s *StreamKey) note() {
	if !s.edited {
		s.at.edit()
		s.edited = true
	}
}

// Commit ends a change: who watches the key is told.
func (s *StreamKey) Commit() {
	switch {
	case s.changed:
		s.d.changed(s.at.part, s.key)
	case s.grouped:
		s.at.part.counters.dirty.Add(1)
	default:
		return
	}
	s.edited, s.changed, s.grouped = false, false, false
	s.at.part.members.CountNodes()
}

// StreamInfo is what there is to say about a stream beside its entries.
type StreamInfo struct {
	Length       int
	Nodes        int
	LastID       StreamID // the greatest ID there ever was
	FirstID      StreamID // of the first entry; zero if there is none
	MaxDeletedID StreamID // the greatest ID of an entry that was deleted
	EntriesAdded uint64   // ever
	Groups       int
}

// Info of a stream, or of an empty one if the key is absent.
func (s *StreamKey) Info() (i StreamInfo) {
	if o := s.o; o != nil {
		i = StreamInfo{o.length, o.nodes.Len(), o.last, o.first, o.maxDeleted, o.added, len(o.groups)}
	}
	return i
}

// Len is the number of entries.
func (s *StreamKey) Len() int {
	if s.o == nil {
		return 0
	}
	return s.o.length
}

// LastID is the greatest ID there ever was.
func (s *StreamKey) LastID() (id StreamID) {
	if s.o != nil {
		id = s.o.last
	}
	return id
}

// SetCounters makes a stream what XSETID says: its last ID, not less than that of
// any entry, how many entries were ever added, unless that is negative, and the
// greatest deleted ID, unless that is zero.
func (s *StreamKey) SetCounters(last StreamID, added int64, maxDeleted StreamID) {
	s.edit()
	s.o.last = last
	if added >= 0 {
		s.o.added = uint64(added)
	}
	if !maxDeleted.IsZero() {
		s.o.maxDeleted = maxDeleted
	}
}

// Add adds an entry at the end of a stream: names and values of fields by turns.
// Its ID is greater than the last.
func (s *StreamKey) Add(id StreamID, fields [][]byte) {
	s.edit()
	s.o.add(s.at.part, s.d.s.Limits(), id, fields)
	s.o.last = id
	s.o.added++
}

// add puts an entry behind all others.
func (o *streamObject) add(p *partition, l *Limits, id StreamID, fields [][]byte) {
	size := entryMost
	for _, f := range fields {
		size += len(f) + binary.MaxVarintLen32
	}
	n := o.room(p, l, id, fields, size)
	var scratch [512]byte
	entry := n.appendEntry(scratch[:0], id, fields)
	used := n.get(nodeUsed)
	b := binary.AppendUvarint(n.b[:used], uint64(len(entry)))
	b = append(b, entry...)
	b = appendLength(b, len(b)-used)
	n.set(nodeUsed, len(b))
	n.set(nodeLive, n.get(nodeLive)+1)
	if o.length == 0 {
		o.first = id
	}
	o.length++
}

// room is the last node, with room for an entry of some size at most.
func (o *streamObject) room(p *partition, l *Limits, id StreamID, fields [][]byte, size int) streamNode {
	const least = 128
	hint := 0
	if o.tail != 0 {
		n := p.streamNode(o.tail)
		used := n.get(nodeUsed)
		if !o.full(n, l, id, fields) {
			if used+size > len(n.b) {
				n = o.moveNode(p, n, used+max(size, min(used, nodeMost/4)))
			}
			return n
		}
		if arena.CellSize(used) < len(n.b) {
			o.moveNode(p, n, used)
		}
		hint = min(used, 4*arena.ChunkSize)
	}
	names := 0
	for i := 0; i < len(fields); i += 2 {
		names += len(fields[i]) + binary.MaxVarintLen32
	}
	n := o.newNode(p, id, fields, max(nodeNames+names+size, hint, least))
	at, _ := p.streamIndex().Insert(&o.nodes, id.key())
	binary.LittleEndian.PutUint64(at, uint64(n.ref))
	o.tail = n.ref
	return n
}

// full reports whether an entry needs another node.
func (o *streamObject) full(n streamNode, l *Limits, id StreamID, fields [][]byte) bool {
	size := n.get(nodeUsed)
	for _, f := range fields {
		size += len(f)
	}
	return l.StreamBytes > 0 && size >= l.StreamBytes-nodeSlack ||
		l.StreamEntries > 0 && n.size() >= l.StreamEntries ||
		size >= nodeMost || id.Ms-n.id().Ms >= nodeSpan
}

// Each calls visit for the entries from one ID to another, both included, until it
// returns false. visit must not change the stream.
func (s *StreamKey) Each(from, to StreamID, visit func(*StreamEntry) bool) {
	if s.o != nil {
		s.o.each(s.at.part, from, to, visit)
	}
}

func (o *streamObject) each(p *partition, from, to StreamID, visit func(*StreamEntry) bool) {
	if o.length == 0 || from.Compare(to) > 0 {
		return
	}
	index := p.streamIndex()
	begin, _, _ := index.Floor(&o.nodes, from.key())
	var e StreamEntry
	index.Up(&o.nodes, begin, func(_ btree.Key, v []byte) bool {
		n := p.streamNode(arena.Ref(binary.LittleEndian.Uint64(v)))
		return n.each(&e, func(e *StreamEntry) bool {
			if e.ID.Compare(from) < 0 {
				return true
			}
			return e.ID.Compare(to) <= 0 && visit(e)
		})
	})
}

// EachBack is Each from the last of the entries to the first.
func (s *StreamKey) EachBack(from, to StreamID, visit func(*StreamEntry) bool) {
	if s.o == nil || s.o.length == 0 || from.Compare(to) > 0 {
		return
	}
	p := s.at.part
	var e StreamEntry
	p.streamIndex().Down(&s.o.nodes, to.key(), func(_ btree.Key, v []byte) bool {
		n := p.streamNode(arena.Ref(binary.LittleEndian.Uint64(v)))
		return n.eachBack(&e, func(e *StreamEntry) bool {
			if e.ID.Compare(to) > 0 {
				return true
			}
			return e.ID.Compare(from) >= 0 && visit(e)
		})
	})
}

// Find finds the entry with an ID.
func (s *StreamKey) Find(id StreamID) (e StreamEntry, ok bool) {
	if s.o == nil {
		return e, false
	}
	_, ok = s.o.find(s.at.part, id, &e)
	return e, ok
}

func (o *streamObject) find(p *partition, id StreamID, e *StreamEntry) (n streamNode, ok bool) {
	_, v, ok := p.streamIndex().Floor(&o.nodes, id.key())
	if !ok {
		return n, false
	}
	n = p.streamNode(arena.Ref(binary.LittleEndian.Uint64(v)))
	return n, n.seek(id, e)
}

// Newest is the ID of the last entry; ok is false if there is none.
func (s *StreamKey) Newest() (id StreamID, ok bool) {
	if s.o == nil || s.o.length == 0 {
		return id, false
	}
	n := s.at.part.streamNode(s.o.tail)
	var e StreamEntry
	for at := n.get(nodeUsed); ; {
		at = n.before(at)
		if n.entry(at, &e); !e.dead {
			return e.ID, true
		}
	}
}

// Delete removes an entry and reports whether it was there.
func (s *StreamKey) Delete(id StreamID) bool {
	if s.o == nil {
		return false
	}
	o, p := s.o, s.at.part
	var e StreamEntry
	n, ok := o.find(p, id, &e)
	if !ok {
		return false
	}
	s.edit()
	n.kill(&e)
	o.length--
	if n.get(nodeLive) == 0 {
		o.dropNode(p, n)
	}
	if id.Compare(o.maxDeleted) > 0 {
		o.maxDeleted = id
	}
	if id == o.first {
		o.findFirst(p)
	}
	return true
}

// dropNode frees a node. Its entries aren't counted any more.
func (o *streamObject) dropNode(p *partition, n streamNode) {
	index := p.streamIndex()
	index.Delete(&o.nodes, n.id().key())
	if n.ref == o.tail {
		o.tail = 0
		if _, v, ok := index.Floor(&o.nodes, MaxStreamID.key()); ok {
			o.tail = arena.Ref(binary.LittleEndian.Uint64(v))
		}
	}
	o.freeNode(p, n)
}

// head is the first node.
func (o *streamObject) head(p *partition) (n streamNode, ok bool) {
	_, v, ok := p.streamIndex().Ceiling(&o.nodes, btree.Key{})
	if ok {
		n = p.streamNode(arena.Ref(binary.LittleEndian.Uint64(v)))
	}
	return n, ok
}

func (o *streamObject) findFirst(p *partition) {
	o.first = StreamID{}
	if n, ok := o.head(p); ok {
		o.first = n.firstLive()
	}
}

// StreamTrim says what XTRIM removes from the front: all but a number of entries,
// or those before an ID.
type StreamTrim struct {
	ByID   bool
	MaxLen int64
	MinID  StreamID
	// Approx: only nodes as a whole.
	Approx bool
	// Limit is the most entries to remove; 0: no limit.
	Limit int64
}

// Trim removes entries and returns how many.
func (s *StreamKey) Trim(t StreamTrim) (removed int64) {
	if s.o == nil {
		return 0
	}
	o, p := s.o, s.at.part
	for {
		n, ok := o.head(p)
		if !ok || !t.ByID && int64(o.length) <= t.MaxLen {
			break
		}
		live := int64(n.get(nodeLive))
		if t.Limit > 0 && removed+live > t.Limit {
			break
		}
		whole := int64(o.length)-live >= t.MaxLen
		if t.ByID {
			whole = n.lastID().Compare(t.MinID) < 0
		}
		if whole {
			s.edit()
			o.length -= int(live)
			removed += live
			o.dropNode(p, n)
			continue
		}
		if !t.Approx {
			removed += s.trimNode(n, t)
		}
		break
	}
	if removed > 0 {
		o.findFirst(p)
	}
	return removed
}

// trimNode removes some of a node's entries.
func (s *StreamKey) trimNode(n streamNode, t StreamTrim) (removed int64) {
	var e StreamEntry
	for {
		n.entry(n.get(nodeFirst), &e)
		if t.ByID && e.ID.Compare(t.MinID) >= 0 || !t.ByID && int64(s.o.length) <= t.MaxLen {
			return removed
		}
		s.edit()
		n.kill(&e)
		s.o.length--
		removed++
		if n.get(nodeLive) == 0 {
			s.o.dropNode(s.at.part, n)
			return removed
		}
	}
}

func (o *streamObject) count() int { return o.length }

func (o *streamObject) bytes() int64 {
	n := o.onHeap + o.cells + o.nodes.Bytes()
	for _, g := range o.groups {
		n += g.pending.Bytes()
	}
	return n
}

func (o *streamObject) clone(from, to *partition) object {
	c := to.newStream()
	c.length, c.added, c.last, c.first, c.maxDeleted = o.length, o.added, o.last, o.first, o.maxDeleted
	index := to.streamIndex()
	from.streamIndex().Up(&o.nodes, btree.Key{}, func(k btree.Key, v []byte) bool {
		n := from.streamNode(arena.Ref(binary.LittleEndian.Uint64(v)))
		m := c.allocNode(to, n.get(nodeUsed))
		copy(m.b[nodeUsed:], n.b[nodeUsed:n.get(nodeUsed)])
		at, _ := index.Insert(&c.nodes, k)
		binary.LittleEndian.PutUint64(at, uint64(m.ref))
		c.tail = m.ref
		return true
	})
	for _, g := range o.groups {
		c.groups = append(c.groups, o.cloneGroup(from, g, c, to))
	}
	return c
}

// distance is how many entries were added before the one behind an ID, or
// unknownRead if that can't be told.
func (o *streamObject) distance(id StreamID) int64 {
	last := id.Compare(o.last)
	switch {
	case o.added == 0:
		return 0
	case o.length == 0 && last <= 0, last == 0:
		return int64(o.added)
	case last > 0:
		return unknownRead
	}
	if o.maxDeleted.IsZero() || o.maxDeleted.Compare(o.first) < 0 {
		switch first := id.Compare(o.first); {
		case first < 0:
			return int64(o.added) - int64(o.length)
		case first == 0:
			return int64(o.added) - int64(o.length) + 1
		}
	}
	return unknownRead
}

// gaps reports whether entries from an ID on may have been deleted among those
// that are left.
func (o *streamObject) gaps(from StreamID) bool {
	return o.length > 0 && !o.maxDeleted.IsZero() && o.first.Compare(o.maxDeleted) <= 0 && from.Compare(o.maxDeleted) <= 0
}

// EntryMost is the most bytes that the names and values of an entry may have.
const EntryMost = math.MaxInt32 / 2
