package ds

import (
	"bytes"
	"math/bits"
	"sync/atomic"

	"conclave/kv/ds/arena"
)

// Table is a hash table of records: linear hashing with chains of lines.
//
// With 2^(k-1) < buckets <= 2^k, bucket b holds the hashes whose low k bits are
// b, or k-1 bits if b has not been split yet. Seen as bit-reversed numbers those
// hashes are one contiguous interval; that is what scanning relies on.
type Table struct {
	group *Group
	index int32

	n        atomic.Int32
	buckets  atomic.Uint32
	expiring int32
	bytes    int64

	epoch   uint32 // the capture that it has seen
	version uint32 // of the buckets that need not be captured

	dir directory
}

// Group is the group that the table belongs to.
func (t *Table) Group() *Group { return t.group }

// Len is the number of records. No lock is needed.
func (t *Table) Len() int { return int(t.n.Load()) }

// Expiring is the number of records with an expiry.
func (t *Table) Expiring() int { return int(t.expiring) }

// Place is where a record is in its table.
type Place struct {
	Record
	ref  arena.Ref
	head *bucket // first line of its chain
	line *bucket
	i    int
}

// bucketOf is the bucket of a hash in a table of n > 0 buckets.
func bucketOf(hash uint64, n uint32) uint32 {
	k := bits.Len32(n - 1)
	b := uint32(hash) & (1<<k - 1)
	if b >= n {
		b &= 1<<(k-1) - 1
	}
	return b
}

// depth is the number of low bits that the hashes in bucket b of n share.
func depth(b, n uint32) int {
	k := bits.Len32(n - 1)
	if k == 0 {
		return 0
	}
	half := uint32(1) << (k - 1)
	if b >= half || b+half < n {
		return k
	}
	return k - 1
}

// parent is the bucket that bucket b > 0 was split from.
func parent(b uint32) uint32 { return b &^ (1 << (bits.Len32(b) - 1)) }

// Find looks a key up. The place is zero if it is absent.
func (t *Table) Find(s *Shard, hash uint64, key []byte) Place {
	n := t.buckets.Load()
	if n == 0 {
		return Place{}
	}
	head := t.dir.line(s, bucketOf(hash, n))
	tag := tagOf(hash)
	for line := head; ; {
		for m := line.match(tag); m != 0; m &= m - 1 {
			i := firstMatch(m)
			if r, ok := s.holds(line.ref(i), key); ok {
				return Place{r, line.ref(i), head, line, i}
			}
		}
		for i := 8; i < perLine; i++ {
			if line[i] == tag {
				if r, ok := s.holds(line.ref(i), key); ok {
					return Place{r, line.ref(i), head, line, i}
				}
			}
		}
		next := line.next()
		if next == 0 {
			return Place{}
		}
		line = s.line(next)
	}
}

// holds reports whether the record at r has the key.
func (s *Shard) holds(r arena.Ref, key []byte) (Record, bool) {
	a := s.cells.Arena()
	head, n, val := lengths(a.Head(r))
	if n != len(key) {
		return Record{}, false
	}
	b := a.Bytes(r, head+n+val)
	if !bytes.Equal(b[head:head+n], key) {
		return Record{}, false
	}
	return Record{b}, true
}

// Insert adds a key that is absent and returns its record, whose value is to be
// filled in.
func (t *Table) Insert(s *Shard, hash uint64, key []byte, kind byte, access uint32, expiry int64, size int) Record {
	_, r := t.InsertRef(s, hash, key, kind, access, expiry, size)
	return r
}

// InsertRef is Insert that tells where the record lies, as [Place.Ref] does.
func (t *Table) InsertRef(s *Shard, hash uint64, key []byte, kind byte, access uint32, expiry int64, size int) (arena.Ref, Record) {
	t.see(s)
	flags, total := shape(len(key), size, expiry != 0)
	ref, r := s.allocRecord(t, total)
	r.write(kind, flags, access, len(key), size, expiry)
	copy(r.Key(), key)
	t.grow(s)
	head := t.dir.line(s, bucketOf(hash, t.buckets.Load()))
	t.preserve(s, head)
	t.put(s, head, tagOf(hash), ref)
	t.n.Store(t.n.Load() + 1)
	if expiry != 0 {
		t.expiring++
	}
	return ref, r
}

// put adds an entry to the chain that begins with line.
func (t *Table) put(s *Shard, line *bucket, tag byte, ref arena.Ref) {
	for {
		if i := line.used(); i < perLine {
			line[i] = tag
			line.setRef(i, ref)
			return
		}
		next := line.next()
		if next == 0 {
			next = s.allocLines(t, 1)
			line.setNext(next)
			line = s.line(next)
			*line = bucket{}
			continue
		}
		line = s.line(next)
	}
}

