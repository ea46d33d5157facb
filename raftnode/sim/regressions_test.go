package sim

import (
	"testing"
	"time"

	"conclave/fsm"
)

// regressions are lives that once went wrong, with what was the matter.
func regressions() map[string]script {
	return map[string]script{
		// A founder's log begins with a founder that knows nobody. What it had
		// noted of the others must outlast the replay: they don't look for
		// somebody who is forgotten.
		"forgotten while it was down": {hosts: 4, timeout: time.Second, act: func(w *world) {
			w.gather(w.hosts)
			gone, by := w.hosts[0], w.hosts[1]
			l := gone.now()
			id := l.id()
			first := ""
			for _, p := range l.meta.Load().Membership.Peers {
				if p.ID != id && first == "" {
					first = w.hostOf(p.ID)
				}
			}
			gone.crash()
			w.forgetDown(by, id)
			// It reads the log from one node, and asks others about itself.
			for _, h := range w.hosts[1:] {
				if h.name != first {
					w.link(true, []*host{gone}, []*host{h})
				}
			}
			gone.boot()
			w.linger(2 * time.Second)
		}},
		// Its slots are free from the instant at which its removal commits, and
		// its own view shows that later.
		"an owner has itself forgotten": {hosts: 4, timeout: 2 * time.Second, act: func(w *world) {
			w.form()
			o := w.last()
			l := o.now()
			for _, h := range w.hosts {
				w.net.Delay(h.name, o.name, 300*time.Millisecond, 300*time.Millisecond)
			}
			w.linger(time.Second)
			done := w.check.forgetting(l.node.View(), l.id())
			w.back(func() {
				ctx, cancel := bounded(5 * time.Second)
				defer cancel()
				done(l, l.node.Forget(ctx, l.id()))
			})
			w.until("free", func() bool { return w.hosts[0].now().node.View().OwnerNode(0) == nil })
			w.assign(w.hosts[0], 0)
			w.linger(time.Second)
		}},
		// It drains a slot while it is taken; the command that it waits for
		// runs after that.
		"taken while it drained": {hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			o, to := w.last().now(), w.hosts[1].now().id()
			o.plane.held <- 4 * time.Second // before it runs
			o.plane.held <- time.Millisecond
			o.plane.held <- 3 * time.Second // before it is acknowledged
			done := o.plane.one(0)
			w.linger(10 * time.Millisecond)
			w.back(func() {
				ctx, cancel := bounded(time.Second)
				defer cancel()
				o.node.GiveSlots(ctx, one(0), to, false)
			})
			w.linger(10 * time.Millisecond)
			w.isolate(o.h)
			w.take(w.hosts[0])
			w.linger(3 * time.Second)
			w.net.HealAll()
			<-done
		}},
		// Its hand-over is refused, and it goes on serving; then the slot is
		// taken, and what runs late is not what was drained.
		"taken after it couldn't give": {hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			o := w.last().now()
			ctx, cancel := bounded(time.Second)
			defer cancel()
			if err := o.node.GiveSlots(ctx, one(0), "nobody", false); err == nil {
				w.violate("script: given to nobody")
			}
			o.plane.held <- 5 * time.Second // before it runs
			o.plane.held <- time.Millisecond
			o.plane.held <- 3 * time.Second // before it is acknowledged
			done := o.plane.one(0)
			w.linger(10 * time.Millisecond)
			w.isolate(o.h)
			w.take(w.hosts[0])
			w.linger(4 * time.Second)
			w.net.HealAll()
			<-done
		}},
	}
}

// forgetDown has a host forget a node that is down, as soon as that is allowed.
func (w *world) forgetDown(by *host, id fsm.NodeID) {
	w.until("forgotten", func() bool {
		ctx, cancel := bounded(5 * time.Second)
		defer cancel()
		l := by.now()
		r := l.node.View().Node(id)
		if r != nil && !r.Has(fsm.Failed) {
			return false
		}
		done := w.check.forgetting(l.node.View(), id)
		err := l.node.Forget(ctx, id)
		done(l, err)
		return err == nil
	})
}

func TestSimulationRegressions(t *testing.T) {
	for name, s := range regressions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 6; seed++ {
				if res := play(t, s, 0, seed); res.Violation != "" {
					t.Fatalf("seed %d: %s", seed, res)
				}
			}
		})
	}
}
