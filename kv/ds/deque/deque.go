package deque

import (
	"encoding/binary"
	"sync/atomic"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/packed"
)

// A node:
//
//	0 previous node   8 next node   16 number of values   18 start of the list
//	20 size of the list   24 size of the cell   28 the list, from its start on
//
// It is full at nodeSize, unless it has just one value. The list has free room on
// either side, so that both ends grow and shrink without moving it.
const (
	nodeHead = 28
	nodeSize = 4080
	// entryMax is the most that an entry takes beside its value.
	entryMax = 10
)

// Nodes is where lists take their nodes from.
type Nodes struct {
	h      *arena.Heap
	graves []arena.Ref // first nodes of buried lists
	buried atomic.Int64
}

// NewNodes makes nodes on a heap.
func NewNodes(h *arena.Heap) *Nodes { return &Nodes{h: h} }

// List is a list of values. The zero value is empty.
type List struct {
	first, last arena.Ref
	n           int
	bytes       int64
}

// Len is the number of values.
func (l *List) Len() int { return l.n }

// Bytes is the memory that the list's nodes take.
func (l *List) Bytes() int64 { return l.bytes }

type node struct {
	head []byte
	ref  arena.Ref
}

func (ns *Nodes) node(r arena.Ref) node { return node{ns.h.Arena().Bytes(r, nodeHead), r} }

func (n node) prev() arena.Ref     { return arena.Ref(binary.LittleEndian.Uint64(n.head)) }
func (n node) next() arena.Ref     { return arena.Ref(binary.LittleEndian.Uint64(n.head[8:])) }
func (n node) setPrev(r arena.Ref) { binary.LittleEndian.PutUint64(n.head, uint64(r)) }
func (n node) setNext(r arena.Ref) { binary.LittleEndian.PutUint64(n.head[8:], uint64(r)) }
func (n node) count() int          { return int(binary.LittleEndian.Uint16(n.head[16:])) }
func (n node) setCount(v int)      { binary.LittleEndian.PutUint16(n.head[16:], uint16(v)) }
func (n node) start() int          { return int(binary.LittleEndian.Uint16(n.head[18:])) }
func (n node) setStart(v int)      { binary.LittleEndian.PutUint16(n.head[18:], uint16(v)) }
func (n node) size() int           { return int(binary.LittleEndian.Uint32(n.head[20:])) }
func (n node) setSize(v int)       { binary.LittleEndian.PutUint32(n.head[20:], uint32(v)) }
func (n node) cell() int           { return int(binary.LittleEndian.Uint32(n.head[24:])) }

// space is what of the node's cell values may lie in.
func (ns *Nodes) space(n node) []byte { return ns.h.Arena().Bytes(n.ref, n.cell())[nodeHead:] }

// list is the node's values, with the rest of the cell as capacity.
func (ns *Nodes) list(n node) packed.List {
	from := n.start()
	return packed.List(ns.space(n)[from : from+n.size()])
}

// move puts the list elsewhere in its cell.
func (ns *Nodes) move(n node, start int) {
	space := ns.space(n)
	copy(space[start:start+n.size()], ns.list(n))
	n.setStart(start)
}

func (ns *Nodes) alloc(l *List, room int) node {
	cell := arena.CellSize(nodeHead + room)
	n := ns.node(ns.h.Alloc(cell))
	l.bytes += int64(cell)
	clear(n.head)
	binary.LittleEndian.PutUint32(n.head[24:], uint32(cell))
	return n
}

func (ns *Nodes) free(l *List, n node) {
	l.bytes -= int64(n.cell())
	ns.h.Free(n.ref, n.cell())
}

// resize moves a node to a cell with room for a list of some size.
func (ns *Nodes) resize(l *List, n node, room int) node {
	to := ns.alloc(l, room)
	to.setPrev(n.prev())
	to.setNext(n.next())
	to.setCount(n.count())
	to.setSize(n.size())
	copy(ns.list(to), ns.list(n))
	if n.prev() != 0 {
		ns.node(n.prev()).setNext(to.ref)
	} else {
		l.first = to.ref
	}
	if n.next() != 0 {
		ns.node(n.next()).setPrev(to.ref)
	} else {
		l.last = to.ref
	}
	ns.free(l, n)
	return to
}

