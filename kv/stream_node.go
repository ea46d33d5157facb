package kv

import (
	"bytes"
	"encoding/binary"
	"slices"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/packed"
)

// The entries of a stream lie in nodes, some dozens in each. A node is a cell:
//
//	0 size of the cell   4 bytes in use        8 live entries   12 dead entries
//	16 first live entry  20 where entries begin   24 ID of the first entry there was
//	40 number of names, and the names of that entry's fields   .. entries
//
// and an entry: its length; the milliseconds since the node's ID, shifted by two
// for two flags; the number within the millisecond, since the node's if that is the
// same; fields; and its length up to here, to be read backwards. Its fields are
// their number and names and values by turns, or just values, if the names are the
// node's. All numbers are of variable length, and so are values: an even number is
// twice the length of a string that follows it, an odd one an integer.
//
// Entries before the first live one are dead. Others that are dead are marked.
const (
	nodeUsed    = 4
	nodeLive    = 8
	nodeDead    = 12
	nodeFirst   = 16
	nodeEntries = 20
	nodeID      = 24
	nodeNames   = 40

	entryDead  = 1
	entrySame  = 2 // names are the node's
	entryFlags = 2 // bits

	// nodeSpan is how many milliseconds the entries of a node can lie apart.
	nodeSpan = 1 << 60
	// nodeMost is the size of a node beyond which no limit lets it grow.
	nodeMost = 1 << 30
	// nodeSlack is what nodes stay below their limit, so that those of the usual
	// one fill a cell of 4080 bytes.
	nodeSlack = 16
	// entryMost is the most that an entry takes beside its values.
	entryMost = 50
)

type streamNode struct {
	b   []byte // the cell
	ref arena.Ref
}

func (p *partition) streamNode(ref arena.Ref) streamNode {
	a := p.members.Nodes().Arena()
	return streamNode{a.Bytes(ref, int(binary.LittleEndian.Uint32(a.Head(ref)[:]))), ref}
}

func (n streamNode) get(field int) int      { return int(binary.LittleEndian.Uint32(n.b[field:])) }
func (n streamNode) set(field int, val int) { binary.LittleEndian.PutUint32(n.b[field:], uint32(val)) }

func (n streamNode) id() StreamID {
	return StreamID{binary.LittleEndian.Uint64(n.b[nodeID:]), binary.LittleEndian.Uint64(n.b[nodeID+8:])}
}

// size is the number of entries, the dead ones included.
func (n streamNode) size() int { return n.get(nodeLive) + n.get(nodeDead) }

// allocNode makes a cell with room for a node of some size.
func (o *streamObject) allocNode(p *partition, size int) streamNode {
	cell := arena.CellSize(size)
	ref := p.members.Nodes().Alloc(cell)
	o.cells += int64(cell)
	n := streamNode{p.members.Nodes().Arena().Bytes(ref, cell), ref}
	n.set(0, cell)
	return n
}

func (o *streamObject) freeNode(p *partition, n streamNode) {
	o.cells -= int64(len(n.b))
	p.members.Nodes().Free(n.ref, len(n.b))
}

// newNode makes a node without entries.
func (o *streamObject) newNode(p *partition, id StreamID, fields [][]byte, room int) streamNode {
	size := nodeNames + binary.MaxVarintLen64
	for i := 0; i < len(fields); i += 2 {
		size += binary.MaxVarintLen32 + len(fields[i])
	}
	n := o.allocNode(p, max(size, room))
	clear(n.b[nodeUsed:nodeNames])
	binary.LittleEndian.PutUint64(n.b[nodeID:], id.Ms)
	binary.LittleEndian.PutUint64(n.b[nodeID+8:], id.Seq)
	b := binary.AppendUvarint(n.b[:nodeNames], uint64(len(fields)/2))
	for i := 0; i < len(fields); i += 2 {
		b = binary.AppendUvarint(b, uint64(len(fields[i])))
		b = append(b, fields[i]...)
	}
	n.set(nodeUsed, len(b))
	n.set(nodeEntries, len(b))
	n.set(nodeFirst, len(b))
	return n
}

