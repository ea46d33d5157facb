package fsm

import (
	"errors"
	"fmt"

	"conclave/fsm/slot"
)

const (
	codeFound Code = iota + 1
	codeBatch
	codeRaiseLevel
	codeRecover
	codeCheck
	codeNoop
)

var systemOps = []opDef{
	def[Found]("system.found", 1),
	def[Batch]("system.batch", 1),
	def[RaiseLevel]("system.raise-level", 1),
	def[Recover]("system.recover", 1),
	def[Check]("system.check", 1),
	def[Noop]("system.noop", 1),
}

// Found is the first entry of every cluster: one node, alone, primary of its
// own shard, its own only voter. A node that says it is a replica becomes an
// empty primary of a new shard: its primary isn't here. Refused:
// AlreadyFounded, Invalid.
type Found struct {
	ClusterID    string
	Node         Node
	Slots        []slot.Range // claims taken from a nodes.conf, usually none
	CurrentEpoch uint64       // the highest epoch that the node knows of
}

func (*Found) opCode() Code { return codeFound }

func (o *Found) encode(b []byte) []byte {
	b = putString(b, o.ClusterID)
	b = putNode(b, &o.Node)
	b = putRanges(b, o.Slots)
	return putUint(b, o.CurrentEpoch)
}

func (o *Found) decode(d *decoder) {
	o.ClusterID = d.string(maxID)
	o.Node = d.fullNode()
	o.Slots = d.ranges()
	o.CurrentEpoch = d.uint()
}

func (o *Found) apply(d *draft) *Refusal {
	if d.s.clusterID != "" {
		return refuse(AlreadyFounded, "")
	}
	if o.ClusterID == "" || len(o.ClusterID) > maxID || !o.Node.valid() ||
		max(o.Node.Epoch, o.CurrentEpoch) > maxEpoch {
		return refuse(Invalid, o.Node.ID)
	}
	if len(o.Slots) > 0 {
		if refused := checkSlots(o.Slots); refused != nil {
			return refused
		}
	}
	d.s.clusterID = o.ClusterID
	d.s.level = 1
	d.s.currentEpoch = o.CurrentEpoch
	n := o.Node
	n.Flags &^= Pending | Failed
	n.Suffrage = Voter
	slots := o.Slots
	if !n.IsPrimary() {
		n.Shard, n.Primary, n.Epoch, slots = d.freshShardID(n.ID), "", 0, nil
	}
	d.admit(n, slots)
	d.changed("", o.ClusterID)
	return nil
}

// maxBatch bounds the parts of a batch: their results are remembered.
const maxBatch = 1024

// Batch applies several operations as one entry: one publication, effects
// visible from one to the next. A refused one changes nothing and doesn't stop
// the others (redis-cli's fix relies on that); Result.Sub has one per
// operation. Batches don't nest, and a cluster isn't founded in one.
type Batch struct{ Ops []Op }

func (*Batch) opCode() Code { return codeBatch }

func (o *Batch) encode(b []byte) []byte {
	b = putUint(b, uint64(len(o.Ops)))
	for _, op := range o.Ops {
		body := op.encode(nil)
		b = putUint(b, uint64(op.opCode()))
		b = append(b, opVersion)
		b = putUint(b, uint64(len(body)))
		b = append(b, body...)
	}
	return b
}

func (o *Batch) decode(d *decoder) {
	n := d.count(3)
	if n > maxBatch {
		d.fail(fmt.Errorf("%d operations in a batch, above the limit of %d", n, maxBatch))
		return
	}
	for range n {
		code, version := Code(d.uint16()), d.uint()
		body := d.string(MaxEntry)
		if d.err != nil {
			return
		}
		def, err := lookupOp(code)
		switch {
		case err != nil:
			d.fail(err)
			return
		case version != opVersion:
			d.fail(fmt.Errorf("%s has version %d, this binary knows %d", def.name, version, opVersion))
			return
		case code == codeBatch || code == codeFound:
			d.fail(errors.New(def.name + " within a batch"))
			return
		}
		op := def.fresh()
		part := &decoder{b: []byte(body)}
		op.decode(part)
		if err := part.end(); err != nil {
			d.fail(fmt.Errorf("%s: %w", def.name, err))
			return
		}
		o.Ops = append(o.Ops, op)
	}
}

