package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"conclave/fsm/slot"
)

// draft is the state that an entry is building: a copy of the one before that
// shares everything until it is first changed. Operations reach nothing else.
type draft struct {
	s      *State
	before *State // as of the entry before
	wallMs int64
	origin NodeID
	op     Op
	res    Result

	ownNodes, ownShards, ownSeats bool
	ownPages                      uint64 // bit i: page i
}

// fork starts a draft on top of another; the parent stays as it is.
func (d *draft) fork(op Op) *draft {
	s := *d.s
	return &draft{s: &s, before: d.before, wallMs: d.wallMs, origin: d.origin, op: op}
}

// join takes over what a fork built.
func (d *draft) join(f *draft) {
	*d.s = *f.s
	d.ownNodes = d.ownNodes || f.ownNodes
	d.ownShards = d.ownShards || f.ownShards
	d.ownSeats = d.ownSeats || f.ownSeats
	d.ownPages |= f.ownPages
}

// changed records that the operation changed something, with a line of history.
func (d *draft) changed(before, after string) {
	d.res.Changed = true
	d.s.history = d.s.history.append(Change{
		Index: d.s.index, WallMs: d.wallMs, Origin: d.origin, Op: Name(d.op),
		Before: clip(before), After: clip(after),
	})
}

func clip(s string) string { return s[:min(len(s), historyText)] }

func (d *draft) mutableSeats() []seat {
	if !d.ownSeats {
		d.s.seats = slices.Clone(d.s.seats)
		d.ownSeats = true
	}
	return d.s.seats
}

// putNode adds a node or replaces its record. Its shard, if it leads one, is
// there already.
func (d *draft) putNode(n *Node) {
	i, ok := d.s.findNode(n.ID)
	if !d.ownNodes {
		d.s.nodes = slices.Clone(d.s.nodes)
		d.ownNodes = true
	}
	if ok {
		d.s.nodes[i] = n
	} else {
		d.s.nodes = slices.Insert(d.s.nodes, i, n)
	}
	if sh := d.s.Shard(n.Shard); sh != nil && sh.Primary == n.ID {
		d.mutableSeats()[sh.handle].primary = n
	}
}

// editNode replaces a member's record by a changed copy.
func (d *draft) editNode(id NodeID, edit func(*Node)) {
	n := *d.s.Node(id)
	edit(&n)
	d.putNode(&n)
}

func (d *draft) mutableShards() {
	if !d.ownShards {
		d.s.shards = slices.Clone(d.s.shards)
		d.ownShards = true
	}
}

// addShard makes a new shard led by a node. Its epoch starts at the log index,
// so that a shard id which comes back never repeats an epoch or a tenure.
func (d *draft) addShard(id ShardID, primary NodeID, inc Incarnation) {
	seats := d.mutableSeats()
	h := 1
	for h < len(seats) && seats[h].shard != nil {
		h++
	}
	sh := &Shard{
		ID: id, Primary: primary, PrimaryIncarnation: inc,
		Epoch: d.s.index, Tenure: d.s.index, handle: uint16(h),
	}
	if h == len(seats) {
		d.s.seats = append(seats, seat{})
	}
	d.s.seats[h] = seat{shard: sh, primary: d.s.Node(primary)}
	i, _ := d.s.findShard(id)
	d.mutableShards()
	d.s.shards = slices.Insert(d.s.shards, i, sh)
}

// editShard replaces a shard's record by a changed copy at a higher epoch.
func (d *draft) editShard(id ShardID, edit func(*Shard)) {
	i, _ := d.s.findShard(id)
	sh := *d.s.shards[i]
	sh.Epoch = max(sh.Epoch+1, d.s.index)
	edit(&sh)
	d.mutableShards()
	d.s.shards[i] = &sh
	seat := &d.mutableSeats()[sh.handle]
	seat.shard, seat.primary = &sh, d.s.Node(sh.Primary)
}

// dropShard removes a shard that has no slots and no members left.
func (d *draft) dropShard(id ShardID) {
	i, _ := d.s.findShard(id)
	d.mutableSeats()[d.s.shards[i].handle] = seat{}
	d.mutableShards()
	d.s.shards = slices.Delete(d.s.shards, i, i+1)
}

// freshEpoch gives out the next config epoch.
func (d *draft) freshEpoch() uint64 {
	d.s.currentEpoch++
	return d.s.currentEpoch
}

// claimEpoch is the wanted epoch, or the next free one if a primary has it.
func (d *draft) claimEpoch(want uint64) uint64 {
	d.s.currentEpoch = max(d.s.currentEpoch, want)
	for _, n := range d.s.nodes {
		if n.IsPrimary() && n.Epoch == want {
			return d.freshEpoch()
		}
	}
	return want
}

