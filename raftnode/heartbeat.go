package raftnode

import (
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"conclave/fsm"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
)

// beatEvery is how often a node tells the leader that it lives; a node whose
// lease runs low, or whom the leader waits for, hurries.
const (
	beatEvery   = 500 * time.Millisecond
	beatHurried = 50 * time.Millisecond
)

func (n *Node) heartbeatLoop(ctx context.Context) {
	for {
		n.beat(ctx)
		left := time.Duration(n.lease.deadline.Load()) - n.cfg.Clock.Mono()
		st := n.View()
		wait := min(beatEvery, n.leaseTerm(st)/5)
		if r := st.Node(n.Self()); left < n.leaseTerm(st)/2 || r == nil || r.Suffrage == fsm.Candidate || r.Has(fsm.Pending) {
			wait = beatHurried
		}
		if !sleepCtx(ctx, wait) {
			return
		}
	}
}

// beat sends one heartbeat and acts on the answer.
func (n *Node) beat(ctx context.Context) {
	g := n.group()
	st := n.View()
	v, leads := g.leads()
	if me := st.Node(n.Self()); st.ClusterID() == g.cluster && len(st.Nodes()) == 1 && me != nil && me.Incarnation == n.incarnation && v != nil {
		// Alone, and not only in what an old snapshot tells: nobody else could
		// give this node's slots away.
		n.lease.unneeded()
		if g.retired.Load() {
			n.lease.drop() // it is leaving just now
		}
		n.soft.leaderSeen(n.cfg.Clock.Mono())
		return
	}
	if !leads && n.removedFrom(g, st) {
		n.log.Info("removed from the cluster", "cluster", g.cluster, "index", st.Index())
		n.leaveAlone(g, "removed from the cluster")
		return
	}
	h := n.heartbeatOf(g, st)
	cctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	sent := n.cfg.Clock.Mono()
	var out *heartbeatReply
	if leads {
		out = n.heartbeatHere(cctx, g, v, h)
	} else {
		to := g.leader()
		var r heartbeatReply
		var err error
		if to != "" && to != n.Self() {
			err = n.call(cctx, to, methodHeartbeat, h, &r)
		} else {
			p, ok := n.anyPeer(g)
			if !ok {
				return
			}
			// Whoever answers there: a node that ended the cluster and then
			// changed its id still says so.
			err = n.client.Call(cctx, p.Addr, peer.Want{}, methodHeartbeat, h, &r)
		}
		if err != nil {
			return
		}
		out = &r
		n.soft.seenAs(out.YourIP)
	}
	n.takeVerdict(g, st, sent, out)
}

// takeVerdict is the answer's effect: the lease, everybody's health, and
// whether this node is still a member.
func (n *Node) takeVerdict(g *group, st *fsm.State, sent time.Duration, out *heartbeatReply) {
	if g.retired.Load() {
		return
	}
	switch {
	case out.Cluster != g.cluster:
		if out.Ended {
			n.log.Info("the cluster ended", "cluster", g.cluster)
			n.leaveAlone(g, "the cluster ended")
		}
		return
	case !out.Listed:
		// Believed only from a view at or after our own join and what we have
		// applied: an older one simply doesn't know us yet.
		if out.Index >= g.joinIndex && out.Index >= n.View().Index() && out.Index > 0 || n.off(guards.Verdict) {
			n.log.Info("removed from the cluster", "cluster", g.cluster, "index", out.Index)
			n.leaveAlone(g, "removed from the cluster")
		}
		return
	}
	if out.Leader != "" {
		g.hearOfLeader(out.Leader)
	}
	if out.Authority {
		if n.off(guards.LeaseFromSend) {
			sent = n.cfg.Clock.Mono()
		}
		if n.off(guards.LeaseView) {
			n.lease.grant(sent, n.leaseTerm(st))
		}
		n.lease.grantFrom(grant{g.cluster, out.Recovery, out.Index, sent, n.leaseTerm(st)}, n.View)
		n.soft.leaderSeen(n.cfg.Clock.Mono())
		n.soft.setHealth(out.Health)
	}
	if r, v := out.Record, g.raft(); r != nil && v != nil && r.Attempt == g.attempt &&
		(r.Generation > v.gen || r.Suffrage == fsm.Observer && (r.Generation == v.gen || v.idle(n.cfg.Clock.Mono()))) {
		g.becomeObserver(v)
	}
}

