package kv

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"conclave/kv/ds/packed"
)

// plainZSet is scores by member.
type plainZSet map[string]float64

func (p plainZSet) clone() plain { return maps.Clone(p) }

// sorted are the members in order.
func (p plainZSet) sorted() []string {
	all := slices.Collect(maps.Keys(p))
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(p[a], p[b]), cmp.Compare(a, b)) })
	return all
}

func (p plainZSet) elements() (all []string) {
	for _, m := range p.sorted() {
		all = append(all, m, elementsOf(ZSet, AppendScore(nil, p[m]))[0])
	}
	return all
}

func randomScore(rng *rand.Rand) float64 {
	switch rng.IntN(10) {
	case 0:
		return math.Inf(rng.IntN(2)*2 - 1)
	case 1:
		return rng.NormFloat64()
	case 2:
		return rng.NormFloat64() * 1e300
	case 3:
		return float64(rng.Int64N(1<<62) * 2)
	case 4:
		return 0.5 + float64(rng.IntN(10))
	}
	return float64(rng.IntN(50) - 10)
}

func (p plainZSet) step(m *plains, d DB, key []byte) {
	z, ok := d.ZSet(key, ForWrite)
	if !ok || z.Len() != len(p) || z.Exists() != (len(p) > 0) {
		m.Errorf("zset %q: ok %v, %d members, want %d", key, ok, z.Len(), len(p))
	}
	there := z.Exists()
	for range 1 + m.rng.IntN(4) {
		member := m.text()
		had, is := p[string(member)]
		switch m.rng.IntN(9) {
		case 0, 1:
			if z.Delete(member) != is {
				m.Errorf("zset %q: delete %q", key, member)
			}
			delete(p, string(member))
		case 2:
			p.lookUp(m, &z, member)
		case 3:
			p.ranges(m, &z, member)
		case 4:
			if m.rng.IntN(4) == 0 && len(p) > 0 {
				from := m.rng.IntN(len(p) + 1)
				to := from + m.rng.IntN(min(len(p)-from, 5+m.rng.IntN(2)*100)+1)
				gone := p.sorted()[from:to]
				z.DeleteRange(from, to)
				maps.DeleteFunc(p, func(member string, _ float64) bool { return slices.Contains(gone, member) })
				if len(p) == 0 {
					if !z.Commit() {
						m.Errorf("zset %q: not removed", key)
					}
					return
				}
			}
		default:
			score := randomScore(m.rng)
			added, changed := z.Update(member, func(old float64, there bool) (float64, bool) {
				if there != is || there && old != had {
					m.Errorf("zset %q: %q had %v, %v; want %v, %v", key, member, old, there, had, is)
				}
				return score, true
			})
			if added == is || changed != (is && had != score) {
				m.Errorf("zset %q: set %q from %v to %v: added %v, changed %v", key, member, had, score, added, changed)
			}
			p[string(member)] = score
		}
		there = there || len(p) > 0
	}
	if removed := z.Commit(); removed != (there && len(p) == 0) {
		m.Errorf("zset %q: removed %v with %d members", key, removed, len(p))
	}
}

func (p plainZSet) lookUp(m *plains, z *ZSetKey, member []byte) {
	want, is := p[string(member)]
	if score, ok := z.Score(member); ok != is || score != want {
		m.Errorf("score of %q: %v %v, want %v %v", member, score, ok, want, is)
	}
	rank, score, ok := z.Rank(member)
	if ok != is || score != want || ok && rank != slices.Index(p.sorted(), string(member)) {
		m.Errorf("rank of %q: %d %v %v, want %d %v %v", member, rank, score, ok, slices.Index(p.sorted(), string(member)), want, is)
	}
	seen, cursor := plainZSet{}, uint64(0)
	for {
		cursor = z.Scan(cursor, 5, func(m packed.Value, s float64) { seen[string(m.Append(nil))] = s })
		if cursor == 0 {
			break
		}
	}
	if !maps.Equal(seen, p) {
		m.Errorf("scanned %v, want %v", seen, p)
	}
	if len(p) > 0 {
		if member, score := z.Random(); p[string(member.Append(nil))] != score {
			m.Errorf("random %v %v", member, score)
		}
	}
}

