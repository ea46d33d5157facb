package fsm_test

import (
	"fmt"
	"testing"

	"conclave/fsm"
	"conclave/fsm/slot"
)

// founded is a cluster of the node "a", at index 1.
func founded(t *testing.T) *fsm.State {
	t.Helper()
	return accepted(t, fsm.Empty(), &fsm.Found{ClusterID: "c", Node: member("a")})
}

func member(id fsm.NodeID) fsm.Node {
	return fsm.Node{ID: id, Attempt: 1, Shard: fsm.ShardID("s" + id), IP: "10.0.0.1", Port: 7000}
}

// accepted applies an operation that must not be refused.
func accepted(t *testing.T, s *fsm.State, op fsm.Op) *fsm.State {
	t.Helper()
	next, res := s.Apply(s.Index()+1, &fsm.Entry{Op: op})
	if res.Refusal != nil {
		t.Fatalf("%s: %v", fsm.Name(op), res.Refusal)
	}
	return next
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	s := founded(t)
	send := func(origin fsm.NodeID, seq uint64) fsm.Result {
		var res fsm.Result
		e := &fsm.Entry{Op: &fsm.SetFail{ID: "nobody"}, Request: fsm.Request{Origin: origin, Seq: seq}}
		s, res = s.Apply(s.Index()+1, e)
		return res
	}
	for seq := range uint64(100) {
		send("a", seq+1)
	}
	if res := send("a", 50); res.Index != 51 || res.Refusal.Reason != fsm.NotMember {
		t.Errorf("request 50 is answered anew: %+v", res)
	}
	if res := send("a", 36); res.Refusal.Reason != fsm.Expired {
		t.Errorf("request 36 may have been applied: %+v", res)
	}
	if _, ok := s.LookupRequest(fsm.Request{Origin: "a", Seq: 37}); !ok {
		t.Error("request 37 is forgotten")
	}
	if _, ok := s.LookupRequest(fsm.Request{Origin: "a", Seq: 36}); ok {
		t.Error("request 36 is remembered")
	}

	for i := range 4096 {
		send(fsm.NodeID(fmt.Sprintf("n%d", i)), 1)
	}
	if _, ok := s.LookupRequest(fsm.Request{Origin: "a", Seq: 100}); ok {
		t.Error("the origin that was silent for the longest is remembered")
	}
	if _, ok := s.LookupRequest(fsm.Request{Origin: "n0", Seq: 1}); !ok {
		t.Error("another origin gave way")
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if restored(t, s).Hash() != s.Hash() {
		t.Error("the table isn't restored")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := founded(t)
	for range 1500 {
		s = accepted(t, s, &fsm.SetFail{ID: "a", Attempt: 1, Fail: !s.Node("a").Has(fsm.Failed)})
	}
	h := s.History()
	if len(h) != 1024 || h[1023].Index != s.Index() || h[0].Index != s.Index()-1023 {
		t.Errorf("%d lines, from %d to %d", len(h), h[0].Index, h[len(h)-1].Index)
	}
	again := restored(t, s)
	for range 100 {
		op := &fsm.SetFail{ID: "a", Attempt: 1, Fail: !s.Node("a").Has(fsm.Failed)}
		s, again = accepted(t, s, op), accepted(t, again, op)
	}
	if s.Hash() != again.Hash() {
		t.Error("a restored history goes on differently")
	}
}

// TestBranchesDontTouch applies different entries to one state: a dry run must
// not show in the real one.
func TestBranchesDontTouch(t *testing.T) {
	t.Parallel()
	s := founded(t)
	for range 70 {
		s = accepted(t, s, &fsm.SetFail{ID: "a", Attempt: 1, Fail: !s.Node("a").Has(fsm.Failed)})
	}
	left := accepted(t, s, &fsm.AssignSlots{Node: "a", Attempt: 1, Slots: []slot.Range{{Start: 1, End: 1}}})
	before := left.Hash()
	right := accepted(t, s, &fsm.AssignSlots{Node: "a", Attempt: 1, Slots: []slot.Range{{Start: 2, End: 9}}})
	if left.Hash() != before || right.Hash() == before {
		t.Error("one branch changed the other")
	}
}

// TestTombstonesAreBounded drops the oldest ones; what they forbade stays
// forbidden by the floor.
func TestTombstonesAreBounded(t *testing.T) {
	t.Parallel()
	s := founded(t)
	join := func(id fsm.NodeID, hello uint64) fsm.Op {
		return &fsm.Join{ClusterID: "c", Node: member(id), Via: "a", HelloIndex: hello}
	}
	var first uint64
	for i := range 4100 {
		id := fsm.NodeID(fmt.Sprintf("n%d", i))
		s = accepted(t, s, join(id, s.Index()))
		s = accepted(t, s, &fsm.Forget{ID: id})
		if i == 0 {
			first = s.Index()
		}
	}
	if n := len(s.Tombstones()); n != 4096 {
		t.Errorf("%d tombstones", n)
	}
	_, res := s.Apply(s.Index()+1, &fsm.Entry{Op: join("n0", first-1)})
	if res.Refusal == nil || res.Refusal.Reason != fsm.Forgotten {
		t.Errorf("a join from before a dropped tombstone: %+v", res)
	}
	if err := restored(t, accepted(t, s, join("n0", s.Index()))).Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckFindsDivergence(t *testing.T) {
	t.Parallel()
	s := founded(t)
	for name, c := range map[string]struct {
		op   fsm.Check
		want bool
	}{
		"same":                      {fsm.Check{Index: s.Index(), Hash: s.Hash()}, false},
		"other hash":                {fsm.Check{Index: s.Index(), Hash: s.Hash() + 1}, true},
		"something came in between": {fsm.Check{Index: s.Index() - 1, Hash: 1}, false},
	} {
		req := fsm.Request{Origin: "a", Seq: 1}
		next, res := s.Apply(s.Index()+1, &fsm.Entry{Op: &c.op, Request: req})
		if res.Diverged != c.want || res.Refusal != nil {
			t.Errorf("%s: %+v", name, res)
		}
		if kept, _ := next.LookupRequest(req); kept.Diverged {
			t.Errorf("%s: the verdict of one node is part of the state", name)
		}
	}
}

func TestEpochsHaveRoom(t *testing.T) {
	t.Parallel()
	s := founded(t)
	_, res := s.Apply(2, &fsm.Entry{Op: &fsm.SetEpoch{Node: "a", Epoch: 1 << 63}})
	if res.Refusal == nil || res.Refusal.Reason != fsm.Invalid {
		t.Errorf("epoch 2^63: %+v", res)
	}
	s = accepted(t, s, &fsm.SetEpoch{Node: "a", Epoch: 1<<63 - 1})
	b := member("b")
	b.Epoch = 1<<63 - 1
	s = accepted(t, s, &fsm.Join{ClusterID: "c", Node: b, Via: "a", HelloIndex: s.Index()})
	if got := s.Node("b").Epoch; got != 1<<63 {
		t.Errorf("the next free epoch is %d", got)
	}
}

func TestRoutingReadsDontAllocate(t *testing.T) { // alone: it counts allocations
	s := accepted(t, founded(t), &fsm.AssignSlots{Node: "a", Attempt: 1, Slots: []slot.Range{{Start: 0, End: 9}}})
	s = accepted(t, s, &fsm.Join{ClusterID: "c", Node: member("b"), Via: "a", HelloIndex: s.Index()})
	s = accepted(t, s, &fsm.SetMigrating{Slot: 5, Node: "a", To: "b"})
	s = accepted(t, s, &fsm.SetImporting{Slot: 5, Node: "b", From: "a"})
	if got := testing.AllocsPerRun(100, func() {
		n := s.OwnerNode(5)
		to, out := s.Migrating(n.ID, 5)
		_, in := s.Importing(to, 5)
		if !out || !in || s.Owner(5) == nil || s.Stamp(5) == 0 || !s.Open(to) {
			t.Error("wrong answer")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestUnfoundedClusterRefuses(t *testing.T) {
	t.Parallel()
	for _, op := range fsm.Operations() {
		_, res := fsm.Empty().Apply(1, &fsm.Entry{Op: fsm.New(op.Name)})
		want := fsm.NotFounded
		if op.Name == "system.found" {
			want = fsm.Invalid
		}
		if res.Refusal == nil || res.Refusal.Reason != want {
			t.Errorf("%s: %+v", op.Name, res)
		}
	}
}
