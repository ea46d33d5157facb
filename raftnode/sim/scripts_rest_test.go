package sim

import (
	"testing"
	"time"

	"conclave/fsm"
)

// restScripts are lives that once came to no rest: a node was left over that
// nobody reached any more.
func restScripts() map[string]script {
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

func TestSimulationFindsRest(t *testing.T) {
	for name, s := range restScripts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 20; seed++ {
				if res := play(t, s, 0, seed); res.Violation != "" {
					t.Fatalf("seed %d: %s", seed, res)
				}
			}
		})
	}
}
