package btree

import (
	"encoding/binary"

	"conclave/kv/ds/arena"
)

// Forest is where trees take their nodes from. It is a small value.
type Forest struct {
	h   *arena.Heap
	val int
}

// On makes a forest on a heap, for trees with values of a size, in bytes.
func On(h *arena.Heap, value int) Forest { return Forest{h, value} }

// Tree is an ordered map. The zero value is empty.
type Tree struct {
	root  arena.Ref
	n     int
	bytes int64
}

// Len is the number of keys.
func (t *Tree) Len() int { return t.n }

// Bytes is the memory that the nodes take.
func (t *Tree) Bytes() int64 { return t.bytes }

// Find is a key's value.
func (f Forest) Find(t *Tree, k Key) (value []byte, ok bool) {
	if t.root == 0 {
		return nil, false
	}
	n := f.node(t.root)
	for !n.leaf() {
		n = f.node(n.child(n.branch(k)))
	}
	i, ok := n.search(k)
	if !ok {
		return nil, false
	}
	return n.value(i), true
}

// Insert adds a key, unless it is there, and returns its value: that of a new one
// has arbitrary content.
func (f Forest) Insert(t *Tree, k Key) (value []byte, added bool) {
	if t.root == 0 {
		n := f.alloc(t, true, max(1, (firstSize-nodeHead)/(keySize+f.val)))
		t.root = n.ref
	}
	in := insertion{f: f, t: t, key: k}
	root, right := in.into(t.root)
	if right != 0 {
		up := f.alloc(t, false, 2)
		up.setLen(2)
		for i, child := range []arena.Ref{root, right} {
			up.setKey(i, f.node(child).key(0))
			up.setChild(i, child)
		}
		root = up.ref
	}
	t.root = root
	if in.added {
		t.n++
	}
	return in.value, in.added
}

// insertion is an Insert under way.
type insertion struct {
	f     Forest
	t     *Tree
	key   Key
	value []byte
	added bool
}

// into inserts below a node, and returns the node in its place and, if it has been
// split, the one to its right.
func (in *insertion) into(ref arena.Ref) (self, right arena.Ref) {
	n := in.f.node(ref)
	if n.leaf() {
		i, found := n.search(in.key)
		if found {
			in.value = n.value(i)
			return ref, 0
		}
		in.added = true
		n, to, i, right := in.place(n, i)
		to.setKey(i, in.key)
		in.value = to.value(i)
		return n.ref, right
	}
	i := n.branch(in.key)
	if in.key.Compare(n.key(i)) < 0 {
		n.setKey(i, in.key) // stays a lower bound
	}
	child, next := in.into(n.child(i))
	n.setChild(i, child)
	if next == 0 {
		return ref, 0
	}
	n, to, i, right := in.place(n, i+1)
	to.setKey(i, in.f.node(next).key(0))
	to.setChild(i, next)
	return n.ref, right
}

// place makes room for an entry before the i-th of a node: in it, in a larger one
// in its place, or in one that is split off to the right.
func (in *insertion) place(n node, i int) (self, to node, j int, right arena.Ref) {
	if n.len() == n.room() && n.len() < n.max() {
		n = in.f.resize(in.t, n, 2*n.len())
	}
	if n.len() < n.room() {
		n.open(i)
		return n, n, i, 0
	}
	if i == n.len() {
		// Keys that ascend leave full nodes behind.
		r := in.f.alloc(in.t, n.leaf(), n.max()/4)
		r.open(0)
		return n, r, 0, r.ref
	}
	at := n.len() / 2
	r := in.f.alloc(in.t, n.leaf(), n.max())
	n.moveTail(at, r)
	to, j = n, i
	if i > at {
		to, j = r, i-at
	}
	to.open(j)
	return n, to, j, r.ref
}

// resize moves a node to a cell with room for a number of entries.
func (f Forest) resize(t *Tree, n node, entries int) node {
	to := f.alloc(t, n.leaf(), entries)
	n.moveTail(0, to)
	f.free(t, n)
	return to
}

// Delete removes a key and reports whether it was there.
func (f Forest) Delete(t *Tree, k Key) bool {
	if t.root == 0 || !f.remove(t, t.root, k) {
		return false
	}
	t.n--
	n := f.node(t.root)
	for !n.leaf() && n.len() == 1 {
		only := f.node(n.child(0))
		f.free(t, n)
		n = only
	}
	t.root = n.ref
	switch {
	case n.len() == 0:
		f.free(t, n)
		t.root = 0
	case n.leaf() && len(n.b) > 4*firstSize && n.len() < n.room()/4:
		t.root = f.resize(t, n, 2*n.len()).ref
	}
	return true
}

func (f Forest) remove(t *Tree, ref arena.Ref, k Key) bool {
	n := f.node(ref)
	if n.leaf() {
		i, found := n.search(k)
		if found {
			n.shut(i)
		}
		return found
	}
	i := n.branch(k)
	if !f.remove(t, n.child(i), k) {
		return false
	}
	f.mend(t, n, i)
	return true
}

