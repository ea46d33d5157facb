package server

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is the socket of one session: a goroutine that reads, has the session
// run what it read, and writes.
type conn struct {
	srv     *Server
	nc      net.Conn
	session *Session

	stopping atomic.Bool // no input is taken any more
}

func (s *Server) newConn(nc net.Conn) *conn {
	if tc, ok := plain(nc).(*net.TCPConn); ok {
		keep := s.limits().TCPKeepAlive
		tc.SetKeepAliveConfig(net.KeepAliveConfig{Enable: keep > 0, Idle: keep, Interval: keep / 3, Count: 3})
	}
	c := &conn{srv: s, nc: nc}
	c.session = s.NewSession(peerOf(nc), c)
	return c
}

func peerOf(nc net.Conn) Peer {
	p := Peer{FD: descriptor(nc), Loopback: isLocal(nc)}
	_, p.TLS = nc.(*tls.Conn)
	if nc.LocalAddr().Network() == "unix" {
		p.Unix = true
		p.Local = nc.LocalAddr().String() + ":0"
		p.Addr = p.Local
		return p
	}
	p.Addr, p.Local = nc.RemoteAddr().String(), nc.LocalAddr().String()
	if host, _, err := net.SplitHostPort(p.Local); err == nil {
		p.Host = host
	}
	return p
}

// plain is the connection below TLS, if that is used.
func plain(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		return t.NetConn()
	}
	return nc
}

func descriptor(nc net.Conn) int {
	fd := -1
	if sc, ok := plain(nc).(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			raw.Control(func(n uintptr) { fd = int(n) })
		}
	}
	return fd
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// handshakeTime is how long a client may take for the handshake of TLS.
const handshakeTime = 10 * time.Second

// handshake begins TLS, if that is used. It reports whether the connection goes
// on. Nobody interrupts it: nothing has been run yet that could wait.
func (c *conn) handshake() bool {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return true
	}
	c.nc.SetDeadline(time.Now().Add(handshakeTime))
	err := t.Handshake()
	c.nc.SetDeadline(time.Time{})
	if err != nil {
		c.srv.log.Debug("TLS handshake failed", "from", c.session.peer.Addr, "err", err)
	}
	// leaveOff may have come before the deadline was lifted.
	return err == nil && !c.stopping.Load()
}

// pump runs until the connection ends.
func (c *conn) pump() {
	defer c.session.Close()
	defer c.nc.Close()
	if !c.handshake() {
		return
	}
	for {
		n, err := c.nc.Read(c.session.Input())
		if n > 0 {
			c.session.Fed(n)
			if !c.session.Process() {
				return
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) { // wake or leaveOff
			c.nc.SetReadDeadline(time.Time{})
			if c.stopping.Load() || !c.session.Process() {
				return
			}
			continue
		}
		if err != nil {
			return
		}
	}
}

// wake implements waker: it interrupts the read.
func (c *conn) wake() {
	c.nc.SetReadDeadline(longAgo)
}

// leaveOff ends the connection after the batch it is in.
func (c *conn) leaveOff() {
	c.stopping.Store(true)
	c.nc.SetReadDeadline(longAgo)
}

// writeChunk is how much must get through within the idle timeout.
const writeChunk = 256 << 10

// Write sends b in full. A client that doesn't read blocks only its own
// session, for ever, or until the idle timeout if there is one.
func (c *conn) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if limit := c.srv.limits().Timeout; limit > 0 {
			c.nc.SetWriteDeadline(time.Now().Add(limit))
		}
		m, err := c.nc.Write(b[n:min(n+writeChunk, len(b))])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close makes pump return. It doesn't block: the end of TLS, which is a message,
// is pump's to send.
func (c *conn) Close() error { return plain(c.nc).Close() }
