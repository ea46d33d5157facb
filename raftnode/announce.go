package raftnode

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"conclave/fsm"
	"conclave/raftnode/peer"
	"conclave/raftnode/store"
)

type metadata = store.Metadata

// onView runs inside publish: only what is cheap and must not lag the view.
func (n *Node) onView(st *fsm.State) {
	if len(st.Nodes()) > 1 && n.lease.deadline.Load() > int64(n.cfg.Clock.Mono()+n.leaseTerm(st)) {
		// No longer alone: from now on a lease is needed, counted from here,
		// the last instant at which nobody else could decide.
		n.lease.cap(n.leaseTerm(st))
	}
	n.lease.viewed(st)
	if st.Node(n.Self()) != nil {
		select {
		case <-n.ready:
		default:
			close(n.ready)
		}
	}
}

// announceLoop keeps this node's record true: its incarnation, addresses and
// the directives that others act on.
func (n *Node) announceLoop(ctx context.Context) {
	for {
		ch := n.Changed()
		if op := n.correction(); op != nil {
			actx, cancel := context.WithTimeout(ctx, 2*time.Second)
			res, err := n.Propose(actx, op)
			cancel()
			if err == nil && res.Refusal != nil {
				n.log.Warn("announcement refused", "op", fmt.Sprintf("%T", op), "err", res.Refusal)
			}
		}
		t := time.NewTimer(n.jitter(250 * time.Millisecond))
		select {
		case <-ch:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// correction is the operation that makes the committed record true, or nil.
func (n *Node) correction() fsm.Op {
	g := n.group()
	st := n.View()
	r := st.Node(n.Self())
	if r == nil || st.ClusterID() != g.cluster || r.Attempt != g.attempt {
		return nil
	}
	want := n.record(r.Attempt)
	u := &fsm.Update{ID: r.ID, Attempt: r.Attempt}
	changed := false
	if want.IP != r.IP && want.IP != "" && (len(st.Nodes()) > 1 || n.cfg.Settings().AnnounceIP != "") {
		u.IP, changed = &want.IP, true
	}
	if want.Port != r.Port {
		u.Port, changed = &want.Port, true
	}
	if want.TLSPort != r.TLSPort {
		u.TLSPort, changed = &want.TLSPort, true
	}
	if want.BusPort != r.BusPort {
		u.BusPort, changed = &want.BusPort, true
	}
	if want.Hostname != r.Hostname {
		u.Hostname, changed = &want.Hostname, true
	}
	if want.HumanName != r.HumanName {
		u.HumanName, changed = &want.HumanName, true
	}
	if want.Zone != r.Zone {
		u.Zone, changed = &want.Zone, true
	}
	if want.TimeoutMs != r.TimeoutMs {
		u.TimeoutMs, changed = &want.TimeoutMs, true
	}
	if nf := want.Has(fsm.NoFailover); nf != r.Has(fsm.NoFailover) {
		u.NoFailover, changed = &nf, true
	}
	if w := want.Has(fsm.Witness); w != r.Has(fsm.Witness) {
		u.Witness, changed = &w, true
	}
	switch {
	case changed:
		// The address first: a node that serves is found where it is.
		return u
	case r.Incarnation != n.incarnation:
		return &fsm.Start{ID: r.ID, Attempt: r.Attempt, Incarnation: n.incarnation}
	}
	return nil
}

// Announce commits changed directives at once (CONFIG SET) instead of at the
// next round.
func (n *Node) Announce(ctx context.Context) error {
	op := n.correction()
	if op == nil {
		return nil
	}
	res, err := n.Propose(ctx, op)
	if err != nil {
		return err
	}
	if res.Refusal != nil {
		return res.Refusal
	}
	return nil
}

// exportLoop writes the configuration out after it changed, and saves where
// the others are, so that this node finds them after a restart.
func (n *Node) exportLoop(ctx context.Context) {
	var last *fsm.State
	for {
		ch := n.Changed()
		if st := n.View(); st != last && st.Node(n.Self()) != nil {
			if err := n.SaveConfig(); err != nil {
				n.log.Warn("write nodes.conf", "err", err)
			}
			n.savePeers(st)
			last = st
			// A burst of changes is written once.
			if !sleepCtx(ctx, 50*time.Millisecond) {
				break
			}
			continue
		}
		select {
		case <-ch:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	if st := n.View(); st != last && st.Node(n.Self()) != nil {
		if err := n.SaveConfig(); err != nil {
			n.log.Warn("write nodes.conf", "err", err)
		}
	}
}

// SaveConfig writes the export (nodes.conf) now.
func (n *Node) SaveConfig() error {
	if n.cfg.Export == nil {
		return nil
	}
	n.exportMu.Lock()
	defer n.exportMu.Unlock()
	return n.cfg.Export(n.View(), n.Self())
}

func (n *Node) savePeers(st *fsm.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.g == nil || n.meta.Membership.ClusterID != n.g.cluster {
		return
	}
	if next := n.meta.Clone().Membership; notePeers(&next, st) {
		n.saveMetaLocked(func(m *metadata) { m.Membership = next }) // a failed save has stopped the node
	}
}

// notePeers puts the addresses of a state into the record of a membership and
// reports whether that changed it. A state from before those that are there
// changes nothing: a log that replays begins with a founder that knows nobody.
func notePeers(ms *store.Membership, st *fsm.State) bool {
	recovery := st.RecoveryEpoch()
	if recovery < ms.Recovery || recovery == ms.Recovery && st.Index() < ms.PeersIndex || st.ClusterID() != ms.ClusterID {
		return false
	}
	peers := toPeers(peersOf(st))
	if slices.Equal(peers, ms.Peers) && recovery == ms.Recovery {
		return false
	}
	ms.Peers, ms.PeersIndex, ms.Recovery = peers, st.Index(), recovery
	return true
}

// The RPC methods. Names never change meaning.
const (
	methodHello     = "hello"
	methodInvite    = "invite"
	methodJoin      = "join"
	methodIndex     = "index"
	methodPropose   = "propose"
	methodHeartbeat = "heartbeat"
	methodTerm      = "term"
	methodGive      = "give"
	methodTake      = "take"
	methodAwait     = "await"
	methodForget    = "forget"
	methodPromote   = "promote"
	methodAttempt   = "attempt"
)

// register tells the bus who answers what.
func (n *Node) register() error {
	n.endpoint.Handle(peer.KindStream, n.serveFeed)
	if n.cfg.Deliver != nil {
		n.endpoint.Handle(peer.KindMessages, n.serveMessages)
	}
	_, err := peer.NewServer(n.endpoint, []peer.Method{
		peer.NewMethod(methodHello, true, n.handleHello),
		peer.NewMethod(methodInvite, true, n.handleInvite),
		peer.NewMethod(methodJoin, true, n.handleJoin),
		peer.NewMethod(methodHeartbeat, true, n.handleHeartbeat),
		peer.NewMethod(methodAttempt, true, n.handleAttempt),
		peer.NewMethod(methodIndex, false, n.handleIndex),
		peer.NewMethod(methodPropose, false, n.handlePropose),
		peer.NewMethod(methodTerm, false, n.handleTerm),
		peer.NewMethod(methodGive, false, n.handleGive),
		peer.NewMethod(methodTake, false, n.handleTake),
		peer.NewMethod(methodAwait, false, n.handleAwait),
		peer.NewMethod(methodForget, false, n.handleForget),
		peer.NewMethod(methodPromote, false, n.handlePromote),
	})
	return err
}

// ClusterOK is cluster_state: whether this node serves what it should.
func (n *Node) ClusterOK() bool {
	st := n.View()
	me := st.Node(n.Self())
	if me == nil || !n.Covered() {
		return false
	}
	sh := st.ShardOf(me.ID)
	if sh == nil || sh.Primary != me.ID || st.CountSlots(sh.ID) == 0 {
		return true
	}
	return sh.PrimaryIncarnation == n.incarnation && n.lease.valid()
}

// Covered is the part of ClusterOK that depends on the view alone; it is
// computed once per view. Called on the hot path.
func (n *Node) Covered() bool {
	st := n.View()
	require := n.cfg.Settings().RequireCoverage
	if c := n.coverage.Load(); c != nil && c.st == st && c.require == require {
		return c.ok
	}
	ok := !require || st.Assigned() == 16384
	if require {
		for _, sh := range st.Shards() {
			if st.CountSlots(sh.ID) == 0 {
				continue
			}
			if p := st.Node(sh.Primary); p == nil || p.Has(fsm.Failed) {
				ok = false
			}
		}
	}
	n.coverage.Store(&coverage{st, require, ok})
	return ok
}

type coverage struct {
	st      *fsm.State
	require bool
	ok      bool
}

type coverageCache = atomic.Pointer[coverage]

// Status is the control plane as CLUSTER INFO shows it.
func (n *Node) Status() Status {
	g := n.group()
	st := n.View()
	s := Status{
		Role: RoleObserver, LastApplied: st.Index(), LeaseRemainingMs: n.leaseRemainingMs(),
		VotersWanted: wantedVoters(confirmed(st), n.cfg.Settings().Voters),
	}
	if n.endpoint != nil {
		s.MessagesSent, s.MessagesReceived = n.endpoint.Counters()
		s.MessagesDropped = n.messages.dropped.Load()
	}
	s.ControlPlaneOK = n.soft.controlPlaneOK(n.cfg.Clock.Mono(), n.cfg.Settings().NodeTimeout)
	s.Joining = n.seal.isSet()
	for _, m := range st.Nodes() {
		if m.Suffrage == fsm.Voter {
			s.Voters++
		}
	}
	if g == nil {
		return s
	}
	s.Leader = g.leader()
	v := g.raft()
	if v == nil {
		g.mu.Lock()
		s.Term, s.CommitIndex = g.feedTerm, g.feedCommit
		g.mu.Unlock()
		return s
	}
	switch v.raft.State().String() {
	case "Leader":
		s.Role = RoleLeader
	case "Candidate":
		s.Role = RoleCandidate
	default:
		s.Role = RoleFollower
	}
	s.Term, s.CommitIndex = v.raft.CurrentTerm(), v.raft.CommitIndex()
	first, err := v.stores.Log.FirstIndex()
	if err == nil && first > 0 {
		s.LogEntries = v.raft.LastIndex() - first + 1
	}
	return s
}

// Health is what heartbeats told of a node: the leader's picture.
func (n *Node) Health(id fsm.NodeID) Health {
	if id == n.Self() {
		return Health{Connected: true}
	}
	h, ok := n.soft.healthOf(id)
	if !ok {
		// Not heard yet through a leader: a member just committed is assumed
		// to be there until the contrary is known.
		return Health{Connected: n.soft.controlPlaneOK(n.cfg.Clock.Mono(), n.cfg.Settings().NodeTimeout)}
	}
	return h
}
