package commands

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"conclave/fsm"
	"conclave/fsm/slot"
)

// picture is what the readers derive from a view, once per view. All but
// replies is immutable.
type picture struct {
	st       *fsm.State
	runs     []run                       // ascending
	slots    map[fsm.NodeID][]slot.Range // by primary
	text     map[fsm.NodeID]string       // the same as " 0-5460 5462"
	replicas map[fsm.NodeID][]*fsm.Node  // by primary
	members  map[fsm.ShardID][]*fsm.Node // the primary first

	replies sync.Map // slotsKind → []byte: replies of CLUSTER SLOTS
}

// run is a maximal range of slots with one owner.
type run struct {
	slot.Range
	owner *fsm.Node
}

// pictureCache keeps the picture of the latest view.
type pictureCache struct{ last atomic.Pointer[picture] }

// of is the picture of a view.
func (c *pictureCache) of(st *fsm.State) *picture {
	if p := c.last.Load(); p != nil && p.st == st {
		return p
	}
	p := draw(st)
	c.last.Store(p)
	return p
}

func draw(st *fsm.State) *picture {
	p := &picture{
		st: st, slots: map[fsm.NodeID][]slot.Range{}, text: map[fsm.NodeID]string{},
		replicas: map[fsm.NodeID][]*fsm.Node{}, members: map[fsm.ShardID][]*fsm.Node{},
	}
	for s := range slot.Count {
		owner := st.OwnerNode(s)
		if owner == nil {
			continue
		}
		if n := len(p.runs); n > 0 && p.runs[n-1].owner == owner && int(p.runs[n-1].End)+1 == s {
			p.runs[n-1].End = uint16(s)
			continue
		}
		p.runs = append(p.runs, run{slot.Range{Start: uint16(s), End: uint16(s)}, owner})
	}
	for _, r := range p.runs {
		p.slots[r.owner.ID] = append(p.slots[r.owner.ID], r.Range)
	}
	for id, rs := range p.slots {
		var b strings.Builder
		for _, r := range rs {
			b.WriteByte(' ')
			b.WriteString(r.String())
		}
		p.text[id] = b.String()
	}
	for _, n := range st.Nodes() {
		if n.IsPrimary() {
			p.members[n.Shard] = slices.Insert(p.members[n.Shard], 0, n)
			continue
		}
		p.members[n.Shard] = append(p.members[n.Shard], n)
		p.replicas[n.Primary] = append(p.replicas[n.Primary], n)
	}
	return p
}
