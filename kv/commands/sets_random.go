package commands

import (
	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func (h *handlers) spop(c *command.Ctx) {
	if len(c.Args) > 3 {
		c.Error(command.ErrSyntax)
		return
	}
	n, many := int64(1), len(c.Args) == 3
	if many {
		var ok bool
		if n, ok = kv.ParseInt(c.Arg(2)); !ok || n < 0 {
			c.Error("ERR value is out of range, must be positive")
			return
		}
	}
	k, ok := h.setKey(c, kv.ForWrite)
	switch {
	case !ok:
	case many && (n == 0 || !k.Exists()):
		c.Set(0)
	case !k.Exists():
		c.Null()
	case many:
		h.popMembers(c, &k, n)
	default:
		h.popMember(c, &k)
	}
}

// popMember removes one. What is kept of it is which one.
func (h *handlers) popMember(c *command.Ctx, k *kv.SetKey) {
	if !c.Kept() {
		k.Take(func(v packed.Value) { bulkValue(c, v) })
	} else {
		c.Rewrite(h.takeMember(c, k)...)
	}
	h.membersPopped(c, k.Commit())
}

// takeMember removes a member and replies it, and returns the call that removes
// the same one, all of it in one piece of memory.
func (h *handlers) takeMember(c *command.Ctx, k *kv.SetKey) [][]byte {
	e := new(struct {
		args [3][]byte
		text [36]byte
	})
	k.Take(func(v packed.Value) {
		text := v.Append(append(e.text[:0], "SREM"...))
		e.args = [3][]byte{text[:4:4], c.Arg(1), text[4:]}
	})
	c.Bulk(e.args[2])
	return e.args[:]
}

func (h *handlers) popMembers(c *command.Ctx, k *kv.SetKey, n int64) {
	if size := int64(k.Len()); n >= size {
		replyMembers(c, k)
		h.db(c).Delete(c.Arg(1))
		c.Rewrite([]byte("DEL"), c.Arg(1))
		h.membersPopped(c, true)
		return
	}
	c.Set(int(n))
	for left := n; left > 0; left -= popBatch {
		batch := min(left, popBatch)
		var effect texts
		if c.Kept() {
			effect.all = append(make([][]byte, 0, batch+2), []byte("SREM"), c.Arg(1))
		}
		for range batch {
			k.Take(func(v packed.Value) {
				bulkValue(c, v)
				if c.Kept() {
					effect.add(v)
				}
			})
		}
		c.Rewrite(effect.all...)
	}
	h.membersPopped(c, k.Commit())
}

// popBatch is how many members one call removes where SPOP is kept.
const popBatch = 1024

func (h *handlers) membersPopped(c *command.Ctx, gone bool) {
	h.notify(c, command.NotifySet, "spop", c.Arg(1))
	if gone {
		h.notify(c, command.NotifyGeneric, "del", c.Arg(1))
	}
}

func (h *handlers) srandmember(c *command.Ctx) {
	if len(c.Args) == 2 {
		k, ok := h.setKey(c, reading(c))
		switch {
		case !ok:
		case !k.Exists():
			c.Null()
		default:
			bulkValue(c, k.Random())
		}
		return
	}
	if len(c.Args) > 3 {
		c.Error(command.ErrSyntax)
		return
	}
	n, ok := parseRandomCount(c, c.Arg(2))
	if !ok {
		return
	}
	k, ok := h.setKey(c, reading(c))
	switch {
	case !ok:
	case n == 0 || !k.Exists():
		c.Array(0)
	case n > 0:
		n = min(n, int64(k.Len()))
		c.Array(int(n))
		k.Sample(int(n), func(v packed.Value) { bulkValue(c, v) })
	default:
		start := c.Len()
		c.Array(int(-n))
		h.drawn(c, start, -n, func() { bulkValue(c, k.Random()) })
	}
}
