package fsm

// NodeID is a node's 40-character id ([0-9a-z]), kept for life.
type NodeID string

// ShardID is a shard's 40-character id, as CLUSTER SHARDS and MYSHARDID show it.
type ShardID string

// Incarnation is one start of a process: a counter kept in the node's
// directory and a random part that tells copies of one disk apart. The zero
// value means "none".
type Incarnation struct {
	Count  uint64
	Random uint64
}

// Suffrage is a node's place in the Raft group as the leader last recorded it.
type Suffrage uint8

// Observers are fed committed operations by a voter; candidates catch up as
// Raft non-voters before they become voters.
const (
	Observer Suffrage = iota
	Candidate
	Voter
)

// NodeFlags are facts about a node that others show or act on.
type NodeFlags uint16

const (
	// Pending members joined but have not connected since: their slots are
	// reserved, they are never promoted.
	Pending NodeFlags = 1 << iota
	// Failed is committed when the leader has not heard of a node for its timeout.
	Failed
	// NoFailover mirrors cluster-replica-no-failover.
	NoFailover
	// Witness nodes vote and hold no data.
	Witness

	knownFlags = Pending | Failed | NoFailover | Witness
)

// Node is one member's record. Records are immutable once published.
type Node struct {
	ID          NodeID
	Attempt     uint64 // membership is (ID, Attempt)
	Incarnation Incarnation
	Generation  uint64 // names its Raft directory; Raft server id = ID.Generation; 0 = none yet
	Suffrage    Suffrage
	Flags       NodeFlags

	IP        string // announced address for clients and peers; "" only while alone
	Port      uint16
	TLSPort   uint16
	BusPort   uint16
	Hostname  string
	HumanName string
	Zone      string
	TimeoutMs uint64 // cluster-node-timeout in force at this node

	Shard     ShardID
	Primary   NodeID // of a replica; "" for primaries
	Epoch     uint64 // configEpoch; of replicas their own is 0, shown is their primary's
	JoinIndex uint64 // log index of the entry that admitted this attempt
}

// IsPrimary reports whether the node leads its shard (with or without slots).
func (n *Node) IsPrimary() bool { return n.Primary == "" }

// Has reports whether all of f are set.
func (n *Node) Has(f NodeFlags) bool { return n.Flags&f == f }

// Member is one incarnation of a node, as supporters are named.
type Member struct {
	Node        NodeID
	Incarnation Incarnation
}

// Mode is a shard's replication mode.
type Mode uint8

// As in cluster-replication-mode.
const (
	Asynchronous Mode = iota
	Synchronous
	SynchronousFsync
)

// Shard is one primary and its replicas. Records are immutable once published.
type Shard struct {
	ID                 ShardID
	Primary            NodeID // "" while leaderless
	PrimaryIncarnation Incarnation
	// Epoch is the shard epoch E: raised at every change of the primary (also
	// of its incarnation) or of the supporters. Operations that assume
	// something about the shard name the E they assumed.
	Epoch      uint64
	Tenure     uint64   // the Epoch that made this incarnation primary
	Supporters []Member // sorted by node id; empty until replication exists
	Mode       Mode

	handle uint16 // its seat in this process; not part of the state's value
}

// Mark is one open slot as SETSLOT MIGRATING or IMPORTING left it: Node holds
// the mark, Peer is the other side.
type Mark struct {
	Slot uint16
	Node NodeID
	Peer NodeID
}

// Tombstone remembers a forgotten node. A Join with an attempt up to Attempt,
// or whose Hello saw an index below Index, is refused.
type Tombstone struct {
	Node    NodeID
	Attempt uint64
	Index   uint64 // 0: only the attempt is void
}

// Change is one line of the configuration's history.
type Change struct {
	Index  uint64
	WallMs int64  // the proposer's wall clock; information only
	Origin NodeID // who proposed it
	Op     string // the operation's name, "slots.move"
	Before string
	After  string
}

// Request names one proposal for idempotence. Sequence numbers grow within one
// incarnation of the origin; zero Seq = not remembered.
type Request struct {
	Origin      NodeID
	Incarnation Incarnation
	Seq         uint64
}
