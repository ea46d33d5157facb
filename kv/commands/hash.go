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
	return []command.Spec{
		{Name: "hdel", Arity: -3, Flags: command.Write | fast, ACL: acl, Keys: keySpec(command.RW | command.Delete),
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the number of fields", Args: "key field [field ...]",
			Doc: "Deletes fields and their values from a hash. Deletes the hash if no fields remain.", Run: h.hdel},
		{Name: "hget", Arity: 3, Flags: read | fast, ACL: acl, Keys: keySpec(command.RO | command.Access),
			Group: "hash", Since: "2.0.0", Cost: "O(1)", Args: "key field",
			Doc: "Returns the value of a field of a hash.", Run: h.hget},
		{Name: "hgetall", Arity: 2, Flags: read, ACL: acl, Keys: keySpec(command.RO | command.Access),
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the size of the hash", Args: "key",
			Tips: []string{"nondeterministic_output_order"},
			Doc:  "Returns all fields and values of a hash.", Run: h.hgetall},
		{Name: "hlen", Arity: 2, Flags: read | fast, ACL: acl, Keys: keySpec(command.RO),
			Group: "hash", Since: "2.0.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the number of fields of a hash.", Run: h.hlen},
		{Name: "hset", Arity: -4, Flags: write | fast, ACL: acl, Keys: keySpec(command.RW | command.Update),
			Group: "hash", Since: "2.0.0", Cost: "O(N) where N is the number of fields", Args: "key field value [field value ...]",
			Doc: "Sets the values of fields of a hash. Creates the key if it doesn't exist.", Run: h.hset},
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
	c.Int(added)
}

func (h *handlers) hget(c *command.Ctx) {
	k, ok := h.hash(c, reading(c))
	if !ok {
		return
	}
	if v, ok := k.Get(c.Arg(2)); ok {
		bulkValue(c, v)
	} else {
		c.Null()
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
