package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"

	"conclave/fsm/slot"
)

// The snapshot's layout is in FORMAT.md.
const (
	snapshotMagic   = "CONCFSM\x00"
	snapshotVersion = 1

	sectionHead  = 2 + 1 + 4
	sectionSoft  = 1 << 20  // a list goes on in another section from here
	sectionLimit = 16 << 20 // no section is longer
	isRequired   = 1
)

// Sections. A list that is empty has none, a long one several.
const (
	sectionEnd uint16 = iota
	sectionMeta
	sectionNodes
	sectionShards
	sectionSlots
	sectionMigrating
	sectionImporting
	sectionTombstones
	sectionHistory
	sectionRequests
)

// Encode writes the whole state. Equal states give equal bytes.
func (s *State) Encode(w io.Writer) error {
	head := binary.LittleEndian.AppendUint16([]byte(snapshotMagic), snapshotVersion)
	head = binary.LittleEndian.AppendUint32(head, s.level)
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	out := &sectionWriter{w: w}
	s.encodeSections(out)
	if out.err != nil {
		return fmt.Errorf("write snapshot: %w", out.err)
	}
	return nil
}

func (s *State) encodeSections(out *sectionWriter) {
	out.section(sectionMeta, func() {
		b := putString(out.body, s.clusterID)
		for _, v := range []uint64{s.index, s.currentEpoch, s.recovery, s.floor} {
			b = putUint(b, v)
		}
		out.item(b)
	})
	out.section(sectionNodes, func() {
		for _, n := range s.nodes {
			out.item(putNode(out.body, n))
		}
	})
	out.section(sectionShards, func() {
		for _, sh := range s.shards {
			out.item(putShard(out.body, sh))
		}
	})
	out.section(sectionSlots, func() { s.encodeSlots(out) })
	out.marks(sectionMigrating, s.migrating)
	out.marks(sectionImporting, s.importing)
	out.section(sectionTombstones, func() {
		for _, t := range s.tombstones {
			b := putUint(putString(out.body, t.Node), t.Attempt)
			out.item(putUint(b, t.Index))
		}
	})
	out.section(sectionHistory, func() {
		for _, c := range s.history.all() {
			out.item(putChange(out.body, c))
		}
	})
	out.section(sectionRequests, func() {
		for _, o := range s.requests.origins() {
			out.item(putOrigin(out.body, o))
		}
	})
	out.section(sectionEnd, func() { out.started = true })
}

func putShard(b []byte, sh *Shard) []byte {
	b = putString(putString(b, sh.ID), sh.Primary)
	b = putIncarnation(b, sh.PrimaryIncarnation)
	b = putUint(putUint(b, sh.Epoch), sh.Tenure)
	b = putUint(putUint(b, uint64(sh.Mode)), uint64(len(sh.Supporters)))
	for _, m := range sh.Supporters {
		b = putIncarnation(putString(b, m.Node), m.Incarnation)
	}
	return b
}

// encodeSlots writes runs of slots with one owner and one stamp; owners are
// numbers in the list of shards, from 1.
func (s *State) encodeSlots(out *sectionWriter) {
	number := make([]uint64, len(s.seats))
	for i, sh := range s.shards {
		number[sh.handle] = uint64(i + 1)
	}
	for start := 0; start < slot.Count; {
		h, stamp := s.handle(start), s.Stamp(start)
		end := start + 1
		for end < slot.Count && s.handle(end) == h && s.Stamp(end) == stamp {
			end++
		}
		if stamp != 0 {
			b := putUint(putUint(out.body, uint64(start)), uint64(end-start))
			out.item(putUint(putUint(b, number[h]), stamp))
		}
		start = end
	}
}

func putChange(b []byte, c Change) []byte {
	b = putInt(putUint(b, c.Index), c.WallMs)
	b = putString(putString(b, c.Origin), c.Op)
	return putString(putString(b, c.Before), c.After)
}

func putOrigin(b []byte, o *origin) []byte {
	b = putUint(putString(b, o.id), o.last)
	b = putUint(putIncarnation(b, o.evictedBy), o.evicted)
	b = putUint(b, uint64(len(o.done)))
	for _, s := range o.done {
		b = putUint(putIncarnation(b, s.incarnation), s.seq)
		b = s.result.Encode(b)
	}
	return b
}

