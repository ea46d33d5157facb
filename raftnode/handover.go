package raftnode

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
)

// Slots between living shards: the owner gives. It fences the slots, drains
// what it was running, checks what only it knows, and proposes one entry; it
// stays fenced until its view, and the new owner's, show the outcome.

// fenceTable holds the slots that are being given away here.
type fenceTable struct {
	claim sync.Mutex
	fence [slot.Count]atomic.Pointer[chan struct{}]
	// gave is the ownership stamp under which this node itself last gave a
	// slot away, after draining it: what ran under it may be acknowledged.
	// It is 0 while that isn't known to be so of all that ran.
	gave [slot.Count]atomic.Uint64
}

// drained notes what is about to be given, under the stamps of st.
func (t *fenceTable) drained(st *fsm.State, slots []slot.Range) {
	for s := range each(slots) {
		t.gave[s].Store(st.Stamp(s))
	}
}

// kept takes back what drained noted: the slots were not given, and what runs
// in them from now on was never drained.
func (t *fenceTable) kept(slots []slot.Range) {
	for s := range each(slots) {
		t.gave[s].Store(0)
	}
}

// set fences the slots, or none and false if one is fenced already.
func (t *fenceTable) set(slots []slot.Range) (release func(), ok bool) {
	t.claim.Lock()
	defer t.claim.Unlock()
	for s := range each(slots) {
		if t.fence[s].Load() != nil {
			return nil, false
		}
	}
	ch := make(chan struct{})
	for s := range each(slots) {
		t.fence[s].Store(&ch)
	}
	return func() {
		t.claim.Lock()
		defer t.claim.Unlock()
		for s := range each(slots) {
			t.fence[s].Store(nil)
		}
		close(ch)
	}, true
}

// each yields the slots of ranges in order.
func each(rs []slot.Range) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for _, r := range rs {
			for s := int(r.Start); s <= int(r.End); s++ {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// Fenced is non-nil while a hand-over of the slot is being drained or proposed
// here; it closes at the end. Called on the hot path.
func (n *Node) Fenced(s int) <-chan struct{} {
	if p := n.fences.fence[s].Load(); p != nil {
		return *p
	}
	return nil
}

// Gave reports whether this node itself gave the slot away under that stamp.
func (n *Node) Gave(s int, stamp uint64) bool { return n.fences.gave[s].Load() == stamp && stamp != 0 }

// GiveSlots brings slots under another primary, or under none (to == ""). Each
// present owner gives its own; unowned ones are assigned. With checkKeys an
// owner that still holds keys in one refuses: ErrKeysInSlot. A failed owner's
// slots are taken by the rule for owners without supporters (TooEarlyError
// until its time is up). It returns once this node's view shows it all.
func (n *Node) GiveSlots(ctx context.Context, slots []slot.Range, to fsm.NodeID, checkKeys bool) error {
	if err := n.waitUnsealed(ctx); err != nil {
		return err
	}
	st := n.View()
	var free []slot.Range
	byOwner := map[fsm.NodeID][]slot.Range{}
	for s := range each(slots) {
		owner := st.OwnerNode(s)
		switch {
		case owner == nil:
			free = appendSlot(free, s)
		case owner.ID != to:
			byOwner[owner.ID] = appendSlot(byOwner[owner.ID], s)
		}
	}
	owners := make([]fsm.NodeID, 0, len(byOwner))
	for id := range byOwner {
		owners = append(owners, id)
	}
	slices.Sort(owners)
	for _, id := range owners {
		if err := n.giveFrom(ctx, st.Node(id), &giveRequest{Slots: byOwner[id], To: to, By: n.Self(), CheckKeys: checkKeys}); err != nil {
			return err
		}
	}
	if len(free) > 0 && to != "" {
		target := st.Node(to)
		if target == nil {
			return &fsm.Refusal{Reason: fsm.UnknownNode, Slot: -1, Node: to}
		}
		res, err := n.Propose(ctx, &fsm.AssignSlots{Node: to, Attempt: target.Attempt, Slots: free})
		if err != nil {
			return err
		}
		if res.Refusal != nil {
			return res.Refusal
		}
	}
	return nil
}

func appendSlot(rs []slot.Range, s int) []slot.Range {
	if k := len(rs); k > 0 && int(rs[k-1].End)+1 == s {
		rs[k-1].End = uint16(s)
		return rs
	}
	return append(rs, slot.Range{Start: uint16(s), End: uint16(s)})
}

func (n *Node) giveFrom(ctx context.Context, owner *fsm.Node, in *giveRequest) error {
	g := n.group()
	var out *outcome
	if owner.ID == n.Self() {
		out = n.giveHere(ctx, g, in)
	} else {
		var r outcome
		actx, cancel := askFailed(ctx, owner)
		err := n.call(actx, owner.ID, methodGive, in, &r)
		cancel()
		switch {
		case err == nil:
			out = &r
		case n.View().Node(owner.ID) != nil && n.View().Node(owner.ID).Has(fsm.Failed):
			req := &takeRequest{From: owner.ID, To: in.To, Slots: in.Slots}
			return n.askLeader(ctx, g, methodTake, req, func(ctx context.Context) *outcome { return n.takeHere(ctx, req) })
		case notSent(err):
			return fmt.Errorf("%w: node %s: %w", ErrOwnerUnreachable, owner.ID, err)
		default:
			return fmt.Errorf("%w: asked node %s to give the slot: %w", ErrUnknownOutcome, owner.ID, err)
		}
	}
	if out.Code != "" {
		return out.err()
	}
	err := n.waitView(ctx, func(st *fsm.State) bool { return st.Index() >= out.Index || st.ClusterID() != g.cluster })
	if err != nil {
		return fmt.Errorf("%w: the hand-over is committed, not yet seen here", ErrUnknownOutcome)
	}
	return nil
}

// askFailed leaves most of the time for taking what an owner that is failed
// won't give: it may be behind a link that swallows everything.
func askFailed(ctx context.Context, owner *fsm.Node) (context.Context, context.CancelFunc) {
	if !owner.Has(fsm.Failed) {
		return ctx, func() {}
	}
	d := 500 * time.Millisecond
	if end, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(end)/3)
	}
	return context.WithTimeout(ctx, d)
}

