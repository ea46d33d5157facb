package raftnode

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
)

// A primary without supporters serves until its node timeout has passed since
// it sent the last heartbeat that the control plane answered with authority;
// its slots can't be taken before it has been silent for twice as long. A node
// that is alone in its cluster needs no lease: nobody else could give its
// slots away.

type leaseState struct {
	clock    Clock
	deadline atomic.Int64 // Mono in ns; serving is allowed before it

	mu      sync.Mutex
	waiting grant // for the view to catch up
}

// grant is an answered heartbeat's worth. It counts only together with a view
// that is at least as new as the answer: with an older one this node may serve
// what it lost while it was cut off.
type grant struct {
	cluster         string
	recovery, index uint64
	sent, term      time.Duration
}

func (w grant) coveredBy(st *fsm.State) bool {
	return st.ClusterID() == w.cluster && st.RecoveryEpoch() == w.recovery && st.Index() >= w.index
}

// grantFrom extends the lease now, or as soon as viewed is called with a view
// that is new enough.
func (l *leaseState) grantFrom(w grant, view func() *fsm.State) {
	l.mu.Lock()
	l.waiting = w
	l.mu.Unlock()
	l.viewed(view())
}

// viewed takes note of a view that has been published.
func (l *leaseState) viewed(st *fsm.State) {
	l.mu.Lock()
	w := l.waiting
	if w.cluster == "" || !w.coveredBy(st) {
		l.mu.Unlock()
		return
	}
	l.waiting = grant{}
	l.mu.Unlock()
	l.grant(w.sent, w.term)
}

func (l *leaseState) init(c Clock) {
	l.clock = c
	l.deadline.Store(math.MinInt64)
}

// grant extends the lease to sent+d. Counted from the moment the heartbeat
// left, so that it never outlives what the leader assumes.
func (l *leaseState) grant(sent, d time.Duration) {
	until := int64(sent + d)
	for {
		old := l.deadline.Load()
		if until <= old || l.deadline.CompareAndSwap(old, until) {
			return
		}
	}
}

// unneeded lets a node that is alone serve without end.
func (l *leaseState) unneeded() { l.deadline.Store(math.MaxInt64) }

// drop ends the right to serve at once.
func (l *leaseState) drop() { l.deadline.Store(math.MinInt64) }

// cap shortens what is left to at most d from now: the node timeout fell, or
// the node is no longer alone.
func (l *leaseState) cap(d time.Duration) {
	limit := int64(l.clock.Mono() + d)
	for {
		old := l.deadline.Load()
		if old <= limit || l.deadline.CompareAndSwap(old, limit) {
			return
		}
	}
}

func (l *leaseState) valid() bool { return int64(l.clock.Mono()) < l.deadline.Load() }

// LeaseValid reads the clock and reports whether this node may serve the slots
// that the view gives it. It neither blocks nor allocates.
func (n *Node) LeaseValid() bool { return n.lease.valid() }

// LeaseRemaining is how long it still may: -1 ms if it needs no lease.
func (n *Node) leaseRemainingMs() int64 {
	d := n.lease.deadline.Load()
	if d == math.MaxInt64 {
		return -1
	}
	left := d - int64(n.cfg.Clock.Mono())
	if d == math.MinInt64 || left < 0 {
		return 0
	}
	return left / int64(time.Millisecond)
}

// leaseTerm is how long one answered heartbeat lets this node serve: its node
// timeout, and never longer than the committed record says, because that is
// what the leader waits out before it lets the slots go.
func (n *Node) leaseTerm(st *fsm.State) time.Duration {
	d := n.cfg.Settings().NodeTimeout
	if r := st.Node(n.Self()); r != nil && !n.off(guards.LeaseCap) {
		d = min(d, time.Duration(r.TimeoutMs)*time.Millisecond)
	}
	return d
}

// NodeTimeoutLowered must be called before a smaller cluster-node-timeout is
// announced: the lease in hand was granted for the longer one.
func (n *Node) NodeTimeoutLowered(d time.Duration) {
	if n.lease.deadline.Load() != math.MaxInt64 {
		n.lease.cap(d)
	}
}

// rounds coalesces proofs of leadership: everyone who asks while one runs
// shares the next, which begins after they asked.
type rounds struct {
	mu   sync.Mutex
	busy bool
	next *round
}

type round struct {
	done chan struct{}
	ok   bool
}

func (r *rounds) ask(run func() bool, spawn func(func())) *round {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &round{done: make(chan struct{})}
	}
	w := r.next
	if !r.busy {
		r.busy = true
		spawn(func() {
			for {
				r.mu.Lock()
				cur := r.next
				r.next = nil
				if cur == nil {
					r.busy = false
					r.mu.Unlock()
					return
				}
				r.mu.Unlock()
				cur.ok = run()
				close(cur.done)
			}
		})
	}
	return w
}

// authority proves that this node led, with no newer leader elected, at some
// instant after the call: a majority of the voters still had its term. Raft's
// own lease is no such proof (it is checked by a timer, and VerifyLeader counts
// non-voters).
func (n *Node) authority(ctx context.Context, g *group, v *voterRaft) bool {
	if n.off(guards.LeaseAuthority) {
		return true
	}
	w := n.soft.rounds.ask(func() bool { return n.quorumRound(g, v) }, func(f func()) { n.wg.Go(f) })
	select {
	case <-w.done:
		return w.ok
	case <-ctx.Done():
		return false
	}
}

func (n *Node) quorumRound(g *group, v *voterRaft) bool {
	if cur := g.raft(); cur != v || v.raft.State() != raft.Leader {
		return false
	}
	term := v.raft.CurrentTerm()
	if v.settled.Load() != term {
		return false // what earlier leaders committed isn't applied here yet
	}
	servers, err := raftServers(v)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(g.ctx, 500*time.Millisecond)
	defer cancel()
	voters, yes := 0, 0
	answers := make(chan bool, len(servers))
	asked := 0
	for id, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if id == n.Self() {
			yes++
			continue
		}
		asked++
		n.wg.Go(func() {
			var out termReply
			err := n.call(ctx, id, methodTerm, &termRequest{}, &out)
			answers <- err == nil && out.Term == term
		})
	}
	for ; asked > 0 && yes <= voters/2; asked-- {
		if <-answers {
			yes++
		}
	}
	return yes > voters/2 && v.raft.State() == raft.Leader && v.raft.CurrentTerm() == term
}

func (n *Node) handleTerm(_ context.Context, _ peer.Identity, _ *termRequest) (*termReply, error) {
	v := n.group().raft()
	if v == nil {
		return nil, peer.Errorf("notvoter", "no Raft here")
	}
	return &termReply{Term: v.raft.CurrentTerm()}, nil
}

type server struct {
	Gen      uint64
	Suffrage raft.ServerSuffrage
}

// raftServers is Raft's latest configuration by node.
func raftServers(v *voterRaft) (map[fsm.NodeID]server, error) {
	f := v.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, err
	}
	out := map[fsm.NodeID]server{}
	for _, s := range f.Configuration().Servers {
		if id, gen, ok := parseServer(s.ID); ok {
			out[id] = server{gen, s.Suffrage}
		}
	}
	return out, nil
}