// room returns a node whose cell has room for so many bytes behind the list.
func (ns *Nodes) room(l *List, n node, bytes int) node {
	need := n.size() + bytes
	switch {
	case nodeHead+need > n.cell():
		return ns.resize(l, n, grown(need))
	case nodeHead+n.start()+need > n.cell():
		ns.move(n, 0)
	}
	return n
}

// slackShare: a cell that is made larger gets an eighth more than is needed, and
// a list is moved within its cell only if that gains at least as much.
const slackShare = 8

// grown is the room of a cell that is made larger because need is needed.
func grown(need int) int { return max(need, min(need+need/slackShare, nodeSize-nodeHead)) }

// roomAt returns a node with room for so many bytes behind the list, or before
// it; ok is false if the node counts as full, because it is or because making room
// in it would cost too much.
func (ns *Nodes) roomAt(l *List, n node, bytes int, front bool) (_ node, ok bool) {
	need := n.size() + bytes
	if nodeHead+need > nodeSize {
		return n, false
	}
	free := n.cell() - nodeHead - n.size()
	here := n.start()
	if !front {
		here = free - here
	}
	switch {
	case here >= bytes:
	case free >= bytes && free*slackShare >= n.size():
		if front {
			ns.move(n, free)
		} else {
			ns.move(n, 0)
		}
	case n.cell() < nodeSize:
		n = ns.resize(l, n, grown(need))
		if front {
			ns.move(n, n.cell()-nodeHead-n.size())
		}
	default:
		return n, false
	}
	return n, true
}

// fits reports whether a value may be added to a node.
func fits(n node, val []byte) bool {
	return nodeHead+n.size()+len(val)+entryMax <= nodeSize
}

// store ends a change of a node's list that took place in its cell.
func (n node) store(list packed.List, count int) {
	n.setSize(len(list))
	n.setCount(count)
}

// PushBack adds a value at the end.
func (ns *Nodes) PushBack(l *List, val []byte) {
	var n node
	ok := l.last != 0
	if ok {
		n, ok = ns.roomAt(l, ns.node(l.last), len(val)+entryMax, false)
	}
	if !ok {
		n = ns.link(l, l.last, 0, len(val)+entryMax)
	}
	n.store(ns.list(n).Append(val), n.count()+1)
	l.n++
}

// PushFront adds a value at the beginning.
func (ns *Nodes) PushFront(l *List, val []byte) {
	var scratch [64]byte
	entry := packed.List(scratch[:0]).Append(val)
	var n node
	at, ok := 0, l.first != 0
	if ok {
		n, ok = ns.roomAt(l, ns.node(l.first), len(entry), true)
	}
	if ok {
		at = n.start() - len(entry)
	} else {
		n = ns.link(l, 0, l.first, len(entry))
		if n.cell() <= nodeSize {
			at = n.cell() - nodeHead - len(entry)
		}
	}
	copy(ns.space(n)[at:], entry)
	n.setStart(at)
	n.setSize(n.size() + len(entry))
	n.setCount(n.count() + 1)
	l.n++
}

// link adds an empty node between two neighbours, either of which may be 0.
func (ns *Nodes) link(l *List, prev, next arena.Ref, room int) node {
	n := ns.alloc(l, room)
	n.setPrev(prev)
	n.setNext(next)
	if prev != 0 {
		ns.node(prev).setNext(n.ref)
	} else {
		l.first = n.ref
	}
	if next != 0 {
		ns.node(next).setPrev(n.ref)
	} else {
		l.last = n.ref
	}
	return n
}

func (ns *Nodes) unlink(l *List, n node) {
	prev, next := n.prev(), n.next()
	if prev != 0 {
		ns.node(prev).setNext(next)
	} else {
		l.first = next
	}
	if next != 0 {
		ns.node(next).setPrev(prev)
	} else {
		l.last = prev
	}
	ns.free(l, n)
}

// seek is the node of the i-th value, 0 <= i < Len, and its number in it.
func (ns *Nodes) seek(l *List, i int) (n node, j int) {
	if i < l.n/2 {
		for n = ns.node(l.first); i >= n.count(); n = ns.node(n.next()) {
			i -= n.count()
		}
		return n, i
	}
	back := l.n - 1 - i
	for n = ns.node(l.last); back >= n.count(); n = ns.node(n.prev()) {
		back -= n.count()
	}
	return n, n.count() - 1 - back
}

