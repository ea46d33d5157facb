package store

import (
	"maps"
	"slices"

	"conclave/fsm"
)

// Metadata is a node's own record.
type Metadata struct {
	NodeID  fsm.NodeID  `json:"node_id"`
	ShardID fsm.ShardID `json:"shard_id"` // of the shard it makes as a fresh node

	IncarnationCount uint64 `json:"incarnation_count"` // +1 at every start
	Attempt          uint64 `json:"attempt"`           // +1 before every join and every new one-node cluster
	Generation       uint64 `json:"generation"`        // +1 when an empty Raft directory is made

	Membership Membership `json:"membership"`
	Intent     *Intent    `json:"intent,omitempty"` // a join that has begun and not ended
	Former     []string   `json:"former,omitempty"` // clusters it was the sole member of when it left
	// FormerIDs are ids that it gave up: whoever asks for one learns that it is
	// gone.
	FormerIDs []fsm.NodeID `json:"former_ids,omitempty"`
	// Recovered: a lost quorum was rebuilt offline from this directory; the next
	// leadership says so in the log.
	Recovered bool              `json:"recovered,omitempty"`
	Extra     map[string]string `json:"extra,omitempty"`
}

// Membership is the cluster this node belongs to; ClusterID is "" before the
// first start is over.
type Membership struct {
	ClusterID  string `json:"cluster_id,omitempty"`
	Attempt    uint64 `json:"attempt,omitempty"`
	Generation uint64 `json:"generation,omitempty"` // of its Raft directory; 0 = observer
	JoinIndex  uint64 `json:"join_index,omitempty"`
	Recovery   uint64 `json:"recovery,omitempty"`
	// Founded: this node bootstrapped the cluster; an empty directory must not
	// be bootstrapped again.
	Founded bool       `json:"founded,omitempty"`
	Peers   []PeerAddr `json:"peers,omitempty"` // where others were last known
	// PeersIndex is the config index that Peers is from: what an old log tells
	// while it replays doesn't replace it.
	PeersIndex uint64 `json:"peers_index,omitempty"`
}

// PeerAddr is a node's bus address, host:port.
type PeerAddr struct {
	ID   fsm.NodeID `json:"id"`
	Addr string     `json:"addr"`
}

// Intent marks a join in flight: the private log takes nothing while it is there.
type Intent struct {
	Attempt       uint64     `json:"attempt"`
	TargetCluster string     `json:"target_cluster"`
	TargetNode    fsm.NodeID `json:"target_node,omitempty"` // asked through
	Addrs         []string   `json:"addrs"`
	HelloIndex    uint64     `json:"hello_index"`
	Inviter       fsm.NodeID `json:"inviter,omitempty"`
	Adopt         bool       `json:"adopt,omitempty"`
}

// Clone makes a copy that shares nothing.
func (m Metadata) Clone() Metadata {
	m.Membership.Peers = slices.Clone(m.Membership.Peers)
	m.Former = slices.Clone(m.Former)
	m.FormerIDs = slices.Clone(m.FormerIDs)
	m.Extra = maps.Clone(m.Extra)
	if m.Intent != nil {
		in := *m.Intent
		in.Addrs = slices.Clone(in.Addrs)
		m.Intent = &in
	}
	return m
}

// Meta keeps the record. Save is atomic: after a crash Load gives the record
// of the last Save that returned nil, or of one that hadn't returned. The zero
// Metadata is loaded where none was saved.
type Meta interface {
	Load() (Metadata, error)
	Save(Metadata) error
	Close() error
}
