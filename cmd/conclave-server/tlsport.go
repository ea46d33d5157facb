package main

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// tlsPort is a listener for clients that speak TLS. The sockets below it may be
// replaced while it is served; connections don't notice.
type tlsPort struct {
	config   func() *tls.Config
	accepted chan incoming
	closed   chan struct{}
	done     sync.WaitGroup // accepting, one goroutine per socket

	mu sync.Mutex
	// Guarded by mu.
	sockets []net.Listener
	shut    bool
}

type incoming struct {
	nc  net.Conn
	err error
}

// newTLSPort makes a listener without a socket. config is called for every
// connection.
func newTLSPort(config func() *tls.Config) *tlsPort {
	return &tlsPort{config: config, accepted: make(chan incoming), closed: make(chan struct{})}
}

// replace makes the port accept from sockets, which it then owns, and from no
// others.
func (p *tlsPort) replace(sockets []net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	closeAll(p.sockets)
	p.sockets = sockets
	if p.shut {
		closeAll(sockets)
		return
	}
	for _, l := range sockets {
		p.done.Go(func() { p.accept(l) })
	}
}

// accept runs until the socket is closed.
func (p *tlsPort) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case p.accepted <- incoming{nc, err}:
		case <-p.closed:
			if nc != nil {
				_ = nc.Close() // nobody takes it
			}
			return
		}
	}
}

// Accept implements net.Listener. The handshake is the caller's to run.
func (p *tlsPort) Accept() (net.Conn, error) {
	select {
	case in := <-p.accepted:
		if in.err != nil {
			return nil, in.err
		}
		return tls.Server(in.nc, p.config()), nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It may be called often.
func (p *tlsPort) Close() error {
	p.mu.Lock()
	if !p.shut {
		p.shut = true
		close(p.closed)
	}
	closeAll(p.sockets)
	p.mu.Unlock()
	p.done.Wait()
	return nil
}

// Addr implements net.Listener: the address of one of the sockets, or of none.
func (p *tlsPort) Addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sockets) == 0 {
		return &net.TCPAddr{}
	}
	return p.sockets[0].Addr()
}
