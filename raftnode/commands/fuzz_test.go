package commands_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"conclave/fsm/slot"
)

// FuzzTransaction runs CLUSTER commands as a transaction and one by one: replies
// and results are the same, although the former is one entry that takes no slot
// from its owner.
func FuzzTransaction(f *testing.F) {
	for _, seed := range []string{
		"delslots 5\naddslots 5\nbumpepoch",
		"delslots 150 250\nsetslot 150 node <a>\nsetslot 150 node <c>",
		"setslot 5 migrating <b>\nsetslot 5 node <b>\nsetslot 5 importing <b>",
		"setslot 5 migrating <b>\ndelslots 5",
		"setslot 5 migrating <b>\nsetslot 5 node <b>\nsetslot 5 node <a>",
		"setslot 150 importing <b>\ndelslots 150\naddslots 150\nbumpepoch",
		"setslot 150 importing <b>\nsetslot 150 node <a>\nsetslot 150 migrating <c>",
		"delslots 5\nsetslot 5 importing <b>\naddslots 5",
		"delslots 5\nsetslot 5 importing <b>\nsetslot 5 node <c>",
		"delslotsrange 0 99\nreplicate <b>\naddslots 400\nflushslots",
		"addslotsrange 300 400 390 500\nset-config-epoch 5\nsetslot 1 stable timeout 5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		w, nodes := trio(t)
		var lines []string
		for _, l := range strings.Split(script, "\n") {
			l = "cluster " + expand(l)
			if c, _ := nodes["a"].ctx(l, nil); c != nil && c.Spec.Batch != nil && len(lines) < 16 {
				lines = append(lines, l)
			}
		}
		if len(lines) == 0 {
			return
		}
		together := nodes["a"].exec(lines...)
		one, others := trio(t)
		apart := ""
		for _, l := range lines {
			apart += others["a"].do(l)
		}
		// How many epochs are given out on the way differs.
		epochs := regexp.MustCompile(`\+(BUMPED|STILL) \d+`)
		if got, want := epochs.ReplaceAllString(together, "+EPOCH"), epochs.ReplaceAllString(apart, "+EPOCH"); got != want {
			t.Errorf("together %s\napart    %s", got, want)
		}
		for n := range slot.Count {
			if got, want := w.st.OwnerNode(n), one.st.OwnerNode(n); (got == nil) != (want == nil) || got != nil && got.ID != want.ID {
				t.Fatalf("slot %d: together %v, apart %v", n, got, want)
			}
		}
		for _, name := range []string{"a", "b", "c"} {
			out, in := w.st.Marks(id(name))
			out2, in2 := one.st.Marks(id(name))
			if fmt.Sprint(out, in) != fmt.Sprint(out2, in2) {
				t.Fatalf("marks of %s: together %v %v, apart %v %v", name, out, in, out2, in2)
			}
		}
		for _, line := range []string{"cluster nodes", "cluster slots", "cluster shards", "cluster info"} {
			nodes["b"].do(line)
		}
	})
}
