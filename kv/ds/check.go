package ds

import (
	"fmt"

	"conclave/kv/ds/arena"
)

// Check recounts the table and returns what is wrong with it, if anything.
func (t *Table) Check(s *Shard) error {
	var records, expiring int32
	var bytes int64
	n := t.buckets.Load()
	seen := map[string]bool{}
	for b := range n {
		if _, off := segment(b); off == 0 {
			bytes += int64(arena.CellSize(segmentLines(b) * lineSize))
		}
		head := t.dir.line(s, b)
		if t.epoch == s.capture.epoch && !s.capture.on && head.version() != t.version {
			return fmt.Errorf("bucket %d has an old version", b)
		}
		for line := head; ; {
			used, next := line.used(), line.next()
			if next != 0 && used != perLine || line != head && used == 0 {
				return fmt.Errorf("bucket %d: a line of %d entries, next %#x", b, used, next)
			}
			for i := range used {
				r := s.record(line.ref(i))
				hash := s.sp.Hash(r.Key())
				switch {
				case seen[string(r.Key())]:
					return fmt.Errorf("key %.40q is there twice", r.Key())
				case bucketOf(hash, n) != b || tagOf(hash) != line[i]:
					return fmt.Errorf("key %.40q of bucket %d lies in bucket %d of %d", r.Key(), bucketOf(hash, n), b, n)
				}
				seen[string(r.Key())] = true
				records++
				bytes += int64(r.Size())
				if r.Expiry() != 0 {
					expiring++
				}
			}
			if next == 0 {
				break
			}
			bytes += int64(arena.CellSize(lineSize))
			line = s.line(next)
		}
	}
	bytes += int64(t.dir.room) * 4
	switch {
	case records != t.n.Load() || expiring != t.expiring || bytes != t.bytes:
		return fmt.Errorf("counted %d records, %d expiring, %d bytes; kept %d, %d, %d",
			records, expiring, bytes, t.n.Load(), t.expiring, t.bytes)
	case records == 0 && n != 0, n > 8 && float64(records) < shrinkAt*float64(n)/2:
		return fmt.Errorf("%d buckets for %d records", n, records)
	}
	return nil
}

// Check verifies that the shard's memory is that of its tables, of which the
// live ones' sum is given.
func (s *Shard) Check(tables int64) error {
	var graves int64
	for _, g := range s.graves {
		for i := range g.tables {
			graves += g.tables[i].bytes
		}
	}
	var orphans int64
	for _, p := range s.capture.pins {
		if p.orphan {
			orphans += int64(arena.CellSize(p.size))
		}
	}
	if tables != s.live.Load() || graves != s.buried.Load() {
		return fmt.Errorf("counted %d bytes, %d buried; kept %d, %d", tables, graves, s.live.Load(), s.buried.Load())
	}
	if total := s.cells.Live() + s.lines.Live(); total != tables+graves+orphans {
		return fmt.Errorf("%d bytes are allocated, %d accounted for", total, tables+graves+orphans)
	}
	return nil
}

// Bytes is the memory that the table and its records take.
func (t *Table) Bytes() int64 { return t.bytes }
