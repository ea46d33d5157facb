package fsm_test

import (
	"fmt"
	"testing"

	"conclave/fsm"
	"conclave/fsm/slot"
)

// big is a cluster of n primaries that share all slots.
func big(tb testing.TB, n int) *fsm.State {
	tb.Helper()
	s := fsm.Empty()
	for i := range n {
		id := fmt.Sprintf("%040d", i)
		node := fsm.Node{
			ID: fsm.NodeID(id), Attempt: 1, Shard: fsm.ShardID(id), IP: "10.0.0.1", Port: 7000, Epoch: uint64(i + 1),
			Incarnation: fsm.Incarnation{Count: 1},
		}
		slots := []slot.Range{{Start: uint16(i * slot.Count / n), End: uint16((i+1)*slot.Count/n - 1)}}
		var op fsm.Op = &fsm.Join{ClusterID: "c", Node: node, Slots: slots, Via: fsm.NodeID(fmt.Sprintf("%040d", 0))}
		if i == 0 {
			op = &fsm.Found{ClusterID: "c", Node: node, Slots: slots}
		}
		var res fsm.Result
		if s, res = s.Apply(uint64(i+1), &fsm.Entry{Op: op}); res.Refusal != nil {
			tb.Fatal(res.Refusal)
		}
	}
	return s
}

// BenchmarkMove is one slot of a reshard; each comes with a request, as the
// proposals of a command do.
func BenchmarkMove(b *testing.B) {
	for _, n := range []int{3, 1000} {
		b.Run(fmt.Sprint(n, "nodes"), func(b *testing.B) {
			s := big(b, n)
			sides := []*fsm.Node{s.OwnerNode(0), s.Nodes()[n-1]}
			b.ReportAllocs()
			for seq := uint64(1); b.Loop(); seq++ {
				from, to := sides[(seq+1)%2], sides[seq%2]
				e := &fsm.Entry{
					Request: fsm.Request{Origin: from.ID, Incarnation: from.Incarnation, Seq: seq},
					Op: &fsm.MoveSlots{
						From: from.ID, Tenure: s.Shard(from.Shard).Tenure, To: to.ID, Slots: []slot.Range{{}},
					},
				}
				var res fsm.Result
				if s, res = s.Apply(s.Index()+1, e); res.Refusal != nil {
					b.Fatal(res.Refusal)
				}
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{3, 1000} {
		b.Run(fmt.Sprint(n, "nodes"), func(b *testing.B) {
			s := big(b, n)
			for b.Loop() {
				s.Hash()
			}
		})
	}
}

func BenchmarkRoute(b *testing.B) {
	s := big(b, 1000)
	for b.Loop() {
		n := s.OwnerNode(5000)
		if _, ok := s.Migrating(n.ID, 5000); ok || s.Stamp(5000) == 0 {
			b.Fatal("wrong")
		}
	}
}
