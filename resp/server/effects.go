package server

import "conclave/resp/command"

// effects is what a session passes on to the server's feed.
type effects struct {
	unit command.Unit
	open bool // calls are gathered until closeUnit
	// held is the mask of the partitions that the session has locked for what it
	// runs.
	held uint64
}

// fed reports whether somebody keeps the data a second time. Partitions are
// locked.
func (s *Server) fed() bool { return s.cfg.Feed != nil && s.cfg.Feed.Wanted() }

// changes counts the changes in the partitions so far, which are locked. What
// ran since can be told by another count.
func (s *Server) changes(mask uint64) int64 {
	if s.counter == nil || mask == 0 {
		return 0
	}
	return s.counter.Changes(mask)
}

// run runs the handler of a call, with the partitions of held locked, and passes
// its effects on. Whoever runs a handler that may write runs it through this:
// the session itself, a transaction, a script, a call that was blocked. A handler
// that runs others so says NoEffect of itself.
func (s *Session) run(c *command.Ctx, run func(*command.Ctx)) {
	kept := s.srv.fed()
	c.Keep(kept)
	if !kept {
		run(c)
		return
	}
	before := s.srv.changes(s.effects.held)
	run(c)
	s.keep(c, before)
}

// keep passes on what a call has done, which ran with the partitions of held
// locked; they still are. before is the count of changes before it ran.
func (s *Session) keep(c *command.Ctx, before int64) {
	calls, rewritten := c.TakeEffects()
	e := &s.effects
	switch {
	case rewritten:
		for _, args := range calls {
			e.unit.Add(s.DB(), args...)
		}
	case s.srv.counter != nil && s.srv.changes(e.held) != before, s.srv.counter == nil && c.Spec.Flags&command.Write != 0:
		e.unit.Add(s.DB(), c.Args...)
	}
	if !e.open {
		s.pass(c.NowMs)
	}
}

// pass hands the unit on and begins the next one.
func (s *Session) pass(nowMs int64) {
	u := &s.effects.unit
	if u.Len() > 0 {
		u.NowMs = nowMs
		s.srv.cfg.Feed.Feed(u)
		u.Reset()
	}
}

// openUnit makes the effects of the calls that follow belong together, up to
// closeUnit: those of a transaction, or of a script. It reports whether they
// did not already, and closeUnit is the caller's to call.
func (s *Session) openUnit() bool {
	if s.effects.open {
		return false
	}
	s.effects.open = true
	return true
}

// closeUnit passes the unit on. The partitions of what it changed are locked.
func (s *Session) closeUnit() {
	s.effects.open = false
	s.pass(s.call.NowMs)
}

// awaitFeed waits until the replies so far may leave. It reports whether they
// may. Not for an event loop.
func (s *Session) awaitFeed() bool {
	feed := s.srv.cfg.Feed
	if feed == nil || s.w.Len() == 0 {
		return true
	}
	position := feed.Hold()
	return position == 0 || feed.Released(position) || feed.Wait(position, s.Context().Done())
}

// mustHold reports whether replies that are ready now have to wait.
func (s *Session) mustHold() bool {
	feed := s.srv.cfg.Feed
	if feed == nil {
		return false
	}
	position := feed.Hold()
	return position != 0 && !feed.Released(position)
}
