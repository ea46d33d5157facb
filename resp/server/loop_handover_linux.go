//go:build amd64 || arm64

package server

import (
	"runtime"
	"slices"

	"conclave/resp"
)

// handOver gives the loop to another goroutine, because the command that this
// one runs for the connection takes long. It is called from within that command;
// from then on this goroutine is one beside the loop, and ends in handedOver.
//
// What the turn has not yet done is not lost: epoll reports again what is ready,
// and tasks are gone on with where they were left.
func (c *loopConn) handOver() {
	l, s := c.loop, c.session
	s.inline = false
	s.worker = newWorker(l.srv)
	c.beside, c.handed = true, true
	if c.dirty {
		c.dirty = false
		l.dirty = slices.DeleteFunc(l.dirty, func(x *loopConn) bool { return x == c })
	}
	c.port.beside.Add(1)
	c.rearm()
	c.lent = l.shared
	l.shared = resp.NewShared(loopRead) // the parser keeps the other for this batch
	l.set.done.Go(l.run)
}

// handedOver ends the batch of a session whose loop was handed over, and the
// goroutine: what it would return to belongs to the other one.
func (c *loopConn) handedOver() {
	s := c.session
	s.parser.GiveBack(c.lent)
	c.handed, c.lent = false, nil
	s.tally.flush()
	c.goesOn = s.end()
	c.returned.Store(true)
	c.attention()
	c.port.beside.Done()
	runtime.Goexit()
}