func (o *Batch) apply(d *draft) *Refusal {
	if len(o.Ops) > maxBatch {
		return refuse(Invalid, "")
	}
	res := Result{Index: d.s.index}
	for _, op := range o.Ops {
		var sub Result
		if c := op.opCode(); c == codeBatch || c == codeFound {
			sub = Result{Index: d.s.index, Refusal: refuse(Invalid, "")}
		} else {
			sub = d.run(op)
		}
		res.Sub = append(res.Sub, sub)
		res.Changed = res.Changed || sub.Changed
		res.Diverged = res.Diverged || sub.Diverged
	}
	d.res = res
	return nil
}

// RaiseLevel opens operations of a newer feature level; proposed only when all
// members support it. Never falls. A binary that doesn't know the level fails
// to decode the entry, and stops.
type RaiseLevel struct{ Level uint32 }

func (*RaiseLevel) opCode() Code { return codeRaiseLevel }

func (o *RaiseLevel) encode(b []byte) []byte { return putUint(b, uint64(o.Level)) }

func (o *RaiseLevel) decode(d *decoder) {
	o.Level = d.uint32()
	if o.Level > MaxLevel {
		d.fail(fmt.Errorf("feature level %d, this binary knows up to %d", o.Level, MaxLevel))
	}
}

func (o *RaiseLevel) apply(d *draft) *Refusal {
	if o.Level > d.s.level {
		d.changed(fmt.Sprint(d.s.level), fmt.Sprint(o.Level))
		d.s.level = o.Level
	}
	return nil
}

// Recover is the first entry after an offline recovery of a lost quorum: the
// recovery epoch rises (handshakes carry it, so that survivors of the former
// history are refused) and only Voter counts as a voter. Refused: UnknownNode.
type Recover struct{ Voter NodeID }

func (*Recover) opCode() Code { return codeRecover }

func (o *Recover) encode(b []byte) []byte { return putString(b, o.Voter) }

func (o *Recover) decode(d *decoder) { o.Voter = d.node() }

func (o *Recover) apply(d *draft) *Refusal {
	if d.s.Node(o.Voter) == nil {
		return refuse(UnknownNode, o.Voter)
	}
	for _, n := range d.s.nodes {
		want := Observer
		if n.ID == o.Voter {
			want = Voter
		}
		if n.Suffrage != want {
			d.editNode(n.ID, func(n *Node) { n.Suffrage = want })
		}
	}
	d.s.recovery++
	d.changed(fmt.Sprint(d.s.recovery-1), fmt.Sprint(d.s.recovery)+" "+string(o.Voter))
	return nil
}

// Check compares the hash of the state as of Index with the proposer's, as a
// guard against divergence. It has an effect only if Index is that of the
// entry before: the proposer can't know what else commits first. On a different
// state Result.Diverged is set; the node stops.
type Check struct {
	Index uint64
	Hash  uint64
}

func (*Check) opCode() Code { return codeCheck }

func (o *Check) encode(b []byte) []byte { return putUint(putUint(b, o.Index), o.Hash) }

func (o *Check) decode(d *decoder) { o.Index, o.Hash = d.uint(), d.uint() }

func (o *Check) apply(d *draft) *Refusal {
	d.res.Diverged = d.before.index == o.Index && d.before.Hash() != o.Hash
	return nil
}

// Noop changes nothing (barriers, tests).
type Noop struct{}

func (*Noop) opCode() Code { return codeNoop }

func (*Noop) encode(b []byte) []byte { return b }

func (*Noop) decode(*decoder) {}

func (*Noop) apply(*draft) *Refusal { return nil }
