package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode"
)

// operator gives commands to random nodes and remembers what was answered.
type operator struct {
	w   *world
	no  uint64
	rng *source
	seq int
}

func newOperator(w *world, no uint64) *operator {
	return &operator{w: w, no: no, rng: newSource(w.opt.Seed, 20+no)}
}

func (o *operator) run(stop <-chan struct{}) {
	if o.no == 0 && o.rng.chance(0.7) {
		o.found(stop)
	}
	for o.w.sleep(o.rng.between(20*time.Millisecond, 1500*time.Millisecond), stop) {
		if l := o.pick(); l != nil {
			o.act(l)
		}
	}
}

// found makes one cluster of all hosts, as create does.
func (o *operator) found(stop <-chan struct{}) {
	for i, h := range o.w.hosts {
		l := h.now()
		if l == nil || !o.w.sleep(10*time.Millisecond, stop) {
			continue
		}
		k := slotsInPlay / len(o.w.hosts)
		o.assign(l, []slot.Range{{Start: uint16(i * k), End: uint16(i*k + k - 1)}})
	}
	for _, h := range o.w.hosts[1:] {
		if l := h.now(); l != nil && o.w.sleep(10*time.Millisecond, stop) {
			o.meet(l, o.w.hosts[0])
		}
	}
}

// pick is a running process that is ready.
func (o *operator) pick() *life {
	l := o.w.hosts[o.rng.intn(len(o.w.hosts))].now()
	if l == nil || l.node.View().Node(l.id()) == nil {
		return nil
	}
	return l
}

// member is the id of a random member of somebody's cluster.
func (o *operator) member(l *life) fsm.NodeID {
	ms := l.node.View().Nodes()
	if len(ms) == 0 {
		return l.id()
	}
	return ms[o.rng.intn(len(ms))].ID
}

func (o *operator) slots() []slot.Range {
	lo := o.rng.intn(slotsInPlay)
	hi := min(slotsInPlay-1, lo+o.rng.intn(4))
	return []slot.Range{{Start: uint16(lo), End: uint16(hi)}}
}

func (o *operator) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), o.rng.between(200*time.Millisecond, 5*time.Second))
}

func (o *operator) act(l *life) {
	switch k := o.rng.intn(100); {
	case k < 12:
		o.meet(l, o.w.hosts[o.rng.intn(len(o.w.hosts))])
	case k < 17:
		o.forget(l, o.member(l))
	case k < 20:
		o.reset(l, o.rng.chance(0.3))
	case k < 35:
		o.token(l)
	case k < 45:
		o.assign(l, o.slots())
	case k < 68:
		to := o.member(l)
		if o.rng.chance(0.1) {
			to = ""
		}
		o.give(l, o.slots(), to, o.rng.chance(0.5))
	case k < 72:
		o.rescue(l)
	case k < 77:
		s := uint16(o.rng.intn(slotsInPlay))
		switch o.rng.intn(3) {
		case 0:
			o.propose(l, &fsm.SetMigrating{Slot: s, Node: l.id(), To: o.member(l)})
		case 1:
			o.propose(l, &fsm.SetImporting{Slot: s, Node: l.id(), From: o.member(l)})
		default:
			o.propose(l, &fsm.SetStable{Slot: s, Node: l.id()})
		}
	case k < 82:
		o.propose(l, &fsm.BumpEpoch{Node: l.id()})
	case k < 86:
		if me := l.node.View().Node(l.id()); me != nil {
			if o.rng.chance(0.5) && !me.IsPrimary() {
				o.propose(l, &fsm.Detach{Node: me.ID, Attempt: me.Attempt})
			} else {
				o.propose(l, &fsm.Replicate{Node: me.ID, Attempt: me.Attempt, Primary: o.member(l)})
			}
		}
	case k < 90:
		o.propose(l, &fsm.Batch{Ops: []fsm.Op{
			&fsm.SetStable{Slot: uint16(o.rng.intn(slotsInPlay)), Node: l.id()},
			&fsm.BumpEpoch{Node: l.id()},
		}})
	case k < 94:
		o.setTimeout(l)
	default:
		o.keep(l)
	}
}

// outcomeText is an answer in the trace.
func outcomeText(err error) string {
	if err == nil {
		return "OK"
	}
	return err.Error()
}

func (o *operator) report(l *life, start time.Time, what string, err error) {
	o.w.tracef("op%d %s: %s: %s (%v)", o.no, l.h.name, what, outcomeText(err), time.Since(start).Round(time.Millisecond))
	name, _, _ := strings.Cut(what, " ")
	if err == nil {
		o.w.count(name + " ok")
	} else {
		o.w.count(name + " error")
	}
}

func (o *operator) propose(l *life, op fsm.Op) {
	ctx, cancel := o.bounded()
	defer cancel()
	start := time.Now()
	res, err := l.node.Propose(ctx, op)
	if err == nil && res.Refusal != nil {
		err = res.Refusal
	}
	o.report(l, start, fsm.Name(op), err)
}

