package kv

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"conclave/kv/ds"
)

// Benchmarks at the size for which the store is made: run each once, alone.
//
//	go test ./kv -run '^$' -bench Capacity -benchtime 1x
const capacity = 5_000_000

// cpuTime is what the calling thread has used.
func cpuTime() time.Duration {
	var ts syscall.Timespec
	const threadClock = 3
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

// resident is the process's resident memory.
func resident(b *testing.B) int64 {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// capacityKey is 16 bytes.
func capacityKey(b []byte, i int) []byte {
	return strconv.AppendUint(append(b[:0], "key:"...), 100_000_000_000+uint64(i)*2654435761%100_000_000_000, 10)
}

func (s *Store) benchSet(key, val []byte) {
	mask := MaskOf(key)
	s.Lock(mask)
	s.DB(0, 1).SetString(key, val, NoExpiry)
	s.Unlock(mask)
}

func fillCapacity(b *testing.B, size int) (s *Store, before int64) {
	before = resident(b)
	s = New(Config{Databases: 1})
	val := bytes.Repeat([]byte{'v'}, size)
	var key [32]byte
	for i := range capacity {
		s.benchSet(capacityKey(key[:], i), val)
	}
	return s, before
}

func BenchmarkCapacityMemory(b *testing.B) {
	for _, size := range []int{16, 100} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				s, before := fillCapacity(b, size)
				b.ReportMetric(float64(resident(b)-before)/capacity, "B/key")
				b.ReportMetric(float64(s.Bytes())/capacity, "accounted-B/key")
				var key [32]byte
				left := 0
				for i := range capacity {
					if i%10 != 3 {
						k := capacityKey(key[:], i)
						mask := MaskOf(k)
						s.Lock(mask)
						s.DB(0, 1).Delete(k)
						s.Unlock(mask)
					} else {
						left++
					}
				}
				full := resident(b) - before
				start := time.Now()
				s.Compact(context.Background())
				b.ReportMetric(time.Since(start).Seconds(), "compact-s")
				b.ReportMetric(float64(full)/float64(left), "deleted-B/key")
				b.ReportMetric(float64(resident(b)-before)/float64(left), "compacted-B/key")
				runtime.KeepAlive(s)
			}
		})
	}
}

// BenchmarkCapacityGrowth is the CPU time of single inserts. On a machine that
// shares its processors the clock runs on while a thread isn't running, so the
// worst of a loop that does nothing is printed beside it, and the worst insert
// in which the system neither switched threads nor brought in a page. What is
// the table's own doing happens at the same insert in a second store: the
// longest of these, at the shorter of its two times, is repeated-us.
func BenchmarkCapacityGrowth(b *testing.B) {
	val := bytes.Repeat([]byte{'v'}, 16)
	for _, tag := range []string{"", "{one slot}"} {
		b.Run("tag"+tag, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
			for b.Loop() {
				s := New(Config{Databases: 1})
				steps := make([]time.Duration, capacity)
				for i := range steps {
					start := cpuTime()
					steps[i] = cpuTime() - start
				}
				b.ReportMetric(us(slices.Max(steps)), "nothing-us")

				var key [64]byte
				var undisturbed, faulting time.Duration
				var long, switched, faulted int
				before := disturbances()
				for i := range capacity {
					k := append(capacityKey(key[:], i), tag...)
					start := cpuTime()
					s.benchSet(k, val)
					took := cpuTime() - start
					steps[i] = took
					after := disturbances()
					faults, switches := after.Minflt-before.Minflt, after.Nivcsw-before.Nivcsw
					before = after
					if took > 100*time.Microsecond {
						long++
						faulted += int(min(faults, 1))
						switched += int(min(switches, 1))
					}
					switch {
					case switches > 0:
					case faults > 0:
						faulting = max(faulting, took)
					default:
						undisturbed = max(undisturbed, took)
					}
				}
				runtime.KeepAlive(s)
				s = New(Config{Databases: 1})
				var repeated time.Duration
				for i := range capacity {
					k := append(capacityKey(key[:], i), tag...)
					start := cpuTime()
					s.benchSet(k, val)
					repeated = max(repeated, min(cpuTime()-start, steps[i]))
				}
				b.ReportMetric(us(repeated), "repeated-us")
				slices.Sort(steps)
				b.ReportMetric(us(steps[capacity-1]), "worst-us")
				b.ReportMetric(us(steps[capacity-1-capacity/100_000]), "p99.999-us")
				b.ReportMetric(us(undisturbed), "undisturbed-us")
				b.ReportMetric(us(faulting), "faulting-us")
				b.ReportMetric(float64(long), ">100us")
				b.ReportMetric(float64(switched), ">100us-switched")
				b.ReportMetric(float64(faulted), ">100us-faulted")
				runtime.KeepAlive(s)
			}
		})
	}
}

