package commands

import (
	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func (h *handlers) listSpecs() []command.Spec {
	const (
		write  = command.Write | command.DenyOOM
		remove = command.Write
		read   = command.ReadOnly
		fast   = command.Fast
		acl    = command.CatList
	)
	insert, take := keySpec(command.RW|command.Insert), keySpec(command.RW|command.Access|command.Delete)
	spec := func(name string, arity int, flags command.Flags, keys []command.KeySpec, since, cost, args, doc string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: flags, ACL: acl, Keys: keys,
			Group: "list", Since: since, Cost: cost, Args: args, Doc: doc, Run: run}
	}
	const perElement = "O(N) where N is the number of elements added"
	return []command.Spec{
		spec("lindex", 3, read, keySpec(command.RO|command.Access), "1.0.0", "O(N) where N is the number of elements to step over", "key index",
			"Returns an element from a list by its index.", h.lindex),
		spec("linsert", 5, write, insert, "2.2.0", "O(N) where N is the number of elements to step over", "key <BEFORE | AFTER> pivot element",
			"Inserts an element before or after another element in a list.", h.linsert),
		spec("llen", 2, read|fast, keySpec(command.RO), "1.0.0", "O(1)", "key",
			"Returns the length of a list.", h.llen),
		spec("lpop", -2, remove|fast, take, "1.0.0", "O(N) where N is the number of elements returned", "key [count]",
			"Removes and returns the first elements of a list. Deletes the list if none remain.", func(c *command.Ctx) { h.pop(c, true) }),
		spec("lpos", -3, read, keySpec(command.RO|command.Access), "6.0.6", "O(N) where N is the number of elements in the list", "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
			"Returns the index of matching elements in a list.", h.lpos),
		spec("lpush", -3, write|fast, insert, "1.0.0", perElement, "key element [element ...]",
			"Prepends elements to a list. Creates the key if it doesn't exist.", func(c *command.Ctx) { h.push(c, true, false) }),
		spec("lpushx", -3, write|fast, insert, "2.2.0", perElement, "key element [element ...]",
			"Prepends elements to a list only when the list exists.", func(c *command.Ctx) { h.push(c, true, true) }),
		spec("lrange", 4, read, keySpec(command.RO|command.Access), "1.0.0", "O(S+N) where S is the distance of the start from the nearer end, and N the number of elements returned", "key start stop",
			"Returns a range of elements from a list.", h.lrange),
		spec("lrem", 4, remove, keySpec(command.RW|command.Delete), "1.0.0", "O(N) where N is the length of the list", "key count element",
			"Removes elements from a list. Deletes the list if none remain.", h.lrem),
		spec("lset", 4, write, keySpec(command.RW|command.Update), "1.0.0", "O(N) where N is the number of elements to step over", "key index element",
			"Sets the value of an element in a list by its index.", h.lset),
		spec("ltrim", 4, remove, keySpec(command.RW|command.Delete), "1.0.0", "O(N) where N is the number of elements removed", "key start stop",
			"Removes elements from both ends of a list. Deletes the list if none remain.", h.ltrim),
		spec("rpop", -2, remove|fast, take, "1.0.0", "O(N) where N is the number of elements returned", "key [count]",
			"Removes and returns the last elements of a list. Deletes the list if none remain.", func(c *command.Ctx) { h.pop(c, false) }),
		spec("rpush", -3, write|fast, insert, "1.0.0", perElement, "key element [element ...]",
			"Appends elements to a list. Creates the key if it doesn't exist.", func(c *command.Ctx) { h.push(c, false, false) }),
		spec("rpushx", -3, write|fast, insert, "2.2.0", perElement, "key element [element ...]",
			"Appends elements to a list only when the list exists.", func(c *command.Ctx) { h.push(c, false, true) }),
	}
}

// list opens a key; ok is false if the error has been replied.
func (h *handlers) list(c *command.Ctx, key []byte, a kv.Access) (l kv.ListKey, ok bool) {
	if l, ok = h.db(c).List(key, a); !ok {
		c.Error(command.ErrWrongType)
	}
	return l, ok
}

