package fsm

import (
	"fmt"

	"conclave/fsm/slot"
)

const (
	codeJoin Code = iota + 10
	codeConfirm
	codeDrop
	codeForget
	codeUpdate
	codeStart
	codeSetFail
	codeSetSuffrage
)

var memberOps = []opDef{
	def[Join]("members.join", 1),
	def[Confirm]("members.confirm", 1),
	def[Drop]("members.drop", 1),
	def[Forget]("members.forget", 1),
	def[Update]("members.update", 1),
	def[Start]("members.start", 1),
	def[SetFail]("members.fail", 1),
	def[SetSuffrage]("members.suffrage", 1),
}

const (
	maxMembers    = 16384
	maxTombstones = 4096
	// maxEpoch is the highest config epoch that a node may bring along or be
	// given: Redis's commands take signed numbers, and there is room above.
	maxEpoch = 1<<63 - 1
)

// valid reports whether a record may enter the state.
func (n *Node) valid() bool {
	return validID(string(n.ID)) && validID(string(n.Shard)) && n.Attempt > 0 &&
		validName(n.IP) && validName(n.Hostname) && validName(n.HumanName) && validName(n.Zone) &&
		n.Flags&^knownFlags == 0 && n.Suffrage <= Voter
}

// validName accepts what can stand in a field of nodes.conf.
func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == ',' || c == '@' || c == '"' || c == '\'' {
			return false
		}
	}
	return len(s) <= maxName
}

// validID accepts [0-9a-z], up to 40 of them.
func validID(id string) bool {
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return id != "" && len(id) <= 40
}

// Join admits a node as a pending member with everything it claims: its slots,
// its epoch (the next free one if a primary has it) and its role (a replica if
// its primary is a member and a primary, else an empty primary). The same
// attempt again changes nothing. A higher attempt replaces the old record; what
// that owned is free unless it is claimed again. Refused: WrongCluster, Invalid,
// StaleAttempt, Forgotten, NotMember (Via), SlotBusy, NoAddress, LastMember
// (nobody is left to join), Full.
type Join struct {
	ClusterID    string
	Node         Node
	Slots        []slot.Range
	Via          NodeID // the member that the joiner was pointed at
	HelloIndex   uint64 // the leader's commit index that Hello gave
	CurrentEpoch uint64 // the highest epoch that the joiner knows of
	// Adopt settles slots claimed by both sides, when nodes of one Redis
	// Cluster are taken over: they go to the higher config epoch, and stay
	// where they are at a tie. The proposer sees to it that a present owner
	// serves none of the slots it loses.
	Adopt bool
}

func (*Join) opCode() Code { return codeJoin }

func (o *Join) encode(b []byte) []byte {
	b = putNode(putString(b, o.ClusterID), &o.Node)
	b = putString(putRanges(b, o.Slots), o.Via)
	b = putUint(putUint(b, o.HelloIndex), o.CurrentEpoch)
	return putBool(b, o.Adopt)
}

func (o *Join) decode(d *decoder) {
	o.ClusterID, o.Node = d.string(maxID), d.fullNode()
	o.Slots, o.Via = d.ranges(), d.node()
	o.HelloIndex, o.CurrentEpoch, o.Adopt = d.uint(), d.uint(), d.bool()
}

func (o *Join) apply(d *draft) *Refusal {
	old := d.s.Node(o.Node.ID)
	if o.ClusterID != d.s.clusterID {
		return refuse(WrongCluster, o.Node.ID)
	}
	if old != nil && old.Attempt == o.Node.Attempt {
		return nil
	}
	if refused := o.check(d, old); refused != nil {
		return refused
	}
	claims, refused := o.claims(d)
	if refused != nil {
		return refused
	}
	before := ""
	if old != nil {
		before = fmt.Sprintf("%s attempt %d", old.ID, old.Attempt)
		d.removeNode(old)
	}
	d.exhume(o.Node.ID)
	d.s.currentEpoch = max(d.s.currentEpoch, o.CurrentEpoch)
	n := o.Node
	n.Flags = n.Flags&^Failed | Pending
	n.Suffrage = Observer
	if !n.IsPrimary() {
		claims = nil
		p := d.s.Node(n.Primary)
		if p != nil && p.IsPrimary() {
			n.Shard, n.Epoch = p.Shard, 0
		} else {
			n.Shard, n.Primary, n.Epoch = d.freshShardID(n.ID), "", 0
		}
	} else if d.s.Shard(n.Shard) != nil {
		n.Shard = d.freshShardID(n.ID)
	}
	d.admit(n, claims)
	d.changed(before, fmt.Sprintf("%s attempt %d", n.ID, n.Attempt))
	return nil
}

