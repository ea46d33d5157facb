package kv

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/packed"
)

// plainStream is a stream as Go would have it.
type plainStream struct {
	made             bool
	last, maxDeleted StreamID
	added            uint64
	entries          []plainEntry
	groups           map[string]*plainGroup
}

type plainEntry struct {
	id     StreamID
	fields []string
}

type plainGroup struct {
	last      StreamID
	read      int64
	consumers map[string][2]int64 // seen, active
	pending   map[StreamID]plainPending
}

type plainPending struct {
	consumer  string
	ms, count int64
}

func (p *plainStream) clone() plain {
	c := *p
	c.entries = slices.Clone(p.entries)
	c.groups = map[string]*plainGroup{}
	for name, g := range p.groups {
		c.groups[name] = &plainGroup{g.last, g.read, maps.Clone(g.consumers), maps.Clone(g.pending)}
	}
	return &c
}

func (p *plainStream) elements() (all []string) {
	add := func(x ...any) {
		for _, x := range x {
			all = append(all, fmt.Sprint(x))
		}
	}
	id := func(id StreamID) { add(id.Ms, id.Seq) }
	id(p.last)
	id(p.maxDeleted)
	add(p.added, len(p.entries))
	for _, e := range p.entries {
		id(e.id)
		add(len(e.fields) / 2)
		all = append(all, e.fields...)
	}
	add(len(p.groups))
	for _, name := range slices.Sorted(maps.Keys(p.groups)) {
		g := p.groups[name]
		add(name)
		id(g.last)
		add(g.read, len(g.consumers))
		names := slices.Sorted(maps.Keys(g.consumers))
		for _, c := range names {
			add(c, g.consumers[c][0], g.consumers[c][1])
		}
		add(len(g.pending))
		for _, at := range slices.SortedFunc(maps.Keys(g.pending), StreamID.Compare) {
			d := g.pending[at]
			id(at)
			add(slices.Index(names, d.consumer), d.ms, d.count)
		}
	}
	return all
}

func (p *plainStream) find(id StreamID) (int, bool) {
	return slices.BinarySearchFunc(p.entries, id, func(e plainEntry, id StreamID) int { return e.id.Compare(id) })
}

func (p *plainStream) id(m *plains) StreamID {
	switch n := len(p.entries); {
	case n > 0 && m.rng.IntN(4) > 0:
		return p.entries[m.rng.IntN(n)].id
	case m.rng.IntN(3) == 0:
		return []StreamID{{}, MaxStreamID, p.last}[m.rng.IntN(3)]
	}
	return StreamID{m.rng.Uint64N(p.last.Ms + 2), m.rng.Uint64N(3)}
}

func (p *plainStream) step(m *plains, d DB, key []byte) {
	s, ok := d.Stream(key, ForWrite)
	if !ok || s.Len() != len(p.entries) || s.Exists() != p.made {
		m.Errorf("stream %q: ok %v, %d entries, want %d", key, ok, s.Len(), len(p.entries))
	}
	if s.Create(); !p.made {
		p.made, p.groups = true, map[string]*plainGroup{}
	}
	for range 1 + m.rng.IntN(6) {
		switch m.rng.IntN(12) {
		case 0:
			p.delete(m, &s)
		case 1:
			p.trim(m, &s)
		case 2, 3:
			p.look(m, &s)
		case 4, 5, 6:
			p.group(m, &s)
		default:
			p.add(m, &s)
		}
	}
	if i := s.Info(); i.Length != len(p.entries) || i.LastID != p.last || i.MaxDeletedID != p.maxDeleted || i.EntriesAdded != p.added || i.Groups != len(p.groups) ||
		len(p.entries) > 0 && i.FirstID != p.entries[0].id || len(p.entries) == 0 && !i.FirstID.IsZero() {
		m.Errorf("stream %q: %+v, want %+v", key, i, p)
	}
	s.Commit()
}

