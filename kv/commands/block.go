package commands

import (
	"math"
	"math/big"

	"conclave/kv"
	"conclave/resp/command"
)

// deadline reads a timeout in seconds, as blocking commands have it, as the Unix
// time in milliseconds when the wait ends; 0 = never. ok is false if the error has
// been replied.
func deadline(c *command.Ctx, arg []byte) (until int64, ok bool) {
	if n, ok := kv.ParseInt(arg); ok && n >= 0 && n < math.MaxInt32 { // as mostly
		if n > 0 {
			until = c.NowMs + n*1000
		}
		return until, true
	}
	f, ok := parseLongDouble(arg)
	if !ok {
		c.Error("ERR timeout is not a float or out of range")
		return 0, false
	}
	most := new(big.Float).SetInt64(math.MaxInt64)
	switch f = f.Mul(f, big.NewFloat(1000)); {
	case f.Sign() < 0:
		// What is above -1 ms is rounded up to no timeout.
		if f.Cmp(big.NewFloat(-1)) > 0 {
			return 0, true
		}
		c.Error("ERR timeout is negative")
		return 0, false
	case f.Cmp(most) > 0:
		c.Error("ERR timeout is out of range")
		return 0, false
	}
	n, acc := f.Int64()
	if acc == big.Below {
		n++
	}
	switch {
	case n == 0:
		return 0, true
	case n > math.MaxInt64-c.NowMs:
		c.Error("ERR timeout is out of range")
		return 0, false
	}
	return c.NowMs + n, true
}

// argRange is the indexes of the arguments [from, to).
func argRange(from, to int) []int {
	at := make([]int, to-from)
	for i := range at {
		at[i] = from + i
	}
	return at
}

// whenType makes the Retry of a command that waits for keys of a type: what has
// another type is not what it waits for.
func (h *handlers) whenType(t kv.Type, try func(c *command.Ctx) (replied bool)) func(*command.Ctx, []byte) bool {
	return func(c *command.Ctx, key []byte) bool {
		e, ok := h.db(c).Lookup(key, kv.Quiet)
		return ok && e.Type() == t && try(c)
	}
}

func (h *handlers) whenList(try func(*command.Ctx) bool) func(*command.Ctx, []byte) bool {
	return h.whenType(kv.List, try)
}
