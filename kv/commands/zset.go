package commands

import (
	"math"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp"
	"conclave/resp/command"
)

func (h *handlers) zsetSpecs() []command.Spec {
	const (
		write = command.Write | command.DenyOOM
		read  = command.ReadOnly
		fast  = command.Fast
		acl   = command.CatSortedSet
		log   = "O(log(N)) where N is the number of members"
	)
	one, access := keySpec(command.RO), keySpec(command.RO|command.Access)
	specs := []command.Spec{
		{Name: "zadd", Arity: -4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Update),
			Group: "sorted-set", Since: "1.2.0", Cost: log + ", for each member added",
			Args: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
			Doc:  "Adds members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
			Run:  func(c *command.Ctx) { h.zadd(c, false) }},
		{Name: "zincrby", Arity: 4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Access | command.Update),
			Group: "sorted-set", Since: "1.2.0", Cost: log, Args: "key increment member",
			Doc: "Increments the score of a member of a sorted set.",
			Run: func(c *command.Ctx) { h.zadd(c, true) }},
		{Name: "zcard", Arity: 2, Flags: read | fast, ACL: acl, Keys: one,
			Group: "sorted-set", Since: "1.2.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the number of members of a sorted set.", Run: h.zcard},
		{Name: "zmscore", Arity: -3, Flags: read | fast, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "6.2.0", Cost: "O(N) where N is the number of members asked for", Args: "key member [member ...]",
			Doc: "Returns the scores of some members of a sorted set.", Run: h.zmscore},
		{Name: "zrank", Arity: -3, Flags: read | fast, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "2.0.0", Cost: log, Args: "key member [WITHSCORE]",
			Doc: "Returns the position of a member of a sorted set in ascending order of scores.",
			Run: func(c *command.Ctx) { h.zrank(c, false) }},
		{Name: "zrevrank", Arity: -3, Flags: read | fast, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "2.0.0", Cost: log, Args: "key member [WITHSCORE]",
			Doc: "Returns the position of a member of a sorted set in descending order of scores.",
			Run: func(c *command.Ctx) { h.zrank(c, true) }},
		{Name: "zscore", Arity: 3, Flags: read | fast, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "1.2.0", Cost: "O(1)", Args: "key member",
			Doc: "Returns the score of a member of a sorted set.", Run: h.zscore},
		{Name: "zrem", Arity: -3, Flags: command.Write | fast, ACL: acl, Keys: keySpec(command.RW | command.Delete),
			Group: "sorted-set", Since: "1.2.0", Cost: log + ", for each member removed", Args: "key member [member ...]",
			Doc: "Removes members from a sorted set. Deletes the sorted set if no members remain.", Run: h.zrem},
		{Name: "zscan", Arity: -3, Flags: read, ACL: acl, Keys: access, Tips: []string{"nondeterministic_output"},
			Group: "sorted-set", Since: "2.8.0", Cost: "O(1) for every call, O(N) for a complete iteration",
			Args: "key cursor [MATCH pattern] [COUNT count]",
			Doc:  "Iterates over members and scores of a sorted set.", Run: h.zscan},
		{Name: "zrandmember", Arity: -2, Flags: read, ACL: acl, Keys: access, Tips: []string{"nondeterministic_output"},
			Group: "sorted-set", Since: "6.2.0", Cost: "O(N) where N is the number of members returned", Args: "key [count [WITHSCORES]]",
			Doc: "Returns one or more random members of a sorted set.", Run: h.zrandmember},
	}
	specs = append(specs, h.zsetRangeSpecs()...)
	specs = append(specs, h.zsetPopSpecs()...)
	return append(specs, h.zsetCombineSpecs()...)
}

// zset opens a key; ok is false if the error has been replied.
func (h *handlers) zset(c *command.Ctx, key []byte, a kv.Access) (z kv.ZSetKey, ok bool) {
	if z, ok = h.db(c).ZSet(key, a); !ok {
		c.Error(command.ErrWrongType)
	}
	return z, ok
}