func (p *plainStream) add(m *plains, s *StreamKey) {
	id := StreamID{p.last.Ms + m.rng.Uint64N(3), m.rng.Uint64N(3)}
	if m.rng.IntN(100) == 0 {
		id.Ms += 1 << 61
	}
	for id.Compare(p.last) <= 0 {
		id, _ = p.last.Next()
	}
	if id.Ms > 1<<63 {
		return
	}
	var fields [][]byte
	var text []string
	for i := range 1 + m.rng.IntN(3) {
		f, v := fmt.Append(nil, "name ", i), m.text()
		if m.rng.IntN(20) == 0 {
			f = m.text()
		}
		fields, text = append(fields, f, v), append(text, string(f), string(v))
	}
	s.Add(id, fields)
	p.entries = append(p.entries, plainEntry{id, text})
	p.last = id
	p.added++
}

func (p *plainStream) delete(m *plains, s *StreamKey) {
	id := p.id(m)
	i, there := p.find(id)
	if s.Delete(id) != there {
		m.Errorf("delete %v: %v", id, !there)
	}
	if there {
		p.entries = slices.Delete(slices.Clone(p.entries), i, i+1)
		if id.Compare(p.maxDeleted) > 0 {
			p.maxDeleted = id
		}
	}
}

func (p *plainStream) trim(m *plains, s *StreamKey) {
	n := max(0, len(p.entries)-m.rng.IntN(10))
	t := StreamTrim{MaxLen: int64(n)}
	if m.rng.IntN(2) == 0 {
		t = StreamTrim{ByID: true, MinID: p.id(m)}
		at, _ := p.find(t.MinID)
		n = len(p.entries) - at
	}
	if m.rng.IntN(3) == 0 {
		t.Approx = true
		t.Limit = int64(m.rng.IntN(3)) * 10
	}
	removed := int(s.Trim(t))
	if most := len(p.entries) - n; removed != most && !t.Approx || removed > max(most, 0) || t.Limit > 0 && removed > int(t.Limit) {
		m.Errorf("trim %+v: %d removed, want %d", t, removed, most)
	}
	p.entries = slices.Clone(p.entries[removed:])
}

func fieldsOf(e *StreamEntry) (all []string) {
	e.Each(func(f, v packed.Value) { all = append(all, string(f.Append(nil)), string(v.Append(nil))) })
	return all
}

func (p *plainStream) look(m *plains, s *StreamKey) {
	from, to := p.id(m), p.id(m)
	lo, _ := p.find(from)
	hi, there := p.find(to)
	if there {
		hi++
	}
	want := slices.Clone(p.entries[min(lo, hi):hi])
	compare := func(how string, each func(from, to StreamID, visit func(*StreamEntry) bool)) {
		i := 0
		each(from, to, func(e *StreamEntry) bool {
			if i == len(want) || e.ID != want[i].id || !slices.Equal(fieldsOf(e), want[i].fields) || 2*e.Len() != len(want[i].fields) {
				m.Errorf("%s %v to %v: entry %d is %v", how, from, to, i, e.ID)
				return false
			}
			i++
			return true
		})
		if i != len(want) {
			m.Errorf("%s %v to %v: %d entries, want %d", how, from, to, i, len(want))
		}
	}
	compare("up", s.Each)
	slices.Reverse(want)
	compare("down", s.EachBack)
	at, there := p.find(from)
	if e, ok := s.Find(from); ok != there || ok && !slices.Equal(fieldsOf(&e), p.entries[at].fields) {
		m.Errorf("find %v: %v", from, ok)
	}
	if id, ok := s.Newest(); ok != (len(p.entries) > 0) || ok && id != p.entries[len(p.entries)-1].id {
		m.Errorf("newest %v %v", id, ok)
	}
}

func (p *plainStream) group(m *plains, s *StreamKey) {
	name := fmt.Sprint("group ", m.rng.IntN(3))
	g, there := p.groups[name]
	h, ok := s.Group([]byte(name))
	if ok != there {
		m.Errorf("%s: %v", name, ok)
	}
	switch {
	case !there:
		id := p.id(m)
		if !s.CreateGroup([]byte(name), id, -1) || s.CreateGroup([]byte(name), id, 5) {
			m.Errorf("%s can be made twice, or never", name)
		}
		p.groups[name] = &plainGroup{id, -1, map[string][2]int64{}, map[StreamID]plainPending{}}
	case m.rng.IntN(60) == 0:
		if !s.DeleteGroup([]byte(name)) {
			m.Errorf("%s isn't there", name)
		}
		delete(p.groups, name)
	default:
		for range 1 + m.rng.IntN(12) {
			g.step(m, h, p)
		}
		if h.Pending() != len(g.pending) || h.Consumers() != len(g.consumers) || h.LastID() != g.last {
			m.Errorf("%s: %d pending, %d consumers", name, h.Pending(), h.Consumers())
		}
	}
}

