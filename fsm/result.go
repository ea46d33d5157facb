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
)

// Refusal is the typed, deterministic no of apply.
type Refusal struct {
	Reason Reason
	Slot   int    // the slot meant, or -1
	Node   NodeID // the node meant, or ""
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("refused: reason %d, slot %d, node %s", r.Reason, r.Slot, r.Node)
}

// Result is what apply answers; it is the same on every node.
type Result struct {
	Index    uint64   // config index after the entry
	Refusal  *Refusal // nil if accepted
	Changed  bool     // false: accepted, but nothing to do
	Epoch    uint64   // BumpEpoch: the resulting epoch
	Bumped   bool
	Diverged bool     // Check failed: stop the node
	Sub      []Result // Batch
}
