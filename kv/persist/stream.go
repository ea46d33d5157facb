package persist

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// StreamID names an entry of a stream.
type StreamID struct{ Ms, Seq uint64 }

// Compare orders IDs as the stream does.
func (a StreamID) Compare(b StreamID) int {
	return cmp.Or(cmp.Compare(a.Ms, b.Ms), cmp.Compare(a.Seq, b.Seq))
}

// Stream is the value of a stream key.
type Stream struct {
	// Entries ascend by ID.
	Entries []StreamEntry
	// LastID is the greatest ID there ever was, MaxDeletedID the greatest of a
	// deleted entry, EntriesAdded how many were ever added.
	LastID, MaxDeletedID StreamID
	EntriesAdded         uint64
	// Groups have different names.
	Groups []StreamGroup
}

// StreamEntry is one entry of a [Stream]: names and values of fields by turns.
type StreamEntry struct {
	ID     StreamID
	Fields [][]byte
}

// StreamGroup is a consumer group.
type StreamGroup struct {
	Name   []byte
	LastID StreamID
	// EntriesRead is the group's logical read counter, or -1: unknown.
	EntriesRead int64
	// Pending are the entries delivered and not acknowledged, ascending by ID.
	// Those deleted meanwhile may be among them.
	Pending []StreamPending
	// Consumers have different names.
	Consumers []StreamConsumer
}

// StreamPending is an entry on its way.
type StreamPending struct {
	ID          StreamID
	Consumer    int // index in the group's Consumers
	DeliveredMs int64
	Deliveries  uint64
}

// StreamConsumer is a member of a group.
type StreamConsumer struct {
	Name []byte
	// SeenMs is when it last tried to read, ActiveMs when it last got something,
	// or -1: never. Version 10 doesn't keep ActiveMs; it is read as SeenMs.
	SeenMs, ActiveMs int64
}

func comparePending(a, b StreamPending) int { return a.ID.Compare(b.ID) }

// firstID is the ID of the first entry, or zero if there is none.
func (s *Stream) firstID() StreamID {
	if len(s.Entries) == 0 {
		return StreamID{}
	}
	return s.Entries[0].ID
}

func (*Stream) layout(e *Encoding) byte {
	if e.Version >= since(typeStream3) {
		return typeStream3
	}
	return typeStream2
}

func (s *Stream) encode(w *encoder, kind byte) {
	w.streamNodes(s.Entries)
	w.length(uint64(len(s.Entries)))
	w.streamID(s.LastID)
	w.streamID(s.firstID())
	w.streamID(s.MaxDeletedID)
	w.length(s.EntriesAdded)
	w.length(uint64(len(s.Groups)))
	for i := range s.Groups {
		w.streamGroup(&s.Groups[i], kind)
	}
}

func (w *encoder) streamID(id StreamID) {
	w.length(id.Ms)
	w.length(id.Seq)
}

func (w *encoder) rawStreamID(id StreamID) { w.b = appendRawStreamID(w.b, id) }

func appendRawStreamID(b []byte, id StreamID) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, id.Ms), id.Seq)
}

func (w *encoder) uint64(n uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, n) }

func (w *encoder) streamGroup(g *StreamGroup, kind byte) {
	w.string(g.Name)
	w.streamID(g.LastID)
	w.length(uint64(g.EntriesRead))
	pending := g.Pending
	if !slices.IsSortedFunc(pending, comparePending) {
		pending = slices.Clone(pending)
		slices.SortFunc(pending, comparePending)
	}
	w.length(uint64(len(pending)))
	of := make([][]StreamID, len(g.Consumers))
	for _, p := range pending {
		w.rawStreamID(p.ID)
		w.uint64(uint64(p.DeliveredMs))
		w.length(p.Deliveries)
		of[p.Consumer] = append(of[p.Consumer], p.ID)
	}
	w.length(uint64(len(g.Consumers)))
	for i, c := range g.Consumers {
		w.string(c.Name)
		w.uint64(uint64(c.SeenMs))
		if kind == typeStream3 {
			w.uint64(uint64(c.ActiveMs))
		}
		w.length(uint64(len(of[i])))
		for _, id := range of[i] {
			w.rawStreamID(id)
		}
	}
}

func (d *decoder) stream(kind byte) (Value, error) {
	s := &Stream{}
	nodes, err := d.size()
	if err != nil {
		return nil, err
	}
	for range nodes {
		if err := d.streamNode(s); err != nil {
			return nil, err
		}
	}
	if err := d.streamHead(s, kind); err != nil {
		return nil, err
	}
	groups, err := d.size()
	if err != nil {
		return nil, err
	}
	for range groups {
		g, err := d.streamGroup(s, kind)
		if err != nil {
			return nil, err
		}
		s.Groups = append(s.Groups, g)
	}
	if !distinct(len(s.Groups), func(i int) []byte { return s.Groups[i].Name }) {
		return nil, malformed("a stream with a group twice")
	}
	return s, nil
}

// sizes reads lengths into the given places.
func (d *decoder) sizes(into ...*uint64) (err error) {
	for _, n := range into {
		if *n, err = d.size(); err != nil {
			return err
		}
	}
	return nil
}

