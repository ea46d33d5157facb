package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) expirySpecs() []command.Spec {
	update := keySpec(command.RW | command.Update)
	read := keySpec(command.RO | command.Access)
	spec := func(name string, arity int, flags command.Flags, keys []command.KeySpec, since, args, doc string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: flags | command.Fast, ACL: command.CatKeyspace, Keys: keys,
			Group: "generic", Since: since, Cost: "O(1)", Args: args, Doc: doc, Run: run}
	}
	volatile := func(s command.Spec) command.Spec {
		s.Tips = []string{"nondeterministic_output"}
		return s
	}
	const w, r = command.Write, command.ReadOnly
	return []command.Spec{
		spec("expire", -3, w, update, "1.0.0", "key seconds [NX | XX | GT | LT]",
			"Sets the expiration time of a key in seconds.", func(c *command.Ctx) { h.expire(c, inSeconds) }),
		spec("expireat", -3, w, update, "1.2.0", "key unix-time-seconds [NX | XX | GT | LT]",
			"Sets the expiration time of a key to a Unix timestamp.", func(c *command.Ctx) { h.expire(c, atSeconds) }),
		spec("pexpire", -3, w, update, "2.6.0", "key milliseconds [NX | XX | GT | LT]",
			"Sets the expiration time of a key in milliseconds.", func(c *command.Ctx) { h.expire(c, inMillis) }),
		spec("pexpireat", -3, w, update, "2.6.0", "key unix-time-milliseconds [NX | XX | GT | LT]",
			"Sets the expiration time of a key to a Unix milliseconds timestamp.", func(c *command.Ctx) { h.expire(c, atMillis) }),
		spec("persist", 2, w, update, "2.2.0", "key", "Removes the expiration time of a key.", h.persist),
		volatile(spec("ttl", 2, r, read, "1.0.0", "key",
			"Returns the expiration time in seconds of a key.", func(c *command.Ctx) { h.lifetime(c, inSeconds) })),
		volatile(spec("pttl", 2, r, read, "2.6.0", "key",
			"Returns the expiration time in milliseconds of a key.", func(c *command.Ctx) { h.lifetime(c, inMillis) })),
		spec("expiretime", 2, r, read, "7.0.0", "key",
			"Returns the expiration time of a key as a Unix timestamp.", func(c *command.Ctx) { h.lifetime(c, atSeconds) }),
		spec("pexpiretime", 2, r, read, "7.0.0", "key",
			"Returns the expiration time of a key as a Unix milliseconds timestamp.", func(c *command.Ctx) { h.lifetime(c, atMillis) }),
	}
}

// expireOptions are the conditions of the EXPIRE family.
type expireOptions struct{ nx, xx, gt, lt bool }

func parseExpireOptions(c *command.Ctx) (o expireOptions, ok bool) {
	for i := 3; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "nx"):
			o.nx = true
		case c.Is(i, "xx"):
			o.xx = true
		case c.Is(i, "gt"):
			o.gt = true
		case c.Is(i, "lt"):
			o.lt = true
		default:
			c.Error("ERR Unsupported option " + string(c.Arg(i)))
			return o, false
		}
	}
	if o.nx && (o.xx || o.gt || o.lt) {
		c.Error("ERR NX and XX, GT or LT options at the same time are not compatible")
		return o, false
	}
	if o.gt && o.lt {
		c.Error("ERR GT and LT options at the same time are not compatible")
		return o, false
	}
	return o, true
}

// forbid reports whether the conditions stand against replacing an expiry
// (NoExpiry counts as infinitely late) by another.
func (o expireOptions) forbid(current, when int64) bool {
	none := current == kv.NoExpiry
	return o.nx && !none ||
		o.xx && none ||
		o.gt && (none || when <= current) ||
		o.lt && !none && when >= current
}

func (h *handlers) expire(c *command.Ctx, u expiryUnit) {
	o, ok := parseExpireOptions(c)
	if !ok {
		return
	}
	when, ok := kv.ParseInt(c.Arg(2))
	if !ok {
		c.Error(command.ErrNotInteger)
		return
	}
	if u == inSeconds || u == atSeconds {
		if when > math.MaxInt64/1000 || when < math.MinInt64/1000 {
			badExpiry(c)
			return
		}
		when *= 1000
	}
	if u == inSeconds || u == inMillis {
		if when > math.MaxInt64-c.NowMs {
			badExpiry(c)
			return
		}
		when += c.NowMs
	}
	db, key := h.db(c), c.Arg(1)
	e, ok := db.Lookup(key, kv.ForWrite)
	if !ok || o.forbid(e.Expiry(), when) {
		c.Int(0)
		return
	}
	if when <= c.NowMs {
		db.Delete(key)
		keepDelete(c, key)
		h.notify(c, command.NotifyGeneric, "del", key)
	} else {
		db.SetExpiry(key, when)
		keepExpiry(c, key, when)
		h.notify(c, command.NotifyGeneric, "expire", key)
	}
	c.Int(1)
}

func (h *handlers) persist(c *command.Ctx) {
	db := h.db(c)
	e, ok := db.Lookup(c.Arg(1), kv.ForWrite)
	if !ok || e.Expiry() == kv.NoExpiry {
		c.Int(0)
		return
	}
	db.SetExpiry(c.Arg(1), kv.NoExpiry)
	h.notify(c, command.NotifyGeneric, "persist", c.Arg(1))
	c.Int(1)
}

// lifetime replies when the key expires: in how long, or at what time.
func (h *handlers) lifetime(c *command.Ctx, u expiryUnit) {
	e, ok := h.db(c).Lookup(c.Arg(1), kv.Untouched)
	if !ok {
		c.Int(-2)
		return
	}
	t := e.Expiry()
	if t == kv.NoExpiry {
		c.Int(-1)
		return
	}
	if u == inSeconds || u == inMillis {
		t = max(t-c.NowMs, 0)
	}
	if u == inSeconds || u == atSeconds {
		t = t/1000 + (t%1000+500)/1000
	}
	c.Int(t)
}
