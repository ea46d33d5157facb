package raftnode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
	"conclave/raftnode/raftlog"
	"conclave/raftnode/store"
	"conclave/raftnode/transport"
)

// group is one membership: this node in one cluster under one attempt, either
// as a Raft member (voter) or as an observer. Leaving the cluster retires it.
type group struct {
	n         *Node
	cluster   string
	attempt   uint64
	joinIndex uint64
	carried   store.DirInfo // a private log not left behind, in simulations only
	epoch     uint64        // config epoch that a solo cluster starts with (RESET SOFT keeps it)
	retired   atomic.Bool

	// front is the newest committed state this node has, from its own Raft
	// instance or from another voter's stream: a follower's Raft hears of the
	// last commit only with the next append, up to 0.2 s later.
	front *machine

	changing turn // whose it is to change Raft's configuration, on the leader

	mu         sync.Mutex
	voter      *voterRaft
	promoting  bool          // an empty directory is being made
	feedLeader fsm.NodeID    // as the voter that feeds us says
	feedHeard  time.Duration // clock, last frame
	feedTerm   uint64
	feedCommit uint64

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// voterRaft is one running Raft instance in raft/<cluster>/<generation>/.
type voterRaft struct {
	gen     uint64
	born    time.Duration // clock
	settled atomic.Uint64 // term in which everything from before is applied here, as its leader
	raft    *raft.Raft
	stores  *store.Stores
	trans   *transport.Transport
	machine *machine
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

func (n *Node) newGroup(cluster string, attempt, joinIndex uint64) *group {
	g := &group{n: n, cluster: cluster, attempt: attempt, joinIndex: joinIndex, changing: newTurn()}
	g.ctx, g.cancel = context.WithCancel(n.ctx)
	g.front = newMachine(func(st *fsm.State, _ []feedEntry) { n.publish(g, st) }, n.fail)
	return g
}

// firstGroup restores the membership on disk, or founds a one-node cluster.
func (n *Node) firstGroup() (*group, error) {
	n.mu.Lock()
	ms := n.meta.Membership
	n.mu.Unlock()
	if ms.ClusterID == "" {
		return n.foundSolo("first start", false)
	}
	g := n.newGroup(ms.ClusterID, ms.Attempt, ms.JoinIndex)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.g = g
	if n.meta.Intent != nil {
		n.seal.shut()
	}
	return g, nil
}

// foundSolo makes a new one-node cluster the present membership. Everything
// the node was a member of before must be stopped; ended says that it was the
// sole member there, so that nobody need dial that cluster any more.
func (n *Node) foundSolo(why string, ended bool) (*group, error) {
	cluster := n.cfg.NewID()
	n.mu.Lock()
	err := n.saveMetaLocked(func(m *store.Metadata) {
		if ended && m.Membership.ClusterID != "" {
			m.Former = appendFormer(m.Former, m.Membership.ClusterID)
		}
		m.Attempt++
		m.Generation++
		m.Intent = nil
		m.Membership = store.Membership{ClusterID: cluster, Attempt: m.Attempt, Generation: m.Generation}
	})
	if err != nil {
		n.mu.Unlock()
		return nil, err
	}
	m := n.meta
	g := n.newGroup(cluster, m.Membership.Attempt, 0)
	n.g = g
	n.mu.Unlock()
	n.log.Info("founding a one-node cluster", "cluster", cluster, "node", m.NodeID, "why", why)
	return g, nil
}

// appendFormer remembers what ended here, clusters or ids; old ones are dropped.
func appendFormer[T any](former []T, ended T) []T {
	const keep = 64
	former = append(former[:len(former):len(former)], ended)
	if len(former) > keep {
		former = former[len(former)-keep:]
	}
	return former
}

// start runs the membership: Raft if there is a directory for it, and the
// observer's stream otherwise.
func (g *group) start() error {
	n := g.n
	if g.ctx.Err() != nil {
		return errRetired
	}
	n.mu.Lock()
	ms := n.meta.Membership
	n.mu.Unlock()
	if ms.Generation != 0 {
		if err := g.resumeVoter(&ms); err != nil {
			return err
		}
	}
	g.wg.Go(func() { g.observe(g.ctx) })
	g.wg.Go(func() { g.reconcile(g.ctx) })
	return nil
}

// resumeVoter runs Raft in the directory of a generation that ran before. A
// directory that was lost, or is damaged, is not repaired: its votes and
// entries can't be trusted, so the node follows as an observer until the
// leader gives it a new generation.
func (g *group) resumeVoter(ms *store.Membership) error {
	n := g.n
	// Only a founder bootstraps, and only once.
	bootstrap := g.joinIndex == 0 && !ms.Founded
	err := g.startVoter(ms.Generation, bootstrap, !bootstrap)
	if !errors.Is(err, errLostLog) && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	others := false
	for _, p := range ms.Peers {
		others = others || p.ID != n.Self()
	}
	if !others {
		return fmt.Errorf("%w; no other node of the cluster is known to follow: restore the directory from a backup, or remove it to begin anew", err)
	}
	n.log.Error("this node's part of the raft log is lost; following as an observer", "generation", ms.Generation, "err", err)
	if err := n.cfg.Stores.SetAside(g.cluster, ms.Generation); err != nil {
		return fmt.Errorf("put raft directory aside: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.saveMetaLocked(func(m *store.Metadata) { m.Membership.Generation = 0 })
}

// stop ends everything the membership runs and waits for it.
func (g *group) stop() {
	g.retired.Store(true)
	g.cancel()
	g.stopVoter()
	g.wg.Wait()
}

func (g *group) generation() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.voter == nil {
		return 0
	}
	return g.voter.gen
}

func (g *group) raft() *voterRaft {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.voter
}

// serverID is a voter's name in the Raft group.
func serverID(id fsm.NodeID, gen uint64) raft.ServerID {
	return raft.ServerID(transport.Address(id, gen))
}

// errLostLog: a voter's directory came back empty.
var errLostLog = errors.New("raft log lost")

// parseServer takes a Raft server id apart.
func parseServer(id raft.ServerID) (fsm.NodeID, uint64, bool) {
	return transport.ParseAddress(raft.ServerAddress(id))
}

// raftConfig is the library's configuration; raft.md's table has the reasons.
func (g *group) raftConfig(gen uint64) *raft.Config {
	s := g.n.cfg.Settings()
	timeout := s.RaftTimeout
	if timeout == 0 {
		timeout = 500 * time.Millisecond
	}
	c := raft.DefaultConfig()
	c.LocalID = serverID(g.n.Self(), gen)
	c.HeartbeatTimeout, c.ElectionTimeout = timeout, timeout
	c.LeaderLeaseTimeout = timeout * 3 / 5
	c.CommitTimeout = 100 * time.Millisecond
	c.MaxAppendEntries = 256
	// A buffered apply channel loses what is in it when Raft shuts down, and
	// whoever waits for that waits for ever.
	c.BatchApplyCh = false
	c.SnapshotThreshold, c.TrailingLogs = 8192, 20480
	c.SnapshotInterval = 60 * time.Second
	if s.SnapshotInterval != 0 {
		c.SnapshotInterval = s.SnapshotInterval
	}
	c.ShutdownOnRemove = false
	c.NoLegacyTelemetry = true
	c.Logger = raftlog.New(g.n.log.With("sub", "raft"))
	return c
}

// startVoter opens (or makes) the directory of a generation and runs Raft in
// it. With bootstrap an empty one becomes a cluster of this node alone;
// without, Raft waits quietly for a leader.
func (g *group) startVoter(gen uint64, bootstrap, resume bool) error {
	n := g.n
	if g.ctx.Err() != nil {
		return errRetired
	}
	dir := store.DirInfo{Cluster: g.cluster, Generation: gen}
	if g.carried.Cluster != "" {
		dir = g.carried
	}
	stores, err := n.cfg.Stores.Open(dir.Cluster, dir.Generation)
	if err != nil {
		return fmt.Errorf("open raft directory %s/%d: %w", g.cluster, gen, err)
	}
	if resume && stores.Fresh && !n.off(guards.Generation) {
		return errors.Join(fmt.Errorf("%w: raft directory %s/%d is empty", errLostLog, g.cluster, gen), stores.Close())
	}
	conf := g.raftConfig(gen)
	v := &voterRaft{gen: gen, born: n.cfg.Clock.Mono(), stores: stores}
	v.machine = newMachine(g.front.adopt, n.fail)
	v.trans = transport.New(transport.Config{
		Endpoint: n.endpoint, Self: string(conf.LocalID), Want: g.cluster,
		Resolve: g.resolve, Entries: stores.Log, Log: n.log.With("sub", "raft"),
		Stalled: func() bool {
			return stores.WriteAge() > 2*conf.HeartbeatTimeout && !n.cfg.Guards.Off(guards.StalledDisk)
		},
	})
	has, err := raft.HasExistingState(stores.Log, stores.Stable, stores.Snaps)
	if err != nil {
		return errors.Join(fmt.Errorf("read raft directory: %w", err), v.trans.Close(), stores.Close())
	}
	alone := raft.Configuration{Servers: []raft.Server{{ID: conf.LocalID, Address: raft.ServerAddress(conf.LocalID)}}}
	if !has && bootstrap {
		if err := raft.BootstrapCluster(conf, stores.Log, stores.Stable, stores.Snaps, v.trans, alone); err != nil {
			return errors.Join(fmt.Errorf("bootstrap: %w", err), v.trans.Close(), stores.Close())
		}
	}
	v.raft, err = raft.NewRaft(conf, v.machine, stores.Log, stores.Stable, stores.Snaps, v.trans)
	if err != nil {
		return errors.Join(fmt.Errorf("start raft: %w", err), v.trans.Close(), stores.Close())
	}
	ctx, cancel := context.WithCancel(g.ctx)
	v.cancel = cancel
	g.mu.Lock()
	if g.ctx.Err() != nil || g.voter != nil {
		// Nobody would stop it any more.
		g.mu.Unlock()
		g.shutdown(v)
		return errRetired
	}
	g.voter = v
	v.wg.Go(func() { g.lead(ctx, v) })
	v.wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-stores.Failed():
			n.fail(fmt.Errorf("raft log: %w", stores.Err()))
		}
	})
	v.wg.Go(func() { g.rescueStaleTail(ctx, v) })
	g.mu.Unlock()
	if f := v.raft.GetConfiguration(); f.Error() == nil {
		// Nobody else could win: don't wait for an election timeout.
		if s := f.Configuration().Servers; len(s) == 1 && s[0].ID == conf.LocalID && s[0].Suffrage == raft.Voter {
			v.trans.Inject(&raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: conf.ProtocolVersion, ID: []byte(conf.LocalID), Addr: []byte(conf.LocalID)}})
		}
	}
	return nil
}

