package commands

import (
	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func (h *handlers) hashSpecs() []command.Spec {
	const (
		write = command.Write | command.DenyOOM
		read  = command.ReadOnly
		fast  = command.Fast
		acl   = command.CatHash
	)
	access := keySpec(command.RO | command.Access)
	unordered := []string{"nondeterministic_output_order"}
	return []command.Spec{
		{Name: "hdel", Arity: -3, Flags: command.Write | fast, ACL: acl, Keys: keySpec(command.RW | command.Delete),
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the number of fields", Args: "key field [field ...]",
			Doc: "Deletes fields and their values from a hash. Deletes the hash if no fields remain.", Run: h.hdel},
		{Name: "hexists", Arity: 3, Flags: read | fast, ACL: acl, Keys: keySpec(command.RO),
			Group: "hash", Since: "2.0.0", Cost: "O(1)", Args: "key field",
			Doc: "Determines whether a field exists in a hash.", Run: h.hexists},
		{Name: "hget", Arity: 3, Flags: read | fast, ACL: acl, Keys: access,
			Group: "hash", Since: "2.0.0", Cost: "O(1)", Args: "key field",
			Doc: "Returns the value of a field of a hash.", Run: h.hget},
		{Name: "hgetall", Arity: 2, Flags: read, ACL: acl, Keys: access, Tips: unordered,
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the size of the hash", Args: "key",
			Doc: "Returns all fields and values of a hash.", Run: h.hgetall},
		{Name: "hincrby", Arity: 4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Access | command.Update),
			Group: "hash", Since: "2.0.0", Cost: "O(1)", Args: "key field increment",
			Doc: "Increments the integer value of a field of a hash by a number. Uses 0 as initial value if the field doesn't exist.", Run: h.hincrby},
		{Name: "hincrbyfloat", Arity: 4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Access | command.Update),
			Group: "hash", Since: "2.6.0", Cost: "O(1)", Args: "key field increment",
			Doc: "Increments the floating point value of a field of a hash by a number. Uses 0 as initial value if the field doesn't exist.", Run: h.hincrbyfloat},
		{Name: "hkeys", Arity: 2, Flags: read, ACL: acl, Keys: access, Tips: unordered,
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the size of the hash", Args: "key",
			Doc: "Returns all fields of a hash.", Run: h.hkeys},
		{Name: "hlen", Arity: 2, Flags: read | fast, ACL: acl, Keys: keySpec(command.RO),
			Group: "hash", Since: "2.0.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the number of fields of a hash.", Run: h.hlen},
		{Name: "hmget", Arity: -3, Flags: read | fast, ACL: acl, Keys: access,
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the number of fields", Args: "key field [field ...]",
			Doc: "Returns the values of some fields of a hash.", Run: h.hmget},
		{Name: "hmset", Arity: -4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Update),
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the number of fields", Args: "key field value [field value ...]",
			Doc: "Sets the values of fields of a hash. HSET does the same, and says how many are new.", Run: h.hset},
		{Name: "hrandfield", Arity: -2, Flags: read, ACL: acl, Keys: access, Tips: []string{"nondeterministic_output"},
			Group: "hash", Since: "6.2.0", Cost: "O(N) where N is the number of fields returned", Args: "key [count [WITHVALUES]]",
			Doc: "Returns one or more random fields of a hash.", Run: h.hrandfield},
		{Name: "hscan", Arity: -3, Flags: read, ACL: acl, Keys: access, Tips: []string{"nondeterministic_output"},
			Group: "hash", Since: "2.8.0", Cost: "O(1) for every call, O(N) for a complete iteration", Args: "key cursor [MATCH pattern] [COUNT count]",
			Doc: "Iterates over fields and values of a hash.", Run: h.hscan},
		{Name: "hset", Arity: -4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Update),
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the number of fields", Args: "key field value [field value ...]",
			Doc: "Sets the values of fields of a hash. Creates the key if it doesn't exist.", Run: h.hset},
		{Name: "hsetnx", Arity: 4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Insert),
			Group: "hash", Since: "2.0.0", Cost: "O(1)", Args: "key field value",
			Doc: "Sets the value of a field of a hash only if the field doesn't exist.", Run: h.hsetnx},
		{Name: "hstrlen", Arity: 3, Flags: read | fast, ACL: acl, Keys: keySpec(command.RO),
			Group: "hash", Since: "3.2.0", Cost: "O(1)", Args: "key field",
			Doc: "Returns the length of the value of a field of a hash.", Run: h.hstrlen},
		{Name: "hvals", Arity: 2, Flags: read, ACL: acl, Keys: access, Tips: unordered,
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the size of the hash", Args: "key",
			Doc: "Returns all values of a hash.", Run: h.hvals},
	}
}

