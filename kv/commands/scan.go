package commands

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"conclave/fsm/slot"
	"conclave/kv"
	"conclave/resp"
	"conclave/resp/command"
)

// wholeDB are the flags of commands that look at the whole database one
// partition at a time, except within EXEC.
const wholeDB = command.Detached | command.WholeStore

func (h *handlers) scanSpecs() []command.Spec {
	return []command.Spec{
		{Name: "keys", Arity: 2, Flags: command.ReadOnly | wholeDB, ACL: command.CatKeyspace | command.CatDangerous,
			Group: "generic", Since: "1.0.0", Cost: "O(N) where N is the number of keys", Args: "pattern",
			Tips: []string{"request_policy:all_shards", "nondeterministic_output_order"},
			Doc:  "Returns all key names that match a pattern.", Run: h.keys},
		{Name: "randomkey", Arity: 1, Flags: command.ReadOnly | wholeDB, ACL: command.CatKeyspace,
			Group: "generic", Since: "1.0.0", Cost: "O(1)",
			Tips: []string{"request_policy:all_shards", "nondeterministic_output"},
			Doc:  "Returns a random key name from the database.", Run: h.randomkey},
		{Name: "scan", Arity: -2, Flags: command.ReadOnly | wholeDB, ACL: command.CatKeyspace,
			Group: "generic", Since: "2.8.0", Cost: "O(1) for every call, O(N) for a complete iteration",
			Args: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
			Tips: []string{"nondeterministic_output", "request_policy:special"},
			Doc:  "Iterates over the key names in the database.", Run: h.scan},
	}
}

// allLocked reports whether the server holds every partition for this call.
func allLocked(c *command.Ctx) bool { return c.InExec || !c.Spec.Is(command.Detached) }

// patternSlot is the slot that every key matching the pattern lies in, if the
// pattern settles that: its hash tag comes before any wildcard, or it has none.
func patternSlot(p []byte) int {
	wild := bytes.IndexAny(p, `*?[\`)
	if wild < 0 {
		return slot.Of(p)
	}
	// A tag that is empty makes the whole key count.
	open := bytes.IndexByte(p[:wild], '{')
	if open >= 0 && bytes.IndexByte(p[open:wild], '}') > 1 {
		return slot.Of(p[:wild])
	}
	return kv.AnySlot
}

func (h *handlers) keys(c *command.Ctx) {
	pattern, db := c.Arg(1), h.db(c)
	all := len(pattern) == 1 && pattern[0] == '*'
	var out resp.Writer
	n := 0
	emit := func(e kv.Entry) {
		if all || command.Glob(pattern, e.Key(), false) {
			out.Bulk(e.Key())
			n++
		}
	}
	if sl := patternSlot(pattern); sl != kv.AnySlot {
		mask := command.PartitionOf(sl)
		if !allLocked(c) {
			h.Store.Lock(mask)
			defer h.Store.Unlock(mask)
		}
		db.EachInSlot(sl, func(e kv.Entry) bool {
			if !e.Expired() {
				emit(e)
			}
			return true
		})
	} else {
		db.Each(allLocked(c), emit)
	}
	c.Array(n)
	c.Raw(out.Bytes())
}

func (h *handlers) randomkey(c *command.Ctx) {
	if key, ok := h.db(c).RandomKey(nil, allLocked(c)); ok {
		c.Bulk(key)
	} else {
		c.Null()
	}
}

// parseCursor reads what C's strtoul reads, to the end.
func parseCursor(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	s := string(b)
	neg := s[0] == '-'
	if neg || s[0] == '+' {
		s = s[1:]
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if neg {
		n = -n
	}
	return n, err == nil
}

// maxScanCount bounds what one call may hold a partition for.
const maxScanCount = math.MaxInt32

type scanOptions struct {
	count     int64
	pattern   []byte
	kind      []byte
	matchAll  bool
	slotRange int
}

func parseScanOptions(c *command.Ctx) (o scanOptions, ok bool) {
	o = scanOptions{count: 10, matchAll: true, slotRange: kv.AnySlot}
	for i := 2; i < len(c.Args); i += 2 {
		if i+1 == len(c.Args) {
			c.Error(command.ErrSyntax)
			return o, false
		}
		v := c.Arg(i + 1)
		switch {
		case c.Is(i, "count"):
			if o.count, ok = kv.ParseInt(v); !ok {
				c.Error(command.ErrNotInteger)
				return o, false
			}
			if o.count < 1 {
				c.Error(command.ErrSyntax)
				return o, false
			}
			o.count = min(o.count, maxScanCount)
		case c.Is(i, "match"):
			o.pattern = v
			o.matchAll = len(v) == 1 && v[0] == '*'
			o.slotRange = patternSlot(v)
		case c.Is(i, "type"):
			o.kind = v
		default:
			c.Error(command.ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func (h *handlers) scan(c *command.Ctx) {
	cursor, ok := parseCursor(c.Arg(1))
	if !ok {
		c.Error("ERR invalid cursor")
		return
	}
	o, ok := parseScanOptions(c)
	if !ok {
		return
	}
	var out resp.Writer
	n := 0
	step := kv.ScanOptions{Slot: o.slotRange, Count: int(o.count), Locked: allLocked(c)}
	next := h.db(c).Scan(cursor, step, func(e kv.Entry) {
		switch {
		case e.Expired():
		case o.kind != nil && !strings.EqualFold(string(o.kind), e.Type().String()):
		case !o.matchAll && !command.Glob(o.pattern, e.Key(), false):
		default:
			out.Bulk(e.Key())
			n++
		}
	})
	c.Array(2)
	c.BulkString(strconv.FormatUint(next, 10))
	c.Array(n)
	c.Raw(out.Bytes())
}