// errRetired: the membership has ended, so nothing is started in it.
var errRetired = errors.New("the membership has ended")

// stopVoter ends the Raft instance, if one runs, and waits for it.
func (g *group) stopVoter() {
	g.mu.Lock()
	v := g.voter
	g.voter = nil
	g.mu.Unlock()
	if v != nil {
		g.shutdown(v)
	}
}

func (g *group) shutdown(v *voterRaft) {
	v.cancel()
	// Error is what waits; without it the corpse keeps its transport.
	if err := v.raft.Shutdown().Error(); err != nil {
		g.n.log.Warn("raft shutdown", "err", err)
	}
	v.wg.Wait()
	if err := errors.Join(v.trans.Close(), v.stores.Close()); err != nil {
		g.n.log.Warn("close raft directory", "err", err)
	}
}

// resolve finds the bus address of a Raft server id.
func (g *group) resolve(id fsm.NodeID, gen uint64) (string, bool) {
	return g.n.addrOf(id)
}

// rescueStaleTail restarts Raft over a log whose uncommitted tail conflicts
// with a snapshot the leader sends: the library would loop for ever (#697).
func (g *group) rescueStaleTail(ctx context.Context, v *voterRaft) {
	select {
	case <-ctx.Done():
		return
	case from := <-v.trans.StaleTail():
		g.wg.Go(func() { // not on v's own goroutine: it is about to be waited for
			g.n.log.Warn("cutting a log tail that conflicts with the leader's snapshot", "from", from)
			g.mu.Lock()
			mine := g.voter == v
			if mine {
				g.voter = nil
			}
			g.mu.Unlock()
			if !mine {
				return
			}
			last := v.raft.LastIndex()
			v.cancel()
			if err := v.raft.Shutdown().Error(); err != nil {
				g.n.log.Warn("raft shutdown", "err", err)
			}
			v.wg.Wait()
			err := v.stores.Log.DeleteRange(from, last)
			err = errors.Join(err, v.trans.Close(), v.stores.Close())
			if err == nil && g.ctx.Err() == nil {
				err = g.startVoter(v.gen, false, false)
			}
			if err != nil && g.ctx.Err() == nil {
				g.n.fail(fmt.Errorf("cut stale log tail: %w", err))
			}
		})
	}
}