// position is where the j-th value of a node's list is.
func position(list packed.List, j, count int) int {
	if j > count/2 {
		j -= count
	}
	pos, _ := list.Seek(j)
	return pos
}

// At is the i-th value, 0 <= i < Len.
func (ns *Nodes) At(l *List, i int) packed.Value {
	n, j := ns.seek(l, i)
	list := ns.list(n)
	v, _ := list.At(position(list, j, n.count()))
	return v
}

// First is the first value of a list that is not empty.
func (ns *Nodes) First(l *List) packed.Value {
	v, _ := ns.list(ns.node(l.first)).At(0)
	return v
}

// Last is the last value of a list that is not empty.
func (ns *Nodes) Last(l *List) packed.Value {
	list := ns.list(ns.node(l.last))
	v, _ := list.At(list.Before(len(list)))
	return v
}

// AppendTo appends the values to a packed list.
func (ns *Nodes) AppendTo(dst packed.List, l *List) packed.List {
	for r := l.first; r != 0; {
		n := ns.node(r)
		dst = append(dst, ns.list(n)...)
		r = n.next()
	}
	return dst
}

// Set gives the i-th value, 0 <= i < Len, another content.
func (ns *Nodes) Set(l *List, i int, val []byte) {
	n, j := ns.seek(l, i)
	if !fits(n, val) && n.count() > 1 {
		ns.Delete(l, i, 1)
		ns.Insert(l, i, val)
		return
	}
	n = ns.room(l, n, len(val)+entryMax)
	list := ns.list(n)
	n.store(list.Replace(position(list, j, n.count()), val), n.count())
	ns.settle(l, n)
}

// Insert adds a value before the i-th, or at the end for Len.
func (ns *Nodes) Insert(l *List, i int, val []byte) {
	switch i {
	case 0:
		ns.PushFront(l, val)
		return
	case l.n:
		ns.PushBack(l, val)
		return
	}
	n, j := ns.seek(l, i)
	if !fits(n, val) {
		ns.split(l, n, j)
		// Before the split-off part, behind the other, or between them.
		next := ns.node(n.ref)
		if j > 0 && fits(next, val) {
			n = next
		} else {
			n, j = ns.between(l, n, j, val)
		}
	}
	n = ns.room(l, n, len(val)+entryMax)
	list := ns.list(n)
	if j == n.count() {
		list = list.Append(val)
	} else {
		list = list.Insert(position(list, j, n.count()), val)
	}
	n.store(list, n.count()+1)
	l.n++
}

// between finds a node for a value that goes behind node n, which has j values,
// or before it if j is 0.
func (ns *Nodes) between(l *List, n node, j int, val []byte) (node, int) {
	if j == 0 {
		return ns.link(l, n.prev(), n.ref, len(val)+entryMax), 0
	}
	if next := n.next(); next != 0 {
		if m := ns.node(next); fits(m, val) {
			return m, 0
		}
	}
	return ns.link(l, n.ref, n.next(), len(val)+entryMax), 0
}

// split moves the values from the j-th on, j > 0, to a node of their own.
func (ns *Nodes) split(l *List, n node, j int) {
	if j == 0 {
		return
	}
	list := ns.list(n)
	pos := position(list, j, n.count())
	right := ns.link(l, n.ref, n.next(), len(list)-pos)
	tail := ns.list(right)
	right.store(append(tail, list[pos:]...), n.count()-j)
	n.store(list[:pos], j)
}

// Delete removes n values from the i-th on, or as many as there are.
func (ns *Nodes) Delete(l *List, i, n int) {
	for n = min(n, l.n-i); n > 0; {
		nd, j := ns.seek(l, i)
		k := min(n, nd.count()-j)
		n -= k
		l.n -= k
		if k == nd.count() {
			ns.unlink(l, nd)
			continue
		}
		ns.cut(nd, j, k)
		ns.settle(l, nd)
	}
}

