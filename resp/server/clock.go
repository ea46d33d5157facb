package server

import "time"

// clock is the time as a session sees it. The wall clock is read once per
// batch; within it only what has passed since, which costs half as much.
type clock struct {
	start time.Time
	unix  int64         // start, in nanoseconds
	at    time.Duration // the last reading, since start
}

// set starts over at a reading of the clock.
func (c *clock) set(now time.Time) { c.start, c.unix, c.at = now, now.UnixNano(), 0 }

// lap is what has passed since the last reading; it is a reading itself.
func (c *clock) lap() time.Duration {
	at := time.Since(c.start)
	d := at - c.at
	c.at = at
	return d
}

// ms is the last reading in Unix milliseconds.
func (c *clock) ms() int64 { return (c.unix + int64(c.at)) / int64(time.Millisecond) }

// time is the last reading.
func (c *clock) time() time.Time { return c.start.Add(c.at) }
