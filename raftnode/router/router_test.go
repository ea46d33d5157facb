package router_test

import (
	"testing"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode/router"
	"conclave/resp/command"
)

const (
	a = fsm.NodeID("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	b = fsm.NodeID("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
)

var (
	lifeA = fsm.Incarnation{Count: 1, Random: 11}
	lifeB = fsm.Incarnation{Count: 1, Random: 22}
)

// node is a fake Source.
type node struct {
	st       *fsm.State
	life     fsm.Incarnation
	fence    chan struct{}
	gave     uint64
	lapsed   bool
	notOK    bool
	settings router.Settings
}

func (n *node) View() *fsm.State             { return n.st }
func (n *node) Self() fsm.NodeID             { return a }
func (n *node) Incarnation() fsm.Incarnation { return n.life }
func (n *node) Fenced(int) <-chan struct{} {
	if n.fence == nil {
		return nil
	}
	return n.fence
}
func (n *node) Gave(_ int, stamp uint64) bool { return n.gave == stamp && stamp != 0 }
func (n *node) LeaseValid() bool              { return !n.lapsed }
func (n *node) Covered() bool                 { return !n.notOK }
func (n *node) Settings() router.Settings     { return n.settings }

// apply applies operations to the node's view.
func (n *node) apply(t testing.TB, ops ...fsm.Op) {
	t.Helper()
	for _, op := range ops {
		next, res := n.st.Apply(n.st.Index()+1, &fsm.Entry{Op: op})
		if res.Refusal != nil {
			t.Fatalf("%s: %v", fsm.Name(op), res.Refusal)
		}
		n.st = next
	}
}

func slots(first, last uint16) []slot.Range { return []slot.Range{{Start: first, End: last}} }

// newNode is node a with slots 0-99, in a cluster with b, which has 100-199.
func newNode(t testing.TB) *node {
	n := &node{st: fsm.Empty(), life: lifeA}
	n.apply(t,
		&fsm.Found{ClusterID: "c", Node: fsm.Node{ID: a, Attempt: 1, Shard: "sa", IP: "10.0.0.1", Port: 7001, BusPort: 17001, Incarnation: lifeA}, Slots: slots(0, 99)},
		&fsm.Join{ClusterID: "c", Via: a, HelloIndex: 1, Slots: slots(100, 199), Node: fsm.Node{
			ID: b, Attempt: 1, Shard: "sb", IP: "10.0.0.2", Port: 7002, TLSPort: 7102, BusPort: 17002, Incarnation: lifeB}},
		&fsm.Confirm{ID: b, Attempt: 1},
	)
	return n
}

func query(slot int) *command.Query {
	return &command.Query{Slot: slot, Missing: func() (int, int) { return 0, 1 }}
}

func TestRouteErrors(t *testing.T) {
	missing := func(q *command.Query) { q.Missing = func() (int, int) { return 1, 1 } }
	some := func(q *command.Query) { q.Missing = func() (int, int) { return 1, 2 } }
	for _, c := range []struct {
		name  string
		slot  int
		node  func(*testing.T, *node)
		query func(*command.Query)
		want  string
	}{
		{name: "mine", slot: 5},
		{name: "theirs", slot: 150, want: "MOVED 150 10.0.0.2:7002"},
		{name: "theirs, TLS", slot: 150, query: func(q *command.Query) { q.TLS = true }, want: "MOVED 150 10.0.0.2:7102"},
		{name: "unassigned", slot: 300, want: "CLUSTERDOWN Hash slot not served"},
		{name: "cross-slot", slot: 5, query: func(q *command.Query) { q.CrossSlot = true },
			want: "CROSSSLOT Keys in request don't hash to the same slot"},
		{name: "hostname, none", slot: 150, node: func(_ *testing.T, n *node) { n.settings.Endpoint = "hostname" },
			want: "MOVED 150 ?:7002"},
		{name: "hostname", slot: 150, node: func(t *testing.T, n *node) {
			n.settings.Endpoint = "hostname"
			name := "b.example"
			n.apply(t, &fsm.Update{ID: b, Attempt: 1, Hostname: &name})
		}, want: "MOVED 150 b.example:7002"},
		{name: "unknown endpoint", slot: 150, node: func(_ *testing.T, n *node) { n.settings.Endpoint = "unknown-endpoint" },
			want: "MOVED 150 :7002"},
		{name: "IPv6 without brackets", slot: 150, node: func(t *testing.T, n *node) {
			ip := "::1"
			n.apply(t, &fsm.Update{ID: b, Attempt: 1, IP: &ip})
		}, want: "MOVED 150 ::1:7002"},

		{name: "migrating, there", slot: 5, node: migrating},
		{name: "migrating, missing", slot: 5, node: migrating, query: missing, want: "ASK 5 10.0.0.2:7002"},
		{name: "migrating, some missing", slot: 5, node: migrating, query: some, want: "TRYAGAIN Multiple keys request during rehashing of slot"},
		{name: "another slot while one migrates", slot: 6, node: migrating, query: missing},
		{name: "importing, no ASKING", slot: 150, node: importing, want: "MOVED 150 10.0.0.2:7002"},
		{name: "importing, ASKING", slot: 150, node: importing, query: func(q *command.Query) { q.Asking = true; missing(q) }},
		{name: "importing, ASKING, some missing", slot: 150, node: importing, query: func(q *command.Query) { q.Asking = true; some(q) },
			want: "TRYAGAIN Multiple keys request during rehashing of slot"},
		{name: "importing, ASKING, no lease", slot: 150, node: func(t *testing.T, n *node) { importing(t, n); n.lapsed = true },
			query: func(q *command.Query) { q.Asking = true }, want: "CLUSTERDOWN The cluster is down"},

		{name: "not covered", slot: 5, node: uncovered, want: "CLUSTERDOWN The cluster is down"},
		{name: "not covered, theirs", slot: 150, node: uncovered, want: "CLUSTERDOWN The cluster is down"},
		{name: "not covered, reads allowed", slot: 5, node: func(t *testing.T, n *node) { uncovered(t, n); n.settings.ReadsWhenDown = true }},
		{name: "not covered, reads allowed, write", slot: 5, node: func(t *testing.T, n *node) { uncovered(t, n); n.settings.ReadsWhenDown = true },
			query: func(q *command.Query) { q.Write = true }, want: "CLUSTERDOWN The cluster is down and only accepts read commands"},
		{name: "no lease", slot: 5, node: func(_ *testing.T, n *node) { n.lapsed = true }, want: "CLUSTERDOWN The cluster is down"},
		{name: "no lease, reads allowed when down", slot: 5, node: func(_ *testing.T, n *node) { n.lapsed, n.settings.ReadsWhenDown = true, true },
			want: "CLUSTERDOWN The cluster is down"},
		{name: "no lease, theirs", slot: 150, node: func(_ *testing.T, n *node) { n.lapsed = true }, want: "MOVED 150 10.0.0.2:7002"},
		{name: "no lease, shard channel", slot: 5, node: func(_ *testing.T, n *node) { n.lapsed, n.settings.PubSubWhenDown = true, true },
			query: func(q *command.Query) { q.Channel = true }, want: "CLUSTERDOWN The cluster is down"},
		{name: "restarted, the configuration doesn't know yet", slot: 5, node: func(_ *testing.T, n *node) { n.life.Count++ },
			want: "CLUSTERDOWN The cluster is down"},
		{name: "a replica, even with READONLY", slot: 150, node: func(t *testing.T, n *node) {
			n.apply(t, &fsm.UnassignSlots{Node: a, Tenure: n.st.ShardOf(a).Tenure, Slots: slots(0, 99), By: a}, &fsm.Replicate{Node: a, Attempt: 1, Primary: b})
		}, query: func(q *command.Query) { q.ReadOnly = true }, want: "MOVED 150 10.0.0.2:7002"},
		{name: "not a member", slot: 150, node: func(_ *testing.T, n *node) { n.st = fsm.Empty() }, want: "CLUSTERDOWN Hash slot not served"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t)
			if c.node != nil {
				c.node(t, n)
			}
			q := query(c.slot)
			if c.query != nil {
				c.query(q)
			}
			v := router.New(n).Route(q)
			if v.Err != c.want || v.Wait != nil {
				t.Fatalf("verdict %+v, want error %q", v, c.want)
			}
			if c.want == "" && !router.New(n).Confirm(v.Stamp) {
				t.Error("served, but not confirmed")
			}
		})
	}
}

