package persist

import "encoding/binary"

// The entries of a stream are packed by the hundred. A node is named by the ID
// of its first entry, which the others count from; its listpack begins with
// the number of entries, the number of deleted ones, the names of the first
// entry's fields and a zero. An entry is flags, what to add to the node's ID,
// its fields and the number of elements that it took.
const (
	entryDeleted    = 1
	entrySameFields = 2 // as the node's: no names, no number of them
)

// streamNodes writes entries, as Redis would have gathered them in nodes.
func (w *encoder) streamNodes(entries []StreamEntry) {
	var ends []int
	for from := 0; from < len(entries); {
		to, bytes := from+1, streamEntryBytes(entries[from])
		for to < len(entries) && (w.StreamNodeMaxEntries == 0 || to-from < w.StreamNodeMaxEntries) {
			bytes += streamEntryBytes(entries[to])
			if w.StreamNodeMaxBytes > 0 && bytes >= w.StreamNodeMaxBytes || bytes >= streamNodeSafety {
				break
			}
			to++
		}
		ends = append(ends, to)
		from = to
	}
	w.length(uint64(len(ends)))
	from := 0
	for _, to := range ends {
		w.streamNode(entries[from:to])
		from = to
	}
}

// streamNodeSafety bounds a node whatever the limits say.
const streamNodeSafety = 1 << 30

func streamEntryBytes(e StreamEntry) (n int) {
	for _, s := range e.Fields {
		n += len(s)
	}
	return n
}

func (w *encoder) streamNode(entries []StreamEntry) {
	first := entries[0]
	names := make([][]byte, len(first.Fields)/2)
	l := newListpackBuilder(w.pack)
	l.addInt(int64(len(entries)))
	l.addInt(0)
	l.addInt(int64(len(names)))
	for i := range names {
		names[i] = first.Fields[2*i]
		l.add(names[i])
	}
	l.addInt(0)
	for _, e := range entries {
		l.addEntry(e, first.ID, names)
	}
	w.pack = l.bytes()
	w.length(16)
	w.rawStreamID(first.ID)
	w.string(w.pack)
}

func (l *listpackBuilder) addEntry(e StreamEntry, node StreamID, names [][]byte) {
	start := l.count
	same := sameFields(names, e)
	if same {
		l.addInt(entrySameFields)
	} else {
		l.addInt(0)
	}
	l.addInt(int64(e.ID.Ms - node.Ms))
	l.addInt(int64(e.ID.Seq - node.Seq))
	if same {
		for i := 1; i < len(e.Fields); i += 2 {
			l.add(e.Fields[i])
		}
	} else {
		l.addInt(int64(len(e.Fields) / 2))
		for _, s := range e.Fields {
			l.add(s)
		}
	}
	l.addInt(int64(l.count - start))
}

// streamNode reads a node and appends its entries, but for deleted ones.
func (d *decoder) streamNode(s *Stream) error {
	key, err := d.string()
	if err != nil {
		return err
	}
	if len(key) != 16 {
		return malformed("a stream's node without ID")
	}
	node := StreamID{Ms: binary.BigEndian.Uint64(key), Seq: binary.BigEndian.Uint64(key[8:])}
	p, err := d.string()
	if err != nil {
		return err
	}
	l, err := newListpack(p)
	if err != nil {
		return err
	}
	entries, names, err := d.streamNodeHead(l)
	if err != nil {
		return err
	}
	for range entries {
		e, deleted, err := d.streamEntry(l, node, names)
		if err != nil {
			return err
		}
		if deleted {
			continue
		}
		if n := len(s.Entries); n > 0 && e.ID.Compare(s.Entries[n-1].ID) <= 0 {
			return malformed("a stream with entries out of order")
		}
		s.Entries = append(s.Entries, e)
	}
	if l.more() {
		return malformed("a stream's node with more than its entries")
	}
	return l.finish()
}

// streamNodeHead reads the master entry of a node. The number of entries is
// that of all, with the deleted ones.
func (d *decoder) streamNodeHead(l *listpack) (entries uint64, names [][]byte, err error) {
	var counts [3]int64
	for i := range counts {
		if counts[i], err = l.number(); err != nil {
			return 0, nil, err
		}
		if counts[i] < 0 {
			return 0, nil, malformed("a stream's node with a negative count")
		}
	}
	for range counts[2] {
		name, err := l.next()
		if err != nil {
			return 0, nil, err
		}
		names = append(names, d.elementText(name))
	}
	end, err := l.number()
	if err == nil && end != 0 {
		err = malformed("a stream's node whose head doesn't end")
	}
	return uint64(counts[0]) + uint64(counts[1]), names, err
}

func (d *decoder) streamEntry(l *listpack, node StreamID, names [][]byte) (e StreamEntry, deleted bool, err error) {
	start := l.seen
	var head [3]int64 // flags, milliseconds, sequence
	for i := range head {
		if head[i], err = l.number(); err != nil {
			return e, false, err
		}
	}
	e.ID = StreamID{Ms: node.Ms + uint64(head[1]), Seq: node.Seq + uint64(head[2])}
	if head[0]&entrySameFields != 0 {
		e.Fields = make([][]byte, 0, min(2*len(names), len(l.rest)))
		for _, name := range names {
			v, err := l.next()
			if err != nil {
				return e, false, err
			}
			e.Fields = append(e.Fields, name, d.elementText(v))
		}
	} else {
		n, err := l.number()
		if err != nil {
			return e, false, err
		}
		if n < 0 {
			return e, false, malformed("a stream's entry with a negative count")
		}
		e.Fields = make([][]byte, 0, 2*few(uint64(n)))
		for range n {
			for range 2 {
				s, err := l.next()
				if err != nil {
					return e, false, err
				}
				e.Fields = append(e.Fields, d.elementText(s))
			}
		}
	}
	taken := l.seen - start
	if n, err := l.number(); err != nil || n != int64(taken) {
		return e, false, malformed("a stream's entry whose length is wrong")
	}
	return e, head[0]&entryDeleted != 0, nil
}
