package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp"
	"conclave/resp/command"
)

func (h *handlers) lcsSpecs() []command.Spec {
	return []command.Spec{
		{Name: "lcs", Arity: -3, Flags: command.ReadOnly, ACL: command.CatString,
			Keys:  []command.KeySpec{{Begin: 1, Last: 1, Flags: command.RO | command.Access}},
			Group: "string", Since: "7.0.0", Cost: "O(N*M) where N and M are the lengths of the strings",
			Args: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
			Doc:  "Finds the longest common subsequence of two strings.", Run: h.lcs},
	}
}

type lcsOptions struct {
	length, index, withLen bool
	minLen                 int64
}

func (h *handlers) lcs(c *command.Ctx) {
	db, how := h.db(c), reading(c)
	var strs [2][]byte
	for i := range strs {
		e, ok := db.Lookup(c.Arg(1+i), how)
		if !ok {
			continue
		}
		if e.Type() != kv.String {
			c.Error("ERR The specified keys must contain string values")
			return
		}
		strs[i] = e.Bytes(make([]byte, 20))
	}
	var o lcsOptions
	for i := 3; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "idx"):
			o.index = true
		case c.Is(i, "len"):
			o.length = true
		case c.Is(i, "withmatchlen"):
			o.withLen = true
		case c.Is(i, "minmatchlen") && i+1 < len(c.Args):
			i++
			n, ok := kv.ParseInt(c.Arg(i))
			if !ok {
				c.Error(command.ErrNotInteger)
				return
			}
			o.minLen = max(n, 0)
		default:
			c.Error(command.ErrSyntax)
			return
		}
	}
	if o.index && o.length {
		c.Error("ERR If you want both the length and indexes, please just use IDX.")
		return
	}
	a, b := strs[0], strs[1]
	if len(a) >= math.MaxUint32-1 || len(b) >= math.MaxUint32-1 {
		c.Error("ERR String too long for LCS")
		return
	}
	// Also checked where only the length is asked for, which takes two rows,
	// because Redis does and because it bounds the time.
	if cells := uint64(len(a)+1) * uint64(len(b)+1); cells > uint64(h.maxBulk())/4 {
		c.Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
		return
	}
	if o.length {
		c.Int(int64(lcsLength(a, b)))
		return
	}
	newLCSTable(a, b).reply(c, o)
}

func lcsLength(a, b []byte) uint32 {
	prev, row := make([]uint32, len(b)+1), make([]uint32, len(b)+1)
	for i := range a {
		for j := range b {
			if a[i] == b[j] {
				row[j+1] = prev[j] + 1
			} else {
				row[j+1] = max(prev[j+1], row[j])
			}
		}
		prev, row = row, prev
	}
	return prev[len(b)]
}

// lcsTable holds, for every pair of prefixes, the length of their longest
// common subsequence.
type lcsTable struct {
	a, b  []byte
	cells []uint32
}

func newLCSTable(a, b []byte) *lcsTable {
	t := &lcsTable{a, b, make([]uint32, (len(a)+1)*(len(b)+1))}
	w := len(b) + 1
	for i := 1; i <= len(a); i++ {
		row, prev := t.cells[i*w:(i+1)*w], t.cells[(i-1)*w:i*w]
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				row[j] = prev[j-1] + 1
			} else {
				row[j] = max(prev[j], row[j-1])
			}
		}
	}
	return t
}

func (t *lcsTable) at(i, j int) uint32 { return t.cells[i*(len(t.b)+1)+j] }

// lcsMatch is a run of the subsequence that is contiguous in both strings.
type lcsMatch struct{ aStart, aEnd, bStart, bEnd int }

// reply walks the table back from its end, along the path that Redis takes.
func (t *lcsTable) reply(c *command.Ctx, o lcsOptions) {
	i, j := len(t.a), len(t.b)
	n := t.at(i, j)
	result := make([]byte, n)
	var matches resp.Writer
	count := 0
	var m lcsMatch
	open := false
	flush := func() {
		if size := int64(m.aEnd - m.aStart + 1); open && size >= o.minLen {
			count++
			writeMatch(&matches, m, o.withLen)
		}
		open = false
	}
	for k := n; i > 0 && j > 0; {
		switch {
		case t.a[i-1] == t.b[j-1]:
			k--
			i, j = i-1, j-1
			result[k] = t.a[i]
			if open {
				m.aStart, m.bStart = i, j
			} else {
				m, open = lcsMatch{i, i, j, j}, true
			}
			continue
		case t.at(i-1, j) > t.at(i, j-1):
			i--
		default:
			j--
		}
		flush()
	}
	flush()
	if !o.index {
		c.Bulk(result)
		return
	}
	c.Map(2)
	c.BulkString("matches")
	c.Array(count)
	c.Raw(matches.Bytes())
	c.BulkString("len")
	c.Int(int64(n))
}

func writeMatch(w *resp.Writer, m lcsMatch, withLen bool) {
	n := 2
	if withLen {
		n = 3
	}
	w.Array(n)
	w.Array(2)
	w.Int(int64(m.aStart))
	w.Int(int64(m.aEnd))
	w.Array(2)
	w.Int(int64(m.bStart))
	w.Int(int64(m.bEnd))
	if withLen {
		w.Int(int64(m.aEnd - m.aStart + 1))
	}
}
