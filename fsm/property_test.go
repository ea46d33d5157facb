package fsm_test

import (
	"bytes"
	"reflect"
	"testing"

	"conclave/fsm"
	"conclave/fsm/fsmtest"
)

func restored(t *testing.T, s *fsm.State) *fsm.State {
	t.Helper()
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		t.Fatal(err)
	}
	again, err := fsm.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestRandomOperations holds the promises of Apply on random logs: the
// invariants hold after every entry, the state before stays as it was, the log
// replays to the same state, and a restored snapshot continues like the state
// it was taken of.
func TestRandomOperations(t *testing.T) {
	t.Parallel()
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	accepted := map[string]int{}
	refused := map[fsm.Reason]int{}
	for seed := range seeds {
		g := fsmtest.New(seed)
		s, twin, replay := fsm.Empty(), fsm.Empty(), fsm.Empty()
		index := uint64(0)
		for range 300 {
			index += 1 + index%3
			e := g.Entry(s)
			before := s.Hash()
			next, res := s.Apply(index, e)
			if s.Hash() != before {
				t.Fatalf("seed %d index %d: %s changed the state before", seed, index, fsm.Name(e.Op))
			}
			if err := next.Check(); err != nil {
				t.Fatalf("seed %d index %d: after %s %+v: %v", seed, index, fsm.Name(e.Op), e.Op, err)
			}
			if next.Index() != index || res.Diverged {
				t.Fatalf("seed %d index %d: state is at %d, result %+v", seed, index, next.Index(), res)
			}
			decoded, err := fsm.DecodeEntry(e.Encode(nil))
			if _, impossible := e.Op.(*fsm.Batch); err != nil && !impossible {
				t.Fatalf("seed %d index %d: %v", seed, index, err)
			}
			if err != nil {
				decoded = e // a batch that holds what no log holds
			}
			var again fsm.Result
			if replay, again = replay.Apply(index, decoded); !reflect.DeepEqual(res, again) {
				t.Fatalf("seed %d index %d: replay answers %+v, not %+v", seed, index, again, res)
			}
			if twin, again = restored(t, twin).Apply(index, e); !reflect.DeepEqual(res, again) {
				t.Fatalf("seed %d index %d: restored answers %+v, not %+v", seed, index, again, res)
			}
			if h := next.Hash(); replay.Hash() != h || twin.Hash() != h {
				t.Fatalf("seed %d index %d: %s gives different states", seed, index, fsm.Name(e.Op))
			}
			if res.Refusal != nil {
				refused[res.Refusal.Reason]++
			} else if res.Changed {
				accepted[fsm.Name(e.Op)]++
			}
			checkDiff(t, s, next)
			s = next
		}
	}
	t.Logf("accepted %v", accepted)
	t.Logf("refused %v", refused)
}

// checkDiff holds Compare against the two states it compares.
func checkDiff(t *testing.T, old, next *fsm.State) {
	t.Helper()
	for _, n := range next.Nodes() {
		d := fsm.Compare(old, next, n.ID)
		had, has := 0, next.CountSlots(n.Shard)
		if before := old.Node(n.ID); before != nil {
			had = old.CountSlots(before.Shard)
		}
		for _, r := range d.Gained {
			had += r.Len()
		}
		for _, r := range d.Lost {
			had -= r.Len()
		}
		if had != has {
			t.Fatalf("%s owns %d slots after a diff that makes it %d", n.ID, has, had)
		}
	}
}
