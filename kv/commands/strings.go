package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

func keySpec(f command.KeyFlags) []command.KeySpec {
	return []command.KeySpec{{Begin: 1, Flags: f}}
}

func (h *handlers) stringSpecs() []command.Spec {
	const (
		write = command.Write | command.DenyOOM
		fast  = command.Fast
		str   = command.CatString
	)
	return []command.Spec{
		{Name: "append", Arity: 3, Flags: write | fast, ACL: str, Keys: keySpec(command.RW | command.Insert),
			Group: "string", Since: "2.0.0", Cost: "O(1)", Args: "key value",
			Doc: "Appends a string to the value of a key. Creates the key if it doesn't exist.", Run: h.appendTo},
		{Name: "get", Arity: 2, Flags: command.ReadOnly | fast, ACL: str, Keys: keySpec(command.RO | command.Access),
			Group: "string", Since: "1.0.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the string value of a key.", Run: h.get},
		{Name: "getdel", Arity: 2, Flags: command.Write | fast, ACL: str, Keys: keySpec(command.RW | command.Access | command.Delete),
			Group: "string", Since: "6.2.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the string value of a key after deleting the key.", Run: h.getdel},
		{Name: "getex", Arity: -2, Flags: command.Write | fast, ACL: str, Keys: keySpec(command.RW | command.Access | command.Update),
			Group: "string", Since: "6.2.0", Cost: "O(1)",
			Args: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
			Doc:  "Returns the string value of a key after setting its expiration time.", Run: h.getex},
		{Name: "getrange", Arity: 4, Flags: command.ReadOnly, ACL: str, Keys: keySpec(command.RO | command.Access),
			Group: "string", Since: "2.4.0", Cost: "O(N) where N is the length of the returned string", Args: "key start end",
			Doc: "Returns a substring of the string stored at a key.", Run: h.getrange},
		{Name: "getset", Arity: 3, Flags: write | fast, ACL: str, Keys: keySpec(command.RW | command.Access | command.Update),
			Group: "string", Since: "1.0.0", Cost: "O(1)", Args: "key value",
			Doc: "Returns the previous string value of a key after setting it to a new value.", Run: h.getset},
		{Name: "mget", Arity: -2, Flags: command.ReadOnly | fast, ACL: str,
			Keys:  []command.KeySpec{{Begin: 1, Last: -1, Flags: command.RO | command.Access}},
			Group: "string", Since: "1.0.0", Cost: "O(N) where N is the number of keys", Args: "key [key ...]",
			Tips: []string{"request_policy:multi_shard"},
			Doc:  "Returns the string values of one or more keys.", Run: h.mget},
		{Name: "mset", Arity: -3, Flags: write, ACL: str,
			Keys:  []command.KeySpec{{Begin: 1, Last: -1, Step: 2, Flags: command.OW | command.Update}},
			Group: "string", Since: "1.0.1", Cost: "O(N) where N is the number of keys", Args: "key value [key value ...]",
			Tips: []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
			Doc:  "Sets the string values of one or more keys.", Run: h.mset},
		{Name: "msetnx", Arity: -3, Flags: write, ACL: str,
			Keys:  []command.KeySpec{{Begin: 1, Last: -1, Step: 2, Flags: command.OW | command.Insert}},
			Group: "string", Since: "1.0.1", Cost: "O(N) where N is the number of keys", Args: "key value [key value ...]",
			Tips: []string{"request_policy:multi_shard", "response_policy:agg_min"},
			Doc:  "Sets the string values of one or more keys if none of them exists.", Run: h.msetnx},
		{Name: "psetex", Arity: 4, Flags: write, ACL: str, Keys: keySpec(command.OW | command.Update),
			Group: "string", Since: "2.6.0", Cost: "O(1)", Args: "key milliseconds value",
			Doc: "Sets the string value and expiration time in milliseconds of a key.", Run: h.psetex},
		{Name: "set", Arity: -3, Flags: write, ACL: str,
			Keys:  keySpec(command.RW | command.Access | command.Update | command.VariableFlags),
			Group: "string", Since: "1.0.0", Cost: "O(1)",
			Args: "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
			Doc:  "Sets the string value of a key, ignoring its type.", Run: h.set},
		{Name: "setex", Arity: 4, Flags: write, ACL: str, Keys: keySpec(command.OW | command.Update),
			Group: "string", Since: "2.0.0", Cost: "O(1)", Args: "key seconds value",
			Doc: "Sets the string value and expiration time of a key.", Run: h.setex},
		{Name: "setnx", Arity: 3, Flags: write | fast, ACL: str, Keys: keySpec(command.OW | command.Insert),
			Group: "string", Since: "1.0.0", Cost: "O(1)", Args: "key value",
			Doc: "Sets the string value of a key only when the key doesn't exist.", Run: h.setnx},
		{Name: "setrange", Arity: 4, Flags: write, ACL: str, Keys: keySpec(command.RW | command.Update),
			Group: "string", Since: "2.2.0", Cost: "O(M) where M is the length of the value", Args: "key offset value",
			Doc: "Overwrites a part of a string value. Creates the key if it doesn't exist.", Run: h.setrange},
		{Name: "strlen", Arity: 2, Flags: command.ReadOnly | fast, ACL: str, Keys: keySpec(command.RO),
			Group: "string", Since: "2.2.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the length of a string value.", Run: h.strlen},
		{Name: "substr", Arity: 4, Flags: command.ReadOnly, ACL: str, Keys: keySpec(command.RO | command.Access),
			Group: "string", Since: "1.0.0", Cost: "O(N) where N is the length of the returned string", Args: "key start end",
			Doc: "Returns a substring of the string stored at a key.", Run: h.getrange},
	}
}

