package commands

import (
	"math"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

// errReplyTooLong refuses to draw so often that the reply would be longer than
// any string may be: with repetition, nothing else bounds it.
const errReplyTooLong = "ERR value is out of range, the reply would exceed proto-max-bulk-len"

// parseRandomCount reads how many elements are to be drawn; ok is false if the
// error has been replied.
func parseRandomCount(c *command.Ctx, arg []byte) (n int64, ok bool) {
	n, ok = kv.ParseInt(arg)
	switch {
	case !ok:
		c.Error(command.ErrNotInteger)
	case n == math.MinInt64:
		ok = false
		c.Error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	}
	return n, ok
}

// drawn writes n replies of draw, or an error in place of everything from the
// start of the reply on, if they get too long.
func (h *handlers) drawn(c *command.Ctx, start int, n int64, draw func()) {
	most := start + int(min(h.maxBulk(), math.MaxInt32))
	for ; n > 0; n-- {
		draw()
		if c.Len() > most {
			c.Truncate(start)
			c.Error(errReplyTooLong)
			return
		}
	}
}

func (h *handlers) hrandfield(c *command.Ctx) {
	if len(c.Args) == 2 {
		k, ok := h.hash(c, reading(c))
		switch {
		case !ok:
		case !k.Exists():
			c.Null()
		default:
			field, _ := k.Random()
			bulkValue(c, field)
		}
		return
	}
	n, ok := parseRandomCount(c, c.Arg(2))
	if !ok {
		return
	}
	values := len(c.Args) == 4 && c.Is(3, "withvalues")
	if len(c.Args) > 3 && !values {
		c.Error(command.ErrSyntax)
		return
	}
	if values && (n < -math.MaxInt64/2 || n > math.MaxInt64/2) {
		c.Error("ERR value is out of range")
		return
	}
	k, ok := h.hash(c, reading(c))
	if !ok {
		return
	}
	if !k.Exists() || n == 0 {
		c.Array(0)
		return
	}
	h.randomFields(c, &k, n, values)
}

// randomFields replies n different fields, or -n that may be the same.
func (h *handlers) randomFields(c *command.Ctx, k *kv.HashKey, n int64, values bool) {
	start := c.Len()
	header := func(n int64) {
		if values && c.Proto() == 2 {
			n *= 2
		}
		c.Array(int(n))
	}
	reply := func(field, val packed.Value) {
		if values && c.Proto() == 3 {
			c.Array(2)
		}
		bulkValue(c, field)
		if values {
			bulkValue(c, val)
		}
	}
	if n > 0 {
		n = min(n, int64(k.Len()))
		header(n)
		k.Sample(int(n), reply)
		return
	}
	header(-n)
	h.drawn(c, start, -n, func() { reply(k.Random()) })
}
