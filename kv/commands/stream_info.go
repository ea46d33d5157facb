package commands

import (
	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) xinfoSpecs() []command.Spec {
	sub := func(name string, arity int, args, doc string, run command.Handler, tips ...string) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: command.ReadOnly, ACL: command.CatStream,
			Keys:  []command.KeySpec{{Begin: 2, Flags: command.RO | command.Access}},
			Group: "stream", Since: "5.0.0", Cost: "O(1)", Args: args, Doc: doc, Run: run, Tips: tips}
	}
	return []command.Spec{
		sub("consumers", 4, "key group", "Returns a list of the consumers in a consumer group.", h.xinfoConsumers, "nondeterministic_output"),
		sub("groups", 3, "key", "Returns a list of the consumer groups of a stream.", h.xinfoGroups),
		sub("stream", -3, "key [FULL [COUNT count]]", "Returns information about a stream.", h.xinfoStream),
		{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, ACL: command.CatStream, Group: "stream", Since: "5.0.0", Cost: "O(1)",
			Doc: "Returns helpful text about the different subcommands.", Run: xinfoHelp},
	}
}

// infoStream opens the stream of a subcommand of XINFO. ok is false if the error
// has been replied.
func (h *handlers) infoStream(c *command.Ctx) (k kv.StreamKey, ok bool) {
	if k, ok = h.stream(c, c.Arg(2), reading(c)); ok && !k.Exists() {
		c.Error(command.ErrNoSuchKey)
		return k, false
	}
	return k, ok
}

func replyRead(c *command.Ctx, g kv.StreamGroup) {
	c.BulkString("entries-read")
	if n, ok := g.Read(); ok {
		c.Int(n)
	} else {
		c.Null()
	}
	c.BulkString("lag")
	if n, ok := g.Lag(); ok {
		c.Int(n)
	} else {
		c.Null()
	}
}

func (h *handlers) xinfoConsumers(c *command.Ctx) {
	k, ok := h.infoStream(c)
	if !ok {
		return
	}
	g, ok := group(c, &k)
	if !ok {
		return
	}
	c.Array(g.Consumers())
	g.EachConsumer(func(consumer kv.StreamConsumer) {
		c.Map(4)
		c.BulkString("name")
		c.Bulk(consumer.Name())
		c.BulkString("pending")
		c.Int(int64(consumer.Pending()))
		c.BulkString("idle")
		c.Int(max(0, c.NowMs-consumer.Seen()))
		c.BulkString("inactive")
		inactive := consumer.Active()
		if inactive != -1 {
			inactive = c.NowMs - inactive
		}
		c.Int(inactive)
	})
}

func (h *handlers) xinfoGroups(c *command.Ctx) {
	k, ok := h.infoStream(c)
	if !ok {
		return
	}
	c.Array(k.Info().Groups)
	k.EachGroup(func(g kv.StreamGroup) {
		c.Map(6)
		c.BulkString("name")
		c.BulkString(g.Name())
		c.BulkString("consumers")
		c.Int(int64(g.Consumers()))
		c.BulkString("pending")
		c.Int(int64(g.Pending()))
		c.BulkString("last-delivered-id")
		replyStreamID(c, g.LastID())
		replyRead(c, g)
	})
}

func (h *handlers) xinfoStream(c *command.Ctx) {
	const usual = 10
	k, ok := h.infoStream(c)
	if !ok {
		return
	}
	n, count := len(c.Args), int64(usual)
	full := n > 3
	if full {
		if n != 4 && n != 6 || !c.Is(3, "full") || n == 6 && !c.Is(4, "count") {
			subcommandSyntax(c, "XINFO")
			return
		}
		if n == 6 {
			if count, ok = wholeNumber(c, c.Arg(5)); !ok {
				return
			}
			if count < 0 {
				count = usual
			}
		}
		c.Map(9)
	} else {
		c.Map(10)
	}
	replyStreamInfo(c, k.Info())
	if full {
		replyStreamFull(c, &k, count)
		return
	}
	c.BulkString("groups")
	c.Int(int64(k.Info().Groups))
	for _, edge := range []struct {
		name string
		back bool
	}{{"first-entry", false}, {"last-entry", true}} {
		c.BulkString(edge.name)
		found, each := false, k.Each
		if edge.back {
			each = k.EachBack
		}
		each(kv.StreamID{}, kv.MaxStreamID, func(e *kv.StreamEntry) bool {
			replyStreamEntry(c, e)
			found = true
			return false
		})
		if !found {
			c.Null()
		}
	}
}