func (g *plainGroup) step(m *plains, h StreamGroup, p *plainStream) {
	name := fmt.Sprint("consumer ", m.rng.IntN(4))
	times, there := g.consumers[name]
	c, ok := h.Consumer([]byte(name))
	if ok != there {
		m.Errorf("%s: %v", name, ok)
	}
	id := p.id(m)
	if m.rng.IntN(8) == 0 {
		id = StreamID{m.rng.Uint64N(50), m.rng.Uint64N(50)}
	}
	own := 0
	for _, d := range g.pending {
		if d.consumer == name {
			own++
		}
	}
	switch n := m.rng.IntN(20); {
	case !there:
		if c, ok = h.MakeConsumer([]byte(name), m.now); !ok || string(c.Name()) != name || c.Active() != -1 {
			m.Errorf("%s isn't made", name)
		}
		g.consumers[name] = [2]int64{m.now, -1}
	case n == 0:
		if k, ok := h.DeleteConsumer([]byte(name)); !ok || k != own {
			m.Errorf("%s has %d entries pending, want %d", name, k, own)
		}
		delete(g.consumers, name)
		maps.DeleteFunc(g.pending, func(_ StreamID, d plainPending) bool { return d.consumer == name })
	case n == 1:
		h.SetLastID(id, 3)
		g.last, g.read = id, 3
	case n == 2:
		h.Saw(c, m.now, true)
		g.consumers[name] = [2]int64{m.now, m.now}
	case n < 8:
		_, pending := g.pending[id]
		if h.Acknowledge(id) != pending {
			m.Errorf("acknowledge %v: %v", id, !pending)
		}
		delete(g.pending, id)
	case n == 8:
		g.look(m, h, c, name, id, own)
	default:
		h.SetPending(StreamPending{id, c, m.now, int64(n)})
		g.pending[id] = plainPending{name, m.now, int64(n)}
	}
	if g.consumers[name] == times && c.Seen() != times[0] {
		m.Errorf("%s was seen at %d, want %d", name, c.Seen(), times[0])
	}
}

func (g *plainGroup) look(m *plains, h StreamGroup, c StreamConsumer, name string, from StreamID, own int) {
	ids := slices.SortedFunc(maps.Keys(g.pending), StreamID.Compare)
	i, _ := slices.BinarySearchFunc(ids, from, StreamID.Compare)
	ids = ids[i:]
	if e, ok := h.NextPending(from); ok != (len(ids) > 0) || ok && e.ID != ids[0] {
		m.Errorf("next pending from %v: %v %v", from, e.ID, ok)
	}
	if e, ok := h.LastPending(); ok != (len(g.pending) > 0) || len(ids) > 0 && e.ID != ids[len(ids)-1] {
		m.Errorf("last pending: %v %v", e.ID, ok)
	}
	check := func(e StreamPending) bool {
		if len(ids) == 0 || e.ID != ids[0] || (plainPending{string(e.Consumer.Name()), e.DeliveredMs, e.Deliveries}) != g.pending[e.ID] {
			m.Errorf("pending from %v: %v", from, e)
			return false
		}
		ids = ids[1:]
		return true
	}
	all := ids
	if h.EachPending(from, check); len(ids) > 0 {
		m.Errorf("pending from %v: %d not shown", from, len(ids))
	}
	ids = slices.DeleteFunc(slices.Clone(all), func(id StreamID) bool { return g.pending[id].consumer != name })
	if h.EachPendingOf(c, from, check); len(ids) > 0 || c.Pending() != own {
		m.Errorf("pending of %s from %v: %d not shown; %d, want %d", name, from, len(ids), c.Pending(), own)
	}
}

