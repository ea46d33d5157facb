package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) objectSpecs() []command.Spec {
	sub := func(name, since, doc string, run func(*command.Ctx, kv.Entry)) command.Spec {
		return command.Spec{Name: name, Arity: 3, Flags: command.ReadOnly, ACL: command.CatKeyspace,
			Keys:  []command.KeySpec{{Begin: 2, Flags: command.RO}},
			Group: "generic", Since: since, Cost: "O(1)", Args: "key", Doc: doc,
			Tips: []string{"nondeterministic_output"},
			Run: func(c *command.Ctx) {
				if e, ok := h.db(c).Lookup(c.Arg(2), kv.Inspect); ok {
					run(c, e)
				} else {
					c.Null()
				}
			}}
	}
	return []command.Spec{{
		Name: "object", Arity: -2, Group: "generic", Since: "2.2.3", Cost: "Depends on subcommand.",
		Doc: "A container for object introspection commands.",
		Sub: []command.Spec{
			sub("encoding", "2.2.3", "Returns the internal encoding of a value.",
				func(c *command.Ctx, e kv.Entry) { c.BulkString(e.Encoding().String()) }),
			sub("freq", "4.0.0", "Returns the logarithmic access frequency counter of a key.", h.objectFreq),
			sub("idletime", "2.2.3", "Returns the time since the last access to a key.", h.objectIdle),
			sub("refcount", "2.2.3", "Returns the reference count of a value.", objectRefcount),
			{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, ACL: command.CatKeyspace,
				Group: "generic", Since: "6.2.0", Cost: "O(1)", Doc: "Returns helpful text about the different subcommands.", Run: objectHelp},
		},
	}}
}

func (h *handlers) objectFreq(c *command.Ctx, e kv.Entry) {
	if !h.Store.LFU() {
		c.Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
		return
	}
	c.Int(int64(e.Freq()))
}

func (h *handlers) objectIdle(c *command.Ctx, e kv.Entry) {
	if h.Store.LFU() {
		c.Error("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
		return
	}
	c.Int(e.Idle())
}

// sharedRefs is the count that Redis reports of values it shares between keys.
const sharedRefs = math.MaxInt32

// objectRefcount knows no sharing, but answers for small integers what Redis
// does, whose clients test for it.
func objectRefcount(c *command.Ctx, e kv.Entry) {
	if e.Shared() {
		c.Int(sharedRefs)
		return
	}
	c.Int(1)
}

func objectHelp(c *command.Ctx) {
	lines := [...]string{
		"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"ENCODING <key>",
		"    Return the kind of internal representation used in order to store the value",
		"    associated with a <key>.",
		"FREQ <key>",
		"    Return the access frequency index of the <key>. The returned integer is",
		"    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>",
		"    Return the idle time of the <key>, that is the approximated number of",
		"    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>",
		"    Return the number of references of the value associated with the specified",
		"    <key>.",
		"HELP",
		"    Prints this help.",
	}
	c.Array(len(lines))
	for _, l := range lines {
		c.Simple(l)
	}
}
