package ds

// Group is a number of tables of one shard that are made, moved and given up
// together.
type Group struct {
	// home is the group's number at the time of the last capture.
	home   int
	tables []Table
	grave  bool
	reaped int // tables that have been freed since, from the first on
	// settled says that nothing in the group is to be captured any more.
	settled bool
}

// NewGroup makes a group of empty tables.
func NewGroup(tables int) *Group {
	g := &Group{tables: make([]Table, tables)}
	for i := range g.tables {
		g.tables[i].group, g.tables[i].index = g, int32(i)
	}
	return g
}

// Table is the i-th table. No lock is needed to get it.
func (g *Group) Table(i int) *Table { return &g.tables[i] }

// Bury gives a group up. Its memory is freed by Reap.
func (s *Shard) Bury(g *Group) {
	var bytes int64
	for i := range g.tables {
		bytes += g.tables[i].bytes
	}
	g.grave = true
	s.live.Add(-bytes)
	s.buried.Add(bytes)
	s.graves = append(s.graves, g)
}

// BuryTable gives up what is in a table and leaves it empty.
func (s *Shard) BuryTable(t *Table) {
	g := &Group{home: t.group.home, tables: make([]Table, 1), settled: t.group.settled}
	to := &g.tables[0]
	to.group, to.index = g, t.index
	to.n.Store(t.n.Swap(0))
	to.buckets.Store(t.buckets.Swap(0))
	to.expiring, t.expiring = t.expiring, 0
	to.bytes, t.bytes = t.bytes, 0
	to.epoch, to.version = t.epoch, t.version
	for i := range t.dir.first {
		to.dir.first[i].Store(t.dir.first[i].Swap(0))
	}
	to.dir.more.Store(t.dir.more.Swap(0))
	to.dir.room, t.dir.room = t.dir.room, 0
	s.Bury(g)
	if s.capture.on && !g.settled {
		s.capture.groups = append(s.capture.groups, g)
	}
}

// Graves reports whether there is something to reap.
func (s *Shard) Graves() bool { return len(s.graves) > 0 }

// Reap frees up to about n records of tables that have been given up, and
// reports whether there are more.
func (s *Shard) Reap(n int) (more bool) {
	for n > 0 && len(s.graves) > 0 {
		g := s.graves[len(s.graves)-1]
		for g.reaped < len(g.tables) && n > 0 {
			t := &g.tables[g.reaped]
			for t.n.Load() > 0 && n > 0 {
				n -= t.reapBucket(s)
			}
			if t.n.Load() == 0 {
				t.see(s)
				t.shrink(s)
				g.reaped++
			}
		}
		if g.reaped == len(g.tables) {
			s.graves[len(s.graves)-1] = nil
			s.graves = s.graves[:len(s.graves)-1]
		}
	}
	return len(s.graves) > 0
}

// reapBucket frees the records of the last bucket, and the bucket.
func (t *Table) reapBucket(s *Shard) int {
	t.see(s)
	b := t.buckets.Load() - 1
	head := t.dir.line(s, b)
	t.preserve(s, head)
	var buf [4 * perLine]entry
	es := t.take(s, head, buf[:0])
	for _, e := range es {
		r := s.record(e.ref)
		if r.Expiry() != 0 {
			t.expiring--
		}
		if r.Kind()&Owned != 0 {
			s.owner.Release(r)
		}
		s.freeRecord(t, e.ref, len(r.b), r.b[1])
	}
	t.n.Store(t.n.Load() - int32(len(es)))
	t.dropBucket(s, b)
	return len(es) + 1
}
