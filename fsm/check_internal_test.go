package fsm

import (
	"slices"
	"strings"
	"testing"

	"conclave/fsm/slot"
)

// shardOfThree is a state that has all there is: the primary a with the
// replica r, the primary b, marks, a tombstone and a remembered request.
func shardOfThree(t *testing.T) *State {
	t.Helper()
	s := Empty()
	node := func(id NodeID) Node { return Node{ID: id, Attempt: 1, Shard: ShardID("s" + id), IP: "10.0.0.1"} }
	r := node("r")
	r.Primary = "a"
	for _, op := range []Op{
		&Found{ClusterID: "c", Node: node("a"), Slots: []slot.Range{{Start: 0, End: 9}}},
		&Join{ClusterID: "c", Node: node("b"), Via: "a"},
		&Join{ClusterID: "c", Node: r, Via: "a"},
		&Join{ClusterID: "c", Node: node("x"), Via: "a"},
		&Forget{ID: "x"},
		&SetMigrating{Slot: 5, Node: "a", To: "b"},
		&SetImporting{Slot: 5, Node: "b", From: "a"},
	} {
		var res Result
		s, res = s.Apply(s.index+1, &Entry{Op: op, Request: Request{Origin: "a", Seq: s.index + 1}})
		if res.Refusal != nil {
			t.Fatalf("%s: %v", Name(op), res.Refusal)
		}
	}
	return s
}