// sectionWriter cuts lists of items into sections.
type sectionWriter struct {
	w       io.Writer
	err     error
	tag     uint16
	started bool   // a section is to be written even if it is empty
	body    []byte // of the section, behind room for its head
}

func (o *sectionWriter) section(tag uint16, items func()) {
	o.tag, o.started = tag, false
	o.body = append(o.body[:0], make([]byte, sectionHead)...)
	items()
	if o.started {
		o.flush()
	}
}

// item takes the body with one more item appended.
func (o *sectionWriter) item(body []byte) {
	o.body, o.started = body, true
	if len(body) >= sectionSoft {
		o.flush()
		o.started = false
	}
}

func (o *sectionWriter) flush() {
	b := o.body
	binary.LittleEndian.PutUint16(b, o.tag)
	b[2] = isRequired
	binary.LittleEndian.PutUint32(b[3:], uint32(len(b)-sectionHead))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
	o.body = b[:sectionHead]
}

func (o *sectionWriter) marks(tag uint16, t *markTable) {
	o.section(tag, func() {
		for _, m := range t.all(func(Mark) bool { return true }) {
			b := putString(putUint(o.body, uint64(m.Slot)), m.Node)
			o.item(putString(b, m.Peer))
		}
	})
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Hash is a checksum of the encoded state: equal on nodes that agree.
func (s *State) Hash() uint64 {
	h := crc64.New(crc64.MakeTable(crc64.ECMA))
	if err := s.Encode(h); err != nil { // a hash doesn't fail to take bytes
		return 0
	}
	return h.Sum64()
}

// Decode reads what Encode wrote. It fails on whatever it can't understand
// fully, save sections that say that they are optional, and on a state that
// Check refuses.
func Decode(r io.Reader) (*State, error) {
	s, err := decodeSnapshot(r)
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return s, nil
}

func decodeSnapshot(r io.Reader) (*State, error) {
	head := make([]byte, len(snapshotMagic)+6)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte(snapshotMagic)) {
		return nil, errors.New("not a snapshot of this program")
	}
	rest := head[len(snapshotMagic):]
	if v := binary.LittleEndian.Uint16(rest); v != snapshotVersion {
		return nil, fmt.Errorf("format version %d, this binary knows %d", v, snapshotVersion)
	}
	l := &loader{s: Empty()}
	l.s.level = binary.LittleEndian.Uint32(rest[2:])
	if l.s.level > MaxLevel {
		return nil, fmt.Errorf("feature level %d, this binary knows up to %d", l.s.level, MaxLevel)
	}
	for last := uint16(0); ; {
		tag, required, body, err := readSection(r)
		switch {
		case err != nil:
			return nil, err
		case tag == sectionEnd:
			return l.s, readEnd(r, l)
		case tag > sectionRequests && !required:
			continue
		case tag > sectionRequests:
			return nil, fmt.Errorf("section %d is unknown and required", tag)
		case tag < last || tag == last && tag == sectionMeta:
			return nil, fmt.Errorf("section %d out of order", tag)
		}
		last = tag
		if err := l.load(tag, body); err != nil {
			return nil, fmt.Errorf("section %d: %w", tag, err)
		}
	}
}

