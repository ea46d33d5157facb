package ds_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"conclave/kv/ds"
)

// Tables against plain maps: everything that can be done with them, in an order
// that bytes decide, so that a fuzzer can look for it.

type modelValue struct {
	kind   byte
	expiry int64
	val    string
}

type modelKey struct {
	table int
	key   string
}

type model struct {
	t    *testing.T
	in   []byte
	sp   *ds.Space
	s    *ds.Shard
	g    *ds.Group
	want map[modelKey]modelValue

	capturing bool
	frozen    map[modelKey]modelValue
	got       map[modelKey]modelValue
	pending   []ds.Output

	// A scan under way in table 0, what was there all the time, and what came.
	scanPos      uint64
	scanning     bool
	stayed, seen map[string]bool

	compacting   bool
	compactAt    uint32
	compactTable int
}

const modelTables = 3

func (m *model) byte() int {
	if len(m.in) == 0 {
		return 0
	}
	b := m.in[0]
	m.in = m.in[1:]
	return int(b)
}

func runModel(t *testing.T, in []byte) {
	sp := ds.NewSpace(ds.Options{})
	m := &model{t: t, in: in, sp: sp, s: sp.NewShard(), g: ds.NewGroup(modelTables), want: map[modelKey]modelValue{}}
	m.s.SetOwner(plain{})
	for len(m.in) > 0 {
		m.step()
	}
	m.finish()
}

// plain is the owner of records whose value stands for itself.
type plain struct{}

func (plain) Release(ds.Record) {}

func (plain) Flatten(dst []byte, r ds.Record) []byte { return append(dst, r.Value()...) }

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf(format, args...)
}

func (m *model) key() (modelKey, *ds.Table, uint64, []byte) {
	table, n := m.byte()%modelTables, m.byte()
	key := fmt.Appendf(nil, "key:%d", n)
	if n%16 == 0 {
		key = append(key, bytes.Repeat([]byte{'k'}, n*3)...)
	}
	return modelKey{table, string(key)}, m.g.Table(table), m.sp.Hash(key), key
}

// sizes meet every layout: short and long lengths, cells and runs.
var sizes = []int{0, 1, 8, 16, 17, 40, 100, 254, 255, 256, 300, 1000, 4000, 8100, 8160, 9000, 20000, 70000}

func (m *model) value() []byte {
	n := m.byte()
	size := sizes[n%len(sizes)]
	if n < 200 {
		size = sizes[n%9]
	}
	return bytes.Repeat([]byte{byte(m.byte())}, size)
}

func (m *model) expiry() int64 {
	if n := m.byte(); n%2 == 1 {
		return int64(n) << 39
	}
	return 0
}

func (m *model) step() {
	switch op := m.byte() % 32; {
	case op < 14:
		m.set(op < 4)
	case op < 20:
		m.delete()
	case op < 22:
		m.expire()
	case op == 22:
		m.change()
	case op == 23:
		m.get()
	case op < 26:
		m.scan()
	case op < 29:
		m.captureStep()
	case op == 29:
		m.compact()
	case op == 30:
		m.bury()
	default:
		m.s.Reap(m.byte())
	}
}

func (m *model) find(k modelKey, t *ds.Table, hash uint64, key []byte) (ds.Place, bool) {
	p := t.Find(m.s, hash, key)
	v, had := m.want[k]
	if p.IsZero() == had {
		m.fatalf("find %.20q: zero %v, but it is there: %v", key, p.IsZero(), had)
	}
	if had && (p.Kind() != v.kind || p.Expiry() != v.expiry || string(p.Value()) != v.val || string(p.Key()) != k.key) {
		m.fatalf("key %.20q: kind %d expiry %d %d bytes, want %d %d %d", key, p.Kind(), p.Expiry(), len(p.Value()), v.kind, v.expiry, len(v.val))
	}
	return p, had
}

func (m *model) get() { m.find(m.key()) }

func (m *model) set(keep bool) {
	k, t, hash, key := m.key()
	val, expiry, kind := m.value(), m.expiry(), byte(m.byte())
	p, had := m.find(k, t, hash, key)
	var r ds.Record
	if had {
		r = t.Resize(m.s, &p, kind, expiry, len(val), keep)
		if n := min(len(val), len(m.want[k].val)); keep && string(r.Value()[:n]) != m.want[k].val[:n] {
			m.fatalf("resize %.20q to %d lost the value", key, len(val))
		}
	} else {
		r = t.Insert(m.s, hash, key, kind, 0, expiry, len(val))
	}
	if len(r.Value()) != len(val) {
		m.fatalf("%d bytes for a value of %d", len(r.Value()), len(val))
	}
	copy(r.Value(), val)
	m.want[k] = modelValue{kind, expiry, string(val)}
}

func (m *model) delete() {
	k, t, hash, key := m.key()
	if p, had := m.find(k, t, hash, key); had {
		t.Delete(m.s, &p)
		delete(m.want, k)
		delete(m.stayed, k.key)
	}
}

func (m *model) expire() {
	k, t, hash, key := m.key()
	if p, had := m.find(k, t, hash, key); had {
		v := m.want[k]
		v.expiry = m.expiry()
		t.SetExpiry(m.s, &p, v.expiry)
		m.want[k] = v
	}
}

