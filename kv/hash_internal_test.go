package kv

import (
	"maps"

	"conclave/kv/ds/packed"
)

type plainHash map[string]string

func (p plainHash) clone() plain { return maps.Clone(p) }

func (p plainHash) elements() (all []string) {
	for f, v := range p {
		all = append(all, f, v)
	}
	return sortElements(all, 2)
}

func (p plainHash) step(m *plains, d DB, key []byte) {
	h, ok := d.Hash(key, ForWrite)
	if !ok || h.Len() != len(p) || h.Exists() != (len(p) > 0) {
		m.Errorf("hash %q: ok %v, %d fields, want %d", key, ok, h.Len(), len(p))
	}
	for range 1 + m.rng.IntN(4) {
		field := m.text()
		had, there := p[string(field)]
		switch m.rng.IntN(8) {
		case 0, 1:
			if h.Delete(field) != there {
				m.Errorf("hash %q: delete %q", key, field)
			}
			delete(p, string(field))
		case 2:
			v, ok := h.Get(field)
			if ok != there || ok && string(v.Append(nil)) != had {
				m.Errorf("hash %q: get %q", key, field)
			}
		case 3:
			seen, cursor := plainHash{}, uint64(0)
			for {
				cursor = h.Scan(cursor, 5, func(f, v packed.Value) { seen[string(f.Append(nil))] = string(v.Append(nil)) })
				if cursor == 0 {
					break
				}
			}
			if !maps.Equal(seen, p) {
				m.Errorf("hash %q: scanned %v, want %v", key, seen, p)
			}
			if len(p) > 0 {
				if f, v := h.Random(); p[string(f.Append(nil))] != string(v.Append(nil)) {
					m.Errorf("hash %q: random %v %v", key, f, v)
				}
			}
		default:
			val := m.text()
			if h.Set(field, val) == there {
				m.Errorf("hash %q: set %q", key, field)
			}
			p[string(field)] = string(val)
		}
	}
	there := h.Exists()
	if removed := h.Commit(); removed != (there && len(p) == 0) {
		m.Errorf("hash %q: removed with %d fields", key, len(p))
	}
}
