package raftnode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
	"conclave/raftnode/store"
)

// Joining, in the order that a model of it needed: seal the private log, make
// the attempt durable, ask with everything claimed, and only on the cluster's
// yes change the membership, in one synced record.

// meetTimeout bounds a MEET: it answers OK once the join is committed.
const meetTimeout = 4 * time.Second

// joinState says whether a join is in flight. At most one is.
type joinState struct {
	mu     sync.Mutex
	active chan struct{} // closes when the join ends; nil if none runs
}

// settled closes when no join is in flight (at once, if none is).
func (j *joinState) settled() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.active == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	return j.active
}

// begin claims the one place; false if a join is in flight.
func (j *joinState) begin() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.active != nil {
		return false
	}
	j.active = make(chan struct{})
	return true
}

func (j *joinState) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.active)
	j.active = nil
}

// alone reports whether this node is the only member of its cluster and may
// still decide for itself.
func (n *Node) alone(st *fsm.State) bool {
	g := n.group()
	if g == nil || st.ClusterID() != g.cluster || len(st.Nodes()) != 1 {
		return false
	}
	return g.raft() != nil
}

func confirmed(st *fsm.State) (k int) {
	for _, m := range st.Nodes() {
		if !m.Has(fsm.Pending) {
			k++
		}
	}
	return k
}

// Meet carries out CLUSTER MEET: the side that is alone joins the other; both
// alone: this node joins. It returns nil once both are members of one cluster
// in this node's view; a *JoinError says why not, and then nothing has changed.
func (n *Node) Meet(ctx context.Context, ip string, _, busPort int) error {
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	addr := net.JoinHostPort(ip, strconv.Itoa(busPort))
	var last error
	for {
		done, err := n.meetOnce(ctx, addr, ip, false)
		var final *JoinError
		switch {
		case done:
			return nil
		case errors.As(err, &final):
			return err
		case err != nil && ctx.Err() == nil:
			last = err
		}
		if !sleepCtx(ctx, n.jitter(30*time.Millisecond)) {
			if last == nil {
				last = ctx.Err()
			}
			return &JoinError{Text: fmt.Sprintf("no agreement with %s within %s: %v", addr, meetTimeout, last)}
		}
	}
}

// meetOnce takes one look at the other side and one step. Errors that are no
// *JoinError are worth another try.
func (n *Node) meetOnce(ctx context.Context, addr, ip string, adopt bool) (done bool, err error) {
	select {
	case <-n.join.settled():
	case <-ctx.Done():
		return false, ErrJoining
	}
	var hello helloReply
	if err := n.client.Call(ctx, addr, peer.Want{}, methodHello, &helloRequest{From: n.Self(), DialedIP: ip}, &hello); err != nil {
		return false, err
	}
	n.soft.learnIP(hello.YourIP)
	if hello.Node == n.Self() {
		return true, nil
	}
	st := n.View()
	g := n.group()
	switch {
	case hello.Cluster == g.cluster:
		return hello.Knows && st.Node(hello.Node) != nil, nil
	case hello.LeaderErr != "":
		return false, fmt.Errorf("%s: %s", addr, hello.LeaderErr)
	case hello.Busy:
		return false, fmt.Errorf("%s is joining another cluster", addr)
	case n.alone(st):
		return false, n.joinCluster(ctx, addr, &hello, adopt)
	case hello.Alone:
		return false, n.invite(ctx, addr, g)
	case hello.Members > 1 && confirmed(st) > 1:
		return false, &JoinError{Text: fmt.Sprintf(
			"both sides are in clusters of several nodes (%s here, %s there): they can't be merged; reset the nodes of one of them first", g.cluster, hello.Cluster)}
	}
	return false, errors.New("the other side is changing its membership")
}

