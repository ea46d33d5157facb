package commands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/resp/command"
)

// runOne carries out one configuration command.
func (r *room) runOne(c *command.Ctx) { r.runBatch([]*command.Ctx{c}) }

// runBatch carries out consecutive configuration commands of one transaction
// as one entry, each seeing the effects of those before it.
func (r *room) runBatch(cs []*command.Ctx) {
	ctx, cancel := r.context()
	defer cancel()
	synced := false
	if r.Plane.Status().Joining {
		// Whatever the view says belongs to a cluster that is being left.
		if err := r.sync(ctx); err != nil {
			for _, c := range cs {
				c.Error(r.errorText(err, c, nil))
			}
			return
		}
		synced = true
	}
	for try := 0; ; try++ {
		b := r.draft(cs)
		if !synced && b.idle() && slices.ContainsFunc(b.steps, func(s step) bool { return s.byView }) {
			// Another node may have been told of a change that hasn't arrived
			// here. If nobody can be asked the view's word stands.
			synced = true
			sctx, cancel := context.WithTimeout(ctx, time.Second)
			err := r.sync(sctx)
			cancel()
			if err == nil {
				continue
			}
		}
		if b.carryOut(ctx) && try < 3 && ctx.Err() == nil {
			continue
		}
		b.write()
		return
	}
}

// sync brings the view up to what is committed now.
func (r *room) sync(ctx context.Context) error {
	_, err := r.Plane.Propose(ctx, &fsm.Noop{})
	return err
}

// batch is a plan for commands.
type batch struct {
	r     *room
	cs    []*command.Ctx
	steps []step
	st    *fsm.State // planned on
	end   *fsm.State // what the plan leads to

	gives   []give
	ops     []fsm.Op
	origin  []int // of ops: the step, or -1 for assignments and marks of moves
	results []fsm.Result
}

// give is slots that leave their present owners.
type give struct {
	to    fsm.NodeID
	check bool
	slots slot.Set
}

// draft plans each command on the state that those before it lead to.
func (r *room) draft(cs []*command.Ctx) *batch {
	b := &batch{r: r, cs: cs, st: r.Plane.View(), steps: make([]step, len(cs)), results: make([]fsm.Result, len(cs))}
	b.end = b.st
	var moved slot.Set
	checked := map[int]bool{} // by slot: what the last move said
	for i, c := range cs {
		s := r.plan(c, b.end)
		if s.text == "" && s.moves {
			for _, op := range ownership(b.end, &s, r.Plane.Self()) {
				b.end, _ = r.foresee(b.end, op)
			}
			for n := range eachSlot(s.slots) {
				moved.Add(n)
				checked[n] = s.check
			}
		}
		if s.text == "" && s.op != nil {
			var res fsm.Result
			b.end, res = r.foresee(b.end, s.op)
			b.results[i] = res
			_, bump := s.op.(*fsm.BumpEpoch)
			switch {
			case res.Refusal != nil:
				s.text, s.byView = refusalText(res.Refusal, word(c), r.Plane.Self()), true
			case res.Changed || bump && len(cs) > 1:
				b.ops, b.origin = append(b.ops, s.op), append(b.origin, i)
			}
		}
		b.steps[i] = s
	}
	b.settle(&moved, checked)
	return b
}

// foresee is the state after an operation.
func (r *room) foresee(st *fsm.State, op fsm.Op) (*fsm.State, fsm.Result) {
	return st.Apply(st.Index()+1, &fsm.Entry{Op: op, Request: fsm.Request{Origin: r.Plane.Self()}})
}

