package commands

import (
	"strconv"

	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) listMoveSpecs() []command.Spec {
	const (
		write    = command.Write | command.DenyOOM
		blocking = command.Blocking
		acl      = command.CatList
	)
	two := []command.KeySpec{{Begin: 1, Flags: command.RW | command.Access | command.Delete}, {Begin: 2, Flags: command.RW | command.Insert}}
	many := []command.KeySpec{{Begin: 1, Last: -2, Flags: command.RW | command.Access | command.Delete}}
	numbered := func(at int) []command.KeySpec {
		return []command.KeySpec{{Begin: at, NumKeys: true, Flags: command.RW | command.Access | command.Delete}}
	}
	const cost = "O(N+M) where N is the number of keys, and M the number of elements returned"
	return []command.Spec{
		{Name: "blmove", Arity: 6, Flags: write | blocking, ACL: acl, Keys: two, Group: "list", Since: "6.2.0", Cost: "O(1)",
			Args: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
			Doc:  "Takes an element from one list and adds it to another. Waits for an element if there is none.", Run: h.blmove},
		{Name: "blmpop", Arity: -5, Flags: command.Write | blocking, ACL: acl, Keys: numbered(2), Group: "list", Since: "7.0.0", Cost: cost,
			Args: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
			Doc:  "Removes and returns elements from the first of several lists that has any. Waits for an element if none has.",
			Run:  func(c *command.Ctx) { h.mpop(c, 2, true) }},
		{Name: "blpop", Arity: -3, Flags: command.Write | blocking, ACL: acl, Keys: many, Group: "list", Since: "2.0.0", Cost: "O(N) where N is the number of keys",
			Args: "key [key ...] timeout",
			Doc:  "Removes and returns the first element of the first of several lists that has any. Waits for an element if none has.",
			Run:  func(c *command.Ctx) { h.bpop(c, true) }},
		{Name: "brpop", Arity: -3, Flags: command.Write | blocking, ACL: acl, Keys: many, Group: "list", Since: "2.0.0", Cost: "O(N) where N is the number of keys",
			Args: "key [key ...] timeout",
			Doc:  "Removes and returns the last element of the first of several lists that has any. Waits for an element if none has.",
			Run:  func(c *command.Ctx) { h.bpop(c, false) }},
		{Name: "brpoplpush", Arity: 4, Flags: write | blocking, ACL: acl, Keys: two, Group: "list", Since: "2.2.0", Cost: "O(1)",
			Args: "source destination timeout",
			Doc:  "Takes the last element of one list and adds it at the front of another. Waits for an element if there is none.", Run: h.brpoplpush},
		{Name: "lmove", Arity: 5, Flags: write, ACL: acl, Keys: two, Group: "list", Since: "6.2.0", Cost: "O(1)",
			Args: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
			Doc:  "Takes an element from one list and adds it to another.", Run: h.lmove},
		{Name: "lmpop", Arity: -4, Flags: command.Write, ACL: acl, Keys: numbered(1), Group: "list", Since: "7.0.0", Cost: cost,
			Args: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
			Doc:  "Removes and returns elements from the first of several lists that has any.",
			Run:  func(c *command.Ctx) { h.mpop(c, 1, false) }},
		{Name: "rpoplpush", Arity: 3, Flags: write, ACL: acl, Keys: two, Group: "list", Since: "1.2.0", Cost: "O(1)",
			Args: "source destination",
			Doc:  "Takes the last element of one list and adds it at the front of another.", Run: h.rpoplpush},
	}
}

// end reads LEFT or RIGHT.
func end(c *command.Ctx, arg int) (front, ok bool) {
	switch {
	case c.Is(arg, "left"):
		return true, true
	case c.Is(arg, "right"):
		return false, true
	}
	return false, false
}

// ends reads the two ends of LMOVE; ok is false if the error has been replied.
func ends(c *command.Ctx) (from, to, ok bool) {
	from, ok = end(c, 3)
	if ok {
		to, ok = end(c, 4)
	}
	if !ok {
		c.Error(command.ErrSyntax)
	}
	return from, to, ok
}

func (h *handlers) lmove(c *command.Ctx) {
	if from, to, ok := ends(c); ok && !h.moveElement(c, from, to) {
		c.Null()
	}
}

func (h *handlers) rpoplpush(c *command.Ctx) {
	if !h.moveElement(c, false, true) {
		c.Null()
	}
}

func (h *handlers) blmove(c *command.Ctx) {
	from, to, ok := ends(c)
	if !ok {
		return
	}
	if until, ok := deadline(c, c.Arg(5)); ok && !h.moveElement(c, from, to) {
		h.waitToMove(c, until, from, to)
	}
}

func (h *handlers) brpoplpush(c *command.Ctx) {
	if until, ok := deadline(c, c.Arg(3)); ok && !h.moveElement(c, false, true) {
		h.waitToMove(c, until, false, true)
	}
}

func (h *handlers) waitToMove(c *command.Ctx, until int64, from, to bool) {
	if c.InExec {
		c.Null()
		return
	}
	c.Block(command.Wait{Keys: []int{1}, Until: until, Retry: h.whenList(func(c *command.Ctx) bool {
		return h.moveElement(c, from, to)
	})})
}

