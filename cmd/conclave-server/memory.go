package main

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"

	"conclave/cmd/internal/config"
	"conclave/kv"
	"conclave/resp/command"
)

// memoryPeriod is how often what is in use beside the store is looked at, and
// keys are given up without a command to wait for it.
const memoryPeriod = 100 * time.Millisecond

// policies are the words of maxmemory-policy.
var policies = map[string]kv.Policy{
	"noeviction": kv.NoEviction, "allkeys-lru": kv.AllKeysLRU, "allkeys-lfu": kv.AllKeysLFU, "allkeys-random": kv.AllKeysRandom,
	"volatile-lru": kv.VolatileLRU, "volatile-lfu": kv.VolatileLFU, "volatile-random": kv.VolatileRandom, "volatile-ttl": kv.VolatileTTL,
}

// followMemoryLimit keeps the store's limit in step with the directives.
func (r *rooms) followMemoryLimit() {
	apply := func(c *config.Config) {
		r.store.SetEviction(kv.Eviction{Limit: c.MaxMemory, Policy: policies[c.MaxMemoryPolicy], Samples: c.MaxMemorySamples})
	}
	apply(r.cfg.Current())
	r.cfg.OnChange(func(_, c *config.Config) error {
		apply(c)
		return nil
	}, "maxmemory", "maxmemory-policy", "maxmemory-samples")
	// From here on there is a figure for Go's heap, not only after its first
	// collection.
	runtime.GC()
	r.noteHeap()
}

// noteHeap counts Go's heap, as of its last collection, against the memory limit:
// garbage that waits for the next one would make the figure jump.
func (r *rooms) noteHeap() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	r.store.SetOverhead(int64(live[0].Value.Uint64()))
}

// watchMemory runs until ctx is done.
func (r *rooms) watchMemory(ctx context.Context) error {
	tick := time.NewTicker(memoryPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.noteHeap()
			r.store.MakeRoom()
		}
	}
}

// memoryGate refuses commands that may need memory while the limit is passed and
// nothing can be given up.
func (r *rooms) memoryGate(f command.Flags) string {
	if f&command.DenyOOM != 0 && r.store.Full() {
		return command.ErrOOM
	}
	return ""
}
