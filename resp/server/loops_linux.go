//go:build amd64 || arm64

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// loops are the server's event loops, there while a TCP listener is served.
type loops struct {
	chunks outChunks

	mu sync.Mutex
	// Guarded by mu.
	set   *loopSet
	users int // listeners served
}

type loopSet struct {
	loops []*loop
	done  sync.WaitGroup
	next  int // of loops, for the next connection; the first loop's goroutine's
}

// ioThreads is the number of event loops that there are or would be.
func (s *Server) ioThreads() int {
	if n := s.cfg.IOThreads; n > 0 {
		return n
	}
	return max(1, min(8, runtime.GOMAXPROCS(0)/2))
}

// acquireLoops starts the loops for the first listener.
func (s *Server) acquireLoops() (*loopSet, error) {
	s.loops.mu.Lock()
	defer s.loops.mu.Unlock()
	if s.loops.users > 0 {
		s.loops.users++
		return s.loops.set, nil
	}
	n := s.ioThreads()
	set := &loopSet{}
	for range n {
		l, err := newLoop(s, set)
		if err != nil {
			for _, l := range set.loops {
				l.poll.close()
			}
			return nil, err
		}
		set.loops = append(set.loops, l)
	}
	// A loop keeps its processor while it waits for work: everybody else needs
	// another one.
	if runtime.GOMAXPROCS(0) <= n {
		runtime.GOMAXPROCS(n + 1)
	}
	for _, l := range set.loops {
		l.raw = runtime.GOMAXPROCS(0) > n
		set.done.Go(l.run)
	}
	s.loops.set, s.loops.users = set, 1
	return set, nil
}

// releaseLoops stops the loops after the last listener.
func (s *Server) releaseLoops() {
	s.loops.mu.Lock()
	defer s.loops.mu.Unlock()
	if s.loops.users--; s.loops.users > 0 {
		return
	}
	for _, l := range s.loops.set.loops {
		l.post(task{do: l.stop})
	}
	s.loops.set.done.Wait()
	s.loops.set = nil
}

// acceptOnLoops serves a TCP listener with event loops until ctx ends. It
// reports whether it did; other listeners are not for it.
func (s *Server) acceptOnLoops(ctx context.Context, ln net.Listener) (bool, error) {
	tl, ok := ln.(*net.TCPListener)
	if !ok {
		return false, nil
	}
	fd, err := duplicate(tl)
	if err != nil {
		return true, fmt.Errorf("accept: %w", err)
	}
	set, err := s.acquireLoops()
	if err != nil {
		return true, errors.Join(fmt.Errorf("event loops: %w", err), syscall.Close(fd))
	}
	defer s.releaseLoops()
	p := &port{srv: s, fd: fd, conns: map[*loopConn]bool{}, empty: make(chan struct{})}
	failed := make(chan error, 1)
	first := set.loops[0]
	first.post(task{do: func() {
		first.ports = append(first.ports, p)
		if err := first.poll.add(fd, syscall.EPOLLIN); err != nil {
			failed <- err
		}
	}})
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopped := make(chan struct{})
	first.post(task{do: func() { p.stop(first); close(stopped) }})
	<-stopped
	p.drain()
	return true, err
}