func (n *Node) handleGive(ctx context.Context, _ peer.Identity, in *giveRequest) (*outcome, error) {
	return n.giveHere(ctx, n.group(), in), nil
}

// giveHere runs on the owner. A repeat of a request that has been carried out
// succeeds.
func (n *Node) giveHere(ctx context.Context, g *group, in *giveRequest) *outcome {
	var release func()
	for {
		var ok bool
		if n.off(guards.Fence) {
			release = func() {}
			break
		}
		if release, ok = n.fences.set(in.Slots); ok {
			break
		}
		if !sleepCtx(ctx, 5*time.Millisecond) {
			return &outcome{Code: "noleader", Text: "another hand-over of the slot is under way"}
		}
	}
	st := n.View()
	me := st.Node(n.Self())
	var mine []slot.Range
	var refusal *fsm.Refusal
	if me == nil || !me.IsPrimary() {
		refusal = &fsm.Refusal{Reason: fsm.NotPrimary, Slot: -1, Node: n.Self()}
	} else {
		for s := range each(in.Slots) {
			switch owner := st.OwnerNode(s); {
			case owner != nil && owner.ID == me.ID:
				mine = appendSlot(mine, s)
			case owner == nil && in.To == "", owner != nil && owner.ID == in.To:
				// Done before.
			default:
				refusal = &fsm.Refusal{Reason: fsm.NotOwner, Slot: s, Node: me.ID}
			}
		}
	}
	if refusal != nil || len(mine) == 0 {
		release()
		return outcomeOf(fsm.Result{Index: st.Index(), Refusal: refusal}, nil)
	}
	n.cfg.Data.Drain(mine)
	if in.CheckKeys {
		for s := range each(mine) {
			if n.cfg.Data.KeysInSlot(s) > 0 {
				release()
				return &outcome{Code: "keys"}
			}
		}
	}
	shard := st.ShardOf(me.ID)
	var op fsm.Op
	if in.To == "" {
		op = &fsm.UnassignSlots{Node: me.ID, Tenure: shard.Tenure, Slots: mine, By: in.By}
	} else {
		m := &fsm.MoveSlots{From: me.ID, Tenure: shard.Tenure, To: in.To, Slots: mine}
		for s := range each(mine) {
			m.Stamps = append(m.Stamps, st.Stamp(s))
		}
		op = m
	}
	// Draining takes as long as the slowest command. If somebody could take the
	// slots meanwhile, what ran can't be acknowledged.
	if n.servesAsIn(st, me.ID, mine) {
		n.fences.drained(st, mine)
	}
	// From here on the slots stay fenced until the outcome is known, however
	// long the caller is willing to wait.
	type decided struct {
		res fsm.Result
		err error
	}
	ch := make(chan decided, 1)
	release = sync.OnceFunc(release)
	g.wg.Go(func() {
		res, err := n.proposeAs(g.ctx, g, n.entry(op))
		if err == nil {
			err = n.waitView(g.ctx, func(st *fsm.State) bool { return st.Index() >= res.Index })
		}
		switch {
		case err != nil || res.Refusal != nil:
			n.fences.kept(mine)
		case in.To != "":
			n.awaitAt(g, in.To, res.Index)
		}
		release()
		ch <- decided{res, err}
		if err == nil && res.Refusal == nil {
			n.followTaker(g, in.To)
		}
	})
	select {
	case d := <-ch:
		return outcomeOf(d.res, d.err)
	case <-ctx.Done():
		if n.off(guards.FenceHeld) {
			release()
		}
		return &outcome{Code: "unknown", Text: "the hand-over is proposed and not decided yet"}
	}
}

