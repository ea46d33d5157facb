package memnet

import (
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// half is one direction of a connection, kept at its reader. Guarded by the
// network's mutex.
type half struct {
	net      *Net
	from, to string
	packets  []packet
	size     int       // bytes in packets
	lastDue  time.Time // packets don't overtake each other
	closed   bool      // a close or reset is among the packets
	changed  chan struct{}
}

// packet arrives at due. Without data it is the end: of the stream, or of the
// connection (reset).
type packet struct {
	due   time.Time
	data  []byte
	reset bool
}

func newHalf(n *Net, from, to string) *half {
	return &half{net: n, from: from, to: to, changed: make(chan struct{})}
}

func (h *half) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// send puts a packet on its way.
func (h *half) send(p packet) {
	p.due = time.Now().Add(h.net.delay(h.from, h.to))
	if p.due.Before(h.lastDue) {
		p.due = h.lastDue
	}
	h.lastDue = p.due
	h.packets = append(h.packets, p)
	h.size += len(p.data)
	h.closed = h.closed || len(p.data) == 0
	h.wake()
}

// reset makes the reader see a reset at due, instead of everything that hasn't
// arrived by then.
func (h *half) reset(due time.Time) {
	keep := h.packets[:0]
	for _, p := range h.packets {
		if p.due.Before(due) && len(p.data) > 0 {
			keep = append(keep, p)
		}
	}
	h.packets = append(keep, packet{due: due, reset: true})
	h.size = 0
	for _, p := range h.packets {
		h.size += len(p.data)
	}
	h.lastDue = due
	h.closed = true
	h.wake()
}

// head is the packet to read now; wait says how long until it is due, and is
// negative if that depends on something else.
func (h *half) head() (p *packet, wait time.Duration) {
	if len(h.packets) == 0 || h.net.held(h.from, h.to) {
		return nil, -1
	}
	p = &h.packets[0]
	if wait := time.Until(p.due); wait > 0 {
		return nil, wait
	}
	return p, 0
}

// conn is one end of a connection. Guarded by the network's mutex but for the
// names.
type conn struct {
	net           *Net
	local, remote Addr
	peer          *conn
	in            *half // towards this end; its channel wakes both reader and writer

	dead          bool // closed at this end
	readDeadline  time.Time
	writeDeadline time.Time
}

var _ net.Conn = (*conn)(nil)

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	c.net.mu.Lock()
	for {
		n, err, wait := c.tryRead(b)
		if n > 0 || err != nil || len(b) == 0 {
			c.net.mu.Unlock()
			return n, c.opError("read", err)
		}
		c.await(wait, c.readDeadline, c.in)
	}
}

// tryRead reads what has arrived. Without anything, wait is as head gives it.
func (c *conn) tryRead(b []byte) (n int, err error, wait time.Duration) {
	if c.dead {
		return 0, net.ErrClosed, 0
	}
	if past(c.readDeadline) {
		return 0, os.ErrDeadlineExceeded, 0
	}
	for n < len(b) {
		p, w := c.in.head()
		if p == nil {
			return n, nil, w
		}
		if len(p.data) == 0 {
			switch {
			case n > 0:
				return n, nil, 0
			case p.reset:
				return 0, syscall.ECONNRESET, 0
			}
			return 0, io.EOF, 0
		}
		k := copy(b[n:], p.data)
		n += k
		c.in.size -= k
		p.data = p.data[k:]
		if len(p.data) == 0 {
			c.in.packets = c.in.packets[1:]
		}
		c.peer.in.wake() // its writer may wait for room
	}
	return n, nil, 0
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.net.mu.Lock()
	n := 0
	for {
		if err := c.writable(); err != nil {
			c.net.mu.Unlock()
			return n, c.opError("write", err)
		}
		out := c.peer.in
		if c.peer.dead {
			// It goes nowhere; the answer to it is a reset.
			if !c.in.closed {
				c.in.reset(time.Now().Add(c.net.delay(c.in.from, c.in.to)))
			}
			c.net.mu.Unlock()
			return len(b), nil
		}
		if room := bufferSize - out.size; room > 0 && n < len(b) {
			k := min(room, len(b)-n)
			out.send(packet{data: append([]byte(nil), b[n:n+k]...)})
			n += k
		}
		if n == len(b) {
			c.net.mu.Unlock()
			return n, nil
		}
		c.await(-1, c.writeDeadline, c.in)
	}
}

// writable reports what forbids writing.
func (c *conn) writable() error {
	if c.dead {
		return net.ErrClosed
	}
	if past(c.writeDeadline) {
		return os.ErrDeadlineExceeded
	}
	if p, _ := c.in.head(); p != nil && p.reset {
		return syscall.ECONNRESET
	}
	return nil
}

// await releases the network's mutex until something changes at a half, a time
// has passed, or a deadline; it holds it again afterwards.
func (c *conn) await(wait time.Duration, deadline time.Time, h *half) {
	changed := h.changed
	if !deadline.IsZero() {
		if d := time.Until(deadline); wait < 0 || d < wait {
			wait = d
		}
	}
	c.net.mu.Unlock()
	defer c.net.mu.Lock()
	if wait < 0 && deadline.IsZero() {
		<-changed
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
}

func past(deadline time.Time) bool { return !deadline.IsZero() && time.Until(deadline) <= 0 }

// Close implements net.Conn. The other side reads what was written, then the
// end.
func (c *conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.dead {
		return c.opError("close", net.ErrClosed)
	}
	// Unread data makes it a reset, as in TCP.
	p, _ := c.in.head()
	c.closeHow(p != nil && len(p.data) > 0)
	return nil
}

// closeHow closes this end and tells the other, by a reset or in order.
func (c *conn) closeHow(reset bool) {
	if c.dead {
		return
	}
	c.dead = true
	c.in.wake()
	c.net.conns = slices.DeleteFunc(c.net.conns, func(o *conn) bool { return o == c })
	c.in.packets, c.in.size = nil, 0
	if c.peer.dead || c.peer.in.closed {
		return
	}
	c.peer.in.send(packet{reset: reset})
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return c.deadline(func() { c.readDeadline, c.writeDeadline = t, t })
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	return c.deadline(func() { c.readDeadline = t })
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.deadline(func() { c.writeDeadline = t })
}

func (c *conn) deadline(set func()) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.dead {
		return c.opError("set", net.ErrClosed)
	}
	set()
	c.in.wake()
	return nil
}

// opError dresses an error as the net package does; io.EOF stays bare.
func (c *conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "mem", Source: c.local, Addr: c.remote, Err: err}
}
