package commands

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func (h *handlers) zsetCombineSpecs() []command.Spec {
	const (
		read  = command.ReadOnly
		write = command.Write | command.DenyOOM
		acl   = command.CatSortedSet
		union = "O(N)+O(M*log(M)) where N is the number of members in all and M that of those in the result"
		inter = "O(N*K)+O(M*log(M)) where N is the number of members of the smallest input, K that of inputs and M that of members of the result"
		diff  = "O(N*K)+O(M*log(M)) where N is the number of members of the first input, K that of inputs and M that of members of the result"
	)
	sources := command.KeySpec{Begin: 1, NumKeys: true, Flags: command.RO | command.Access}
	later := sources
	later.Begin = 2
	in, out := []command.KeySpec{sources}, []command.KeySpec{{Begin: 1, Flags: command.OW | command.Update}, later}
	const (
		keys    = "numkeys key [key ...]"
		options = " [WEIGHTS weight [weight ...]] [AGGREGATE (SUM | MIN | MAX)]"
	)
	run := func(k combination) func(*command.Ctx) { return func(c *command.Ctx) { h.combine(c, k) } }
	return []command.Spec{
		{Name: "zunion", Arity: -3, Flags: read, ACL: acl, Keys: in,
			Group: "sorted-set", Since: "6.2.0", Cost: union, Args: keys + options + " [WITHSCORES]",
			Doc: "Returns the union of sorted sets.", Run: run(combination{op: opUnion})},
		{Name: "zunionstore", Arity: -4, Flags: write, ACL: acl, Keys: out,
			Group: "sorted-set", Since: "2.0.0", Cost: union, Args: "destination " + keys + options,
			Doc: "Stores the union of sorted sets in a key.", Run: run(combination{op: opUnion, store: "zunionstore"})},
		{Name: "zinter", Arity: -3, Flags: read, ACL: acl, Keys: in,
			Group: "sorted-set", Since: "6.2.0", Cost: inter, Args: keys + options + " [WITHSCORES]",
			Doc: "Returns the intersection of sorted sets.", Run: run(combination{op: opInter})},
		{Name: "zinterstore", Arity: -4, Flags: write, ACL: acl, Keys: out,
			Group: "sorted-set", Since: "2.0.0", Cost: inter, Args: "destination " + keys + options,
			Doc: "Stores the intersection of sorted sets in a key.", Run: run(combination{op: opInter, store: "zinterstore"})},
		{Name: "zintercard", Arity: -3, Flags: read, ACL: acl, Keys: in,
			Group: "sorted-set", Since: "7.0.0", Cost: inter, Args: keys + " [LIMIT limit]",
			Doc: "Returns the number of members in the intersection of sorted sets.", Run: run(combination{op: opInter, count: true})},
		{Name: "zdiff", Arity: -3, Flags: read, ACL: acl, Keys: in,
			Group: "sorted-set", Since: "6.2.0", Cost: diff, Args: keys + " [WITHSCORES]",
			Doc: "Returns the members of a sorted set that others don't have.", Run: run(combination{op: opDiff})},
		{Name: "zdiffstore", Arity: -4, Flags: write, ACL: acl, Keys: out,
			Group: "sorted-set", Since: "6.2.0", Cost: diff, Args: "destination " + keys,
			Doc: "Stores the members of a sorted set that others don't have in a key.", Run: run(combination{op: opDiff, store: "zdiffstore"})},
	}
}

type combineOp int

const (
	opUnion combineOp = iota
	opInter
	opDiff
)

// combination is a call of ZUNION, ZINTER, ZDIFF or one of their variants.
type combination struct {
	op         combineOp
	store      string // the event, if the result is stored
	count      bool   // ZINTERCARD
	limit      int    // 0: none
	withScores bool
	aggregate  func(a, b float64) float64
	in         []zsource
}

// zsource is an input: a sorted set, or a set, whose members have score 1.
type zsource struct {
	z      kv.ZSetKey
	set    kv.SetKey
	isSet  bool
	n      int
	weight float64
}

// openSource opens a key; ok is false if it holds neither a set nor a sorted set.
func (h *handlers) openSource(c *command.Ctx, key []byte, s *zsource) (ok bool) {
	s.weight = 1
	if s.z, ok = h.db(c).ZSet(key, reading(c)); ok {
		s.n = s.z.Len()
		return true
	}
	s.isSet = true
	if s.set, ok = h.db(c).Set(key, kv.Quiet); ok {
		s.n = s.set.Len()
	}
	return ok
}

// each calls visit for every member until it returns false.
func (s *zsource) each(visit func(m packed.Value, score float64) bool) {
	if s.isSet {
		s.set.Each(func(m packed.Value) bool { return visit(m, 1) })
		return
	}
	s.z.Range(0, s.n, false, visit)
}

// score is a member's score.
func (s *zsource) score(member []byte) (score float64, ok bool) {
	if s.isSet {
		return 1, s.set.Has(member)
	}
	return s.z.Score(member)
}

func (s *zsource) weighted(score float64) float64 { return noNaN(s.weight * score) }

// noNaN makes what infinities give, where they give nothing, zero.
func noNaN(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return f
}

func sumScores(a, b float64) float64 { return noNaN(a + b) }