// servesAsIn reports whether this node has had the right to serve slots without
// a break since st was its view, in which it is a primary by the name of id.
func (n *Node) servesAsIn(st *fsm.State, id fsm.NodeID, slots []slot.Range) bool {
	now := n.View()
	was, is := st.ShardOf(id), now.ShardOf(id)
	if now.ClusterID() != st.ClusterID() || is == nil || is.Tenure != was.Tenure || is.PrimaryIncarnation != n.incarnation {
		return false
	}
	for s := range each(slots) {
		if now.Stamp(s) != st.Stamp(s) {
			return false
		}
	}
	return n.lease.valid() // after the view: a lease is granted together with one
}

// followTaker makes a primary that gave its last slot away a replica of the one
// that took it, as Redis does. A node that holds keys, of slots that were never
// its own, stays what it is: a replica would drop them.
func (n *Node) followTaker(g *group, taker fsm.NodeID) {
	st := n.View()
	me := st.Node(n.Self())
	if taker == "" || !n.cfg.Settings().ReplicaMigration || me == nil || !me.IsPrimary() ||
		st.CountSlots(me.Shard) > 0 || n.cfg.Data.Keys() > 0 {
		return
	}
	op := &fsm.Replicate{Node: me.ID, Attempt: me.Attempt, Primary: taker}
	res, err := n.proposeAs(g.ctx, g, n.entry(op))
	switch {
	case err != nil:
		n.log.Warn("the last slot is given away; following its new owner", "owner", taker, "err", err)
	case res.Refusal != nil: // it got slots again, or the taker is gone
		n.log.Info("the last slot is given away; not following its new owner", "owner", taker, "reason", res.Refusal)
	default:
		n.log.Info("the last slot is given away: following its new owner", "owner", taker)
	}
}

// awaitAt waits, for a moment at most, until the new owner's view shows the
// entry that made it one. Until then the slots stay fenced here, so that
// clients aren't sent back and forth between two nodes that each name the other.
func (n *Node) awaitAt(g *group, to fsm.NodeID, index uint64) {
	ctx, cancel := context.WithTimeout(g.ctx, time.Second)
	defer cancel()
	if err := n.call(ctx, to, methodAwait, &awaitRequest{Index: index}, nil); err != nil {
		n.log.Debug("new owner's view not confirmed", "node", to, "err", err)
	}
}

func (n *Node) handleAwait(ctx context.Context, _ peer.Identity, in *awaitRequest) (*outcome, error) {
	cluster := n.group().cluster
	err := n.waitView(ctx, func(st *fsm.State) bool { return st.Index() >= in.Index || st.ClusterID() != cluster })
	return &outcome{Index: n.View().Index()}, err
}

func (n *Node) handleTake(ctx context.Context, _ peer.Identity, in *takeRequest) (*outcome, error) {
	if _, leads := n.group().leads(); !leads {
		return &outcome{Code: "noleader", Text: "not the leader"}, nil
	}
	return n.takeHere(ctx, in), nil
}

// takeHere runs on the leader: an owner that is gone, without supporters, on
// an operator's word.
func (n *Node) takeHere(ctx context.Context, in *takeRequest) *outcome {
	g := n.group()
	v, leads := g.leads()
	if !leads {
		return &outcome{Code: "noleader", Text: "not the leader"}
	}
	if err := barrier(ctx, v); err != nil {
		return &outcome{Code: "noleader", Text: err.Error()}
	}
	st := v.machine.current()
	r := st.Node(in.From)
	if r == nil {
		return outcomeOf(fsm.Result{Refusal: &fsm.Refusal{Reason: fsm.UnknownNode, Slot: -1, Node: in.From}}, nil)
	}
	if !r.Has(fsm.Failed) {
		return outcomeOf(fsm.Result{Refusal: &fsm.Refusal{Reason: fsm.NotFailed, Slot: -1, Node: in.From}}, nil)
	}
	if wait := n.soft.takeWait(n.cfg.Clock.Mono(), r); wait > 0 && !n.off(guards.TakeWait) {
		return outcomeOf(fsm.Result{}, &TooEarlyError{Node: in.From, RetryMs: wait.Milliseconds() + 1})
	}
	shard := st.ShardOf(in.From)
	if shard == nil {
		return outcomeOf(fsm.Result{Refusal: &fsm.Refusal{Reason: fsm.NotOwner, Slot: -1, Node: in.From}}, nil)
	}
	op := &fsm.TakeSlots{From: in.From, ShardEpoch: shard.Epoch, To: in.To, Slots: in.Slots}
	res, mayHave, err := n.commit(ctx, g, v, n.entry(op).Encode(nil), false)
	if err != nil && mayHave {
		err = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	} else if err != nil {
		err = fmt.Errorf("%w: %w", ErrNoLeader, err)
	}
	return outcomeOf(res, err)
}
