package kv

import (
	"slices"

	"conclave/kv/ds/packed"
)

type plainList struct{ all []string }

func (p *plainList) clone() plain { return &plainList{slices.Clone(p.all)} }

func (p *plainList) elements() []string { return p.all }

func (p *plainList) step(m *plains, d DB, key []byte) {
	l, ok := d.List(key, ForWrite)
	if !ok || l.Len() != len(p.all) || l.Exists() != (len(p.all) > 0) {
		m.Fatalf("list %q: ok %v, %d elements, want %d", key, ok, l.Len(), len(p.all))
	}
	there := l.Exists()
	for range 1 + m.rng.IntN(4) {
		n := len(p.all)
		at := m.rng.IntN(n + 1)
		switch op := m.rng.IntN(24); {
		case op < 8:
			vals := [][]byte{m.text(), m.text(), m.text()}
			l.Reserve(vals...)
			there = true
			for _, v := range vals {
				front := m.rng.IntN(2) == 0
				l.Push(front, v)
				if front {
					p.all = slices.Insert(p.all, 0, string(v))
				} else {
					p.all = append(p.all, string(v))
				}
			}
		case op < 10:
			v := m.text()
			l.Reserve(v)
			there = true
			l.Insert(at, v)
			p.all = slices.Insert(p.all, at, string(v))
		case op == 10 && m.rng.IntN(20) == 0:
			l.Delete(at, n-at)
			p.all = p.all[:at]
		case op == 11 && m.rng.IntN(20) == 0:
			l.Delete(0, at)
			p.all = slices.Delete(p.all, 0, at)
		case op < 16 && n > 0:
			at %= n
			k := min(n-at, 1+m.rng.IntN(4))
			l.Delete(at, k)
			p.all = slices.Delete(p.all, at, at+k)
		case op < 18 && n > 0:
			v := m.text()
			at %= n
			l.Reserve(v)
			l.Set(at, v)
			p.all[at] = string(v)
		case op < 20 && n > 0:
			at %= n
			if v := l.At(at); string(v.Append(nil)) != p.all[at] {
				m.Errorf("list %q: element %d is %q, want %q", key, at, v.Append(nil), p.all[at])
			}
		case op < 22:
			var got []string
			l.Each(at, func(v packed.Value) bool {
				got = append(got, string(v.Append(nil)))
				return len(got) < 20
			})
			if want := p.all[at:min(n, at+20)]; !slices.Equal(got, want) {
				m.Errorf("list %q: from %d on %q, want %q", key, at, got, want)
			}
		case n > 0:
			at %= n
			var got []string
			l.EachBack(at, func(v packed.Value) bool {
				got = append(got, string(v.Append(nil)))
				return len(got) < 20
			})
			want := slices.Clone(p.all[max(0, at-19) : at+1])
			slices.Reverse(want)
			if !slices.Equal(got, want) {
				m.Errorf("list %q: back from %d on %q, want %q", key, at, got, want)
			}
		}
	}
	if removed := l.Commit(); removed != (there && len(p.all) == 0) {
		m.Errorf("list %q: removed with %d elements", key, len(p.all))
	}
	p.checkEncoding(m, d, key)
}

// checkEncoding compares with what Redis's limits say.
func (p *plainList) checkEncoding(m *plains, d DB, key []byte) {
	l, _ := d.List(key, Quiet)
	if !l.Exists() {
		return
	}
	entries := 0
	for _, e := range p.all {
		entries += listpackEntry(packed.Parse([]byte(e)))
	}
	if o := l.object(); o != nil && o.entries != entries {
		m.Errorf("list %q: %d bytes of entries, want %d", key, o.entries, entries)
	}
	size, count := listLimits(d.s.Limits().ListSize)
	e, _ := d.Lookup(key, Quiet)
	if e.Encoding().String() == "listpack" && (len(p.all) > count || entries+listpackFrame > size) {
		m.Errorf("list %q with %d elements of %d bytes is a listpack", key, len(p.all), entries)
	}
}
