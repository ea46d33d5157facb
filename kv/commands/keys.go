package commands

import (
	"bytes"
	"math"
	"strconv"

	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) keySpecs() []command.Spec {
	const ks = command.CatKeyspace
	every := func(f command.KeyFlags) []command.KeySpec { return []command.KeySpec{{Begin: 1, Last: -1, Flags: f}} }
	two := func(a, b command.KeyFlags) []command.KeySpec {
		return []command.KeySpec{{Begin: 1, Flags: a}, {Begin: 2, Flags: b}}
	}
	sum := []string{"request_policy:multi_shard", "response_policy:agg_sum"}
	return []command.Spec{
		{Name: "copy", Arity: -3, Flags: command.Write | command.DenyOOM, ACL: ks,
			Keys:  two(command.RO|command.Access, command.OW|command.Update),
			Group: "generic", Since: "6.2.0", Cost: "O(N) where N is the size of the value", Args: "source destination [DB destination-db] [REPLACE]",
			Doc: "Copies the value of a key to a new key.", Run: h.copyKey},
		{Name: "del", Arity: -2, Flags: command.Write, ACL: ks, Keys: every(command.RM | command.Delete), Tips: sum,
			Group: "generic", Since: "1.0.0", Cost: "O(N) where N is the number of keys", Args: "key [key ...]",
			Doc: "Deletes one or more keys.", Run: h.del},
		{Name: "exists", Arity: -2, Flags: command.ReadOnly | command.Fast, ACL: ks, Keys: every(command.RO), Tips: sum,
			Group: "generic", Since: "1.0.0", Cost: "O(N) where N is the number of keys", Args: "key [key ...]",
			Doc: "Determines whether one or more keys exist.", Run: h.exists},
		{Name: "move", Arity: 3, Flags: command.Write | command.Fast, ACL: ks, Keys: keySpec(command.RW | command.Access | command.Update),
			Group: "generic", Since: "1.0.0", Cost: "O(1)", Args: "key db",
			Doc: "Moves a key to another database.", Run: h.move},
		{Name: "rename", Arity: 3, Flags: command.Write, ACL: ks,
			Keys:  two(command.RW|command.Access|command.Delete, command.OW|command.Update),
			Group: "generic", Since: "1.0.0", Cost: "O(1)", Args: "key newkey",
			Doc: "Renames a key and overwrites the destination.", Run: h.rename},
		{Name: "renamenx", Arity: 3, Flags: command.Write | command.Fast, ACL: ks,
			Keys:  two(command.RW|command.Access|command.Delete, command.OW|command.Insert),
			Group: "generic", Since: "1.0.0", Cost: "O(1)", Args: "key newkey",
			Doc: "Renames a key only when the target key name doesn't exist.", Run: h.renamenx},
		{Name: "touch", Arity: -2, Flags: command.ReadOnly | command.Fast, ACL: ks, Keys: every(command.RO), Tips: sum,
			Group: "generic", Since: "3.2.1", Cost: "O(N) where N is the number of keys", Args: "key [key ...]",
			Doc: "Returns the number of existing keys out of those specified after updating the time they were last accessed.", Run: h.touch},
		{Name: "type", Arity: 2, Flags: command.ReadOnly | command.Fast, ACL: ks, Keys: keySpec(command.RO),
			Group: "generic", Since: "1.0.0", Cost: "O(1)", Args: "key",
			Doc: "Determines the type of value stored at a key.", Run: h.typeOf},
		{Name: "unlink", Arity: -2, Flags: command.Write | command.Fast, ACL: ks, Keys: every(command.RM | command.Delete), Tips: sum,
			Group: "generic", Since: "4.0.0", Cost: "O(1) for each key, the memory is freed elsewhere", Args: "key [key ...]",
			Doc: "Deletes one or more keys, freeing their memory asynchronously.", Run: h.del},
	}
}

// del is also UNLINK: memory is always freed beside the commands.
func (h *handlers) del(c *command.Ctx) {
	db, n := h.db(c), int64(0)
	for _, key := range c.Args[1:] {
		if db.Delete(key) {
			h.notify(c, command.NotifyGeneric, "del", key)
			n++
		}
	}
	c.Int(n)
}

func (h *handlers) exists(c *command.Ctx) { h.countKeys(c, kv.Untouched) }
func (h *handlers) touch(c *command.Ctx)  { h.countKeys(c, kv.ForRead) }

func (h *handlers) countKeys(c *command.Ctx, how kv.Access) {
	db, n := h.db(c), int64(0)
	for _, key := range c.Args[1:] {
		if _, ok := db.Lookup(key, how); ok {
			n++
		}
	}
	c.Int(n)
}

