package sim

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode/internal/guards"
)

// script is a life in which one rule matters: with it nothing bad happens,
// without it a violation does.
type script struct {
	rule    guards.Set
	also    guards.Set // off in both lives
	hosts   int
	timeout time.Duration
	act     func(w *world)
}

func play(t *testing.T, s script, off guards.Set, seed uint64) (res Result) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w := newWorld(Options{Seed: seed, Hosts: s.hosts, Guards: off | s.also})
		w.scripted = true
		for _, h := range w.hosts {
			h.timeout.Store(int64(s.timeout))
			h.boot()
		}
		stop := make(chan struct{})
		w.back(func() { w.check.sample(stop) })
		for _, h := range w.hosts {
			<-h.now().node.Ready()
		}
		s.act(w)
		if !w.over() {
			w.calmDown()
			w.check.rest()
		}
		close(stop)
		w.shutdown()
		w.background.Wait()
		res = w.result()
	})
	return res
}

func TestSimulationScripts(t *testing.T) {
	for _, s := range append(scripts(), membershipScripts()...) {
		t.Run(s.rule.String(), func(t *testing.T) {
			t.Parallel()
			// Some need luck at an instant that a script doesn't control.
			for seed := uint64(1); seed <= 40; seed++ {
				if res := play(t, s, 0, seed); res.Violation != "" {
					t.Fatalf("with the rule, seed %d: %s", seed, res)
				}
				if res := play(t, s, s.rule, seed); res.Violation != "" {
					t.Logf("without the rule, seed %d: %s", seed, res.Violation)
					return
				}
			}
			t.Error("without the rule nothing happened")
		})
	}
}

// Searched are the rules that random lives break soon enough without a script.
func Searched() []guards.Set {
	return []guards.Set{guards.Fence, guards.FenceHeld, guards.Drain}
}

// TestSimulationShowsEveryRule holds for a new rule too: what nothing misses is
// either no rule or isn't tested.
func TestSimulationShowsEveryRule(t *testing.T) {
	var shown guards.Set
	for _, rule := range Searched() {
		shown |= rule
	}
	for _, s := range append(scripts(), membershipScripts()...) {
		shown |= s.rule
	}
	for _, rule := range guards.All() {
		if !shown.Off(rule) {
			t.Errorf("neither a script nor the search shows what %v is for", rule)
		}
	}
}

// until polls until cond holds; what is in the violation if it never does.
func (w *world) until(what string, cond func() bool) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if w.over() || cond() {
			return
		}
		w.sleep(time.Millisecond, nil)
	}
	w.violate("script: never %s", what)
}

// back runs something beside the script; the life waits for its end.
func (w *world) back(f func()) { w.background.Go(f) }

