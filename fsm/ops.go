package fsm

import "conclave/fsm/slot"

// The operations. Each is one typed struct; its preconditions are decided in
// apply and nowhere else: a refused entry changes nothing but the request
// table. Codes never change meaning (testdata/codes.golden holds them).

// Found is the first entry of every cluster: one node, alone, primary of its
// own shard, its own only voter.
type Found struct {
	ClusterID string
	Node      Node
	Slots     []slot.Range // claims taken from a nodes.conf, usually none
	// Peers, Shards: further members when several nodes of a Redis Cluster are
	// taken over from their nodes.conf files; empty otherwise.
}

// Join admits a node as a pending member with everything it claims. Refused:
// StaleAttempt, Forgotten, NotMember (Via), SlotBusy, WrongCluster. An epoch
// that another primary has is replaced by the next free one. The same attempt
// again changes nothing and succeeds. A higher attempt replaces the old record
// (its slots go with it unless claimed again).
type Join struct {
	ClusterID  string
	Node       Node // Attempt, addresses, incarnation, shard, epoch; flags other than Pending are kept
	Slots      []slot.Range
	Via        NodeID // the member the joiner was pointed at
	HelloIndex uint64 // the leader's commit index that Hello gave
}

// Confirm ends the pending state of a member after it first connected.
type Confirm struct {
	ID      NodeID
	Attempt uint64
}

// Drop removes a member whose attempt is dead (it gave up before its commit
// point). No index is remembered, only the attempt.
type Drop struct {
	ID      NodeID
	Attempt uint64
}

// Forget removes a member and leaves a tombstone. Attempt 0 means the current
// one. Forgetting someone who is forgotten already succeeds. Refused:
// UnknownNode, LastMember, OwnsSlots unless Take (the leader has measured that
// the owner has been failed for long enough, at ShardEpoch), HasReplicas where
// the node is a primary that replicas follow and By is not the node itself...
// those replicas become leaderless primaries of nothing: they turn into empty
// primaries of their own shards (id of the shard: NewShards, by replica).
type Forget struct {
	ID         NodeID
	Attempt    uint64
	By         NodeID
	Take       bool
	ShardEpoch uint64 // assumed, if Take
}

// Update changes what a node says of itself. Nil fields stay.
type Update struct {
	ID         NodeID
	Attempt    uint64
	IP         *string
	Port       *uint16
	TLSPort    *uint16
	BusPort    *uint16
	Hostname   *string
	HumanName  *string
	Zone       *string
	TimeoutMs  *uint64
	NoFailover *bool
	Generation *uint64
	Witness    *bool
}

// Start records a new incarnation of a member. If the node is primary its
// tenure ends: the shard's epoch rises and a new tenure begins for the new
// incarnation. Refused: NotMember, StaleIncarnation (Count not above the
// recorded one, unless equal in both parts: then nothing changes).
type Start struct {
	ID          NodeID
	Attempt     uint64
	Incarnation Incarnation
}

// SetFail commits or clears the fail flag.
type SetFail struct {
	ID      NodeID
	Attempt uint64
	Fail    bool
}

// SetSuffrage records a step of the voter manager, after Raft committed it.
type SetSuffrage struct {
	ID         NodeID
	Attempt    uint64
	Generation uint64
	Suffrage   Suffrage
}

// AssignSlots gives unowned slots to a node's shard; also clears that node's
// importing marks on them. Refused: NotMember, SlotBusy. The node is usually a
// primary; a replica's slots go to its primary's shard as in Redis? No: a
// replica is refused (NotPrimary).
type AssignSlots struct {
	Node    NodeID
	Attempt uint64
	Slots   []slot.Range
}

// UnassignSlots takes slots from their owner, proposed by the owner after it
// fenced and drained them, in the tenure it names. Refused: SlotUnassigned,
// NotOwner, StaleTenure. Clears the owner's marks on them, and By's importing
// marks.
type UnassignSlots struct {
	Node   NodeID // the owner
	Tenure uint64
	Slots  []slot.Range
	By     NodeID // who asked
}

// MoveSlots hands slots from a living owner to another primary, proposed by the
// owner after it fenced and drained them. Refused: SlotUnassigned, NotOwner,
// StaleTenure, UnknownNode, NotPrimary. Stamps, where given, one per slot in
// order, must match. Clears From's migrating and To's importing marks on the
// slots (marks elsewhere stay: SETSLOT STABLE clears them); raises To's config
// epoch to a fresh one. To == From's node changes nothing and succeeds.
type MoveSlots struct {
	From   NodeID
	Tenure uint64
	To     NodeID
	Slots  []slot.Range
	Stamps []uint64
}

// TakeSlots gives slots of a failed owner without supporters to another primary
// on an operator's word; the leader has measured the time. Refused: NotOwner,
// NotFailed, HasSupporters, StaleShard, NotPrimary.
type TakeSlots struct {
	From       NodeID
	ShardEpoch uint64
	To         NodeID // "" = unassign
	Slots      []slot.Range
}

// SetMigrating marks a slot open outward at its owner. Refused: NotOwner,
// UnknownNode, NotPrimary (the target).
type SetMigrating struct {
	Slot uint16
	Node NodeID // the owner
	To   NodeID
}

// SetImporting marks a slot open inward at a node that doesn't own it; several
// nodes may import one slot. Refused: AlreadyOwner, UnknownNode, NotPrimary.
type SetImporting struct {
	Slot uint16
	Node NodeID
	From NodeID
}

// SetStable clears both marks of one node on a slot. Never refused for a member.
type SetStable struct {
	Slot uint16
	Node NodeID
}

// BumpEpoch gives a primary a fresh config epoch unless it has the highest
// already; Result.Epoch and Result.Bumped tell.
type BumpEpoch struct{ Node NodeID }

// SetEpoch sets the config epoch of a node that is alone and has none. Refused:
// KnowsOthers, EpochSet.
type SetEpoch struct {
	Node  NodeID
	Epoch uint64
}

// Replicate makes a node a replica of a primary, in its shard. Closes the
// node's marks. Refused: NotMember, UnknownNode, NotPrimary (target),
// OwnsSlots, IsPrimaryOf (other replicas follow the node: they follow along to
// the new primary instead), Self. Already its replica: succeeds.
type Replicate struct {
	Node    NodeID
	Attempt uint64
	Primary NodeID
}

// Detach makes a replica the empty primary of a new shard (CLUSTER RESET of a
// replica that stays a member never needs it; replica migration does).
type Detach struct {
	Node    NodeID
	Attempt uint64
	Shard   ShardID // fresh, from the proposer
}

// Batch applies several operations as one entry: one publication, effects
// visible from one to the next. A refused one changes nothing and doesn't stop
// the others (redis-cli's fix relies on that); Result.Sub has one per op.
type Batch struct{ Ops []Op }

// RaiseLevel opens operations of a newer feature level; proposed only when all
// members support it. Never falls.
type RaiseLevel struct{ Level uint32 }

// Recover is the first entry after an offline recovery of a lost quorum: the
// recovery epoch rises (handshakes carry it, so that survivors of the former
// history are refused) and only Voter counts as a voter.
type Recover struct{ Voter NodeID }

// Check compares the hash of the state as of the entry before with the
// proposer's, as a guard against divergence. Apply on a different state
// returns a Result with Diverged set; the node stops.
type Check struct{ Hash uint64 }

// Noop changes nothing (barriers, tests).
type Noop struct{}

// Op is one operation. The set is closed: op.go lists it.
type Op interface{ opCode() Code }
