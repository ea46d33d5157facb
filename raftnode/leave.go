package raftnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/fsm"
	"conclave/raftnode/peer"
	"conclave/raftnode/store"
)

// Forget removes a member for good and leaves a tombstone. It returns nil once
// the entry is committed, this node's view shows it and the Raft server is
// gone. Refusals come back as *fsm.Refusal. A node that has itself forgotten
// gives its slots up first.
func (n *Node) Forget(ctx context.Context, id fsm.NodeID) error {
	if err := n.waitUnsealed(ctx); err != nil {
		return err
	}
	if id == n.Self() {
		return n.signOff(ctx, n.group())
	}
	req := &forgetRequest{ID: id, By: n.Self()}
	if r := n.View().Node(id); r != nil {
		req.Attempt = r.Attempt
	}
	return n.askLeader(ctx, n.group(), methodForget, req, func(ctx context.Context) *outcome { return n.forgetHere(ctx, req) })
}

// askLeader runs a leader-side action here or there, retried across leader
// changes until ctx ends, and waits for the own view. The actions are
// idempotent.
func (n *Node) askLeader(ctx context.Context, g *group, method string, req any, local func(context.Context) *outcome) error {
	maybe := false
	var last error = errNotLeader
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		var out *outcome
		if _, leads := g.leads(); leads {
			out = local(ctx)
		} else if to := g.leader(); to != "" && to != n.Self() {
			var r outcome
			if err := n.call(ctx, to, method, req, &r); err != nil {
				maybe = maybe || !notSent(err)
				last = err
			} else {
				out = &r
			}
		}
		if out != nil {
			switch out.Code {
			case "":
				return n.waitView(ctx, func(st *fsm.State) bool { return st.Index() >= out.Index || st.ClusterID() != g.cluster })
			case "noleader", "unknown":
				maybe = maybe || out.Code == "unknown"
				last = errors.New(out.Text)
			default:
				return out.err()
			}
		}
		if g.retired.Load() || !sleepCtx(ctx, n.jitter(wait)) {
			if maybe {
				return fmt.Errorf("%w: %w", ErrUnknownOutcome, last)
			}
			return fmt.Errorf("%w: %w", ErrNoLeader, last)
		}
	}
}

// err turns an outcome back into the error that it was made of.
func (o *outcome) err() error {
	switch o.Code {
	case "":
		return nil
	case "refused":
		return o.Refusal
	case "keys":
		return ErrKeysInSlot
	case "early":
		return &TooEarlyError{Node: o.Node, RetryMs: o.RetryMs}
	case "unreachable":
		return fmt.Errorf("%w: %s", ErrOwnerUnreachable, o.Text)
	case "unknown":
		return fmt.Errorf("%w: %s", ErrUnknownOutcome, o.Text)
	case "noleader":
		return fmt.Errorf("%w: %s", ErrNoLeader, o.Text)
	}
	return errors.New(o.Text)
}

// outcomeOf is the inverse of err.
func outcomeOf(res fsm.Result, err error) *outcome {
	var refusal *fsm.Refusal
	var early *TooEarlyError
	switch {
	case err == nil && res.Refusal == nil:
		return &outcome{Index: res.Index}
	case err == nil:
		return &outcome{Code: "refused", Refusal: res.Refusal, Index: res.Index}
	case errors.As(err, &refusal):
		return &outcome{Code: "refused", Refusal: refusal}
	case errors.As(err, &early):
		return &outcome{Code: "early", Node: early.Node, RetryMs: early.RetryMs}
	case errors.Is(err, ErrKeysInSlot):
		return &outcome{Code: "keys"}
	case errors.Is(err, ErrOwnerUnreachable):
		return &outcome{Code: "unreachable", Text: err.Error()}
	case errors.Is(err, ErrUnknownOutcome):
		return &outcome{Code: "unknown", Text: err.Error()}
	case errors.Is(err, ErrNoLeader), errors.Is(err, ErrJoining), errors.Is(err, ErrStopped):
		return &outcome{Code: "noleader", Text: err.Error()}
	}
	return &outcome{Code: "error", Text: err.Error()}
}

func (n *Node) handleForget(ctx context.Context, _ peer.Identity, in *forgetRequest) (*outcome, error) {
	if _, leads := n.group().leads(); !leads {
		return &outcome{Code: "noleader", Text: "not the leader"}, nil
	}
	return n.forgetHere(ctx, in), nil
}

