package kv

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"runtime/debug"
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

func BenchmarkCapacityGrowth(b *testing.B) {
	val := bytes.Repeat([]byte{'v'}, 16)
	for _, tag := range []string{"", "{one slot}"} {
		b.Run("tag"+tag, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for b.Loop() {
				s := New(Config{Databases: 1})
				steps := make([]time.Duration, capacity)
				var key [64]byte
				for i := range capacity {
					k := append(capacityKey(key[:], i), tag...)
					start := cpuTime()
					s.benchSet(k, val)
					steps[i] = cpuTime() - start
				}
				slices.Sort(steps)
				b.ReportMetric(float64(steps[capacity-1].Microseconds()), "worst-us")
				b.ReportMetric(float64(steps[capacity-1-capacity/100_000].Microseconds()), "p99.999-us")
				runtime.KeepAlive(s)
			}
		})
	}
}

func BenchmarkCapacitySnapshot(b *testing.B) {
	s, _ := fillCapacity(b, 16)
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
		start := time.Now()
		waits := write(time.Second, nil)
		alone := float64(len(waits)) / time.Since(start).Seconds()

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
		start = time.Now()
		waits = write(0, done.Load)
		during := float64(len(waits)) / time.Since(start).Seconds()
		wg.Wait()
		slices.Sort(waits)
		b.ReportMetric(took.Seconds(), "walk-s")
		b.ReportMetric(during/alone, "kept")
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
