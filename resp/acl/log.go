package acl

import (
	"sync"
	"time"

	"conclave/resp/command"
)

// sameFor is how long after an entry began another one like it is counted to it.
const sameFor = 60 * time.Second

// Log is what was refused, the latest first. It is safe for concurrent use; the
// zero value is empty.
type Log struct {
	mu   sync.Mutex
	next int64
	all  []Entry
}

// Entry is something that was refused, once or several times.
type Entry struct {
	ID            int64
	Count         int
	Reason        command.DenialReason
	Context       string // toplevel, multi, lua
	Object, User  string
	Client        string // as CLIENT INFO
	Created, Last time.Time
}

// Add notes an entry, of which at most max are kept.
func (l *Log) Add(e Entry, now time.Time, max int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		o := &l.all[i]
		if o.Reason == e.Reason && o.Context == e.Context && o.Object == e.Object && o.User == e.User && now.Sub(o.Created) < sameFor {
			o.Count++
			o.Last, o.Client = now, e.Client
			first := *o
			copy(l.all[1:i+1], l.all[:i])
			l.all[0] = first
			return
		}
	}
	e.ID, e.Count, e.Created, e.Last = l.next, 1, now, now
	l.next++
	l.all = append([]Entry{e}, l.all...)
	if len(l.all) > max {
		l.all = l.all[:max]
	}
}

// Entries are the latest n, or all if n is negative.
func (l *Log) Entries(n int) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n > len(l.all) {
		n = len(l.all)
	}
	return append([]Entry(nil), l.all[:n]...)
}

// Reset empties the log.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}