func migrating(t *testing.T, n *node) {
	n.apply(t, &fsm.SetMigrating{Slot: 5, Node: a, To: b})
}

func importing(t *testing.T, n *node) {
	n.apply(t, &fsm.SetImporting{Slot: 150, Node: a, From: b})
}

func uncovered(_ *testing.T, n *node) { n.notOK = true }

func TestRouteWaitsForHandOver(t *testing.T) {
	n := newNode(t)
	n.fence = make(chan struct{})
	if v := router.New(n).Route(query(5)); v.Wait == nil || v.Err != "" {
		t.Fatalf("slot is changing hands: %+v", v)
	}
	n.apply(t, &fsm.MoveSlots{From: a, Tenure: n.st.ShardOf(a).Tenure, To: b, Slots: slots(5, 5)})
	if v := router.New(n).Route(query(5)); v.Wait == nil || v.Err != "" {
		t.Fatalf("the new owner may not know yet: %+v", v)
	}
	n.fence = nil
	if v := router.New(n).Route(query(5)); v.Err != "MOVED 5 10.0.0.2:7002" {
		t.Fatalf("after the hand-over: %+v", v)
	}
}

// TestConfirm: what ran may be acknowledged only under the right it ran under.
func TestConfirm(t *testing.T) {
	move := func(n *node, from, to fsm.NodeID, first, last uint16) fsm.Op {
		return &fsm.MoveSlots{From: from, Tenure: n.st.ShardOf(from).Tenure, To: to, Slots: slots(first, last)}
	}
	for _, c := range []struct {
		name   string
		slot   int
		asking bool
		before func(*testing.T, *node)
		after  func(*testing.T, *node)
		want   bool
	}{
		{name: "nothing happened", want: true},
		{name: "other slots changed", after: func(t *testing.T, n *node) { n.apply(t, move(n, a, b, 50, 60)) }, want: true},
		{name: "the lease lapsed", after: func(_ *testing.T, n *node) { n.lapsed = true }},
		{name: "given away after draining", after: func(t *testing.T, n *node) {
			n.gave = n.st.Stamp(5)
			n.apply(t, move(n, a, b, 5, 5))
		}, want: true},
		{name: "given away after draining, then the lease lapsed", after: func(t *testing.T, n *node) {
			n.gave, n.lapsed = n.st.Stamp(5), true
			n.apply(t, move(n, a, b, 5, 5))
		}},
		{name: "taken", after: func(t *testing.T, n *node) { n.apply(t, move(n, a, b, 5, 5)) }},
		{name: "taken and returned", after: func(t *testing.T, n *node) {
			n.apply(t, move(n, a, b, 5, 5))
			n.apply(t, move(n, b, a, 5, 5))
		}},
		{name: "an older gift of the slot doesn't count", before: func(t *testing.T, n *node) {
			n.gave = n.st.Stamp(5)
			n.apply(t, move(n, a, b, 5, 5))
			n.apply(t, move(n, b, a, 5, 5))
		}, after: func(t *testing.T, n *node) { n.apply(t, move(n, a, b, 5, 5)) }},
		{name: "unassigned", after: func(t *testing.T, n *node) {
			n.apply(t, &fsm.UnassignSlots{Node: a, Tenure: n.st.ShardOf(a).Tenure, Slots: slots(5, 5), By: b})
		}},
		{name: "a new tenure", after: func(t *testing.T, n *node) {
			n.life = fsm.Incarnation{Count: 2, Random: 33}
			n.apply(t, &fsm.Start{ID: a, Attempt: 1, Incarnation: n.life})
		}},
		{name: "the configuration names another process", after: func(t *testing.T, n *node) {
			n.apply(t, &fsm.Start{ID: a, Attempt: 1, Incarnation: fsm.Incarnation{Count: 2, Random: 44}})
		}},
		{name: "not a member any more", after: func(t *testing.T, n *node) {
			n.apply(t, &fsm.Forget{ID: a, By: a})
		}},
		{name: "imported", slot: 150, asking: true, before: importing, want: true},
		{name: "imported, and the slot is mine now", slot: 150, asking: true, before: importing, want: true,
			after: func(t *testing.T, n *node) { n.apply(t, move(n, b, a, 150, 150)) }},
		{name: "imported, the lease lapsed", slot: 150, asking: true, before: importing, after: func(_ *testing.T, n *node) { n.lapsed = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t)
			r := router.New(n)
			if c.before != nil {
				c.before(t, n)
			}
			q := query(5)
			if c.slot != 0 {
				q = query(c.slot)
			}
			q.Asking = c.asking
			v := r.Route(q)
			if v.Err != "" || v.Wait != nil {
				t.Fatalf("not served: %+v", v)
			}
			if c.after != nil {
				c.after(t, n)
			}
			if got := r.ConfirmAll([]command.Stamp{{}, v.Stamp, v.Stamp}); got != c.want {
				t.Errorf("confirmed with others: %v, want %v", got, c.want)
			}
			if got := r.Confirm(v.Stamp); got != c.want {
				t.Errorf("confirmed: %v, want %v", got, c.want)
			}
		})
	}
}

// TestConfirmAfterRestart: the stamp of a former life is worth nothing, even
// before the configuration has heard of the new one.
func TestConfirmAfterRestart(t *testing.T) {
	n := newNode(t)
	r := router.New(n)
	v := r.Route(query(5))
	n.life.Count++
	if r.Confirm(v.Stamp) {
		t.Error("confirmed")
	}
}

func TestServingAllocatesNothing(t *testing.T) {
	stable, open := newNode(t), newNode(t)
	open.apply(t, &fsm.SetMigrating{Slot: 5, Node: a, To: b})
	for name, n := range map[string]*node{"stable": stable, "migrating": open} {
		r, q := router.New(n), query(5)
		allocs := testing.AllocsPerRun(1000, func() {
			v := r.Route(q)
			if v.Err != "" || !r.Confirm(v.Stamp) {
				t.Fatal(v)
			}
		})
		if allocs != 0 {
			t.Errorf("%s slot: %v allocations", name, allocs)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	n := newNode(b)
	r, q := router.New(n), query(5)
	b.ReportAllocs()
	for b.Loop() {
		v := r.Route(q)
		if !r.Confirm(v.Stamp) {
			b.Fatal(v)
		}
	}
}
