package ds

import (
	"encoding/binary"

	"conclave/kv/ds/arena"
)

// capture is a shard's part of a snapshot.
type capture struct {
	on     bool
	epoch  uint32
	want   func(table int) bool
	groups []*Group

	// Where the walk goes on.
	group, table int
	bucket       uint32

	// ahead is the lines of the buckets that come next, for [Shard.CaptureAhead].
	ahead        [captureAhead]arena.Ref
	nahead       int
	aheadVersion uint32 // what those have that need no capture any more

	discard bool
	out     Output
	flat    []byte // for emitOwned
	pins    map[arena.Ref]*pin
}

// captureAhead is how many buckets are looked ahead at: at least as many as are
// captured at a time.
const captureAhead = 12

// pin keeps a large value in memory while it is read without the lock.
type pin struct {
	size   int
	orphan bool // it isn't in a table any more: unpinning frees it
}

// Output is records in the order in which they were captured. It is read with
// [Space.Read], which needs no lock, and then given to [Shard.Unpin].
type Output struct {
	// full is what is before buf: a part that is full is put aside, not copied to
	// larger memory, which would be a long hold if writers leave megabytes.
	full [][]byte
	size int // of full
	buf  []byte
	pins []arena.Ref
}

// outputPart is the size of further parts.
const outputPart = 32 << 10

// reserve makes room for n bytes.
func (o *Output) reserve(n int) {
	switch {
	case n <= cap(o.buf)-len(o.buf):
		return
	case len(o.buf) == 0:
		o.buf = make([]byte, 0, n)
		return
	}
	o.full, o.size = append(o.full, o.buf), o.size+len(o.buf)
	o.buf = make([]byte, 0, max(n, outputPart))
}

// reuse is the output's memory for another one, without what it took more.
func (o *Output) reuse() Output { return Output{buf: o.buf[:0], pins: o.pins[:0]} }

// NewOutput has room for n bytes.
func NewOutput(n int) Output { return Output{buf: make([]byte, 0, n)} }

// Captured is a record as it was when the capture began.
type Captured struct {
	Home   int // the group's number then
	Table  int // in its group
	Kind   byte
	Access uint32
	Expiry int64
	Key    []byte
	Value  []byte
}

// BeginCapture starts to capture the tables of the groups whose numbers want
// approves of (nil: all), at the instant at which the shard, or a set of shards,
// is locked. All groups of the shard are given, in a slice that the
// shard keeps; a group's index is its home, and it may be nil. The shard begins to collect in the output given. The last capture
// has ended.
func (s *Shard) BeginCapture(groups []*Group, want func(table int) bool, into Output) {
	c := &s.capture
	c.out = into.reuse()
	c.on, c.epoch, c.want = true, c.epoch+1, want
	c.group, c.table, c.bucket, c.discard, c.nahead = 0, 0, 0, false, 0
	c.groups = groups
	for i, g := range groups {
		if g != nil {
			g.home, g.settled = i, false
		}
	}
	for _, g := range s.graves {
		g.settled = true
	}
}

// Capture captures about n bytes of what nobody has changed since the capture
// began, and reports whether there is more.
func (s *Shard) Capture(n int) (more bool) {
	c := &s.capture
	for n > 0 && c.group < len(c.groups) {
		g := c.groups[c.group]
		if g == nil {
			c.group++
			continue
		}
		if c.table >= len(g.tables) {
			c.group, c.table, c.bucket = c.group+1, 0, 0
			continue
		}
		t := &g.tables[c.table]
		buckets := t.buckets.Load()
		n -= lineSize / 4
		if c.bucket >= buckets || c.want != nil && !c.want(int(t.index)) {
			c.table, c.bucket = c.table+1, 0
			continue
		}
		t.see(s)
		for c.bucket < buckets && n > 0 {
			before := s.Backlog()
			t.preserve(s, t.dir.line(s, c.bucket))
			c.bucket++
			n -= lineSize + s.Backlog() - before
		}
	}
	c.lookAhead(s)
	return c.group < len(c.groups)
}

// lookAhead notes where the next buckets of the table are.
func (c *capture) lookAhead(s *Shard) {
	c.nahead = 0
	if c.group >= len(c.groups) || c.groups[c.group] == nil || c.table >= len(c.groups[c.group].tables) {
		return
	}
	t := &c.groups[c.group].tables[c.table]
	if c.want != nil && !c.want(int(t.index)) {
		return
	}
	t.see(s)
	c.aheadVersion = t.version
	for b, end := c.bucket, t.buckets.Load(); b < end && c.nahead < captureAhead; b++ {
		c.ahead[c.nahead] = t.dir.at(s, b)
		c.nahead++
	}
}

// CaptureAhead loads the cache lines that the next Capture will need, so that
// the lock is held for copying alone. No lock is needed, but only one goroutine
// captures: it only reads memory that may be out of date, and draws no
// conclusions. What it returns means nothing.
func (s *Shard) CaptureAhead() (sum byte) {
	lines, cells := s.lines.Arena(), s.cells.Arena()
	ahead := s.capture.ahead[:s.capture.nahead]
	for _, r := range ahead {
		sum += lines.Peek(r)
	}
	for _, r := range ahead {
		line := (*bucket)(lines.PeekLine(r))
		if line == nil || line.version() == s.capture.aheadVersion {
			continue
		}
		for i := range line.used() {
			// A record of usual size lies in two lines.
			ref := line.ref(i)
			sum += cells.Peek(ref) + cells.Peek(ref+lineSize-1)
		}
	}
	return sum
}

