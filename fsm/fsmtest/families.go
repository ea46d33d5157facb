package fsmtest

import (
	"conclave/fsm"
	"conclave/fsm/slot"
)

func (g *Generator) joinOp(s *fsm.State) fsm.Op {
	o := &fsm.Join{
		ClusterID: s.ClusterID(), Node: g.record(g.anyNode()), Via: g.node(s),
		HelloIndex: s.Index(), Adopt: g.rng.IntN(4) == 0,
	}
	if g.rng.IntN(2) == 0 {
		o.Slots = g.slots(s, nil)
	}
	if g.rng.IntN(4) == 0 {
		o.Node.Primary = g.primary(s)
	}
	if g.absurd() {
		o.HelloIndex = g.rng.Uint64N(s.Index() + 1)
		o.Node.Attempt = uint64(g.rng.IntN(4))
	}
	if g.rng.IntN(50) == 0 {
		o.ClusterID = "elsewhere"
	}
	return o
}

func (g *Generator) memberOp(s *fsm.State) fsm.Op {
	id := g.node(s)
	at := g.attempt(s, id)
	switch g.rng.IntN(9) {
	case 0:
		return &fsm.Confirm{ID: id, Attempt: at}
	case 1:
		if g.rng.IntN(3) > 0 {
			return g.joinOp(s)
		}
		return &fsm.Drop{ID: id, Attempt: at}
	case 2:
		return g.forget(s, id)
	case 3:
		return g.update(id, at)
	case 4:
		g.starts[id]++
		return &fsm.Start{ID: id, Attempt: at, Incarnation: fsm.Incarnation{Count: g.starts[id], Random: g.rng.Uint64()}}
	case 5, 6:
		return &fsm.SetFail{ID: id, Attempt: at, Fail: g.rng.IntN(2) == 0}
	case 7:
		return &fsm.SetSuffrage{ID: id, Attempt: at, Generation: uint64(g.rng.IntN(4)), Suffrage: fsm.Suffrage(g.rng.IntN(3))}
	default:
		return g.joinOp(s)
	}
}

func (g *Generator) forget(s *fsm.State, id fsm.NodeID) fsm.Op {
	o := &fsm.Forget{ID: id, By: g.node(s), Take: g.rng.IntN(2) == 0}
	if sh := s.ShardOf(id); sh != nil {
		o.ShardEpoch = sh.Epoch
	}
	if g.rng.IntN(3) == 0 {
		o.Attempt = g.attempt(s, id)
	}
	return o
}

func (g *Generator) update(id fsm.NodeID, at uint64) fsm.Op {
	o := &fsm.Update{ID: id, Attempt: at}
	if g.rng.IntN(2) == 0 {
		ip := "10.0.1." + string(id[1:])
		if g.absurd() {
			ip = ""
		}
		o.IP = &ip
	}
	if g.rng.IntN(2) == 0 {
		port := uint16(g.rng.IntN(1 << 16))
		o.Port, o.BusPort = &port, &port
	}
	if g.rng.IntN(2) == 0 {
		name := "zone-" + string(id)
		o.Hostname, o.HumanName, o.Zone = &name, &name, &name
	}
	if g.rng.IntN(2) == 0 {
		on := g.rng.IntN(2) == 0
		generation := uint64(g.rng.IntN(4))
		o.NoFailover, o.Witness, o.Generation = &on, &on, &generation
	}
	return o
}

func (g *Generator) slotOp(s *fsm.State) fsm.Op {
	id := g.primary(s)
	sh := s.ShardOf(id)
	tenure, epoch := g.rng.Uint64N(s.Index()+1), g.rng.Uint64N(s.Index()+1)
	if sh != nil && !g.absurd() {
		tenure, epoch = sh.Tenure, sh.Epoch
	}
	switch g.rng.IntN(8) {
	case 0, 1, 2:
		return &fsm.AssignSlots{Node: id, Attempt: g.attempt(s, id), Slots: g.slots(s, nil)}
	case 3:
		return &fsm.UnassignSlots{Node: id, Tenure: tenure, Slots: g.slots(s, sh), By: g.node(s)}
	case 4:
		return &fsm.TakeSlots{From: id, ShardEpoch: epoch, To: g.primary(s), Slots: g.slots(s, sh)}
	default:
		return g.move(s, id, tenure, sh)
	}
}

func (g *Generator) move(s *fsm.State, from fsm.NodeID, tenure uint64, sh *fsm.Shard) fsm.Op {
	o := &fsm.MoveSlots{From: from, Tenure: tenure, To: g.primary(s), Slots: g.slots(s, sh)}
	if g.rng.IntN(2) == 0 {
		return o
	}
	for _, r := range o.Slots {
		for n := int(r.Start); n <= int(r.End) && n < slot.Count; n++ {
			o.Stamps = append(o.Stamps, s.Stamp(n))
		}
	}
	if len(o.Stamps) > 0 && g.absurd() {
		o.Stamps[g.rng.IntN(len(o.Stamps))]++
	}
	return o
}

func (g *Generator) markOp(s *fsm.State) fsm.Op {
	id, peer := g.primary(s), g.primary(s)
	switch g.rng.IntN(5) {
	case 0, 1:
		return &fsm.SetMigrating{Slot: g.slot(s, id), Node: id, To: peer}
	case 2, 3:
		return &fsm.SetImporting{Slot: g.slot(s, peer), Node: id, From: peer}
	default:
		n := g.slot(s, id)
		if out, in := s.Marks(id); len(out) > 0 {
			n = out[0].Slot
		} else if len(in) > 0 {
			n = in[0].Slot
		}
		return &fsm.SetStable{Slot: n, Node: id}
	}
}

func (g *Generator) roleOp(s *fsm.State) fsm.Op {
	id := g.node(s)
	switch g.rng.IntN(5) {
	case 0, 1:
		return &fsm.Replicate{Node: id, Attempt: g.attempt(s, id), Primary: g.primary(s)}
	case 2:
		return &fsm.Detach{Node: id, Attempt: g.attempt(s, id), Shard: fsm.ShardID("t" + id)}
	case 3:
		return &fsm.BumpEpoch{Node: id}
	default:
		return &fsm.SetEpoch{Node: id, Epoch: uint64(g.rng.IntN(5))}
	}
}

func (g *Generator) systemOp(s *fsm.State) fsm.Op {
	switch g.rng.IntN(5) {
	case 0:
		return &fsm.RaiseLevel{Level: uint32(g.rng.IntN(int(fsm.MaxLevel) + 1))}
	case 1:
		return &fsm.Recover{Voter: g.node(s)}
	case 2:
		return &fsm.Check{Index: s.Index(), Hash: s.Hash()}
	case 3:
		return g.found()
	default:
		return &fsm.Noop{}
	}
}