// TestCheckSees breaks each invariant in turn.
func TestCheckSees(t *testing.T) {
	t.Parallel()
	for want, damage := range map[string]func(*State, *draft){
		"members without a cluster":      func(s *State, _ *draft) { s.clusterID = "" },
		"0 members":                      func(s *State, _ *draft) { s.nodes = nil },
		"node b out of order":            func(s *State, _ *draft) { s.nodes = slices.Insert(slices.Clone(s.nodes), 1, s.nodes[1]) },
		"node b has a bad record":        func(_ *State, d *draft) { d.editNode("b", func(n *Node) { n.IP = "" }) },
		"share config epoch 0":           func(_ *State, d *draft) { d.editNode("b", func(n *Node) { n.Epoch = 0 }) },
		"above the current":              func(s *State, _ *draft) { s.currentEpoch = 0 },
		"which isn't there":              func(_ *State, d *draft) { d.editNode("b", func(n *Node) { n.Shard = "sz" }) },
		"and a leads its shard":          func(_ *State, d *draft) { d.editNode("r", func(n *Node) { n.Primary = "" }) },
		"node r follows z, no member":    func(_ *State, d *draft) { d.editNode("r", func(n *Node) { n.Primary = "z" }) },
		"node r follows r, a replica":    func(_ *State, d *draft) { d.editNode("r", func(n *Node) { n.Primary = "r" }) },
		"are in different shards":        func(_ *State, d *draft) { d.editNode("r", func(n *Node) { n.Primary = "b" }) },
		"config epoch of its own":        func(_ *State, d *draft) { d.editNode("r", func(n *Node) { n.Epoch = 9 }) },
		"shard sa out of order":          func(s *State, _ *draft) { s.shards = slices.Insert(slices.Clone(s.shards), 1, s.shards[0]) },
		"shard sb has a bad record":      func(_ *State, d *draft) { d.editShard("sb", func(sh *Shard) { sh.Tenure = 99 }) },
		"shard sb has no seat":           func(_ *State, d *draft) { d.mutableSeats()[d.s.Shard("sb").handle].shard = nil },
		"stale primary in its seat":      func(_ *State, d *draft) { d.mutableSeats()[d.s.Shard("sb").handle].primary = nil },
		"which doesn't lead it":          func(_ *State, d *draft) { d.addShard("sz", "r", Incarnation{}) },
		"another incarnation":            func(_ *State, d *draft) { d.editNode("b", func(n *Node) { n.Incarnation.Count = 9 }) },
		"supporter b, no replica of it":  func(_ *State, d *draft) { support(d, "b") },
		"unsorted supporters":            func(_ *State, d *draft) { support(d, "r", "r") },
		"seats for 2 shards":             func(s *State, _ *draft) { s.seats = append(slices.Clone(s.seats), seat{shard: s.shards[0]}) },
		"belongs to no shard":            func(_ *State, d *draft) { d.mutableSeats(); d.s.seats = append(d.s.seats, seat{}); d.setOwner(7, 3) },
		"has the stamp":                  func(s *State, _ *draft) { s.index = 5; s.pages[0] = &page{stamps: [pageSlots]uint64{9}} },
		"seat 1 counts 11 slots of 10":   func(_ *State, d *draft) { d.mutableSeats()[1].slots++ },
		"names someone who is no member": func(s *State, _ *draft) { s.importing = s.importing.set(Mark{7, "b", "z"}) },
		"replica r has a mark":           func(s *State, _ *draft) { s.importing = s.importing.set(Mark{7, "r", "a"}) },
		"contradicts its owner":          func(s *State, _ *draft) { s.importing = s.importing.set(Mark{7, "a", "b"}) },
		"1 marks are counted as 2":       func(s *State, _ *draft) { m := *s.migrating; m.n++; s.migrating = &m },
		"or on the wrong page":           func(s *State, _ *draft) { m := *s.importing; m.pages[1], m.n = m.pages[0], 2; s.importing = &m },
		"is unsorted": func(s *State, _ *draft) {
			m := *s.importing
			m.pages[0] = []Mark{{7, "b", "a"}, {6, "b", "a"}}
			s.importing = &m
		},
		"forgotten node b is a member":    func(_ *State, d *draft) { d.bury(Tombstone{"b", 1, 1}) },
		"from the future":                 func(_ *State, d *draft) { d.bury(Tombstone{"y", 1, 99}) },
		"tombstone of x out of order":     func(s *State, _ *draft) { s.tombstones = append(slices.Clone(s.tombstones), s.tombstones...) },
		"origins of requests are counted": func(s *State, _ *draft) { s.requests.n++ },
		"0 requests are remembered of a":  func(s *State, _ *draft) { emptyOrigin(s) },
	} {
		s := *shardOfThree(t)
		damage(&s, &draft{s: &s})
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func support(d *draft, nodes ...NodeID) {
	d.editShard("sa", func(sh *Shard) {
		for _, n := range nodes {
			sh.Supporters = append(sh.Supporters, Member{Node: n})
		}
	})
}

func emptyOrigin(s *State) {
	b, i, _ := s.requests.find("a")
	buckets := *s.requests.buckets
	buckets[b] = slices.Clone(buckets[b])
	buckets[b][i] = &origin{id: "a"}
	s.requests.buckets = &buckets
}

// TestSupporters holds what operations do to a shard that has supporters; none
// adds any yet.
func TestSupporters(t *testing.T) {
	t.Parallel()
	supported := *shardOfThree(t)
	support(&draft{s: &supported}, "r")
	if err := supported.Check(); err != nil {
		t.Fatal(err)
	}
	before := supported.Shard("sa").Epoch
	apply := func(s *State, op Op) (*State, Result) {
		t.Helper()
		next, res := s.Apply(s.index+1, &Entry{Op: op})
		if err := next.Check(); err != nil {
			t.Errorf("%s: %v", Name(op), err)
		}
		return next, res
	}
	for _, op := range []Op{
		&Forget{ID: "r"}, &Detach{Node: "r", Attempt: 1}, &Replicate{Node: "r", Attempt: 1, Primary: "b"},
	} {
		next, res := apply(&supported, op)
		sh := next.Shard("sa")
		if res.Refusal != nil || len(sh.Supporters) != 0 || sh.Epoch <= before || sh.Tenure != supported.Shard("sa").Tenure {
			t.Errorf("%s: %+v leaves %+v", Name(op), res, sh)
		}
	}
	started, _ := apply(&supported, &Start{ID: "a", Attempt: 1, Incarnation: Incarnation{Count: 5}})
	if sh := started.Shard("sa"); sh.PrimaryIncarnation != (Incarnation{}) || sh.Epoch != before {
		t.Errorf("a restart of a supported primary begins a tenure by itself: %+v", sh)
	}
	failed, _ := apply(&supported, &SetFail{ID: "a", Attempt: 1, Fail: true})
	_, res := apply(failed, &TakeSlots{From: "a", ShardEpoch: before, To: "b", Slots: []slot.Range{{Start: 1, End: 1}}})
	if res.Refusal == nil || res.Refusal.Reason != HasSupporters {
		t.Errorf("slots of a supported primary are taken: %+v", res)
	}
}