// memberArray announces n members, which have scores beside them or not: RESP2
// has one flat array, RESP3 an array of pairs.
func memberArray(c *command.Ctx, n int, scores bool) {
	if scores && c.Proto() == 2 {
		n *= 2
	}
	c.Array(n)
}

// member replies an element of what memberArray has announced.
func member(c *command.Ctx, m packed.Value, score float64, scores bool) {
	if scores && c.Proto() == 3 {
		c.Array(2)
	}
	bulkValue(c, m)
	if scores {
		c.Double(score)
	}
}

// zaddOptions are the words before the scores of ZADD.
type zaddOptions struct{ nx, xx, gt, lt, ch, incr bool }

// parse reads the options from args[i] on, and returns where the scores begin.
func (o *zaddOptions) parse(c *command.Ctx, i int) int {
	for ; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "nx"):
			o.nx = true
		case c.Is(i, "xx"):
			o.xx = true
		case c.Is(i, "ch"):
			o.ch = true
		case c.Is(i, "incr"):
			o.incr = true
		case c.Is(i, "gt"):
			o.gt = true
		case c.Is(i, "lt"):
			o.lt = true
		default:
			return i
		}
	}
	return i
}

// check returns what is wrong with the options for a number of pairs.
func (o *zaddOptions) check(pairs int) string {
	switch {
	case o.nx && o.xx:
		return "ERR XX and NX options at the same time are not compatible"
	case o.gt && o.nx, o.lt && o.nx, o.gt && o.lt:
		return "ERR GT, LT, and/or NX options at the same time are not compatible"
	case o.incr && pairs > 1:
		return "ERR INCR option supports a single increment-element pair"
	}
	return ""
}

// score is the score that a member gets; set is false if it is left alone.
func (o *zaddOptions) score(given, old float64, there bool) (score float64, set bool) {
	if !there {
		return given, !o.xx
	}
	if o.incr {
		given += old
	}
	if o.nx || o.gt && given <= old || o.lt && given >= old {
		return given, false
	}
	return given, true
}

func (h *handlers) zadd(c *command.Ctx, incr bool) {
	o, i := zaddOptions{incr: incr}, 2
	if !incr {
		i = o.parse(c, 2)
	}
	args := c.Args[i:]
	if len(args) == 0 || len(args)%2 != 0 {
		c.Error(command.ErrSyntax)
		return
	}
	if text := o.check(len(args) / 2); text != "" {
		c.Error(text)
		return
	}
	var few [16]float64
	scores := few[:0]
	for i := 0; i < len(args); i += 2 {
		s, ok := parseDouble(args[i])
		if !ok {
			c.Error(command.ErrNotFloat)
			return
		}
		scores = append(scores, s)
	}
	h.addScores(c, o, scores, func(i int) []byte { return args[2*i+1] })
}