// cut removes k values from the j-th on, not all, from a node's list.
func (ns *Nodes) cut(n node, j, k int) {
	list, count := ns.list(n), n.count()
	pos := position(list, j, count)
	n.setCount(count - k)
	switch {
	case j+k == count:
		n.setSize(pos)
	case j == 0:
		pos = position(list, k, count)
		n.setStart(n.start() + pos)
		n.setSize(len(list) - pos)
	default:
		n.setSize(len(list.Delete(pos, k)))
	}
}

// DeleteFunc removes the values for which drop returns true; it is called once for
// each, in order.
func (ns *Nodes) DeleteFunc(l *List, drop func(packed.Value) bool) {
	for r := l.first; r != 0; {
		n := ns.node(r)
		r = n.next()
		list, gone := ns.list(n), 0
		left := list.DeleteFunc(func(v packed.Value) bool {
			if drop(v) {
				gone++
				return true
			}
			return false
		})
		switch l.n -= gone; {
		case gone == 0:
		case len(left) == 0:
			ns.unlink(l, n)
		default:
			n.store(left, n.count()-gone)
			ns.settle(l, n)
		}
	}
}

// settle gives a node whose list has become much smaller a smaller cell, or its
// values to a neighbour.
func (ns *Nodes) settle(l *List, n node) {
	if n.cell() < 256 || nodeHead+n.size() > n.cell()/2 {
		return
	}
	if prev := n.prev(); prev != 0 {
		p := ns.node(prev)
		if size := p.size() + n.size(); nodeHead+size <= nodeSize*3/4 {
			p = ns.room(l, p, n.size())
			p.store(append(ns.list(p), ns.list(n)...), p.count()+n.count())
			ns.unlink(l, n)
			return
		}
	}
	ns.resize(l, n, n.size())
}

// Each calls visit for the values from the i-th on until it returns false. visit
// must not change the list.
func (ns *Nodes) Each(l *List, i int, visit func(packed.Value) bool) {
	if i >= l.n {
		return
	}
	for n, j := ns.seek(l, i); ; n, j = ns.node(n.next()), 0 {
		list := ns.list(n)
		for pos := position(list, j, n.count()); pos < len(list); {
			var v packed.Value
			if v, pos = list.At(pos); !visit(v) {
				return
			}
		}
		if n.next() == 0 {
			return
		}
	}
}

// EachBack calls visit for the values from the i-th, i < Len, down to the first,
// until it returns false. visit must not change the list.
func (ns *Nodes) EachBack(l *List, i int, visit func(packed.Value) bool) {
	if i < 0 {
		return
	}
	n, j := ns.seek(l, i)
	for {
		list := ns.list(n)
		for pos := position(list, j, n.count()); ; pos = list.Before(pos) {
			if v, _ := list.At(pos); !visit(v) {
				return
			}
			if pos == 0 {
				break
			}
		}
		if n.prev() == 0 {
			return
		}
		n = ns.node(n.prev())
		j = n.count() - 1
	}
}

// Free empties a list.
func (ns *Nodes) Free(l *List) {
	for r := l.first; r != 0; {
		n := ns.node(r)
		r = n.next()
		ns.free(l, n)
	}
	*l = List{}
}

// Bury empties a list. Its memory is freed by Reap, in parts.
func (ns *Nodes) Bury(l *List) {
	if l.first != 0 {
		ns.graves = append(ns.graves, l.first)
		ns.buried.Add(l.bytes)
	}
	*l = List{}
}

// Graves reports whether there is something to reap.
func (ns *Nodes) Graves() bool { return len(ns.graves) > 0 }

// Buried is the memory of buried lists that has not been freed yet. No lock is
// needed.
func (ns *Nodes) Buried() int64 { return ns.buried.Load() }

// Reap frees up to n nodes of buried lists, and reports whether there are more.
func (ns *Nodes) Reap(n int) (more bool) {
	for ; n > 0 && len(ns.graves) > 0; n-- {
		last := len(ns.graves) - 1
		x := ns.node(ns.graves[last])
		if ns.graves[last] = x.next(); x.next() == 0 {
			ns.graves = ns.graves[:last]
		}
		ns.buried.Add(-int64(x.cell()))
		ns.h.Free(x.ref, x.cell())
	}
	if len(ns.graves) == 0 {
		ns.graves = nil
		return false
	}
	return true
}