// leader is who leads, as far as this node knows; "" if nobody is heard of.
func (g *group) leader() fsm.NodeID {
	if v := g.raft(); v != nil {
		if _, id := v.raft.LeaderWithID(); id != "" {
			if node, _, ok := parseServer(id); ok {
				return node
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.feedLeader != "" && g.n.cfg.Clock.Mono()-g.feedHeard < 2*time.Second {
		return g.feedLeader
	}
	return ""
}

// leads reports whether the local Raft instance is leader, and its term.
func (g *group) leads() (*voterRaft, bool) {
	v := g.raft()
	return v, v != nil && v.raft.State() == raft.Leader
}

// reconcile follows what the configuration says of this node's suffrage: a
// voter whose generation was set back to observer stops its Raft instance.
// Being absent from the view is no reason to act: an old log may be replaying;
// the heartbeats ask.
func (g *group) reconcile(ctx context.Context) {
	for {
		ch := g.n.Changed()
		st := g.n.View()
		r := st.Node(g.n.Self())
		if v := g.raft(); v != nil && r != nil && r.Generation == v.gen && r.Suffrage == fsm.Observer && st.ClusterID() == g.cluster {
			g.becomeObserver(v)
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return
		}
	}
}

// idle reports a Raft instance that no leader has taken up for so long that
// none will: the promotion was given up.
func (v *voterRaft) idle(now time.Duration) bool {
	const patience = 10 * time.Second
	return now-v.born > patience && v.raft.LastIndex() == 0
}

// becomeObserver stops Raft, puts the directory aside and lives on the stream.
func (g *group) becomeObserver(v *voterRaft) {
	n := g.n
	g.mu.Lock()
	if g.voter != v {
		g.mu.Unlock()
		return
	}
	g.voter = nil
	g.mu.Unlock()
	n.log.Info("no voter any more: following as an observer", "generation", v.gen)
	last := v.machine.current()
	g.shutdown(v)
	g.front.adopt(last, nil)
	n.mu.Lock()
	if n.g != g {
		n.mu.Unlock()
		return
	}
	err := n.saveMetaLocked(func(m *store.Metadata) {
		if m.Membership.Generation == v.gen { // or the next one has begun
			m.Membership.Generation = 0
		}
		notePeers(&m.Membership, g.front.current())
	})
	n.mu.Unlock()
	if err != nil {
		return
	}
	if err := n.cfg.Stores.SetAside(g.cluster, v.gen); err != nil {
		n.log.Warn("put raft directory aside", "err", err)
	}
}

func toPeers(ps []peerAddr) []store.PeerAddr {
	out := make([]store.PeerAddr, len(ps))
	for i, p := range ps {
		out[i] = store.PeerAddr{ID: p.ID, Addr: p.Addr}
	}
	return out
}

// handlePromote makes an empty Raft directory and starts Raft in it, waiting
// for the leader to add it. Asked again before the leader recorded the
// generation, it answers the same. A generation that was recorded has had its
// time, also if this node hasn't heard yet that it votes no more: named once
// more, it would be given a vote while it is being stopped.
func (n *Node) handlePromote(_ context.Context, from peer.Identity, in *promoteRequest) (*promoteReply, error) {
	g := n.group()
	if g == nil || g.cluster != in.Cluster || g.attempt != in.Attempt {
		return nil, peer.Errorf("moved", "not a member of that cluster under that attempt")
	}
	g.mu.Lock()
	v, busy := g.voter, g.promoting
	over := v != nil && v.gen <= in.Generation
	g.promoting = busy || v == nil || over
	g.mu.Unlock()
	switch {
	case busy:
		return nil, peer.Errorf("busy", "a Raft directory is being made")
	case v != nil && !over:
		return &promoteReply{Generation: v.gen}, nil
	}
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.promoting = false
	}()
	if over {
		g.becomeObserver(v)
	}
	n.mu.Lock()
	if n.g != g || g.retired.Load() {
		n.mu.Unlock()
		return nil, peer.Errorf("moved", "membership just ended")
	}
	err := n.saveMetaLocked(func(m *store.Metadata) {
		m.Generation = max(m.Generation, in.Generation) + 1
		m.Membership.Generation = m.Generation
		notePeers(&m.Membership, n.View()) // whom to follow if the directory gets lost: see resumeVoter
	})
	gen := n.meta.Generation
	n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	err = g.startVoter(gen, false, false)
	if errors.Is(err, errRetired) {
		return nil, peer.Errorf("moved", "membership just ended")
	}
	if err != nil {
		n.fail(err)
		return nil, err
	}
	n.log.Info("raft directory ready, waiting for the leader", "generation", gen)
	return &promoteReply{Generation: gen}, nil
}

// handLeadershipOver is the last act before exit: the others then have a new
// leader within milliseconds instead of an election timeout.
func (n *Node) handLeadershipOver() {
	g := n.group()
	if g == nil {
		return
	}
	v, leads := g.leads()
	if !leads {
		return
	}
	if f := v.raft.GetConfiguration(); f.Error() != nil || len(f.Configuration().Servers) < 2 {
		return
	}
	done := make(chan error, 1)
	go func() { done <- v.raft.LeadershipTransfer().Error() }()
	select {
	case err := <-done:
		if err != nil {
			n.log.Warn("hand leadership over", "err", err)
		}
	case <-time.After(3 * time.Second):
		n.log.Warn("hand leadership over: no answer in time")
	}
}