// duplicate is a descriptor of the listening socket that the runtime doesn't
// watch.
func duplicate(tl *net.TCPListener) (fd int, err error) {
	raw, err := tl.SyscallConn()
	if err != nil {
		return -1, err
	}
	var errno syscall.Errno
	err = raw.Control(func(of uintptr) {
		var n uintptr
		n, _, errno = syscall.RawSyscall(syscall.SYS_FCNTL, of, syscall.F_DUPFD_CLOEXEC, 0)
		fd = int(n)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("fcntl", errno)
	}
	return fd, err
}

// port is a listening socket and the connections that came through it. The
// first loop accepts, and deals them out.
type port struct {
	srv     *Server
	fd      int
	resting bool // not watched: accepting failed. Owned by the first loop.
	beside  sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	conns  map[*loopConn]bool
	closed bool          // no more will come
	empty  chan struct{} // closed when closed and no conns are left
}

// acceptAtMost connections are accepted per turn.
const acceptAtMost = 128

func (p *port) accept(l *loop) {
	for range acceptAtMost {
		fd, sa, err := syscall.Accept4(p.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch err {
		case nil:
			p.welcome(l, fd, sa)
		case syscall.EINTR, syscall.ECONNABORTED:
		case syscall.EAGAIN:
			return
		default:
			// Out of descriptors, mostly: others may be closed soon.
			p.srv.failures.warn(p.srv.log, "accept failed", "err", err)
			p.resting = l.poll.change(p.fd, 0) == nil
			return
		}
	}
}

// wake tries again after a failure.
func (p *port) wake(l *loop) {
	if p.resting {
		p.resting = l.poll.change(p.fd, syscall.EPOLLIN) != nil
	}
}

// welcome makes a connection of an accepted socket, or refuses it.
func (p *port) welcome(l *loop, fd int, sa syscall.Sockaddr) {
	from := addrPort(sa)
	if text := p.srv.unwelcome(from.Addr().IsLoopback()); text != "" {
		send(fd, []byte(text)) // best effort, as in Redis
		_ = syscall.Close(fd)
		p.srv.stats.refusedConns.Add(1)
		return
	}
	p.setOptions(fd)
	peer := Peer{Addr: from.String(), FD: fd, Loopback: from.Addr().IsLoopback()}
	if local, err := syscall.Getsockname(fd); err == nil {
		at := addrPort(local)
		peer.Local, peer.Host = at.String(), at.Addr().String()
	}
	set := l.set
	to := set.loops[set.next%len(set.loops)]
	set.next++
	c := &loopConn{loop: to, port: p, fd: fd, kept: outQueue{free: &p.srv.loops.chunks}}
	c.session = p.srv.NewSession(peer, c)
	c.session.worker = to.worker
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	if to == l {
		l.add(c)
		return
	}
	to.post(task{do: func() { to.add(c) }})
}

// setOptions sets what can be set; a connection is as good without.
func (p *port) setOptions(fd int) {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	keep := p.srv.limits().TCPKeepAlive
	if keep <= 0 {
		return
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, max(1, int(keep/time.Second)))
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, max(1, int(keep/3/time.Second)))
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3)
}

func addrPort(sa syscall.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			if ifi, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				ip = ip.WithZone(ifi.Name)
			}
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// stop closes the listening socket. It runs on the first loop.
func (p *port) stop(l *loop) {
	for i, q := range l.ports {
		if q == p {
			l.ports = append(l.ports[:i:i], l.ports[i+1:]...)
			break
		}
	}
	_ = l.poll.remove(p.fd)
	_ = syscall.Close(p.fd)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.checkEmpty()
}

func (p *port) gone(c *loopConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	p.checkEmpty()
}

// checkEmpty is called with mu held, after every change that can make it so.
func (p *port) checkEmpty() {
	if p.closed && len(p.conns) == 0 {
		close(p.empty)
	}
}

func (p *port) each(visit func(*loopConn)) {
	p.mu.Lock()
	all := make([]*loopConn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		visit(c)
	}
}

// drain ends the connections: at once those between two batches, after a while
// those that run something beside their loop.
func (p *port) drain() {
	p.each(func(c *loopConn) { c.loop.post(task{do: c.leaveOff}) })
	t := time.NewTimer(drainTime)
	defer t.Stop()
	select {
	case <-p.empty:
	case <-t.C:
		p.each(func(c *loopConn) { c.session.Kill() })
		<-p.empty
	}
	p.beside.Wait()
}

// leaveOff ends a connection after the batch it is in.
func (c *loopConn) leaveOff() {
	if !c.beside {
		c.end()
		return
	}
	c.lastBatch = true
}
