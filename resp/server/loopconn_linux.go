//go:build amd64 || arm64

package server

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"conclave/resp"
)

// loopConn is a connection of an event loop.
type loopConn struct {
	loop    *loop
	port    *port
	fd      int
	session *Session

	// Of the loop's goroutine.
	armed  uint32 // what epoll watches for
	lost   bool   // the peer is gone, and epoll watches no more
	dirty  bool   // in loop.dirty
	doomed bool   // in loop.doomed
	ending bool   // to be closed once the output is sent
	beside bool   // a goroutine has the session
	hold   hold
	// lastBatch: what it runs there is the last it may run.
	lastBatch bool
	// handed: the loop was handed over while it ran a command of this connection;
	// lent is the memory of the loop that the parser has until the batch ends.
	// Of that goroutine.
	handed bool
	lent   *resp.Shared

	returned atomic.Bool // that goroutine is done with it,
	goesOn   bool        // and this is what Process said
	posted   atomic.Bool // a task for it is in the loop's queue

	left atomic.Int64 // kept.size

	mu sync.Mutex
	// Guarded by mu, as are changes of left: output that the socket hasn't
	// taken.
	kept  outQueue
	since time.Time // see behind
	dead  bool      // the socket failed: output goes nowhere
}

// ready is called when epoll says so.
func (c *loopConn) ready(events uint32) {
	const hangup = syscall.EPOLLHUP | syscall.EPOLLERR
	switch {
	case c.doomed:
		return
	case c.beside && events&hangup != 0:
		// It would be reported again and again.
		c.lost = c.loop.poll.remove(c.fd) == nil
		c.session.Kill() // ends what it waits for
		return
	case c.session.parked() && events&(hangup|syscall.EPOLLRDHUP) != 0:
		c.doom() // its input is not read meanwhile: it would be reported again
		return
	case c.hold.on:
		if events&hangup != 0 {
			c.doom()
			return
		}
		c.drain()
		return
	}
	if events&(syscall.EPOLLOUT|hangup) != 0 {
		c.drain()
	}
	if events&(syscall.EPOLLIN|hangup) != 0 && !c.beside && !c.ending && !c.doomed {
		if s := c.session; !s.stalled && !s.leave && !s.parked() {
			c.read()
		}
	}
}

// read takes what the client sent and runs it.
func (c *loopConn) read() {
	s := c.session
	s.parser.Borrow(c.loop.shared)
	n, errno := recv(c.fd, s.parser.Space())
	switch {
	case n > 0 && errno == 0:
		s.Fed(n)
		c.work()
		return
	case errno == syscall.EAGAIN:
	default:
		c.doom()
	}
	s.parser.GiveBack(c.loop.shared)
}

// work runs the commands that have come.
func (c *loopConn) work() {
	s, l := c.session, c.loop
	c.hold.cleared = false
	if s.w.Cap() == 0 {
		s.w.Reset(l.output())
	}
	s.inline = true
	s.begin(l.now)
	s.clock.lap() // the turn began before
	s.work()
	if c.handed {
		c.handedOver()
	}
	s.inline = false
	s.parser.GiveBack(l.shared)
	if !c.dirty {
		c.dirty = true
		l.dirty = append(l.dirty, c)
	}
}

// finish sends the replies, and goes on from what stopped the work.
func (c *loopConn) finish() {
	c.dirty = false
	c.hold = hold{}
	if c.doomed {
		return // since it ran something: there is nobody to reply to
	}
	s := c.session
	s.cleared = true
	ok := s.end()
	s.cleared = false
	c.loop.reuse(s.w.Bytes())
	s.w.Reset(nil)
	set(&s.outputCap, 0)
	switch {
	case !ok:
		c.end()
	case s.leave:
		c.goBeside()
	case s.stalled:
		c.attention() // perhaps it needn't any more
	default:
		c.rearm()
	}
}

// goBeside lets a goroutine have the session until it has run its input.
func (c *loopConn) goBeside() {
	c.beside = true
	c.rearm()
	s := c.session
	s.leave = false
	s.worker = newWorker(c.loop.srv)
	c.port.beside.Go(func() {
		c.goesOn = s.Process()
		c.returned.Store(true)
		c.attention()
	})
}

// back takes the session from the goroutine.
func (c *loopConn) back() {
	c.returned.Store(false)
	c.beside = false
	s := c.session
	s.worker = c.loop.worker
	c.loop.reuse(s.w.Bytes())
	s.w.Reset(nil)
	set(&s.outputCap, 0)
	s.parser.GiveBack(c.loop.shared)
	if !c.goesOn || c.lastBatch || s.killed.Load() {
		c.end()
		return
	}
	c.rearm()
}

// attention makes the loop attend to the connection. Any goroutine may call it.
func (c *loopConn) attention() {
	if !c.posted.Swap(true) {
		c.loop.post(task{conn: c})
	}
}