// ownership is how the slots of a step change hands in the state machine. It
// serves to foresee: present owners propose their part themselves.
func ownership(st *fsm.State, s *step, by fsm.NodeID) (ops []fsm.Op) {
	byOwner := map[fsm.NodeID][]int{}
	for n := range eachSlot(s.slots) {
		owner := fsm.NodeID("")
		if o := st.OwnerNode(n); o != nil {
			owner = o.ID
		}
		byOwner[owner] = append(byOwner[owner], n)
	}
	for owner, slots := range byOwner {
		ranges := slot.Ranges(slots)
		switch {
		case owner == s.to:
		case owner == "":
			ops = append(ops, &fsm.AssignSlots{Node: s.to, Attempt: st.Node(s.to).Attempt, Slots: ranges})
		case s.to == "":
			ops = append(ops, &fsm.UnassignSlots{Node: owner, Tenure: st.ShardOf(owner).Tenure, Slots: ranges, By: by})
		default:
			ops = append(ops, &fsm.MoveSlots{From: owner, Tenure: st.ShardOf(owner).Tenure, To: s.to, Slots: ranges})
		}
	}
	return ops
}

// settle sums up what becomes of the slots that moved: only the net change
// happens, so that no slot is without an owner in between.
func (b *batch) settle(moved *slot.Set, checked map[int]bool) {
	self := b.r.Plane.Self()
	assign := map[fsm.NodeID]*slot.Set{}
	var marks []fsm.Op
	for n := range moved.All() {
		was, will := b.st.OwnerNode(n), b.end.OwnerNode(n)
		to := fsm.NodeID("")
		if will != nil {
			to = will.ID
		}
		switch {
		case was == nil && to == "":
		case was == nil:
			if assign[to] == nil {
				assign[to] = new(slot.Set)
			}
			assign[to].Add(n)
		case was.ID == to:
			if _, open := b.st.Migrating(self, n); open && to == self {
				marks = append(marks, &fsm.SetStable{Slot: uint16(n), Node: self})
			}
		default:
			b.give(to, checked[n]).slots.Add(n)
		}
	}
	var first []fsm.Op
	for to, set := range assign {
		first = append(first, &fsm.AssignSlots{Node: to, Attempt: b.st.Node(to).Attempt, Slots: set.Ranges()})
	}
	slices.SortFunc(first, func(x, y fsm.Op) int {
		return strings.Compare(string(x.(*fsm.AssignSlots).Node), string(y.(*fsm.AssignSlots).Node))
	})
	first = append(first, marks...)
	ops, origin := first, slices.Repeat([]int{-1}, len(first))
	for i, op := range b.ops {
		if !b.passing(op, moved) {
			ops, origin = append(ops, op), append(origin, b.origin[i])
		}
	}
	b.ops, b.origin = ops, origin
}

// passing reports a mark that a later move in the same batch takes away again:
// the move comes first now.
func (b *batch) passing(op fsm.Op, moved *slot.Set) bool {
	switch op := op.(type) {
	case *fsm.SetMigrating:
		to, _ := b.end.Migrating(op.Node, int(op.Slot))
		return moved.Contains(int(op.Slot)) && to != op.To
	case *fsm.SetImporting:
		from, _ := b.end.Importing(op.Node, int(op.Slot))
		return moved.Contains(int(op.Slot)) && from != op.From
	}
	return false
}

func (b *batch) give(to fsm.NodeID, check bool) *give {
	for i := range b.gives {
		if b.gives[i].to == to && b.gives[i].check == check {
			return &b.gives[i]
		}
	}
	b.gives = append(b.gives, give{to: to, check: check})
	return &b.gives[len(b.gives)-1]
}

// idle reports that there is nothing to propose.
func (b *batch) idle() bool { return len(b.gives) == 0 && len(b.ops) == 0 }

