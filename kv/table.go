package kv

import (
	"bytes"
	"math/bits"
	"sync/atomic"
)

// table holds one slot's keys in one database: linear hashing with chains. It
// grows and shrinks by one bucket at a time, so no insert pays for more than
// the bucket that it splits.
//
// With 2^(k-1) < len(buckets) <= 2^k, bucket b holds the hashes whose low k
// bits are b, or k-1 bits if b has not been split yet. Seen as bit-reversed
// numbers those hashes are one contiguous interval; that is what scanning
// relies on (see scan).
type table struct {
	buckets  []*record
	n        atomic.Int32 // keys; written under the partition's lock
	volatile int32        // keys with an expiry
}

// bucketOf is the bucket of a hash.
func (t *table) bucketOf(hash uint64) int {
	n := uint64(len(t.buckets))
	k := bits.Len64(n - 1)
	b := hash & (1<<k - 1)
	if b >= n {
		b &= 1<<(k-1) - 1
	}
	return int(b)
}

// depth is the number of low bits that the hashes in bucket b share.
func (t *table) depth(b int) int {
	n := len(t.buckets)
	k := bits.Len64(uint64(n - 1))
	if k == 0 {
		return 0
	}
	half := 1 << (k - 1)
	if b >= half || b+half < n {
		return k
	}
	return k - 1
}

func (t *table) find(hash uint64, key []byte) *record {
	if len(t.buckets) == 0 {
		return nil
	}
	for r := t.buckets[t.bucketOf(hash)]; r != nil; r = r.next {
		if r.hash == hash && bytes.Equal(r.key, key) {
			return r
		}
	}
	return nil
}

// insert adds a record whose key is absent.
func (t *table) insert(r *record) {
	if n := int(t.n.Add(1)); n > len(t.buckets) {
		t.split()
	}
	if r.expire != 0 {
		t.volatile++
	}
	b := t.bucketOf(r.hash)
	r.next, t.buckets[b] = t.buckets[b], r
}

// remove takes out a record that is present.
func (t *table) remove(r *record) {
	t.unlink(r)
	t.shrink()
}

func (t *table) unlink(r *record) {
	p := &t.buckets[t.bucketOf(r.hash)]
	for *p != r {
		p = &(*p).next
	}
	*p, r.next = r.next, nil
	t.n.Add(-1)
	if r.expire != 0 {
		t.volatile--
	}
}

// setExpiry changes when a record in this table expires.
func (t *table) setExpiry(r *record, at int64) {
	switch {
	case r.expire == 0 && at != 0:
		t.volatile++
	case r.expire != 0 && at == 0:
		t.volatile--
	}
	r.expire = at
}

// parent is the bucket that bucket b was split from.
func parent(b int) int { return b &^ (1 << (bits.Len(uint(b)) - 1)) }

// split adds a bucket.
func (t *table) split() {
	b := len(t.buckets)
	t.buckets = append(t.buckets, nil)
	if b == 0 {
		return
	}
	p := &t.buckets[parent(b)]
	for *p != nil {
		r := *p
		if t.bucketOf(r.hash) != b {
			p = &r.next
			continue
		}
		*p = r.next
		r.next, t.buckets[b] = t.buckets[b], r
	}
}

// shrink removes a bucket if less than a quarter of them is needed. Growth and
// shrinking are so far apart that a key coming and going moves nothing.
func (t *table) shrink() {
	last := len(t.buckets) - 1
	if n := int(t.n.Load()); n == 0 {
		t.buckets = nil
		return
	} else if n >= len(t.buckets)/4 {
		return
	}
	p := &t.buckets[parent(last)]
	for *p != nil {
		p = &(*p).next
	}
	*p, t.buckets[last] = t.buckets[last], nil
	t.buckets = t.buckets[:last]
	if c := cap(t.buckets); c > 64 && last < c/4 {
		t.buckets = append(make([]*record, 0, c/2), t.buckets...)
	}
}

// scan calls visit for every record of the bucket that covers pos, a position
// in the bit-reversed space of hashes, and returns the position of the next
// bucket; more is false after the last one. A split halves a bucket's interval
// and a merge joins two: what lies at or after a position that scan returned is
// never lost, only ever shown twice. visit must not change the table.
func (t *table) scan(pos uint64, visit func(*record)) (next uint64, more bool) {
	if len(t.buckets) == 0 {
		return 0, false
	}
	b := t.bucketOf(bits.Reverse64(pos))
	for r := t.buckets[b]; r != nil; r = r.next {
		visit(r)
	}
	d := t.depth(b)
	if d == 0 {
		return 0, false
	}
	next = bits.Reverse64(uint64(b)) + 1<<(64-d)
	return next, next != 0
}

// each calls visit for every record until it returns false.
func (t *table) each(visit func(*record) bool) bool {
	for _, r := range t.buckets {
		for ; r != nil; r = r.next {
			if !visit(r) {
				return false
			}
		}
	}
	return true
}
