package commands

import (
	"strconv"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/resp/command"
)

func (r *room) myID(c *command.Ctx) {
	if id := r.Plane.Self(); id != "" {
		c.BulkString(string(id))
		return
	}
	c.Error("ERR No ID yet")
}

func (r *room) myShardID(c *command.Ctx) {
	if n := r.Plane.View().Node(r.Plane.Self()); n != nil {
		c.BulkString(string(n.Shard))
		return
	}
	c.Error("ERR No shard ID yet")
}

func keySlot(c *command.Ctx) { c.Int(int64(slot.Of(c.Arg(2)))) }

// countFailureReports: there is no gossip that would count votes, the leader
// alone suspects.
func (r *room) countFailureReports(c *command.Ctx) {
	n := r.Plane.View().Node(fsm.NodeID(c.Arg(2)))
	switch {
	case n == nil:
		c.Error(unknownNode(c.Arg(2)))
	case n.ID != r.Plane.Self() && (n.Has(fsm.Failed) || r.Plane.Health(n.ID).Suspect):
		c.Int(1)
	default:
		c.Int(0)
	}
}

func (r *room) countKeysInSlot(c *command.Ctx) {
	s, ok := integer(c.Arg(2))
	switch {
	case !ok:
		c.Error(command.ErrNotInteger)
	case s < 0 || s >= slot.Count:
		c.Error("ERR Invalid slot")
	default:
		c.Int(int64(r.Data.CountKeysInSlot(int(s))))
	}
}

func (r *room) getKeysInSlot(c *command.Ctx) {
	s, ok := integer(c.Arg(2))
	n, also := integer(c.Arg(3))
	switch {
	case !ok || !also:
		c.Error(command.ErrNotInteger)
		return
	case s < 0 || s >= slot.Count || n < 0:
		c.Error("ERR Invalid slot or number of keys")
		return
	}
	want := min(n, int64(r.Data.CountKeysInSlot(int(s))))
	// The keys are copied: how many there are must be said first, and the lock
	// is not held while the reply is written.
	ends := make([]int, 0, want)
	var text []byte
	if want > 0 {
		r.Data.GetKeysInSlot(int(s), int(want), c.InExec, func(key []byte) {
			text = append(text, key...)
			ends = append(ends, len(text))
		})
	}
	c.Array(len(ends))
	start := 0
	for _, end := range ends {
		c.Bulk(text[start:end])
		start = end
	}
}

// history is CLUSTER HISTORY: the latest changes, newest first,
// ten by default.
func (r *room) history(c *command.Ctx) {
	all := r.Plane.View().History()
	n := min(10, len(all))
	switch len(c.Args) {
	case 2:
	case 3:
		count, ok := integer(c.Arg(2))
		if !ok || count < 0 {
			c.Error(command.ErrNotInteger)
			return
		}
		n = int(min(count, int64(len(all))))
	default:
		c.Error(mismatch(c))
		return
	}
	c.Array(n)
	for i := range n {
		h := &all[len(all)-1-i]
		c.Map(6)
		c.BulkString("index")
		c.Int(int64(h.Index))
		c.BulkString("time")
		c.Int(h.WallMs)
		for _, f := range [][2]string{{"origin", string(h.Origin)}, {"operation", h.Op}, {"before", h.Before}, {"after", h.After}} {
			c.BulkString(f[0])
			c.BulkString(f[1])
		}
	}
}

// integer reads a number as Redis does: no sign plus, no leading zeros.
func integer(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || b[0] == '+' || b[0] == '0' && len(b) > 1 || b[0] == '-' && b[1] == '0' {
		return 0, false
	}
	return n, true
}
