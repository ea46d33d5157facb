package commands

import (
	"fmt"
	"slices"

	"conclave/fsm/slot"
	"conclave/resp/command"
)

// slotStats is CLUSTER SLOT-STATS: of the slots of this node's shard.
func (r *room) slotStats(c *command.Ctx) {
	switch {
	case c.Is(2, "slotsrange") && len(c.Args) == 5:
		r.slotStatsRange(c)
	case c.Is(2, "orderby"):
		r.slotStatsOrder(c)
	default:
		c.Error(mismatch(c))
	}
}

func (r *room) slotStatsRange(c *command.Ctx) {
	var bounds [2]int64
	for i := range bounds {
		n, ok := slotArg(c.Arg(3 + i))
		if !ok {
			c.Error(errBadSlot)
			return
		}
		bounds[i] = int64(n)
	}
	if bounds[0] > bounds[1] {
		c.Error(fmt.Sprintf("ERR Start slot number %d is greater than end slot number %d", bounds[0], bounds[1]))
		return
	}
	var in []int
	for _, s := range r.shardSlots() {
		if int64(s) >= bounds[0] && int64(s) <= bounds[1] {
			in = append(in, s)
		}
	}
	r.writeSlotStats(c, in)
}

func (r *room) slotStatsOrder(c *command.Ctx) {
	if !c.Is(3, "key-count") {
		c.Error("ERR Unrecognized sort metric for ORDERBY.")
		return
	}
	limit, limited, ordered, ascending := slot.Count, false, false, false
	for i := 4; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "limit") && i+1 < len(c.Args):
			if limited {
				c.Error("ERR Multiple filters of the same type are disallowed.")
				return
			}
			i++
			n, ok := integer(c.Arg(i))
			if !ok || n < 1 || n > slot.Count {
				c.Error("ERR Limit has to lie in between 1 and 16384 (maximum number of slots).")
				return
			}
			limit, limited = int(n), true
		case c.Is(i, "asc") || c.Is(i, "desc"):
			if ordered {
				c.Error("ERR Multiple filters of the same type are disallowed.")
				return
			}
			ordered, ascending = true, c.Is(i, "asc")
		default:
			c.Error(command.ErrSyntax)
			return
		}
	}
	all := r.shardSlots()
	count := make(map[int]int, len(all))
	for _, s := range all {
		count[s] = r.Data.CountKeysInSlot(s)
	}
	slices.SortStableFunc(all, func(a, b int) int {
		if ascending {
			return count[a] - count[b]
		}
		return count[b] - count[a]
	})
	r.writeSlotStats(c, all[:min(limit, len(all))])
}

// shardSlots is what this node's shard owns, ascending.
func (r *room) shardSlots() (all []int) {
	st := r.Plane.View()
	if me := st.Node(r.Plane.Self()); me != nil {
		for _, rg := range st.SlotsOf(me.Shard) {
			for s := int(rg.Start); s <= int(rg.End); s++ {
				all = append(all, s)
			}
		}
	}
	return all
}

func (r *room) writeSlotStats(c *command.Ctx, slots []int) {
	c.Array(len(slots))
	for _, s := range slots {
		c.Array(2)
		c.Int(int64(s))
		c.Map(1)
		c.BulkString("key-count")
		c.Int(int64(r.Data.CountKeysInSlot(s)))
	}
}
