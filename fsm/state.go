package fsm

import (
	"slices"
	"strings"

	"conclave/fsm/slot"
)

// State is the configuration as of one log index. It is immutable, and so is
// all that can be reached from it.
type State struct {
	clusterID    string
	index        uint64
	currentEpoch uint64
	level        uint32
	recovery     uint64
	floor        uint64 // no Join whose Hello saw an index below this one

	nodes  []*Node  // by id
	shards []*Shard // by id
	seats  []seat   // by shard handle; seats[0] stands for "no owner"
	pages  [pageCount]*page

	migrating, importing *markTable

	tombstones []Tombstone // by node id
	history    history
	requests   requestTable
}

// seat is what routing asks of a shard, in one load. Handles are indexes into
// the seats: local to this process, never encoded.
type seat struct {
	shard   *Shard // nil: free
	primary *Node  // nil: leaderless
	slots   int
}

// Empty is the state before the first entry, which is Found.
func Empty() *State {
	return &State{seats: []seat{{slots: slot.Count}}, migrating: new(markTable), importing: new(markTable)}
}

// ClusterID names the cluster; "" before it was founded.
func (s *State) ClusterID() string { return s.clusterID }

// Index is the config index: the log index of the last entry applied, refused
// ones included.
func (s *State) Index() uint64 { return s.index }

// CurrentEpoch is the highest config epoch ever given out.
func (s *State) CurrentEpoch() uint64 { return s.currentEpoch }

// Level is the feature level in force; operations above it are refused.
func (s *State) Level() uint32 { return s.level }

// RecoveryEpoch counts the offline recoveries of a lost quorum.
func (s *State) RecoveryEpoch() uint64 { return s.recovery }

// Node is the member with this id, or nil.
func (s *State) Node(id NodeID) *Node {
	if i, ok := s.findNode(id); ok {
		return s.nodes[i]
	}
	return nil
}

func (s *State) findNode(id NodeID) (int, bool) {
	return slices.BinarySearchFunc(s.nodes, id, func(n *Node, id NodeID) int {
		return strings.Compare(string(n.ID), string(id))
	})
}

// Nodes lists the members by id.
func (s *State) Nodes() []*Node { return s.nodes }

// Shard is the shard with this id, or nil.
func (s *State) Shard(id ShardID) *Shard {
	if i, ok := s.findShard(id); ok {
		return s.shards[i]
	}
	return nil
}

func (s *State) findShard(id ShardID) (int, bool) {
	return slices.BinarySearchFunc(s.shards, id, func(sh *Shard, id ShardID) int {
		return strings.Compare(string(sh.ID), string(id))
	})
}

// Shards lists the shards by id.
func (s *State) Shards() []*Shard { return s.shards }

// ShardOf is the shard a member belongs to, or nil.
func (s *State) ShardOf(node NodeID) *Shard {
	if n := s.Node(node); n != nil {
		return s.Shard(n.Shard)
	}
	return nil
}

// Owner is the shard that owns the slot, or nil. The slot is 0..slot.Count-1
// here and below.
func (s *State) Owner(slot int) *Shard { return s.seats[s.handle(slot)].shard }

// OwnerNode is the primary of the shard that owns the slot; nil if the slot is
// unassigned or its shard leaderless.
func (s *State) OwnerNode(slot int) *Node { return s.seats[s.handle(slot)].primary }

// Stamp is the config index of the last change of the slot's ownership; 0 if it
// never had an owner.
func (s *State) Stamp(slot int) uint64 {
	if p := s.pages[slot/pageSlots]; p != nil {
		return p.stamps[slot%pageSlots]
	}
	return 0
}

func (s *State) handle(slot int) uint16 {
	if p := s.pages[slot/pageSlots]; p != nil {
		return p.owners[slot%pageSlots]
	}
	return 0
}

// SlotsOf is what the shard owns, ascending.
func (s *State) SlotsOf(shard ShardID) []slot.Range {
	sh := s.Shard(shard)
	if sh == nil || s.seats[sh.handle].slots == 0 {
		return nil
	}
	return s.slotSet(sh).Ranges()
}

func (s *State) slotSet(sh *Shard) *slot.Set {
	set := new(slot.Set)
	left := s.seats[sh.handle].slots
	for n := 0; left > 0 && n < slot.Count; n++ {
		if s.handle(n) == sh.handle {
			set.Add(n)
			left--
		}
	}
	return set
}

// CountSlots is how many slots the shard owns.
func (s *State) CountSlots(shard ShardID) int {
	if sh := s.Shard(shard); sh != nil {
		return s.seats[sh.handle].slots
	}
	return 0
}

// Assigned is how many slots have an owner.
func (s *State) Assigned() int { return slot.Count - s.seats[0].slots }

// Size is the number of shards with slots, as cluster_size shows it.
func (s *State) Size() int {
	n := 0
	for _, seat := range s.seats {
		if seat.shard != nil && seat.slots > 0 {
			n++
		}
	}
	return n
}

// Replicas lists the replicas of a primary by id.
func (s *State) Replicas(primary NodeID) []*Node {
	var out []*Node
	for _, n := range s.nodes {
		if primary != "" && n.Primary == primary {
			out = append(out, n)
		}
	}
	return out
}

// EpochOf is a member's config epoch; a replica's is that of its primary.
func (s *State) EpochOf(node NodeID) uint64 {
	n := s.Node(node)
	if n != nil && !n.IsPrimary() {
		n = s.Node(n.Primary)
	}
	if n == nil {
		return 0
	}
	return n.Epoch
}

// Migrating is where the slot is migrating to from the node, if it is.
func (s *State) Migrating(node NodeID, slot int) (NodeID, bool) { return s.migrating.peer(node, slot) }

// Importing is where the node imports the slot from, if it does.
func (s *State) Importing(node NodeID, slot int) (NodeID, bool) { return s.importing.peer(node, slot) }

// Marks lists the open slots of a node, ascending.
func (s *State) Marks(node NodeID) (migrating, importing []Mark) {
	return s.migrating.of(node), s.importing.of(node)
}

// Open reports whether the node has any open slot.
func (s *State) Open(node NodeID) bool { return s.migrating.has(node) || s.importing.has(node) }

// Tombstones lists the forgotten nodes that are still remembered, by id.
func (s *State) Tombstones() []Tombstone { return s.tombstones }

// History lists the latest changes, oldest first.
func (s *State) History() []Change { return s.history.all() }

// LookupRequest is the remembered result of a request.
func (s *State) LookupRequest(r Request) (Result, bool) { return s.requests.lookup(r) }