// Discard makes the capture drop what it captures from now on. It must still be
// finished.
func (s *Shard) Discard() { s.capture.discard = true }

// Take returns what has been captured, and has the shard go on with spare
// memory.
func (s *Shard) Take(spare Output) Output {
	o := s.capture.out
	s.capture.out = spare.reuse()
	return o
}

// Backlog is the size of what has been captured and not been taken.
func (s *Shard) Backlog() int { return s.capture.out.size + len(s.capture.out.buf) }

// EndCapture ends a capture that is complete, and whose output has been taken
// and unpinned.
func (s *Shard) EndCapture() {
	c := &s.capture
	c.on, c.want, c.groups, c.out, c.pins, c.flat = false, nil, nil, Output{}, nil, nil
}

// see makes the table take note of a capture that has begun.
func (t *Table) see(s *Shard) {
	c := &s.capture
	if t.epoch == c.epoch {
		return
	}
	t.epoch = c.epoch
	if c.on && !t.group.settled && (c.want == nil || c.want(int(t.index))) {
		t.version ^= version
	}
}

// preserve captures a bucket, given by its first line, unless it has been. It is
// called before any change.
func (t *Table) preserve(s *Shard, head *bucket) {
	if head.version() != t.version {
		t.save(s, head)
	}
}

func (t *Table) save(s *Shard, head *bucket) {
	head.setVersion(t.version)
	if s.capture.discard {
		return
	}
	for line := head; ; {
		used := line.used()
		var sink byte // all cache misses at once, not one by one
		for i := range used {
			sink += s.cells.Arena().Head(line.ref(i))[0]
		}
		touched(sink)
		for i := range used {
			t.emit(s, line.ref(i))
		}
		next := line.next()
		if next == 0 {
			return
		}
		line = s.line(next)
	}
}

// An item of the output: the length of what follows the fixed part, with the top
// bit set for a pinned record; home and table; for a pinned record, its place
// and size; its bytes, or the part of them before the value.
const (
	itemHead  = 4 + 2 + 2
	itemPin   = 8 + 8
	itemIsPin = 1 << 31
)

func (t *Table) emit(s *Shard, ref arena.Ref) {
	c := &s.capture
	r := s.record(ref)
	if r.Kind()&Owned != 0 {
		t.emitOwned(s, r)
		return
	}
	b, mark := r.b, uint32(0)
	if arena.IsRun(len(b)) {
		_, end := r.keyAt()
		b, mark = b[:end], itemIsPin
	}
	c.out.reserve(itemHead + itemPin + len(b))
	out := c.out.buf
	out = binary.LittleEndian.AppendUint32(out, uint32(len(b))|mark)
	out = binary.LittleEndian.AppendUint16(out, uint16(t.group.home))
	out = binary.LittleEndian.AppendUint16(out, uint16(t.index))
	if mark != 0 {
		out = binary.LittleEndian.AppendUint64(out, uint64(ref))
		out = binary.LittleEndian.AppendUint64(out, uint64(len(r.b)))
		if c.pins == nil {
			c.pins = map[arena.Ref]*pin{}
		}
		c.pins[ref] = &pin{}
		c.out.pins = append(c.out.pins, ref)
	}
	c.out.buf = append(out, b...)
	if mark != 0 {
		r.b[1] |= pinned
	}
}

// Read calls visit for every record of an output until it fails. No lock is
// needed. What visit sees is good until it returns.
func (sp *Space) Read(o Output, visit func(*Captured) error) error {
	for _, part := range o.full {
		if err := sp.read(part, visit); err != nil {
			return err
		}
	}
	return sp.read(o.buf, visit)
}

func (sp *Space) read(b []byte, visit func(*Captured) error) error {
	var c Captured // one for all: visit may make it escape
	for len(b) > 0 {
		n := binary.LittleEndian.Uint32(b)
		c = Captured{Home: int(binary.LittleEndian.Uint16(b[4:])), Table: int(binary.LittleEndian.Uint16(b[6:]))}
		b = b[itemHead:]
		var value []byte
		if n&itemIsPin != 0 {
			n &^= itemIsPin
			ref, size := arena.Ref(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:])
			value = sp.cells.Bytes(ref, int(size))[n:]
			b = b[itemPin:]
		}
		r := Record{b[:n:n]}
		c.Kind, c.Access, c.Expiry, c.Key = r.Kind(), r.Access(), r.Expiry(), r.Key()
		if c.Value = value; value == nil {
			c.Value = r.Value()
		}
		if err := visit(&c); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Unpin lets go of the large values that an output refers to.
func (s *Shard) Unpin(o Output) {
	for _, ref := range o.pins {
		p := s.capture.pins[ref]
		delete(s.capture.pins, ref)
		if p.orphan {
			s.cells.Free(ref, p.size)
		} else {
			s.cells.Arena().Head(ref)[1] &^= pinned
		}
	}
}

// orphan takes over a pinned record that has left its table.
func (c *capture) orphan(r arena.Ref, size int) bool {
	p := c.pins[r]
	if p == nil {
		return false
	}
	p.orphan, p.size = true, size
	return true
}