// token commits something that can be found again, once, in the history.
func (o *operator) token(l *life) {
	me := l.node.View().Node(l.id())
	if me == nil {
		return
	}
	o.seq++
	text := fmt.Sprintf("tok-%d-%d-", o.no, o.seq)
	ctx, cancel := o.bounded()
	defer cancel()
	start := time.Now()
	res, err := l.node.Propose(ctx, &fsm.Update{ID: me.ID, Attempt: me.Attempt, Hostname: &text})
	if err == nil && res.Refusal != nil {
		err = res.Refusal
	}
	o.report(l, start, "token "+text, err)
	st := l.node.View()
	if l.dead.Load() {
		return
	}
	o.w.check.token(text, st, res, err)
}

func (o *operator) assign(l *life, rs []slot.Range) {
	me := l.node.View().Node(l.id())
	if me != nil {
		o.propose(l, &fsm.AssignSlots{Node: me.ID, Attempt: me.Attempt, Slots: rs})
	}
}

// keep assigns a slot that nobody will ever touch again.
func (o *operator) keep(l *life) {
	me := l.node.View().Node(l.id())
	if me == nil {
		return
	}
	s := o.w.check.reserve()
	ctx, cancel := o.bounded()
	defer cancel()
	start := time.Now()
	res, err := l.node.Propose(ctx, &fsm.AssignSlots{Node: me.ID, Attempt: me.Attempt, Slots: []slot.Range{{Start: s, End: s}}})
	if err == nil && res.Refusal != nil {
		err = res.Refusal
	}
	o.report(l, start, fmt.Sprintf("keep %d", s), err)
	if err == nil {
		o.w.check.kept(s, me.ID, start)
	}
}

func (o *operator) give(l *life, rs []slot.Range, to fsm.NodeID, checkKeys bool) {
	ctx, cancel := o.bounded()
	defer cancel()
	start := time.Now()
	err := l.node.GiveSlots(ctx, rs, to, checkKeys)
	o.report(l, start, fmt.Sprintf("give %v to %s", rs, o.w.hostOf(to)), err)
}

// rescue takes the slots of failed nodes as soon as the rule allows.
func (o *operator) rescue(l *life) {
	st := l.node.View()
	for _, m := range st.Nodes() {
		if !m.Has(fsm.Failed) || st.CountSlots(m.Shard) == 0 || !m.IsPrimary() {
			continue
		}
		rs := slot.SetOf(st.SlotsOf(m.Shard)...)
		for s := slotsInPlay; s < slot.Count; s++ {
			rs.Remove(s)
		}
		if len(rs.Ranges()) == 0 {
			continue
		}
		start := time.Now()
		var err error
		for range 100 {
			ctx, cancel := o.bounded()
			err = l.node.GiveSlots(ctx, rs.Ranges(), l.id(), false)
			cancel()
			var early *raftnode.TooEarlyError
			if !errors.As(err, &early) || !o.w.sleep(min(time.Duration(early.RetryMs)*time.Millisecond, 50*time.Millisecond), l.ended) {
				break
			}
		}
		o.report(l, start, fmt.Sprintf("rescue of %s", o.w.hostOf(m.ID)), err)
		return
	}
}

func (o *operator) meet(l *life, to *host) {
	ctx, cancel := o.bounded()
	defer cancel()
	var other fsm.NodeID
	if ol := to.now(); ol != nil {
		other = ol.id()
	}
	start := time.Now()
	done := o.w.check.meeting(l.h, to)
	err := l.node.Meet(ctx, to.name, busPort, busPort)
	o.report(l, start, "meet "+to.name, err)
	done(l, other, err)
}

func (o *operator) forget(l *life, id fsm.NodeID) {
	if id == l.id() && o.rng.chance(0.9) {
		return
	}
	ctx, cancel := o.bounded()
	defer cancel()
	start := time.Now()
	st := l.node.View()
	done := o.w.check.forgetting(st, id)
	err := l.node.Forget(ctx, id)
	o.report(l, start, "forget "+o.w.hostOf(id), err)
	done(l, err)
}

func (o *operator) reset(l *life, hard bool) {
	ctx, cancel := o.bounded()
	defer cancel()
	start := time.Now()
	done := o.w.check.leaving(l.id())
	err := l.node.Reset(ctx, hard)
	o.report(l, start, fmt.Sprintf("reset hard=%v", hard), err)
	done()
}

// setTimeout changes cluster-node-timeout as CONFIG SET does.
func (o *operator) setTimeout(l *life) {
	d := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}[o.rng.intn(4)]
	ctx, cancel := o.bounded()
	defer cancel()
	start := time.Now()
	if d < time.Duration(l.h.timeout.Load()) {
		l.node.NodeTimeoutLowered(d)
	}
	l.h.timeout.Store(int64(d))
	o.report(l, start, fmt.Sprintf("timeout %v", d), l.node.Announce(ctx))
}

// hostOf names the host of a node for the trace.
func (w *world) hostOf(id fsm.NodeID) string {
	for _, h := range w.check.hosts {
		if l := h.now(); l != nil && l.id() == id {
			return h.name
		}
	}
	if id == "" {
		return "nobody"
	}
	return string(id[:min(6, len(id))])
}
