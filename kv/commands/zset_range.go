package commands

import (
	"math"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func (h *handlers) zsetRangeSpecs() []command.Spec {
	const (
		read = command.ReadOnly
		acl  = command.CatSortedSet
		cost = "O(log(N)+M) where N is the number of members and M that of those in the range"
		log  = "O(log(N)) where N is the number of members"
	)
	access, remove := keySpec(command.RO|command.Access), keySpec(command.RW|command.Delete)
	between := func(by rangeBy, reverse bool) func(*command.Ctx) {
		return func(c *command.Ctx) { h.zrange(c, zrange{by: by, reverse: reverse, fixed: true}) }
	}
	return []command.Spec{
		{Name: "zrange", Arity: -4, Flags: read, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "1.2.0", Cost: cost,
			Args: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
			Doc:  "Returns the members of a sorted set within a range of positions, scores or names.",
			Run:  func(c *command.Ctx) { h.zrange(c, zrange{}) }},
		{Name: "zrangestore", Arity: -5, Flags: command.Write | command.DenyOOM, ACL: acl,
			Keys:  []command.KeySpec{{Begin: 1, Flags: command.OW | command.Update}, {Begin: 2, Flags: command.RO | command.Access}},
			Group: "sorted-set", Since: "6.2.0", Cost: cost,
			Args: "destination source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
			Doc:  "Stores the members of a sorted set within a range of positions, scores or names in another key.",
			Run:  func(c *command.Ctx) { h.zrange(c, zrange{store: true}) }},
		{Name: "zrangebylex", Arity: -4, Flags: read, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "2.8.9", Cost: cost, Args: "key min max [LIMIT offset count]",
			Doc: "Returns the members of a sorted set within a range of names.", Run: between(byLex, false)},
		{Name: "zrangebyscore", Arity: -4, Flags: read, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "1.0.5", Cost: cost, Args: "key min max [WITHSCORES] [LIMIT offset count]",
			Doc: "Returns the members of a sorted set within a range of scores.", Run: between(byScore, false)},
		{Name: "zrevrange", Arity: -4, Flags: read, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "1.2.0", Cost: cost, Args: "key start stop [WITHSCORES]",
			Doc: "Returns the members of a sorted set within a range of positions, counted from the highest score.", Run: between(byRank, true)},
		{Name: "zrevrangebylex", Arity: -4, Flags: read, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "2.8.9", Cost: cost, Args: "key max min [LIMIT offset count]",
			Doc: "Returns the members of a sorted set within a range of names, the last one first.", Run: between(byLex, true)},
		{Name: "zrevrangebyscore", Arity: -4, Flags: read, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "2.2.0", Cost: cost, Args: "key max min [WITHSCORES] [LIMIT offset count]",
			Doc: "Returns the members of a sorted set within a range of scores, the highest first.", Run: between(byScore, true)},
		{Name: "zcount", Arity: 4, Flags: read | command.Fast, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "2.0.0", Cost: log, Args: "key min max",
			Doc: "Returns the number of members of a sorted set within a range of scores.",
			Run: func(c *command.Ctx) { h.zcount(c, byScore) }},
		{Name: "zlexcount", Arity: 4, Flags: read | command.Fast, ACL: acl, Keys: access,
			Group: "sorted-set", Since: "2.8.9", Cost: log, Args: "key min max",
			Doc: "Returns the number of members of a sorted set within a range of names.",
			Run: func(c *command.Ctx) { h.zcount(c, byLex) }},
		{Name: "zremrangebylex", Arity: 4, Flags: command.Write, ACL: acl, Keys: remove,
			Group: "sorted-set", Since: "2.8.9", Cost: cost, Args: "key min max",
			Doc: "Removes the members of a sorted set within a range of names.",
			Run: func(c *command.Ctx) { h.zremrange(c, byLex, "zremrangebylex") }},
		{Name: "zremrangebyrank", Arity: 4, Flags: command.Write, ACL: acl, Keys: remove,
			Group: "sorted-set", Since: "2.0.0", Cost: cost, Args: "key start stop",
			Doc: "Removes the members of a sorted set within a range of positions.",
			Run: func(c *command.Ctx) { h.zremrange(c, byRank, "zremrangebyrank") }},
		{Name: "zremrangebyscore", Arity: 4, Flags: command.Write, ACL: acl, Keys: remove,
			Group: "sorted-set", Since: "1.2.0", Cost: cost, Args: "key min max",
			Doc: "Removes the members of a sorted set within a range of scores.",
			Run: func(c *command.Ctx) { h.zremrange(c, byScore, "zremrangebyscore") }},
	}
}

// rangeBy is what a range of members is a range of.
type rangeBy int

const (
	byRank rangeBy = iota
	byScore
	byLex
)

// interval is a range as the arguments of a command say it.
type interval struct {
	by          rangeBy
	start, stop int64 // byRank
	scores      kv.ScoreRange
	lex         kv.LexRange
}

// parseInterval reads a range; ok is false if the error has been replied.
func parseInterval(c *command.Ctx, by rangeBy, lower, upper []byte) (r interval, ok bool) {
	r.by = by
	var first, last bool
	switch by {
	case byScore:
		r.scores.Min, r.scores.MinOpen, first = parseScoreBound(lower)
		r.scores.Max, r.scores.MaxOpen, last = parseScoreBound(upper)
		if !first || !last {
			c.Error("ERR min or max is not a float")
		}
	case byLex:
		r.lex.Min, first = parseLexBound(lower)
		r.lex.Max, last = parseLexBound(upper)
		if !first || !last {
			c.Error("ERR min or max not valid string range item")
		}
	default:
		r.start, first = kv.ParseInt(lower)
		r.stop, last = kv.ParseInt(upper)
		if !first || !last {
			c.Error(command.ErrNotInteger)
		}
	}
	return r, first && last
}

// parseLexBound reads an end of a range of members: - or +, or a member behind (
// or [.
func parseLexBound(b []byte) (bound kv.LexBound, ok bool) {
	if len(b) == 0 {
		return bound, false
	}
	alone := len(b) == 1 || b[1] == 0
	switch b[0] {
	case '-':
		return kv.LexBound{Infinite: -1}, alone
	case '+':
		return kv.LexBound{Infinite: 1}, alone
	case '(':
		return kv.LexBound{Member: b[1:], Open: true}, true
	case '[':
		return kv.LexBound{Member: b[1:]}, true
	}
	return bound, false
}

// ranks are the ranks of the members in the range, from up to but not including
// to. Those of a range of positions are counted from the end with reverse.
func (r *interval) ranks(z *kv.ZSetKey, reverse bool) (from, to int) {
	switch r.by {
	case byScore:
		return z.InScores(r.scores)
	case byLex:
		return z.InLex(r.lex)
	}
	n := int64(z.Len())
	start, stop := r.start, r.stop
	if start < 0 {
		start = max(0, n+start)
	}
	if stop < 0 {
		stop += n
	}
	stop = min(stop, n-1)
	if start > stop || start >= n {
		return 0, 0
	}
	if reverse {
		start, stop = n-1-stop, n-1-start
	}
	return int(start), int(stop) + 1
}

// zrange is a call of ZRANGE or one of its variants.
type zrange struct {
	by                rangeBy
	reverse           bool
	fixed             bool // by and reverse are said by the command's name
	store, withScores bool
	offset, limit     int64
}

// parse reads the options from args[i] on; ok is false if the error has been
// replied.
func (r *zrange) parse(c *command.Ctx, i int) (ok bool) {
	r.limit = -1
	chosen := r.fixed
	for ; i < len(c.Args); i++ {
		switch {
		case !r.store && c.Is(i, "withscores"):
			r.withScores = true
		case c.Is(i, "limit") && i+2 < len(c.Args):
			var first, second bool
			r.offset, first = kv.ParseInt(c.Arg(i + 1))
			r.limit, second = kv.ParseInt(c.Arg(i + 2))
			if !first || !second {
				c.Error(command.ErrNotInteger)
				return false
			}
			i += 2
		case !r.fixed && !r.reverse && c.Is(i, "rev"):
			r.reverse = true
		case !chosen && c.Is(i, "bylex"):
			r.by, chosen = byLex, true
		case !chosen && c.Is(i, "byscore"):
			r.by, chosen = byScore, true
		default:
			c.Error(command.ErrSyntax)
			return false
		}
	}
	switch {
	case r.limit != -1 && r.by == byRank:
		c.Error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
	case r.withScores && r.by == byLex:
		c.Error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
	default:
		return true
	}
	return false
}

// limited applies LIMIT to an interval of ranks.
func (r *zrange) limited(from, to int) (int, int) {
	if r.by == byRank {
		return from, to
	}
	n := int64(to - from)
	if r.offset < 0 || r.offset >= n {
		return 0, 0
	}
	n -= r.offset
	if r.limit >= 0 {
		n = min(n, r.limit)
	}
	if r.reverse {
		to -= int(r.offset)
		return to - int(n), to
	}
	from += int(r.offset)
	return from, from + int(n)
}

func (h *handlers) zrange(c *command.Ctx, r zrange) {
	src := 1
	if r.store {
		src = 2
	}
	if !r.parse(c, src+3) {
		return
	}
	lower, upper := c.Arg(src+1), c.Arg(src+2)
	if r.reverse && r.by != byRank {
		lower, upper = upper, lower
	}
	in, ok := parseInterval(c, r.by, lower, upper)
	if !ok {
		return
	}
	z, ok := h.zset(c, c.Arg(src), reading(c))
	if !ok {
		return
	}
	from, to := 0, 0
	if z.Exists() {
		from, to = in.ranks(&z, r.reverse)
		from, to = r.limited(from, to)
	}
	if r.store {
		var flat packed.List
		z.Range(from, to, false, func(m packed.Value, score float64) bool {
			flat = appendElement(flat, m, score)
			return true
		})
		h.storeZSet(c, c.Arg(1), flat, to-from, "zrangestore")
		return
	}
	memberArray(c, to-from, r.withScores)
	z.Range(from, to, r.reverse, func(m packed.Value, score float64) bool {
		member(c, m, score, r.withScores)
		return true
	})
}

func appendElement(flat packed.List, m packed.Value, score float64) packed.List {
	if m.Bytes != nil {
		flat = flat.Append(m.Bytes)
	} else {
		flat = flat.AppendInt(m.Int)
	}
	return kv.AppendScore(flat, score)
}

// storeZSet gives a key the sorted set of n members that a flat form stands for,
// or deletes the key if there are none, and replies n.
func (h *handlers) storeZSet(c *command.Ctx, key []byte, flat packed.List, n int, event string) {
	switch {
	case n > 0:
		h.db(c).SetFlat(key, kv.ZSet, flat, kv.NoExpiry)
		h.notify(c, command.NotifyZSet, event, key)
	case h.db(c).Delete(key):
		h.notify(c, command.NotifyGeneric, "del", key)
	}
	c.Int(int64(n))
}

func (h *handlers) zcount(c *command.Ctx, by rangeBy) {
	in, ok := parseInterval(c, by, c.Arg(2), c.Arg(3))
	if !ok {
		return
	}
	if z, ok := h.zset(c, c.Arg(1), reading(c)); ok {
		from, to := in.ranks(&z, false)
		c.Int(int64(to - from))
	}
}

func (h *handlers) zremrange(c *command.Ctx, by rangeBy, event string) {
	in, ok := parseInterval(c, by, c.Arg(2), c.Arg(3))
	if !ok {
		return
	}
	z, ok := h.zset(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	from, to := 0, 0
	if z.Exists() {
		from, to = in.ranks(&z, false)
	}
	z.DeleteRange(from, to)
	removed := z.Commit()
	if from < to {
		h.notify(c, command.NotifyZSet, event, c.Arg(1))
	}
	if removed {
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
	c.Int(int64(to - from))
}

// countArgument reads a number that must be at least least; ok is false if the
// error, text, has been replied.
func countArgument(c *command.Ctx, arg []byte, least int64, text string) (n int, ok bool) {
	v, ok := kv.ParseInt(arg)
	if !ok || v < least {
		c.Error(text)
		return 0, false
	}
	return int(min(v, math.MaxInt)), true
}