// streamHead reads what stands between the entries and the groups.
func (d *decoder) streamHead(s *Stream, kind byte) error {
	var length uint64
	if err := d.sizes(&length, &s.LastID.Ms, &s.LastID.Seq); err != nil {
		return err
	}
	s.EntriesAdded = length
	if kind != typeStream1 {
		var first StreamID // known from the entries
		err := d.sizes(&first.Ms, &first.Seq, &s.MaxDeletedID.Ms, &s.MaxDeletedID.Seq, &s.EntriesAdded)
		if err != nil {
			return err
		}
	}
	if length != uint64(len(s.Entries)) {
		return malformed("a stream's number of entries")
	}
	if n := len(s.Entries); n > 0 && s.Entries[n-1].ID.Compare(s.LastID) > 0 {
		return malformed("a stream with an entry behind its last ID")
	}
	return nil
}

func (d *decoder) streamGroup(s *Stream, kind byte) (g StreamGroup, err error) {
	if g.Name, err = d.string(); err != nil {
		return g, err
	}
	if err = d.sizes(&g.LastID.Ms, &g.LastID.Seq); err != nil {
		return g, err
	}
	if kind == typeStream1 {
		g.EntriesRead = s.entriesRead(g.LastID)
	} else {
		n, err := d.size()
		if err != nil {
			return g, err
		}
		g.EntriesRead = int64(n)
	}
	if g.Pending, err = d.streamPending(); err != nil {
		return g, err
	}
	consumers, err := d.size()
	if err != nil {
		return g, err
	}
	for i := range consumers {
		c, err := d.streamConsumer(&g, int(i), kind)
		if err != nil {
			return g, err
		}
		g.Consumers = append(g.Consumers, c)
	}
	if !distinct(len(g.Consumers), func(i int) []byte { return g.Consumers[i].Name }) {
		return g, malformed("a group with a consumer twice")
	}
	if slices.ContainsFunc(g.Pending, func(p StreamPending) bool { return p.Consumer < 0 }) {
		return g, malformed("a pending entry without consumer")
	}
	return g, nil
}

// streamPending reads a group's pending entries; whose they are isn't known yet.
func (d *decoder) streamPending() ([]StreamPending, error) {
	n, err := d.size()
	if err != nil {
		return nil, err
	}
	pending := make([]StreamPending, 0, few(n))
	for range n {
		p := StreamPending{Consumer: -1}
		if p.ID, err = d.rawStreamID(); err != nil {
			return nil, err
		}
		ms, err := d.uint64()
		if err != nil {
			return nil, err
		}
		p.DeliveredMs = int64(ms)
		if p.Deliveries, err = d.size(); err != nil {
			return nil, err
		}
		pending = append(pending, p)
	}
	slices.SortFunc(pending, comparePending)
	for i := range pending {
		if i > 0 && pending[i].ID == pending[i-1].ID {
			return nil, malformed("a group with an entry pending twice")
		}
	}
	return pending, nil
}

// streamConsumer reads a consumer and makes its pending entries its own.
func (d *decoder) streamConsumer(g *StreamGroup, index int, kind byte) (c StreamConsumer, err error) {
	if c.Name, err = d.string(); err != nil {
		return c, err
	}
	seen, err := d.uint64()
	if err != nil {
		return c, err
	}
	active := seen
	if kind == typeStream3 {
		if active, err = d.uint64(); err != nil {
			return c, err
		}
	}
	c.SeenMs, c.ActiveMs = int64(seen), int64(active)
	n, err := d.size()
	if err != nil {
		return c, err
	}
	for range n {
		id, err := d.rawStreamID()
		if err != nil {
			return c, err
		}
		i, ok := slices.BinarySearchFunc(g.Pending, StreamPending{ID: id}, comparePending)
		if !ok || g.Pending[i].Consumer >= 0 {
			return c, malformed("a consumer's entry that isn't pending, or another's too")
		}
		g.Pending[i].Consumer = index
	}
	return c, nil
}

func (d *decoder) rawStreamID() (StreamID, error) {
	p, err := d.take(16)
	if err != nil {
		return StreamID{}, err
	}
	return StreamID{Ms: binary.BigEndian.Uint64(p), Seq: binary.BigEndian.Uint64(p[8:])}, nil
}

// entriesRead is Redis's estimate of the read counter of a group that stands at
// id, for formats that don't have it. No entry is known to have been deleted.
func (s *Stream) entriesRead(id StreamID) int64 {
	const unknown = -1
	switch last := id.Compare(s.LastID); {
	case s.EntriesAdded == 0:
		return 0
	case last == 0:
		return int64(s.EntriesAdded)
	case last > 0:
		return unknown
	}
	switch first := id.Compare(s.firstID()); {
	case first < 0:
		return 0
	case first == 0:
		return 1
	}
	return unknown
}

func sameFields(names [][]byte, e StreamEntry) bool {
	if len(names)*2 != len(e.Fields) {
		return false
	}
	for i, name := range names {
		if !bytes.Equal(name, e.Fields[2*i]) {
			return false
		}
	}
	return true
}
