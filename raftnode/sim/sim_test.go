package sim_test

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/raftnode/sim"
)

// live runs one life in a bubble of its own.
func live(t *testing.T, opt sim.Options) (res sim.Result) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { res = sim.Run(opt) })
	return res
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestSimulation lives SEEDS lives (default 50) from seed FROM (default 1), or
// the one SEED, whose trace is then printed with the nodes' logs. With SURVEY set
// it goes on after a violation and prints no traces.
func TestSimulation(t *testing.T) {
	if seed := number(t, "SEED", 0); seed != 0 {
		res := live(t, sim.Options{Seed: seed, Logs: func(s string) { fmt.Println(s) }})
		if res.Violation != "" {
			t.Errorf("seed %d: %s", seed, res.Violation)
		}
		return
	}
	survey := os.Getenv("SURVEY") != ""
	seeds, from := number(t, "SEEDS", 50), number(t, "FROM", 1)
	var next atomic.Uint64
	next.Store(from)
	start := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for shard := range 2 {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				for !t.Failed() || survey {
					seed := next.Add(1) - 1
					if seed >= from+seeds {
						return
					}
					if res := live(t, sim.Options{Seed: seed}); res.Violation != "" && survey {
						t.Errorf("SEED=%d: %s", seed, res.Violation)
					} else if res.Violation != "" {
						t.Errorf("SEED=%d: %s", seed, res)
					} else if testing.Verbose() {
						t.Logf("seed %d: %v", seed, res.Counts)
					}
				}
			})
		}
	})
	t.Logf("%.1f seeds per second", float64(seeds)/time.Since(start).Seconds())
}
