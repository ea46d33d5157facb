package commands

import (
	"fmt"
	"strings"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/resp/command"
)

const (
	errKnowsOthers = "ERR The user can assign a config epoch only when the node does not know any other node."
	errEpochSet    = "ERR Node config epoch is already non-zero"
)

// step is what one command comes to, given a state.
type step struct {
	// text is the error that the command ends with. byView says that it is the
	// state's fault and not the arguments': a newer state may decide otherwise.
	text   string
	byView bool

	op fsm.Op // proposed as it is; nil: nothing

	// moves says that slots go to another owner, "" being none: their present
	// owners give them. check refuses that while an owner holds keys.
	moves bool
	slots []slot.Range
	to    fsm.NodeID
	check bool

	timeoutMs int64 // of SETSLOT ... TIMEOUT, 0 = none
	reply     func(c *command.Ctx, res fsm.Result)
}

func wrong(text string) step   { return step{text: text} }
func refused(text string) step { return step{text: text, byView: true} }

// plan is what a command means in a state.
func (r *room) plan(c *command.Ctx, st *fsm.State) step {
	me := st.Node(r.Plane.Self())
	if me == nil {
		return refused(errNoPlace)
	}
	switch strings.ToLower(string(c.Arg(1))) {
	case "addslots":
		return r.planSlots(c, st, me, false, single)
	case "addslotsrange":
		return r.planSlots(c, st, me, false, pairs)
	case "delslots":
		return r.planSlots(c, st, me, true, single)
	case "delslotsrange":
		return r.planSlots(c, st, me, true, pairs)
	case "flushslots":
		return r.planFlush(st, me)
	case "setslot":
		return r.planSetSlot(c, st, me)
	case "bumpepoch":
		return step{op: &fsm.BumpEpoch{Node: me.ID}, reply: func(c *command.Ctx, res fsm.Result) {
			word := "STILL"
			if res.Bumped {
				word = "BUMPED"
			}
			c.Simple(fmt.Sprintf("%s %d", word, res.Epoch))
		}}
	case "set-config-epoch":
		return planEpoch(c, st, me)
	case "replicate":
		return r.planReplicate(c, st, me)
	}
	return wrong(mismatch(c))
}

// How ADDSLOTS and ADDSLOTSRANGE name slots.
const (
	single = 1
	pairs  = 2
)

// planSlots is ADDSLOTS, DELSLOTS and their ranges.
func (r *room) planSlots(c *command.Ctx, st *fsm.State, me *fsm.Node, del bool, width int) step {
	args := c.Args[2:]
	if len(args)%width != 0 {
		return wrong("ERR wrong number of arguments for '" + c.Spec.FullName() + "' command")
	}
	numbers := make([]int, len(args))
	for i, a := range args {
		n, ok := slotArg(a)
		if !ok {
			return wrong(errBadSlot)
		}
		numbers[i] = n
	}
	var set slot.Set
	for i := 0; i < len(numbers); i += width {
		first, last := numbers[i], numbers[i+width-1]
		if first > last {
			return wrong(fmt.Sprintf("ERR start slot number %d is greater than end slot number %d", first, last))
		}
		for s := first; s <= last; s++ {
			switch owner := st.Owner(s); {
			case del && owner == nil:
				return refused(fmt.Sprintf("ERR Slot %d is already unassigned", s))
			case !del && owner != nil:
				return refused(fmt.Sprintf("ERR Slot %d is already busy", s))
			}
			if !set.Add(s) {
				return wrong(fmt.Sprintf("ERR Slot %d specified multiple times", s))
			}
		}
	}
	out := step{moves: true, slots: set.Ranges()}
	if !del {
		if !me.IsPrimary() {
			return refused("ERR Please use " + strings.ToUpper(c.Spec.Name) + " only with masters.")
		}
		out.to = me.ID
	}
	return out
}

func (r *room) planFlush(st *fsm.State, me *fsm.Node) step {
	if r.Data.Keys() != 0 {
		return wrong(errFlush)
	}
	if !me.IsPrimary() || st.CountSlots(me.Shard) == 0 {
		return step{}
	}
	// Keys may arrive until the slots are fenced.
	return step{moves: true, slots: st.SlotsOf(me.Shard), check: true}
}

func planEpoch(c *command.Ctx, st *fsm.State, me *fsm.Node) step {
	n, ok := integer(c.Arg(2))
	switch {
	case !ok:
		return wrong(command.ErrNotInteger)
	case n < 0:
		return wrong(fmt.Sprintf("ERR Invalid config epoch specified: %d", n))
	case len(st.Nodes()) > 1:
		return refused(errKnowsOthers)
	case me.Epoch != 0:
		return refused(errEpochSet)
	}
	return step{op: &fsm.SetEpoch{Node: me.ID, Epoch: uint64(n)}}
}

func (r *room) planReplicate(c *command.Ctx, st *fsm.State, me *fsm.Node) step {
	to := st.Node(fsm.NodeID(c.Arg(2)))
	switch {
	case to == nil:
		return refused(unknownNode(c.Arg(2)))
	case to == me:
		return wrong("ERR Can't replicate myself")
	case !to.IsPrimary():
		return refused("ERR I can only replicate a master, not a replica.")
	case me.IsPrimary() && st.CountSlots(me.Shard) != 0:
		return refused(errNotEmpty)
	case me.IsPrimary() && r.Data.Keys() != 0:
		return wrong(errNotEmpty)
	}
	return step{op: &fsm.Replicate{Node: me.ID, Attempt: me.Attempt, Primary: to.ID}}
}

// slotArg reads a slot number.
func slotArg(b []byte) (int, bool) {
	n, ok := integer(b)
	return int(n), ok && n >= 0 && n < slot.Count
}