// carryOut makes the owners give and proposes the rest. again says that the
// state had moved on and nothing was done: plan anew.
func (b *batch) carryOut(ctx context.Context) (again bool) {
	for i := range b.steps {
		if ms := b.steps[i].timeoutMs; ms > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(min(ms, int64(time.Hour/time.Millisecond)))*time.Millisecond)
			defer cancel()
			break
		}
	}
	for i := range b.gives {
		g := &b.gives[i]
		if err := b.r.Plane.GiveSlots(ctx, g.slots.Ranges(), g.to, g.check); err != nil {
			// SETSLOT and FLUSHSLOTS are safe to repeat; of a list of slots a part
			// may be done.
			var refusal *fsm.Refusal
			if errors.As(err, &refusal) && outdated(refusal) && len(b.steps) == 1 && g.check {
				return true
			}
			b.blame(&g.slots, err)
		}
	}
	ops, origin := b.remaining()
	if len(ops) == 0 {
		return false
	}
	results, err := b.r.propose(ctx, ops)
	stale := len(b.gives) == 0
	for i := range ops {
		var failure error
		switch {
		case i >= len(results) && err != nil:
			failure, stale = err, false
		case i >= len(results):
			failure, stale = errors.New("no result for a part of the batch"), false
		case results[i].Refusal != nil:
			failure = results[i].Refusal
			stale = stale && outdated(results[i].Refusal)
		default:
			stale = false
		}
		if k := origin[i]; k >= 0 {
			if failure != nil {
				b.steps[k].text = b.r.errorText(failure, b.cs[k], nil)
			} else {
				b.results[k] = results[i]
			}
		} else if a, ok := ops[i].(*fsm.AssignSlots); ok && failure != nil {
			b.blame(slot.SetOf(a.Slots...), failure)
		}
	}
	return stale
}

// maxOps bounds one entry: the state machine takes no batch of more than twice
// as many.
const maxOps = 512

// propose commits operations together and returns a result for each; after an
// error there may be fewer.
func (r *room) propose(ctx context.Context, ops []fsm.Op) (results []fsm.Result, err error) {
	for len(ops) > 0 {
		n := min(len(ops), maxOps)
		var op fsm.Op = &fsm.Batch{Ops: ops[:n]}
		if n == 1 {
			op = ops[0]
		}
		res, err := r.Plane.Propose(ctx, op)
		switch {
		case err != nil:
			return results, err
		case n == 1 || res.Refusal != nil:
			results = append(results, slices.Repeat([]fsm.Result{res}, n)...)
		default:
			results = append(results, res.Sub...)
		}
		ops = ops[n:]
	}
	return results, nil
}

// remaining is the operations of the steps that have not failed.
func (b *batch) remaining() (ops []fsm.Op, origin []int) {
	for i, op := range b.ops {
		if k := b.origin[i]; k < 0 || b.steps[k].text == "" {
			ops, origin = append(ops, op), append(origin, k)
		}
	}
	return ops, origin
}

// blame fails the steps that moved any of the slots.
func (b *batch) blame(slots *slot.Set, err error) {
	for i := range b.steps {
		s := &b.steps[i]
		if s.text != "" || !s.moves {
			continue
		}
		for n := range eachSlot(s.slots) {
			if slots.Contains(n) {
				s.text = b.r.errorText(err, b.cs[i], s.slots)
				break
			}
		}
	}
}

// outdated reports a refusal that a plan on a newer state may not meet.
func outdated(r *fsm.Refusal) bool {
	switch r.Reason {
	case fsm.NotMember, fsm.StaleAttempt, fsm.StaleIncarnation, fsm.StaleTenure, fsm.StaleShard, fsm.StaleStamp,
		fsm.NotOwner, fsm.SlotBusy, fsm.SlotUnassigned:
		return true
	}
	return false
}

// write answers each command.
func (b *batch) write() {
	for i, c := range b.cs {
		switch s := &b.steps[i]; {
		case s.text != "":
			c.Error(s.text)
		case s.reply != nil:
			s.reply(c, b.results[i])
		default:
			c.OK()
		}
	}
}

// errorText is the text for a command that failed.
func (r *room) errorText(err error, c *command.Ctx, slots []slot.Range) string {
	first := -1
	if len(slots) > 0 {
		first = int(slots[0].Start)
	}
	return errorText(err, word(c), r.Plane.Self(), first)
}

// word is a subcommand's name as errors show it.
func word(c *command.Ctx) string { return strings.ToUpper(string(c.Arg(1))) }

// eachSlot yields the slots of ranges.
func eachSlot(ranges []slot.Range) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for _, rg := range ranges {
			for n := int(rg.Start); n <= int(rg.End); n++ {
				if !yield(n) {
					return
				}
			}
		}
	}
}
