package fsm_test

import (
	"reflect"
	"testing"

	"conclave/fsm"
	"conclave/fsm/slot"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	one := func(n uint16) []slot.Range { return []slot.Range{{Start: n, End: n}} }
	s := accepted(t, founded(t), &fsm.AssignSlots{Node: "a", Attempt: 1, Slots: []slot.Range{{Start: 0, End: 9}}})
	for _, id := range []fsm.NodeID{"b", "c"} {
		n := member(id)
		s = accepted(t, s, &fsm.Join{ClusterID: "c", Node: n, Via: "a", HelloIndex: s.Index()})
	}
	tenure := s.ShardOf("a").Tenure
	again := member("b")
	again.Attempt = 2
	for name, c := range map[string]struct {
		op   fsm.Op
		self fsm.NodeID
		want fsm.Diff
	}{
		"nothing": {&fsm.Noop{}, "a", fsm.Diff{}},
		"lost": {
			&fsm.MoveSlots{From: "a", Tenure: tenure, To: "b", Slots: one(5)}, "a",
			fsm.Diff{Lost: one(5), SlotsChanged: true, Edited: []fsm.NodeID{"b"}},
		},
		"gained": {
			&fsm.MoveSlots{From: "a", Tenure: tenure, To: "b", Slots: one(5)}, "b",
			fsm.Diff{Gained: one(5), SlotsChanged: true, Edited: []fsm.NodeID{"b"}},
		},
		"others": {
			&fsm.MoveSlots{From: "a", Tenure: tenure, To: "b", Slots: one(5)}, "c",
			fsm.Diff{SlotsChanged: true, Edited: []fsm.NodeID{"b"}},
		},
		"a replica gains its primary's slots": {
			&fsm.Replicate{Node: "c", Attempt: 1, Primary: "a"}, "c",
			fsm.Diff{
				Gained: []slot.Range{{Start: 0, End: 9}}, RoleChanged: true, PrimaryChanged: true, TenureChanged: true,
				Edited: []fsm.NodeID{"c"},
			},
		},
		"start": {
			&fsm.Start{ID: "a", Attempt: 1, Incarnation: fsm.Incarnation{Count: 1}}, "a",
			fsm.Diff{TenureChanged: true, Edited: []fsm.NodeID{"a"}},
		},
		"mark":            {&fsm.SetMigrating{Slot: 5, Node: "a", To: "b"}, "a", fsm.Diff{MarksChanged: true}},
		"mark of another": {&fsm.SetMigrating{Slot: 5, Node: "a", To: "b"}, "b", fsm.Diff{}},
		"removed":         {&fsm.Forget{ID: "b"}, "a", fsm.Diff{Removed: []fsm.NodeID{"b"}}},
		"removed itself": {
			&fsm.Forget{ID: "b"}, "b",
			fsm.Diff{Removed: []fsm.NodeID{"b"}, RoleChanged: true, PrimaryChanged: true, TenureChanged: true},
		},
		"back again": {
			&fsm.Join{ClusterID: "c", Node: again, Via: "a", HelloIndex: s.Index()}, "a",
			fsm.Diff{Removed: []fsm.NodeID{"b"}, Added: []fsm.NodeID{"b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := accepted(t, s, c.op)
			if got := fsm.Compare(s, next, c.self); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	if d := fsm.Compare(fsm.Empty(), s, "a"); len(d.Added) != 3 || !d.LevelChanged || !d.RoleChanged || len(d.Gained) != 1 {
		t.Errorf("from nothing: %+v", d)
	}
}