// replyStreamInfo replies what both forms of XINFO STREAM begin with. Our tree has
// other nodes than Redis's: there are about as many as keys.
func replyStreamInfo(c *command.Ctx, i kv.StreamInfo) {
	c.BulkString("length")
	c.Int(int64(i.Length))
	c.BulkString("radix-tree-keys")
	c.Int(int64(i.Nodes))
	c.BulkString("radix-tree-nodes")
	c.Int(int64(i.Nodes) + 1)
	c.BulkString("last-generated-id")
	replyStreamID(c, i.LastID)
	c.BulkString("max-deleted-entry-id")
	replyStreamID(c, i.MaxDeletedID)
	c.BulkString("entries-added")
	c.Int(int64(i.EntriesAdded))
	c.BulkString("recorded-first-entry-id")
	replyStreamID(c, i.FirstID)
}

func replyStreamFull(c *command.Ctx, k *kv.StreamKey, count int64) {
	c.BulkString("entries")
	replyStreamRange(c, k, kv.StreamID{}, kv.MaxStreamID, count, false)
	c.BulkString("groups")
	c.Array(k.Info().Groups)
	k.EachGroup(func(g kv.StreamGroup) {
		c.Map(7)
		c.BulkString("name")
		c.BulkString(g.Name())
		c.BulkString("last-delivered-id")
		replyStreamID(c, g.LastID())
		replyRead(c, g)
		c.BulkString("pel-count")
		c.Int(int64(g.Pending()))
		c.BulkString("pending")
		at, n := c.Len(), 0
		g.EachPending(kv.StreamID{}, func(p kv.StreamPending) bool {
			c.Array(4)
			replyStreamID(c, p.ID)
			c.Bulk(p.Consumer.Name())
			c.Int(p.DeliveredMs)
			c.Int(p.Deliveries)
			n++
			return count == 0 || int64(n) < count
		})
		arrayBehind(c, at, n)
		c.BulkString("consumers")
		c.Array(g.Consumers())
		g.EachConsumer(func(consumer kv.StreamConsumer) { replyConsumerFull(c, g, consumer, count) })
	})
}

func replyConsumerFull(c *command.Ctx, g kv.StreamGroup, consumer kv.StreamConsumer, count int64) {
	c.Map(5)
	c.BulkString("name")
	c.Bulk(consumer.Name())
	c.BulkString("seen-time")
	c.Int(consumer.Seen())
	c.BulkString("active-time")
	c.Int(consumer.Active())
	c.BulkString("pel-count")
	c.Int(int64(consumer.Pending()))
	c.BulkString("pending")
	at, n := c.Len(), 0
	g.EachPendingOf(consumer, kv.StreamID{}, func(p kv.StreamPending) bool {
		c.Array(3)
		replyStreamID(c, p.ID)
		c.Int(p.DeliveredMs)
		c.Int(p.Deliveries)
		n++
		return count == 0 || int64(n) < count
	})
	arrayBehind(c, at, n)
}

func xinfoHelp(c *command.Ctx) {
	helpOf(c, "XINFO",
		"CONSUMERS <key> <groupname>",
		"    Show consumers of <groupname>.",
		"GROUPS <key>",
		"    Show the stream consumer groups.",
		"STREAM <key> [FULL [COUNT <count>]",
		"    Show information about the stream.")
}