// release takes all slots from a shard.
func (d *draft) release(sh *Shard) {
	for n := range d.s.slotSet(sh).All() {
		d.setOwner(n, 0)
	}
}

// removeNode takes every trace of a member out but the tombstone. A primary's
// slots become unassigned, and its replicas empty primaries of new shards.
func (d *draft) removeNode(n *Node) {
	d.closeMarks(func(m Mark) bool { return m.Node == n.ID || m.Peer == n.ID })
	sh := d.s.Shard(n.Shard)
	if n.IsPrimary() {
		d.release(sh)
		for _, r := range d.s.Replicas(n.ID) {
			d.detach(r, "")
		}
		d.dropShard(sh.ID)
	} else {
		d.leaveSupport(n)
	}
	i, _ := d.s.findNode(n.ID)
	if !d.ownNodes {
		d.s.nodes = slices.Clone(d.s.nodes)
		d.ownNodes = true
	}
	d.s.nodes = slices.Delete(d.s.nodes, i, i+1)
}

// detach makes a replica the empty primary of a new shard.
func (d *draft) detach(n *Node, id ShardID) {
	d.leaveSupport(n)
	if id == "" || d.s.Shard(id) != nil {
		id = d.freshShardID(n.ID)
	}
	d.addShard(id, n.ID, n.Incarnation)
	epoch := d.freshEpoch()
	d.editNode(n.ID, func(n *Node) { n.Shard, n.Primary, n.Epoch = id, "", epoch })
}

// leaveSupport removes a replica from its shard's supporters: an epoch of its
// own, as any shrink.
func (d *draft) leaveSupport(n *Node) {
	sh := d.s.Shard(n.Shard)
	isIt := func(m Member) bool { return m.Node == n.ID }
	if sh != nil && slices.ContainsFunc(sh.Supporters, isIt) {
		d.editShard(sh.ID, func(sh *Shard) {
			sh.Supporters = slices.DeleteFunc(slices.Clone(sh.Supporters), isIt)
		})
	}
}

// freshShardID derives an unused shard id from the log index and the node.
func (d *draft) freshShardID(node NodeID) ShardID {
	for salt := uint64(0); ; salt++ {
		b := binary.BigEndian.AppendUint64([]byte(d.s.clusterID+"/"+string(node)+"/"), d.s.index)
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, salt))
		if id := ShardID(hex.EncodeToString(sum[:20])); d.s.Shard(id) == nil {
			return id
		}
	}
}

// bury leaves a tombstone, and drops the oldest one beyond the limit: what it
// forbade, the floor goes on forbidding.
func (d *draft) bury(t Tombstone) {
	i, ok := slices.BinarySearchFunc(d.s.tombstones, t.Node, func(t Tombstone, id NodeID) int {
		return strings.Compare(string(t.Node), string(id))
	})
	all := slices.Clone(d.s.tombstones)
	if ok {
		all[i] = t
	} else {
		all = slices.Insert(all, i, t)
	}
	if len(all) > maxTombstones {
		oldest := 0
		for i := range all {
			if all[i].Index < all[oldest].Index {
				oldest = i
			}
		}
		d.s.floor = max(d.s.floor, all[oldest].Index)
		all = slices.Delete(all, oldest, oldest+1)
	}
	d.s.tombstones = all
}

// member finds a member whose attempt is the one named.
func (d *draft) member(id NodeID, attempt uint64) (*Node, *Refusal) {
	n := d.s.Node(id)
	switch {
	case n == nil:
		return nil, refuse(NotMember, id)
	case n.Attempt != attempt:
		return nil, refuse(StaleAttempt, id)
	}
	return n, nil
}

// target finds the primary that an operation names as the other side.
func (d *draft) target(id NodeID) (*Node, *Refusal) {
	n := d.s.Node(id)
	switch {
	case n == nil:
		return nil, refuse(UnknownNode, id)
	case !n.IsPrimary():
		return nil, refuse(NotPrimary, id)
	}
	return n, nil
}

// checkSlots refuses an empty list, bad ranges and slots named twice.
func checkSlots(ranges []slot.Range) *Refusal {
	if len(ranges) == 0 {
		return refuse(Invalid, "")
	}
	var seen slot.Set
	for _, r := range ranges {
		if !r.Valid() {
			return refuseSlot(Invalid, int(r.Start), "")
		}
		for n := int(r.Start); n <= int(r.End); n++ {
			if !seen.Add(n) {
				return refuseSlot(Invalid, n, "")
			}
		}
	}
	return nil
}

// each calls f for the slots in the order of the ranges until f refuses.
func each(ranges []slot.Range, f func(slot int) *Refusal) *Refusal {
	for _, r := range ranges {
		for n := int(r.Start); n <= int(r.End); n++ {
			if refused := f(n); refused != nil {
				return refused
			}
		}
	}
	return nil
}
