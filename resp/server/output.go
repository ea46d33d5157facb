package server

import "sync"

// keepOutput is the largest output buffer a session keeps between batches.
const keepOutput = 2 * flushAt

// flush sends the replies that wait, after the router confirmed that they may
// be. It reports whether the connection goes on.
func (s *Session) flush() bool {
	if len(s.stamps) > 0 && !s.confirm() {
		return false
	}
	b := s.w.Bytes()
	if len(b) == 0 {
		return !s.killed.Load()
	}
	s.outMu.Lock()
	_, err := s.out.Write(b)
	s.outMu.Unlock()
	s.bytesOut.Add(int64(len(b)))
	s.srv.stats.bytesOut.Add(int64(len(b)))
	if cap(b) > keepOutput {
		b = nil
	}
	s.w.Reset(b)
	s.outputCap.Store(int64(cap(b)))
	if err != nil {
		s.Kill()
		return false
	}
	return !s.killed.Load()
}

// confirm asks whether what ran may be acknowledged. If not, nobody may learn
// the replies: the client must see the outcome as unknown.
func (s *Session) confirm() bool {
	stamps := s.stamps
	s.stamps = s.stamps[:0]
	if s.w.Len() == 0 {
		return true // CLIENT REPLY OFF: nothing is acknowledged
	}
	for i := range stamps {
		if !s.srv.cfg.Router.Confirm(stamps[i]) {
			s.w.Reset(nil)
			s.closing = true
			s.srv.stats.unconfirmed.Add(1)
			s.Kill()
			return false
		}
	}
	return true
}

// overLimit ends a connection whose output is beyond its class's hard limit.
// Output waits only within a batch, so the soft limit can't be reached here.
func (s *Session) overLimit(l *Limits, n int) bool {
	if l.OutputNormal.Hard <= 0 || int64(n) <= l.OutputNormal.Hard {
		return false
	}
	s.srv.stats.outputLimit.Add(1)
	s.srv.failures.warn(s.srv.log, "client disconnected: output buffer limit", "client", s.id, "addr", s.peer.Addr, "bytes", n)
	s.w.Reset(nil)
	s.Kill()
	return true
}

// pushes is output that doesn't answer a request. One goroutine per session
// sends it, started with the first push.
type pushes struct {
	mu      sync.Mutex
	buf     []byte
	started bool
	stopped bool
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
// doesn't keep up is disconnected. Any goroutine may call it.
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
	if !p.started {
		p.started = true
		p.done.Go(s.sendPushes)
	}
	over := int64(len(p.buf)+len(b)) > limit.Hard
	if !over {
		p.buf = append(p.buf, b...)
	}
	p.mu.Unlock()
	if over {
		s.srv.stats.outputLimit.Add(1)
		s.srv.failures.warn(s.srv.log, "client disconnected: it doesn't keep up", "client", s.id, "addr", s.peer.Addr)
		s.Kill()
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// sendPushes runs until the session ends.
func (s *Session) sendPushes() {
	p := &s.pushes
	var spare []byte
	for {
		select {
		case <-p.wake:
		case <-s.ctx.Done():
			return
		}
		p.mu.Lock()
		b := p.buf
		p.buf = spare[:0]
		p.mu.Unlock()
		if len(b) == 0 {
			spare = b
			continue
		}
		s.outMu.Lock()
		_, err := s.out.Write(b)
		s.outMu.Unlock()
		s.bytesOut.Add(int64(len(b)))
		s.srv.stats.bytesOut.Add(int64(len(b)))
		if err != nil {
			s.Kill()
			return
		}
		if spare = b; cap(spare) > keepOutput {
			spare = nil
		}
	}
}