// minScore and maxScore are a unless b is less, or greater: the difference matters
// if one is NaN.
func minScore(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func maxScore(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// parse reads numkeys at args[at], the keys and the options, and opens the keys;
// ok is false if the error has been replied.
func (k *combination) parse(h *handlers, c *command.Ctx, at int) (ok bool) {
	k.aggregate = sumScores
	n, isInt := kv.ParseInt(c.Arg(at))
	switch {
	case !isInt:
		c.Error(command.ErrNotInteger)
		return false
	case n < 1:
		c.Error("ERR at least 1 input key is needed for '" + c.Spec.FullName() + "' command")
		return false
	case n > int64(len(c.Args)-at-1):
		c.Error(command.ErrSyntax)
		return false
	}
	first := at + 1
	k.in = make([]zsource, n)
	for i := range k.in {
		if !h.openSource(c, c.Arg(first+i), &k.in[i]) {
			c.Error(command.ErrWrongType)
			return false
		}
	}
	return k.options(c, first+int(n))
}

func (k *combination) options(c *command.Ctx, i int) (ok bool) {
	mixes := k.op != opDiff && !k.count
	for i < len(c.Args) {
		left := len(c.Args) - i
		switch {
		case mixes && left > len(k.in) && c.Is(i, "weights"):
			for j := range k.in {
				if k.in[j].weight, ok = parseDouble(c.Arg(i + 1 + j)); !ok {
					c.Error("ERR weight value is not a float")
					return false
				}
			}
			i += 1 + len(k.in)
		case mixes && left >= 2 && c.Is(i, "aggregate"):
			switch {
			case c.Is(i+1, "sum"):
				k.aggregate = sumScores
			case c.Is(i+1, "min"):
				k.aggregate = minScore
			case c.Is(i+1, "max"):
				k.aggregate = maxScore
			default:
				c.Error(command.ErrSyntax)
				return false
			}
			i += 2
		case k.store == "" && !k.count && c.Is(i, "withscores"):
			k.withScores = true
			i++
		case k.count && left >= 2 && c.Is(i, "limit"):
			if k.limit, ok = countArgument(c, c.Arg(i+1), 0, "ERR LIMIT can't be negative"); !ok {
				return false
			}
			i += 2
		default:
			c.Error(command.ErrSyntax)
			return false
		}
	}
	return true
}

func (h *handlers) combine(c *command.Ctx, k combination) {
	at := 1
	if k.store != "" {
		at = 2
	}
	if !k.parse(h, c, at) {
		return
	}
	if k.op != opDiff {
		// Sums depend on the order in which they are added up.
		slices.SortStableFunc(k.in, func(a, b zsource) int { return cmp.Compare(a.n, b.n) })
	}
	if k.count {
		n := 0
		k.intersect(func(packed.Value, float64) bool {
			n++
			return n != k.limit
		})
		c.Int(int64(n))
		return
	}
	var out scoredMembers
	switch k.op {
	case opUnion:
		k.union(&out)
	case opInter:
		k.intersect(out.add)
	default:
		k.subtract(&out)
	}
	out.sort()
	if k.store != "" {
		h.storeZSet(c, c.Arg(1), out.flat(), len(out.all), k.store)
		return
	}
	memberArray(c, len(out.all), k.withScores)
	for i := range out.all {
		member(c, packed.Value{Bytes: out.all[i].member}, out.all[i].score, k.withScores)
	}
}

// union is done with a table of what has been seen so far.
func (k *combination) union(out *scoredMembers) {
	seen := make(map[string]int, k.in[len(k.in)-1].n)
	var buf []byte
	for i := range k.in {
		s := &k.in[i]
		s.each(func(m packed.Value, score float64) bool {
			score = s.weighted(score)
			buf = m.Append(buf[:0])
			if at, again := seen[string(buf)]; again {
				out.all[at].score = k.aggregate(out.all[at].score, score)
				return true
			}
			seen[string(buf)] = len(out.all)
			return out.add(m, score)
		})
	}
}

// intersect looks the members of the smallest input up in the others.
func (k *combination) intersect(visit func(m packed.Value, score float64) bool) {
	first, rest := &k.in[0], k.in[1:]
	var buf []byte
	first.each(func(m packed.Value, score float64) bool {
		buf = m.Append(buf[:0])
		score = first.weighted(score)
		for i := range rest {
			other, ok := rest[i].score(buf)
			if !ok {
				return true
			}
			score = k.aggregate(score, rest[i].weight*other)
		}
		return visit(m, score)
	})
}

func (k *combination) subtract(out *scoredMembers) {
	var buf []byte
	k.in[0].each(func(m packed.Value, score float64) bool {
		buf = m.Append(buf[:0])
		for i := range k.in[1:] {
			if _, there := k.in[1+i].score(buf); there {
				return true
			}
		}
		return out.add(m, score)
	})
}

// scoredMembers is a result on its way to becoming a sorted set.
type scoredMembers struct {
	all  []scoredMember
	text textBuffer
}

type scoredMember struct {
	member []byte
	score  float64
}

// add appends a member; it returns true.
func (r *scoredMembers) add(m packed.Value, score float64) bool {
	r.all = append(r.all, scoredMember{r.text.add(m), score})
	return true
}

// textBuffer keeps copies of elements, many in one piece of memory.
type textBuffer []byte

// A textBuffer's first piece and its largest ones.
const (
	firstText   = 256
	largestText = 16 << 10
)

func (t *textBuffer) add(v packed.Value) []byte {
	if cap(*t)-len(*t) < max(len(v.Bytes), 20) {
		*t = make([]byte, 0, max(min(2*cap(*t), largestText), firstText, len(v.Bytes)))
	}
	from := len(*t)
	*t = v.Append(*t)
	return (*t)[from:len(*t):len(*t)]
}

func (r *scoredMembers) sort() {
	slices.SortFunc(r.all, func(a, b scoredMember) int {
		if c := cmp.Compare(a.score, b.score); c != 0 {
			return c
		}
		return bytes.Compare(a.member, b.member)
	})
}

func (r *scoredMembers) flat() (flat packed.List) {
	for i := range r.all {
		flat = kv.AppendScore(flat.Append(r.all[i].member), r.all[i].score)
	}
	return flat
}