// side is the word for an end of a list in names of commands and events.
func side(front bool, left, right string) string {
	if front {
		return left
	}
	return right
}

func (h *handlers) push(c *command.Ctx, front, existing bool) {
	l, ok := h.list(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	if existing && !l.Exists() {
		c.Int(0)
		return
	}
	l.Reserve(c.Args[2:]...)
	for _, v := range c.Args[2:] {
		l.Push(front, v)
	}
	n := l.Len()
	l.Commit()
	h.notify(c, command.NotifyList, side(front, "lpush", "rpush"), c.Arg(1))
	c.Int(int64(n))
}

func (h *handlers) pop(c *command.Ctx, front bool) {
	n := int64(1)
	switch {
	case len(c.Args) > 3:
		c.Error("ERR wrong number of arguments for '" + c.Spec.Name + "' command")
		return
	case len(c.Args) == 3:
		var ok bool
		if n, ok = kv.ParseInt(c.Arg(2)); !ok || n < 0 {
			c.Error("ERR value is out of range, must be positive")
			return
		}
	}
	l, ok := h.list(c, c.Arg(1), kv.ForWrite)
	switch {
	case !ok:
	case !l.Exists() && len(c.Args) == 3:
		c.NullArray()
	case !l.Exists():
		c.Null()
	case n == 0:
		c.Array(0)
	case len(c.Args) == 2:
		h.takeOne(c, &l, c.Arg(1), front)
	default:
		h.takeMany(c, &l, c.Arg(1), front, n)
	}
}

// takeOne replies an end of a list that is there, and removes it.
func (h *handlers) takeOne(c *command.Ctx, l *kv.ListKey, key []byte, front bool) {
	at := 0
	if !front {
		at = l.Len() - 1
	}
	bulkValue(c, l.At(at))
	l.Delete(at, 1)
	h.taken(c, l, key, front)
}

// takeMany replies an array of up to n elements from an end of a list that is
// there, and removes them.
func (h *handlers) takeMany(c *command.Ctx, l *kv.ListKey, key []byte, front bool, n int64) (taken int) {
	length := l.Len()
	k := int(min(n, int64(length)))
	c.Array(k)
	left := k
	reply := func(v packed.Value) bool {
		bulkValue(c, v)
		left--
		return left > 0
	}
	if front {
		l.Each(0, reply)
		l.Delete(0, k)
	} else {
		l.EachBack(length-1, reply)
		l.Delete(length-k, k)
	}
	h.taken(c, l, key, front)
	return k
}

// taken ends the removal of elements from an end.
func (h *handlers) taken(c *command.Ctx, l *kv.ListKey, key []byte, front bool) {
	removed := l.Commit()
	h.notify(c, command.NotifyList, side(front, "lpop", "rpop"), key)
	if removed {
		h.notify(c, command.NotifyGeneric, "del", key)
	}
}

func (h *handlers) llen(c *command.Ctx) {
	if l, ok := h.list(c, c.Arg(1), reading(c)); ok {
		c.Int(int64(l.Len()))
	}
}

// indexIn is an index as clients give it as one from 0 on; ok is false if there is
// no such element.
func indexIn(i int64, n int) (at int, ok bool) {
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

func (h *handlers) lindex(c *command.Ctx) {
	l, ok := h.list(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	if !l.Exists() {
		c.Null()
		return
	}
	i, ok := kv.ParseInt(c.Arg(2))
	if !ok {
		c.Error(command.ErrNotInteger)
		return
	}
	if at, ok := indexIn(i, l.Len()); ok {
		bulkValue(c, l.At(at))
	} else {
		c.Null()
	}
}

func (h *handlers) lset(c *command.Ctx) {
	l, ok := h.list(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	if !l.Exists() {
		c.Error(command.ErrNoSuchKey)
		return
	}
	i, ok := kv.ParseInt(c.Arg(2))
	if !ok {
		c.Error(command.ErrNotInteger)
		return
	}
	at, ok := indexIn(i, l.Len())
	if !ok {
		c.Error(command.ErrOutOfRange)
		return
	}
	l.Reserve(c.Arg(3))
	l.Set(at, c.Arg(3))
	l.Commit()
	h.notify(c, command.NotifyList, "lset", c.Arg(1))
	c.OK()
}

func (h *handlers) linsert(c *command.Ctx) {
	after := c.Is(2, "after")
	if !after && !c.Is(2, "before") {
		c.Error(command.ErrSyntax)
		return
	}
	l, ok := h.list(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	if !l.Exists() {
		c.Int(0)
		return
	}
	l.Reserve(c.Arg(4))
	pivot, at, found := packed.Parse(c.Arg(3)), 0, false
	l.Each(0, func(v packed.Value) bool {
		found = v.Same(pivot)
		at++
		return !found
	})
	if !found {
		c.Int(-1)
		return
	}
	if !after {
		at--
	}
	l.Insert(at, c.Arg(4))
	n := l.Len()
	l.Commit()
	h.notify(c, command.NotifyList, "linsert", c.Arg(1))
	c.Int(int64(n))
}

func (h *handlers) lrem(c *command.Ctx) {
	count, ok := integerIn(c, c.Arg(2), -maxInt, maxInt)
	if !ok {
		return
	}
	l, ok := h.list(c, c.Arg(1), kv.ForWrite)
	if !ok {
		return
	}
	n := l.Remove(c.Arg(3), count)
	if n > 0 {
		removed := l.Commit()
		h.notify(c, command.NotifyList, "lrem", c.Arg(1))
		if removed {
			h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
		}
	}
	c.Int(int64(n))
}

// span is a range of indexes as clients give it, as [from, to) from 0 on, which
// may be empty. ok is false if the error has been replied.
func span(c *command.Ctx, n func() int) (from, to int, ok bool) {
	start, ok := kv.ParseInt(c.Arg(2))
	if !ok {
		c.Error(command.ErrNotInteger)
		return 0, 0, false
	}
	stop, ok := kv.ParseInt(c.Arg(3))
	if !ok {
		c.Error(command.ErrNotInteger)
		return 0, 0, false
	}
	size := int64(n())
	if start < 0 {
		start = max(start+size, 0)
	}
	if stop < 0 {
		stop += size
	}
	stop = min(stop, size-1)
	if start > stop {
		return 0, 0, true
	}
	return int(start), int(stop) + 1, true
}

func (h *handlers) lrange(c *command.Ctx) {
	var l kv.ListKey
	wrong := false
	from, to, ok := span(c, func() int {
		var ok bool
		l, ok = h.db(c).List(c.Arg(1), reading(c))
		if wrong = !ok; wrong {
			return 0
		}
		return l.Len()
	})
	if !ok {
		return
	}
	if wrong {
		c.Error(command.ErrWrongType)
		return
	}
	left := to - from
	c.Array(left)
	if left == 0 {
		return
	}
	l.Each(from, func(v packed.Value) bool {
		bulkValue(c, v)
		left--
		return left > 0
	})
}

func (h *handlers) ltrim(c *command.Ctx) {
	var l kv.ListKey
	wrong := false
	from, to, ok := span(c, func() int {
		var ok bool
		l, ok = h.db(c).List(c.Arg(1), kv.ForWrite)
		if wrong = !ok; wrong {
			return 0
		}
		return l.Len()
	})
	switch {
	case !ok:
		return
	case wrong:
		c.Error(command.ErrWrongType)
		return
	case !l.Exists():
		c.OK()
		return
	}
	l.Delete(to, l.Len()-to)
	l.Delete(0, from)
	removed := l.Commit()
	h.notify(c, command.NotifyList, "ltrim", c.Arg(1))
	if removed {
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
	c.OK()
}
