package order

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"conclave/kv/ds/arena"
)

// Forest is where trees take their nodes from.
type Forest struct {
	h       *arena.Heap
	compare func(a, b uint64) int
	graves  []arena.Ref // nodes with all that is below them
	buried  atomic.Int64
}

// NewForest makes a forest on a heap. compare orders what items of equal score
// refer to; it is 0 only for equal references.
func NewForest(h *arena.Heap, compare func(a, b uint64) int) *Forest {
	return &Forest{h: h, compare: compare}
}

// Tree is an ordered set of items. The zero value is empty.
type Tree struct {
	root  arena.Ref
	n     int
	bytes int64
}

// Len is the number of items.
func (t *Tree) Len() int { return t.n }

// Bytes is the memory that the tree takes. What it shares with copies is counted
// in one of them.
func (t *Tree) Bytes() int64 { return t.bytes }

// search is the number of entries of a node before the item.
func (f *Forest) search(n node, it Item) (i int, found bool) {
	stride := n.stride()
	entries := n.b[nodeHead:]
	lo, hi := 0, n.len()
	for lo < hi {
		mid := (lo + hi) / 2
		e := entries[mid*stride:]
		score := math.Float64frombits(binary.LittleEndian.Uint64(e))
		switch {
		case score < it.Score:
			lo = mid + 1
			continue
		case score > it.Score:
			hi = mid
			continue
		}
		ref := binary.LittleEndian.Uint64(e[8:])
		if ref == it.Ref {
			return mid, true
		}
		if f.compare(ref, it.Ref) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, false
}

// branch is the index of the child in which the item is, or belongs.
func (f *Forest) branch(n node, it Item) int {
	i, found := f.search(n, it)
	if !found && i > 0 {
		i--
	}
	return i
}

// Insert adds an item and reports whether it was absent.
func (f *Forest) Insert(t *Tree, it Item) bool {
	if _, there := f.Rank(t, it); there {
		return false
	}
	f.Add(t, it)
	return true
}

// Add is Insert of an item that is known to be absent.
func (f *Forest) Add(t *Tree, it Item) {
	live := f.h.Live()
	defer func() { t.bytes += f.h.Live() - live }()
	if t.root == 0 {
		n := f.alloc(true)
		n.open(0)
		n.setItem(0, it)
		t.root, t.n = n.ref, 1
		return
	}
	root, right, split := f.insert(t.root, it)
	if split {
		up := f.alloc(false)
		up.setLen(2)
		up.setChild(0, root)
		up.setChild(1, right)
		root = up
	}
	t.root = root.ref
	t.n++
}

// insert adds an absent item below ref, and returns the node in its place and,
// if it has been split, the one to its right.
func (f *Forest) insert(ref arena.Ref, it Item) (n, right node, split bool) {
	n = f.own(ref)
	if n.leaf() {
		i, _ := f.search(n, it)
		if n.len() < leafMax {
			n.open(i)
			n.setItem(i, it)
			return n, right, false
		}
		right = f.split(n, i)
		if at := n.len(); i > at {
			right.open(i - at)
			right.setItem(i-at, it)
		} else {
			n.open(i)
			n.setItem(i, it)
		}
		return n, right, true
	}
	i := f.branch(n, it)
	if f.relieve(n, i) {
		i = f.branch(n, it)
	}
	child, next, grew := f.insert(n.child(i), it)
	n.setChild(i, child)
	if !grew {
		return n, right, false
	}
	i++
	if n.len() < innerMax {
		n.open(i)
		n.setChild(i, next)
		return n, right, false
	}
	right = f.split(n, i)
	if at := n.len(); i > at {
		right.open(i - at)
		right.setChild(i-at, next)
	} else {
		n.open(i)
		n.setChild(i, next)
	}
	return n, right, true
}

// worthwhile is how much room makes moving entries to a neighbour pay.
const worthwhile = 4

// relieve moves entries of a full leaf, the i-th child, to a neighbour with room,
// which keeps leaves fuller than splitting them. It reports whether it did.
func (f *Forest) relieve(n node, i int) bool {
	c := f.node(n.child(i))
	if !c.leaf() || c.len() < leafMax {
		return false
	}
	if i > 0 {
		if room := leafMax - f.node(n.child(i-1)).len(); room >= worthwhile {
			left, right := f.own(n.child(i-1)), f.own(n.child(i))
			right.moveHead((room+1)/2, left)
			n.setChild(i-1, left)
			n.setChild(i, right)
			return true
		}
	}
	if i+1 < n.len() {
		if room := leafMax - f.node(n.child(i+1)).len(); room >= worthwhile {
			left, right := f.own(n.child(i)), f.own(n.child(i+1))
			shift(left, right, (room+1)/2)
			n.setChild(i, left)
			n.setChild(i+1, right)
			return true
		}
	}
	return false
}

// split moves half of a full node to a new one. Where entries come in ascending
// order it moves none but the last, so that nodes end up full.
func (f *Forest) split(n node, i int) (right node) {
	right = f.alloc(n.leaf())
	at := n.len() / 2
	if i == n.len() {
		at = n.len() - 1
	}
	n.moveTail(at, right)
	return right
}

// Delete removes an item and reports whether it was there.
func (f *Forest) Delete(t *Tree, it Item) bool {
	if _, there := f.Rank(t, it); !there {
		return false
	}
	f.Remove(t, it)
	return true
}

// Remove is Delete of an item that is known to be there.
func (f *Forest) Remove(t *Tree, it Item) {
	live := f.h.Live()
	defer func() { t.bytes += f.h.Live() - live }()
	n := f.delete(t.root, it)
	t.n--
	for !n.leaf() && n.len() == 1 {
		only := f.node(n.child(0))
		f.free(n)
		n = only
	}
	t.root = n.ref
	if n.len() == 0 {
		f.free(n)
		t.root = 0
	}
}

func (f *Forest) delete(ref arena.Ref, it Item) node {
	n := f.own(ref)
	if n.leaf() {
		i, _ := f.search(n, it)
		n.shut(i)
		return n
	}
	i := f.branch(n, it)
	child := f.delete(n.child(i), it)
	if child.len() >= child.max()/3 {
		n.setChild(i, child)
		return n
	}
	f.mend(n, i, child)
	return n
}

// mend joins the i-th child, which has few entries, with a neighbour, or has the
// two share theirs.
func (f *Forest) mend(n node, i int, child node) {
	if n.len() == 1 {
		if child.len() > 0 {
			n.setChild(0, child)
			return
		}
		// Only a root has one child, and only for as long as this takes.
		f.free(child)
		n.shut(0)
		return
	}
	left, j := child, i
	var right node
	if i > 0 {
		j = i - 1
		left, right = f.own(n.child(j)), child
	} else {
		right = f.own(n.child(1))
	}
	sum := left.len() + right.len()
	if sum <= left.max()*3/4 {
		right.moveTail(0, left)
		f.free(right)
		n.shut(j + 1)
		n.setChild(j, left)
		return
	}
	if d := left.len() - sum/2; d > 0 {
		shift(left, right, d)
	} else if d < 0 {
		right.moveHead(-d, left)
	}
	n.setChild(j, left)
	n.setChild(j+1, right)
}

// shift moves the last d entries of a node to the front of its right neighbour.
func shift(left, right node, d int) {
	copy(right.b[right.at(d):], right.b[right.at(0):right.at(right.len())])
	copy(right.b[right.at(0):], left.b[left.at(left.len()-d):left.at(left.len())])
	right.setLen(right.len() + d)
	left.setLen(left.len() - d)
}

// Rank is the number of items before an item, and whether it is there.
func (f *Forest) Rank(t *Tree, it Item) (rank int, there bool) {
	if t.root == 0 {
		return 0, false
	}
	n := f.node(t.root)
	for !n.leaf() {
		i := f.branch(n, it)
		for j := range i {
			rank += n.count(j)
		}
		n = f.node(n.child(i))
	}
	i, there := f.search(n, it)
	return rank + i, there
}

// Before is the number of leading items for which before is true. It is true
// for all items up to some point and false for those behind it.
func (f *Forest) Before(t *Tree, before func(Item) bool) (rank int) {
	if t.root == 0 {
		return 0
	}
	n := f.node(t.root)
	for {
		lo, hi := 0, n.len()
		for lo < hi {
			if mid := (lo + hi) / 2; before(n.item(mid)) {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if n.leaf() {
			return rank + lo
		}
		i := max(0, lo-1)
		for j := range i {
			rank += n.count(j)
		}
		n = f.node(n.child(i))
	}
}

// At is the i-th item, 0 <= i < Len.
func (f *Forest) At(t *Tree, i int) (it Item) {
	f.Each(t, i, func(x Item) bool {
		it = x
		return false
	})
	return it
}

// ahead is how many items ahead of a visit what an item refers to is loaded.
const ahead = 6

// load asks for what an item refers to, if that is a place in the arena, to be in
// the cache when it is visited.
func (f *Forest) load(it Item) { f.h.Arena().Prefetch(arena.Ref(it.Ref)) }

// Each calls visit for the items from the i-th on until it returns false. visit
// must not change the tree.
func (f *Forest) Each(t *Tree, i int, visit func(Item) bool) {
	if t.root != 0 && i < t.n {
		f.each(f.node(t.root), i, visit)
	}
}

func (f *Forest) each(n node, i int, visit func(Item) bool) bool {
	for j := range n.len() {
		switch {
		case n.leaf():
			if j < i {
				continue
			}
			if next := j + ahead; next < n.len() {
				f.load(n.item(next))
			}
			if !visit(n.item(j)) {
				return false
			}
		case i >= n.count(j):
			i -= n.count(j)
		default:
			if !f.each(f.node(n.child(j)), i, visit) {
				return false
			}
			i = 0
		}
	}
	return true
}

// EachBack calls visit for the items from the i-th down to the first, until it
// returns false. visit must not change the tree.
func (f *Forest) EachBack(t *Tree, i int, visit func(Item) bool) {
	if t.root != 0 && i >= 0 {
		f.eachBack(f.node(t.root), t.n-1-i, visit)
	}
}

// eachBack leaves out the last items.
func (f *Forest) eachBack(n node, skip int, visit func(Item) bool) bool {
	for j := n.len() - 1; j >= 0; j-- {
		switch {
		case n.leaf():
			if skip > 0 {
				skip--
				continue
			}
			if next := j - ahead; next >= 0 {
				f.load(n.item(next))
			}
			if !visit(n.item(j)) {
				return false
			}
		case skip >= n.count(j):
			skip -= n.count(j)
		default:
			if !f.eachBack(f.node(n.child(j)), skip, visit) {
				return false
			}
			skip = 0
		}
	}
	return true
}

// Copy is a tree of the same items. It takes no time, and shares what neither
// changes.
func (f *Forest) Copy(t *Tree) Tree {
	if t.root != 0 {
		f.share(t.root)
	}
	return Tree{root: t.root, n: t.n}
}

// Free empties a tree.
func (f *Forest) Free(t *Tree) {
	if t.root != 0 {
		f.drop(t.root)
	}
	*t = Tree{}
}
