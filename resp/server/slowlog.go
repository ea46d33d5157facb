package server

import (
	"strconv"
	"sync"
	"time"

	"conclave/resp/command"
)

// What SLOWLOG keeps of a command.
const (
	slowArgs = 32
	slowText = 128
)

// SlowEntry is one command that took long.
type SlowEntry struct {
	ID       int64
	At       time.Time
	Duration time.Duration
	Args     []string
	Addr     string
	Name     string // the client's
}

// Slowlog is the log of slow commands, newest first. Any goroutine may use it.
type Slowlog struct {
	mu   sync.Mutex
	next int64
	ring []SlowEntry // oldest first
}

func (l *Slowlog) add(e SlowEntry, keep int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = l.next
	l.next++
	l.ring = append(l.ring, e)
	if over := len(l.ring) - keep; over > 0 {
		n := copy(l.ring, l.ring[over:])
		clear(l.ring[n:])
		l.ring = l.ring[:n]
	}
}

// Get returns up to n entries, all if n is negative, newest first.
func (l *Slowlog) Get(n int) []SlowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n > len(l.ring) {
		n = len(l.ring)
	}
	out := make([]SlowEntry, n)
	for i := range out {
		out[i] = l.ring[len(l.ring)-1-i]
	}
	return out
}

// Len is the number of entries.
func (l *Slowlog) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ring)
}

// Reset empties the log; ids go on.
func (l *Slowlog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring = nil
}

// observe records a call in the histogram, and one that was slow in the logs.
func (s *Server) observe(x *Session, spec *command.Spec, args [][]byte, took time.Duration) {
	l := x.limits
	if l.LatencyTracking {
		s.stats.perCommand[spec.Index()].latency.Record(took)
	}
	if spec.Flags&command.SkipSlowlog == 0 && l.SlowlogSlowerThan >= 0 && took >= l.SlowlogSlowerThan && l.SlowlogMaxLen > 0 {
		s.slowlog.add(SlowEntry{
			At: x.clock.time().Add(-took), Duration: took, Args: trimmed(args, x.redact),
			Addr: x.peer.Addr, Name: x.Name(),
		}, l.SlowlogMaxLen)
	}
	if l.LatencyThreshold > 0 && took >= l.LatencyThreshold && spec.Flags&command.Blocking == 0 {
		event := "command"
		if spec.Flags&command.Fast != 0 {
			event = "fast-command"
		}
		s.latency.Add(event, x.clock.time(), took)
	}
}

// trimmed copies the arguments as SLOWLOG shows them.
func trimmed(args [][]byte, redact []int) []string {
	n := min(len(args), slowArgs)
	out := make([]string, n)
	for i := range out {
		switch {
		case i == slowArgs-1 && len(args) > slowArgs:
			out[i] = "... (" + strconv.Itoa(len(args)-slowArgs+1) + " more arguments)"
		case isRedacted(redact, i):
			out[i] = redacted
		case len(args[i]) > slowText:
			out[i] = string(args[i][:slowText]) + "... (" + strconv.Itoa(len(args[i])-slowText) + " more bytes)"
		default:
			out[i] = string(args[i])
		}
	}
	return out
}

const redacted = "(redacted)"

func isRedacted(redact []int, i int) bool {
	for _, r := range redact {
		if r == i {
			return true
		}
	}
	return false
}
