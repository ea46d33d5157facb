package raftnode

import "time"

// Clock is the time a node lives by: leases and silence are measured with it,
// so that tests can give every node a clock of its own rate.
type Clock interface {
	// Mono is monotonic time since some fixed instant. It counts the time a
	// process is stopped.
	Mono() time.Duration
	// WallMs is Unix time in milliseconds; for display and history only.
	WallMs() int64
}

// SystemClock reads Go's monotonic clock.
type SystemClock struct{ start time.Time }

// NewSystemClock starts a clock at zero.
func NewSystemClock() *SystemClock { return &SystemClock{start: time.Now()} }

// Mono implements Clock.
func (c *SystemClock) Mono() time.Duration { return time.Since(c.start) }

// WallMs implements Clock.
func (c *SystemClock) WallMs() int64 { return time.Now().UnixMilli() }