// moveNode moves a node to a cell with room for a node of some size.
func (o *streamObject) moveNode(p *partition, n streamNode, size int) streamNode {
	to := o.allocNode(p, size)
	copy(to.b[nodeUsed:], n.b[nodeUsed:n.get(nodeUsed)])
	index := p.streamIndex()
	at, _ := index.Find(&o.nodes, n.id().key())
	binary.LittleEndian.PutUint64(at, uint64(to.ref))
	if o.tail == n.ref {
		o.tail = to.ref
	}
	o.freeNode(p, n)
	return to
}

// sameNames reports whether fields have the node's names.
func (n streamNode) sameNames(fields [][]byte) bool {
	b := n.b[nodeNames:n.get(nodeEntries)]
	count, w := binary.Uvarint(b)
	if count != uint64(len(fields)/2) {
		return false
	}
	b = b[w:]
	for i := 0; i < len(fields); i += 2 {
		size, w := binary.Uvarint(b)
		end := w + int(size)
		if !bytes.Equal(b[w:end], fields[i]) {
			return false
		}
		b = b[end:]
	}
	return true
}

// appendEntry appends what an entry has between its lengths.
func (n streamNode) appendEntry(b []byte, id StreamID, fields [][]byte) []byte {
	base := n.id()
	ms, seq := id.Ms-base.Ms, id.Seq
	if ms == 0 {
		seq -= base.Seq
	}
	if n.sameNames(fields) {
		b = binary.AppendUvarint(b, ms<<entryFlags|entrySame)
		b = binary.AppendUvarint(b, seq)
		for i := 1; i < len(fields); i += 2 {
			b = appendStreamValue(b, fields[i])
		}
		return b
	}
	b = binary.AppendUvarint(b, ms<<entryFlags)
	b = binary.AppendUvarint(b, seq)
	b = binary.AppendUvarint(b, uint64(len(fields)/2))
	for _, f := range fields {
		b = appendStreamValue(b, f)
	}
	return b
}

// integerMost is the greatest integer whose doubled form has a bit to spare.
const integerMost = 1<<62 - 1

func appendStreamValue(b, val []byte) []byte {
	if n, ok := ParseInt(val); ok && n <= integerMost && n >= -integerMost {
		return binary.AppendUvarint(b, uint64(n<<1^n>>63)<<1|1)
	}
	b = binary.AppendUvarint(b, uint64(len(val))<<1)
	return append(b, val...)
}

// streamValue is the value at the beginning of b, and its length in b.
func streamValue(b []byte) (v packed.Value, size int) {
	x, w := binary.Uvarint(b)
	if x&1 != 0 {
		x >>= 1
		return packed.Value{Int: int64(x>>1) ^ -int64(x&1)}, w
	}
	end := w + int(x>>1)
	return packed.Value{Bytes: b[w:end:end]}, end
}

// appendLength appends a length to be read backwards: seven bits in a byte, the
// lowest ones last; all but the first byte have the top bit set.
func appendLength(b []byte, n int) []byte {
	at := len(b)
	b = append(b, byte(n)&0x7f)
	for n >>= 7; n > 0; n >>= 7 {
		b[at] |= 0x80
		b = slices.Insert(b, at, byte(n)&0x7f)
	}
	return b
}

// lengthSize is how many bytes appendLength appends.
func lengthSize(n int) int {
	size := 1
	for n >>= 7; n > 0; n >>= 7 {
		size++
	}
	return size
}

// StreamEntry is an entry of a stream, good until the stream is changed.
type StreamEntry struct {
	ID     StreamID
	names  []byte // the node's
	fields []byte
	n      int
	same   bool
	dead   bool
	at     int // offset in the node
	flags  int // offset of the byte with the flags
	end    int
}

// Len is the number of fields.
func (e *StreamEntry) Len() int { return e.n }