// removedFrom reports that this node's own view has its removal. A view from
// before the own join says nothing, an old log may be replaying; after it an
// attempt that isn't listed never will be again. So a node needn't find anybody
// to be told: the others may all have left.
func (n *Node) removedFrom(g *group, st *fsm.State) bool {
	if st.ClusterID() != g.cluster || st.Index() == 0 || st.Index() < g.joinIndex {
		return false
	}
	r := st.Node(n.Self())
	return r == nil || r.Attempt > g.attempt
}

func (n *Node) leaveAlone(g *group, why string) {
	n.mu.Lock()
	joining := n.meta.Intent != nil
	n.mu.Unlock()
	if joining || n.resetting.Load() { // who resets leaves by itself, under its own terms
		return
	}
	if err := n.becomeSolo(g, why, false, 0); err != nil {
		n.fail(err)
	}
}

// hearOfLeader notes a leader that somebody named, for nodes whose own Raft or
// stream doesn't know one yet.
func (g *group) hearOfLeader(id fsm.NodeID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.n.cfg.Clock.Mono()
	if g.feedLeader == "" || now-g.feedHeard > time.Second {
		g.feedLeader, g.feedHeard = id, now
	}
}

func (n *Node) heartbeatOf(g *group, st *fsm.State) *heartbeat {
	s := n.cfg.Settings()
	h := &heartbeat{
		Cluster: g.cluster, Node: n.Self(), Attempt: g.attempt, Incarnation: n.incarnation,
		Index: st.Index(), BusAddr: net.JoinHostPort(s.AnnounceIP, strconv.Itoa(int(s.BusPort))),
		LeaseMs: uint64(n.leaseTerm(st).Milliseconds()), Keys: int64(n.cfg.Data.Keys()),
	}
	if v := g.raft(); v != nil {
		h.Generation, h.RaftApplied = v.gen, v.raft.AppliedIndex()
	}
	return h
}

// anyPeer is somebody to ask while no leader is known.
func (n *Node) anyPeer(g *group) (peerAddr, bool) {
	var all []peerAddr
	for _, p := range peersOf(n.View()) {
		if p.ID != n.Self() {
			all = append(all, p)
		}
	}
	n.mu.Lock()
	for _, p := range n.meta.Membership.Peers {
		if p.ID != n.meta.NodeID {
			all = append(all, peerAddr{p.ID, p.Addr})
		}
	}
	n.mu.Unlock()
	all = append(all, n.soft.hinted()...)
	for _, s := range n.cfg.Settings().Seeds {
		all = append(all, peerAddr{"", s})
	}
	if len(all) == 0 {
		return peerAddr{}, false
	}
	n.rng.Lock()
	defer n.rng.Unlock()
	return all[n.rng.IntN(len(all))], true
}

