package commands

import (
	"bytes"
	"errors"
	"fmt"

	"conclave/fsm"
	"conclave/raftnode"
	"conclave/resp/command"
)

const (
	errBadSlot  = "ERR Invalid or out of range slot"
	errNoPlace  = "ERR This node has no place in the cluster's configuration yet; try again"
	errFlush    = "ERR DB must be empty to perform CLUSTER FLUSHSLOTS."
	errNotEmpty = "ERR To set a master the node must be empty and without assigned slots."
)

// mismatch is the error of a handler that got too many words.
func mismatch(c *command.Ctx) string {
	return "ERR unknown subcommand or wrong number of arguments for '" + clip(c.Arg(1)) + "'. Try CLUSTER HELP."
}

func unknownNode(id []byte) string { return "ERR Unknown node " + clip(id) }

// clip bounds what an error text repeats of an argument.
func clip(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b[:min(len(b), 128)])
}

func keysInSlot(slot int) string {
	return fmt.Sprintf("ERR Can't assign hashslot %d to a different node while I still hold keys for this hash slot.", slot)
}

// refusalText puts a refusal of the state machine in Redis's words, for a
// subcommand in upper case.
func refusalText(r *fsm.Refusal, subcommand string, self fsm.NodeID) string {
	switch r.Reason {
	case fsm.UnknownNode:
		return "ERR Unknown node " + string(r.Node)
	case fsm.NotPrimary:
		switch {
		case subcommand == "REPLICATE":
			return "ERR I can only replicate a master, not a replica."
		case r.Node == self:
			return "ERR Please use " + subcommand + " only with masters."
		}
		return "ERR Target node is not a master"
	case fsm.SlotBusy:
		return fmt.Sprintf("ERR Slot %d is already busy", r.Slot)
	case fsm.SlotUnassigned:
		return fmt.Sprintf("ERR Slot %d is already unassigned", r.Slot)
	case fsm.NotOwner:
		if subcommand == "SETSLOT" {
			return fmt.Sprintf("ERR I'm not the owner of hash slot %d", r.Slot)
		}
	case fsm.AlreadyOwner:
		return fmt.Sprintf("ERR I'm already the owner of hash slot %d", r.Slot)
	case fsm.OwnsSlots:
		if subcommand == "REPLICATE" {
			return errNotEmpty
		}
		return fmt.Sprintf("ERR Node %s still owns slots: move them to other nodes first", r.Node)
	case fsm.KnowsOthers:
		return errKnowsOthers
	case fsm.EpochSet:
		return errEpochSet
	case fsm.Self:
		return "ERR Can't replicate myself"
	case fsm.LastMember:
		return "ERR The last node of a cluster can't be removed from it"
	case fsm.HasSupporters:
		return fmt.Sprintf("ERR Node %s has replicas that can take over: fail over to one of them first", r.Node)
	case fsm.NotFailed:
		return fmt.Sprintf("ERR Node %s is not failed and must give up its slots itself", r.Node)
	}
	return "ERR The configuration changed meanwhile (" + r.Reason.String() + "); nothing was changed, try again"
}

// errorText says what went wrong and what to do about it. slot is the first
// slot meant, or -1.
func errorText(err error, subcommand string, self fsm.NodeID, slot int) string {
	var refusal *fsm.Refusal
	var early *raftnode.TooEarlyError
	var join *raftnode.JoinError
	switch {
	case errors.As(err, &refusal):
		return refusalText(refusal, subcommand, self)
	case errors.As(err, &early):
		return fmt.Sprintf("ERR Node %s failed too recently and may still be serving; try again in %d ms", early.Node, early.RetryMs)
	case errors.As(err, &join):
		return "ERR " + join.Text
	case errors.Is(err, raftnode.ErrKeysInSlot) && subcommand == "FLUSHSLOTS":
		return errFlush
	case errors.Is(err, raftnode.ErrKeysInSlot):
		return keysInSlot(slot)
	case errors.Is(err, raftnode.ErrUnknownOutcome):
		return "ERR Outcome unknown: the change may still be committed. Look it up with CLUSTER NODES or CLUSTER HISTORY"
	case errors.Is(err, raftnode.ErrOwnerUnreachable):
		return "ERR The slot's owner can't be reached and is not failed; nothing was changed, try again once it answers or is shown as fail"
	case errors.Is(err, raftnode.ErrNoLeader):
		return "ERR No leader of the cluster configuration is known; nothing was changed, try again"
	case errors.Is(err, raftnode.ErrJoining):
		return "ERR This node is joining a cluster; nothing was changed, try again"
	case errors.Is(err, raftnode.ErrStopped):
		return "ERR The server is shutting down"
	}
	return "ERR " + err.Error()
}
