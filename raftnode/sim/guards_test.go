package sim_test

import (
	"testing"

	"conclave/raftnode/sim"
)

// TestSimulationGuards switches off one rule at a time and searches for a life
// in which that shows: the simulation can see what it is meant to see. Rules
// that matter too rarely for a search have a script (TestSimulationScripts).
// GUARDSEEDS is how many lives are searched for each.
func TestSimulationGuards(t *testing.T) {
	limit := number(t, "GUARDSEEDS", 0)
	if limit == 0 {
		t.Log("left out: searching takes minutes; GUARDSEEDS=500, or make sim, does it")
		return
	}
	t.Run("rules", func(t *testing.T) {
		for _, rule := range sim.Searched() {
			t.Run(rule.String(), func(t *testing.T) {
				t.Parallel()
				for seed := uint64(1); seed <= limit; seed++ {
					if res := live(t, sim.Options{Seed: seed, Guards: rule}); res.Violation != "" {
						t.Logf("seed %d: %s", seed, res.Violation)
						return
					}
				}
				t.Errorf("nothing found in %d lives", limit)
			})
		}
	})
}
