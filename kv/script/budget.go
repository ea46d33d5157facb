package script

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

const (
	// checkSteps instructions pass between two looks at the clock.
	checkSteps = 2048
	// memorySteps instructions, or memoryBytes that library functions have
	// allocated, pass between two looks at the heap.
	memorySteps = 8 * checkSteps
	memoryBytes = 8 << 20
	// longAfter a run is one that takes long, see command.Host.HoldScript.
	longAfter = 2 * time.Millisecond
	// workPerStep bytes that a library function works on count as one
	// instruction.
	workPerStep = 32
)

// Texts of the errors that end a run.
const (
	errKilled      = "Script killed by user with SCRIPT KILL..."
	errStopped     = "Script ended: the server is shutting down"
	errMemory      = "not enough memory"
	errLoadTimeout = "FUNCTION LOAD timeout"
)

// budget is what a run may use. It is the context of the interpreter, which asks
// it for Done before every instruction. It belongs to the goroutine of the run,
// apart from kill and stop.
type budget struct {
	steps, next int // instructions so far, and when to look again
	bytes       int // allocated by library functions since the last look at the heap
	lookAt      int // steps at which to look at the heap

	began    time.Time
	deadline time.Time // of loading a library; else zero
	long     bool
	onLong   func()

	maxMemory int64
	baseline  int64 // what was in use when the heap was first looked at
	tolerated int64 // growth that needs no collection to find out; 0 = not yet looked

	cause  string // why the run ends, or ""
	ended  chan struct{}
	kill   *atomic.Bool // set from outside to end the run; nil until it is long
	stop   *atomic.Bool // the engine's
	sample [2]metrics.Sample
}

func newBudget(maxMemory int64, stop *atomic.Bool) *budget {
	b := &budget{maxMemory: maxMemory, stop: stop, ended: make(chan struct{})}
	close(b.ended)
	b.sample[0].Name = "/memory/classes/heap/objects:bytes"
	b.sample[1].Name = "/gc/heap/live:bytes"
	return b
}

// start begins a run.
func (b *budget) start(now time.Time, onLong func()) {
	b.steps, b.next, b.bytes, b.lookAt = 0, checkSteps, 0, memorySteps
	b.began, b.deadline, b.long, b.onLong = now, time.Time{}, false, onLong
	b.baseline, b.tolerated, b.cause = 0, 0, ""
	b.kill = nil
}

// Done implements context.Context: it counts an instruction.
func (b *budget) Done() <-chan struct{} {
	b.steps++
	if b.steps >= b.next {
		b.check()
		if b.cause != "" {
			return b.ended
		}
	}
	return nil
}

// Err implements context.Context.
func (b *budget) Err() error { return endedError(b.cause) }

// Deadline implements context.Context.
func (b *budget) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (b *budget) Value(any) any { return nil }

type endedError string

func (e endedError) Error() string { return string(e) }

// check looks whether the run may go on. Once it may not, it is asked at every
// instruction, so that the error can't be caught for long.
func (b *budget) check() {
	if b.cause != "" {
		return
	}
	if b.kill != nil && b.kill.Load() {
		b.end(errKilled)
		return
	}
	if b.stop.Load() {
		b.end(errStopped)
		return
	}
	now := time.Now()
	switch {
	case !b.deadline.IsZero() && now.After(b.deadline):
		b.end(errLoadTimeout)
		return
	case !b.long && now.Sub(b.began) >= longAfter:
		b.long = true
		if b.onLong != nil {
			b.onLong()
		}
	}
	if b.steps >= b.lookAt || b.bytes >= memoryBytes {
		b.look()
	}
	if b.cause == "" {
		b.next = b.steps + checkSteps
	}
}

func (b *budget) end(cause string) {
	b.cause = cause
	b.next = b.steps
}

// look looks at the heap. What it has grown by since the run began is taken to be
// the run's: hardly anything else here is kept on it.
func (b *budget) look() {
	b.lookAt, b.bytes = b.steps+memorySteps, 0
	heap, live := b.heap()
	if b.tolerated == 0 {
		b.baseline, b.tolerated = live, b.maxMemory
	}
	if b.baseline = min(b.baseline, heap); heap-b.baseline <= b.tolerated {
		return
	}
	runtime.GC()
	_, live = b.heap()
	grown := live - b.baseline
	if grown > b.maxMemory {
		b.end(errMemory)
		return
	}
	// What was garbage may come again before it is worth another collection.
	b.tolerated = max(b.maxMemory, grown+b.maxMemory/2)
}

// heap is the size of all objects, and of those that the last collection found to
// be in use.
func (b *budget) heap() (all, live int64) {
	metrics.Read(b.sample[:])
	return int64(b.sample[0].Value.Uint64()), int64(b.sample[1].Value.Uint64())
}

// spend counts work on n bytes by a library function, and ends the run if it may
// not go on.
func (b *budget) spend(l *lua.LState, n int) {
	b.steps += n / workPerStep
	if b.steps >= b.next {
		b.check()
		b.raise(l)
	}
}

// reserve counts n bytes that a library function is about to allocate, and ends
// the run if that is too much.
func (b *budget) reserve(l *lua.LState, n int) {
	if n < 0 || int64(n) > b.maxMemory/2 {
		raisef(l, errMemory)
	}
	b.bytes += n
	if b.bytes >= memoryBytes {
		b.check()
		b.raise(l)
	}
	b.spend(l, n)
}

func (b *budget) raise(l *lua.LState) {
	if b.cause != "" {
		raisef(l, "%s", b.cause)
	}
}
