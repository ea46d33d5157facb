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

// fairChain is the longest chain whose records are drawn as often as others.
const fairChain = 20

// Random is a record of a table that isn't empty, drawn by random numbers: all
// are equally likely, as long as their chains are not unusually long. Other
// records aren't touched.
func (t *Table) Random(s *Shard, random func() uint64) Place {
	n := t.buckets.Load()
	most := uint64(min(fairChain, t.Len()))
	for {
		r := random()
		b, rest := bits.Mul64(r, uint64(n))
		// The chains' places are numbered up to most: one that is empty is no draw.
		i, _ := bits.Mul64(rest, most)
		head := t.dir.line(s, uint32(b))
		used := chainLen(s, head)
		if i >= uint64(used) {
			continue
		}
		if used > int(most) {
			i = random() % uint64(used)
		}
		line := head
		for ; i >= perLine; i -= perLine {
			line = s.line(line.next())
		}
		ref := line.ref(int(i))
		return Place{s.record(ref), ref, head, line, int(i)}
	}
}

// chainLen is the number of records in the chain that begins with line.
func chainLen(s *Shard, line *bucket) (n int) {
	for {
		n += line.used()
		next := line.next()
		if next == 0 {
			return n
		}
		line = s.line(next)
	}
}
