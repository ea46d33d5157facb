package commands

import (
	"math"
	"slices"
	"time"

	"conclave/kv"
	"conclave/resp/command"
)

// streamRead is a call of XREAD or XREADGROUP.
type streamRead struct {
	keys  int // index of the first key
	n     int // number of keys
	group int // index of the group's name, behind which the consumer's is; 0: XREAD
	count int64
	noAck bool
	block bool
	until int64
	// after are the IDs behind which to read; for XREADGROUP, the greatest ID
	// stands for what the group hasn't read yet.
	after []kv.StreamID
}

func (h *handlers) xread(c *command.Ctx)      { h.readStreams(c, false) }
func (h *handlers) xreadgroup(c *command.Ctx) { h.readStreams(c, true) }

func (h *handlers) readStreams(c *command.Ctx, group bool) {
	c.NoEffect() // what XREADGROUP does is said piece by piece
	r, ok := parseStreamRead(c, group)
	if !ok {
		return
	}
	var keys [2]kv.StreamKey
	var ids [2]kv.StreamID
	streams, ok := h.openStreams(c, &r, keys[:0], ids[:0])
	if !ok || h.serveStreams(c, &r, streams) {
		return
	}
	if !r.block || c.InExec {
		c.NullArray()
		return
	}
	again := r
	again.after = slices.Clone(r.after)
	w := command.Wait{Until: r.until, Removal: group, Retry: func(c *command.Ctx, key []byte) bool {
		return h.rereadStreams(c, &again, key)
	}}
	for i := range r.n {
		w.Keys = append(w.Keys, r.keys+i)
	}
	c.Block(w)
}

// rereadStreams tries again to answer a call that waits. A reader without a group
// doesn't mind that the key has become something else, or nothing.
func (h *handlers) rereadStreams(c *command.Ctx, r *streamRead, key []byte) bool {
	c.NoEffect()
	if r.group == 0 {
		if k, ok := h.db(c).Stream(key, kv.Quiet); !ok || !k.Exists() {
			return false
		}
	}
	streams, ok := h.openAgain(c, r)
	return !ok || h.serveStreams(c, r, streams)
}

// openAgain opens the streams of a call whose IDs are known.
func (h *handlers) openAgain(c *command.Ctx, r *streamRead) (streams []kv.StreamKey, ok bool) {
	for i := range r.n {
		k, ok := h.openStream(c, r, i)
		if !ok {
			return nil, false
		}
		streams = append(streams, k)
	}
	return streams, true
}

func parseStreamRead(c *command.Ctx, group bool) (r streamRead, ok bool) {
	for i := 1; i < len(c.Args) && r.keys == 0; i++ {
		more := len(c.Args) - i - 1
		switch {
		case c.Is(i, "block") && more > 0:
			i++
			if r.until, ok = parseMillis(c, c.Arg(i)); !ok {
				return r, false
			}
			r.block = true
		case c.Is(i, "count") && more > 0:
			i++
			if r.count, ok = wholeNumber(c, c.Arg(i)); !ok {
				return r, false
			}
			r.count = max(r.count, 0)
		case c.Is(i, "streams") && more > 0:
			r.keys, r.n = i+1, more/2
			if more%2 != 0 {
				c.Error("ERR Unbalanced '" + c.Spec.Name + "' list of streams: for each stream key an ID or '" + map[bool]string{false: "$", true: ">"}[group] + "' must be specified.")
				return r, false
			}
		case c.Is(i, "group") && more >= 2:
			if !group {
				c.Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
				return r, false
			}
			r.group = i + 1
			i += 2
		case c.Is(i, "noack"):
			if !group {
				c.Error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
				return r, false
			}
			r.noAck = true
		default:
			c.Error(command.ErrSyntax)
			return r, false
		}
	}
	switch {
	case r.keys == 0:
		c.Error(command.ErrSyntax)
	case group && r.group == 0:
		c.Error("ERR Missing GROUP option for XREADGROUP")
	default:
		return r, true
	}
	return r, false
}

