package server

import (
	"sort"
	"sync"
	"time"
)

// latencySamples is how many events of one kind are kept.
const latencySamples = 160

// LatencySample is the worst latency within one second.
type LatencySample struct {
	At      time.Time
	Latency time.Duration
}

// LatencyEvent is one kind of event and its record.
type LatencyEvent struct {
	Name    string
	Max     time.Duration
	Samples []LatencySample // oldest first
}

// Latency records what took longer than latency-monitor-threshold. Any
// goroutine may use it.
type Latency struct {
	mu     sync.Mutex
	events map[string]*LatencyEvent
}

// Add records one occurrence. The names of events are few and fixed.
func (l *Latency) Add(event string, at time.Time, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = map[string]*LatencyEvent{}
	}
	e := l.events[event]
	if e == nil {
		e = &LatencyEvent{Name: event}
		l.events[event] = e
	}
	e.Max = max(e.Max, took)
	if n := len(e.Samples); n > 0 && e.Samples[n-1].At.Unix() == at.Unix() {
		e.Samples[n-1].Latency = max(e.Samples[n-1].Latency, took)
		return
	}
	if len(e.Samples) == latencySamples {
		copy(e.Samples, e.Samples[1:])
		e.Samples = e.Samples[:latencySamples-1]
	}
	e.Samples = append(e.Samples, LatencySample{At: at, Latency: took})
}

// Events are all events with their samples, in alphabetical order.
func (l *Latency) Events() []LatencyEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]LatencyEvent, 0, len(l.events))
	for _, e := range l.events {
		c := *e
		c.Samples = append([]LatencySample(nil), e.Samples...)
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Event is the record of one kind of event; nil samples if there is none.
func (l *Latency) Event(name string) LatencyEvent {
	for _, e := range l.Events() {
		if e.Name == name {
			return e
		}
	}
	return LatencyEvent{Name: name}
}

// Reset forgets the events named, all if none is, and returns how many.
func (l *Latency) Reset(names ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(names) == 0 {
		n = len(l.events)
		l.events = nil
		return n
	}
	for _, name := range names {
		if l.events[name] != nil {
			delete(l.events, name)
			n++
		}
	}
	return n
}