// disturbances counts what the system has done to the calling thread.
func disturbances() (u syscall.Rusage) {
	const thread = 1
	_ = syscall.Getrusage(thread, &u)
	return u
}

// BenchmarkCapacityCollector is what the garbage collector costs while a store
// is read and written in equal parts: with ten cycles a second, which is far
// more than commands that allocate nothing cause, and with garbage made by each.
func BenchmarkCapacityCollector(b *testing.B) {
	s, _ := fillCapacity(b, 16)
	for _, garbage := range []int{0, 64} {
		b.Run("garbage"+strconv.Itoa(garbage), func(b *testing.B) {
			for b.Loop() {
				var stop atomic.Bool
				var wg sync.WaitGroup
				var commands atomic.Int64
				runtime.GC()
				before := readCollector()
				for w := range 2 {
					wg.Go(func() {
						var key [32]byte
						var out, waste []byte
						val := []byte("0123456789abcdef")
						n := uint64(w)
						count := int64(0)
						for ; !stop.Load(); count++ {
							n = n*6364136223846793005 + 1442695040888963407
							k := capacityKey(key[:], int(n>>33)%capacity)
							if garbage > 0 {
								waste = make([]byte, garbage)
							}
							if n>>32&1 == 0 {
								s.benchSet(k, val)
								continue
							}
							mask := MaskOf(k)
							s.Lock(mask)
							e, _ := s.DB(0, 1).Lookup(k, ForRead)
							out = e.AppendBytes(out[:0])
							s.Unlock(mask)
						}
						runtime.KeepAlive(waste)
						commands.Add(count)
					})
				}
				for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
					time.Sleep(100 * time.Millisecond)
					if garbage == 0 {
						runtime.GC()
					}
				}
				stop.Store(true)
				wg.Wait()
				runtime.GC() // brings the times up to date
				after := readCollector()
				b.ReportMetric(after.pause(before, 0.5)*1e6, "p50-stop-us")
				b.ReportMetric(after.pause(before, 0.99)*1e6, "p99-stop-us")
				b.ReportMetric(after.pause(before, 1)*1e6, "max-stop-us")
				b.ReportMetric(100*(after.cpu-before.cpu)/(after.busy-before.busy), "%cpu")
				b.ReportMetric(float64(after.cycles-before.cycles), "cycles")
				b.ReportMetric(float64(commands.Load())/5, "commands/s")
			}
		})
	}
}

// collector is what the garbage collector has done so far.
type collector struct {
	stops     metrics.Float64Histogram
	cpu, busy float64 // the collector's, everything's
	cycles    uint64
}