// Each calls visit for every field.
func (e *StreamEntry) Each(visit func(field, val packed.Value)) {
	names, b := e.names, e.fields
	for range e.n {
		var field, val packed.Value
		var w int
		if e.same {
			size, head := binary.Uvarint(names)
			end := head + int(size)
			field.Bytes = names[head:end:end]
			names = names[end:]
		} else {
			field, w = streamValue(b)
			b = b[w:]
		}
		val, w = streamValue(b)
		b = b[w:]
		visit(field, val)
	}
}

// entry reads the entry at an offset.
func (n streamNode) entry(at int, e *StreamEntry) {
	base := n.id()
	size, w := binary.Uvarint(n.b[at:])
	e.at, e.flags = at, at+w
	end := at + w + int(size)
	e.end = end + lengthSize(w+int(size))
	b := n.b[at+w : end]
	x, w := binary.Uvarint(b)
	seq, w2 := binary.Uvarint(b[w:])
	b = b[w+w2:]
	ms := x >> entryFlags
	if ms == 0 {
		seq += base.Seq
	}
	e.ID = StreamID{base.Ms + ms, seq}
	e.same, e.dead = x&entrySame != 0, x&entryDead != 0
	var count uint64
	if e.same {
		e.names = n.b[nodeNames:n.get(nodeEntries)]
		count, w = binary.Uvarint(e.names)
		e.names = e.names[w:]
	} else {
		count, w = binary.Uvarint(b)
		b = b[w:]
	}
	e.fields, e.n = b, int(count)
}

// before is the offset of the entry that ends at an offset.
func (n streamNode) before(at int) int {
	size, shift, read := 0, 0, 0
	for {
		read++
		c := n.b[at-read]
		size |= int(c&0x7f) << shift
		if c&0x80 == 0 {
			return at - read - size
		}
		shift += 7
	}
}

// lastID is the ID of the last entry, be it live or dead.
func (n streamNode) lastID() StreamID {
	var e StreamEntry
	n.entry(n.before(n.get(nodeUsed)), &e)
	return e.ID
}

// firstLive is the ID of the first live entry of a node that has one.
func (n streamNode) firstLive() StreamID {
	var e StreamEntry
	n.entry(n.get(nodeFirst), &e)
	return e.ID
}

// each calls visit for the live entries until it returns false, and reports
// whether it never did.
func (n streamNode) each(e *StreamEntry, visit func(*StreamEntry) bool) bool {
	for at, used := n.get(nodeFirst), n.get(nodeUsed); at < used; at = e.end {
		if n.entry(at, e); !e.dead && !visit(e) {
			return false
		}
	}
	return true
}

// eachBack is each from the last entry to the first.
func (n streamNode) eachBack(e *StreamEntry, visit func(*StreamEntry) bool) bool {
	for at, first := n.get(nodeUsed), n.get(nodeFirst); at > first; {
		at = n.before(at)
		if n.entry(at, e); !e.dead && !visit(e) {
			return false
		}
	}
	return true
}

// seek finds a live entry.
func (n streamNode) seek(id StreamID, e *StreamEntry) bool {
	for at, used := n.get(nodeFirst), n.get(nodeUsed); at < used; at = e.end {
		n.entry(at, e)
		if c := e.ID.Compare(id); c >= 0 {
			return c == 0 && !e.dead
		}
	}
	return false
}

// kill makes a live entry dead.
func (n streamNode) kill(e *StreamEntry) {
	n.b[e.flags] |= entryDead
	n.set(nodeLive, n.get(nodeLive)-1)
	n.set(nodeDead, n.get(nodeDead)+1)
	if e.at != n.get(nodeFirst) {
		return
	}
	next, used := e.end, n.get(nodeUsed)
	for next < used {
		var f StreamEntry
		if n.entry(next, &f); !f.dead {
			break
		}
		next = f.end
	}
	n.set(nodeFirst, next)
}
