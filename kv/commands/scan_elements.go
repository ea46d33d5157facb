package commands

import (
	"strconv"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp"
	"conclave/resp/command"
)

// elementScan are the options of HSCAN, SSCAN and ZSCAN.
type elementScan struct {
	count    int64
	pattern  []byte
	matchAll bool
}

// parseElementScan reads what follows key and cursor; ok is false if the error
// has been replied.
func parseElementScan(c *command.Ctx) (o elementScan, ok bool) {
	o = elementScan{count: 10, matchAll: true}
	for i := 3; i < len(c.Args); i += 2 {
		switch last := i+1 == len(c.Args); {
		case !last && c.Is(i, "count"):
			if o.count, ok = kv.ParseInt(c.Arg(i + 1)); !ok {
				c.Error(command.ErrNotInteger)
				return o, false
			}
			if o.count < 1 {
				c.Error(command.ErrSyntax)
				return o, false
			}
			o.count = min(o.count, maxScanCount)
		case !last && c.Is(i, "match"):
			o.pattern = c.Arg(i + 1)
			o.matchAll = len(o.pattern) == 1 && o.pattern[0] == '*'
		default:
			c.Error(command.ErrSyntax)
			return o, false
		}
	}
	return o, true
}

// scanned are the elements found by one step of a scan.
type scanned struct {
	resp.Writer
	n    int
	text []byte
}

func (o *elementScan) matches(v packed.Value, out *scanned) bool {
	if o.matchAll {
		return true
	}
	text := v.Bytes
	if text == nil {
		out.text = v.Append(out.text[:0])
		text = out.text
	}
	return command.Glob(o.pattern, text, false)
}

func (out *scanned) value(v packed.Value) {
	out.n++
	if v.Bytes != nil {
		out.Bulk(v.Bytes)
	} else {
		out.BulkInt(v.Int)
	}
}

func replyScan(c *command.Ctx, next uint64, out scanned) {
	c.Array(2)
	c.BulkString(strconv.FormatUint(next, 10))
	c.Array(out.n)
	c.Raw(out.Bytes())
}
