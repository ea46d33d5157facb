package commands

import (
	"math"
	"math/big"

	"conclave/resp/command"
)

// parseTimeout reads how many seconds a call may wait, and returns the Unix time
// in milliseconds at which it has waited enough; 0 = never. ok is false if the
// error has been replied.
func parseTimeout(c *command.Ctx, arg []byte) (until int64, ok bool) {
	seconds, ok := parseLongDouble(arg)
	if !ok {
		c.Error("ERR timeout is not a float or out of range")
		return 0, false
	}
	ms := new(big.Float).SetPrec(longDoubleBits).Mul(seconds, big.NewFloat(1000))
	n, rounded := ms.Int64()
	if rounded == big.Below && n != math.MaxInt64 {
		n++ // a fraction counts as a whole
	}
	switch {
	case ms.Cmp(new(big.Float).SetInt64(math.MaxInt64)) > 0:
		c.Error("ERR timeout is out of range")
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
