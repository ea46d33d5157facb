package commands

import (
	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) xgroupSpecs() []command.Spec {
	sub := func(name string, arity int, f command.Flags, k command.KeyFlags, since, cost, args, doc string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: command.Write | f, ACL: command.CatStream,
			Keys: []command.KeySpec{{Begin: 2, Flags: command.RW | k}}, Group: "stream", Since: since, Cost: cost, Args: args, Doc: doc, Run: run}
	}
	return []command.Spec{
		sub("create", -5, command.DenyOOM, command.Insert, "5.0.0", "O(1)", "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
			"Creates a consumer group.", h.xgroupCreate),
		sub("createconsumer", 5, command.DenyOOM, command.Insert, "6.2.0", "O(1)", "key group consumer",
			"Creates a consumer in a consumer group.", h.xgroupCreateConsumer),
		sub("delconsumer", 5, 0, command.Delete, "5.0.0", "O(N), N being the number of entries pending with the consumer", "key group consumer",
			"Deletes a consumer from a consumer group.", h.xgroupDelConsumer),
		sub("destroy", 4, 0, command.Delete, "5.0.0", "O(N), N being the number of pending entries of the group", "key group",
			"Destroys a consumer group.", h.xgroupDestroy),
		sub("setid", -5, 0, command.Update, "5.0.0", "O(1)", "key group <id | $> [ENTRIESREAD entries-read]",
			"Sets the last-delivered ID of a consumer group.", h.xgroupSetID),
		{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, ACL: command.CatStream, Group: "stream", Since: "5.0.0", Cost: "O(1)",
			Doc: "Returns helpful text about the different subcommands.", Run: xgroupHelp},
	}
}

// groupOptions are the options of XGROUP CREATE and SETID.
type groupOptions struct {
	make bool
	read int64 // -1: not known
}

func parseGroupOptions(c *command.Ctx, create bool) (o groupOptions, ok bool) {
	o.read = -1
	for i := 5; i < len(c.Args); i++ {
		switch {
		case create && c.Is(i, "mkstream"):
			o.make = true
		case c.Is(i, "entriesread") && i+1 < len(c.Args):
			i++
			if o.read, ok = wholeNumber(c, c.Arg(i)); !ok {
				return o, false
			}
			if o.read < -1 {
				c.Error("ERR value for ENTRIESREAD must be positive or -1")
				return o, false
			}
		default:
			subcommandSyntax(c, "XGROUP")
			return o, false
		}
	}
	return o, true
}

// groupStream opens the stream of a subcommand of XGROUP. ok is false if the error
// has been replied.
func (h *handlers) groupStream(c *command.Ctx, create bool) (k kv.StreamKey, ok bool) {
	if k, ok = h.stream(c, c.Arg(2), kv.ForWrite); ok && !create && !k.Exists() {
		c.Error("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
		return k, false
	}
	return k, ok
}

// group finds the group of a subcommand of XGROUP or XINFO.
func group(c *command.Ctx, k *kv.StreamKey) (g kv.StreamGroup, ok bool) {
	if g, ok = k.Group(c.Arg(3)); !ok {
		c.Error("NOGROUP No such consumer group '" + string(text(c.Arg(3))) + "' for key name '" + string(text(c.Arg(2))) + "'")
	}
	return g, ok
}

func (h *handlers) xgroupCreate(c *command.Ctx) {
	const most = 8 // arguments
	o, ok := parseGroupOptions(c, true)
	if !ok {
		return
	}
	k, ok := h.groupStream(c, o.make)
	if !ok {
		return
	}
	if len(c.Args) > most {
		subcommandSyntax(c, "XGROUP")
		return
	}
	id := k.LastID()
	if arg := c.Arg(4); len(arg) != 1 || arg[0] != '$' {
		if id, ok = streamID(c, arg); !ok {
			return
		}
	}
	k.Create()
	made := k.CreateGroup(c.Arg(3), id, o.read)
	k.Commit()
	if !made {
		c.Error("BUSYGROUP Consumer Group name already exists")
		return
	}
	h.notify(c, command.NotifyStream, "xgroup-create", c.Arg(2))
	c.OK()
}

func (h *handlers) xgroupSetID(c *command.Ctx) {
	o, ok := parseGroupOptions(c, false)
	if !ok {
		return
	}
	k, ok := h.groupStream(c, false)
	if !ok {
		return
	}
	g, ok := group(c, &k)
	if !ok {
		return
	}
	if n := len(c.Args); n != 5 && n != 7 {
		subcommandSyntax(c, "XGROUP")
		return
	}
	id := k.LastID()
	if arg := c.Arg(4); len(arg) != 1 || arg[0] != '$' {
		if id, _, ok = parseStreamID(arg, 0, idEdges); !ok {
			c.Error(errStreamID)
			return
		}
	}
	g.SetLastID(id, o.read)
	k.Commit()
	h.notify(c, command.NotifyStream, "xgroup-setid", c.Arg(2))
	c.OK()
}

func (h *handlers) xgroupDestroy(c *command.Ctx) {
	k, ok := h.groupStream(c, false)
	if !ok {
		return
	}
	if !k.DeleteGroup(c.Arg(3)) {
		c.Int(0)
		return
	}
	k.Commit()
	h.notify(c, command.NotifyStream, "xgroup-destroy", c.Arg(2))
	c.Int(1)
}

func (h *handlers) xgroupCreateConsumer(c *command.Ctx) {
	k, ok := h.groupStream(c, false)
	if !ok {
		return
	}
	g, ok := group(c, &k)
	if !ok {
		return
	}
	_, made := g.MakeConsumer(c.Arg(4), wallClock(c))
	k.Commit()
	if !made {
		c.Int(0)
		return
	}
	h.notify(c, command.NotifyStream, "xgroup-createconsumer", c.Arg(2))
	c.Int(1)
}

func (h *handlers) xgroupDelConsumer(c *command.Ctx) {
	k, ok := h.groupStream(c, false)
	if !ok {
		return
	}
	g, ok := group(c, &k)
	if !ok {
		return
	}
	pending, there := g.DeleteConsumer(c.Arg(4))
	k.Commit()
	if there {
		h.notify(c, command.NotifyStream, "xgroup-delconsumer", c.Arg(2))
	}
	c.Int(int64(pending))
}

func xgroupHelp(c *command.Ctx) {
	helpOf(c, "XGROUP",
		"CREATE <key> <groupname> <id|$> [option]",
		"    Create a new consumer group. Options are:",
		"    * MKSTREAM",
		"      Create the empty stream if it does not exist.",
		"    * ENTRIESREAD entries_read",
		"      Set the group's entries_read counter (internal use).",
		"CREATECONSUMER <key> <groupname> <consumer>",
		"    Create a new consumer in the specified group.",
		"DELCONSUMER <key> <groupname> <consumer>",
		"    Remove the specified consumer.",
		"DESTROY <key> <groupname>",
		"    Remove the specified group.",
		"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
		"    Set the current group ID and entries_read counter.")
}

func (h *handlers) xack(c *command.Ctx) {
	k, ok := h.stream(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	g, ok := k.Group(c.Arg(2))
	if !ok {
		c.Int(0)
		return
	}
	var buf [8]kv.StreamID
	ids, ok := streamIDs(c, c.Args[3:], buf[:0])
	if !ok {
		return
	}
	var acknowledged int64
	for _, id := range ids {
		if g.Acknowledge(id) {
			acknowledged++
		}
	}
	k.Commit()
	c.Int(acknowledged)
}
