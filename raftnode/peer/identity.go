package peer

import "conclave/fsm"

// Kind is what a connection carries after the handshake.
type Kind byte

// The kinds of connections.
const (
	KindRaft     Kind = 'R'
	KindRPC      Kind = 'P'
	KindStream   Kind = 'O' // committed operations to an observer
	KindData     Kind = 'D' // replication of keys; reserved
	KindMessages Kind = 'M' // what clients publish, to other nodes
)

// Identity is what a node says of itself when a connection opens.
type Identity struct {
	ClusterID   string // 40 characters; "" = none yet
	Recovery    uint64 // raised when a lost quorum is rebuilt
	Node        fsm.NodeID
	Attempt     uint64
	Generation  uint64 // of its running Raft instance, 0 = none
	Incarnation fsm.Incarnation

	// RemoteIP is the address it was seen at; not sent, "" if unknown.
	RemoteIP string
}

// Want is whom the dialer means to reach. Zero fields match anyone.
type Want struct {
	ClusterID  string
	Node       fsm.NodeID
	Generation uint64
}
