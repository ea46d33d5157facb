package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) xpending(c *command.Ctx) {
	n := len(c.Args)
	if n != 3 && (n < 6 || n > 9) {
		c.Error(command.ErrSyntax)
		return
	}
	var q pendingQuery
	if n > 3 {
		var ok bool
		if q, ok = parsePendingQuery(c); !ok {
			return
		}
	}
	k, ok := h.stream(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	g, ok := k.Group(c.Arg(2))
	switch {
	case !ok:
		errNoGroup(c, c.Arg(1), c.Arg(2))
	case n == 3:
		replyPendingSummary(c, g)
	default:
		replyPending(c, g, q)
	}
}

// pendingQuery is what XPENDING asks for.
type pendingQuery struct {
	idle, count int64
	from, to    kv.StreamID
	consumer    []byte // nil: of all
}

func parsePendingQuery(c *command.Ctx) (q pendingQuery, ok bool) {
	at := 3
	if c.Is(at, "idle") {
		if q.idle, ok = wholeNumber(c, c.Arg(4)); !ok {
			return q, false
		}
		if at += 2; len(c.Args) < at+3 {
			c.Error(command.ErrSyntax)
			return q, false
		}
	}
	if q.count, ok = wholeNumber(c, c.Arg(at+2)); !ok {
		return q, false
	}
	if q.from, ok = rangeStart(c, c.Arg(at)); !ok {
		return q, false
	}
	if q.to, ok = rangeEnd(c, c.Arg(at+1)); !ok {
		return q, false
	}
	if at+3 < len(c.Args) {
		q.consumer = c.Arg(at + 3)
	}
	return q, true
}

func replyPendingSummary(c *command.Ctx, g kv.StreamGroup) {
	c.Array(4)
	c.Int(int64(g.Pending()))
	first, ok := g.NextPending(kv.StreamID{})
	if !ok {
		c.Null()
		c.Null()
		c.NullArray()
		return
	}
	last, _ := g.LastPending()
	replyStreamID(c, first.ID)
	replyStreamID(c, last.ID)
	at, n := c.Len(), 0
	g.EachConsumer(func(consumer kv.StreamConsumer) {
		if pending := consumer.Pending(); pending > 0 {
			c.Array(2)
			c.Bulk(consumer.Name())
			c.BulkInt(int64(pending))
			n++
		}
	})
	arrayBehind(c, at, n)
}

func replyPending(c *command.Ctx, g kv.StreamGroup, q pendingQuery) {
	each := g.EachPending
	if q.consumer != nil {
		consumer, ok := g.Consumer(q.consumer)
		if !ok {
			c.Array(0)
			return
		}
		each = func(from kv.StreamID, visit func(kv.StreamPending) bool) { g.EachPendingOf(consumer, from, visit) }
	}
	at, n := c.Len(), int64(0)
	if q.count > 0 {
		each(q.from, func(p kv.StreamPending) bool {
			if p.ID.Compare(q.to) > 0 {
				return false
			}
			idle := c.NowMs - p.DeliveredMs
			if q.idle != 0 && idle < q.idle {
				return true
			}
			c.Array(4)
			replyStreamID(c, p.ID)
			c.Bulk(p.Consumer.Name())
			c.Int(max(idle, 0))
			c.Int(p.Deliveries)
			n++
			return n < q.count
		})
	}
	arrayBehind(c, at, int(n))
}

// claim is a call of XCLAIM or XAUTOCLAIM.
type claim struct {
	minIdle   int64
	ms        int64 // when the entries count as delivered
	retries   int64 // how often; -1: once more
	force     bool
	justID    bool
	last      kv.StreamID
	timeGiven bool
}

// claimGroup opens the group of a call. ok is false if the error has been replied.
func (h *handlers) claimGroup(c *command.Ctx) (k kv.StreamKey, ok bool) {
	if k, ok = h.stream(c, c.Arg(1), reading(c)); !ok {
		return k, false
	}
	if _, ok = k.Group(c.Arg(2)); !ok {
		errNoGroup(c, c.Arg(1), c.Arg(2))
	}
	return k, ok
}

func (h *handlers) xclaim(c *command.Ctx) {
	c.NoEffect()
	k, ok := h.claimGroup(c)
	if !ok {
		return
	}
	var buf [8]kv.StreamID
	o, ids, ok := parseClaim(c, buf[:0])
	if !ok {
		return
	}
	g, _ := k.Group(c.Arg(2))
	moved := o.last.Compare(g.LastID()) > 0
	if moved {
		g.MoveTo(o.last)
	}
	consumer := h.makeConsumer(c, g, c.Arg(1), c.Arg(2), c.Arg(3))
	g.Saw(consumer, wallClock(c), false)
	at, n, said := c.Len(), 0, false
	for _, id := range ids {
		p, pending := g.FindPending(id)
		e, there := k.Find(id)
		switch {
		case !there && pending:
			claimEffect(c, c.Arg(1), c.Arg(2), g, p)
			g.Acknowledge(id)
			said = true
			continue
		case !there, !pending && !o.force, pending && o.minIdle > 0 && c.NowMs-p.DeliveredMs < o.minIdle:
			continue
		case !pending:
			p = kv.StreamPending{ID: id, Deliveries: 1}
		}
		o.take(c, g, consumer, &p)
		said = true
		replyClaimed(c, &e, o.justID)
		n++
	}
	if moved && !said {
		groupEffect(c, c.Arg(1), c.Arg(2), g)
	}
	k.Commit()
	arrayBehind(c, at, n)
}

// take gives a pending entry to a consumer.
func (o *claim) take(c *command.Ctx, g kv.StreamGroup, consumer kv.StreamConsumer, p *kv.StreamPending) {
	p.Consumer, p.DeliveredMs = consumer, o.ms
	switch {
	case o.retries >= 0:
		p.Deliveries = o.retries
	case !o.justID:
		p.Deliveries++
	}
	g.SetPending(*p)
	g.Saw(consumer, wallClock(c), true)
	claimEffect(c, c.Arg(1), c.Arg(2), g, *p)
}

func replyClaimed(c *command.Ctx, e *kv.StreamEntry, justID bool) {
	if justID {
		replyStreamID(c, e.ID)
	} else {
		replyStreamEntry(c, e)
	}
}

func parseClaim(c *command.Ctx, buf []kv.StreamID) (o claim, ids []kv.StreamID, ok bool) {
	o.retries = -1
	if o.minIdle, ok = wholeNumberOr(c, c.Arg(4), "ERR Invalid min-idle-time argument for XCLAIM"); !ok {
		return o, nil, false
	}
	i := 5
	for ids = buf; i < len(c.Args); i++ {
		id, _, ok := parseStreamID(c.Arg(i), 0, 0)
		if !ok {
			break
		}
		ids = append(ids, id)
	}
	for ; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		ok = true
		switch {
		case c.Is(i, "force"):
			o.force = true
		case c.Is(i, "justid"):
			o.justID = true
		case c.Is(i, "idle") && more:
			i++
			o.ms, ok = wholeNumberOr(c, c.Arg(i), "ERR Invalid IDLE option argument for XCLAIM")
			o.ms, o.timeGiven = c.NowMs-o.ms, true
		case c.Is(i, "time") && more:
			i++
			o.ms, ok = wholeNumberOr(c, c.Arg(i), "ERR Invalid TIME option argument for XCLAIM")
			o.timeGiven = true
		case c.Is(i, "retrycount") && more:
			i++
			o.retries, ok = wholeNumberOr(c, c.Arg(i), "ERR Invalid RETRYCOUNT option argument for XCLAIM")
		case c.Is(i, "lastid") && more:
			i++
			o.last, ok = streamID(c, c.Arg(i))
		default:
			c.Error("ERR Unrecognized XCLAIM option '" + string(text(c.Arg(i))) + "'")
			ok = false
		}
		if !ok {
			return o, nil, false
		}
	}
	if now := wallClock(c); !o.timeGiven || o.ms < 0 || o.ms > now {
		o.ms = now
	}
	return o, ids, true
}

