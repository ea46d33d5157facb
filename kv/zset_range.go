package kv

import (
	"bytes"

	"conclave/kv/ds/arena"
	"conclave/kv/ds/order"
	"conclave/kv/ds/packed"
)

// ScoreRange is an interval of scores, which are no NaN.
type ScoreRange struct {
	Min, Max         float64
	MinOpen, MaxOpen bool // the bound itself is outside
}

// LexBound is an end of an interval of members.
type LexBound struct {
	// Infinite is -1 for the bound before all members, 1 for the one behind all,
	// and 0 for Member.
	Infinite int
	Member   []byte
	Open     bool // Member itself is outside
}

// LexRange is an interval of members in the order of their bytes.
type LexRange struct{ Min, Max LexBound }

// InScores are the ranks of the members whose scores lie in a range: from up to
// but not including to.
func (z *ZSetKey) InScores(r ScoreRange) (from, to int) {
	from, to = z.belowScore(r.Min, r.MinOpen), z.belowScore(r.Max, !r.MaxOpen)
	return from, max(from, to)
}

// belowScore is the number of members whose score is below a bound, or equal to
// it if that counts, too.
func (z *ZSetKey) belowScore(bound float64, orEqual bool) (rank int) {
	below := func(s float64) bool { return s < bound || orEqual && s == bound }
	if o := z.object(); o != nil {
		return z.at.part.members.trees.Before(&o.tree, func(it order.Item) bool { return below(it.Score) })
	}
	_, rank = flatBefore(z.at.flat(), func(_ packed.Value, s float64) bool { return below(s) })
	return rank
}

// InLex are the ranks of the members that lie in a range: from up to but not
// including to. It makes sense where all scores are equal.
func (z *ZSetKey) InLex(r LexRange) (from, to int) {
	from, to = z.belowMember(r.Min, r.Min.Open), z.belowMember(r.Max, !r.Max.Open)
	return from, max(from, to)
}

func (z *ZSetKey) belowMember(bound LexBound, orEqual bool) (rank int) {
	switch {
	case bound.Infinite < 0:
		return 0
	case bound.Infinite > 0:
		return z.Len()
	}
	below := func(order int) bool { return order < 0 || orEqual && order == 0 }
	if o := z.object(); o != nil {
		m := &z.at.part.members
		return m.trees.Before(&o.tree, func(it order.Item) bool {
			return below(bytes.Compare(m.RecordAt(arena.Ref(it.Ref)).Key(), bound.Member))
		})
	}
	_, rank = flatBefore(z.at.flat(), func(m packed.Value, _ float64) bool { return below(compareMember(m, bound.Member)) })
	return rank
}

// Range calls visit for the members with ranks from up to but not including to,
// which is at most Len, until it returns false; with reverse, the last one first.
// visit must not change the set.
func (z *ZSetKey) Range(from, to int, reverse bool, visit func(member packed.Value, score float64) bool) {
	n := to - from
	if n <= 0 {
		return
	}
	counted := func(m packed.Value, score float64) bool {
		n--
		return visit(m, score) && n > 0
	}
	if o := z.object(); o != nil {
		if reverse {
			o.eachBack(z.at.part, to-1, counted)
		} else {
			o.each(z.at.part, from, counted)
		}
		return
	}
	list := z.at.flat()
	if reverse {
		pos, ok := list.Seek(2 * to)
		if !ok {
			pos = len(list)
		}
		for more := true; more; {
			scoreAt := list.Before(pos)
			pos = list.Before(scoreAt)
			s, _ := list.At(scoreAt)
			m, _ := list.At(pos)
			more = counted(m, ScoreOf(s))
		}
		return
	}
	pos, _ := list.Seek(2 * from)
	for more := true; more; {
		var m, s packed.Value
		m, pos = list.At(pos)
		s, pos = list.At(pos)
		more = counted(m, ScoreOf(s))
	}
}

// DeleteRange removes the members with ranks from up to but not including to,
// which is at most Len.
func (z *ZSetKey) DeleteRange(from, to int) {
	if from >= to {
		return
	}
	z.changed = true
	if from == 0 && to == z.Len() {
		z.at.remove()
		z.removed = true
		return
	}
	if o := z.object(); o != nil {
		z.edit()
		o.removeRange(z.at.part, from, to-from)
		return
	}
	list := z.at.flat()
	pos, _ := list.Seek(2 * from)
	end, ok := list[pos:].Seek(2 * (to - from))
	if !ok {
		end = len(list) - pos
	}
	z.d.splice(&z.at, z.key, kind(ZSet, Listpack), pos, pos+end, nil)
}
