package peer

import (
	"net"
	"sync"
)

// Conn is an open connection after its handshake. Close may be called often.
type Conn struct {
	net.Conn
	Kind   Kind
	Remote Identity // the other side, as of the handshake
	Local  Identity // this side, as told to it
	Want   Want     // whom the dialer asked for

	owner *Endpoint
	once  sync.Once
	done  chan struct{}
	err   error
}

// Done closes when this side has closed the connection.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.owner.forget(c)
		c.err = c.Conn.Close()
		close(c.done)
	})
	return c.err
}

// told reports whether an identity is the one this side gave.
func (c *Conn) told(id Identity) bool {
	id.RemoteIP = c.Local.RemoteIP
	return id == c.Local
}
