package sim

import (
	"context"
	"fmt"
	"time"

	"conclave/fsm"
)

// restTime is how long a world without faults may take to come to rest.
const restTime = 60 * time.Second

// rest waits until everything has come to rest and then checks what was
// promised.
func (c *checker) rest() {
	begin := time.Now()
	var why string
	for calm := 0; calm < 3; {
		if !c.w.sleep(100*time.Millisecond, nil) {
			return
		}
		if why = c.unrest(); why == "" {
			calm++
			continue
		}
		calm = 0
		if time.Since(begin) > restTime {
			c.dump()
			c.w.violate("no rest after %v without faults: %s", restTime, why)
			return
		}
	}
	c.w.tracef("at rest")
	c.promises()
	c.usable()
}

// dump writes everybody's state into the trace.
func (c *checker) dump() {
	for _, h := range c.w.hosts {
		l := h.now()
		if l == nil {
			continue
		}
		st, s := l.node.View(), l.node.Status()
		c.w.tracef("%s: cluster %.6s (view %.6s) index %d, %s, leader %s, term %d, generation %d, voters %d/%d, lease %d ms, joining %v", h.name,
			l.cluster(), st.ClusterID(), st.Index(), s.Role, c.w.hostOf(s.Leader), s.Term, l.meta.Load().Membership.Generation,
			s.Voters, s.VotersWanted, s.LeaseRemainingMs, s.Joining)
		for _, m := range st.Nodes() {
			c.w.tracef("    %s attempt %d generation %d suffrage %d flags %d address %s", c.w.hostOf(m.ID), m.Attempt, m.Generation, m.Suffrage, m.Flags, m.IP)
		}
	}
}

// unrest says why the world isn't at rest, "" if it is.
func (c *checker) unrest() string {
	clusters := map[string][]*life{}
	for _, h := range c.w.hosts {
		l := h.now()
		if l == nil { // its disk failed late
			h.boot()
			return h.name + " is down"
		}
		clusters[l.cluster()] = append(clusters[l.cluster()], l)
	}
	for id, members := range clusters {
		if why := c.unsettled(id, members); why != "" {
			return why
		}
	}
	return ""
}

func (c *checker) unsettled(cluster string, members []*life) string {
	first := members[0].node.View()
	for _, l := range members {
		st, s := l.node.View(), l.node.Status()
		name := l.h.name
		switch {
		case st.ClusterID() != cluster:
			return fmt.Sprintf("%s has no view of its cluster %.6s", name, cluster)
		case l.meta.Load().Intent != nil || s.Joining:
			return name + " is joining"
		case st.Index() != first.Index():
			return fmt.Sprintf("%s is at index %d, %s at %d", name, st.Index(), members[0].h.name, first.Index())
		case st.Hash() != first.Hash():
			c.w.violate("%s and %s differ at index %d", name, members[0].h.name, st.Index())
			return "divergence"
		case len(st.Nodes()) != len(members):
			return fmt.Sprintf("%s lists %d members, and %d hosts are in its cluster", name, len(st.Nodes()), len(members))
		case s.Voters != s.VotersWanted:
			return fmt.Sprintf("%s counts %d voters of %d", name, s.Voters, s.VotersWanted)
		case !s.ControlPlaneOK || s.Leader == "":
			return name + " hears no leader"
		}
		for _, m := range st.Nodes() {
			if m.Has(fsm.Pending) || m.Has(fsm.Failed) || m.Suffrage == fsm.Candidate {
				return fmt.Sprintf("%s sees %s with flags %v, suffrage %v", name, c.w.hostOf(m.ID), m.Flags, m.Suffrage)
			}
		}
		me := st.Node(l.id())
		switch {
		case me == nil || me.Incarnation != l.node.Incarnation():
			return name + " is not listed as it is"
		case me.IsPrimary() && !l.node.LeaseValid():
			return name + " has no lease"
		case (me.Suffrage == fsm.Voter) != (l.meta.Load().Membership.Generation != 0):
			return name + " runs Raft, or not, against its record"
		}
		for s := range slotsInPlay {
			if o := st.OwnerNode(s); o == me && !l.serves(s) {
				return fmt.Sprintf("%s doesn't serve its slot %d", name, s)
			}
		}
	}
	return ""
}

// promises checks in the final states what operators were told.
func (c *checker) promises() {
	final := map[string]*fsm.State{}
	where := map[fsm.NodeID]*fsm.State{}
	for _, h := range c.w.hosts {
		l := h.now()
		st := l.node.View()
		final[st.ClusterID()] = st
		where[l.id()] = st
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for text, p := range c.tokens {
		for id, st := range final {
			k := found(st, text)
			switch {
			case p.state == "ok" && p.cluster == id && k == 0:
				c.w.violate("%s was acknowledged at index %d and is gone", text, p.index)
			case p.state == "never" && k > 0:
				c.w.violate("%s was answered as not done and is there", text)
			case k > 1:
				c.w.violate("%s was applied %d times", text, k)
			}
		}
	}
	for s, k := range c.keeps {
		st := where[k.node]
		if st == nil || c.leftSince(k.node, 0) {
			continue
		}
		if o := st.OwnerNode(int(s)); o == nil || o.ID != k.node {
			c.w.violate("slot %d was given to %s for good at %.4f, and it doesn't have it", s, c.w.hostOf(k.node), k.at.Seconds())
		}
	}
	for _, m := range c.meets {
		if !m.ok || m.aID == m.bID || c.leftSince(m.aID, m.begin) || c.leftSince(m.bID, m.begin) {
			continue
		}
		a, b := where[m.aID], where[m.bID]
		if a != nil && b != nil && a.ClusterID() != b.ClusterID() {
			c.w.violate("%s and %s met at %.4f and are in different clusters", m.a, m.b, m.until.Seconds())
		}
	}
}

// usable checks that every node takes an operation.
func (c *checker) usable() {
	for _, h := range c.w.hosts {
		l := h.now()
		if l == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		res, err := l.node.Propose(ctx, &fsm.Noop{})
		cancel()
		if err != nil || res.Refusal != nil {
			c.w.violate("%s takes no operation at rest: %v %v", h.name, err, res.Refusal)
		}
	}
}
