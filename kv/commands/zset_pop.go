package commands

import (
	"strconv"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func (h *handlers) zsetPopSpecs() []command.Spec {
	const (
		acl  = command.CatSortedSet
		wait = command.Write | command.Blocking
		cost = "O(log(N)*M) where N is the number of members and M that of those popped"
	)
	flags := command.RW | command.Access | command.Delete
	one, many := keySpec(flags), []command.KeySpec{{Begin: 1, Last: -2, Flags: flags}}
	return []command.Spec{
		{Name: "zpopmin", Arity: -2, Flags: command.Write | command.Fast, ACL: acl, Keys: one,
			Group: "sorted-set", Since: "5.0.0", Cost: cost, Args: "key [count]",
			Doc: "Returns the members with the lowest scores and removes them. Deletes the sorted set if no members remain.",
			Run: func(c *command.Ctx) { h.zpop(c, false) }},
		{Name: "zpopmax", Arity: -2, Flags: command.Write | command.Fast, ACL: acl, Keys: one,
			Group: "sorted-set", Since: "5.0.0", Cost: cost, Args: "key [count]",
			Doc: "Returns the members with the highest scores and removes them. Deletes the sorted set if no members remain.",
			Run: func(c *command.Ctx) { h.zpop(c, true) }},
		{Name: "zmpop", Arity: -4, Flags: command.Write, ACL: acl, Keys: []command.KeySpec{{Begin: 1, NumKeys: true, Flags: flags}},
			Group: "sorted-set", Since: "7.0.0", Cost: cost, Args: "numkeys key [key ...] (MIN | MAX) [COUNT count]",
			Doc: "Pops the members with the lowest or the highest scores from the first sorted set that isn't empty.",
			Run: func(c *command.Ctx) { h.zmpop(c, 1) }},
		{Name: "bzpopmin", Arity: -3, Flags: wait | command.Fast, ACL: acl, Keys: many,
			Group: "sorted-set", Since: "5.0.0", Cost: "O(log(N)) where N is the number of members", Args: "key [key ...] timeout",
			Doc: "Pops the member with the lowest score from the first sorted set that isn't empty, and waits for one if all are.",
			Run: func(c *command.Ctx) { h.bzpop(c, false) }},
		{Name: "bzpopmax", Arity: -3, Flags: wait | command.Fast, ACL: acl, Keys: many,
			Group: "sorted-set", Since: "5.0.0", Cost: "O(log(N)) where N is the number of members", Args: "key [key ...] timeout",
			Doc: "Pops the member with the highest score from the first sorted set that isn't empty, and waits for one if all are.",
			Run: func(c *command.Ctx) { h.bzpop(c, true) }},
		{Name: "bzmpop", Arity: -5, Flags: wait, ACL: acl, Keys: []command.KeySpec{{Begin: 2, NumKeys: true, Flags: flags}},
			Group: "sorted-set", Since: "7.0.0", Cost: cost, Args: "timeout numkeys key [key ...] (MIN | MAX) [COUNT count]",
			Doc: "Pops the members with the lowest or the highest scores from the first sorted set that isn't empty, and waits for one if all are.",
			Run: func(c *command.Ctx) { h.zmpop(c, 2) }},
	}
}

// popped replies and removes the n members with the lowest or highest scores, in
// pairs if nested.
func (h *handlers) popped(c *command.Ctx, z *kv.ZSetKey, key []byte, highest bool, n int, nested bool) {
	from, event := 0, "zpopmin"
	if highest {
		from, event = z.Len()-n, "zpopmax"
	}
	z.Range(from, from+n, highest, func(m packed.Value, score float64) bool {
		if nested {
			c.Array(2)
		}
		bulkValue(c, m)
		c.Double(score)
		return true
	})
	z.DeleteRange(from, from+n)
	removed := z.Commit()
	h.notify(c, command.NotifyZSet, event, key)
	if removed {
		h.notify(c, command.NotifyGeneric, "del", key)
	}
}

func (h *handlers) zpop(c *command.Ctx, highest bool) {
	n, nested := 1, false
	switch {
	case len(c.Args) > 3:
		c.Error(command.ErrSyntax)
		return
	case len(c.Args) == 3:
		var ok bool
		if n, ok = countArgument(c, c.Arg(2), 0, "ERR value is out of range, must be positive"); !ok {
			return
		}
		nested = c.Proto() == 3
	}
	z, ok := h.zset(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	n = min(n, z.Len())
	if n == 0 {
		c.Array(0)
		return
	}
	if nested {
		c.Array(n)
	} else {
		c.Array(2 * n)
	}
	h.popped(c, &z, c.Arg(1), highest, n, nested)
}

// zsetPop is what BZPOPMIN, ZMPOP and the like do to the first sorted set that
// isn't empty.
type zsetPop struct {
	highest bool
	count   int
	many    bool // replies a key and a list of pairs; else a key, a member and a score
}

// from pops from the key and replies, or does nothing and returns false if it is
// absent, or holds something else.
func (p zsetPop) from(h *handlers, c *command.Ctx, key []byte) (ok bool) {
	z, ok := h.db(c).ZSet(key, kv.ForWrite)
	if !ok || !z.Exists() {
		return false
	}
	n := min(p.count, z.Len())
	name := []byte("ZPOPMIN")
	if p.highest {
		name = []byte("ZPOPMAX")
	}
	if p.many {
		c.Array(2)
		c.Bulk(key)
		c.Array(n)
		c.Rewrite(name, key, strconv.AppendInt(nil, int64(n), 10))
	} else {
		c.Array(3)
		c.Bulk(key)
		c.Rewrite(name, key)
	}
	h.popped(c, &z, key, p.highest, n, p.many)
	return true
}

// first pops from the first of the keys from args[i] on that isn't empty, and
// replies that, or an error. It returns false if there is none.
func (p zsetPop) first(h *handlers, c *command.Ctx, i, n int) bool {
	for _, key := range c.Args[i : i+n] {
		switch e, ok := h.db(c).Lookup(key, kv.ForWrite); {
		case !ok:
		case e.Type() != kv.ZSet:
			c.Error(command.ErrWrongType)
			return true
		case p.from(h, c, key):
			return true
		}
	}
	return false
}

// wait makes the call wait for the keys from args[i] on.
func (p zsetPop) wait(h *handlers, c *command.Ctx, i, n int, until int64) {
	if c.InExec {
		c.NullArray()
		return
	}
	c.Block(command.Wait{Keys: argRange(i, i+n), Until: until, Retry: func(c *command.Ctx, key []byte) bool { return p.from(h, c, key) }})
}

func (h *handlers) bzpop(c *command.Ctx, highest bool) {
	n := len(c.Args) - 2
	until, ok := deadline(c, c.Arg(n+1))
	if !ok {
		return
	}
	p := zsetPop{highest: highest, count: 1}
	if !p.first(h, c, 1, n) {
		p.wait(h, c, 1, n, until)
	}
}

// zmpop is ZMPOP and BZMPOP, with the number of keys at args[at].
func (h *handlers) zmpop(c *command.Ctx, at int) {
	n, ok := countArgument(c, c.Arg(at), 1, "ERR numkeys should be greater than 0")
	if !ok {
		return
	}
	if n >= len(c.Args)-at-1 {
		c.Error(command.ErrSyntax)
		return
	}
	p, i := zsetPop{count: 1, many: true}, at+1+n
	switch {
	case c.Is(i, "max"):
		p.highest = true
	case !c.Is(i, "min"):
		c.Error(command.ErrSyntax)
		return
	}
	if rest := c.Args[i+1:]; len(rest) > 0 {
		if len(rest) < 2 || !c.Is(i+1, "count") {
			c.Error(command.ErrSyntax)
			return
		}
		if p.count, ok = countArgument(c, rest[1], 1, "ERR count should be greater than 0"); !ok {
			return
		}
		if len(rest) > 2 {
			c.Error(command.ErrSyntax)
			return
		}
	}
	var until int64
	if at == 2 {
		if until, ok = deadline(c, c.Arg(1)); !ok {
			return
		}
	}
	switch {
	case p.first(h, c, at+1, n):
	case at == 2:
		p.wait(h, c, at+1, n, until)
	default:
		c.NullArray()
	}
}
