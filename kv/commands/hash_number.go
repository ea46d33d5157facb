package commands

import (
	"math"
	"strconv"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

// The errors of arithmetic, which strings and hashes share.
const (
	errOverflow = "ERR increment or decrement would overflow"
	errNotSum   = "ERR increment would produce NaN or Infinity"
)

func (h *handlers) hincrby(c *command.Ctx) {
	delta, ok := kv.ParseInt(c.Arg(3))
	if !ok {
		c.Error(command.ErrNotInteger)
		return
	}
	k, ok := h.hash(c, kv.ForWrite)
	if !ok {
		return
	}
	var n int64
	if v, there := k.Get(c.Arg(2)); there {
		if n, ok = integerOf(v); !ok {
			c.Error("ERR hash value is not an integer")
			return
		}
	}
	if delta < 0 && n < math.MinInt64-delta || delta > 0 && n > math.MaxInt64-delta {
		c.Error(errOverflow)
		return
	}
	n += delta
	var scratch [20]byte
	k.Set(c.Arg(2), strconv.AppendInt(scratch[:0], n, 10))
	k.Commit()
	h.notify(c, command.NotifyHash, "hincrby", c.Arg(1))
	c.Int(n)
}

// integerOf is an element as an integer, if it is written as one.
func integerOf(v packed.Value) (int64, bool) {
	if v.Bytes != nil {
		return kv.ParseInt(v.Bytes)
	}
	return v.Int, true
}

func (h *handlers) hincrbyfloat(c *command.Ctx) {
	delta, ok := parseLongDouble(c.Arg(3))
	if !ok {
		c.Error(command.ErrNotFloat)
		return
	}
	if delta.IsInf() {
		c.Error("ERR value is NaN or Infinity")
		return
	}
	k, ok := h.hash(c, kv.ForWrite)
	if !ok {
		return
	}
	text := []byte("0")
	if v, there := k.Get(c.Arg(2)); there {
		text = v.Append(text[:0])
	}
	value, ok := parseLongDouble(text)
	if !ok {
		c.Error("ERR hash value is not a float")
		return
	}
	sum, ok := addLongDouble(value, delta)
	if !ok {
		c.Error(errNotSum)
		return
	}
	out := appendLongDouble(nil, sum)
	k.Set(c.Arg(2), out)
	k.Commit()
	h.notify(c, command.NotifyHash, "hincrbyfloat", c.Arg(1))
	if c.Kept() { // as the sum: elsewhere it might be rounded otherwise
		c.Rewrite([]byte("HSET"), c.Arg(1), c.Arg(2), out)
	}
	c.Bulk(out)
}