func readCollector() collector {
	m := []metrics.Sample{
		{Name: "/sched/pauses/total/gc:seconds"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/total:cpu-seconds"},
		{Name: "/cpu/classes/idle:cpu-seconds"},
	}
	metrics.Read(m)
	return collector{
		stops:  *m[0].Value.Float64Histogram(),
		cpu:    m[1].Value.Float64(),
		busy:   m[3].Value.Float64() - m[4].Value.Float64(),
		cycles: m[2].Value.Uint64(),
	}
}

// pause is a quantile of the stops since an earlier reading: the upper end of
// the histogram's bucket.
func (c collector) pause(before collector, q float64) float64 {
	var total, sum uint64
	for i, n := range c.stops.Counts {
		total += n - before.stops.Counts[i]
	}
	for i, n := range c.stops.Counts {
		if sum += n - before.stops.Counts[i]; sum > 0 && float64(sum) >= q*float64(total) {
			return c.stops.Buckets[i+1]
		}
	}
	return 0
}

func BenchmarkCapacitySnapshot(b *testing.B) {
	s, _ := fillCapacity(b, 16)
	runtime.LockOSThread() // for the CPU time of the writer
	defer runtime.UnlockOSThread()
	write := func(d time.Duration, stop func() bool) (waits []time.Duration) {
		val := []byte("0123456789abcdef")
		var key [32]byte
		for end := time.Now().Add(d); ; {
			for j := range 64 {
				k := capacityKey(key[:], (len(waits)*7919+j)%capacity)
				start := time.Now()
				s.benchSet(k, val)
				waits = append(waits, time.Since(start))
			}
			if stop != nil && stop() || stop == nil && time.Now().After(end) {
				return waits
			}
		}
	}
	for b.Loop() {
		start, cpu := time.Now(), cpuTime()
		waits := write(time.Second, nil)
		alone := float64(len(waits)) / time.Since(start).Seconds()
		aloneCPU := float64(cpuTime()-cpu) / float64(len(waits))

		var done atomic.Bool
		var wg sync.WaitGroup
		var took time.Duration
		wg.Go(func() {
			start := time.Now()
			n, err := s.Snapshot(nil, nil)
			if err != nil {
				b.Error(err)
				return
			}
			keys, sum := 0, uint64(0)
			_ = n.Walk(context.Background(), func(v *Saved) error {
				keys++
				sum += uint64(len(v.Bytes(nil)))
				return nil
			})
			if keys != capacity {
				b.Errorf("%d keys", keys)
			}
			took = time.Since(start)
			done.Store(true)
		})
		start, cpu = time.Now(), cpuTime()
		waits = write(0, done.Load)
		during := float64(len(waits)) / time.Since(start).Seconds()
		duringCPU := float64(cpuTime()-cpu) / float64(len(waits))
		wg.Wait()
		slices.Sort(waits)
		b.ReportMetric(took.Seconds(), "walk-s")
		b.ReportMetric(during/alone, "kept")
		b.ReportMetric(aloneCPU/duringCPU, "kept-cpu") // what the writer's own CPU time allows
		b.ReportMetric(float64(waits[len(waits)*999/1000].Microseconds()), "p99.9-us")
		b.ReportMetric(float64(waits[len(waits)-1].Microseconds()), "max-us")
		holds, total := captureHolds(s)
		b.ReportMetric(float64(holds[len(holds)*999/1000].Nanoseconds())/1000, "p99.9-hold-us")
		b.ReportMetric(float64(holds[len(holds)-1].Nanoseconds())/1000, "hold-us")
		b.ReportMetric(float64(total.Nanoseconds())/capacity, "cpu-ns/key")
	}
}

// captureHolds is the CPU time of every hold of a snapshot, in ascending order,
// and their sum.
func captureHolds(s *Store) (holds []time.Duration, total time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	n, err := s.Snapshot(nil, nil)
	if err != nil {
		return nil, 0
	}
	spare := ds.NewOutput(outputSize)
	holds = make([]time.Duration, 0, capacity)
	for i := range s.parts {
		for more := true; more; {
			s.parts[i].shard.CaptureAhead()
			start := cpuTime()
			more = s.parts[i].shard.Capture(captureHold)
			if !more || s.parts[i].shard.Backlog() >= outputFull {
				spare = s.parts[i].shard.Take(spare)
			}
			took := cpuTime() - start
			holds = append(holds, took)
			total += took
		}
		s.parts[i].shard.EndCapture()
	}
	n.done = true
	s.snapshotting.Store(false)
	slices.Sort(holds)
	return holds, total
}

func BenchmarkLookups(b *testing.B) {
	s, _ := fillCapacity(b, 16)
	for _, batch := range []int{1, 16} {
		b.Run("batch"+strconv.Itoa(batch), func(b *testing.B) {
			keys := make([][]byte, batch)
			var out []byte
			var n uint64
			b.ResetTimer()
			for range b.N {
				for i := range keys {
					n = n*6364136223846793005 + 1442695040888963407
					keys[i] = capacityKey(keys[i][:0], int(n>>33)%capacity)
				}
				if batch > 1 {
					s.Touch(0, keys)
				}
				for _, k := range keys {
					mask := MaskOf(k)
					s.Lock(mask)
					e, ok := s.DB(0, 1).Lookup(k, ForRead)
					if !ok {
						b.Fatal("absent")
					}
					out = e.AppendBytes(out[:0])
					s.Unlock(mask)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/key")
		})
	}
}
