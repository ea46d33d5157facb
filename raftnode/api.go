package raftnode

import (
	"errors"

	"conclave/fsm"
	"conclave/fsm/slot"
)

// Data is what the control plane asks of the local data. Implemented over kv
// by the wiring.
type Data interface {
	// KeysInSlot counts the keys of database 0 in a slot, expired ones included.
	KeysInSlot(slot int) int
	// Keys counts all keys.
	Keys() int
	// Drain returns when every command that was routed before the call on one
	// of these slots has ended: it takes and releases their partitions' locks.
	Drain(slots []slot.Range)
	// Flush removes all keys (a replica that is reset, a node that becomes one).
	Flush()
}

// Health is what this node knows of another from heartbeats; soft state.
type Health struct {
	Connected  bool  // heard of, through the leader, within the node's timeout
	Suspect    bool  // "fail?": silent for the timeout, not committed yet
	PongRecvMs int64 // Unix ms of the last sign of life, 0 = never
	Offset     int64 // replication offset it reported
	Keys       int64
}

// RaftRole is this node's place in the Raft group.
type RaftRole string

// The values of cluster_raft_role.
const (
	RoleLeader    RaftRole = "leader"
	RoleFollower  RaftRole = "follower"
	RoleCandidate RaftRole = "candidate"
	RoleObserver  RaftRole = "observer"
)

// Status is the control plane as CLUSTER INFO shows it.
type Status struct {
	Role             RaftRole
	Term             uint64
	CommitIndex      uint64
	LastApplied      uint64
	LogEntries       uint64
	Leader           fsm.NodeID // "" = unknown
	Voters           int
	VotersWanted     int
	ControlPlaneOK   bool  // a leader was heard of within cluster-node-timeout
	LeaseRemainingMs int64 // -1: no lease needed (alone)
	Joining          bool
	MessagesSent     uint64
	MessagesReceived uint64
	MessagesDropped  uint64 // published ones that were not sent to some node
}

// Errors of the operations below. Refusals of the state machine come back as
// *fsm.Refusal; everything else wraps one of these.
var (
	// ErrNoLeader: nobody leads, or the leader can't be reached; nothing was
	// proposed. The command may be sent again.
	ErrNoLeader = errors.New("no leader of the configuration is known")
	// ErrUnknownOutcome: the operation may or may not be committed.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrJoining: a join is in flight and didn't end in time.
	ErrJoining = errors.New("a join is in progress")
	// ErrKeysInSlot: the owner still holds keys in the slot.
	ErrKeysInSlot = errors.New("the owner still holds keys in the slot")
	// ErrOwnerUnreachable: the owner must give the slot and can't be asked.
	ErrOwnerUnreachable = errors.New("the slot's owner can't be reached")
	// ErrTooEarly: the failed owner may still be serving; see TooEarlyError.
	ErrTooEarly = errors.New("the failed owner may still be serving")
	// ErrStopped: the node is shutting down.
	ErrStopped = errors.New("shutting down")
)

// JoinError is why a MEET failed: its text is for the operator.
type JoinError struct{ Text string }

func (e *JoinError) Error() string { return e.Text }

// TooEarlyError says when a failed node's slots may be taken.
type TooEarlyError struct {
	Node    fsm.NodeID
	RetryMs int64
}

func (e *TooEarlyError) Error() string { return ErrTooEarly.Error() }

// Unwrap makes errors.Is(err, ErrTooEarly) hold.
func (e *TooEarlyError) Unwrap() error { return ErrTooEarly }
