package commands

import (
	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

// memberSpecs are the commands on one set and its members; SMOVE has two.
func (h *handlers) memberSpecs() []command.Spec {
	const (
		read = command.ReadOnly
		fast = command.Fast
		acl  = command.CatSet
	)
	access := keySpec(command.RO | command.Access)
	chance := []string{"nondeterministic_output"}
	return []command.Spec{
		{Name: "sadd", Arity: -3, Flags: command.Write | command.DenyOOM | fast, ACL: acl, Keys: keySpec(command.RW | command.Insert),
			Group: "set", Since: "1.0.0", Cost: "O(N) where N is the number of members", Args: "key member [member ...]",
			Doc: "Adds members to a set. Creates the key if it doesn't exist.", Run: h.sadd},
		{Name: "scard", Arity: 2, Flags: read | fast, ACL: acl, Keys: keySpec(command.RO),
			Group: "set", Since: "1.0.0", Cost: "O(1)", Args: "key",
			Doc: "Returns the number of members of a set.", Run: h.scard},
		{Name: "sismember", Arity: 3, Flags: read | fast, ACL: acl, Keys: keySpec(command.RO),
			Group: "set", Since: "1.0.0", Cost: "O(1)", Args: "key member",
			Doc: "Determines whether a member belongs to a set.", Run: h.sismember},
		{Name: "smembers", Arity: 2, Flags: read, ACL: acl, Keys: access, Tips: []string{"nondeterministic_output_order"},
			Group: "set", Since: "1.0.0", Cost: "O(N) where N is the size of the set", Args: "key",
			Doc: "Returns all members of a set.", Run: h.smembers},
		{Name: "smismember", Arity: -3, Flags: read | fast, ACL: acl, Keys: access,
			Group: "set", Since: "6.2.0", Cost: "O(N) where N is the number of members asked for", Args: "key member [member ...]",
			Doc: "Determines which of several members belong to a set.", Run: h.smismember},
		{Name: "smove", Arity: 4, Flags: command.Write | fast, ACL: acl,
			Keys:  []command.KeySpec{{Begin: 1, Flags: command.RW | command.Access | command.Delete}, {Begin: 2, Flags: command.RW | command.Insert}},
			Group: "set", Since: "1.0.0", Cost: "O(1)", Args: "source destination member",
			Doc: "Moves a member from one set to another.", Run: h.smove},
		{Name: "spop", Arity: -2, Flags: command.Write | fast, ACL: acl, Keys: keySpec(command.RW | command.Access | command.Delete), Tips: chance,
			Group: "set", Since: "1.0.0", Cost: "O(1), or O(N) where N is the count", Args: "key [count]",
			Doc: "Removes and returns one or more random members of a set. Deletes the set if no members remain.", Run: h.spop},
		{Name: "srandmember", Arity: -2, Flags: read, ACL: acl, Keys: access, Tips: chance,
			Group: "set", Since: "1.0.0", Cost: "O(1), or O(N) where N is the absolute value of the count", Args: "key [count]",
			Doc: "Returns one or more random members of a set.", Run: h.srandmember},
		{Name: "srem", Arity: -3, Flags: command.Write | fast, ACL: acl, Keys: keySpec(command.RW | command.Delete),
			Group: "set", Since: "1.0.0", Cost: "O(N) where N is the number of members", Args: "key member [member ...]",
			Doc: "Removes members from a set. Deletes the set if no members remain.", Run: h.srem},
		{Name: "sscan", Arity: -3, Flags: read, ACL: acl, Keys: access, Tips: chance,
			Group: "set", Since: "2.8.0", Cost: "O(1) for every call, O(N) for a complete iteration", Args: "key cursor [MATCH pattern] [COUNT count]",
			Doc: "Iterates over the members of a set.", Run: h.sscan},
	}
}

// setKey opens the key that is the command's first argument; ok is false if the
// error has been replied.
func (h *handlers) setKey(c *command.Ctx, a kv.Access) (k kv.SetKey, ok bool) {
	if k, ok = h.db(c).Set(c.Arg(1), a); !ok {
		c.Error(command.ErrWrongType)
	}
	return k, ok
}

func (h *handlers) sadd(c *command.Ctx) {
	k, ok := h.setKey(c, kv.ForWrite)
	if !ok {
		return
	}
	k.Expect(len(c.Args) - 2)
	var added int64
	for _, member := range c.Args[2:] {
		if k.Add(member) {
			added++
		}
	}
	k.Commit()
	if added > 0 {
		h.notify(c, command.NotifySet, "sadd", c.Arg(1))
	}
	c.Int(added)
}

func (h *handlers) srem(c *command.Ctx) {
	k, ok := h.setKey(c, kv.ForWrite)
	if !ok {
		return
	}
	var removed int64
	for _, member := range c.Args[2:] {
		if k.Exists() && k.Delete(member) {
			removed++
		}
	}
	gone := k.Commit()
	if removed > 0 {
		h.notify(c, command.NotifySet, "srem", c.Arg(1))
	}
	if gone {
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
	c.Int(removed)
}

func (h *handlers) smove(c *command.Ctx) {
	db, member := h.db(c), c.Arg(3)
	from, ok := db.Set(c.Arg(1), kv.ForWrite)
	if ok && !from.Exists() {
		c.Int(0)
		return
	}
	to, ok2 := db.Set(c.Arg(2), kv.ForWrite)
	if !ok || !ok2 {
		c.Error(command.ErrWrongType)
		return
	}
	from, _ = db.Set(c.Arg(1), kv.Quiet) // an expired destination was removed: it may have moved
	same := string(c.Arg(1)) == string(c.Arg(2))
	if same || !from.Has(member) {
		c.Int(integer(same && from.Has(member)))
		return
	}
	from.Delete(member)
	gone := from.Commit()
	h.notify(c, command.NotifySet, "srem", c.Arg(1))
	if gone {
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
	to, _ = db.Set(c.Arg(2), kv.ForWrite) // deleting may have moved it
	if to.Add(member) {
		to.Commit()
		h.notify(c, command.NotifySet, "sadd", c.Arg(2))
	}
	c.Int(1)
}

// integer is a boolean as Redis's commands reply it.
func integer(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (h *handlers) scard(c *command.Ctx) {
	if k, ok := h.setKey(c, reading(c)); ok {
		c.Int(int64(k.Len()))
	}
}

func (h *handlers) sismember(c *command.Ctx) {
	if k, ok := h.setKey(c, reading(c)); ok {
		c.Int(integer(k.Has(c.Arg(2))))
	}
}

func (h *handlers) smismember(c *command.Ctx) {
	k, ok := h.setKey(c, reading(c))
	if !ok {
		return
	}
	c.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		c.Int(integer(k.Has(member)))
	}
}

func (h *handlers) smembers(c *command.Ctx) {
	if k, ok := h.setKey(c, reading(c)); ok {
		replyMembers(c, &k)
	}
}

func replyMembers(c *command.Ctx, k *kv.SetKey) {
	c.Set(k.Len())
	k.Each(func(v packed.Value) bool {
		bulkValue(c, v)
		return true
	})
}

func (h *handlers) sscan(c *command.Ctx) {
	cursor, ok := parseCursor(c.Arg(2))
	if !ok {
		c.Error("ERR invalid cursor")
		return
	}
	k, ok := h.setKey(c, reading(c))
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
	next := k.Scan(cursor, int(o.count), func(v packed.Value) {
		if o.matches(v, &out) {
			out.value(v)
		}
	})
	replyScan(c, next, out)
}
