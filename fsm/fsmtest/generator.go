package fsmtest

import (
	"fmt"
	"math/rand/v2"

	"conclave/fsm"
	"conclave/fsm/slot"
)

// ClusterID is the cluster that generated entries found and join.
const ClusterID = "c0ffee"

// Generator makes up entries for a cluster of up to Nodes members.
type Generator struct {
	// Nodes is the number of different node ids; 8 from New.
	Nodes int
	// Absurd is the share of arguments drawn without regard to the state; 0.15
	// from New.
	Absurd float64

	rng      *rand.Rand
	attempts map[fsm.NodeID]uint64
	starts   map[fsm.NodeID]uint64
	seq      uint64
	sent     []*fsm.Entry // some of them are sent again
}

// New is a generator that the seed determines.
func New(seed uint64) *Generator {
	return &Generator{
		Nodes: 8, Absurd: 0.15,
		rng:      rand.New(rand.NewPCG(seed, 0x636f6e63)),
		attempts: map[fsm.NodeID]uint64{}, starts: map[fsm.NodeID]uint64{},
	}
}

// Entry makes up the next entry for a state. On an unfounded one it is Found,
// nearly always.
func (g *Generator) Entry(s *fsm.State) *fsm.Entry {
	if len(g.sent) > 0 && g.rng.IntN(20) == 0 {
		return g.sent[g.rng.IntN(len(g.sent))]
	}
	e := &fsm.Entry{Op: g.Op(s), WallMs: 1_700_000_000_000 + g.rng.Int64N(1000)}
	if g.rng.IntN(2) == 0 {
		g.seq++
		e.Request = fsm.Request{Origin: g.node(s), Incarnation: fsm.Incarnation{Count: 1}, Seq: g.seq}
		if n := s.Node(e.Request.Origin); n != nil && !g.absurd() {
			e.Request.Incarnation = n.Incarnation
		}
		if len(g.sent) > 200 {
			g.sent = g.sent[100:]
		}
		g.sent = append(g.sent, e)
	}
	return e
}

// Op makes up an operation for a state.
func (g *Generator) Op(s *fsm.State) fsm.Op {
	if s.ClusterID() == "" && !g.absurd() {
		return g.found()
	}
	if g.rng.IntN(12) == 0 {
		b := &fsm.Batch{}
		for range g.rng.IntN(6) {
			b.Ops = append(b.Ops, g.single(s))
		}
		return b
	}
	return g.single(s)
}

func (g *Generator) single(s *fsm.State) fsm.Op {
	family := g.rng.IntN(10)
	switch {
	case len(s.Nodes()) < g.Nodes/2 && g.rng.IntN(3) == 0:
		return g.joinOp(s)
	case family < 3:
		return g.memberOp(s)
	case family < 6:
		return g.slotOp(s)
	case family < 8:
		return g.markOp(s)
	case family < 9:
		return g.roleOp(s)
	default:
		return g.systemOp(s)
	}
}

func (g *Generator) absurd() bool { return g.rng.Float64() < g.Absurd }

// anyNode is one of the possible ids, member or not.
func (g *Generator) anyNode() fsm.NodeID {
	return fsm.NodeID(fmt.Sprintf("n%d", g.rng.IntN(g.Nodes)))
}

// node is a member, nearly always.
func (g *Generator) node(s *fsm.State) fsm.NodeID {
	if len(s.Nodes()) == 0 || g.absurd() {
		return g.anyNode()
	}
	return s.Nodes()[g.rng.IntN(len(s.Nodes()))].ID
}

// primary is a member that leads a shard, nearly always.
func (g *Generator) primary(s *fsm.State) fsm.NodeID {
	for range 10 {
		if n := s.Node(g.node(s)); n != nil && n.IsPrimary() {
			return n.ID
		}
	}
	return g.node(s)
}

func (g *Generator) attempt(s *fsm.State, id fsm.NodeID) uint64 {
	if n := s.Node(id); n != nil && !g.absurd() {
		return n.Attempt
	}
	return uint64(g.rng.IntN(4))
}

// slots is up to three ranges of free slots, or of slots of an owner; nearly
// always without overlap.
func (g *Generator) slots(s *fsm.State, owner *fsm.Shard) []slot.Range {
	var want slot.Set
	var owned []slot.Range
	if owner != nil {
		owned = s.SlotsOf(owner.ID)
	}
	for range 1 + g.rng.IntN(3) {
		start := g.rng.IntN(slot.Count)
		if len(owned) > 0 {
			r := owned[g.rng.IntN(len(owned))]
			start = int(r.Start) + g.rng.IntN(r.Len())
		}
		for n := start; n < min(slot.Count, start+1+g.rng.IntN(400)); n++ {
			if s.Owner(n) == owner || g.rng.IntN(10_000) == 0 {
				want.Add(n)
			}
		}
	}
	ranges := want.Ranges()
	if g.absurd() {
		ranges = append(ranges, slot.Range{Start: uint16(g.rng.IntN(20000)), End: uint16(g.rng.IntN(20000))})
	}
	return ranges
}

// slot is a slot of the owner if one is found quickly.
func (g *Generator) slot(s *fsm.State, owner fsm.NodeID) uint16 {
	n := g.rng.IntN(slot.Count)
	for range 200 {
		if sh := s.Owner(n); sh != nil && sh.Primary == owner {
			break
		}
		n = g.rng.IntN(slot.Count)
	}
	if g.rng.IntN(100) == 0 {
		n += slot.Count
	}
	return uint16(n)
}

func (g *Generator) record(id fsm.NodeID) fsm.Node {
	g.attempts[id]++
	g.starts[id]++
	n := fsm.Node{
		ID: id, Attempt: g.attempts[id],
		Incarnation: fsm.Incarnation{Count: g.starts[id], Random: g.rng.Uint64()},
		IP:          "10.0.0." + string(id[1:]), Port: 7000, BusPort: 17000, Hostname: "host-" + string(id),
		TimeoutMs: 15000, Shard: fsm.ShardID("s" + id), Epoch: uint64(g.rng.IntN(8)),
	}
	if g.absurd() {
		n.IP, n.Flags, n.Suffrage = "", fsm.NodeFlags(g.rng.IntN(16)), fsm.Voter
	}
	if g.absurd() {
		n.Shard = fsm.ShardID("s" + g.anyNode())
	}
	return n
}

func (g *Generator) found() fsm.Op {
	o := &fsm.Found{ClusterID: ClusterID, Node: g.record(g.anyNode()), CurrentEpoch: uint64(g.rng.IntN(4))}
	if g.rng.IntN(3) == 0 {
		o.Slots = []slot.Range{{Start: 0, End: uint16(g.rng.IntN(slot.Count))}}
	}
	return o
}
