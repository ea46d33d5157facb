package server

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp/command"
)

// monitors are the sessions in MONITOR mode.
type monitors struct {
	n  atomic.Int32
	mu sync.Mutex
	// list is replaced, never changed.
	list []*Session
}

// StartMonitor makes the session receive every command that runs from now on.
// Owner only; it begins after the reply of the command under way.
func (s *Session) StartMonitor() { s.monitorNext = true }

// beginMonitor sends the reply to MONITOR and makes the session one. A client
// that has the reply gets every command that begins after. On an event loop
// that holds for those of other loops too: they wait for the lock, under which
// nothing blocks there.
func (s *Session) beginMonitor() bool {
	s.monitorNext = false
	m := &s.srv.monitors
	if s.front == nil && !s.flush() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.monitor.Swap(true) {
		return true
	}
	m.n.Add(1)
	if s.front != nil && !s.flush() {
		m.n.Add(-1)
		s.monitor.Store(false)
		return false
	}
	m.list = append(slices.Clone(m.list), s)
	return true
}

// StopMonitor ends it.
func (s *Session) StopMonitor() {
	s.monitorNext = false
	if !s.monitor.Swap(false) {
		return
	}
	m := &s.srv.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = slices.DeleteFunc(slices.Clone(m.list), func(x *Session) bool { return x == s })
	m.n.Store(int32(len(m.list)))
}

// Monitors is the number of sessions in MONITOR mode.
func (s *Server) Monitors() int { return int(s.monitors.n.Load()) }

func (s *Server) feedMonitors(x *Session, spec *command.Spec, args [][]byte, at time.Time) {
	if spec.Flags&(command.Admin|command.SkipMonitor) == 0 {
		s.showMonitors(monitorLine(x, args, at, false))
	}
}

// showMonitors sends a line to those who watch.
func (s *Server) showMonitors(line []byte) {
	m := &s.monitors
	m.mu.Lock()
	list := m.list
	m.mu.Unlock()
	limit := s.limits().OutputNormal
	for _, to := range list {
		to.Push(line, limit)
	}
}

// monitorLine is how a call is shown: by its client's address, or as a script's.
func monitorLine(x *Session, args [][]byte, at time.Time, scripted bool) []byte {
	b := make([]byte, 0, 128)
	b = append(b, '+')
	us := at.UnixMicro()
	b = strconv.AppendInt(b, us/1e6, 10)
	frac := strconv.AppendInt(nil, us%1e6+1e6, 10)
	b = append(append(b, '.'), frac[1:]...)
	b = append(b, " ["...)
	b = strconv.AppendInt(b, int64(x.DB()), 10)
	b = append(b, ' ')
	if scripted {
		b = append(b, "lua"...)
	} else if x.peer.Unix {
		b = append(b, "unix:"...)
		b = append(b, x.peer.Local...)
	} else {
		b = append(b, x.peer.Addr...)
	}
	b = append(b, ']')
	for i, a := range args {
		b = append(b, ' ')
		if isRedacted(x.redact, i) {
			a = []byte(redacted)
		}
		b = appendQuoted(b, a)
	}
	return append(b, '\r', '\n')
}

// appendQuoted appends s in quotes, as Redis's sdscatrepr does.
func appendQuoted(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range s {
		switch c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\a':
			b = append(b, '\\', 'a')
		case '\b':
			b = append(b, '\\', 'b')
		default:
			if c >= ' ' && c <= '~' {
				b = append(b, c)
			} else {
				b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
			}
		}
	}
	return append(b, '"')
}
