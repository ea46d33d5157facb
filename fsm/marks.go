package fsm

import "conclave/fsm/slot"

const (
	codeSetMigrating Code = iota + 30
	codeSetImporting
	codeSetStable
)

var markOps = []opDef{
	def[SetMigrating]("marks.migrating", 1),
	def[SetImporting]("marks.importing", 1),
	def[SetStable]("marks.stable", 1),
}

// SetMigrating marks a slot open outward at its owner. Refused: NotOwner,
// UnknownNode, NotPrimary (the target).
type SetMigrating struct {
	Slot uint16
	Node NodeID // the owner
	To   NodeID
}

func (*SetMigrating) opCode() Code { return codeSetMigrating }

func (o *SetMigrating) encode(b []byte) []byte {
	return putString(putString(putUint(b, uint64(o.Slot)), o.Node), o.To)
}

func (o *SetMigrating) decode(d *decoder) { o.Slot, o.Node, o.To = d.uint16(), d.node(), d.node() }

func (o *SetMigrating) apply(d *draft) *Refusal {
	if o.Slot >= slot.Count {
		return refuse(Invalid, o.Node)
	}
	if owner := d.s.OwnerNode(int(o.Slot)); owner == nil || owner.ID != o.Node {
		return refuseSlot(NotOwner, int(o.Slot), o.Node)
	}
	if _, refused := d.target(o.To); refused != nil {
		return refused
	}
	d.mark(&d.s.migrating, Mark{o.Slot, o.Node, o.To})
	return nil
}

// mark opens a slot in one direction, unless it is open like that already.
func (d *draft) mark(t **markTable, m Mark) {
	old, ok := (*t).peer(m.Node, int(m.Slot))
	if ok && old == m.Peer {
		return
	}
	*t = (*t).set(m)
	one := []slot.Range{{Start: m.Slot, End: m.Slot}}
	d.changed(describe(one, m.Node)+" "+string(old), describe(one, m.Node)+" "+string(m.Peer))
}

// SetImporting marks a slot open inward at a primary that doesn't own it;
// several may import one slot, which needn't have an owner. Refused: NotMember,
// AlreadyOwner, UnknownNode, NotPrimary (either side; Node tells).
type SetImporting struct {
	Slot uint16
	Node NodeID
	From NodeID
}

func (*SetImporting) opCode() Code { return codeSetImporting }

func (o *SetImporting) encode(b []byte) []byte {
	return putString(putString(putUint(b, uint64(o.Slot)), o.Node), o.From)
}

func (o *SetImporting) decode(d *decoder) { o.Slot, o.Node, o.From = d.uint16(), d.node(), d.node() }

func (o *SetImporting) apply(d *draft) *Refusal {
	if o.Slot >= slot.Count {
		return refuse(Invalid, o.Node)
	}
	n := d.s.Node(o.Node)
	if n == nil {
		return refuse(NotMember, o.Node)
	}
	if !n.IsPrimary() {
		return refuse(NotPrimary, n.ID)
	}
	if owner := d.s.OwnerNode(int(o.Slot)); owner == n {
		return refuseSlot(AlreadyOwner, int(o.Slot), n.ID)
	}
	if _, refused := d.target(o.From); refused != nil {
		return refused
	}
	d.mark(&d.s.importing, Mark{o.Slot, o.Node, o.From})
	return nil
}

// SetStable clears both marks of one node on a slot. Refused: NotMember.
type SetStable struct {
	Slot uint16
	Node NodeID
}

func (*SetStable) opCode() Code { return codeSetStable }

func (o *SetStable) encode(b []byte) []byte {
	return putString(putUint(b, uint64(o.Slot)), o.Node)
}

func (o *SetStable) decode(d *decoder) { o.Slot, o.Node = d.uint16(), d.node() }

func (o *SetStable) apply(d *draft) *Refusal {
	if o.Slot >= slot.Count {
		return refuse(Invalid, o.Node)
	}
	if d.s.Node(o.Node) == nil {
		return refuse(NotMember, o.Node)
	}
	n := int(o.Slot)
	to, out := d.s.Migrating(o.Node, n)
	from, in := d.s.Importing(o.Node, n)
	if !out && !in {
		return nil
	}
	if out {
		d.closeMigrating(n)
	}
	if in {
		d.closeImporting(n, o.Node)
	}
	one := describe([]slot.Range{{Start: o.Slot, End: o.Slot}}, o.Node)
	d.changed(one+" "+string(to+from), one)
	return nil
}
