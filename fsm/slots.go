package fsm

import "conclave/fsm/slot"

const (
	codeAssignSlots Code = iota + 20
	codeUnassignSlots
	codeMoveSlots
	codeTakeSlots
)

var slotOps = []opDef{
	def[AssignSlots]("slots.assign", 1),
	def[UnassignSlots]("slots.unassign", 1),
	def[MoveSlots]("slots.move", 1),
	def[TakeSlots]("slots.take", 1),
}

// AssignSlots gives unowned slots to a primary's shard; its importing marks on
// them go. The node gets a fresh config epoch, unless it is alone: redis-cli
// sets the epochs of lone nodes itself. Refused: NotMember, StaleAttempt,
// NotPrimary, SlotBusy (also if the node owns it already).
type AssignSlots struct {
	Node    NodeID
	Attempt uint64
	Slots   []slot.Range
}

func (*AssignSlots) opCode() Code { return codeAssignSlots }

func (o *AssignSlots) encode(b []byte) []byte {
	b = putUint(putString(b, o.Node), o.Attempt)
	return putRanges(b, o.Slots)
}

func (o *AssignSlots) decode(d *decoder) {
	o.Node, o.Attempt, o.Slots = d.node(), d.uint(), d.ranges()
}

func (o *AssignSlots) apply(d *draft) *Refusal {
	n, refused := d.member(o.Node, o.Attempt)
	if refused != nil {
		return refused
	}
	if !n.IsPrimary() {
		return refuse(NotPrimary, n.ID)
	}
	if refused := checkSlots(o.Slots); refused != nil {
		return refused
	}
	if refused := each(o.Slots, d.free); refused != nil {
		return refused
	}
	d.give(o.Slots, n.ID)
	if len(d.s.nodes) > 1 {
		d.raise(n.ID)
	}
	d.changed(describe(o.Slots, ""), describe(o.Slots, n.ID))
	return nil
}

// free refuses a slot that has an owner.
func (d *draft) free(slot int) *Refusal {
	if sh := d.s.Owner(slot); sh != nil {
		return refuseSlot(SlotBusy, slot, sh.Primary)
	}
	return nil
}

// give binds slots to the shard that a primary leads, or to none.
func (d *draft) give(slots []slot.Range, to NodeID) {
	var handle uint16
	if to != "" {
		handle = d.s.ShardOf(to).handle
	}
	each(slots, func(slot int) *Refusal {
		d.setOwner(slot, handle)
		return nil
	})
}

// owned refuses slots that the node doesn't own as a primary.
func (d *draft) owned(slots []slot.Range, by NodeID) *Refusal {
	if d.s.Node(by) == nil {
		return refuse(NotMember, by)
	}
	if refused := checkSlots(slots); refused != nil {
		return refused
	}
	return each(slots, func(slot int) *Refusal {
		switch sh := d.s.Owner(slot); {
		case sh == nil:
			return refuseSlot(SlotUnassigned, slot, "")
		case sh.Primary != by:
			return refuseSlot(NotOwner, slot, sh.Primary)
		}
		return nil
	})
}

// UnassignSlots takes slots from their owner, proposed by the owner after it
// fenced and drained them, in the tenure it names. The owner's migrating marks
// on them go, and By's importing marks. Refused: SlotUnassigned, NotOwner,
// StaleTenure.
type UnassignSlots struct {
	Node   NodeID // the owner
	Tenure uint64
	Slots  []slot.Range
	By     NodeID // who asked
}

func (*UnassignSlots) opCode() Code { return codeUnassignSlots }

func (o *UnassignSlots) encode(b []byte) []byte {
	b = putUint(putString(b, o.Node), o.Tenure)
	return putString(putRanges(b, o.Slots), o.By)
}

func (o *UnassignSlots) decode(d *decoder) {
	o.Node, o.Tenure, o.Slots, o.By = d.node(), d.uint(), d.ranges(), d.node()
}

func (o *UnassignSlots) apply(d *draft) *Refusal {
	if refused := d.owned(o.Slots, o.Node); refused != nil {
		return refused
	}
	if d.s.ShardOf(o.Node).Tenure != o.Tenure {
		return refuse(StaleTenure, o.Node)
	}
	d.give(o.Slots, "")
	each(o.Slots, func(slot int) *Refusal {
		d.closeImporting(slot, o.By)
		return nil
	})
	d.changed(describe(o.Slots, o.Node), describe(o.Slots, ""))
	return nil
}