// claimTries is how many entries XAUTOCLAIM looks at for each it may return.
const claimTries = 10

func (h *handlers) xautoclaim(c *command.Ctx) {
	c.NoEffect()
	o, from, count, ok := parseAutoclaim(c)
	if !ok {
		return
	}
	k, ok := h.claimGroup(c)
	if !ok {
		return
	}
	g, _ := k.Group(c.Arg(2))
	consumer := h.makeConsumer(c, g, c.Arg(1), c.Arg(2), c.Arg(3))
	g.Saw(consumer, wallClock(c), false)
	at, n := c.Len(), 0
	var deleted []kv.StreamID
	p, more := g.NextPending(from)
	for tries := count * claimTries; tries > 0 && count > 0 && more; tries-- {
		if e, there := k.Find(p.ID); !there {
			claimEffect(c, c.Arg(1), c.Arg(2), g, p)
			g.Acknowledge(p.ID)
			deleted = append(deleted, p.ID)
			count--
		} else if o.minIdle <= 0 || c.NowMs-p.DeliveredMs >= o.minIdle {
			o.take(c, g, consumer, &p)
			replyClaimed(c, &e, o.justID)
			n++
			count--
		}
		if from, more = p.ID.Next(); more {
			p, more = g.NextPending(from)
		}
	}
	k.Commit()
	next := kv.StreamID{}
	if more {
		next = p.ID
	}
	tail := c.Len()
	c.Array(3)
	replyStreamID(c, next)
	c.Array(n)
	hoist(c, at, tail)
	c.Array(len(deleted))
	for _, id := range deleted {
		replyStreamID(c, id)
	}
}

func parseAutoclaim(c *command.Ctx) (o claim, from kv.StreamID, count int64, ok bool) {
	const usual, most = 100, math.MaxInt64 / 16
	o.ms, o.retries, count = c.NowMs, -1, usual
	if o.minIdle, ok = wholeNumberOr(c, c.Arg(4), "ERR Invalid min-idle-time argument for XAUTOCLAIM"); !ok {
		return o, from, 0, false
	}
	if from, ok = rangeStart(c, c.Arg(5)); !ok {
		return o, from, 0, false
	}
	for i := 6; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "count") && i+1 < len(c.Args):
			i++
			if count, ok = kv.ParseInt(c.Arg(i)); !ok || count < 1 || count > most {
				c.Error("ERR COUNT must be > 0")
				return o, from, 0, false
			}
		case c.Is(i, "justid"):
			o.justID = true
		default:
			c.Error(command.ErrSyntax)
			return o, from, 0, false
		}
	}
	return o, from, count, true
}
