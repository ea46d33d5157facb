//go:build amd64 || arm64

package server

// Replies of an event loop's clients that have to wait for the feed (to be on
// disk) are held back, all those of a turn together, and the loop goes on with
// other clients: the next ones share the next wait.

// hold is the state of one connection.
type hold struct {
	on       bool
	position int64 // that has to be released
	cleared  bool  // it was, and nothing has run since
}

// holdReplies holds back what may not leave yet. It is called when the turn's
// commands have run.
func (l *loop) holdReplies() {
	feed := l.srv.cfg.Feed
	if feed == nil || len(l.dirty) == 0 {
		return
	}
	position := feed.Hold()
	if position == 0 || feed.Released(position) {
		return
	}
	rest := l.dirty[:0]
	for _, c := range l.dirty {
		if c.hold.cleared || c.session.w.Len() == 0 {
			rest = append(rest, c)
			continue
		}
		c.dirty = false
		c.hold.position = position
		if !c.hold.on {
			c.hold.on = true
			l.held = append(l.held, c)
		}
	}
	clear(l.dirty[len(rest):])
	l.dirty = rest
	l.holding.Store(len(l.held) > 0)
	if feed.Released(position) {
		l.releaseReplies() // nobody may have seen that somebody waits
	}
}

// releaseReplies lets those leave that may by now. A task.
func (l *loop) releaseReplies() {
	feed := l.srv.cfg.Feed
	rest := l.held[:0]
	for _, c := range l.held {
		switch {
		case !c.hold.on || c.doomed:
		case !feed.Released(c.hold.position):
			rest = append(rest, c)
		default:
			c.hold = hold{cleared: true}
			if !c.dirty {
				c.dirty = true
				l.dirty = append(l.dirty, c)
			}
		}
	}
	clear(l.held[len(rest):])
	l.held = rest
	l.holding.Store(len(rest) > 0)
}

// releaseReplies tells the loops to look at what they hold back. It doesn't
// block.
func (s *Server) releaseReplies() {
	s.loops.mu.Lock()
	defer s.loops.mu.Unlock()
	if s.loops.set == nil {
		return
	}
	for _, l := range s.loops.set.loops {
		if l.holding.Load() {
			l.post(task{do: l.releaseReplies})
		}
	}
}
