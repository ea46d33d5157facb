package commands

import (
	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) databaseSpecs() []command.Spec {
	const danger = command.CatKeyspace | command.CatDangerous
	all := []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	return []command.Spec{
		{Name: "dbsize", Arity: 1, Flags: command.ReadOnly | command.Fast, ACL: command.CatKeyspace,
			Group: "server", Since: "1.0.0", Cost: "O(1)",
			Tips: []string{"request_policy:all_shards", "response_policy:agg_sum"},
			Doc:  "Returns the number of keys in the database.", Run: h.dbsize},
		{Name: "flushall", Arity: -1, Flags: command.Write | command.WholeStore, ACL: danger,
			Group: "server", Since: "1.0.0", Cost: "O(1), the memory is freed elsewhere", Args: "[ASYNC | SYNC]", Tips: all,
			Doc: "Removes all keys from all databases.", Run: h.flushall},
		{Name: "flushdb", Arity: -1, Flags: command.Write | command.WholeStore, ACL: danger,
			Group: "server", Since: "1.0.0", Cost: "O(1), the memory is freed elsewhere", Args: "[ASYNC | SYNC]", Tips: all,
			Doc: "Removes all keys from the current database.", Run: h.flushdb},
		{Name: "swapdb", Arity: 3, Flags: command.Write | command.Fast | command.WholeStore, ACL: danger,
			Group: "server", Since: "4.0.0", Cost: "O(N) where N is the number of watched keys", Args: "index1 index2",
			Doc: "Swaps two databases.", Run: h.swapdb},
	}
}

// dbsize needs no lock: the counts are kept beside the tables.
func (h *handlers) dbsize(c *command.Ctx) { c.Int(h.db(c).Len()) }

// flushMode checks the optional argument; both modes do the same here. If it is
// wrong flushMode writes the error.
func flushMode(c *command.Ctx) bool {
	if len(c.Args) == 1 || len(c.Args) == 2 && (c.Is(1, "sync") || c.Is(1, "async")) {
		return true
	}
	c.Error(command.ErrSyntax)
	return false
}

func (h *handlers) flushall(c *command.Ctx) {
	if flushMode(c) {
		h.Store.FlushAll()
		c.Rewrite(c.Args...) // also where there was nothing here
		c.OK()
	}
}

func (h *handlers) flushdb(c *command.Ctx) {
	if flushMode(c) {
		h.Store.FlushDB(c.Session.DB())
		c.Rewrite(c.Args...)
		c.OK()
	}
}

func (h *handlers) swapdb(c *command.Ctx) {
	if h.Cluster {
		c.Error("ERR SWAPDB is not allowed in cluster mode")
		return
	}
	a, ok := parseInt32(c, c.Arg(1), "ERR invalid first DB index")
	if !ok {
		return
	}
	b, ok := parseInt32(c, c.Arg(2), "ERR invalid second DB index")
	if !ok {
		return
	}
	if n := h.Store.Databases(); a < 0 || a >= n || b < 0 || b >= n {
		c.Error(errDBIndex)
		return
	}
	h.Store.SwapDB(a, b, c.NowMs)
	c.Rewrite(c.Args...)
	c.OK()
}

// reading is how a command that reads looks its keys up for this client.
func reading(c *command.Ctx) kv.Access {
	if c.Session.NoTouch() {
		return kv.Untouched
	}
	return kv.ForRead
}
