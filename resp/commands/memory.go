package commands

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"

	"conclave/resp/command"
)

func (r *room) memorySpecs() []command.Spec {
	const whole = "request_policy:all_shards"
	subs := []command.Spec{
		{Name: "doctor", Arity: 2, Group: "server", Since: "4.0.0", Cost: "O(1)", Doc: "Advice about the memory in use.",
			Tips: []string{"nondeterministic_output", whole, "response_policy:special"}, Run: r.memoryDoctor},
		{Name: "stats", Arity: 2, Group: "server", Since: "4.0.0", Cost: "O(1)", Doc: "Details of the memory in use.",
			Tips: []string{"nondeterministic_output", whole, "response_policy:special"}, Run: r.memoryStats},
		{Name: "purge", Arity: 2, Flags: command.Detached, Group: "server", Since: "4.0.0", Cost: "Depends on how much memory is allocated, could be slow",
			Doc: "Gives unused memory back to the system.", Tips: []string{whole, "response_policy:all_succeeded"},
			Run: func(c *command.Ctx) { debug.FreeOSMemory(); c.OK() }},
		{Name: "malloc-stats", Arity: 2, Group: "server", Since: "4.0.0", Cost: "O(1)",
			Doc: "The allocator's own report.", Tips: []string{"nondeterministic_output", whole, "response_policy:special"}, Run: mallocStats},
		helpSpec("4.0.0", 0, r.memoryHelp),
	}
	if r.Store != nil {
		subs = append(subs, command.Spec{Name: "usage", Arity: -3, Flags: command.ReadOnly, Group: "server", Since: "4.0.0", Cost: "O(N) where N is the number of samples.",
			Keys: []command.KeySpec{{Begin: 2, Flags: command.RO}},
			Doc:  "The memory a key and its value take.", Args: "key [SAMPLES count]", Run: r.memoryUsage})
	}
	return []command.Spec{{Name: "memory", Arity: -2, Group: "server", Since: "4.0.0", Cost: "Depends on subcommand.", Doc: "A container for commands about memory.", Sub: subs}}
}

func (r *room) memoryHelp(c *command.Ctx) {
	lines := []string{
		"DOCTOR", "    Return advice about the memory in use.",
		"MALLOC-STATS", "    Return the allocator's own report.",
		"PURGE", "    Give unused memory back to the system.",
		"STATS", "    Return details of the memory in use.",
	}
	if r.Store != nil {
		lines = append(lines, "USAGE <key> [SAMPLES <count>]",
			"    Return the memory that <key> and its value take. Of nested values <count>",
			"    are looked at (default: 5, 0 means all).")
	}
	help(c, "MEMORY", lines...)
}

func (r *room) memoryUsage(c *command.Ctx) {
	samples := 5
	for i := 3; i < len(c.Args); i += 2 {
		if !c.Is(i, "samples") || i+1 >= len(c.Args) {
			c.Error(command.ErrSyntax)
			return
		}
		n, err := strconv.ParseInt(string(c.Arg(i+1)), 10, 64)
		switch {
		case err != nil:
			c.Error(command.ErrNotInteger)
			return
		case n < 0:
			c.Error(command.ErrSyntax)
			return
		}
		samples = int(n)
	}
	n, ok := r.Store.Usage(c.Session.DB(), c.Arg(2), samples, c.NowMs)
	if !ok {
		c.Null()
		return
	}
	c.Int(n)
}

func (r *room) memoryDoctor(c *command.Ctx) {
	m := r.memory()
	var advice string
	if m.dataset.Bytes < 5<<20 {
		advice = "This instance is empty or holds very little data: nothing can be said about its memory yet.\n"
	} else {
		if m.peak > m.used+m.used/2 {
			advice += fmt.Sprintf(" * Peak memory: it was %s and is %s now. The system gets the rest back in time; MEMORY PURGE hastens it.\n", human(m.peak), human(m.used))
		}
		if m.resident > m.used*2 {
			advice += fmt.Sprintf(" * Resident memory: %s for %s in use. Garbage waits to be collected, or pages wait to be given back.\n", human(m.resident), human(m.used))
		}
		if n := r.clientTotals().memory; n > m.used/4 {
			advice += fmt.Sprintf(" * Client buffers: they take %s. Look for slow readers in CLIENT LIST.\n", human(n))
		}
		if advice == "" {
			advice = "No memory problem was found.\n"
		} else {
			advice = "What was found:\n\n" + advice
		}
	}
	c.Verbatim("txt", advice)
}

func (r *room) memoryStats(c *command.Ctx) {
	m := r.memory()
	perKey := int64(0)
	if m.dataset.Keys > 0 {
		perKey = m.dataset.Bytes / m.dataset.Keys
	}
	type figure struct {
		name  string
		n     int64
		f     float64
		float bool
	}
	share := func(a, b int64) float64 { return ratio(a, b) * 100 }
	figures := []figure{
		{name: "peak.allocated", n: m.peak},
		{name: "total.allocated", n: m.used},
		{name: "startup.allocated", n: r.startup},
		{name: "replication.backlog"},
		{name: "clients.slaves"},
		{name: "clients.normal", n: r.clientTotals().memory},
		{name: "cluster.links"},
		{name: "aof.buffer"},
		{name: "lua.caches"},
		{name: "functions.caches"},
		{name: "overhead.total", n: m.overhead()},
		{name: "keys.count", n: m.dataset.Keys},
		{name: "keys.bytes-per-key", n: perKey},
		{name: "dataset.bytes", n: m.dataset.Bytes},
		{name: "dataset.percentage", f: share(m.dataset.Bytes, max(m.used-r.startup, m.dataset.Bytes)), float: true},
		{name: "peak.percentage", f: share(m.used, m.peak), float: true},
		{name: "allocator.allocated", n: m.used},
		{name: "allocator.active", n: m.reserved},
		{name: "allocator.resident", n: m.resident},
		{name: "allocator-fragmentation.ratio", f: ratio(m.reserved, m.used), float: true},
		{name: "allocator-fragmentation.bytes", n: m.reserved - m.used},
		{name: "allocator-rss.ratio", f: ratio(m.resident, m.reserved), float: true},
		{name: "allocator-rss.bytes", n: m.resident - m.reserved},
		{name: "rss-overhead.ratio", f: 1, float: true},
		{name: "rss-overhead.bytes"},
		{name: "fragmentation", f: ratio(m.resident, m.used), float: true},
		{name: "fragmentation.bytes", n: m.resident - m.used},
	}
	c.Map(len(figures))
	for _, x := range figures {
		c.BulkString(x.name)
		if x.float {
			c.Double(x.f)
		} else {
			c.Int(x.n)
		}
	}
}

func mallocStats(c *command.Ctx) {
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	c.Verbatim("txt", fmt.Sprintf("heap: %d bytes in %d objects, %d in use, %d idle, %d released\nstacks: %d bytes\nallocated since start: %d bytes in %d objects\ncollections: %d, %d ns paused, next at %d bytes\n",
		ms.HeapAlloc, ms.HeapObjects, ms.HeapInuse, ms.HeapIdle, ms.HeapReleased, ms.StackInuse, ms.TotalAlloc, ms.Mallocs, ms.NumGC, ms.PauseTotalNs, ms.NextGC))
}

// maxMemory is the maxmemory directive in bytes.
func (r *room) maxMemory() int64 {
	n, err := strconv.ParseInt(r.directive("maxmemory", "0"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
