package server

import (
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp/command"
)

// pause is the state of CLIENT PAUSE.
type pause struct {
	on   atomic.Bool  // may be set although the time is up
	held atomic.Int64 // calls that are held back

	mu      sync.Mutex
	until   time.Time
	all     bool          // else only commands that write
	changed chan struct{} // closed and replaced at every change
}

// Pause holds commands back, all of them or those that write, until then. A
// pause in force is never shortened or weakened; Unpause does that.
func (s *Server) Pause(until time.Time, all bool) {
	p := &s.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); !p.until.After(now) {
		p.until, p.all = until, all
	} else {
		if until.After(p.until) {
			p.until = until
		}
		p.all = p.all || all
	}
	p.on.Store(true)
	s.paused(p.until)
	p.signal()
}

// Unpause lets commands run again.
func (s *Server) Unpause() {
	p := &s.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Time{}
	p.on.Store(false)
	s.paused(p.until)
	p.signal()
}

func (s *Server) paused(until time.Time) {
	if s.cfg.OnPause != nil {
		s.cfg.OnPause(until)
	}
}

// Paused tells the state of CLIENT PAUSE; left is 0 if nothing is held back.
func (s *Server) Paused() (left time.Duration, all bool) {
	p := &s.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if left = time.Until(p.until); left <= 0 {
		return 0, false
	}
	return left, p.all
}

func (p *pause) signal() {
	if p.changed != nil {
		close(p.changed)
	}
	p.changed = make(chan struct{})
}

// holds reports for how long a command with these flags must wait, unless
// changed is closed before.
func (p *pause) holds(flags command.Flags) (changed <-chan struct{}, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left = time.Until(p.until)
	if left <= 0 {
		p.on.Store(false)
		return nil, 0
	}
	if !p.all && flags&(command.Write|command.MayReplicate) == 0 {
		return nil, 0
	}
	return p.changed, left
}