func (p plainZSet) ranges(m *plains, z *ZSetKey, member []byte) {
	sorted := p.sorted()
	r := ScoreRange{randomScore(m.rng), randomScore(m.rng), m.rng.IntN(2) == 0, m.rng.IntN(2) == 0}
	var want []string
	for _, member := range sorted {
		s := p[member]
		if (s > r.Min || s == r.Min && !r.MinOpen) && (s < r.Max || s == r.Max && !r.MaxOpen) {
			want = append(want, member)
		}
	}
	from, to := z.InScores(r)
	if reverse := m.rng.IntN(2) == 0; to-from != len(want) {
		m.Errorf("%+v: %d to %d, want %d members", r, from, to, len(want))
	} else {
		var got []string
		z.Range(from, to, reverse, func(member packed.Value, s float64) bool {
			got = append(got, string(member.Append(nil)))
			if p[got[len(got)-1]] != s {
				m.Errorf("%q has score %v", got[len(got)-1], s)
			}
			return true
		})
		if reverse {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			m.Errorf("%+v, reverse %v: %.300q, want %.300q", r, reverse, got, want)
		}
	}
}

// Scores stay what they are in flat form and in records.
func TestScoresAreKept(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	scores := []float64{0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, 1<<62 - 512, 1 << 62, 1 << 63, 0.1,
		math.Float64frombits(0x3231_3037_3635_3433), math.MaxFloat32, math.SmallestNonzeroFloat32}
	for range 5000 {
		if s := math.Float64frombits(rng.Uint64()); !math.IsNaN(s) {
			scores = append(scores, s)
		}
		scores = append(scores, randomScore(rng))
	}
	for _, s := range scores {
		list := AppendScore(nil, s)
		v, end := list.At(0)
		if got := ScoreOf(v); math.Float64bits(got) != math.Float64bits(s) || end != len(list) || !list.Valid() {
			t.Errorf("%v became %v (% x)", s, got, list)
		}
		rec := make([]byte, scoreSize(s))
		putRecordScore(rec, s)
		if got := recordScore(rec); math.Float64bits(got) != math.Float64bits(s) {
			t.Errorf("%v became %v in a record", s, got)
		}
		text := AppendScoreDigits(nil, s)
		if got, err := strconv.ParseFloat(string(text), 64); err != nil || got != s {
			t.Errorf("%v was printed %s", s, text)
		}
	}
}

// Members of one score are found by interval.
func TestLexRanges(t *testing.T) {
	for _, n := range []int{40, 400} {
		s := New(Config{})
		s.Lock(^uint64(0))
		d := s.DB(0, 1000)
		z, _ := d.ZSet([]byte("k"), ForWrite)
		var all []string
		for i := range n {
			member := strconv.Itoa(i * 7)
			all = append(all, member)
			z.Update([]byte(member), func(float64, bool) (float64, bool) { return 1, true })
		}
		z.Commit()
		slices.Sort(all)
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		for range 500 {
			a, b := []byte(strconv.Itoa(rng.IntN(n*7))), []byte(strconv.Itoa(rng.IntN(n*7)))
			r := LexRange{LexBound{0, a, rng.IntN(2) == 0}, LexBound{0, b, rng.IntN(2) == 0}}
			if rng.IntN(10) == 0 {
				r.Min.Infinite = rng.IntN(3) - 1
			}
			if rng.IntN(10) == 0 {
				r.Max.Infinite = rng.IntN(3) - 1
			}
			var want int
			for _, m := range all {
				lo, hi := bytes.Compare([]byte(m), a), bytes.Compare([]byte(m), b)
				above := r.Min.Infinite < 0 || r.Min.Infinite == 0 && (lo > 0 || lo == 0 && !r.Min.Open)
				below := r.Max.Infinite > 0 || r.Max.Infinite == 0 && (hi < 0 || hi == 0 && !r.Max.Open)
				if above && below {
					want++
				}
			}
			if from, to := z.InLex(r); to-from != want {
				t.Errorf("%+v: %d to %d, want %d", r, from, to, want)
			}
		}
		s.Unlock(^uint64(0))
	}
}

// A member that looks like an integer counts with its length, too.
func TestLongNumbersOutgrowPackedSets(t *testing.T) {
	s := New(Config{})
	limits := DefaultLimits()
	limits.ZSetValue = 6
	s.SetLimits(limits)
	s.Lock(^uint64(0))
	defer s.Unlock(^uint64(0))
	d := s.DB(0, 1)
	for member, want := range map[string]Encoding{"123456": Listpack, "1234567": Skiplist} {
		at := d.find([]byte(member))
		d.buildZSet(&at, []byte(member), AppendScore(packed.List(nil).Append([]byte(member)), 1))
		e, ok := d.Lookup([]byte(member), Quiet)
		if !ok || e.Encoding() != want {
			t.Errorf("%s: %v %v, want %v", member, ok, e.Encoding(), want)
		}
	}
}