// attend is the answer.
func (c *loopConn) attend() {
	c.posted.Store(false)
	if c.beside && c.returned.Load() {
		c.back()
	}
	switch {
	case c.doomed:
	case !c.beside && c.session.killed.Load():
		c.doom()
	default:
		if s := c.session; !c.beside && !c.ending && s.parked() && s.wait.over.Load() {
			c.work()
		}
		c.drain()
	}
}

// wake implements waker.
func (c *loopConn) wake() { c.attention() }

// drain sends what is kept, as far as it goes.
func (c *loopConn) drain() {
	left, dead := c.sendKept()
	s := c.session
	switch {
	case c.beside:
	case dead || c.ending && left == 0:
		c.doom()
		return
	case s.stalled && left < maxBacklog/2 && !c.ending && !c.hold.on:
		c.work() // what it had to leave undone
	}
	c.rearm()
}

// rearm has epoll watch for what can be used now.
func (c *loopConn) rearm() {
	var want uint32
	if c.backlog() > 0 {
		want |= syscall.EPOLLOUT
		c.loop.waiting[c] = true
	} else if len(c.loop.waiting) > 0 {
		delete(c.loop.waiting, c)
	}
	switch {
	case c.beside || c.ending || c.session.stalled || c.hold.on:
	case c.session.parked():
		want |= syscall.EPOLLRDHUP
	default:
		want |= syscall.EPOLLIN
	}
	c.watch(want)
}

func (c *loopConn) watch(events uint32) {
	if c.armed == events || c.doomed || c.lost {
		return
	}
	c.armed = events
	if err := c.loop.poll.change(c.fd, events); err != nil {
		c.loop.srv.failures.warn(c.loop.srv.log, "client not watched", "err", err)
		c.session.Kill()
	}
}

// end closes the connection once its output is sent; at once if it was killed.
func (c *loopConn) end() {
	if !c.session.killed.Load() && c.backlog() > 0 {
		c.ending = true
		c.rearm()
		return
	}
	c.doom()
}

// doom closes the connection at the end of the turn.
func (c *loopConn) doom() {
	if !c.doomed {
		c.doomed = true
		c.loop.doomed = append(c.loop.doomed, c)
	}
}

// shut closes the socket and ends the session.
func (c *loopConn) shut() {
	c.mu.Lock()
	c.dead = true
	c.measure()
	c.mu.Unlock()
	delete(c.loop.waiting, c)
	c.loop.conns[c.fd] = nil
	c.session.Close()
	_ = syscall.Close(c.fd) // its errors are the peer's
	c.port.gone(c)
}

// Write implements io.Writer for the session's owner. It never blocks.
func (c *loopConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return 0, syscall.EPIPE
	}
	n := 0
	if c.kept.size == 0 {
		var errno syscall.Errno
		if n, errno = send(c.fd, b); errno != 0 && errno != syscall.EAGAIN {
			c.dead = true
			return 0, errno
		}
	}
	if n < len(b) {
		c.kept.add(b[n:])
		c.measure()
		// Its owner may be a goroutine beside the loop.
		c.attention()
	}
	return len(b), nil
}

// sendKept sends what the socket takes of what is kept.
func (c *loopConn) sendKept() (left int, dead bool) {
	if c.backlog() == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return 0, c.dead
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.dead && c.kept.size > 0 {
		b := c.kept.next()
		n, errno := send(c.fd, b[:min(len(b), writeChunk)])
		if errno == syscall.EAGAIN {
			break
		}
		c.dead = errno != 0
		if n > 0 {
			c.kept.took(n)
		}
	}
	c.measure()
	if c.kept.size == 0 {
		c.session.tellDrained()
	}
	return c.kept.size, c.dead
}

// measure settles what is kept after a change.
func (c *loopConn) measure() {
	if c.dead {
		c.kept.clear()
	}
	c.left.Store(int64(c.kept.size))
}

// Close implements io.Closer: it makes the loop close the connection. Any
// goroutine may call it.
func (c *loopConn) Close() error {
	c.attention()
	return nil
}

func (c *loopConn) backlog() int { return int(c.left.Load()) }

func (c *loopConn) behind(than int64, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.left.Load() <= than:
		c.since = time.Time{}
	case c.since.IsZero():
		c.since = now
	}
	return c.since
}

func (c *loopConn) push(b []byte, limit OutputLimit) {
	c.mu.Lock()
	over := c.left.Load()+int64(len(b)) > limit.Hard
	if !over && !c.dead {
		c.kept.add(b)
		c.measure()
	}
	s := c.session
	c.mu.Unlock()
	if over {
		s.notKeepingUp()
		return
	}
	s.bytesOut.Add(int64(len(b)))
	c.loop.srv.stats.bytesOut.Add(int64(len(b)))
	c.attention()
}

// checkSoftLimit ends the connection if its client has been behind for too
// long.
func (c *loopConn) checkSoftLimit() {
	if c.beside || c.doomed {
		return
	}
	s := c.session
	s.limits = c.loop.srv.limits()
	s.clock.set(c.loop.now)
	s.overLimit(0)
}
