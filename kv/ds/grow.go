package ds

import "conclave/kv/ds/arena"

// A table splits a bucket when it holds more than growAt records per bucket and
// merges one when it holds fewer than shrinkAt: so far apart that a record that
// comes and goes moves nothing.
const (
	growAt   = 7.8
	shrinkAt = 5
)

type entry struct {
	tag byte
	ref arena.Ref
}

// grow makes room for one more record: it splits at most one bucket.
func (t *Table) grow(s *Shard) {
	n := t.buckets.Load()
	if n == 0 {
		t.addBucket(s, 0)
		return
	}
	if float64(t.n.Load()+1) <= growAt*float64(n) {
		return
	}
	src := t.dir.line(s, parent(n))
	t.preserve(s, src)
	var buf [4 * perLine]entry
	es := t.take(s, src, buf[:0])
	t.addBucket(s, n)
	// Hashing the keys misses the cache once per record; all at once is faster
	// than one by one.
	var sink byte
	for _, e := range es {
		sink += s.cells.Arena().Head(e.ref)[0]
	}
	touched(sink)
	src, dst := t.dir.line(s, parent(n)), t.dir.line(s, n)
	for _, e := range es {
		if bucketOf(s.hashOf(e.ref), n+1) == n {
			t.put(s, dst, e.tag, e.ref)
		} else {
			t.put(s, src, e.tag, e.ref)
		}
	}
}

//go:noinline
func touched(byte) {}

// addBucket adds bucket n, empty.
func (t *Table) addBucket(s *Shard, n uint32) {
	if _, off := segment(n); off == 0 {
		t.dir.extend(s, t, n)
	}
	line := t.dir.line(s, n)
	*line = bucket{}
	line.setVersion(t.version)
	t.buckets.Store(n + 1)
}

// take empties a chain into es, and leaves its first line.
func (t *Table) take(s *Shard, head *bucket, es []entry) []entry {
	for line := head; ; {
		for i := range line.used() {
			es = append(es, entry{line[i], line.ref(i)})
		}
		next := line.next()
		if next == 0 {
			break
		}
		line = s.line(next)
	}
	for next := head.next(); next != 0; {
		after := s.line(next).next()
		s.freeLines(t, next, 1)
		next = after
	}
	v := head.version()
	*head = bucket{}
	head.setVersion(v)
	return es
}

// shrink merges at most one bucket, and frees everything of an empty table.
func (t *Table) shrink(s *Shard) {
	n := t.buckets.Load()
	if t.n.Load() == 0 {
		for ; n > 0; n-- {
			t.preserve(s, t.dir.line(s, n-1)) // its version
			t.dropBucket(s, n-1)
		}
		return
	}
	if n == 1 || float64(t.n.Load()) >= shrinkAt*float64(n) {
		return
	}
	last, into := t.dir.line(s, n-1), t.dir.line(s, parent(n-1))
	t.preserve(s, last)
	t.preserve(s, into)
	var buf [4 * perLine]entry
	for _, e := range t.take(s, last, buf[:0]) {
		t.put(s, into, e.tag, e.ref)
	}
	t.dropBucket(s, n-1)
}

// dropBucket removes the last bucket, which is empty.
func (t *Table) dropBucket(s *Shard, b uint32) {
	t.buckets.Store(b)
	if _, off := segment(b); off == 0 {
		t.dir.retract(s, t, b)
	}
}
