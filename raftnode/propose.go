package raftnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
)

// Propose commits an operation and answers once this node's own view shows it.
// A refusal of the state machine is in the Result, with a nil error. Any node
// may be asked; the operation is forwarded to the leader and retried across a
// leader change until ctx ends, always as the same request, so that it takes
// effect at most once. Errors: ErrNoLeader (nothing happened),
// ErrUnknownOutcome, ErrJoining, ErrStopped.
func (n *Node) Propose(ctx context.Context, op fsm.Op) (fsm.Result, error) {
	if err := n.waitUnsealed(ctx); err != nil {
		return fsm.Result{}, err
	}
	g := n.group()
	if g == nil {
		return fsm.Result{}, ErrStopped
	}
	res, err := n.proposeAs(ctx, g, n.entry(op))
	if err != nil {
		return res, err
	}
	err = n.waitView(ctx, func(st *fsm.State) bool { return st.Index() >= res.Index || st.ClusterID() != g.cluster })
	if err != nil {
		return res, fmt.Errorf("%w: committed at index %d, not yet seen here", ErrUnknownOutcome, res.Index)
	}
	return res, nil
}

// entry wraps an operation as this node's next request.
func (n *Node) entry(op fsm.Op) *fsm.Entry {
	return &fsm.Entry{
		Op: op, WallMs: n.cfg.Clock.WallMs(),
		Request: fsm.Request{Origin: n.Self(), Incarnation: n.incarnation, Seq: n.seq.Add(1)},
	}
}

// waitUnsealed waits while a join is in flight: configuration commands go to
// whichever cluster results.
func (n *Node) waitUnsealed(ctx context.Context) error {
	for {
		ch := n.join.settled()
		if !n.seal.isSet() || n.off(guards.Seal) {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ErrJoining
		}
		// Sealed, and nobody is joining: a join is about to be resumed.
		if n.seal.isSet() && !sleepCtx(ctx, 5*time.Millisecond) {
			return ErrJoining
		}
	}
}

// proposeAs brings one entry to the leader until it is decided or ctx ends.
func (n *Node) proposeAs(ctx context.Context, g *group, e *fsm.Entry) (fsm.Result, error) {
	raw := e.Encode(nil)
	if _, err := fsm.DecodeEntry(raw); err != nil {
		return fsm.Result{}, fmt.Errorf("not proposed: %w", err)
	}
	maybe := false
	var last error
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		res, mayHave, err := n.proposeOnce(ctx, g, raw)
		if err == nil {
			return res, nil
		}
		maybe = maybe || mayHave
		last = err
		if g.retired.Load() {
			break
		}
		t := time.NewTimer(n.jitter(wait))
		select {
		case <-t.C:
			continue
		case <-ctx.Done():
			t.Stop()
		}
		break
	}
	switch {
	case maybe:
		return fsm.Result{}, fmt.Errorf("%w: %w", ErrUnknownOutcome, last)
	case n.ctx.Err() != nil:
		return fsm.Result{}, ErrStopped
	}
	return fsm.Result{}, fmt.Errorf("%w: %w", ErrNoLeader, last)
}

var errNotLeader = errors.New("not the leader")

// proposeOnce tries the leader known now. mayHave reports that the entry may
// be in the log although err is set.
func (n *Node) proposeOnce(ctx context.Context, g *group, raw []byte) (res fsm.Result, mayHave bool, err error) {
	if v, leads := g.leads(); leads {
		return n.commit(ctx, g, v, raw, false)
	}
	to := g.leader()
	if to == "" || to == n.Self() {
		return fsm.Result{}, false, errNotLeader
	}
	var out proposeReply
	err = n.call(ctx, to, methodPropose, &proposeRequest{Entry: raw}, &out)
	if err != nil {
		return fsm.Result{}, !notSent(err) && !isRemote(err), err
	}
	if out.NotMe {
		return fsm.Result{}, false, errNotLeader
	}
	return out.Result, false, nil
}

// isRemote reports an error that the other side answered before it did
// anything; remoteUnknown says the opposite.
func isRemote(err error) bool {
	var r *peer.RemoteError
	return errors.As(err, &r) && r.Code != "unknown"
}

// commit puts an entry into the log of the local leader and waits for it to be
// applied. The private log of a node that is joining takes nothing; sealing
// exempts its own first entries.
func (n *Node) commit(ctx context.Context, g *group, v *voterRaft, raw []byte, sealing bool) (res fsm.Result, mayHave bool, err error) {
	// Whatever can't be decoded would stop every node, for good, once it is
	// committed.
	if _, err := fsm.DecodeEntry(raw); err != nil {
		return fsm.Result{}, false, fmt.Errorf("not proposed: %w", err)
	}
	sealing = sealing || n.off(guards.Seal)
	if !sealing && !n.seal.enter() {
		return fsm.Result{}, false, ErrJoining
	}
	if n.off(guards.NamedFacts) {
		raw = presentFacts(v.machine.current(), raw)
	}
	f := v.raft.Apply(raw, 5*time.Second)
	if !sealing {
		n.seal.leave()
	}
	done := make(chan error, 1)
	v.wg.Go(func() { done <- f.Error() })
	select {
	case err = <-done:
	case <-ctx.Done():
		return fsm.Result{}, true, ctx.Err()
	}
	switch {
	case err == nil:
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fsm.Result{}, false, err
	default:
		return fsm.Result{}, true, err
	}
	switch r := f.Response().(type) {
	case fsm.Result:
		return r, false, nil
	case error:
		return fsm.Result{}, true, r
	}
	return fsm.Result{}, true, fmt.Errorf("unexpected answer %T of apply", f.Response())
}

// off reports whether a simulation has switched a rule off.
func (n *Node) off(rule guards.Set) bool { return n.cfg.Guards.Off(rule) }

// presentFacts makes a hand-over name what holds now instead of what its
// proposer assumed; for simulations.
func presentFacts(st *fsm.State, raw []byte) []byte {
	e, err := fsm.DecodeEntry(raw)
	if err != nil {
		return raw
	}
	m, ok := e.Op.(*fsm.MoveSlots)
	if !ok || st.ShardOf(m.From) == nil {
		return raw
	}
	m.Tenure, m.Stamps = st.ShardOf(m.From).Tenure, nil
	for s := range each(m.Slots) {
		m.Stamps = append(m.Stamps, st.Stamp(s))
	}
	e.Request = fsm.Request{Origin: e.Request.Origin} // nor the process that asks
	return e.Encode(nil)
}

// handlePropose is the leader's side of forwarding.
func (n *Node) handlePropose(ctx context.Context, from peer.Identity, in *proposeRequest) (*proposeReply, error) {
	g := n.group()
	v, leads := g.leads()
	if !leads {
		return &proposeReply{NotMe: true, Leader: g.leader()}, nil
	}
	e, err := fsm.DecodeEntry(in.Entry)
	if err != nil {
		return nil, peer.Errorf("bad", "%v", err)
	}
	if e.Request.Origin != from.Node {
		return nil, peer.Errorf("bad", "the entry names another origin")
	}
	res, mayHave, err := n.commit(ctx, g, v, in.Entry, false)
	switch {
	case err == nil:
		return &proposeReply{Result: res}, nil
	case mayHave:
		return nil, peer.Errorf("unknown", "%v", err)
	}
	return &proposeReply{NotMe: true}, nil
}

// barrier waits until everything committed before is applied here, which also
// proves that this node leads.
func barrier(ctx context.Context, v *voterRaft) error {
	f := v.raft.Barrier(5 * time.Second)
	done := make(chan error, 1)
	v.wg.Go(func() { done <- f.Error() })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
