package server

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp/command"
)

// Stats are the counters that INFO shows. They may be read at any time.
type Stats struct {
	start time.Time

	commands, connections, refusedConns atomic.Int64
	bytesIn, bytesOut                   atomic.Int64
	queryLimit, outputLimit             atomic.Int64
	authFailures, unconfirmed           atomic.Int64
	deniedCommands, deniedKeys          atomic.Int64
	deniedChannels                      atomic.Int64
	errors                              atomic.Int64
	errorKinds                          sync.Map // code -> *atomic.Int64
	errorKindCount                      atomic.Int32

	perCommand []commandCounters // by Spec.Index
	table      *command.Table
	rates      rates
}

type commandCounters struct {
	calls, micros, rejected, failed atomic.Int64
	latency                         Histogram
}

// maxErrorKinds bounds the error codes told apart: some carry client input.
const maxErrorKinds = 128

func (t *Stats) use(table *command.Table) {
	t.table = table
	t.perCommand = make([]commandCounters, len(table.All()))
}

// Reset sets every counter to zero.
func (t *Stats) Reset() {
	for _, c := range []*atomic.Int64{&t.commands, &t.connections, &t.refusedConns, &t.bytesIn, &t.bytesOut,
		&t.queryLimit, &t.outputLimit, &t.authFailures, &t.unconfirmed, &t.deniedCommands, &t.deniedKeys, &t.deniedChannels, &t.errors} {
		c.Store(0)
	}
	t.errorKinds.Clear()
	t.errorKindCount.Store(0)
	for i := range t.perCommand {
		c := &t.perCommand[i]
		c.calls.Store(0)
		c.micros.Store(0)
		c.rejected.Store(0)
		c.failed.Store(0)
		c.latency.Reset()
	}
	t.rates.reset()
}

// Commands is the number of commands run.
func (t *Stats) Commands() int64 { return t.commands.Load() }

// Connections is the number of connections accepted.
func (t *Stats) Connections() int64 { return t.connections.Load() }

// RejectedConnections is the number of connections refused over maxclients.
func (t *Stats) RejectedConnections() int64 { return t.refusedConns.Load() }

// BytesIn is what clients sent.
func (t *Stats) BytesIn() int64 { return t.bytesIn.Load() }

// BytesOut is what clients were sent.
func (t *Stats) BytesOut() int64 { return t.bytesOut.Load() }

// QueryLimitDisconnections counts clients cut off for the size of a request.
func (t *Stats) QueryLimitDisconnections() int64 { return t.queryLimit.Load() }

// OutputLimitDisconnections counts clients cut off for output they didn't read.
func (t *Stats) OutputLimitDisconnections() int64 { return t.outputLimit.Load() }

// Unconfirmed counts connections closed because the right to serve was lost
// between the execution of a command and its reply.
func (t *Stats) Unconfirmed() int64 { return t.unconfirmed.Load() }

// Errors is the number of error replies.
func (t *Stats) Errors() int64 { return t.errors.Load() }

// AuthFailures is the number of wrong passwords.
func (t *Stats) AuthFailures() int64 { return t.authFailures.Load() }

// Denials are the calls that users weren't allowed: for the command, a key or a
// channel.
func (t *Stats) Denials() (commands, keys, channels int64) {
	return t.deniedCommands.Load(), t.deniedKeys.Load(), t.deniedChannels.Load()
}

// ErrorStat is the number of error replies with one code.
type ErrorStat struct {
	Code  string
	Count int64
}

// ErrorStats are the error replies by code, in alphabetical order.
func (t *Stats) ErrorStats() []ErrorStat {
	var all []ErrorStat
	t.errorKinds.Range(func(k, v any) bool {
		all = append(all, ErrorStat{Code: k.(string), Count: v.(*atomic.Int64).Load()})
		return true
	})
	sort.Slice(all, func(i, j int) bool { return all[i].Code < all[j].Code })
	return all
}

// CommandStat is what happened to one command.
type CommandStat struct {
	Spec                    *command.Spec
	Calls, Rejected, Failed int64
	Micros                  int64 // spent in calls
	Latency                 *Histogram
}