// check refuses what doesn't depend on the claims.
func (o *Join) check(d *draft, old *Node) *Refusal {
	id := o.Node.ID
	if !o.Node.valid() || max(o.Node.Epoch, o.CurrentEpoch) > maxEpoch {
		return refuse(Invalid, id)
	}
	if d.s.Node(o.Via) == nil {
		return refuse(NotMember, o.Via)
	}
	if old != nil && o.Node.Attempt < old.Attempt {
		return refuse(StaleAttempt, id)
	}
	if t := d.s.tombstone(id); t != nil && (o.Node.Attempt <= t.Attempt || o.HelloIndex < t.Index) {
		return refuse(Forgotten, id)
	}
	if o.HelloIndex < d.s.floor {
		return refuse(Forgotten, id)
	}
	if old == nil && len(d.s.nodes) >= maxMembers {
		return refuse(Full, id)
	}
	if old != nil && len(d.s.nodes) == 1 {
		return refuse(LastMember, id)
	}
	for _, n := range d.s.nodes {
		if n.ID != id && n.IP == "" {
			return refuse(NoAddress, n.ID)
		}
	}
	if o.Node.IP == "" {
		return refuse(NoAddress, id)
	}
	return nil
}

// claims is what the joiner gets of the slots it claims.
func (o *Join) claims(d *draft) ([]slot.Range, *Refusal) {
	if len(o.Slots) == 0 {
		return nil, nil
	}
	if refused := checkSlots(o.Slots); refused != nil {
		return nil, refused
	}
	won := slot.SetOf(o.Slots...)
	refused := each(o.Slots, func(slot int) *Refusal {
		sh := d.s.Owner(slot)
		switch {
		case sh == nil || sh.Primary == o.Node.ID:
		case !o.Adopt:
			return refuseSlot(SlotBusy, slot, sh.Primary)
		case d.s.EpochOf(sh.Primary) >= o.Node.Epoch:
			won.Remove(slot)
		}
		return nil
	})
	return won.Ranges(), refused
}

// admit adds a node and what it owns. Its role and shard are settled.
func (d *draft) admit(n Node, slots []slot.Range) {
	n.JoinIndex = d.s.index
	if n.IsPrimary() {
		n.Epoch = d.claimEpoch(n.Epoch)
		d.addShard(n.Shard, n.ID, n.Incarnation)
	}
	d.putNode(&n)
	if len(slots) > 0 {
		d.give(slots, n.ID)
	}
}

func (s *State) tombstone(id NodeID) *Tombstone {
	for i := range s.tombstones {
		if s.tombstones[i].Node == id {
			return &s.tombstones[i]
		}
	}
	return nil
}

// exhume drops the tombstone of a node that is a member again: from here on
// its record tells old attempts from new ones.
func (d *draft) exhume(id NodeID) {
	if d.s.tombstone(id) == nil {
		return
	}
	var rest []Tombstone
	for _, t := range d.s.tombstones {
		if t.Node != id {
			rest = append(rest, t)
		}
	}
	d.s.tombstones = rest
}

// Confirm ends the pending state of a member after it first connected. Refused:
// NotMember, StaleAttempt.
type Confirm struct {
	ID      NodeID
	Attempt uint64
}

func (*Confirm) opCode() Code { return codeConfirm }

func (o *Confirm) encode(b []byte) []byte { return putUint(putString(b, o.ID), o.Attempt) }

