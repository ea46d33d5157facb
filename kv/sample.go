package kv

import (
	"math/rand/v2"

	"conclave/kv/ds"
	"conclave/kv/ds/arena"
)

// selection picks some out of a number of things that pass by one after the
// other, every combination being equally likely.
type selection struct{ want, left int }

func (s *selection) take() bool {
	if s.want == 0 {
		return false
	}
	take := s.want == s.left || rand.IntN(s.left) < s.want
	s.left--
	if take {
		s.want--
	}
	return take
}

// walkShare: from this share of a table on, walking it is cheaper than drawing.
const walkShare = 3

// sample calls visit for n different records of a table, at most all.
func sample(t *ds.Table, m *ds.Shard, n int, visit func(ds.Record)) {
	if n > t.Len()/walkShare {
		s := selection{min(n, t.Len()), t.Len()}
		t.Each(m, func(r ds.Record) bool {
			if s.take() {
				visit(r)
			}
			return s.want > 0
		})
		return
	}
	seen := make(map[arena.Ref]struct{}, n)
	for len(seen) < n {
		p := t.Random(m, rand.Uint64)
		if _, again := seen[p.Ref()]; !again {
			seen[p.Ref()] = struct{}{}
			visit(p.Record)
		}
	}
}