// Ref is where the record lies. It stays there until the record is resized or the
// shard compacted.
func (p *Place) Ref() arena.Ref { return p.ref }

// RecordAt is the record at a place that [Place.Ref] returned.
func (s *Shard) RecordAt(ref arena.Ref) Record { return s.record(ref) }

// Unlink takes a record out of the table. Its bytes stay valid until Release,
// before which the table must not be changed.
func (t *Table) Unlink(s *Shard, p *Place) {
	t.see(s)
	t.preserve(s, p.head)
	// Fill the gap with the chain's last entry.
	var before *bucket
	last := p.line
	if p.line.next() != 0 || p.line != p.head {
		last = p.head
		for next := last.next(); next != 0; next = last.next() {
			before, last = last, s.line(next)
		}
	}
	j := last.used() - 1
	p.line[p.i] = last[j]
	p.line.setRef(p.i, last.ref(j))
	last[j] = 0
	if j == 0 && before != nil {
		s.freeLines(t, before.next(), 1)
		before.setNext(0)
	}
	t.n.Store(t.n.Load() - 1)
	if p.Expiry() != 0 {
		t.expiring--
	}
}

// Release frees an unlinked record and gives the table the chance to shrink.
func (t *Table) Release(s *Shard, p *Place) {
	s.freeRecord(t, p.ref, len(p.b), p.b[1])
	t.shrink(s)
}

// Delete is Unlink and Release.
func (t *Table) Delete(s *Shard, p *Place) {
	t.Unlink(s, p)
	t.Release(s, p)
}

// Resize gives the record another kind, expiry and size of value, in place if
// its cell fits. As much of the old value as fits is kept, if keep is set; the
// rest is arbitrary. The place is updated.
func (t *Table) Resize(s *Shard, p *Place, kind byte, expiry int64, size int, keep bool) Record {
	t.see(s)
	t.preserve(s, p.head)
	oldHead, oldEnd := p.keyAt()
	old := p.b
	flags, total := shape(oldEnd-oldHead, size, expiry != 0)
	if was, is := p.Expiry() != 0, expiry != 0; was != is {
		if t.expiring--; is {
			t.expiring += 2
		}
	}
	kept := 0
	if keep {
		kept = min(len(old)-oldEnd, size)
	}
	access, head := p.Access(), headSize(flags)
	end := head + oldEnd - oldHead
	if old[1]&pinned == 0 && arena.SameCell(len(old), total) {
		if arena.IsRun(total) {
			s.cells.Resized(len(old), total)
			s.charge(t, arena.CellSize(total)-arena.CellSize(len(old)))
		}
		b := s.cells.Arena().Bytes(p.ref, max(len(old), total))
		if head > oldHead {
			copy(b[end:], b[oldEnd:oldEnd+kept])
			copy(b[head:], b[oldHead:oldEnd])
		} else if head < oldHead {
			copy(b[head:], b[oldHead:oldEnd])
			copy(b[end:], b[oldEnd:oldEnd+kept])
		}
		p.Record = Record{b[:total:total]}
		p.write(kind, flags, access, end-head, size, expiry)
		return p.Record
	}
	ref, r := s.allocRecord(t, total)
	r.write(kind, flags, access, end-head, size, expiry)
	copy(r.b[head:], old[oldHead:oldEnd+kept])
	p.line.setRef(p.i, ref)
	s.freeRecord(t, p.ref, len(old), old[1])
	p.Record, p.ref = r, ref
	return r
}

// SetExpiry changes when the record expires; 0 = never. The place is updated.
func (t *Table) SetExpiry(s *Shard, p *Place, at int64) {
	if p.b[1]&hasExpiry == 0 {
		if at != 0 {
			t.Resize(s, p, p.Kind(), at, len(p.Value()), true)
		}
		return
	}
	t.see(s)
	t.preserve(s, p.head)
	if was, is := p.Expiry() != 0, at != 0; was != is {
		if t.expiring--; is {
			t.expiring += 2
		}
	}
	p.putExpiry(at)
}

// Change prepares the record's value to be written to in place. The place is
// updated.
func (t *Table) Change(s *Shard, p *Place) []byte {
	t.see(s)
	t.preserve(s, p.head)
	if p.b[1]&pinned != 0 {
		return t.Resize(s, p, p.Kind(), p.Expiry(), len(p.Value()), true).Value()
	}
	return p.Value()
}
