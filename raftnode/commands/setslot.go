package commands

import (
	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/resp/command"
)

const errSetSlot = "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP"

// planSetSlot is CLUSTER SETSLOT, with Redis's checks in Redis's order.
func (r *room) planSetSlot(c *command.Ctx, st *fsm.State, me *fsm.Node) step {
	if !me.IsPrimary() {
		return refused("ERR Please use SETSLOT only with masters.")
	}
	n, ok := slotArg(c.Arg(2))
	if !ok {
		return wrong(errBadSlot)
	}
	args := c.Args[4:]
	var id []byte
	stable := c.Is(3, "stable")
	if !stable {
		if len(args) == 0 {
			return wrong(errSetSlot)
		}
		id, args = args[0], args[1:]
	}
	if len(args) > 0 && !command.EqualFold(args[0], "timeout") || len(args) > 2 {
		return wrong(errSetSlot)
	}
	var out step
	switch {
	case stable:
		out = step{op: &fsm.SetStable{Slot: uint16(n), Node: me.ID}}
	case c.Is(3, "migrating"):
		out = planMigrating(st, me, n, id)
	case c.Is(3, "importing"):
		out = planImporting(st, me, n, id)
	case c.Is(3, "node"):
		out = r.planNode(st, me, n, id)
	default:
		return wrong(errSetSlot)
	}
	if out.text == "" && len(args) > 0 {
		out.timeoutMs, out.text = timeoutArg(args[1:])
	}
	return out
}

// timeoutArg reads the value of TIMEOUT.
func timeoutArg(args [][]byte) (ms int64, text string) {
	if len(args) == 0 {
		return 0, "ERR Missing timeout value"
	}
	ms, ok := integer(args[0])
	switch {
	case !ok:
		return 0, "ERR timeout is not an integer or out of range"
	case ms < 0:
		return 0, "ERR timeout is negative"
	}
	return ms, ""
}

// peerOf is the other side of a mark.
func peerOf(st *fsm.State, id []byte) (*fsm.Node, step) {
	n := st.Node(fsm.NodeID(id))
	switch {
	case n == nil:
		return nil, refused("ERR I don't know about node " + clip(id))
	case !n.IsPrimary():
		return nil, refused("ERR Target node is not a master")
	}
	return n, step{}
}

func planMigrating(st *fsm.State, me *fsm.Node, n int, id []byte) step {
	if st.OwnerNode(n) != me {
		return refused(refusalText(&fsm.Refusal{Reason: fsm.NotOwner, Slot: n}, "SETSLOT", me.ID))
	}
	to, no := peerOf(st, id)
	if no.text != "" {
		return no
	}
	return step{op: &fsm.SetMigrating{Slot: uint16(n), Node: me.ID, To: to.ID}}
}

func planImporting(st *fsm.State, me *fsm.Node, n int, id []byte) step {
	if st.OwnerNode(n) == me {
		return refused(refusalText(&fsm.Refusal{Reason: fsm.AlreadyOwner, Slot: n}, "SETSLOT", me.ID))
	}
	from, no := peerOf(st, id)
	if no.text != "" {
		return no
	}
	return step{op: &fsm.SetImporting{Slot: uint16(n), Node: me.ID, From: from.ID}}
}

// planNode is SETSLOT NODE. It is sent to everybody involved, and to others:
// all but the first change nothing.
func (r *room) planNode(st *fsm.State, me *fsm.Node, n int, id []byte) step {
	to := st.Node(fsm.NodeID(id))
	owner := st.OwnerNode(n)
	switch {
	case to == nil:
		return refused(unknownNode(id))
	case !to.IsPrimary():
		return refused("ERR Target node is not a master")
	case owner == me && to != me && r.Data.CountKeysInSlot(n) > 0:
		return wrong(keysInSlot(n))
	case owner == to:
		_, out := st.Migrating(me.ID, n)
		if out && r.Data.CountKeysInSlot(n) == 0 {
			return step{op: &fsm.SetStable{Slot: uint16(n), Node: me.ID}}
		}
		return step{}
	}
	return step{moves: true, slots: []slot.Range{{Start: uint16(n), End: uint16(n)}}, to: to.ID, check: true}
}