func (h *handlers) get(c *command.Ctx) {
	e, ok := h.db(c).Lookup(c.Arg(1), reading(c))
	switch {
	case !ok:
		c.Null()
	case e.Type() != kv.String:
		c.Error(command.ErrWrongType)
	default:
		bulk(c, e)
	}
}

// bulk writes a string's value.
func bulk(c *command.Ctx, e kv.Entry) {
	var scratch [20]byte
	c.Bulk(e.Bytes(scratch[:]))
}

// readString finds a string for reading. If there is none it writes the reply
// and returns false.
func (h *handlers) readString(c *command.Ctx, key []byte, missing func()) (kv.Entry, bool) {
	e, ok := h.db(c).Lookup(key, reading(c))
	if !ok {
		missing()
		return e, false
	}
	if e.Type() != kv.String {
		c.Error(command.ErrWrongType)
		return e, false
	}
	return e, true
}

func (h *handlers) strlen(c *command.Ctx) {
	if e, ok := h.readString(c, c.Arg(1), func() { c.Int(0) }); ok {
		c.Int(int64(e.Len()))
	}
}

func (h *handlers) getdel(c *command.Ctx) {
	if e, ok := h.readString(c, c.Arg(1), c.Null); ok {
		bulk(c, e)
		h.db(c).Delete(c.Arg(1))
		keepDelete(c, c.Arg(1))
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
}

func (h *handlers) getset(c *command.Ctx) {
	mark := c.Len()
	wrong := false
	e, ok := h.db(c).Lookup(c.Arg(1), reading(c))
	switch {
	case !ok:
		c.Null()
	case e.Type() != kv.String:
		c.Truncate(mark)
		c.Error(command.ErrWrongType)
		wrong = true
	default:
		bulk(c, e)
	}
	if !wrong {
		h.db(c).SetString(c.Arg(1), c.Arg(2), kv.NoExpiry)
		h.notify(c, command.NotifyString, "set", c.Arg(1))
	}
}

func (h *handlers) getrange(c *command.Ctx) {
	start, ok := kv.ParseInt(c.Arg(2))
	end, ok2 := kv.ParseInt(c.Arg(3))
	if !ok || !ok2 {
		c.Error(command.ErrNotInteger)
		return
	}
	e, ok := h.readString(c, c.Arg(1), func() { c.BulkString("") })
	if !ok {
		return
	}
	var scratch [20]byte
	v := e.Bytes(scratch[:])
	n := int64(len(v))
	if start < 0 && end < 0 && start > end {
		c.BulkString("")
		return
	}
	if start < 0 {
		start = max(n+start, 0)
	}
	if end < 0 {
		end = max(n+end, 0)
	}
	end = min(end, n-1)
	if start > end || n == 0 {
		c.BulkString("")
		return
	}
	c.Bulk(v[start : end+1])
}

func (h *handlers) mget(c *command.Ctx) {
	c.Array(len(c.Args) - 1)
	db, how := h.db(c), reading(c)
	for _, key := range c.Args[1:] {
		if e, ok := db.Lookup(key, how); ok && e.Type() == kv.String {
			bulk(c, e)
		} else {
			c.Null()
		}
	}
}

// pairs reports whether the arguments are pairs, and writes the error if not.
func pairs(c *command.Ctx) bool {
	if len(c.Args)%2 == 0 {
		c.Error("ERR wrong number of arguments for '" + c.Spec.FullName() + "' command")
		return false
	}
	return true
}

func (h *handlers) setPairs(c *command.Ctx) {
	db := h.db(c)
	for i := 1; i < len(c.Args); i += 2 {
		db.SetString(c.Args[i], c.Args[i+1], kv.NoExpiry)
		h.notify(c, command.NotifyString, "set", c.Args[i])
	}
}

func (h *handlers) mset(c *command.Ctx) {
	if !pairs(c) {
		return
	}
	h.setPairs(c)
	c.OK()
}

func (h *handlers) msetnx(c *command.Ctx) {
	if !pairs(c) {
		return
	}
	db := h.db(c)
	for i := 1; i < len(c.Args); i += 2 {
		if _, ok := db.Lookup(c.Args[i], kv.ForWrite); ok {
			c.Int(0)
			return
		}
	}
	h.setPairs(c)
	c.Int(1)
}

const errTooLong = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"

// fits reports whether a string of size+more bytes is allowed, and writes the
// error if not.
func (h *handlers) fits(c *command.Ctx, size, more int64) bool {
	if size > math.MaxInt64-more || size+more > h.maxBulk() {
		c.Error(errTooLong)
		return false
	}
	return true
}

func (h *handlers) appendTo(c *command.Ctx) {
	db, key, tail := h.db(c), c.Arg(1), c.Arg(2)
	e, ok := db.Lookup(key, kv.ForWrite)
	if !ok {
		db.SetString(key, tail, kv.NoExpiry)
		h.notify(c, command.NotifyString, "append", key)
		c.Int(int64(len(tail)))
		return
	}
	if e.Type() != kv.String {
		c.Error(command.ErrWrongType)
		return
	}
	n := e.Len()
	if !h.fits(c, int64(n), int64(len(tail))) {
		return
	}
	copy(db.Edit(key, n+len(tail))[n:], tail)
	h.notify(c, command.NotifyString, "append", key)
	c.Int(int64(n + len(tail)))
}

func (h *handlers) setrange(c *command.Ctx) {
	offset, ok := kv.ParseInt(c.Arg(2))
	if !ok {
		c.Error(command.ErrNotInteger)
		return
	}
	if offset < 0 {
		c.Error("ERR offset is out of range")
		return
	}
	db, key, part := h.db(c), c.Arg(1), c.Arg(3)
	e, ok := db.Lookup(key, kv.ForWrite)
	size := 0
	if ok {
		if e.Type() != kv.String {
			c.Error(command.ErrWrongType)
			return
		}
		size = e.Len()
	}
	if len(part) == 0 {
		c.Int(int64(size))
		return
	}
	if !h.fits(c, offset, int64(len(part))) {
		return
	}
	v := db.Edit(key, int(offset)+len(part))
	copy(v[offset:], part)
	h.notify(c, command.NotifyString, "setrange", key)
	c.Int(int64(len(v)))
}
