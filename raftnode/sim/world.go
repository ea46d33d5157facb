package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer/memnet"
)

// slotsInPlay are the slots that clients use and operators move: 0 up to here.
const slotsInPlay = 12

// Options shape one life.
type Options struct {
	Seed   uint64
	Guards guards.Set
	// Hosts is how many there are; 0 = 3 to 6.
	Hosts int
	// Life is how long faults and operations go on; 0 = 10 to 35 s.
	Life time.Duration
	// Logs receives every line of the trace as it is written, if not nil.
	Logs func(string)
}

// Result is what became of one life.
type Result struct {
	Violation string // "" = none
	Trace     []string
	Counts    map[string]int
}

// world is one simulated life. It exists within one synctest bubble.
type world struct {
	opt   Options
	net   *memnet.Net
	start time.Time
	hosts []*host
	rand  *source // of the network and of ids
	check *checker

	background  sync.WaitGroup // of a script
	scripted    bool           // no clients, operators and faults of its own
	nodeTimeout time.Duration  // of a fresh node
	raftTimeout time.Duration

	mu        sync.Mutex
	violation string
	trace     []string
	counts    map[string]int
	broken    chan struct{} // closes at the first violation
}

// source is a random source that several goroutines may use.
type source struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newSource(seed, role uint64) *source {
	return &source{rng: rand.New(rand.NewPCG(seed, role))}
}

func (s *source) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Uint64()
}

func (s *source) intn(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(n)
}

// between draws a duration, short ones more often than long ones.
func (s *source) between(lo, hi time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.rng.Float64()
	return lo + time.Duration(f*f*float64(hi-lo))
}

func (s *source) chance(p float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Float64() < p
}

func newWorld(opt Options) *world {
	w := &world{
		opt: opt, start: time.Now(), rand: newSource(opt.Seed, 1),
		counts: map[string]int{}, broken: make(chan struct{}),
	}
	w.net = memnet.New(w.rand.Uint64)
	w.check = newChecker(w)
	rng := newSource(opt.Seed, 2)
	if w.opt.Hosts == 0 {
		w.opt.Hosts = 3 + rng.intn(4)
	}
	if w.opt.Life == 0 {
		w.opt.Life = rng.between(10*time.Second, 35*time.Second)
	}
	w.nodeTimeout = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}[rng.intn(3)]
	w.raftTimeout = 300 * time.Millisecond
	for i := range w.opt.Hosts {
		w.hosts = append(w.hosts, newHost(w, i))
	}
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			w.calm(a, b)
		}
	}
	w.check.hosts = slices.Clone(w.hosts)
	return w
}

// calm gives a link its ordinary latency. It is never zero: what two nodes do
// at one instant can't depend on one another.
func (w *world) calm(a, b *host) {
	w.net.Delay(a.name, b.name, 200*time.Microsecond, 2*time.Millisecond)
}

// tracef writes one line of the trace.
func (w *world) tracef(format string, args ...any) {
	line := fmt.Sprintf("%9.4f  ", time.Since(w.start).Seconds()) + fmt.Sprintf(format, args...)
	if w.opt.Logs != nil {
		w.opt.Logs(line)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, line)
}

// violate records what must not happen; the first one ends the life.
func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tracef("VIOLATION %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.violation == "" {
		w.violation = text
		close(w.broken)
	}
}

func (w *world) over() bool {
	select {
	case <-w.broken:
		return true
	default:
		return false
	}
}

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// sleep waits, or returns false at once when the life is over.
func (w *world) sleep(d time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.broken:
		return false
	case <-stop:
		return false
	}
}

// Run lives one life. It must be called in a synctest bubble, and everything
// it started has ended when it returns.
func Run(opt Options) Result {
	w := newWorld(opt)
	w.tracef("seed %d: %d hosts, node timeout %v, life %v", opt.Seed, len(w.hosts), w.nodeTimeout, w.opt.Life.Round(time.Millisecond))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, h := range w.hosts {
		h.boot()
	}
	wg.Go(func() { w.check.sample(stop) })
	busy := make(chan struct{})
	var work sync.WaitGroup
	for i := range 2 {
		work.Go(func() { newOperator(w, uint64(i)).run(busy) })
	}
	work.Go(func() { newSaboteur(w).run(busy) })
	w.sleep(w.opt.Life, nil)
	close(busy)
	work.Wait()
	if !w.over() {
		w.calmDown()
		w.check.rest()
	}
	close(stop)
	w.shutdown()
	wg.Wait()
	return w.result()
}

func (w *world) shutdown() {
	w.net.HealAll()
	for _, h := range w.hosts {
		w.net.Resume(h.name)
	}
	for _, h := range w.hosts {
		h.halt()
	}
	for _, h := range w.hosts {
		h.wg.Wait()
	}
}

func (w *world) result() Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Result{w.violation, w.trace, w.counts}
}

// String is the end of the trace, for a failed test.
func (r Result) String() string {
	lines := r.Trace
	const keep = 150
	cut := ""
	if len(lines) > keep {
		cut = fmt.Sprintf("... %d lines before\n", len(lines)-keep)
		lines = lines[len(lines)-keep:]
	}
	return r.Violation + "\n" + cut + strings.Join(lines, "\n")
}
