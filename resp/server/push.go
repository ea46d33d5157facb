package server

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// pushes is output that doesn't answer a request: messages, invalidations,
// MONITOR's lines.
//
// While the owner of a session that may get any runs a command, they are held:
// they go out behind its reply. Otherwise they go to the event loop's connection,
// or, without one, to a goroutine per session that is started with the first.
type pushes struct {
	// waiting is whether buf has anything.
	waiting atomic.Bool

	mu      sync.Mutex
	buf     []byte
	held    bool
	answers bool      // a call that waited is being answered, by whoever ended its wait
	since   time.Time // since when more than the soft limit has waited
	started bool
	stopped bool
	cut     bool // the client didn't keep up and is being disconnected
	wake    chan struct{}
	done    sync.WaitGroup
}

func (p *pushes) init() { p.wake = make(chan struct{}, 1) }

func (p *pushes) size() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.buf))
}

func (p *pushes) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.done.Wait()
}

// maxPush bounds what may wait for a client whose class has no limit.
const maxPush = 32 << 20

// Push queues bytes to be sent between replies. It never blocks; a client that
// doesn't keep up is disconnected. Any goroutine may call it, with any lock but
// the session's own.
func (s *Session) Push(b []byte, limit OutputLimit) {
	if limit.Hard <= 0 {
		limit.Hard = maxPush
	}
	p := &s.pushes
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		return
	}
	held := p.held || p.answers
	if s.front != nil && !held {
		p.mu.Unlock()
		s.front.push(b, limit)
		return
	}
	over := p.over(len(b), limit)
	if !over {
		p.buf = append(p.buf, b...)
		p.waiting.Store(true)
	}
	if !held && !p.started {
		p.started = true
		p.done.Go(s.sendPushes)
	}
	p.mu.Unlock()
	switch {
	case over:
		s.notKeepingUp()
	case !held:
		p.signal()
	}
}

// over reports whether more bytes are beyond the limit. The lock is held.
func (p *pushes) over(more int, limit OutputLimit) bool {
	n := int64(len(p.buf) + more)
	if n > limit.Hard {
		return true
	}
	if limit.Soft <= 0 || n <= limit.Soft {
		p.since = time.Time{}
		return false
	}
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	return now.Sub(p.since) > limit.SoftFor
}

func (p *pushes) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// keep queues bytes of the owner's behind the reply under way.
func (p *pushes) keep(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = append(p.buf, b...)
	p.waiting.Store(true)
}

// holdPushes keeps pushes back until takePushes or releasePushes. From now on
// the session does so for every command. Owner only.
func (s *Session) holdPushes() {
	s.pushable = true
	if s.holding {
		return
	}
	s.holding = true
	s.pushes.mu.Lock()
	s.pushes.held = true
	s.pushes.mu.Unlock()
}

// takePushes writes what has been held behind the replies so far, unless the
// reply of a transaction is being written. Owner only.
func (s *Session) takePushes() {
	p := &s.pushes
	if !s.holding || s.call.InExec || !p.waiting.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.w.Raw(p.buf)
	p.empty()
}

func (p *pushes) empty() {
	p.waiting.Store(false)
	if p.buf = p.buf[:0]; cap(p.buf) > keepOutput {
		p.buf = nil
	}
}

// releasePushes lets pushes go out by themselves again: the replies are on their
// way. Owner only.
func (s *Session) releasePushes() {
	if !s.holding {
		return
	}
	s.holding = false
	p := &s.pushes
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	if !p.answers {
		s.letGo()
	}
}

// holdForAnswer keeps pushes back while a call that waited is being answered, so
// that what the answer causes follows it.
func (s *Session) holdForAnswer() {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	s.pushes.answers = true
}

// stopHolding ends that, where there was no answer after all.
func (s *Session) stopHolding() {
	p := &s.pushes
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answers = false; !p.held {
		s.letGo()
	}
}

// takeOver makes what was held for the answer the owner's to take or release. Owner
// only.
func (s *Session) takeOver() {
	p := &s.pushes
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answers {
		p.answers, p.held, s.holding = false, true, true
	}
}

// letGo sends what has been held on its way. The lock is held.
func (s *Session) letGo() {
	p := &s.pushes
	switch {
	case len(p.buf) == 0 || p.stopped:
	case s.front != nil:
		s.front.push(p.buf, OutputLimit{Hard: math.MaxInt64}) // it was within the limit when it came
		p.empty()
	default:
		if !p.started {
			p.started = true
			p.done.Go(s.sendPushes)
		}
		p.signal()
	}
}

// notKeepingUp ends a connection over what was pushed to it. Any goroutine may
// call it.
func (s *Session) notKeepingUp() {
	p := &s.pushes
	p.mu.Lock()
	again := p.cut || p.stopped || s.killed.Load()
	p.cut = true
	if !again && s.front == nil {
		// Closing may wait for a client that doesn't read, and whoever pushes
		// holds locks.
		p.done.Go(s.Kill)
	}
	p.mu.Unlock()
	if again {
		return
	}
	s.srv.stats.outputLimit.Add(1)
	s.srv.failures.warn(s.srv.log, "client disconnected: it doesn't keep up", "client", s.id, "addr", s.peer.Addr)
	if s.front != nil {
		s.Kill()
	}
}

// sendPushes runs until the session ends.
func (s *Session) sendPushes() {
	p := &s.pushes
	ended := s.Context().Done()
	for {
		select {
		case <-p.wake:
		case <-ended:
			return
		}
		s.outMu.Lock()
		n, err := s.sendQueued()
		s.outMu.Unlock()
		s.bytesOut.Add(int64(n))
		s.srv.stats.bytesOut.Add(int64(n))
		if err != nil {
			s.Kill()
			return
		}
	}
}

// sendQueued writes what is queued, if it isn't held. outMu is held, so that
// nothing the owner writes comes in between.
func (s *Session) sendQueued() (int, error) {
	p := &s.pushes
	p.mu.Lock()
	b := p.buf
	if p.held || p.answers || len(b) == 0 {
		p.mu.Unlock()
		return 0, nil
	}
	p.buf = nil
	p.waiting.Store(false)
	p.mu.Unlock()
	return s.out.Write(b)
}