func readEnd(r io.Reader, l *loader) error {
	if !l.meta {
		return errors.New("no section with the cluster's id")
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("bytes after the end")
}

// readSection allocates as the bytes arrive, not by the length claimed.
func readSection(r io.Reader) (tag uint16, required bool, body []byte, err error) {
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, sectionHead); err != nil {
		return 0, false, nil, unexpected(err)
	}
	head := buf.Bytes()
	tag, required = binary.LittleEndian.Uint16(head), head[2]&isRequired != 0
	if head[2]&^isRequired != 0 {
		return 0, false, nil, fmt.Errorf("section %d has unknown flags", tag)
	}
	n := binary.LittleEndian.Uint32(head[3:])
	if n > sectionLimit {
		return 0, false, nil, fmt.Errorf("section %d of %d bytes, above the limit of %d", tag, n, sectionLimit)
	}
	if _, err := io.CopyN(&buf, r, int64(n)+4); err != nil {
		return 0, false, nil, unexpected(err)
	}
	all := buf.Bytes()
	body, sum := all[:sectionHead+n], all[sectionHead+n:]
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(sum) {
		return 0, false, nil, fmt.Errorf("section %d is damaged: checksum mismatch", tag)
	}
	return tag, required, body[sectionHead:], nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// loader builds a state from sections.
type loader struct {
	s    *State
	meta bool
}

func (l *loader) load(tag uint16, body []byte) error {
	d := &decoder{b: body}
	if tag == sectionMeta {
		l.meta = true
		s := l.s
		s.clusterID = d.string(maxID)
		s.index, s.currentEpoch, s.recovery, s.floor = d.uint(), d.uint(), d.uint(), d.uint()
		return d.end()
	}
	item := map[uint16]func(*decoder){
		sectionNodes: l.node, sectionShards: l.shard, sectionSlots: l.slots,
		sectionMigrating: l.migrating, sectionImporting: l.importing,
		sectionTombstones: l.tombstone, sectionHistory: l.change, sectionRequests: l.origin,
	}[tag]
	for d.err == nil && len(d.b) > 0 {
		item(d)
	}
	return d.end()
}

func (l *loader) node(d *decoder) {
	n := d.fullNode()
	l.s.nodes = append(l.s.nodes, &n)
}

func (l *loader) shard(d *decoder) {
	sh := &Shard{ID: d.shard(), Primary: d.node(), PrimaryIncarnation: d.incarnation(), Epoch: d.uint(), Tenure: d.uint()}
	sh.Mode = Mode(d.upTo(uint64(SynchronousFsync)))
	for range d.count(3) {
		sh.Supporters = append(sh.Supporters, Member{d.node(), d.incarnation()})
	}
	if len(l.s.seats) > maxMembers {
		d.fail(errors.New("too many shards"))
		return
	}
	sh.handle = uint16(len(l.s.seats))
	l.s.shards = append(l.s.shards, sh)
	l.s.seats = append(l.s.seats, seat{shard: sh, primary: l.s.Node(sh.Primary)})
}

func (l *loader) slots(d *decoder) {
	start, n := d.upTo(slot.Count-1), d.upTo(slot.Count)
	owner, stamp := d.upTo(uint64(len(l.s.shards))), d.uint()
	if d.err != nil || n == 0 || start+n > slot.Count || stamp == 0 {
		d.fail(errors.New("bad run of slots"))
		return
	}
	for i := int(start); i < int(start+n); i++ {
		p := &l.s.pages[i/pageSlots]
		if *p == nil {
			*p = new(page)
		}
		if (*p).stamps[i%pageSlots] != 0 {
			d.fail(fmt.Errorf("slot %d twice", i))
			return
		}
		(*p).owners[i%pageSlots], (*p).stamps[i%pageSlots] = uint16(owner), stamp
		l.s.seats[0].slots--
		l.s.seats[owner].slots++
	}
}

func (l *loader) migrating(d *decoder) { l.mark(d, l.s.migrating) }

func (l *loader) importing(d *decoder) { l.mark(d, l.s.importing) }

func (l *loader) mark(d *decoder, t *markTable) {
	m := Mark{uint16(d.upTo(slot.Count - 1)), d.node(), d.node()}
	p := &t.pages[int(m.Slot)/pageSlots]
	*p = append(*p, m)
	t.n++
}

func (l *loader) tombstone(d *decoder) {
	l.s.tombstones = append(l.s.tombstones, Tombstone{d.node(), d.uint(), d.uint()})
}

func (l *loader) change(d *decoder) {
	c := Change{Index: d.uint(), WallMs: d.int(), Origin: d.node(), Op: d.string(maxName)}
	c.Before, c.After = d.string(historyText), d.string(historyText)
	if !l.s.history.load(c) {
		d.fail(errors.New("too much history"))
	}
}

func (l *loader) origin(d *decoder) {
	o := &origin{id: d.node(), last: d.uint(), evictedBy: d.incarnation(), evicted: d.uint()}
	n := d.count(7)
	if n > requestsPerOrigin {
		d.fail(errors.New("too many requests"))
		return
	}
	for range n {
		o.done = append(o.done, &settled{d.incarnation(), d.uint(), d.result(1)})
	}
	t := &l.s.requests
	if t.buckets == nil {
		t.buckets = new([originBuckets][]*origin)
	}
	b, i, ok := t.find(o.id)
	if ok || t.n >= maxOrigins {
		d.fail(fmt.Errorf("origin %q twice, or too many", o.id))
		return
	}
	t.buckets[b] = slices.Insert(t.buckets[b], i, o)
	t.n++
}
