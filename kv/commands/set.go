package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

// setOptions are the options of SET and GETEX.
type setOptions struct {
	nx, xx, get, keepTTL, persist bool

	unit expiryUnit
	arg  []byte // the time, where unit is set
}

// expiryUnit says what the argument of an expiry option means.
type expiryUnit uint8

const (
	noUnit expiryUnit = iota
	inSeconds
	inMillis
	atSeconds
	atMillis
)

// parseSetOptions reads the options from args[from] on; ok is false for a
// syntax error. An option may be repeated, but not contradicted, as in Redis.
func parseSetOptions(c *command.Ctx, from int, isSet bool) (o setOptions, ok bool) {
	for i := from; i < len(c.Args); i++ {
		lifetime := o.keepTTL || o.persist || o.unit != noUnit
		switch {
		case isSet && c.Is(i, "nx") && !o.xx:
			o.nx = true
		case isSet && c.Is(i, "xx") && !o.nx:
			o.xx = true
		case isSet && c.Is(i, "get"):
			o.get = true
		case isSet && c.Is(i, "keepttl") && (!lifetime || o.keepTTL):
			o.keepTTL = true
		case !isSet && c.Is(i, "persist") && (!lifetime || o.persist):
			o.persist = true
		default:
			u := unitOf(c.Arg(i))
			if u == noUnit || (lifetime && o.unit != u) || i+1 == len(c.Args) {
				return o, false
			}
			i++
			o.unit, o.arg = u, c.Arg(i)
		}
	}
	return o, true
}

func unitOf(word []byte) expiryUnit {
	switch {
	case command.EqualFold(word, "ex"):
		return inSeconds
	case command.EqualFold(word, "px"):
		return inMillis
	case command.EqualFold(word, "exat"):
		return atSeconds
	case command.EqualFold(word, "pxat"):
		return atMillis
	}
	return noUnit
}

// expiryTime turns a positive time into Unix milliseconds. If it can't it
// writes the error.
func expiryTime(c *command.Ctx, arg []byte, u expiryUnit) (int64, bool) {
	n, ok := kv.ParseInt(arg)
	if !ok {
		c.Error(command.ErrNotInteger)
		return 0, false
	}
	if n <= 0 {
		return 0, badExpiry(c)
	}
	if u == inSeconds || u == atSeconds {
		if n > math.MaxInt64/1000 {
			return 0, badExpiry(c)
		}
		n *= 1000
	}
	if u == inSeconds || u == inMillis {
		if n > math.MaxInt64-c.NowMs {
			return 0, badExpiry(c)
		}
		n += c.NowMs
	}
	return n, true
}

func badExpiry(c *command.Ctx) bool {
	c.Error("ERR invalid expire time in '" + c.Spec.FullName() + "' command")
	return false
}

func (h *handlers) set(c *command.Ctx) {
	if len(c.Args) == 3 {
		h.db(c).SetString(c.Arg(1), c.Arg(2), kv.NoExpiry)
		h.notify(c, command.NotifyString, "set", c.Arg(1))
		c.OK()
		return
	}
	o, ok := parseSetOptions(c, 3, true)
	if !ok {
		c.Error(command.ErrSyntax)
		return
	}
	expiry := kv.NoExpiry
	if o.keepTTL {
		expiry = kv.KeepTTL
	}
	if o.unit != noUnit {
		if expiry, ok = expiryTime(c, o.arg, o.unit); !ok {
			return
		}
	}
	h.setConditionally(c, o, expiry)
}

func (h *handlers) setConditionally(c *command.Ctx, o setOptions, expiry int64) {
	db, key := h.db(c), c.Arg(1)
	how := kv.ForWrite
	if o.get {
		how = reading(c)
	}
	e, found := db.Lookup(key, how)
	if o.get && found && e.Type() != kv.String {
		c.Error(command.ErrWrongType)
		return
	}
	doit := !(o.nx && found) && !(o.xx && !found)
	switch {
	case o.get && found:
		bulk(c, e)
	case o.get || !doit:
		c.Null()
	default:
		c.OK()
	}
	if doit {
		db.SetString(key, c.Arg(2), expiry)
		h.notify(c, command.NotifyString, "set", key)
		if o.unit != noUnit {
			keepSet(c, key, c.Arg(2), expiry)
			h.notify(c, command.NotifyGeneric, "expire", key)
		}
	}
}

func (h *handlers) setnx(c *command.Ctx) {
	db := h.db(c)
	if _, ok := db.Lookup(c.Arg(1), kv.ForWrite); ok {
		c.Int(0)
		return
	}
	db.SetString(c.Arg(1), c.Arg(2), kv.NoExpiry)
	h.notify(c, command.NotifyString, "set", c.Arg(1))
	c.Int(1)
}

func (h *handlers) setex(c *command.Ctx)  { h.setFor(c, inSeconds) }
func (h *handlers) psetex(c *command.Ctx) { h.setFor(c, inMillis) }

func (h *handlers) setFor(c *command.Ctx, u expiryUnit) {
	if expiry, ok := expiryTime(c, c.Arg(2), u); ok {
		h.db(c).SetString(c.Arg(1), c.Arg(3), expiry)
		keepSet(c, c.Arg(1), c.Arg(3), expiry)
		h.notify(c, command.NotifyString, "set", c.Arg(1))
		h.notify(c, command.NotifyGeneric, "expire", c.Arg(1))
		c.OK()
	}
}

func (h *handlers) getex(c *command.Ctx) {
	o, ok := parseSetOptions(c, 2, false)
	if !ok {
		c.Error(command.ErrSyntax)
		return
	}
	e, ok := h.readString(c, c.Arg(1), c.Null)
	if !ok {
		return
	}
	db, expiry := h.db(c), kv.NoExpiry
	if o.unit != noUnit {
		if expiry, ok = expiryTime(c, o.arg, o.unit); !ok {
			return
		}
	}
	bulk(c, e)
	switch {
	case o.unit != noUnit && expiry <= c.NowMs:
		db.Delete(c.Arg(1))
		keepDelete(c, c.Arg(1))
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	case o.unit != noUnit:
		db.SetExpiry(c.Arg(1), expiry)
		keepExpiry(c, c.Arg(1), expiry)
		h.notify(c, command.NotifyGeneric, "expire", c.Arg(1))
	case o.persist && e.Expiry() != kv.NoExpiry:
		db.SetExpiry(c.Arg(1), kv.NoExpiry)
		keepExpiry(c, c.Arg(1), kv.NoExpiry)
		h.notify(c, command.NotifyGeneric, "persist", c.Arg(1))
	}
}
