package peer

import (
	"context"
	"net"
)

// Network opens connections; the real one is [TCP], simulations bring theirs.
type Network interface {
	Dial(ctx context.Context, addr string) (net.Conn, error)
	Listen(addr string) (net.Listener, error)
}

// TCP is the operating system's network.
type TCP struct{}

// Dial implements Network.
func (TCP) Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// Listen implements Network.
func (TCP) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// loopback reports whether an address belongs to this machine. Addresses of
// simulated networks say so themselves.
func loopback(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	case interface{ Loopback() bool }:
		return a.Loopback()
	}
	return false
}
