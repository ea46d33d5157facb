package fsm

import "fmt"

// Reason says why apply refused an operation. Callers map it to Redis's texts.
type Reason uint16

// The reasons. Their numbers travel between nodes and never change.
const (
	Accepted Reason = iota
	UnknownNode
	NotMember
	NotPrimary
	StaleAttempt
	StaleIncarnation
	StaleTenure
	StaleShard
	StaleStamp
	Forgotten
	WrongCluster
	SlotBusy
	SlotUnassigned
	NotOwner
	AlreadyOwner
	OwnsSlots
	LastMember
	KnowsOthers
	EpochSet
	NotFailed
	HasSupporters
	Self
	AlreadyFounded
	LevelTooHigh
	// NotFounded: anything but Found before there is a cluster.
	NotFounded
	// Invalid: the operation contradicts itself, whatever the state: slots out
	// of range, named twice or missing, a name that is empty or too long.
	Invalid
	// NoAddress: a member of a cluster of several needs one. Node is the one
	// without.
	NoAddress
	// StaleGeneration: the generation is below the recorded one.
	StaleGeneration
	// Expired: the request is too old to know whether it was applied before.
	Expired
	// Full: no room for more members.
	Full

	reasonCount
)

// String is the reason in words.
func (r Reason) String() string {
	if r >= reasonCount {
		return fmt.Sprintf("reason %d", uint16(r))
	}
	return [reasonCount]string{
		Accepted: "accepted", UnknownNode: "unknown node", NotMember: "not a member",
		NotPrimary: "not a primary", StaleAttempt: "another attempt", StaleIncarnation: "stale incarnation",
		StaleTenure: "the tenure has changed", StaleShard: "the shard has changed",
		StaleStamp: "the slot has changed hands", Forgotten: "forgotten", WrongCluster: "another cluster",
		SlotBusy: "slot is busy", SlotUnassigned: "slot is unassigned", NotOwner: "not the owner",
		AlreadyOwner: "already the owner", OwnsSlots: "owns slots", LastMember: "last member",
		KnowsOthers: "knows other nodes", EpochSet: "epoch is set", NotFailed: "not failed",
		HasSupporters: "has supporters", Self: "the node itself", AlreadyFounded: "already founded",
		LevelTooHigh: "feature level too low", NotFounded: "no cluster yet", Invalid: "invalid operation",
		NoAddress: "no address", StaleGeneration: "stale generation", Expired: "request expired",
		Full: "cluster is full",
	}[r]
}

// Refusal is the typed, deterministic no of apply.
type Refusal struct {
	Reason Reason
	Slot   int    // the slot meant, or -1
	Node   NodeID // the node meant, or ""
}

func (r *Refusal) Error() string {
	text := "refused: " + r.Reason.String()
	if r.Slot >= 0 {
		text += fmt.Sprintf(", slot %d", r.Slot)
	}
	if r.Node != "" {
		text += ", node " + string(r.Node)
	}
	return text
}

func refuse(why Reason, node NodeID) *Refusal { return &Refusal{why, -1, node} }

func refuseSlot(why Reason, slot int, node NodeID) *Refusal { return &Refusal{why, slot, node} }

// Result is what apply answers; it is the same on every node, Diverged apart.
type Result struct {
	Index    uint64   // config index after the entry
	Refusal  *Refusal // nil if accepted
	Changed  bool     // false: accepted, but nothing to do
	Epoch    uint64   // BumpEpoch: the resulting epoch
	Bumped   bool
	Diverged bool     // Check failed: stop the node
	Sub      []Result // Batch
}
