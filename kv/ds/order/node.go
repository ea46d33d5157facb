package order

import (
	"encoding/binary"
	"math"

	"conclave/kv/ds/arena"
)

// A node:
//
//	0  number of trees and nodes that refer to it, 4 bytes
//	4  number of entries, 2 bytes      6  1 in a leaf     16  entries
//
// and an entry: score, reference, and in inner nodes the subtree's root and its
// number of items; eight bytes each. An inner node's items are the first ones of
// its subtrees.
const (
	nodeHead    = 16
	leafStride  = 16
	innerStride = 32
	leafMax     = 64
	innerMax    = 56
	leafSize    = nodeHead + leafMax*leafStride
	innerSize   = nodeHead + innerMax*innerStride
)

// Item is a score and what has it.
type Item struct {
	Score float64
	Ref   uint64
}

type node struct {
	b   []byte
	ref arena.Ref
}

func (f *Forest) node(ref arena.Ref) node {
	size := innerSize
	if f.h.Arena().Head(ref)[6] != 0 {
		size = leafSize
	}
	return node{f.h.Arena().Bytes(ref, size), ref}
}

func (f *Forest) alloc(leaf bool) node {
	size := innerSize
	if leaf {
		size = leafSize
	}
	ref := f.h.Alloc(size)
	n := node{f.h.Arena().Bytes(ref, size), ref}
	clear(n.b[:nodeHead])
	n.setRefs(1)
	if leaf {
		n.b[6] = 1
	}
	return n
}

func (n node) leaf() bool       { return n.b[6] != 0 }
func (n node) refs() uint32     { return binary.LittleEndian.Uint32(n.b) }
func (n node) setRefs(v uint32) { binary.LittleEndian.PutUint32(n.b, v) }
func (n node) len() int         { return int(binary.LittleEndian.Uint16(n.b[4:])) }
func (n node) setLen(v int)     { binary.LittleEndian.PutUint16(n.b[4:], uint16(v)) }

func (n node) stride() int {
	if n.leaf() {
		return leafStride
	}
	return innerStride
}

func (n node) max() int {
	if n.leaf() {
		return leafMax
	}
	return innerMax
}

func (n node) at(i int) int { return nodeHead + i*n.stride() }

func (n node) item(i int) Item {
	e := n.b[n.at(i):]
	return Item{math.Float64frombits(binary.LittleEndian.Uint64(e)), binary.LittleEndian.Uint64(e[8:])}
}

func (n node) setItem(i int, it Item) {
	e := n.b[n.at(i):]
	binary.LittleEndian.PutUint64(e, math.Float64bits(it.Score))
	binary.LittleEndian.PutUint64(e[8:], it.Ref)
}

func (n node) child(i int) arena.Ref {
	return arena.Ref(binary.LittleEndian.Uint64(n.b[n.at(i)+16:]))
}

func (n node) count(i int) int { return int(binary.LittleEndian.Uint64(n.b[n.at(i)+24:])) }

// setChild makes a node the i-th child.
func (n node) setChild(i int, c node) {
	n.setItem(i, c.item(0))
	e := n.b[n.at(i):]
	binary.LittleEndian.PutUint64(e[16:], uint64(c.ref))
	binary.LittleEndian.PutUint64(e[24:], uint64(c.total()))
}

// total is the number of items in the subtree.
func (n node) total() int {
	if n.leaf() {
		return n.len()
	}
	sum := 0
	for i := range n.len() {
		sum += n.count(i)
	}
	return sum
}

// open makes room for an entry.
func (n node) open(i int) {
	copy(n.b[n.at(i+1):], n.b[n.at(i):n.at(n.len())])
	n.setLen(n.len() + 1)
}

// shut removes an entry.
func (n node) shut(i int) {
	copy(n.b[n.at(i):], n.b[n.at(i+1):n.at(n.len())])
	n.setLen(n.len() - 1)
}

// moveTail appends all entries from i on to another node.
func (n node) moveTail(i int, to node) {
	copy(to.b[to.at(to.len()):], n.b[n.at(i):n.at(n.len())])
	to.setLen(to.len() + n.len() - i)
	n.setLen(i)
}

// moveHead puts the first i entries behind those of a node to the left.
func (n node) moveHead(i int, to node) {
	copy(to.b[to.at(to.len()):], n.b[n.at(0):n.at(i)])
	to.setLen(to.len() + i)
	copy(n.b[n.at(0):], n.b[n.at(i):n.at(n.len())])
	n.setLen(n.len() - i)
}

// own returns a node that nobody else refers to, in the place of one.
func (f *Forest) own(ref arena.Ref) node {
	n := f.node(ref)
	if n.refs() == 1 {
		return n
	}
	c := f.alloc(n.leaf())
	copy(c.b[4:], n.b[4:])
	if !n.leaf() {
		for i := range n.len() {
			f.share(n.child(i))
		}
	}
	n.setRefs(n.refs() - 1)
	return c
}

func (f *Forest) share(ref arena.Ref) {
	n := f.node(ref)
	n.setRefs(n.refs() + 1)
}

// drop gives up a reference to a node.
func (f *Forest) drop(ref arena.Ref) {
	n := f.node(ref)
	if n.refs() > 1 {
		n.setRefs(n.refs() - 1)
		return
	}
	if !n.leaf() {
		for i := range n.len() {
			f.drop(n.child(i))
		}
	}
	f.free(n)
}

func (f *Forest) free(n node) { f.h.Free(n.ref, len(n.b)) }