func (m *model) change() {
	k, t, hash, key := m.key()
	if p, had := m.find(k, t, hash, key); had {
		v := m.want[k]
		b := t.Change(m.s, &p)
		if len(b) > 0 {
			b[len(b)-1]++
		}
		v.val = string(b)
		m.want[k] = v
	}
}

func (m *model) scan() {
	t := m.g.Table(0)
	if !m.scanning {
		m.scanning, m.scanPos, m.stayed, m.seen = true, 0, map[string]bool{}, map[string]bool{}
		for k := range m.want {
			if k.table == 0 {
				m.stayed[k.key] = true
			}
		}
	}
	var more bool
	m.scanPos, more = t.Scan(m.s, m.scanPos, func(r ds.Record) { m.seen[string(r.Key())] = true })
	if !more {
		for k := range m.stayed {
			if !m.seen[k] {
				m.fatalf("scan left out %.20q", k)
			}
		}
		m.scanning = false
	}
}

func (m *model) captureStep() {
	if !m.capturing {
		m.capturing, m.frozen, m.got = true, maps.Clone(m.want), map[modelKey]modelValue{}
		m.s.BeginCapture([]*ds.Group{nil, m.g}, func(table int) bool { return table != 2 }, ds.Output{})
		maps.DeleteFunc(m.frozen, func(k modelKey, _ modelValue) bool { return k.table == 2 })
		return
	}
	more := m.s.Capture(m.byte() * 8)
	m.pending = append(m.pending, m.s.Take(ds.Output{}))
	if m.byte()%2 == 0 || !more {
		m.drain()
	}
	if !more {
		m.s.EndCapture()
		m.capturing = false
		if !maps.Equal(m.frozen, m.got) {
			m.fatalf("captured %d records of %d, or others", len(m.got), len(m.frozen))
		}
	}
}

func (m *model) drain() {
	for _, o := range m.pending {
		err := m.sp.Read(o, func(c *ds.Captured) error {
			k := modelKey{c.Table, string(c.Key)}
			if _, twice := m.got[k]; twice || c.Home != 1 {
				return fmt.Errorf("%.20q twice, or from home %d", c.Key, c.Home)
			}
			m.got[k] = modelValue{c.Kind, c.Expiry, string(c.Value)}
			return nil
		})
		if err != nil {
			m.fatalf("capture: %v", err)
		}
		m.s.Unpin(o)
	}
	m.pending = nil
}

func (m *model) compact() {
	if !m.compacting {
		m.s.BeginCompaction(float64(m.byte()) / 255)
		m.compacting = true
	}
	budget := m.byte()
	for ; m.compactTable < modelTables; m.compactTable++ {
		m.compactAt = m.g.Table(m.compactTable).Compact(m.s, m.compactAt, &budget)
		if m.compactAt != 0 || budget <= 0 {
			return
		}
	}
	m.compactTable = 0
	m.s.EndCompaction()
	m.compacting = false
	m.sp.Trim(1 << 20)
}

func (m *model) bury() {
	table := m.byte()
	if table < 4 {
		old := m.g
		m.g = ds.NewGroup(modelTables)
		m.s.Bury(old)
		clear(m.want)
		m.scanning, m.stayed = false, nil
		return
	}
	table %= modelTables
	m.s.BuryTable(m.g.Table(table))
	maps.DeleteFunc(m.want, func(k modelKey, _ modelValue) bool { return k.table == table })
	if table == 0 {
		m.scanning, m.stayed = false, nil
	}
}

func (m *model) check() {
	var bytes int64
	for i := range modelTables {
		if err := m.g.Table(i).Check(m.s); err != nil {
			m.fatalf("table %d: %v", i, err)
		}
		bytes += m.g.Table(i).Bytes()
	}
	if err := m.s.Check(bytes); err != nil {
		m.fatalf("shard: %v", err)
	}
}

func (m *model) finish() {
	m.check()
	for m.capturing {
		m.captureStep()
		m.in = []byte{255, 0}
	}
	m.check()
	got := map[modelKey]modelValue{}
	for i := range modelTables {
		m.g.Table(i).Each(m.s, func(r ds.Record) bool {
			got[modelKey{i, string(r.Key())}] = modelValue{r.Kind(), r.Expiry(), string(r.Value())}
			return true
		})
	}
	if !maps.Equal(got, m.want) {
		m.fatalf("%d records, want %d, or others", len(got), len(m.want))
	}
	for i := range modelTables {
		m.s.BuryTable(m.g.Table(i))
	}
	for m.s.Reap(1 << 20) {
	}
	m.check()
	if m.s.Bytes() != 0 || m.s.Buried() != 0 {
		m.fatalf("%d bytes left, %d buried", m.s.Bytes(), m.s.Buried())
	}
}

func TestTablesAgreeWithMaps(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 3))
			in := make([]byte, 20_000)
			for i := range in {
				in[i] = byte(rng.Uint32())
			}
			runModel(t, in)
		})
	}
}

func FuzzTables(f *testing.F) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 4))
		in := make([]byte, 600)
		for i := range in {
			in[i] = byte(rng.Uint32())
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 20_000 {
			return
		}
		runModel(t, in)
	})
}
