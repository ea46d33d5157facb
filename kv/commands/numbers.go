package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) numberSpecs() []command.Spec {
	keys := keySpec(command.RW | command.Access | command.Update)
	const flags = command.Write | command.DenyOOM | command.Fast
	return []command.Spec{
		{Name: "decr", Arity: 2, Flags: flags, ACL: command.CatString, Keys: keys,
			Group: "string", Since: "1.0.0", Cost: "O(1)", Args: "key",
			Doc: "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
			Run: func(c *command.Ctx) { h.add(c, -1) }},
		{Name: "decrby", Arity: 3, Flags: flags, ACL: command.CatString, Keys: keys,
			Group: "string", Since: "1.0.0", Cost: "O(1)", Args: "key decrement",
			Doc: "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.", Run: h.decrby},
		{Name: "incr", Arity: 2, Flags: flags, ACL: command.CatString, Keys: keys,
			Group: "string", Since: "1.0.0", Cost: "O(1)", Args: "key",
			Doc: "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
			Run: func(c *command.Ctx) { h.add(c, 1) }},
		{Name: "incrby", Arity: 3, Flags: flags, ACL: command.CatString, Keys: keys,
			Group: "string", Since: "1.0.0", Cost: "O(1)", Args: "key increment",
			Doc: "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.", Run: h.incrby},
		{Name: "incrbyfloat", Arity: 3, Flags: flags, ACL: command.CatString, Keys: keys,
			Group: "string", Since: "2.6.0", Cost: "O(1)", Args: "key increment",
			Doc: "Increments the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.", Run: h.incrbyfloat},
	}
}

func (h *handlers) incrby(c *command.Ctx) {
	n, ok := kv.ParseInt(c.Arg(2))
	if !ok {
		c.Error(command.ErrNotInteger)
		return
	}
	h.add(c, n)
}

func (h *handlers) decrby(c *command.Ctx) {
	n, ok := kv.ParseInt(c.Arg(2))
	switch {
	case !ok:
		c.Error(command.ErrNotInteger)
	case n == math.MinInt64:
		c.Error("ERR decrement would overflow")
	default:
		h.add(c, -n)
	}
}

func (h *handlers) add(c *command.Ctx, delta int64) {
	db, n := h.db(c), int64(0)
	if e, ok := db.Lookup(c.Arg(1), kv.ForWrite); ok {
		if e.Type() != kv.String {
			c.Error(command.ErrWrongType)
			return
		}
		if n, ok = e.Int(); !ok {
			c.Error(command.ErrNotInteger)
			return
		}
	}
	if (delta < 0 && n < math.MinInt64-delta) || (delta > 0 && n > math.MaxInt64-delta) {
		c.Error("ERR increment or decrement would overflow")
		return
	}
	db.SetInt(c.Arg(1), n+delta)
	h.notify(c, command.NotifyString, "incrby", c.Arg(1))
	c.Int(n + delta)
}

func (h *handlers) incrbyfloat(c *command.Ctx) {
	db := h.db(c)
	e, found := db.Lookup(c.Arg(1), kv.ForWrite)
	text := []byte("0")
	if found {
		if e.Type() != kv.String {
			c.Error(command.ErrWrongType)
			return
		}
		var scratch [20]byte
		text = e.Bytes(scratch[:])
	}
	value, ok := parseLongDouble(text)
	delta, ok2 := parseLongDouble(c.Arg(2))
	if !ok || !ok2 {
		c.Error(command.ErrNotFloat)
		return
	}
	sum, ok := addLongDouble(value, delta)
	if !ok {
		c.Error("ERR increment would produce NaN or Infinity")
		return
	}
	out := appendLongDouble(nil, sum)
	db.SetText(c.Arg(1), out, kv.KeepTTL)
	if c.Kept() {
		c.Rewrite(wordSet, c.Arg(1), out, wordKeepTTL)
	}
	h.notify(c, command.NotifyString, "incrbyfloat", c.Arg(1))
	c.Bulk(out)
}