// parseMillis reads how many milliseconds a call may wait, and returns the Unix
// time at which it has waited enough; 0 = never.
func parseMillis(c *command.Ctx, arg []byte) (until int64, ok bool) {
	n, ok := wholeNumberOr(c, arg, "ERR timeout is not an integer or out of range")
	switch {
	case !ok:
	case n < 0:
		c.Error("ERR timeout is negative")
	case n > math.MaxInt64-c.NowMs:
		c.Error("ERR timeout is out of range")
	case n == 0:
		return 0, true
	default:
		return c.NowMs + n, true
	}
	return 0, false
}

// openStream opens the i-th stream and sees to it that it has the group.
func (h *handlers) openStream(c *command.Ctx, r *streamRead, i int) (k kv.StreamKey, ok bool) {
	key := c.Arg(r.keys + i)
	if k, ok = h.stream(c, key, reading(c)); !ok || r.group == 0 {
		return k, ok
	}
	if _, ok = k.Group(c.Arg(r.group)); !ok {
		c.Error("NOGROUP No such key '" + string(text(key)) + "' or consumer group '" + string(text(c.Arg(r.group))) + "' in XREADGROUP with GROUP option")
	}
	return k, ok
}

// openStreams opens the streams and reads the IDs. ok is false if the error has
// been replied.
func (h *handlers) openStreams(c *command.Ctx, r *streamRead, streams []kv.StreamKey, ids []kv.StreamID) (opened []kv.StreamKey, ok bool) {
	for i := range r.n {
		k, ok := h.openStream(c, r, i)
		if !ok {
			return nil, false
		}
		arg := c.Arg(r.keys + r.n + i)
		var id kv.StreamID
		switch {
		case len(arg) == 1 && arg[0] == '$':
			if r.group != 0 {
				c.Error("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
				return nil, false
			}
			id = k.LastID()
		case len(arg) == 1 && arg[0] == '>':
			if r.group == 0 {
				c.Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
				return nil, false
			}
			id = kv.MaxStreamID
		default:
			if id, ok = streamID(c, arg); !ok {
				return nil, false
			}
		}
		streams, ids = append(streams, k), append(ids, id)
	}
	r.after = ids
	return streams, true
}

// serveStreams replies if there is anything to reply.
func (h *handlers) serveStreams(c *command.Ctx, r *streamRead, streams []kv.StreamKey) bool {
	at, n := c.Len(), 0
	for i := range streams {
		k := &streams[i]
		if !k.Exists() {
			continue
		}
		served := false
		if r.group != 0 {
			served = h.serveGroup(c, r, i, k)
			k.Commit()
		} else {
			served = serveStream(c, r, i, k)
		}
		if served {
			n++
		}
	}
	if n == 0 {
		return false
	}
	tail := c.Len()
	if c.Proto() == 3 {
		c.Map(n)
	} else {
		c.Array(n)
	}
	hoist(c, at, tail)
	return true
}

// replyStreamName begins the reply of one stream.
func replyStreamName(c *command.Ctx, key []byte) {
	if c.Proto() != 3 {
		c.Array(2)
	}
	c.Bulk(key)
}

func serveStream(c *command.Ctx, r *streamRead, i int, k *kv.StreamKey) bool {
	newest, ok := k.Newest()
	if !ok || newest.Compare(r.after[i]) <= 0 {
		return false
	}
	from, _ := r.after[i].Next()
	replyStreamName(c, c.Arg(r.keys+i))
	replyStreamRange(c, k, from, kv.MaxStreamID, r.count, false)
	return true
}

// serveGroup reads for a consumer of a group. It is there, and gets what is new
// or, if an ID was given, what is pending with it.
func (h *handlers) serveGroup(c *command.Ctx, r *streamRead, i int, k *kv.StreamKey) bool {
	key, group := c.Arg(r.keys+i), c.Arg(r.group)
	g, ok := k.Group(group)
	if !ok {
		return false
	}
	after := r.after[i]
	history, some := after != kv.MaxStreamID, false
	if !history {
		newest, ok := k.Newest()
		after = g.LastID()
		some = ok && newest.Compare(after) > 0
	}
	consumer := h.makeConsumer(c, g, key, group, c.Arg(r.group+1))
	g.Saw(consumer, wallClock(c), some && !r.noAck)
	from, _ := after.Next() // behind the greatest ID comes the first, as in Redis
	switch {
	case history:
		replyStreamName(c, key)
		replyPendingOf(c, k, g, consumer, from, r.count)
	case some:
		replyStreamName(c, key)
		deliverNew(c, k, g, consumer, r, i, from)
	}
	return history || some
}

// wallClock is the time in Unix milliseconds that consumers are seen at, and that
// new IDs are made of, where the call doesn't say.
func wallClock(c *command.Ctx) int64 {
	if c.Obey {
		return time.Now().UnixMilli()
	}
	return c.NowMs
}

// makeConsumer finds a consumer or makes it.
func (h *handlers) makeConsumer(c *command.Ctx, g kv.StreamGroup, key, group, name []byte) kv.StreamConsumer {
	consumer, made := g.MakeConsumer(name, wallClock(c))
	if made {
		h.notify(c, command.NotifyStream, "xgroup-createconsumer", key)
		if c.Kept() {
			c.Rewrite([]byte("XGROUP"), []byte("CREATECONSUMER"), key, group, name)
		}
	}
	return consumer
}

// deliverNew replies entries that nobody in the group has got yet.
func deliverNew(c *command.Ctx, k *kv.StreamKey, g kv.StreamGroup, consumer kv.StreamConsumer, r *streamRead, i int, from kv.StreamID) {
	at, n := c.Len(), 0
	k.Each(from, kv.MaxStreamID, func(e *kv.StreamEntry) bool {
		g.Advance(e.ID)
		replyStreamEntry(c, e)
		if !r.noAck {
			p := kv.StreamPending{ID: e.ID, Consumer: consumer, DeliveredMs: c.NowMs, Deliveries: 1}
			g.SetPending(p)
			claimEffect(c, c.Arg(r.keys+i), c.Arg(r.group), g, p)
		}
		n++
		return r.count == 0 || int64(n) < r.count
	})
	arrayBehind(c, at, n)
	groupEffect(c, c.Arg(r.keys+i), c.Arg(r.group), g)
}

// replyPendingOf replies what is pending with a consumer, and counts that as
// another delivery. Entries that have been deleted are shown without fields.
func replyPendingOf(c *command.Ctx, k *kv.StreamKey, g kv.StreamGroup, consumer kv.StreamConsumer, from kv.StreamID, count int64) {
	at, n := c.Len(), 0
	g.EachPendingOf(consumer, from, func(p kv.StreamPending) bool {
		if e, ok := k.Find(p.ID); ok {
			replyStreamEntry(c, &e)
			p.DeliveredMs = c.NowMs
			p.Deliveries++
			g.SetPending(p)
		} else {
			c.Array(2)
			replyStreamID(c, p.ID)
			c.NullArray()
		}
		n++
		return count == 0 || int64(n) < count
	})
	arrayBehind(c, at, n)
}

// claimEffect says that an entry has become pending, or has changed hands.
func claimEffect(c *command.Ctx, key, group []byte, g kv.StreamGroup, p kv.StreamPending) {
	if !c.Kept() {
		return
	}
	c.Rewrite([]byte("XCLAIM"), key, group, slices.Clone(p.Consumer.Name()), []byte{'0'}, p.ID.Append(nil),
		[]byte("TIME"), appendInt(nil, p.DeliveredMs), []byte("RETRYCOUNT"), appendInt(nil, p.Deliveries),
		[]byte("FORCE"), []byte("JUSTID"), []byte("LASTID"), g.LastID().Append(nil))
}

// groupEffect says how far a group has read.
func groupEffect(c *command.Ctx, key, group []byte, g kv.StreamGroup) {
	if !c.Kept() {
		return
	}
	read, ok := g.Read()
	if !ok {
		read = -1
	}
	c.Rewrite([]byte("XGROUP"), []byte("SETID"), key, group, g.LastID().Append(nil), []byte("ENTRIESREAD"), appendInt(nil, read))
}
