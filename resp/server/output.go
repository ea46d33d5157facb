package server

// keepOutput is the largest output buffer a session keeps between batches.
const keepOutput = 2 * flushAt

// maxBacklog is how much output may wait for a client of a class without a hard
// limit, beyond the soft one. Its further requests are left undone meanwhile.
const maxBacklog = 1 << 20

// flush sends the replies that wait, after the router confirmed that they may
// be. It reports whether the connection goes on.
func (s *Session) flush() bool {
	ok := s.flushReplies()
	s.releasePushes()
	return ok
}

func (s *Session) flushReplies() bool {
	if !s.cleared && !s.awaitFeed() {
		s.unconfirmed()
		return false
	}
	if len(s.stamps) > 0 && !s.confirm() {
		return false
	}
	b := s.w.Bytes()
	if len(b) == 0 {
		return !s.killed.Load()
	}
	err := s.write(b)
	if cap(b) > keepOutput {
		b = nil
	}
	s.w.Reset(b)
	set(&s.outputCap, int64(cap(b)))
	if err != nil {
		s.Kill()
		return false
	}
	return !s.killed.Load() && !s.overLimit(0)
}

func (s *Session) write(b []byte) error {
	s.bytesOut.Add(int64(len(b)))
	s.tally.bytesOut += int64(len(b))
	if s.front == nil {
		s.outMu.Lock()
		defer s.outMu.Unlock()
	}
	_, err := s.out.Write(b)
	return err
}

// confirm asks whether what ran may be acknowledged. If not, nobody may learn
// the replies: the client must see the outcome as unknown.
func (s *Session) confirm() bool {
	stamps := s.stamps
	s.stamps = s.stamps[:0]
	if s.w.Len() == 0 {
		return true // CLIENT REPLY OFF: nothing is acknowledged
	}
	if all := s.srv.confirmer; all != nil {
		if all.ConfirmAll(stamps) {
			return true
		}
		s.unconfirmed()
		return false
	}
	for i := range stamps {
		if !s.srv.cfg.Router.Confirm(stamps[i]) {
			s.unconfirmed()
			return false
		}
	}
	return true
}

func (s *Session) unconfirmed() {
	s.w.Reset(nil)
	s.closing = true
	s.srv.stats.unconfirmed.Add(1)
	s.Kill()
}

// outputLimit is that of the session's class.
func (s *Session) outputLimit() *OutputLimit {
	if s.Replica() {
		return &s.limits.OutputReplica
	}
	if s.pushable && s.Subscribed() {
		return &s.limits.OutputPubSub
	}
	return &s.limits.OutputNormal
}

// overLimit ends a connection whose output, n bytes in the session and what the
// socket hasn't taken yet, is beyond the limits of its class.
func (s *Session) overLimit(n int) bool {
	limit := s.outputLimit()
	kept := 0
	if s.front != nil {
		kept = s.front.backlog()
	}
	total := int64(n + kept)
	over := limit.Hard > 0 && total > limit.Hard
	if !over && kept > 0 && limit.Soft > 0 {
		now := s.clock.time()
		since := s.front.behind(limit.Soft, now)
		over = !since.IsZero() && now.Sub(since) > limit.SoftFor
	}
	if over {
		s.cutOff(total)
	}
	return over
}

// cutOff ends a connection over its output, unsent.
func (s *Session) cutOff(n int64) {
	s.srv.stats.outputLimit.Add(1)
	s.srv.failures.warn(s.srv.log, "client disconnected: output buffer limit", "client", s.id, "addr", s.peer.Addr, "bytes", n)
	s.w.Reset(nil)
	s.stamps = s.stamps[:0]
	s.Kill()
}

// mustWait reports whether the client must read before more of its requests
// are run. One whose class has a hard limit runs into that instead.
func (s *Session) mustWait() bool {
	limit := s.outputLimit()
	if s.front == nil || limit.Hard > 0 {
		return false
	}
	return s.front.backlog() > maxBacklog+int(limit.Soft)
}