// invite asks a node that is alone to join us.
func (n *Node) invite(ctx context.Context, addr string, g *group) error {
	idx, err := n.commitIndex(ctx, g)
	if err != nil {
		return err
	}
	st := n.View()
	me := st.Node(n.Self())
	if me == nil {
		return errors.New("not a member yet")
	}
	in := &inviteRequest{Cluster: g.cluster, Inviter: n.Self(), Index: idx, Addr: net.JoinHostPort(me.IP, strconv.Itoa(int(me.BusPort)))}
	var out outcome
	if err := n.client.Call(ctx, addr, peer.Want{}, methodInvite, in, &out); err != nil {
		return err
	}
	if out.Code == "refused" {
		return &JoinError{Text: out.Text}
	}
	return nil
}

// commitIndex is the leader's: what Hello gives, so that a tombstone written
// later than the MEET stays in force.
func (n *Node) commitIndex(ctx context.Context, g *group) (uint64, error) {
	if n.off(guards.HelloIndex) {
		return n.View().Index(), nil
	}
	if v, leads := g.leads(); leads {
		if err := barrier(ctx, v); err != nil {
			return 0, err
		}
		return v.machine.current().Index(), nil
	}
	to := g.leader()
	if to == "" || to == n.Self() {
		return 0, ErrNoLeader
	}
	var out helloReply
	if err := n.call(ctx, to, methodIndex, &termRequest{}, &out); err != nil {
		return 0, err
	}
	return out.Index, nil
}

func (n *Node) handleIndex(ctx context.Context, _ peer.Identity, _ *termRequest) (*helloReply, error) {
	g := n.group()
	v, leads := g.leads()
	if !leads {
		return nil, peer.Errorf("notleader", "not the leader")
	}
	if err := barrier(ctx, v); err != nil {
		return nil, peer.Errorf("notleader", "%v", err)
	}
	return &helloReply{Index: v.machine.current().Index()}, nil
}

func (n *Node) handleHello(ctx context.Context, from peer.Identity, in *helloRequest) (*helloReply, error) {
	g := n.group()
	n.soft.learnIP(in.DialedIP)
	st := n.View()
	busy := n.seal.isSet()
	out := &helloReply{
		Cluster: g.cluster, Node: n.Self(), Busy: busy, Alone: n.alone(st) && !busy,
		Members: confirmed(st), Addrs: peersOf(st), YourIP: from.RemoteIP,
	}
	n.mu.Lock()
	out.Recovery = n.meta.Membership.Recovery
	n.mu.Unlock()
	if busy {
		return out, nil
	}
	idx, err := n.commitIndex(ctx, g)
	if err != nil {
		out.LeaderErr = "it has no leader now"
		return out, nil
	}
	out.Index = idx
	// The leader has committed idx; wait for it here, so that Knows is no
	// older than the question.
	if err := n.waitView(ctx, func(st *fsm.State) bool { return st.Index() >= idx || st.ClusterID() != g.cluster }); err != nil {
		out.LeaderErr = "it is behind its leader"
		return out, nil
	}
	st = n.View()
	if r := st.Node(in.From); r != nil && r.Attempt == from.Attempt && from.ClusterID == g.cluster {
		out.Knows = true
	}
	return out, nil
}

