package btree

import (
	"cmp"
	"encoding/binary"

	"conclave/kv/ds/arena"
)

// Key is a key; keys are ordered by Hi, then by Lo.
type Key struct{ Hi, Lo uint64 }

// Compare is negative if k comes before o, 0 if they are equal, and positive
// otherwise.
func (k Key) Compare(o Key) int {
	if k.Hi != o.Hi {
		return cmp.Compare(k.Hi, o.Hi)
	}
	return cmp.Compare(k.Lo, o.Lo)
}

// A node:
//
//	0  number of entries, 2 bytes   2  1 in a leaf   4  size of the cell, 4 bytes
//	8  entries
//
// and an entry: a key, and behind it a value or, in inner nodes, a child.
const (
	nodeHead  = 8
	nodeSize  = 1360 // of a node that has grown up: a size of cells
	keySize   = 16
	childSize = 8
	firstSize = 56 // of a leaf at first, about
)

type node struct {
	b      []byte
	ref    arena.Ref
	stride int
}

func (f Forest) node(ref arena.Ref) node {
	head := f.h.Arena().Head(ref)
	size := int(binary.LittleEndian.Uint32(head[4:]))
	n := node{f.h.Arena().Bytes(ref, size), ref, keySize + childSize}
	if head[2] != 0 {
		n.stride = keySize + f.val
	}
	return n
}

// alloc makes an empty node with room for a number of entries, or as many as a
// node can have.
func (f Forest) alloc(t *Tree, leaf bool, entries int) node {
	stride := keySize + childSize
	if leaf {
		stride = keySize + f.val
	}
	size := arena.CellSize(min(nodeSize, nodeHead+entries*stride))
	ref := f.h.Alloc(size)
	t.bytes += int64(size)
	n := node{f.h.Arena().Bytes(ref, size), ref, stride}
	clear(n.b[:nodeHead])
	if leaf {
		n.b[2] = 1
	}
	binary.LittleEndian.PutUint32(n.b[4:], uint32(size))
	return n
}

func (f Forest) free(t *Tree, n node) {
	t.bytes -= int64(len(n.b))
	f.h.Free(n.ref, len(n.b))
}

func (n node) leaf() bool   { return n.b[2] != 0 }
func (n node) len() int     { return int(binary.LittleEndian.Uint16(n.b)) }
func (n node) setLen(v int) { binary.LittleEndian.PutUint16(n.b, uint16(v)) }
func (n node) room() int    { return (len(n.b) - nodeHead) / n.stride }
func (n node) max() int     { return (nodeSize - nodeHead) / n.stride }
func (n node) at(i int) int { return nodeHead + i*n.stride }

func (n node) key(i int) Key {
	e := n.b[n.at(i):]
	return Key{binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint64(e[8:])}
}

func (n node) setKey(i int, k Key) {
	e := n.b[n.at(i):]
	binary.LittleEndian.PutUint64(e, k.Hi)
	binary.LittleEndian.PutUint64(e[8:], k.Lo)
}

func (n node) value(i int) []byte {
	return n.b[n.at(i)+keySize : n.at(i+1) : n.at(i+1)]
}

func (n node) child(i int) arena.Ref {
	return arena.Ref(binary.LittleEndian.Uint64(n.b[n.at(i)+keySize:]))
}

func (n node) setChild(i int, r arena.Ref) {
	binary.LittleEndian.PutUint64(n.b[n.at(i)+keySize:], uint64(r))
}

// search is the number of entries whose keys come before k, and whether the next
// one is k.
func (n node) search(k Key) (i int, found bool) {
	lo, hi := 0, n.len()
	// The last one first: keys mostly ascend.
	if hi > 0 {
		switch c := n.key(hi - 1).Compare(k); {
		case c < 0:
			return hi, false
		case c == 0:
			return hi - 1, true
		}
		hi--
	}
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := n.key(mid).Compare(k); {
		case c == 0:
			return mid, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// branch is the index of the child where k is, or belongs.
func (n node) branch(k Key) int {
	i, found := n.search(k)
	if !found && i > 0 {
		i--
	}
	return i
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