// forgetHere runs on the leader: hand the vote over first if the victim is the
// only voter, remove its Raft server, commit the tombstone. In this order,
// because a node that learns that it is no member stops its Raft at once: if
// the leader lost its office then, a voter that is gone could be needed for the
// next. The leader itself steps down by this; whoever follows goes on.
func (n *Node) forgetHere(ctx context.Context, in *forgetRequest) *outcome {
	g := n.group()
	v, leads := g.leads()
	if !leads {
		return &outcome{Code: "noleader", Text: "not the leader"}
	}
	if err := barrier(ctx, v); err != nil {
		return &outcome{Code: "noleader", Text: err.Error()}
	}
	st := v.machine.current()
	op := &fsm.Forget{ID: in.ID, Attempt: in.Attempt, By: in.By}
	if r := st.Node(in.ID); r != nil && (in.Attempt == 0 || r.Attempt == in.Attempt) {
		if in.By != in.ID && r.IsPrimary() && st.CountSlots(r.Shard) > 0 && r.Has(fsm.Failed) {
			if wait := n.soft.takeWait(n.cfg.Clock.Mono(), r); wait > 0 {
				return outcomeOf(fsm.Result{}, &TooEarlyError{Node: in.ID, RetryMs: wait.Milliseconds() + 1})
			}
			op.Take, op.ShardEpoch = true, st.Shard(r.Shard).Epoch
		}
	}
	e := n.entry(op)
	if _, res := st.Apply(st.Index()+1, e); res.Refusal != nil {
		return &outcome{Code: "refused", Refusal: res.Refusal, Index: st.Index()}
	}
	if !g.changing.take(ctx) {
		return &outcome{Code: "noleader", Text: "the voters are being changed"}
	}
	defer g.changing.release()
	if err := n.addAnyVoter(ctx, g, v, in.ID); err != nil {
		return &outcome{Code: "error", Text: "it is the only voter and no other member can take its place: " + err.Error()}
	}
	if err := n.removeServer(v, in.ID); err != nil {
		return &outcome{Code: "noleader", Text: "its vote can't be removed: " + err.Error()}
	}
	res, mayHave, err := n.commit(ctx, g, v, e.Encode(nil), false)
	if err != nil {
		code := "noleader"
		if mayHave {
			code = "unknown"
		}
		return &outcome{Code: code, Text: err.Error()}
	}
	if res.Refusal != nil {
		return &outcome{Code: "refused", Refusal: res.Refusal, Index: res.Index}
	}
	return &outcome{Index: res.Index}
}

// Reset carries out CLUSTER RESET: leave the cluster, then be a one-node
// cluster without slots. It works without a leader for a node that is alone,
// joining, removed or an observer; a voter that is still listed needs one.
// The caller has checked that no keys are at risk.
func (n *Node) Reset(ctx context.Context, hard bool) error {
	if !n.resetting.CompareAndSwap(false, true) {
		return errors.New("another CLUSTER RESET is under way")
	}
	defer n.resetting.Store(false)
	// A join in flight is given up: its attempt is dead.
	n.mu.Lock()
	in := n.meta.Intent
	n.mu.Unlock()
	if in != nil {
		n.giveUp(in, errors.New("CLUSTER RESET"))
		select {
		case <-n.join.settled():
		case <-ctx.Done():
			return ErrJoining
		}
	}
	g := n.group()
	st := n.View()
	me := st.Node(n.Self())
	replica := me != nil && !me.IsPrimary()
	if me != nil && len(st.Nodes()) > 1 {
		lctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := n.signOff(lctx, g)
		cancel()
		var refusal *fsm.Refusal
		switch {
		case err == nil, g.retired.Load():
		case errors.As(err, &refusal) && (refusal.Reason == fsm.UnknownNode || refusal.Reason == fsm.NotMember):
		case g.raft() != nil:
			return fmt.Errorf("this node is a voter of the cluster and must be removed by its leader first: %w", err)
		default:
			n.log.Warn("leaving without the leader's word", "err", err)
		}
	}
	var epoch uint64
	if me != nil && me.IsPrimary() && !hard {
		epoch = me.Epoch
	}
	if err := n.becomeSolo(g, "reset", hard, epoch); err != nil {
		return err
	}
	if replica {
		n.cfg.Data.Flush()
	}
	return n.waitView(ctx, func(st *fsm.State) bool { return st.Node(n.Self()) != nil })
}

// signOff gives up this node's slots and has the leader forget it. The slots go
// first, as in any hand-over: somebody else may own them from the instant at
// which the entry commits, and this node's view may be late. The request
// doesn't say that the node asks for itself, so that a delayed one can't take
// away what it was given since.
func (n *Node) signOff(ctx context.Context, g *group) error {
	for {
		st := n.View()
		me := st.Node(n.Self())
		if me == nil {
			return nil
		}
		if me.IsPrimary() && st.CountSlots(me.Shard) > 0 {
			if err := n.giveFrom(ctx, me, &giveRequest{Slots: st.SlotsOf(me.Shard), By: me.ID}); err != nil {
				return err
			}
		}
		req := &forgetRequest{ID: me.ID, Attempt: g.attempt}
		err := n.askLeader(ctx, g, methodForget, req, func(ctx context.Context) *outcome { return n.forgetHere(ctx, req) })
		var refusal *fsm.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != fsm.OwnsSlots {
			return err
		}
	}
}

// becomeSolo ends a membership and founds a one-node cluster without slots.
// Keys are kept, and not served. A second call for the same membership does
// nothing.
func (n *Node) becomeSolo(g *group, why string, hard bool, epoch uint64) error {
	if !g.retired.CompareAndSwap(false, true) {
		return nil
	}
	n.moving.take(context.Background())
	defer n.moving.release()
	if n.group() != g {
		return nil
	}
	gen := g.generation()
	g.stop()
	n.lease.drop()
	n.soft.forgetAll()
	if hard {
		n.mu.Lock()
		err := n.saveMetaLocked(func(m *store.Metadata) {
			m.FormerIDs = appendFormer(m.FormerIDs, m.NodeID)
			m.NodeID, m.ShardID = fsm.NodeID(n.cfg.NewID()), fsm.ShardID(n.cfg.NewID())
		})
		id := n.meta.NodeID
		n.mu.Unlock()
		if err != nil {
			return err
		}
		n.id.Store(&id)
	}
	st := n.View()
	next, err := n.foundSolo(why, st.ClusterID() == g.cluster && len(st.Nodes()) == 1)
	if err != nil {
		return err
	}
	next.epoch = epoch
	if gen != 0 {
		if err := n.cfg.Stores.SetAside(g.cluster, gen); err != nil {
			n.log.Warn("put raft directory aside", "err", err)
		}
	}
	n.unseal()
	if err := next.start(); err != nil && !errors.Is(err, errRetired) {
		n.fail(err)
		return err
	}
	return nil
}
