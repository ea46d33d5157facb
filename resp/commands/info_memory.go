package commands

import (
	"runtime/metrics"
)

// memory is what the process uses, in bytes.
type memory struct {
	used     int64 // objects, dead ones that wait for the collector included
	reserved int64 // what Go's runtime holds, without what it gave back
	resident int64
	peak     int64 // the highest used of all looks so far
	dataset  Dataset
}

// overhead is the memory in use that is not data.
func (m memory) overhead() int64 { return max(m.used-m.dataset.Bytes, 0) }

func (r *room) memory() memory {
	const objects, total, released = "/memory/classes/heap/objects:bytes", "/memory/classes/total:bytes", "/memory/classes/heap/released:bytes"
	samples := []metrics.Sample{{Name: objects}, {Name: total}, {Name: released}}
	metrics.Read(samples)
	m := memory{
		used:     int64(samples[0].Value.Uint64()),
		reserved: int64(samples[1].Value.Uint64() - samples[2].Value.Uint64()),
		resident: residentBytes(),
		dataset:  r.dataset(),
	}
	m.used += m.dataset.OffHeap
	if m.dataset.Used > 0 {
		m.used = m.dataset.Used // without garbage
	}
	m.reserved += m.dataset.OffHeap
	if m.resident == 0 {
		m.resident = m.reserved
	}
	for {
		peak := r.peak.Load()
		m.peak = max(peak, m.used)
		if r.peak.CompareAndSwap(peak, m.peak) {
			return m
		}
	}
}

func (r *room) infoMemory(b []byte) []byte {
	m := r.memory()
	f := fields{b}
	f.size("used_memory", m.used)
	f.size("used_memory_rss", m.resident)
	f.size("used_memory_peak", m.peak)
	f.str("used_memory_peak_perc", percent(m.used, m.peak))
	f.num("used_memory_overhead", m.overhead())
	f.num("used_memory_startup", r.startup)
	f.num("used_memory_dataset", m.dataset.Bytes)
	f.str("used_memory_dataset_perc", percent(m.dataset.Bytes, max(m.used-r.startup, m.dataset.Bytes)))
	f.num("allocator_allocated", m.used)
	f.num("allocator_active", m.reserved)
	f.num("allocator_resident", m.resident)
	f.size("total_system_memory", systemMemory())
	f.scripts(m.dataset)
	f.size("maxmemory", r.maxMemory())
	f.str("maxmemory_policy", r.directive("maxmemory-policy", "noeviction"))
	f.ratio("allocator_frag_ratio", ratio(m.reserved, m.used))
	f.num("allocator_frag_bytes", m.reserved-m.used)
	f.ratio("mem_fragmentation_ratio", ratio(m.resident, m.used))
	f.num("mem_fragmentation_bytes", m.resident-m.used)
	f.nums(0, "mem_not_counted_for_evict", "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves")
	f.num("mem_clients_normal", r.clientTotals().memory)
	f.nums(0, "mem_cluster_links", "mem_aof_buffer")
	f.str("mem_allocator", "go")
	f.num("active_defrag_running", 0)
	f.num("lazyfree_pending_objects", m.dataset.LazyfreePending)
	f.num("lazyfreed_objects", m.dataset.Lazyfreed)
	return f.b
}

// scripts tells of scripts and functions. What their interpreters use is part of
// the heap, and not known apart.
func (f *fields) scripts(d Dataset) {
	f.num("used_memory_vm_eval", 0)
	f.size("used_memory_lua", 0)
	f.num("used_memory_scripts_eval", d.ScriptBytes)
	f.num("number_of_cached_scripts", d.Scripts)
	f.num("number_of_functions", d.Functions)
	f.num("number_of_libraries", d.Libraries)
	f.num("used_memory_vm_functions", 0)
	f.size("used_memory_vm_total", 0)
	f.num("used_memory_functions", d.LibraryBytes)
	f.size("used_memory_scripts", d.ScriptBytes+d.LibraryBytes)
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