func (n *Node) handleInvite(ctx context.Context, _ peer.Identity, in *inviteRequest) (*outcome, error) {
	if g := n.group(); g.cluster == in.Cluster {
		return &outcome{}, nil
	}
	if !n.alone(n.View()) {
		return &outcome{Code: "busy", Text: "not alone"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	hello := &helloReply{Cluster: in.Cluster, Node: in.Inviter, Index: in.Index}
	err := n.joinCluster(ctx, in.Addr, hello, false)
	var final *JoinError
	if errors.As(err, &final) {
		return &outcome{Code: "refused", Text: final.Text}, nil
	}
	if err != nil {
		return &outcome{Code: "busy", Text: err.Error()}, nil
	}
	return &outcome{}, nil
}

// joinCluster takes this lone node into the cluster behind addr. nil means it
// is a member and its view shows that.
func (n *Node) joinCluster(ctx context.Context, addr string, hello *helloReply, adopt bool) error {
	if !n.join.begin() {
		return ErrJoining
	}
	defer n.join.end()
	if err := n.sealLog(ctx); err != nil {
		return err
	}
	intent := &store.Intent{
		TargetCluster: hello.Cluster, TargetNode: hello.Node, Addrs: []string{addr},
		HelloIndex: hello.Index, Adopt: adopt,
	}
	n.mu.Lock()
	err := n.saveMetaLocked(func(m *store.Metadata) {
		if n.off(guards.Attempt) {
			return
		}
		m.Attempt++
		intent.Attempt = m.Attempt
		m.Intent = intent
	})
	if n.off(guards.Attempt) { // known to this process alone
		n.meta = n.meta.Clone()
		n.meta.Attempt++
		intent.Attempt = n.meta.Attempt
		n.meta.Intent = intent
	}
	n.mu.Unlock()
	if err != nil {
		return err
	}
	n.log.Info("joining", "cluster", hello.Cluster, "via", addr, "attempt", intent.Attempt)
	return n.runIntent(ctx, intent)
}

// sealLog stops proposals to the private log for good, or fails if the node is
// not alone (any more).
func (n *Node) sealLog(ctx context.Context) (err error) {
	if err := n.seal.set(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			n.seal.open()
		}
	}()
	g := n.group()
	v, leads := g.leads()
	if !leads {
		return ErrNoLeader
	}
	if err := barrier(ctx, v); err != nil {
		return err
	}
	st := v.machine.current()
	if len(st.Nodes()) != 1 || st.ClusterID() != g.cluster {
		return errors.New("not alone any more")
	}
	return nil
}

func (n *Node) unseal() { n.seal.open() }

// giveUp ends an attempt before its commit point: it is dead from now on, and
// whoever admitted it learns so when it asks.
func (n *Node) giveUp(in *store.Intent, why error) {
	n.mu.Lock()
	err := n.saveMetaLocked(func(m *store.Metadata) {
		if m.Intent != nil && m.Intent.Attempt == in.Attempt {
			m.Intent = nil
		}
	})
	n.mu.Unlock()
	if err == nil {
		n.unseal()
	}
	n.log.Info("join given up", "cluster", in.TargetCluster, "attempt", in.Attempt, "why", why)
}

// runIntent asks until the answer is clear or ctx ends. The caller holds the
// one place of joinState, and the log is sealed.
func (n *Node) runIntent(ctx context.Context, in *store.Intent) error {
	// Only this node's machine state decides the claims: the log is sealed.
	g := n.group()
	v := g.raft()
	if v == nil {
		err := errors.New("no private log")
		n.giveUp(in, err)
		return err
	}
	if err := n.waitView(ctx, func(st *fsm.State) bool { return st.Node(n.Self()) != nil }); err != nil {
		n.giveUp(in, err)
		return err
	}
	st := v.machine.current()
	me := st.Node(n.Self())
	rec := n.record(in.Attempt)
	rec.Shard, rec.Epoch = me.Shard, me.Epoch
	req := &joinRequest{
		Cluster: in.TargetCluster, Node: rec, Slots: st.SlotsOf(me.Shard), Via: in.TargetNode,
		Index: in.HelloIndex, Adopt: in.Adopt,
	}
	var last error
	for i := 0; ; i++ {
		var out joinReply
		cctx, cancel := context.WithTimeout(ctx, time.Second)
		err := n.client.Call(cctx, in.Addrs[i%len(in.Addrs)], peer.Want{}, methodJoin, req, &out)
		cancel()
		if err != nil {
			last = err
		} else {
			switch out.Status {
			case "ok":
				return n.enter(ctx, in, &out)
			case "busy":
				last = errors.New("it is joining another cluster itself")
				// Crossings and cycles: the smaller id withdraws and lets the
				// others join it.
				if n.Self() < in.TargetNode && !n.off(guards.Withdraw) {
					n.giveUp(in, last)
					return last
				}
			case "moved":
				last = errors.New("it left that cluster")
				n.giveUp(in, last)
				return last
			case "refused":
				err := &JoinError{Text: out.Text}
				n.giveUp(in, err)
				return err
			default:
				last = errors.New(out.Text)
			}
		}
		if !sleepCtx(ctx, n.jitter(40*time.Millisecond)) {
			err := &JoinError{Text: fmt.Sprintf("no answer to the join in time: %v", last)}
			n.giveUp(in, err)
			return err
		}
	}
}

// enter is the commit point: from the synced record on this node is a member
// of the other cluster, and its private log is put aside, never carried along.
func (n *Node) enter(ctx context.Context, in *store.Intent, out *joinReply) error {
	if err := n.replaceMembership(in, out); err != nil {
		return err
	}
	if err := n.waitView(ctx, func(st *fsm.State) bool { return st.Index() >= out.Index && st.Node(n.Self()) != nil }); err != nil {
		return &JoinError{Text: "the join is committed, but the configuration has not arrived here yet"}
	}
	return nil
}

func (n *Node) replaceMembership(in *store.Intent, out *joinReply) error {
	n.moving.take(context.Background())
	defer n.moving.release()
	old := n.group()
	oldGen := old.generation()
	n.mu.Lock()
	if n.meta.Intent == nil || n.meta.Intent.Attempt != in.Attempt {
		n.mu.Unlock()
		return errors.New("the attempt was given up")
	}
	peers := toPeers(out.Peers)
	known := false
	for _, p := range peers {
		known = known || p.ID == in.TargetNode
	}
	if !known {
		peers = append(peers, store.PeerAddr{ID: in.TargetNode, Addr: in.Addrs[0]})
	}
	err := n.saveMetaLocked(func(m *store.Metadata) {
		m.Former = appendFormer(m.Former, old.cluster)
		m.Membership = store.Membership{
			ClusterID: in.TargetCluster, Attempt: in.Attempt, JoinIndex: out.Index,
			Recovery: out.Recovery, Peers: peers, PeersIndex: out.Index,
		}
		m.Intent = nil
	})
	if err != nil {
		n.mu.Unlock()
		return err
	}
	g := n.newGroup(in.TargetCluster, in.Attempt, out.Index)
	n.g = g
	n.mu.Unlock()

	old.stop()
	if n.off(guards.FreshLog) {
		g.carried = store.DirInfo{Cluster: old.cluster, Generation: oldGen}
	} else if err := n.cfg.Stores.SetAside(old.cluster, oldGen); err != nil {
		n.log.Warn("put private raft directory aside", "err", err)
	}
	// The old view stays until the new one arrives; nothing is served on it.
	n.lease.drop()
	err = g.start()
	n.unseal()
	if err != nil && !errors.Is(err, errRetired) {
		n.fail(err)
		return err
	}
	n.log.Info("joined", "cluster", g.cluster, "index", out.Index)
	return nil
}

// handleJoin is the member's side: it brings the operation to the leader.
// Every refusal is apply's.
func (n *Node) handleJoin(ctx context.Context, from peer.Identity, in *joinRequest) (*joinReply, error) {
	g := n.group()
	if g.cluster != in.Cluster {
		return &joinReply{Status: "moved"}, nil
	}
	if in.Node.ID != from.Node {
		return &joinReply{Status: "refused", Text: "the join names another node than the handshake"}, nil
	}
	if n.seal.isSet() {
		return &joinReply{Status: "busy"}, nil
	}
	// Clients of the new member must be able to reach this node.
	if me := n.View().Node(n.Self()); me != nil && me.IP == "" {
		if ip := n.soft.learnedIP(); ip != "" {
			if _, err := n.Propose(ctx, &fsm.Update{ID: me.ID, Attempt: me.Attempt, IP: &ip}); err != nil {
				return &joinReply{Status: "retry", Text: err.Error()}, nil
			}
		}
	}
	rec := in.Node
	if rec.IP == "" {
		rec.IP = from.RemoteIP
	}
	op := &fsm.Join{ClusterID: in.Cluster, Node: rec, Slots: in.Slots, Via: in.Via, HelloIndex: in.Index, Adopt: in.Adopt}
	if n.off(guards.Tombstone) {
		op.HelloIndex = math.MaxInt64
	}
	e := n.entry(op)
	e.Request = fsm.Request{Origin: n.Self()} // the attempt makes it idempotent
	raw := e.Encode(nil)
	res, _, err := n.proposeOnce(ctx, g, raw)
	if errors.Is(err, ErrJoining) {
		return &joinReply{Status: "busy"}, nil
	}
	if err != nil {
		return &joinReply{Status: "retry", Text: err.Error()}, nil
	}
	if res.Refusal != nil {
		return &joinReply{Status: "refused", Text: joinRefusal(res.Refusal)}, nil
	}
	st := n.View()
	// On disk before the answer: after a crash this node must find the others.
	n.savePeers(st)
	return &joinReply{Status: "ok", Index: res.Index, Recovery: st.RecoveryEpoch(), Peers: peersOf(st)}, nil
}

// joinRefusal is apply's no in an operator's words.
func joinRefusal(r *fsm.Refusal) string {
	switch r.Reason {
	case fsm.SlotBusy:
		return fmt.Sprintf("slot %d is owned by node %s there and claimed by this node too: give it up on one side first", r.Slot, r.Node)
	case fsm.Forgotten:
		return "the node was forgotten there meanwhile: send CLUSTER MEET again"
	case fsm.StaleAttempt:
		return "a newer attempt of this node is known there"
	case fsm.NotMember:
		return "the node asked is no member any more"
	}
	return r.Error()
}

// resumeJoin goes on with what a crash or a former life left: an intent on
// disk, or a Redis Cluster's nodes.conf whose other nodes are to be found.
func (n *Node) resumeJoin(ctx context.Context) {
	n.mu.Lock()
	in := n.meta.Intent
	n.mu.Unlock()
	if in != nil && n.join.begin() {
		jctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := n.runIntent(jctx, in)
		cancel()
		n.join.end()
		if err != nil && ctx.Err() == nil {
			n.log.Warn("join not resumed", "err", err)
		}
	}
	if t := n.cfg.Redis; t != nil {
		n.takeOver(ctx, t)
	}
}

// takeoverPatience is how long the node with the smallest id is waited for.
const takeoverPatience = 10 * time.Second

// takeOver finds the other nodes of a former Redis Cluster. All gather around
// the one with the smallest id: pairs that found one another first would be
// clusters that can't be merged any more. Only if it doesn't come the next one
// takes its place.
func (n *Node) takeOver(ctx context.Context, t *Takeover) {
	ids := slices.Sorted(maps.Keys(t.Peers))
	begin, missed := n.cfg.Clock.Mono(), make(map[fsm.NodeID]bool)
	for ctx.Err() == nil && len(ids) > 0 && len(n.View().Nodes()) <= len(ids) {
		for _, id := range ids {
			patient := n.cfg.Clock.Mono()-begin < takeoverPatience
			if id > t.ID && patient || n.View().Node(id) != nil {
				break
			}
			host, _, err := net.SplitHostPort(t.Peers[id])
			if err != nil {
				continue
			}
			mctx, cancel := context.WithTimeout(ctx, meetTimeout)
			_, err = n.meetOnce(mctx, t.Peers[id], host, true)
			cancel()
			if err == nil || patient {
				break
			}
			if !missed[id] {
				missed[id] = true
				n.log.Warn("a node of the former cluster has not come yet", "node", id, "addr", t.Peers[id], "err", err)
			}
		}
		if !sleepCtx(ctx, n.jitter(300*time.Millisecond)) {
			return
		}
	}
	if t.Primary == "" {
		return
	}
	for ctx.Err() == nil {
		st := n.View()
		me, p := st.Node(n.Self()), st.Node(t.Primary)
		if me != nil && p != nil {
			if me.Primary == t.Primary {
				return
			}
			pctx, cancel := context.WithTimeout(ctx, meetTimeout)
			_, err := n.Propose(pctx, &fsm.Replicate{Node: me.ID, Attempt: me.Attempt, Primary: t.Primary})
			cancel()
			if err == nil {
				return
			}
		}
		if !sleepCtx(ctx, 500*time.Millisecond) {
			return
		}
	}
}

// takeoverSlots are the claims of a node's first cluster.
func (n *Node) takeoverSlots() (slots []slot.Range, epoch uint64) {
	if t := n.cfg.Redis; t != nil {
		return t.Slots, t.Epoch
	}
	return nil, 0
}
