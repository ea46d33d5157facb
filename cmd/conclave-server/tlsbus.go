package main

import (
	"context"
	"crypto/tls"
	"net"

	"conclave/raftnode/peer"
)

// busNetwork is the network of the cluster bus, with or without TLS as
// tls-cluster says at the time of each connection.
type busNetwork struct {
	peer.TCP
	r *rooms
}

// Dial implements peer.Network.
func (n busNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return n.r.dial(ctx, addr, n.r.cfg.Current().TLS.Cluster)
}

// dialPrimary connects to a primary, as tls-replication says.
func (r *rooms) dialPrimary(ctx context.Context, addr string) (net.Conn, error) {
	return r.dial(ctx, addr, r.cfg.Current().TLS.Replication)
}

func (r *rooms) dial(ctx context.Context, addr string, encrypted bool) (net.Conn, error) {
	nc, err := peer.TCP{}.Dial(ctx, addr)
	if err != nil || !encrypted {
		return nc, err
	}
	c := peerConn{tls.Client(nc, r.tls.setup.Load().Peers)}
	if err := c.HandshakeContext(ctx); err != nil {
		_ = c.Close() // it failed before
		return nil, err
	}
	return c, nil
}

// Listen implements peer.Network.
func (n busNetwork) Listen(addr string) (net.Listener, error) {
	l, err := n.TCP.Listen(addr)
	if err != nil {
		return nil, err
	}
	return busListener{l, n.r}, nil
}

type busListener struct {
	net.Listener
	r *rooms
}

// Accept implements net.Listener. The handshake of TLS comes with the first byte
// that is read, within the time for that of the bus.
func (l busListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil || !l.r.cfg.Current().TLS.Cluster {
		return nc, err
	}
	return peerConn{tls.Server(nc, l.r.tls.setup.Load().Bus)}, nil
}

// peerConn ends without the message with which TLS does, which could block; what
// nodes send one another says itself where it ends.
type peerConn struct{ *tls.Conn }

// Close implements net.Conn.
func (c peerConn) Close() error { return c.NetConn().Close() }
