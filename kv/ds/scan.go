package ds

import "math/bits"

// Scan calls visit for every record of the bucket that covers pos, a position in
// the bit-reversed space of hashes, and returns the position of the next bucket;
// more is false after the last one. A split halves a bucket's interval and a
// merge joins two: what lies at or after a position that Scan returned is never
// lost, only ever shown twice. visit must not change the table.
func (t *Table) Scan(s *Shard, pos uint64, visit func(Record)) (next uint64, more bool) {
	n := t.buckets.Load()
	if n == 0 {
		return 0, false
	}
	b := bucketOf(bits.Reverse64(pos), n)
	t.visit(s, b, func(r Record) bool {
		visit(r)
		return true
	})
	d := depth(b, n)
	if d == 0 {
		return 0, false
	}
	next = bits.Reverse64(uint64(b)) + 1<<(64-d)
	return next, next != 0
}

func (t *Table) visit(s *Shard, b uint32, visit func(Record) bool) bool {
	for line := t.dir.line(s, b); ; {
		for i := range line.used() {
			if !visit(s.record(line.ref(i))) {
				return false
			}
		}
		next := line.next()
		if next == 0 {
			return true
		}
		line = s.line(next)
	}
}

// Each calls visit for every record until it returns false. visit must not
// change the table.
func (t *Table) Each(s *Shard, visit func(Record) bool) bool {
	for b := range t.buckets.Load() {
		if !t.visit(s, b, visit) {
			return false
		}
	}
	return true
}

// Sample calls visit for the records of one bucket, which is picked by a random
// number. It may be empty, even if the table isn't.
func (t *Table) Sample(s *Shard, random uint64, visit func(Record)) {
	if n := t.buckets.Load(); n > 0 {
		b, _ := bits.Mul64(random, uint64(n))
		t.visit(s, uint32(b), func(r Record) bool {
			visit(r)
			return true
		})
	}
}