// moveElement takes an element from an end of the list that the first argument
// names and adds it at an end of the second's. It reports whether it has replied:
// it has not if there is no element.
func (h *handlers) moveElement(c *command.Ctx, from, to bool) (replied bool) {
	source, target := c.Arg(1), c.Arg(2)
	src, ok := h.list(c, source, kv.ForWrite)
	if !ok {
		return true
	}
	if !src.Exists() {
		return false
	}
	if _, ok := h.list(c, target, kv.ForWrite); !ok {
		return true
	}
	src, _ = h.db(c).List(source, kv.Quiet) // an expired target was removed: it may have moved
	at := 0
	if !from {
		at = src.Len() - 1
	}
	var scratch [64]byte
	val := src.At(at).Append(scratch[:0])
	src.Delete(at, 1)
	emptied := false
	if string(source) == string(target) {
		src.Reserve(val)
		src.Push(to, val)
		src.Commit()
	} else {
		emptied = src.Commit()
		dst, _ := h.db(c).List(target, kv.Quiet)
		dst.Reserve(val)
		dst.Push(to, val)
		dst.Commit()
	}
	h.notify(c, command.NotifyList, side(to, "lpush", "rpush"), target)
	h.notify(c, command.NotifyList, side(from, "lpop", "rpop"), source)
	if emptied {
		h.notify(c, command.NotifyGeneric, "del", source)
	}
	if c.Spec.Is(command.Blocking) && c.Kept() {
		c.Rewrite([]byte("LMOVE"), source, target, []byte(side(from, "LEFT", "RIGHT")), []byte(side(to, "LEFT", "RIGHT")))
	}
	c.Bulk(val)
	return true
}

// bpop is BLPOP and BRPOP.
func (h *handlers) bpop(c *command.Ctx, front bool) {
	until, ok := deadline(c, c.Arg(len(c.Args)-1))
	if !ok || h.popFirst(c, front) {
		return
	}
	if c.InExec {
		c.NullArray()
		return
	}
	c.Block(command.Wait{Keys: argRange(1, len(c.Args)-1), Until: until, Retry: h.whenList(func(c *command.Ctx) bool {
		return h.popFirst(c, front)
	})})
}

// popFirst takes an element from the first list that is there. It reports whether
// it has replied.
func (h *handlers) popFirst(c *command.Ctx, front bool) (replied bool) {
	for _, key := range c.Args[1 : len(c.Args)-1] {
		l, ok := h.list(c, key, kv.ForWrite)
		if !ok {
			return true
		}
		if !l.Exists() {
			continue
		}
		c.Array(2)
		c.Bulk(key)
		h.takeOne(c, &l, key, front)
		if c.Kept() {
			c.Rewrite([]byte(side(front, "LPOP", "RPOP")), key)
		}
		return true
	}
	return false
}

// mpop is LMPOP and BLMPOP; the number of keys is argument at.
func (h *handlers) mpop(c *command.Ctx, at int, wait bool) {
	var until int64
	if wait {
		var ok bool
		if until, ok = deadline(c, c.Arg(1)); !ok {
			return
		}
	}
	m, ok := parseMultiPop(c, at)
	if !ok || h.popSome(c, m) {
		return
	}
	if !wait || c.InExec {
		c.NullArray()
		return
	}
	c.Block(command.Wait{Keys: argRange(m.from, m.to), Until: until, Retry: h.whenList(func(c *command.Ctx) bool {
		return h.popSome(c, m)
	})})
}

// multiPop is the arguments of LMPOP: keys [from, to).
type multiPop struct {
	from, to int
	front    bool
	count    int64
}

func parseMultiPop(c *command.Ctx, at int) (m multiPop, ok bool) {
	n, ok := kv.ParseInt(c.Arg(at))
	if !ok || n < 1 {
		c.Error("ERR numkeys should be greater than 0")
		return m, false
	}
	if n >= int64(len(c.Args)-at-1) {
		c.Error(command.ErrSyntax)
		return m, false
	}
	m = multiPop{from: at + 1, to: at + 1 + int(n), count: -1}
	if m.front, ok = end(c, m.to); !ok {
		c.Error(command.ErrSyntax)
		return m, false
	}
	for i := m.to + 1; i < len(c.Args); i += 2 {
		if m.count >= 0 || i+1 == len(c.Args) || !c.Is(i, "count") {
			c.Error(command.ErrSyntax)
			return m, false
		}
		if m.count, ok = kv.ParseInt(c.Arg(i + 1)); !ok || m.count < 1 {
			c.Error("ERR count should be greater than 0")
			return m, false
		}
	}
	m.count = max(m.count, 1)
	return m, true
}

// popSome takes elements from the first list that is there. It reports whether it
// has replied.
func (h *handlers) popSome(c *command.Ctx, m multiPop) (replied bool) {
	for _, key := range c.Args[m.from:m.to] {
		l, ok := h.list(c, key, kv.ForWrite)
		if !ok {
			return true
		}
		if !l.Exists() {
			continue
		}
		c.Array(2)
		c.Bulk(key)
		n := h.takeMany(c, &l, key, m.front, m.count)
		if c.Kept() {
			c.Rewrite([]byte(side(m.front, "LPOP", "RPOP")), key, strconv.AppendInt(nil, int64(n), 10))
		}
		return true
	}
	return false
}