func (o *Confirm) decode(d *decoder) { o.ID, o.Attempt = d.node(), d.uint() }

func (o *Confirm) apply(d *draft) *Refusal {
	n, refused := d.member(o.ID, o.Attempt)
	if refused != nil {
		return refused
	}
	if n.Has(Pending) {
		d.editNode(n.ID, func(n *Node) { n.Flags &^= Pending })
		d.changed(string(n.ID)+" pending", string(n.ID)+" confirmed")
	}
	return nil
}

// Drop removes a member whose attempt is dead: it gave up before its commit
// point, or left without a leader. No index is remembered, only the attempt.
// Gone already, or back with another attempt: nothing changes. Refused:
// UnknownNode (never heard of), LastMember.
type Drop struct {
	ID      NodeID
	Attempt uint64
}

func (*Drop) opCode() Code { return codeDrop }

func (o *Drop) encode(b []byte) []byte { return putUint(putString(b, o.ID), o.Attempt) }

func (o *Drop) decode(d *decoder) { o.ID, o.Attempt = d.node(), d.uint() }

func (o *Drop) apply(d *draft) *Refusal {
	n := d.s.Node(o.ID)
	switch {
	case n == nil && d.s.tombstone(o.ID) == nil:
		return refuse(UnknownNode, o.ID)
	case n == nil || n.Attempt != o.Attempt:
		return nil
	case len(d.s.nodes) == 1:
		return refuse(LastMember, o.ID)
	}
	d.remove(n, 0)
	return nil
}

// remove takes a member out and remembers it.
func (d *draft) remove(n *Node, tombstone uint64) {
	owned := d.s.SlotsOf(n.Shard)
	if !n.IsPrimary() {
		owned = nil
	}
	d.removeNode(n)
	d.bury(Tombstone{n.ID, n.Attempt, tombstone})
	d.changed(describe(owned, n.ID), "")
}

// Forget removes a member and leaves a tombstone. Attempt 0 means the current
// one; forgetting an attempt that is gone already succeeds. A node that leaves
// by itself (By is ID) gives up its slots; one that others forget must own
// none, unless Take says that the leader has measured that the owner has been
// failed for long enough, at ShardEpoch. Replicas of a forgotten primary turn
// into empty primaries of new shards. Refused: UnknownNode, StaleAttempt (to
// come), LastMember, OwnsSlots; with Take StaleShard, NotFailed, HasSupporters.
type Forget struct {
	ID         NodeID
	Attempt    uint64
	By         NodeID
	Take       bool
	ShardEpoch uint64 // assumed, if Take
}

func (*Forget) opCode() Code { return codeForget }

func (o *Forget) encode(b []byte) []byte {
	b = putUint(putString(b, o.ID), o.Attempt)
	b = putBool(putString(b, o.By), o.Take)
	return putUint(b, o.ShardEpoch)
}

func (o *Forget) decode(d *decoder) {
	o.ID, o.Attempt, o.By, o.Take, o.ShardEpoch = d.node(), d.uint(), d.node(), d.bool(), d.uint()
}

func (o *Forget) apply(d *draft) *Refusal {
	n := d.s.Node(o.ID)
	if n == nil {
		if t := d.s.tombstone(o.ID); t != nil && o.Attempt <= t.Attempt {
			return nil
		}
		return refuse(UnknownNode, o.ID)
	}
	switch {
	case o.Attempt != 0 && o.Attempt < n.Attempt:
		return nil
	case o.Attempt > n.Attempt:
		return refuse(StaleAttempt, o.ID)
	case len(d.s.nodes) == 1:
		return refuse(LastMember, o.ID)
	}
	if n.IsPrimary() && o.By != n.ID && d.s.CountSlots(n.Shard) > 0 {
		if !o.Take {
			return refuse(OwnsSlots, n.ID)
		}
		if refused := d.takeable(n, o.ShardEpoch); refused != nil {
			return refused
		}
	}
	d.remove(n, d.s.index)
	return nil
}
