package values

import (
	"bytes"
	"cmp"
	"slices"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/kv/persist"
)

func sortedSetOf(flat packed.List) persist.SortedSet {
	out := make(persist.SortedSet, 0, flat.Count()/2)
	buf := make([]byte, 0, 2*len(flat))
	for pos := 0; pos < len(flat); {
		var member, score packed.Value
		member, pos = flat.At(pos)
		score, pos = flat.At(pos)
		from := len(buf)
		buf = member.Append(buf)
		out = append(out, persist.SortedSetMember{Member: buf[from:len(buf):len(buf)], Score: kv.ScoreOf(score)})
	}
	return out
}

// flatSortedSet sorts: a value that was not decoded may come in any order.
func flatSortedSet(z persist.SortedSet) (flat packed.List) {
	order := func(a, b persist.SortedSetMember) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), bytes.Compare(a.Member, b.Member))
	}
	if !slices.IsSortedFunc(z, order) {
		z = slices.Clone(z)
		slices.SortFunc(z, order)
	}
	for _, m := range z {
		flat = kv.AppendScore(flat.Append(m.Member), m.Score)
	}
	return flat
}
