package fsm

import "fmt"

const (
	codeBumpEpoch Code = iota + 40
	codeSetEpoch
)

var epochOps = []opDef{
	def[BumpEpoch]("epochs.bump", 1),
	def[SetEpoch]("epochs.set", 1),
}

// BumpEpoch gives a primary a fresh config epoch unless it has the highest
// already; Result.Epoch and Result.Bumped tell. A replica has none of its own:
// Result.Epoch is its primary's. Refused: NotMember.
type BumpEpoch struct{ Node NodeID }

func (*BumpEpoch) opCode() Code { return codeBumpEpoch }

func (o *BumpEpoch) encode(b []byte) []byte { return putString(b, o.Node) }

func (o *BumpEpoch) decode(d *decoder) { o.Node = d.node() }

func (o *BumpEpoch) apply(d *draft) *Refusal {
	n := d.s.Node(o.Node)
	if n == nil {
		return refuse(NotMember, o.Node)
	}
	if n.IsPrimary() && (n.Epoch == 0 || n.Epoch != d.s.currentEpoch) {
		d.raise(n.ID)
		d.res.Bumped = true
		d.changed(epochText(n), epochText(d.s.Node(n.ID)))
	}
	d.res.Epoch = d.s.EpochOf(n.ID)
	return nil
}

// raise gives a primary the next config epoch.
func (d *draft) raise(id NodeID) {
	epoch := d.freshEpoch()
	d.editNode(id, func(n *Node) { n.Epoch = epoch })
}

func epochText(n *Node) string { return fmt.Sprintf("%s epoch %d", n.ID, n.Epoch) }

// SetEpoch sets the config epoch of a node that is alone and has none. Refused:
// NotMember, KnowsOthers, EpochSet, Invalid.
type SetEpoch struct {
	Node  NodeID
	Epoch uint64
}

func (*SetEpoch) opCode() Code { return codeSetEpoch }

func (o *SetEpoch) encode(b []byte) []byte { return putUint(putString(b, o.Node), o.Epoch) }

func (o *SetEpoch) decode(d *decoder) { o.Node, o.Epoch = d.node(), d.uint() }

func (o *SetEpoch) apply(d *draft) *Refusal {
	n := d.s.Node(o.Node)
	switch {
	case n == nil:
		return refuse(NotMember, o.Node)
	case len(d.s.nodes) > 1:
		return refuse(KnowsOthers, n.ID)
	case n.Epoch != 0:
		return refuse(EpochSet, n.ID)
	case o.Epoch > maxEpoch:
		return refuse(Invalid, n.ID)
	case o.Epoch == 0:
		return nil
	}
	d.editNode(n.ID, func(n *Node) { n.Epoch = o.Epoch })
	d.s.currentEpoch = max(d.s.currentEpoch, o.Epoch)
	d.changed(epochText(n), epochText(d.s.Node(n.ID)))
	return nil
}
