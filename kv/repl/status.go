package repl

import (
	"cmp"
	"slices"
	"time"
)

// Status is what INFO and ROLE tell.
type Status struct {
	Replica       bool
	ID, ID2       string
	Offset        int64
	Second        int64 // -1: no second id
	Replicas      []ReplicaStatus
	Host          string // of the primary, as everything down to DownSeconds
	Port          int
	State         string
	LastIO        int64 // seconds; -1: never
	DownSeconds   int64
	BacklogActive bool
	BacklogSize   int64
	BacklogFirst  int64 // offset of its first byte, counted from 1
	BacklogLen    int64
	// Synchronisations: full ones, those that went on, those that couldn't.
	Full, Partial, Refused int64
}

// ReplicaStatus is one replica.
type ReplicaStatus struct {
	ID     uint64 // of its connection
	IP     string
	Port   int
	State  string
	Offset int64 // that it has acknowledged
	Lag    int64 // seconds since it was last heard of
}

// Status tells how things are. It locks no partition.
func (n *Node) Status() Status {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	s := Status{
		Replica: n.replica.Load(), ID: n.id, ID2: n.id2, Second: n.second, Offset: n.stream.offset(),
		Full: n.stats.full, Partial: n.stats.partial, Refused: n.stats.refused,
	}
	var first int64
	s.BacklogActive, s.BacklogSize, first, s.BacklogLen = n.stream.backlog()
	if s.BacklogActive {
		s.BacklogFirst = first + 1
	}
	for id, f := range n.peers {
		if f.state == announced {
			continue
		}
		r := ReplicaStatus{ID: id, IP: f.ip, Port: f.port, State: f.state.String(), Offset: f.acked.Load()}
		if f.state == following {
			r.Lag = int64(now.Sub(time.UnixMilli(f.ackAt.Load())) / time.Second)
		}
		s.Replicas = append(s.Replicas, r)
	}
	slices.SortFunc(s.Replicas, func(a, b ReplicaStatus) int { return cmp.Compare(a.ID, b.ID) })
	l := n.primary
	if l == nil {
		return s
	}
	s.Host, s.Port = l.host, l.port
	l.mu.Lock()
	defer l.mu.Unlock()
	s.State, s.LastIO = l.state, -1
	if !l.lastIO.IsZero() && l.state == stateConnected {
		s.LastIO = int64(now.Sub(l.lastIO) / time.Second)
	}
	if !l.down.IsZero() {
		s.DownSeconds = int64(now.Sub(l.down) / time.Second)
	}
	return s
}
