package kv

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"conclave/kv/ds/packed"
)

type plainSet map[string]bool

func (p plainSet) clone() plain { return maps.Clone(p) }

func (p plainSet) elements() []string { return slices.Sorted(maps.Keys(p)) }

func (p plainSet) step(m *plains, d DB, key []byte) {
	s, ok := d.Set(key, ForWrite)
	if !ok || s.Len() != len(p) || s.Exists() != (len(p) > 0) {
		m.Errorf("set %q: ok %v, %d members, want %d", key, ok, s.Len(), len(p))
	}
	if m.rng.IntN(10) == 0 {
		s.Expect(m.rng.IntN(20))
	}
	for range 1 + m.rng.IntN(4) {
		member := m.text()
		if len(p) == 0 && m.rng.IntN(2) == 0 { // half of them begin as intsets
			member = []byte("7")
		}
		there := p[string(member)]
		switch m.rng.IntN(10) {
		case 0, 1:
			if s.Delete(member) != there {
				m.Errorf("set %q: delete %q", key, member)
			}
			delete(p, string(member))
		case 2:
			v, _ := packed.List(nil).Append(member).At(0)
			if s.Has(member) != there || s.HasValue(v) != there {
				m.Errorf("set %q: has %q, want %v", key, member, there)
			}
		case 3:
			p.look(m, &s)
		case 4:
			if len(p) == 0 {
				break
			}
			s.Take(func(v packed.Value) {
				text := string(v.Append(nil))
				if !p[text] {
					m.Errorf("set %q: took %q", key, text)
				}
				delete(p, text)
			})
		default:
			if s.Add(member) == there {
				m.Errorf("set %q: add %q", key, member)
			}
			p[string(member)] = true
		}
		if len(p) == 0 {
			break
		}
	}
	there := s.Exists()
	if removed := s.Commit(); removed != (there && len(p) == 0) {
		m.Errorf("set %q: removed with %d members", key, len(p))
	}
}

// look compares what iterations and draws show.
func (p plainSet) look(m *plains, s *SetKey) {
	seen, cursor := plainSet{}, uint64(0)
	for {
		cursor = s.Scan(cursor, 5, func(v packed.Value) { seen[string(v.Append(nil))] = true })
		if cursor == 0 {
			break
		}
	}
	if !maps.Equal(seen, p) {
		m.Errorf("scanned %v, want %v", seen, p)
	}
	if len(p) == 0 {
		return
	}
	if v := s.Random(); !p[string(v.Append(nil))] {
		m.Errorf("random %v", v)
	}
	n := m.rng.IntN(len(p) + 3)
	drawn := plainSet{}
	s.Sample(n, func(v packed.Value) { drawn[string(v.Append(nil))] = true })
	if len(drawn) != min(n, len(p)) {
		m.Errorf("%d drawn, want %d of %d", len(drawn), n, len(p))
	}
	for member := range drawn {
		if !p[member] {
			m.Errorf("drawn %q", member)
		}
	}
}

// Sets take the forms that Redis 7.2 gives them.
func TestFormsOfSets(t *testing.T) {
	s := New(Config{})
	s.SetLimits(Limits{SetEntries: 4, SetValue: 6, IntsetEntries: 6})
	d := s.DB(0, 1)
	for _, tc := range []struct {
		expect  int
		members string
		want    Encoding
	}{
		{0, "1", Intset}, {0, "1 2 3 4 5 6", Intset}, {0, "1 2 3 4 5 6 6", Intset}, {0, "1 2 3 4 5 6 7", Hashtable},
		{0, "-300 70000 5 99999999999", Intset},
		{0, "a", Listpack}, {0, "a b c d", Listpack}, {0, "a b c d e", Hashtable}, {0, "a 7 8 9", Listpack},
		{0, "1 2 3 a", Listpack}, {0, "1 2 3 4 a", Hashtable}, {0, "1 toolong", Hashtable}, {0, "toolong", Hashtable},
		{0, "1234567 2 a", Hashtable}, {0, "-1234567 2 a", Hashtable}, {0, "1234567 2", Intset},
		{7, "1 2", Hashtable}, {6, "1 2", Intset}, {5, "a 1", Hashtable}, {4, "a 1", Listpack},
	} {
		s.Lock(^uint64(0))
		d.Delete([]byte("k"))
		k, _ := d.Set([]byte("k"), ForWrite)
		k.Expect(tc.expect)
		n := 0
		for _, m := range strings.Fields(tc.members) {
			if k.Add([]byte(m)) {
				n++
			}
		}
		k.Commit()
		e, _ := d.Lookup([]byte("k"), Quiet)
		if e.Encoding() != tc.want || e.count() != n || k.Len() != n {
			t.Errorf("%q, %d expected: %v of %d, want %v of %d", tc.members, tc.expect, e.Encoding(), e.count(), tc.want, n)
		}
		s.Unlock(^uint64(0))
	}
}
