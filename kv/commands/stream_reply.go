package commands

import (
	"strconv"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// hoist moves what has been replied from offset tail on before what has been from
// offset at on: the length of a list is known only behind it. It is for short
// tails.
func hoist(c *command.Ctx, at, tail int) {
	b := c.Bytes()
	var scratch [128]byte
	head := append(scratch[:0], b[tail:]...)
	copy(b[at+len(head):], b[at:tail])
	copy(b[at:], head)
}

// arrayBehind says that what has been replied from an offset on is an array of n.
func arrayBehind(c *command.Ctx, at, n int) {
	tail := c.Len()
	c.Array(n)
	hoist(c, at, tail)
}

func replyStreamID(c *command.Ctx, id kv.StreamID) {
	var buf [44]byte
	c.Bulk(id.Append(buf[:0]))
}

func replyStreamEntry(c *command.Ctx, e *kv.StreamEntry) {
	c.Array(2)
	replyStreamID(c, e.ID)
	c.Array(2 * e.Len())
	e.Each(func(field, val packed.Value) {
		bulkValue(c, field)
		bulkValue(c, val)
	})
}

// replyStreamRange replies the entries from one ID to another, or the first count
// of them if that isn't 0, as an array.
func replyStreamRange(c *command.Ctx, k *kv.StreamKey, from, to kv.StreamID, count int64, back bool) {
	at, n := c.Len(), 0
	each := k.Each
	if back {
		each = k.EachBack
	}
	each(from, to, func(e *kv.StreamEntry) bool {
		replyStreamEntry(c, e)
		n++
		return count == 0 || int64(n) < count
	})
	arrayBehind(c, at, n)
}

// errNoGroup is the error of most commands about a group that isn't there.
func errNoGroup(c *command.Ctx, key, group []byte) {
	c.Error("NOGROUP No such key '" + string(text(key)) + "' or consumer group '" + string(text(group)) + "'")
}

// subcommandSyntax is the error of a subcommand whose arguments make no sense.
func subcommandSyntax(c *command.Ctx, container string) {
	name := text(c.Arg(1))
	c.Error("ERR unknown subcommand or wrong number of arguments for '" + string(name[:min(len(name), 128)]) + "'. Try " + container + " HELP.")
}

// helpOf replies what HELP says of a container.
func helpOf(c *command.Ctx, container string, lines ...string) {
	c.Array(len(lines) + 3)
	c.Simple(container + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.Simple(l)
	}
	c.Simple("HELP")
	c.Simple("    Prints this help.")
}
