package commands

import (
	"math"
	"strconv"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

// positions is what LPOS looks for.
type positions struct {
	rank   int64 // of the first match to be replied, from the end if negative
	count  int64 // of matches; 0 = all, -1 = one, not in an array
	maxLen int64 // elements to be looked at; 0 = all
}

func parsePositions(c *command.Ctx) (p positions, ok bool) {
	p = positions{rank: 1, count: -1}
	for i := 3; i < len(c.Args); i += 2 {
		last := i+1 == len(c.Args)
		switch {
		case !last && c.Is(i, "rank"):
			if p.rank, ok = integerIn(c, c.Arg(i+1), -maxInt, maxInt); !ok {
				return p, false
			}
			if p.rank == 0 {
				c.Error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
				return p, false
			}
		case !last && c.Is(i, "count"):
			if p.count, ok = kv.ParseInt(c.Arg(i + 1)); !ok || p.count < 0 {
				c.Error("ERR COUNT can't be negative")
				return p, false
			}
		case !last && c.Is(i, "maxlen"):
			if p.maxLen, ok = kv.ParseInt(c.Arg(i + 1)); !ok || p.maxLen < 0 {
				c.Error("ERR MAXLEN can't be negative")
				return p, false
			}
		default:
			c.Error(command.ErrSyntax)
			return p, false
		}
	}
	return p, true
}

func (h *handlers) lpos(c *command.Ctx) {
	p, ok := parsePositions(c)
	if !ok {
		return
	}
	l, ok := h.list(c, c.Arg(1), reading(c))
	if !ok {
		return
	}
	var few [8]int64
	found := few[:0]
	want, looked, skip := packed.Parse(c.Arg(2)), int64(0), max(p.rank, -p.rank)-1
	most := p.count
	switch most {
	case -1:
		most = 1
	case 0:
		most = math.MaxInt64
	}
	n := int64(l.Len())
	look := func(v packed.Value) bool {
		at := looked
		if p.rank < 0 {
			at = n - 1 - looked
		}
		if looked++; v.Same(want) {
			if skip > 0 {
				skip--
			} else {
				found = append(found, at)
			}
		}
		return int64(len(found)) < most && (p.maxLen == 0 || looked < p.maxLen)
	}
	if p.rank > 0 {
		l.Each(0, look)
	} else {
		l.EachBack(int(n)-1, look)
	}
	switch {
	case p.count >= 0:
		c.Array(len(found))
		for _, at := range found {
			c.Int(at)
		}
	case len(found) > 0:
		c.Int(found[0])
	default:
		c.Null()
	}
}

const maxInt = math.MaxInt64

// integerIn parses an integer within limits; ok is false if the error has been
// replied.
func integerIn(c *command.Ctx, arg []byte, least, most int64) (n int64, ok bool) {
	n, ok = kv.ParseInt(arg)
	switch {
	case !ok:
		c.Error(command.ErrNotInteger)
	case n < least || n > most:
		ok = false
		c.Error("ERR value is out of range, value must between " + strconv.FormatInt(least, 10) + " and " + strconv.FormatInt(most, 10))
	}
	return n, ok
}