// mend frees the i-th child if it has no entries left, and joins it with a
// neighbour if both have few.
func (f Forest) mend(t *Tree, n node, i int) {
	c := f.node(n.child(i))
	if c.len() == 0 {
		f.free(t, c)
		n.shut(i)
		return
	}
	if c.len() > c.max()/3 {
		return
	}
	for j := max(0, i-1); j <= i && j+1 < n.len(); j++ {
		left, right := f.node(n.child(j)), f.node(n.child(j+1))
		sum := left.len() + right.len()
		if sum > left.max()*3/4 {
			continue
		}
		if left.room() < sum {
			left = f.resize(t, left, sum)
			n.setChild(j, left.ref)
		}
		right.moveTail(0, left)
		f.free(t, right)
		n.shut(j + 1)
		return
	}
}

// Floor is the greatest key that doesn't come behind k.
func (f Forest) Floor(t *Tree, k Key) (key Key, value []byte, ok bool) {
	f.Down(t, k, func(at Key, v []byte) bool {
		key, value, ok = at, v, true
		return false
	})
	return key, value, ok
}

// Ceiling is the smallest key that doesn't come before k.
func (f Forest) Ceiling(t *Tree, k Key) (key Key, value []byte, ok bool) {
	f.Up(t, k, func(at Key, v []byte) bool {
		key, value, ok = at, v, true
		return false
	})
	return key, value, ok
}

// Up calls visit for the keys from k on, in ascending order, until it returns
// false. visit may write values, but not add or delete keys.
func (f Forest) Up(t *Tree, k Key, visit func(Key, []byte) bool) {
	if t.root != 0 {
		f.up(f.node(t.root), k, visit)
	}
}

func (f Forest) up(n node, k Key, visit func(Key, []byte) bool) bool {
	if n.leaf() {
		i, _ := n.search(k)
		for ; i < n.len(); i++ {
			if !visit(n.key(i), n.value(i)) {
				return false
			}
		}
		return true
	}
	for i := n.branch(k); i < n.len(); i++ {
		if !f.up(f.node(n.child(i)), k, visit) {
			return false
		}
	}
	return true
}

// Down calls visit for the keys from k down, in descending order, until it returns
// false. visit may write values, but not add or delete keys.
func (f Forest) Down(t *Tree, k Key, visit func(Key, []byte) bool) {
	if t.root != 0 {
		f.down(f.node(t.root), k, visit)
	}
}

func (f Forest) down(n node, k Key, visit func(Key, []byte) bool) bool {
	if n.leaf() {
		i, found := n.search(k)
		if !found {
			i--
		}
		for ; i >= 0; i-- {
			if !visit(n.key(i), n.value(i)) {
				return false
			}
		}
		return true
	}
	for i := n.branch(k); i >= 0; i-- {
		if !f.down(f.node(n.child(i)), k, visit) {
			return false
		}
	}
	return true
}

// Free empties a tree.
func (f Forest) Free(t *Tree) {
	if t.root != 0 {
		f.drop(t, f.node(t.root))
	}
	*t = Tree{}
}

func (f Forest) drop(t *Tree, n node) {
	if !n.leaf() {
		for i := range n.len() {
			f.drop(t, f.node(n.child(i)))
		}
	}
	f.free(t, n)
}

// FreePart frees up to n nodes of a tree that is given up, and returns how many it
// could have freed beyond: the tree is free when that isn't 0. Nothing else may be
// done with a tree that is free in part.
func (f Forest) FreePart(t *Tree, n int) (left int) {
	for ; n > 0 && t.root != 0; n-- {
		if f.freeLast(t, t.root) {
			t.root = 0
		}
	}
	if t.root == 0 {
		*t = Tree{}
	}
	return n
}

// freeLast frees the last node below a node that has no children, and reports
// whether that was the node itself.
func (f Forest) freeLast(t *Tree, ref arena.Ref) bool {
	n := f.node(ref)
	if last := n.len() - 1; !n.leaf() && last >= 0 {
		if f.freeLast(t, n.child(last)) {
			n.setLen(last)
		}
		return false
	}
	f.free(t, n)
	return true
}

// StoredSize is the size of a stored tree, in bytes.
const StoredSize = 24

// Store writes the tree to a place of its own, from where Stored takes it again.
func (t *Tree) Store(b []byte) {
	binary.LittleEndian.PutUint64(b, uint64(t.root))
	binary.LittleEndian.PutUint64(b[8:], uint64(t.n))
	binary.LittleEndian.PutUint64(b[16:], uint64(t.bytes))
}

// Stored is a tree that has been stored.
func Stored(b []byte) Tree {
	return Tree{
		root:  arena.Ref(binary.LittleEndian.Uint64(b)),
		n:     int(binary.LittleEndian.Uint64(b[8:])),
		bytes: int64(binary.LittleEndian.Uint64(b[16:])),
	}
}