// MoveSlots hands slots from a living owner to another primary, proposed by the
// owner after it fenced and drained them. From's migrating and To's importing
// marks on them go (those of others stay: SETSLOT STABLE clears them), and To
// gets a fresh config epoch. Stamps, where given, are one per slot in the order
// of Slots and must match. To == From changes nothing. Refused: NotMember,
// SlotUnassigned, NotOwner, StaleTenure, UnknownNode, NotPrimary, StaleStamp.
type MoveSlots struct {
	From   NodeID
	Tenure uint64
	To     NodeID
	Slots  []slot.Range
	Stamps []uint64
}

func (*MoveSlots) opCode() Code { return codeMoveSlots }

func (o *MoveSlots) encode(b []byte) []byte {
	b = putUint(putString(b, o.From), o.Tenure)
	b = putRanges(putString(b, o.To), o.Slots)
	b = putUint(b, uint64(len(o.Stamps)))
	for _, v := range o.Stamps {
		b = putUint(b, v)
	}
	return b
}

func (o *MoveSlots) decode(d *decoder) {
	o.From, o.Tenure, o.To, o.Slots = d.node(), d.uint(), d.node(), d.ranges()
	if n := d.count(1); n > 0 {
		o.Stamps = make([]uint64, n)
		for i := range o.Stamps {
			o.Stamps[i] = d.uint()
		}
	}
}

func (o *MoveSlots) apply(d *draft) *Refusal {
	if refused := d.owned(o.Slots, o.From); refused != nil {
		return refused
	}
	if d.s.ShardOf(o.From).Tenure != o.Tenure {
		return refuse(StaleTenure, o.From)
	}
	if _, refused := d.target(o.To); refused != nil {
		return refused
	}
	if refused := o.checkStamps(d.s); refused != nil {
		return refused
	}
	if o.From == o.To {
		return nil
	}
	d.give(o.Slots, o.To)
	d.raise(o.To)
	d.changed(describe(o.Slots, o.From), describe(o.Slots, o.To))
	return nil
}

func (o *MoveSlots) checkStamps(s *State) *Refusal {
	if len(o.Stamps) == 0 {
		return nil
	}
	stamps := o.Stamps
	refused := each(o.Slots, func(slot int) *Refusal {
		if len(stamps) == 0 {
			return refuseSlot(Invalid, slot, o.From)
		}
		if s.Stamp(slot) != stamps[0] {
			return refuseSlot(StaleStamp, slot, o.From)
		}
		stamps = stamps[1:]
		return nil
	})
	if refused == nil && len(stamps) > 0 {
		return refuse(Invalid, o.From)
	}
	return refused
}

// TakeSlots gives slots of a failed owner without supporters to another primary
// on an operator's word, or unassigns them; the leader has measured the time.
// Refused: NotMember, SlotUnassigned, NotOwner, StaleShard, NotFailed,
// HasSupporters, UnknownNode, NotPrimary, Self.
type TakeSlots struct {
	From       NodeID
	ShardEpoch uint64
	To         NodeID // "" = unassign
	Slots      []slot.Range
}

func (*TakeSlots) opCode() Code { return codeTakeSlots }

func (o *TakeSlots) encode(b []byte) []byte {
	b = putUint(putString(b, o.From), o.ShardEpoch)
	return putRanges(putString(b, o.To), o.Slots)
}

func (o *TakeSlots) decode(d *decoder) {
	o.From, o.ShardEpoch, o.To, o.Slots = d.node(), d.uint(), d.node(), d.ranges()
}

func (o *TakeSlots) apply(d *draft) *Refusal {
	if refused := d.owned(o.Slots, o.From); refused != nil {
		return refused
	}
	if refused := d.takeable(d.s.Node(o.From), o.ShardEpoch); refused != nil {
		return refused
	}
	if o.To != "" {
		if _, refused := d.target(o.To); refused != nil {
			return refused
		}
		if o.To == o.From {
			return refuse(Self, o.To)
		}
	}
	d.give(o.Slots, o.To)
	if o.To != "" {
		d.raise(o.To)
	}
	d.changed(describe(o.Slots, o.From), describe(o.Slots, o.To))
	return nil
}

// takeable refuses to take slots of a primary without its consent unless it is
// failed, nobody could be promoted instead, and its shard is as the leader saw it.
func (d *draft) takeable(n *Node, shardEpoch uint64) *Refusal {
	sh := d.s.Shard(n.Shard)
	switch {
	case sh.Epoch != shardEpoch:
		return refuse(StaleShard, n.ID)
	case !n.Has(Failed):
		return refuse(NotFailed, n.ID)
	case len(sh.Supporters) > 0:
		return refuse(HasSupporters, n.ID)
	}
	return nil
}