func (n *Node) handleHeartbeat(ctx context.Context, from peer.Identity, in *heartbeat) (*heartbeatReply, error) {
	g := n.group()
	if in.Node != from.Node {
		return nil, peer.Errorf("bad", "the heartbeat names another node than the handshake")
	}
	if in.Cluster != g.cluster {
		n.mu.Lock()
		ended := slices.Contains(n.meta.Former, in.Cluster)
		n.mu.Unlock()
		return &heartbeatReply{Cluster: g.cluster, Ended: ended}, nil
	}
	host, port, err := net.SplitHostPort(in.BusAddr)
	addr := ""
	if err == nil {
		if host == "" {
			host = from.RemoteIP
		}
		if host != "" {
			addr = net.JoinHostPort(host, port)
		}
	}
	n.soft.heardFrom(n.cfg.Clock.Mono(), n.cfg.Clock.WallMs(), in, addr)
	if v, leads := g.leads(); leads {
		out := n.heartbeatHere(ctx, g, v, in)
		out.YourIP = from.RemoteIP
		return out, nil
	}
	st := n.View()
	if st.ClusterID() != g.cluster {
		return nil, peer.Errorf("behind", "no view of the cluster yet")
	}
	out := &heartbeatReply{Cluster: g.cluster, Leader: g.leader(), YourIP: from.RemoteIP}
	fillListed(out, st, in)
	if out.Leader != "" {
		out.Addr, _ = n.addrOf(out.Leader)
	}
	return out, nil
}

func fillListed(out *heartbeatReply, st *fsm.State, in *heartbeat) {
	out.Index, out.Recovery = st.Index(), st.RecoveryEpoch()
	if r := st.Node(in.Node); r != nil && r.Attempt == in.Attempt {
		out.Listed, out.Record = true, r
	}
}

// heartbeatHere is the leader's answer, to others and to itself.
func (n *Node) heartbeatHere(ctx context.Context, g *group, v *voterRaft, in *heartbeat) *heartbeatReply {
	now := n.cfg.Clock.Mono()
	n.soft.heardFrom(now, n.cfg.Clock.WallMs(), in, "")
	out := &heartbeatReply{Cluster: g.cluster, Leader: n.Self()}
	out.Authority = n.authority(ctx, g, v)
	st := v.machine.current()
	fillListed(out, st, in)
	// A lease is for the process that the configuration names, and a pending
	// member's first contact is what confirms it.
	if r := out.Record; r != nil {
		if r.Has(fsm.Pending) {
			n.confirm(g, v, r)
		}
		out.Authority = out.Authority && (in.LeaseMs <= r.TimeoutMs || n.off(guards.LeaseCap))
		out.Health = n.soft.table(n.cfg.Clock.Mono(), st, n.Self(), n.cfg.Clock.WallMs())
	}
	return out
}

// confirm ends the pending state of a member that connected after its commit
// point.
func (n *Node) confirm(g *group, v *voterRaft, r *fsm.Node) {
	v.wg.Go(func() {
		ctx, cancel := context.WithTimeout(g.ctx, 2*time.Second)
		defer cancel()
		if err := g.put(ctx, v, &fsm.Confirm{ID: r.ID, Attempt: r.Attempt}); err != nil {
			n.log.Debug("confirm", "node", r.ID, "err", err)
		}
	})
}

// handleAttempt says whether an attempt of this node still lives.
func (n *Node) handleAttempt(_ context.Context, _ peer.Identity, in *attemptRequest) (*attemptReply, error) {
	if in.Asker.Addr != "" && n.group().cluster == in.Cluster {
		n.soft.seenAt(in.Asker)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case in.Node != n.meta.NodeID && slices.Contains(n.meta.FormerIDs, in.Node):
		// RESET HARD changed the id.
		return &attemptReply{State: "dead"}, nil
	case in.Node != n.meta.NodeID:
		// Somebody else's old address.
		return &attemptReply{State: "unknown"}, nil
	case n.meta.Membership.ClusterID == in.Cluster && n.meta.Membership.Attempt == in.Attempt:
		return &attemptReply{State: "member"}, nil
	case n.meta.Intent != nil && n.meta.Intent.TargetCluster == in.Cluster && n.meta.Intent.Attempt == in.Attempt:
		return &attemptReply{State: "joining"}, nil
	case in.Attempt > n.meta.Attempt:
		// This directory never made that attempt: it is older than the
		// cluster's memory of it (a restored backup). Not ours to declare dead.
		return &attemptReply{State: "unknown"}, nil
	}
	return &attemptReply{State: "dead"}, nil
}
