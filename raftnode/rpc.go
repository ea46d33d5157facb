package raftnode

import (
	"conclave/fsm"
	"conclave/fsm/slot"
)

// The bodies of the peer RPCs. Fields are only ever added; their absence means
// the zero value.

type helloRequest struct {
	From     fsm.NodeID `json:"from"`
	DialedIP string     `json:"dialed_ip"` // the address the caller used: a lone node learns its own from it
}

type helloReply struct {
	Cluster   string     `json:"cluster"`
	Node      fsm.NodeID `json:"node"`
	Alone     bool       `json:"alone"`   // a one-node cluster that is not joining another
	Busy      bool       `json:"busy"`    // it is joining another cluster
	Members   int        `json:"members"` // confirmed ones
	Index     uint64     `json:"index"`   // the leader's commit index
	Knows     bool       `json:"knows"`   // the caller is a member in the responder's committed view
	Addrs     []peerAddr `json:"addrs"`   // voters first
	YourIP    string     `json:"your_ip"`
	Recovery  uint64     `json:"recovery"`
	LeaderErr string     `json:"leader_err,omitempty"`
}

type peerAddr struct {
	ID   fsm.NodeID `json:"id"`
	Addr string     `json:"addr"` // host:bus-port
}

type inviteRequest struct {
	Cluster string     `json:"cluster"`
	Inviter fsm.NodeID `json:"inviter"`
	Addr    string     `json:"addr"` // the inviter's bus address
	Index   uint64     `json:"index"`
}

type joinRequest struct {
	Cluster string       `json:"cluster"`
	Node    fsm.Node     `json:"node"`
	Slots   []slot.Range `json:"slots"`
	Via     fsm.NodeID   `json:"via"`
	Index   uint64       `json:"index"`
	Adopt   bool         `json:"adopt,omitempty"`
}

type joinReply struct {
	Status   string     `json:"status"` // "ok", "busy", "moved", "refused", "retry"
	Text     string     `json:"text,omitempty"`
	Index    uint64     `json:"index"`
	Recovery uint64     `json:"recovery"`
	BusyWith string     `json:"busy_with,omitempty"`
	Peers    []peerAddr `json:"peers"`
}

type proposeRequest struct {
	Entry []byte `json:"entry"`
}

type proposeReply struct {
	Result fsm.Result `json:"result"`
	Leader fsm.NodeID `json:"leader,omitempty"` // set if the responder doesn't lead
	NotMe  bool       `json:"not_me,omitempty"` // nothing was proposed
}

// heartbeat goes from every node to the leader, or, while none is known, to
// whoever can be reached.
type heartbeat struct {
	Cluster     string          `json:"cluster"`
	Node        fsm.NodeID      `json:"node"`
	Attempt     uint64          `json:"attempt"`
	Incarnation fsm.Incarnation `json:"incarnation"`
	BusAddr     string          `json:"bus_addr"` // ":port" if the host is not known
	Index       uint64          `json:"index"`    // own config index
	RaftApplied uint64          `json:"raft_applied"`
	Generation  uint64          `json:"generation"` // of the running Raft instance, 0 = observer
	LeaseMs     uint64          `json:"lease_ms"`   // how long the sender will serve on the answer
	Offset      int64           `json:"offset"`
	Keys        int64           `json:"keys"`
}

type heartbeatReply struct {
	Cluster string     `json:"cluster"`
	Leader  fsm.NodeID `json:"leader"` // as far as the responder knows
	Addr    string     `json:"addr"`   // the leader's bus address
	// Authority: the responder led, and no newer leader existed, at some
	// instant after it received the heartbeat.
	Authority bool         `json:"authority"`
	Listed    bool         `json:"listed"` // (node, attempt) is a member in the responder's view ...
	Index     uint64       `json:"index"`  // ... at this index
	Recovery  uint64       `json:"recovery,omitempty"`
	Record    *fsm.Node    `json:"record,omitempty"`
	Ended     bool         `json:"ended"` // the cluster named ended at the responder
	YourIP    string       `json:"your_ip"`
	Health    []peerHealth `json:"health,omitempty"` // from the leader
}

type peerHealth struct {
	Node fsm.NodeID `json:"n"`
	Health
}

type termRequest struct{}

type termReply struct {
	Term uint64 `json:"term"`
}

type giveRequest struct {
	Slots     []slot.Range `json:"slots"`
	To        fsm.NodeID   `json:"to"`
	By        fsm.NodeID   `json:"by"`
	CheckKeys bool         `json:"check_keys"`
}

type awaitRequest struct {
	Index uint64 `json:"index"`
}

// outcome carries what became of an operation that another node carried out.
type outcome struct {
	Code    string       `json:"code,omitempty"` // "", "refused", "keys", "early", "noleader", "unknown", "unreachable"
	Refusal *fsm.Refusal `json:"refusal,omitempty"`
	Text    string       `json:"text,omitempty"`
	Index   uint64       `json:"index"`
	RetryMs int64        `json:"retry_ms,omitempty"`
	Node    fsm.NodeID   `json:"node,omitempty"`
	Leader  fsm.NodeID   `json:"leader,omitempty"`
	NotMe   bool         `json:"not_me,omitempty"`
}

type takeRequest struct {
	From  fsm.NodeID   `json:"from"`
	To    fsm.NodeID   `json:"to"`
	Slots []slot.Range `json:"slots"`
}

type forgetRequest struct {
	ID      fsm.NodeID `json:"id"`
	Attempt uint64     `json:"attempt"`
	By      fsm.NodeID `json:"by"`
}

type promoteRequest struct {
	Cluster string `json:"cluster"`
	Attempt uint64 `json:"attempt"`
	// Generation is the last one recorded of the node; the answer's is higher.
	Generation uint64 `json:"generation"`
}

type promoteReply struct {
	Generation uint64 `json:"generation"`
	Text       string `json:"text,omitempty"`
}

// attemptRequest asks a pending or silent member whether an attempt still
// lives, on behalf of the cluster that admitted it.
type attemptRequest struct {
	Cluster string     `json:"cluster"`
	Node    fsm.NodeID `json:"node"`
	Attempt uint64     `json:"attempt"`
	// Asker is the leader that asks: a member that lost sight of the cluster
	// finds it again through it.
	Asker peerAddr `json:"asker"`
}

type attemptReply struct {
	State string `json:"state"` // "member", "joining", "dead"
}
