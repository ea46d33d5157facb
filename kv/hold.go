package kv

import (
	"math/bits"

	"conclave/resp/command"
)

// A call that takes long (a script) keeps its partitions to itself without their
// mutexes: it marks them as held and unlocks them. Whoever locks one then learns
// that it is held, and can wait for its end with something else to do beside, or
// turn away; a mutex gives no such choice.

var _ command.Holder = (*Store)(nil)

// lock locks one partition. It waits until nobody holds it.
func (p *partition) lock() {
	p.mu.Lock()
	for p.held != nil {
		held := p.held
		p.mu.Unlock()
		<-held
		p.mu.Lock()
	}
}

// LockFree implements [command.Holder].
func (s *Store) LockFree(mask uint64) (held <-chan struct{}) {
	for left := mask; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		p := &s.parts[i]
		p.mu.Lock()
		if p.held == nil {
			continue
		}
		held = p.held
		p.mu.Unlock()
		s.Unlock(mask & (1<<i - 1))
		return held
	}
	return nil
}

// TryLock implements [command.Holder].
func (s *Store) TryLock(mask uint64) bool {
	for left := mask; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		p := &s.parts[i]
		if p.mu.TryLock() {
			if p.held == nil {
				continue
			}
			p.mu.Unlock()
		}
		s.Unlock(mask & (1<<i - 1))
		return false
	}
	return true
}

// Hold implements [command.Holder].
func (s *Store) Hold(mask uint64) {
	held := make(chan struct{})
	for left := mask; left != 0; left &= left - 1 {
		p := &s.parts[bits.TrailingZeros64(left)]
		if p.held == nil {
			p.held = held
			p.mu.Unlock()
		}
	}
}

// release ends a hold: the partition is neither locked nor held afterwards.
func (p *partition) release() {
	p.mu.Lock()
	held := p.held
	p.held = nil
	p.mu.Unlock()
	// A hold is for several partitions, and ends with the first of them that is
	// released; the others follow at once.
	select {
	case <-held:
	default:
		close(held)
	}
}