func (h *handlers) typeOf(c *command.Ctx) {
	if e, ok := h.db(c).Lookup(c.Arg(1), kv.Untouched); ok {
		c.Simple(e.Type().String())
	} else {
		c.Simple("none")
	}
}

func (h *handlers) rename(c *command.Ctx) {
	if h.renamed(c, false) {
		c.OK()
	}
}

func (h *handlers) renamenx(c *command.Ctx) {
	if h.renamed(c, true) {
		c.Int(1)
	}
}

// renamed moves the key, or writes the reply if it doesn't.
func (h *handlers) renamed(c *command.Ctx, nx bool) bool {
	db, from, to := h.db(c), c.Arg(1), c.Arg(2)
	if _, ok := db.Lookup(from, kv.ForWrite); !ok {
		c.Error(command.ErrNoSuchKey)
		return false
	}
	if bytes.Equal(from, to) {
		if nx {
			c.Int(0)
		}
		return !nx
	}
	if nx {
		if _, ok := db.Lookup(to, kv.ForWrite); ok {
			c.Int(0)
			return false
		}
	}
	if !db.Move(from, db, to) {
		return false
	}
	h.notify(c, command.NotifyGeneric, "rename_from", from)
	h.notify(c, command.NotifyGeneric, "rename_to", to)
	return true
}

const (
	errDBIndex    = "ERR DB index is out of range"
	errSameObject = "ERR source and destination objects are the same"
)

// parseInt32 reads a number of the C type int. If it can't it writes the error,
// Redis's own if msg is empty.
func parseInt32(c *command.Ctx, arg []byte, msg string) (int, bool) {
	n, ok := kv.ParseInt(arg)
	switch {
	case ok && n >= math.MinInt32 && n <= math.MaxInt32:
		return int(n), true
	case msg != "":
		c.Error(msg)
	case !ok:
		c.Error(command.ErrNotInteger)
	default:
		c.Error("ERR value is out of range, value must between " +
			strconv.Itoa(math.MinInt32) + " and " + strconv.Itoa(math.MaxInt32))
	}
	return 0, false
}

// databasesShown is how many databases there seem to be in cluster mode, where
// the store has only one: a number up to it gets the error that says why.
const databasesShown = 16

// dbIndex reads the number of a database. If it can't it writes the error.
func (h *handlers) dbIndex(c *command.Ctx, arg []byte) (int, bool) {
	count := h.Store.Databases()
	if h.Cluster {
		count = databasesShown
	}
	n, ok := parseInt32(c, arg, "")
	if ok && (n < 0 || n >= count) {
		c.Error(errDBIndex)
		return 0, false
	}
	return n, ok
}

func (h *handlers) move(c *command.Ctx) {
	if h.Cluster {
		c.Error("ERR MOVE is not allowed in cluster mode")
		return
	}
	n, ok := h.dbIndex(c, c.Arg(2))
	if !ok {
		return
	}
	db, key := h.db(c), c.Arg(1)
	if n == db.Number() {
		c.Error(errSameObject)
		return
	}
	to := h.Store.DB(n, c.NowMs)
	if _, ok := db.Lookup(key, kv.ForWrite); !ok {
		c.Int(0)
		return
	}
	if _, ok := to.Lookup(key, kv.ForWrite); ok {
		c.Int(0)
		return
	}
	db.Move(key, to, key)
	h.notify(c, command.NotifyGeneric, "move_from", key)
	h.notifyIn(to.Number(), command.NotifyGeneric, "move_to", key)
	c.Int(1)
}

func (h *handlers) copyKey(c *command.Ctx) {
	db, from, name := h.db(c), c.Arg(1), c.Arg(2)
	to, replace, elsewhere := db, false, false
	for i := 3; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "replace"):
			replace = true
		case c.Is(i, "db") && i+1 < len(c.Args):
			i++
			n, ok := h.dbIndex(c, c.Arg(i))
			if !ok {
				return
			}
			if elsewhere = n != 0; !h.Cluster {
				to = h.Store.DB(n, c.NowMs)
			}
		default:
			c.Error(command.ErrSyntax)
			return
		}
	}
	if h.Cluster && elsewhere {
		c.Error("ERR Copying to another database is not allowed in cluster mode")
		return
	}
	if to.Number() == db.Number() && bytes.Equal(from, name) {
		c.Error(errSameObject)
		return
	}
	if _, ok := db.Lookup(from, reading(c)); !ok {
		c.Int(0)
		return
	}
	if _, ok := to.Lookup(name, kv.ForWrite); ok && !replace {
		c.Int(0)
		return
	}
	db.Copy(from, to, name)
	h.notifyIn(to.Number(), command.NotifyGeneric, "copy_to", name)
	c.Int(1)
}