// CommandStats are the figures of the commands that were called or rejected.
// Their histograms are live.
func (t *Stats) CommandStats() []CommandStat {
	var all []CommandStat
	for i := range t.perCommand {
		c := &t.perCommand[i]
		st := CommandStat{
			Spec: t.table.All()[i], Calls: c.calls.Load(), Rejected: c.rejected.Load(),
			Failed: c.failed.Load(), Micros: c.micros.Load(), Latency: &c.latency,
		}
		if st.Calls != 0 || st.Rejected != 0 || st.Failed != 0 {
			all = append(all, st)
		}
	}
	return all
}

// ResetLatency empties the histograms of the commands, of all if none is given.
func (t *Stats) ResetLatency(specs ...*command.Spec) {
	if len(specs) == 0 {
		for i := range t.perCommand {
			t.perCommand[i].latency.Reset()
		}
	}
	for _, s := range specs {
		t.perCommand[s.Index()].latency.Reset()
	}
}

func (t *Stats) rejected(spec *command.Spec) {
	if spec != nil {
		t.perCommand[spec.Index()].rejected.Add(1)
	}
}

func (t *Stats) errorReply(code string) {
	t.errors.Add(1)
	v, ok := t.errorKinds.Load(code)
	if !ok {
		if t.errorKindCount.Load() >= maxErrorKinds {
			return
		}
		var loaded bool
		if v, loaded = t.errorKinds.LoadOrStore(code, new(atomic.Int64)); !loaded {
			t.errorKindCount.Add(1)
		}
	}
	v.(*atomic.Int64).Add(1)
}

// worker is what the sessions that one goroutine serves share, one at a time.
type worker struct {
	tally tally
	peeks [lookAhead][]byte // keys of the requests ahead
}

func newWorker(s *Server) *worker { return &worker{tally: tally{stats: &s.stats}} }

// tally collects calls of the same command in a row, so that a pipeline, or a
// turn of an event loop, touches the shared counters once. It is owned by one
// goroutine.
type tally struct {
	stats                 *Stats
	spec                  *command.Spec
	calls, failed, micros int64
	rest                  time.Duration // not yet a whole microsecond
	bytesIn, bytesOut     int64
}

func (t *tally) add(spec *command.Spec, took time.Duration, failed bool, calls int) {
	if spec != t.spec {
		t.flushCalls()
		t.spec = spec
	}
	t.calls += int64(calls)
	took += t.rest
	t.micros += int64(took / time.Microsecond)
	t.rest = took % time.Microsecond
	if failed {
		t.failed++
	}
}

func (t *tally) flushCalls() {
	if t.calls == 0 {
		return
	}
	c := &t.stats.perCommand[t.spec.Index()]
	c.calls.Add(t.calls)
	c.micros.Add(t.micros)
	if t.failed != 0 {
		c.failed.Add(t.failed)
	}
	t.stats.commands.Add(t.calls)
	t.spec, t.calls, t.failed, t.micros, t.rest = nil, 0, 0, 0, 0
}

func (t *tally) flush() {
	t.flushCalls()
	if t.bytesIn != 0 {
		t.stats.bytesIn.Add(t.bytesIn)
	}
	if t.bytesOut != 0 {
		t.stats.bytesOut.Add(t.bytesOut)
	}
	t.bytesIn, t.bytesOut = 0, 0
}

// rates are INFO's instantaneous figures: sixteen samples, one a second.
type rates struct {
	mu      sync.Mutex
	at      time.Time
	last    [3]int64 // commands, bytes in, bytes out
	samples [3][16]float64
	next    int
}

func (r *rates) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.last, r.samples, r.next = time.Time{}, [3]int64{}, [3][16]float64{}, 0
}

func (t *Stats) sample(now time.Time) {
	r := &t.rates
	r.mu.Lock()
	defer r.mu.Unlock()
	values := [3]int64{t.commands.Load(), t.bytesIn.Load(), t.bytesOut.Load()}
	if passed := now.Sub(r.at).Seconds(); !r.at.IsZero() && passed > 0 {
		for i, v := range values {
			r.samples[i][r.next] = float64(v-r.last[i]) / passed
		}
		r.next = (r.next + 1) % len(r.samples[0])
	}
	r.at, r.last = now, values
}

// Rates are commands, bytes in and bytes out per second, over the last 16 s.
func (t *Stats) Rates() (commands, bytesIn, bytesOut float64) {
	r := &t.rates
	r.mu.Lock()
	defer r.mu.Unlock()
	var mean [3]float64
	for i := range mean {
		for _, v := range r.samples[i] {
			mean[i] += v / float64(len(r.samples[i]))
		}
	}
	return mean[0], mean[1], mean[2]
}