// addScores is ZADD with its arguments read; member returns the i-th member.
func (h *handlers) addScores(c *command.Ctx, o zaddOptions, scores []float64, member func(i int) []byte) {
	z, ok := h.zset(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	z.Expect(len(scores))
	var added, changed int64
	var result float64
	var done, nan bool
	for i, given := range scores {
		isNew, isOther := z.Update(member(i), func(old float64, there bool) (score float64, set bool) {
			score, set = o.score(given, old, there)
			nan = math.IsNaN(score)
			result, done = score, set
			return score, set && !nan
		})
		if isNew {
			added++
		}
		if isOther {
			changed++
		}
	}
	z.Commit()
	switch {
	case added+changed == 0:
	case o.incr:
		h.notify(c, command.NotifyZSet, "zincr", c.Arg(1))
	default:
		h.notify(c, command.NotifyZSet, "zadd", c.Arg(1))
	}
	switch {
	case nan:
		c.Error("ERR resulting score is not a number (NaN)")
	case o.incr && done:
		c.Double(result)
	case o.incr:
		c.Null()
	case o.ch:
		c.Int(added + changed)
	default:
		c.Int(added)
	}
}

func (h *handlers) zcard(c *command.Ctx) {
	if z, ok := h.zset(c, c.Arg(1), reading(c)); ok {
		c.Int(int64(z.Len()))
	}
}

func (h *handlers) zscore(c *command.Ctx) {
	z, ok := h.zset(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	if score, ok := z.Score(c.Arg(2)); ok {
		c.Double(score)
	} else {
		c.Null()
	}
}

func (h *handlers) zmscore(c *command.Ctx) {
	z, ok := h.zset(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	c.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if score, ok := z.Score(m); ok {
			c.Double(score)
		} else {
			c.Null()
		}
	}
}

func (h *handlers) zrank(c *command.Ctx, reverse bool) {
	withScore := len(c.Args) == 4 && c.Is(3, "withscore")
	switch {
	case len(c.Args) > 4:
		c.Error("ERR wrong number of arguments for '" + c.Spec.Name + "' command")
		return
	case len(c.Args) == 4 && !withScore:
		c.Error(command.ErrSyntax)
		return
	}
	z, ok := h.zset(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	rank, score, ok := z.Rank(c.Arg(2))
	if ok && reverse {
		rank = z.Len() - 1 - rank
	}
	switch {
	case ok && withScore:
		c.Array(2)
		c.Int(int64(rank))
		c.Double(score)
	case ok:
		c.Int(int64(rank))
	case withScore:
		c.NullArray()
	default:
		c.Null()
	}
}

func (h *handlers) zrem(c *command.Ctx) {
	z, ok := h.zset(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	var deleted int64
	for _, m := range c.Args[2:] {
		if z.Delete(m) {
			deleted++
		}
	}
	removed := z.Commit()
	if deleted > 0 {
		h.notify(c, command.NotifyZSet, "zrem", c.Arg(1))
	}
	if removed {
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
	c.Int(deleted)
}

// zscan shows scores as Redis does: those of large sorted sets with all their
// digits.
func (h *handlers) zscan(c *command.Ctx) {
	cursor, ok := parseCursor(c.Arg(2))
	if !ok {
		c.Error("ERR invalid cursor")
		return
	}
	z, ok := h.zset(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	if !z.Exists() {
		replyScan(c, 0, scanned{})
		return
	}
	o, ok := parseElementScan(c)
	if !ok {
		return
	}
	text := kv.AppendScoreDigits
	if z.Flat() {
		text = resp.AppendDouble
	}
	var out scanned
	var scratch [32]byte
	next := z.Scan(cursor, int(o.count), func(m packed.Value, score float64) {
		if o.matches(m, &out) {
			out.value(m)
			out.value(packed.Value{Bytes: text(scratch[:0], score)})
		}
	})
	replyScan(c, next, out)
}

func (h *handlers) zrandmember(c *command.Ctx) {
	if len(c.Args) == 2 {
		z, ok := h.zset(c, c.Arg(1), reading(c))
		switch {
		case !ok:
		case !z.Exists():
			c.Null()
		default:
			m, _ := z.Random()
			bulkValue(c, m)
		}
		return
	}
	n, ok := parseRandomCount(c, c.Arg(2))
	if !ok {
		return
	}
	scores := len(c.Args) == 4 && c.Is(3, "withscores")
	if len(c.Args) > 3 && !scores {
		c.Error(command.ErrSyntax)
		return
	}
	if scores && (n < -math.MaxInt64/2 || n > math.MaxInt64/2) {
		c.Error("ERR value is out of range")
		return
	}
	z, ok := h.zset(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	switch start := c.Len(); {
	case !z.Exists() || n == 0:
		c.Array(0)
	case n > 0:
		n = min(n, int64(z.Len()))
		memberArray(c, int(n), scores)
		z.Sample(int(n), func(m packed.Value, score float64) { member(c, m, score, scores) })
	default:
		memberArray(c, int(-n), scores)
		h.drawn(c, start, -n, func() {
			m, score := z.Random()
			member(c, m, score, scores)
		})
	}
}