// Redis 7.0.15 takes 15.2 bytes for such an entry in its listpacks alone.
func TestStreamsArePacked(t *testing.T) {
	s := New(Config{})
	s.Lock(^uint64(0))
	defer s.Unlock(^uint64(0))
	k, _ := s.DB(0, 1).Stream([]byte("s"), ForWrite)
	k.Create()
	const n = 100_000
	for i := range uint64(n) {
		k.Add(StreamID{1_700_000_000_000 + i, 0}, [][]byte{[]byte("field"), []byte("value")})
	}
	k.Commit()
	if per := float64(k.o.bytes()) / n; per > 14 {
		t.Errorf("%.1f bytes per entry", per)
	}
	if arena.Checked {
		return
	}
	id := StreamID{1_800_000_000_000, 0}
	fields := [][]byte{[]byte("field"), []byte("value")}
	if n := testing.AllocsPerRun(1000, func() {
		id, _ = id.Next()
		k.Add(id, fields)
	}); n > 0 {
		t.Errorf("%v allocations per entry", n)
	}
}

// Values of every length and sign come back.
func TestStreamValues(t *testing.T) {
	for _, v := range []string{"", "0", "-1", "63", "64", "-64", "4611686018427387903", "4611686018427387904", "-4611686018427387903",
		"-4611686018427387904", "9223372036854775807", "-9223372036854775808", "007", "-0", "x", strings.Repeat("v", 63), strings.Repeat("v", 64), strings.Repeat("v", 20_000)} {
		b := append(appendStreamValue(nil, []byte(v)), "rest"...)
		got, n := streamValue(b)
		if string(got.Append(nil)) != v || string(b[n:]) != "rest" {
			t.Errorf("%.30q comes back as %.30q", v, got.Append(nil))
		}
	}
	for n := 1; n < 1<<30; n = n*3 + 1 {
		b := appendLength([]byte("entry"), n)
		if at := (streamNode{b: append(make([]byte, n), b...)}).before(n + len(b)); at != 5 || len(b) != 5+lengthSize(n) {
			t.Errorf("length %d is read as %d", n, n+5-at)
		}
		if n > 1<<22 {
			break
		}
	}
}

// A large stream is freed in parts.
func TestStreamsAreFreedInParts(t *testing.T) {
	s := New(Config{})
	s.Lock(^uint64(0))
	d := s.DB(0, 1)
	for range 2 {
		k, _ := d.Stream([]byte("s"), ForWrite)
		k.Create()
		k.CreateGroup([]byte("a"), StreamID{}, 0)
		k.CreateGroup([]byte("b"), StreamID{}, 0)
		for i := range uint64(20_000) {
			id := StreamID{i + 1, 0}
			k.Add(id, [][]byte{[]byte("field"), []byte("value")})
			k.EachGroup(func(g StreamGroup) {
				c, _ := g.MakeConsumer(fmt.Append(nil, i%7), 1)
				g.SetPending(StreamPending{id, c, 1, 1})
			})
		}
		k.Commit()
		p := k.at.part
		before := p.members.Bytes()
		if before != k.o.bytes() {
			t.Fatalf("%d bytes, want %d", before, k.o.bytes())
		}
		k.DeleteGroup([]byte("a"))
		k.Commit()
		if p.members.Bytes() != k.o.bytes() || p.members.Bytes()+p.members.Buried() < before*9/10 {
			t.Errorf("%d bytes and %d buried of %d", p.members.Bytes(), p.members.Buried(), before)
		}
		d.Delete([]byte("s"))
		if p.members.Bytes() != 0 || p.members.Buried() < before*8/10 {
			t.Errorf("%d bytes and %d buried of %d", p.members.Bytes(), p.members.Buried(), before)
		}
		for parts := 0; ; parts++ {
			live := p.members.Nodes().Live()
			if !p.reap(100) {
				if parts < 10 {
					t.Errorf("%d parts", parts)
				}
				break
			}
			if freed := live - p.members.Nodes().Live(); freed > 200*1400 {
				t.Errorf("%d bytes freed at once", freed)
			}
		}
		if n := p.members.Nodes().Live() + p.members.Buried(); n != 0 {
			t.Errorf("%d bytes are left", n)
		}
	}
	s.Unlock(^uint64(0))
	checkInvariants(t, s)
}
