package sim

import (
	"log/slog"
	"time"

	"conclave/fsm"
	"conclave/raftnode"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/store"
)

// membershipScripts are about who belongs to a cluster, and who votes in it.
// Two rules of Raft's surroundings can't be switched off. That its heartbeats
// pass through its main loop doesn't show here: time stands still in a bubble
// while a loop is busy. And a log tail that conflicts with a snapshot takes
// more entries than a script writes; transport's own test makes one.
func membershipScripts() []script {
	return []script{
		{rule: guards.StalledDisk, hosts: 3, timeout: time.Second, act: func(w *world) {
			w.form()
			old, other := w.hosts[0], w.hosts[1]
			was := old.now().id()
			old.logs.Stall()
			w.back(func() {
				ctx, cancel := bounded(time.Second)
				defer cancel()
				old.now().node.Propose(ctx, &fsm.Noop{})
			})
			w.until("another leader while the disk hangs", func() bool {
				l := other.now().node.Status().Leader
				return l != "" && l != was
			})
		}},
		{rule: guards.Dead, hosts: 2, timeout: time.Second, act: func(w *world) {
			a, b := w.hosts[0], w.hosts[1]
			l := b.now()
			w.net.Delay(a.name, b.name, 50*time.Millisecond, 50*time.Millisecond)
			w.back(func() {
				ctx, cancel := bounded(2 * time.Second)
				defer cancel()
				l.node.Meet(ctx, a.name, busPort, busPort)
			})
			w.until("admitted", func() bool { return a.now().node.View().Node(l.id()) != nil })
			// It never hears that it was.
			w.net.Cut(a.name, b.name)
			w.linger(3 * time.Second)
			w.net.HealAll()
			w.until("dropped", func() bool { return a.now().node.View().Node(l.id()) == nil })
		}},
		{rule: guards.Withdraw, hosts: 2, timeout: time.Second, act: func(w *world) {
			a, b := w.hosts[0], w.hosts[1]
			w.net.Delay(a.name, b.name, 50*time.Millisecond, 50*time.Millisecond)
			w.net.Delay(b.name, a.name, 50*time.Millisecond, 50*time.Millisecond)
			ends := make(chan error, 2)
			meet := func(from, to *host) {
				ctx, cancel := bounded(5 * time.Second)
				defer cancel()
				ends <- from.now().node.Meet(ctx, to.name, busPort, busPort)
			}
			w.back(func() { meet(a, b) })
			w.back(func() { meet(b, a) })
			for range 2 {
				if err := <-ends; err != nil {
					w.violate("script: two that meet each other don't: %v", err)
				}
			}
		}},
		{rule: guards.Verdict, hosts: 4, timeout: time.Second, act: func(w *world) {
			behind, x := w.hosts[1], w.last()
			w.gather(w.hosts[:3])
			w.link(true, []*host{w.hosts[0], w.hosts[2]}, []*host{behind})
			w.join(x)
			w.until("a member in its own view", func() bool { return x.now().node.View().Node(w.hosts[0].now().id()) != nil })
			// Only the one that hasn't heard of it is there to be asked.
			for _, h := range []*host{w.hosts[0], w.hosts[2]} {
				w.link(true, []*host{h}, []*host{x})
				w.link(true, []*host{x}, []*host{h})
			}
			w.linger(10 * time.Second)
			if x.now().cluster() != w.hosts[0].now().cluster() {
				w.violate("script: left although nobody removed it")
			}
		}},
		{rule: guards.HelloIndex, also: guards.Dead, hosts: 4, timeout: 500 * time.Millisecond, act: func(w *world) {
			w.form()
			leader, behind, x := w.hosts[0], w.hosts[1], w.last()
			id := x.now().id()
			w.isolate(x)
			w.until("alone", func() bool {
				ctx, cancel := bounded(5 * time.Second)
				defer cancel()
				return x.now().node.Reset(ctx, false) == nil
			})
			w.take(leader)
			w.net.HealAll()
			// What the leader commits arrives late at the one that x meets.
			for _, h := range []*host{leader, w.hosts[2]} {
				w.net.Delay(h.name, behind.name, 200*time.Millisecond, 200*time.Millisecond)
			}
			w.linger(time.Second)
			ctx, cancel := bounded(5 * time.Second)
			defer cancel()
			ended := w.check.forgetting(leader.now().node.View(), id)
			err := leader.now().node.Forget(ctx, id)
			ended(leader.now(), err)
			if err != nil {
				w.violate("script: forget: %v", err)
			}
			done := w.check.meeting(x, behind)
			err = x.now().node.Meet(ctx, behind.name, busPort, busPort)
			done(x.now(), behind.now().id(), err)
			if err != nil {
				w.violate("script: meet after forget: %v", err)
			}
		}},
		{rule: guards.Generation, hosts: 3, timeout: time.Second, act: func(w *world) {
			w.gather(w.hosts)
			leader, emptied, behind := w.hosts[0], w.hosts[1], w.hosts[2]
			behind.crash()
			w.assign(leader, 1) // acknowledged by two of three
			emptied.crash()
			emptied.logs = store.NewMemory()
			leader.crash()
			// The one that doesn't remember and the one that never knew.
			emptied.boot()
			behind.boot()
			w.linger(4 * time.Second)
			leader.boot()
			w.linger(4 * time.Second)
			if l := leader.now(); l != nil {
				if o := l.node.View().OwnerNode(1); o == nil || o.ID != l.id() {
					w.violate("script: what was acknowledged is gone")
				}
			}
		}},
		{rule: guards.History, hosts: 3, timeout: time.Second, act: func(w *world) {
			w.gather(w.hosts)
			rebuilt := w.last()
			w.isolate(rebuilt)
			rebuilt.crash()
			// The operator takes the others for lost.
			if _, err := raftnode.Recover(rebuilt.meta, rebuilt.logs, slog.New(slog.DiscardHandler)); err != nil {
				w.violate("script: recover: %v", err)
			}
			rebuilt.boot()
			w.until("rebuilt", func() bool {
				l := rebuilt.now()
				if l == nil {
					return false
				}
				rec := l.meta.Load()
				return rec != nil && rec.Membership.Recovery == 1
			})
			w.assign(rebuilt, 1)
			w.net.HealAll()
			w.linger(5 * time.Second)
			for _, h := range w.hosts[:2] {
				h.crash()
			}
			w.linger(time.Second)
			if l := rebuilt.now(); l != nil {
				if o := l.node.View().OwnerNode(1); o == nil || o.ID != l.id() || !l.node.Status().ControlPlaneOK {
					w.violate("script: the old history is back")
				}
			}
		}},
	}
}

// join has a host meet the first one.
func (w *world) join(h *host) {
	w.until("met", func() bool {
		ctx, cancel := bounded(5 * time.Second)
		defer cancel()
		l := h.now()
		return l != nil && l.node.Meet(ctx, w.hosts[0].name, busPort, busPort) == nil
	})
}

// gather makes one cluster of some hosts, the first of which leads.
func (w *world) gather(hosts []*host) {
	for _, h := range hosts[1:] {
		w.join(h)
	}
	w.until("formed", func() bool { return w.check.unrest() == "" })
}
