package values

import (
	"bytes"
	"strconv"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/kv/persist"
)

func streamOf(flat packed.List) *persist.Stream {
	r := kv.ReadFlatStream(flat)
	id := func() persist.StreamID { return persist.StreamID(r.ID()) }
	text := func() []byte { return bytes.Clone(r.Text()) }
	s := &persist.Stream{LastID: id(), MaxDeletedID: id(), EntriesAdded: r.Uint()}
	s.Entries = make([]persist.StreamEntry, r.Uint())
	for i := range s.Entries {
		e := &s.Entries[i]
		e.ID = id()
		e.Fields = make([][]byte, 2*r.Uint())
		for j := range e.Fields {
			e.Fields[j] = text()
		}
	}
	s.Groups = make([]persist.StreamGroup, r.Uint())
	for i := range s.Groups {
		g := &s.Groups[i]
		g.Name, g.LastID, g.EntriesRead = text(), id(), r.Int()
		g.Consumers = make([]persist.StreamConsumer, r.Uint())
		for j := range g.Consumers {
			g.Consumers[j] = persist.StreamConsumer{Name: text(), SeenMs: r.Int(), ActiveMs: r.Int()}
		}
		g.Pending = make([]persist.StreamPending, r.Uint())
		for j := range g.Pending {
			g.Pending[j] = persist.StreamPending{ID: id(), Consumer: int(r.Int()), DeliveredMs: r.Int(), Deliveries: r.Uint()}
		}
	}
	return s
}

// streamWriter writes the flat form that [kv.FlatStream] reads.
type streamWriter struct{ list packed.List }

func (w *streamWriter) uint(n uint64) {
	w.list = w.list.Append(strconv.AppendUint(make([]byte, 0, 20), n, 10))
}

func (w *streamWriter) int(n int64) {
	w.list = w.list.Append(strconv.AppendInt(make([]byte, 0, 20), n, 10))
}

func (w *streamWriter) id(id persist.StreamID) {
	w.uint(id.Ms)
	w.uint(id.Seq)
}

func flatStream(s *persist.Stream) packed.List {
	var w streamWriter
	w.id(s.LastID)
	w.id(s.MaxDeletedID)
	w.uint(s.EntriesAdded)
	w.uint(uint64(len(s.Entries)))
	for _, e := range s.Entries {
		w.id(e.ID)
		w.uint(uint64(len(e.Fields) / 2))
		for _, f := range e.Fields {
			w.list = w.list.Append(f)
		}
	}
	w.uint(uint64(len(s.Groups)))
	for i := range s.Groups {
		w.group(&s.Groups[i])
	}
	return w.list
}

func (w *streamWriter) group(g *persist.StreamGroup) {
	w.list = w.list.Append(g.Name)
	w.id(g.LastID)
	w.int(g.EntriesRead)
	w.uint(uint64(len(g.Consumers)))
	for _, c := range g.Consumers {
		w.list = w.list.Append(c.Name)
		w.int(c.SeenMs)
		w.int(c.ActiveMs)
	}
	w.uint(uint64(len(g.Pending)))
	for _, p := range g.Pending {
		w.id(p.ID)
		w.int(int64(p.Consumer))
		w.int(p.DeliveredMs)
		w.uint(p.Deliveries)
	}
}