// hash opens the key that is the command's first argument; ok is false if the
// error has been replied.
func (h *handlers) hash(c *command.Ctx, a kv.Access) (k kv.HashKey, ok bool) {
	if k, ok = h.db(c).Hash(c.Arg(1), a); !ok {
		c.Error(command.ErrWrongType)
	}
	return k, ok
}

// hset is also HMSET, which doesn't count.
func (h *handlers) hset(c *command.Ctx) {
	if len(c.Args)%2 != 0 {
		c.Error("ERR wrong number of arguments for '" + c.Spec.Name + "' command")
		return
	}
	k, ok := h.hash(c, kv.ForWrite)
	if !ok {
		return
	}
	var added int64
	for i := 2; i < len(c.Args); i += 2 {
		if k.Set(c.Arg(i), c.Arg(i+1)) {
			added++
		}
	}
	k.Commit()
	h.notify(c, command.NotifyHash, "hset", c.Arg(1))
	if c.Spec.Name == "hmset" {
		c.OK()
	} else {
		c.Int(added)
	}
}

func (h *handlers) hsetnx(c *command.Ctx) {
	k, ok := h.hash(c, kv.ForWrite)
	if !ok {
		return
	}
	if _, there := k.Get(c.Arg(2)); there {
		c.Int(0)
		return
	}
	k.Set(c.Arg(2), c.Arg(3))
	k.Commit()
	h.notify(c, command.NotifyHash, "hset", c.Arg(1))
	c.Int(1)
}

func (h *handlers) hget(c *command.Ctx) {
	if k, ok := h.hash(c, reading(c)); ok {
		replyField(c, &k, c.Arg(2))
	}
}

func (h *handlers) hmget(c *command.Ctx) {
	k, ok := h.hash(c, reading(c))
	if !ok {
		return
	}
	c.Array(len(c.Args) - 2)
	for _, field := range c.Args[2:] {
		replyField(c, &k, field)
	}
}

func replyField(c *command.Ctx, k *kv.HashKey, field []byte) {
	if v, ok := k.Get(field); ok {
		bulkValue(c, v)
	} else {
		c.Null()
	}
}

func (h *handlers) hexists(c *command.Ctx) {
	k, ok := h.hash(c, reading(c))
	if !ok {
		return
	}
	if _, ok := k.Get(c.Arg(2)); ok {
		c.Int(1)
	} else {
		c.Int(0)
	}
}

func (h *handlers) hstrlen(c *command.Ctx) {
	k, ok := h.hash(c, reading(c))
	if !ok {
		return
	}
	if v, ok := k.Get(c.Arg(2)); ok {
		c.Int(int64(v.Len()))
	} else {
		c.Int(0)
	}
}

func (h *handlers) hdel(c *command.Ctx) {
	k, ok := h.hash(c, kv.ForWrite)
	if !ok {
		return
	}
	var deleted int64
	for _, field := range c.Args[2:] {
		if k.Delete(field) {
			deleted++
		}
	}
	removed := k.Commit()
	if deleted > 0 {
		h.notify(c, command.NotifyHash, "hdel", c.Arg(1))
	}
	if removed {
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
	c.Int(deleted)
}

func (h *handlers) hlen(c *command.Ctx) {
	if k, ok := h.hash(c, reading(c)); ok {
		c.Int(int64(k.Len()))
	}
}

func (h *handlers) hgetall(c *command.Ctx) {
	k, ok := h.hash(c, reading(c))
	if !ok {
		return
	}
	c.Map(k.Len())
	k.Each(func(field, val packed.Value) bool {
		bulkValue(c, field)
		bulkValue(c, val)
		return true
	})
}

func (h *handlers) hkeys(c *command.Ctx) {
	if k, ok := h.hash(c, reading(c)); ok {
		c.Array(k.Len())
		k.Each(func(field, _ packed.Value) bool {
			bulkValue(c, field)
			return true
		})
	}
}

func (h *handlers) hvals(c *command.Ctx) {
	if k, ok := h.hash(c, reading(c)); ok {
		c.Array(k.Len())
		k.Each(func(_, val packed.Value) bool {
			bulkValue(c, val)
			return true
		})
	}
}

func (h *handlers) hscan(c *command.Ctx) {
	cursor, ok := parseCursor(c.Arg(2))
	if !ok {
		c.Error("ERR invalid cursor")
		return
	}
	k, ok := h.hash(c, reading(c))
	if !ok {
		return
	}
	if !k.Exists() {
		replyScan(c, 0, scanned{})
		return
	}
	o, ok := parseElementScan(c)
	if !ok {
		return
	}
	var out scanned
	next := k.Scan(cursor, int(o.count), func(field, val packed.Value) {
		if o.matches(field, &out) {
			out.value(field)
			out.value(val)
		}
	})
	replyScan(c, next, out)
}
