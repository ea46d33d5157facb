package raftnode

import (
	"context"
	"sync"
)

// turn is a lock that is waited for no longer than a context lasts.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) bool {
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t turn) release() { <-t }

// seal keeps proposals out of a private log that is about to be left. A
// proposal is inside while it is being handed to Raft; who seals waits for
// those, and a barrier then covers what they handed over. Nobody waits with a
// lock held, so a hanging disk doesn't keep others from looking.
type seal struct {
	mu     sync.Mutex
	closed bool
	inside int
	empty  chan struct{} // not nil: closes when nobody is inside
}

// enter lets a proposal in, unless the log is sealed; it must leave.
func (s *seal) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.inside++
	return true
}

func (s *seal) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	if s.inside == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// set lets nothing in any more and waits until nobody is inside. An error
// leaves it open.
func (s *seal) set(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	if s.inside > 0 && s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.mu.Unlock()
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		s.open()
		return ctx.Err()
	}
}

func (s *seal) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = false
}

// shut is set's effect before anything runs.
func (s *seal) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func (s *seal) isSet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