func bounded(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// form makes one cluster, led by the first host, in which the last one owns
// slot 0, and is an observer if there are four.
func (w *world) form() {
	w.gather(w.hosts)
	for i, h := range w.hosts {
		if l := h.now(); l != nil && len(w.hosts) == 4 && l.node.View().Node(l.id()).Suffrage == fsm.Observer {
			w.hosts[i], w.hosts[3] = w.hosts[3], w.hosts[i]
			break
		}
	}
	w.assign(w.last(), 0)
	w.until("at rest", func() bool { return w.check.unrest() == "" })
}

func (w *world) last() *host { return w.hosts[len(w.hosts)-1] }

func (w *world) assign(h *host, s uint16) {
	w.until("assigned", func() bool {
		l := h.now()
		if l == nil {
			return false
		}
		me := l.node.View().Node(l.id())
		if me == nil {
			return false
		}
		ctx, cancel := bounded(5 * time.Second)
		defer cancel()
		_, err := l.node.Propose(ctx, &fsm.AssignSlots{Node: me.ID, Attempt: me.Attempt, Slots: one(s)})
		return err == nil
	})
}

func one(s uint16) []slot.Range { return []slot.Range{{Start: s, End: s}} }

// link cuts or heals everything between a host and others, in one direction.
func (w *world) link(cut bool, from, to []*host) {
	for _, a := range from {
		for _, b := range to {
			switch {
			case a == b:
			case cut:
				w.net.Cut(a.name, b.name)
			default:
				w.net.Heal(a.name, b.name)
			}
		}
	}
}

func (w *world) isolate(h *host) {
	w.link(true, []*host{h}, w.hosts)
	w.link(true, w.hosts, []*host{h})
}

// take has a host take slot 0 from whoever failed, as soon as it may.
func (w *world) take(by *host) {
	w.takeSlot(by, 0)
}

// takeUnasked takes slot 0 from a host that has failed for long enough, without
// asking it once more.
func (w *world) takeUnasked(by, from *host) {
	w.until("taken", func() bool {
		ctx, cancel := bounded(time.Second)
		defer cancel()
		l, owner := by.now(), from.now().id()
		op := &fsm.TakeSlots{From: owner, ShardEpoch: l.node.View().ShardOf(owner).Epoch, To: l.id(), Slots: one(0)}
		res, err := l.node.Propose(ctx, op)
		return err == nil && res.Refusal == nil
	})
}

func (w *world) takeSlot(by *host, s uint16) {
	var took atomic.Bool
	w.until("taken", func() bool {
		// One after the other would miss the first moment.
		w.back(func() {
			ctx, cancel := bounded(60 * time.Millisecond)
			defer cancel()
			l := by.now()
			if l != nil && l.node.GiveSlots(ctx, one(s), l.id(), false) == nil {
				took.Store(true)
			}
		})
		w.linger(9 * time.Millisecond)
		return took.Load()
	})
}

// linger gives the sampler time to see what is wrong.
func (w *world) linger(d time.Duration) { w.sleep(d, nil) }

func scripts() []script {
	return []script{
		{rule: guards.LeaseCap, hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			o := w.last()
			// Its operator raises the timeout; it is cut off with a long lease
			// before the others know.
			w.until("leased for long and not committed", func() bool {
				l := o.now()
				o.timeout.Store(int64(10 * time.Second))
				for range 300 {
					r := l.node.View().Node(l.id())
					if r.TimeoutMs != 500 {
						break
					}
					if l.node.Status().LeaseRemainingMs > 5000 {
						return true
					}
					w.linger(time.Millisecond)
				}
				if w.opt.Guards == 0 {
					return true // it is announced first
				}
				o.timeout.Store(int64(500 * time.Millisecond))
				l.node.NodeTimeoutLowered(500 * time.Millisecond)
				w.until("lowered", func() bool { return l.node.View().Node(l.id()).TimeoutMs == 500 })
				return false
			})
			w.isolate(o)
			w.take(w.hosts[0])
			w.linger(time.Second)
		}},
		{rule: guards.LeaseFromSend, hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			o, leader := w.last(), w.hosts[0]
			// The last answer is long under way.
			w.link(true, w.hosts, []*host{o})
			w.linger(200 * time.Millisecond)
			w.link(true, []*host{o}, w.hosts)
			w.linger(700 * time.Millisecond)
			w.net.Heal(leader.name, o.name)
			w.linger(20 * time.Millisecond)
			w.net.Cut(leader.name, o.name)
			w.take(leader)
			w.linger(time.Second)
		}},
		{rule: guards.LeaseAuthority, hosts: 3, timeout: time.Second, act: func(w *world) {
			w.form()
			old := w.hosts[0]
			w.assign(old, 1)
			// The leader's disk hangs: it doesn't learn that another leads.
			old.logs.Stall()
			w.back(func() {
				ctx, cancel := bounded(time.Second)
				defer cancel()
				old.now().node.Propose(ctx, &fsm.Noop{})
			})
			w.linger(10 * time.Millisecond)
			w.isolate(old)
			w.takeSlot(w.last(), 1)
			w.linger(time.Second)
		}},
		{rule: guards.LeaseView, hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			o := w.last()
			for range 3 {
				w.isolate(o)
				w.linger(3 * time.Second)
				w.takeUnasked(w.hosts[0], o)
				// Back for as long as the lease takes, if it comes first.
				w.net.Heal(o.name, w.hosts[0].name)
				w.net.Heal(w.hosts[0].name, o.name)
				w.until("lease or view", func() bool {
					return o.now().serves(0) || o.now().node.View().OwnerNode(0).ID != o.now().id()
				})
				w.isolate(o)
				w.linger(100 * time.Millisecond)
				w.net.HealAll()
				w.until("at rest", func() bool { return w.check.unrest() == "" })
				w.until("given back", func() bool {
					ctx, cancel := bounded(time.Second)
					defer cancel()
					return o.now().node.GiveSlots(ctx, one(0), o.now().id(), false) == nil
				})
			}
		}},
		{rule: guards.TakeWait, hosts: 4, timeout: 15 * time.Second, act: func(w *world) {
			w.form()
			o := w.last()
			o.now().stretch(0.99)
			w.hosts[0].now().stretch(1.01)
			w.linger(2 * time.Second)
			w.isolate(o)
			w.take(w.hosts[0])
			w.linger(100 * time.Millisecond)
		}},
		{rule: guards.PostCheck, hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			o := w.last().now()
			o.plane.held <- 5 * time.Second
			done := o.plane.one(0)
			w.linger(10 * time.Millisecond)
			w.isolate(o.h)
			w.take(w.hosts[0])
			<-done
		}},
		{rule: guards.PostStamp, hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			o := w.last().now()
			o.plane.held <- 5 * time.Second
			o.plane.held <- 5 * time.Second
			done := o.plane.one(0)
			w.linger(10 * time.Millisecond)
			w.isolate(o.h)
			w.take(w.hosts[0])
			w.linger(time.Second)
			w.net.HealAll()
			w.linger(4 * time.Second)
			w.until("given back", func() bool {
				ctx, cancel := bounded(time.Second)
				defer cancel()
				return o.node.GiveSlots(ctx, one(0), o.id(), false) == nil
			})
			<-done
		}},
		{rule: guards.NamedFacts, hosts: 4, timeout: 4 * time.Second, act: func(w *world) {
			w.form()
			o, leader, to := w.last(), w.hosts[0], w.hosts[1].now().id()
			old := o.now()
			// The proposal crawls; its proposer dies, comes back and serves.
			w.net.Delay(o.name, leader.name, 3*time.Second, 3*time.Second)
			w.back(func() {
				ctx, cancel := bounded(10 * time.Second)
				defer cancel()
				old.node.GiveSlots(ctx, one(0), to, false)
			})
			w.linger(20 * time.Millisecond)
			o.crash()
			w.calm(o, leader)
			o.boot()
			w.until("serving again", func() bool { return o.now().serves(0) })
			w.linger(500 * time.Millisecond)
			w.link(true, w.hosts, []*host{o})
			w.linger(3 * time.Second)
		}},
		{rule: guards.Incarnation, hosts: 4, timeout: 4 * time.Second, act: func(w *world) {
			w.form()
			o, to := w.last(), w.hosts[1].now().id()
			// The hand-over is in the leader's log and can't commit yet; nor can
			// the announcement of the process that follows on its proposer.
			followers := w.hosts[1:3]
			for _, h := range followers {
				h.logs.Stall()
			}
			old := o.now()
			w.back(func() {
				ctx, cancel := bounded(time.Second)
				defer cancel()
				old.node.GiveSlots(ctx, one(0), to, false)
			})
			w.linger(8 * time.Millisecond)
			o.crash()
			o.boot()
			w.until("leased", func() bool { return o.now().node.LeaseValid() })
			w.isolate(o)
			for _, h := range followers {
				h.logs.Resume()
			}
			w.linger(time.Second)
		}},
		{rule: guards.Seal, hosts: 2, timeout: time.Second, act: func(w *world) {
			a, b := w.hosts[0], w.hosts[1]
			w.net.Delay(b.name, a.name, 50*time.Millisecond, 50*time.Millisecond)
			w.back(func() {
				ctx, cancel := bounded(5 * time.Second)
				defer cancel()
				b.now().node.Meet(ctx, a.name, busPort, busPort)
			})
			o := newOperator(w, 0)
			for range 30 {
				o.keep(b.now())
				w.linger(20 * time.Millisecond)
			}
		}},
		{rule: guards.Attempt, hosts: 2, timeout: time.Second, act: func(w *world) {
			a, b := w.hosts[0], w.hosts[1]
			w.net.Delay(a.name, b.name, 100*time.Millisecond, 100*time.Millisecond)
			l := b.now()
			w.back(func() {
				ctx, cancel := bounded(5 * time.Second)
				defer cancel()
				l.node.Meet(ctx, a.name, busPort, busPort)
			})
			w.until("admitted", func() bool { return a.now().node.View().Node(l.id()) != nil })
			b.crash()
			b.boot()
		}},
		{rule: guards.FreshLog, hosts: 3, timeout: time.Second, act: func(w *world) {
			for _, h := range w.hosts {
				for i := range uint16(3) {
					w.assign(h, 100*i+uint16(len(h.name))+7*uint16(h.rng.intn(1000)))
				}
			}
			w.form()
			w.linger(5 * time.Second)
		}},
		{rule: guards.Tombstone, also: guards.Dead, hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			x, leader := w.last(), w.hosts[0]
			id := x.now().id()
			// It leaves without a word and asks to join again; the request is
			// under way when it is forgotten.
			w.isolate(x)
			w.until("alone", func() bool {
				ctx, cancel := bounded(5 * time.Second)
				defer cancel()
				return x.now().node.Reset(ctx, false) == nil
			})
			w.take(leader)
			w.net.Heal(x.name, leader.name)
			w.net.Heal(leader.name, x.name)
			w.net.Delay(x.name, leader.name, 50*time.Millisecond, 50*time.Millisecond)
			l := x.now()
			done := w.check.meeting(x, leader)
			w.back(func() {
				ctx, cancel := bounded(3 * time.Second)
				defer cancel()
				done(l, leader.now().id(), l.node.Meet(ctx, leader.name, busPort, busPort))
			})
			w.until("joining", func() bool { return l.meta.Load().Intent != nil })
			w.net.Cut(x.name, leader.name)
			x.crash()
			w.linger(3500 * time.Millisecond)
			ctx, cancel := bounded(5 * time.Second)
			defer cancel()
			ended := w.check.forgetting(leader.now().node.View(), id)
			err := leader.now().node.Forget(ctx, id)
			ended(leader.now(), err)
			if err != nil {
				w.violate("script: forget: %v", err)
			}
			w.net.HealAll()
			x.boot()
			w.linger(5 * time.Second)
		}},
	}
}

// stretch changes the rate of a running clock.
func (l *life) stretch(rate float64) {
	l.clock.Lock()
	defer l.clock.Unlock()
	lived := float64(time.Since(l.born))
	l.clock.offset += time.Duration(lived*l.clock.rate) - time.Duration(lived*rate)
	l.clock.rate = rate
}

// one sends a single command; the channel closes when it is over.
func (p *plane) one(s int) chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.command(newSource(1, 1), s)
	}()
	return done
}
