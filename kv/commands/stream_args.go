package commands

import (
	"bytes"
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

const (
	errStreamID      = "ERR Invalid stream ID specified as stream command argument"
	errIntervalStart = "ERR invalid start ID for the interval"
	errIntervalEnd   = "ERR invalid end ID for the interval"
)

// text is what C takes for a string: it ends at a zero byte.
func text(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// maxIDText is the longest text of an ID that is looked at.
const maxIDText = 127

// idSyntax says what a command takes for an ID.
type idSyntax uint8

const (
	idEdges idSyntax = 1 << iota // - and + are the least and the greatest
	idAuto                       // ms-* is an ID whose number is still to be found
)

// parseStreamID reads an ID; one without a number gets that of missing. auto is set
// if it ends in an asterisk.
func parseStreamID(arg []byte, missing uint64, syntax idSyntax) (id kv.StreamID, auto, ok bool) {
	if len(arg) > maxIDText {
		return id, false, false
	}
	arg = text(arg)
	if len(arg) == 1 && (arg[0] == '-' || arg[0] == '+') {
		if syntax&idEdges == 0 {
			return id, false, false
		}
		if arg[0] == '+' {
			id = kv.MaxStreamID
		}
		return id, false, true
	}
	ms, seq, given := bytes.Cut(arg, []byte{'-'})
	if id.Ms, ok = parseUint(ms); !ok {
		return id, false, false
	}
	id.Seq = missing
	if given {
		if syntax&idAuto != 0 && len(seq) == 1 && seq[0] == '*' {
			id.Seq = 0
			return id, true, true
		}
		id.Seq, ok = parseUint(seq)
	}
	return id, false, ok
}

// parseUint reads a number as strtoull does where it isn't in the form in which it
// would be printed: with space and a sign in front, and leading zeros.
func parseUint(b []byte) (n uint64, ok bool) {
	if i, ok := kv.ParseInt(b); ok {
		return uint64(i), i >= 0
	}
	for len(b) > 0 && (b[0] == ' ' || b[0] >= '\t' && b[0] <= '\r') {
		b = b[1:]
	}
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		d := uint64(c - '0')
		if c < '0' || c > '9' || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if negative {
		n = -n
	}
	return n, true
}

// streamID reads an ID that isn't - or +. ok is false if the error has been
// replied.
func streamID(c *command.Ctx, arg []byte) (id kv.StreamID, ok bool) {
	if id, _, ok = parseStreamID(arg, 0, 0); !ok {
		c.Error(errStreamID)
	}
	return id, ok
}

// streamIDs reads IDs, all before anything is done with the first.
func streamIDs(c *command.Ctx, args [][]byte, buf []kv.StreamID) (ids []kv.StreamID, ok bool) {
	ids = buf
	for _, arg := range args {
		id, ok := streamID(c, arg)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// rangeStart and rangeEnd read an edge of a range: an ID, or one behind a
// parenthesis, which isn't part of the range itself. ok is false if the error has
// been replied.
func rangeStart(c *command.Ctx, arg []byte) (id kv.StreamID, ok bool) {
	id, open, ok := rangeEdge(c, arg, 0)
	if ok && open {
		if id, ok = id.Next(); !ok {
			c.Error(errIntervalStart)
		}
	}
	return id, ok
}

func rangeEnd(c *command.Ctx, arg []byte) (id kv.StreamID, ok bool) {
	id, open, ok := rangeEdge(c, arg, math.MaxUint64)
	if ok && open {
		if id, ok = id.Prev(); !ok {
			c.Error(errIntervalEnd)
		}
	}
	return id, ok
}

func rangeEdge(c *command.Ctx, arg []byte, missing uint64) (id kv.StreamID, open, ok bool) {
	syntax := idEdges
	if open = len(arg) > 1 && arg[0] == '('; open {
		arg, syntax = arg[1:], 0
	}
	if id, _, ok = parseStreamID(arg, missing, syntax); !ok {
		c.Error(errStreamID)
	}
	return id, open, ok
}

// wholeNumber reads an argument that is a number. ok is false if the error has been
// replied.
func wholeNumber(c *command.Ctx, arg []byte) (n int64, ok bool) {
	return wholeNumberOr(c, arg, command.ErrNotInteger)
}

func wholeNumberOr(c *command.Ctx, arg []byte, msg string) (n int64, ok bool) {
	if n, ok = kv.ParseInt(arg); !ok {
		c.Error(msg)
	}
	return n, ok
}

// streamOptions are the options of XADD and XTRIM.
type streamOptions struct {
	trim     kv.StreamTrim
	trimming bool
	// threshold is the index of the number or ID up to which to trim, limit that
	// of LIMIT; 0: not given.
	threshold, limit int
	noMake           bool
}

// parseStreamOptions reads options from the argument at index i on, and returns the
// index of the first one that isn't one: XADD's ID. ok is false if the error has
// been replied.
func (h *handlers) parseStreamOptions(c *command.Ctx, add bool) (o streamOptions, i int, ok bool) {
loop:
	for i = 2; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch {
		case add && len(c.Arg(i)) == 1 && c.Arg(i)[0] == '*':
			break loop
		case more && (c.Is(i, "maxlen") || c.Is(i, "minid")):
			if i, ok = o.parseThreshold(c, i); !ok {
				return o, 0, false
			}
		case more && c.Is(i, "limit"):
			i++
			if o.trim.Limit, ok = wholeNumber(c, c.Arg(i)); !ok {
				return o, 0, false
			}
			if o.trim.Limit < 0 {
				c.Error("ERR The LIMIT argument must be >= 0.")
				return o, 0, false
			}
			o.limit = i
		case add && c.Is(i, "nomkstream"):
			o.noMake = true
		case add:
			break loop
		default:
			c.Error(command.ErrSyntax)
			return o, 0, false
		}
	}
	return o, i, true
}

// parseThreshold reads MAXLEN or MINID at index i, and returns the index of their
// last word.
func (o *streamOptions) parseThreshold(c *command.Ctx, i int) (last int, ok bool) {
	if o.trimming {
		c.Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
		return 0, false
	}
	o.trimming = true
	o.trim.ByID = c.Is(i, "minid")
	i++
	if op := c.Arg(i); i+1 < len(c.Args) && len(op) == 1 && (op[0] == '~' || op[0] == '=') {
		o.trim.Approx = op[0] == '~'
		i++
	}
	o.threshold = i
	if o.trim.ByID {
		o.trim.MinID, ok = streamID(c, c.Arg(i))
		return i, ok
	}
	if o.trim.MaxLen, ok = wholeNumber(c, c.Arg(i)); ok && o.trim.MaxLen < 0 {
		c.Error("ERR The MAXLEN argument must be >= 0.")
		return i, false
	}
	return i, ok
}

// check complains of options that don't go together, and sets the limit that
// approximate trimming has by default.
func (o *streamOptions) check(c *command.Ctx, nodeEntries int, add bool) bool {
	const (
		nodes     = 100
		unlimited = 10_000
		most      = 1_000_000
	)
	switch {
	case o.trim.Limit > 0 && !o.trimming:
		c.Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	case !add && !o.trimming:
		c.Error("ERR syntax error, XTRIM must be called with a trimming strategy")
	case c.Obey:
		o.trim.Limit = 0 // Redis keeps a limit beside the exact threshold
		return true
	case o.limit > 0 && !o.trim.Approx:
		c.Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
	default:
		if o.limit == 0 && o.trim.Approx {
			if o.trim.Limit = nodes * int64(nodeEntries); o.trim.Limit <= 0 {
				o.trim.Limit = unlimited
			}
			o.trim.Limit = min(o.trim.Limit, most)
		}
		return true
	}
	return false
}

// effect is the call with an exact threshold in place of an approximate one, and
// without a limit: what was trimmed depends on the nodes. It is called after
// trimming.
func (o *streamOptions) effect(c *command.Ctx, k *kv.StreamKey, id int, given kv.StreamID) {
	if !c.Kept() {
		return
	}
	args := make([][]byte, 0, len(c.Args))
	for i, arg := range c.Args {
		switch {
		case i > 0 && i == id:
			arg = given.Append(nil)
		case o.trim.Approx && i == o.threshold-1:
			arg = []byte{'='}
		case o.trim.Approx && i == o.threshold:
			arg = exactThreshold(k, o.trim.ByID)
		case o.limit > 0 && (i == o.limit || i == o.limit-1):
			continue
		}
		args = append(args, arg)
	}
	c.Rewrite(args...)
}

func exactThreshold(k *kv.StreamKey, byID bool) []byte {
	info := k.Info()
	switch {
	case !byID:
		return appendInt(nil, int64(info.Length))
	case info.Length == 0:
		return kv.MaxStreamID.Append(nil)
	}
	return info.FirstID.Append(nil)
}
