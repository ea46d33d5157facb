package migrate

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

// Limits of the cache of connections, those of Redis.
const (
	MaxIdle  = 64
	IdleTime = 10 * time.Second
)

// replyLimit is the longest line that a target may answer.
const replyLimit = 4096

// Pool keeps connections to targets between transfers. It is safe for
// concurrent use.
type Pool struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	closed bool
	idle   []*conn                          // oldest first
	busy   map[*transfer]context.CancelFunc // aborts a transfer under way
}

// conn is a connection to a target. It belongs to the transfer that took it out
// of the pool, or to the pool.
type conn struct {
	net.Conn
	target string
	r      *bufio.Reader
	db     int64       // the selected database; -1 = unknown
	timer  *time.Timer // closes the connection when it was idle for too long
}

// New makes an empty pool. dial opens connections, nil means plain TCP; it must
// heed its context. Close releases what the pool holds.
func New(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Pool {
	if dial == nil {
		// A connection is checked by its use; probes would outlive IdleTime.
		dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	return &Pool{dial: dial, busy: map[*transfer]context.CancelFunc{}}
}

// Idle is the number of cached connections.
func (p *Pool) Idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

// Close closes the cached connections and makes transfers that are under way,
// and later ones, fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, abort := range p.busy {
		abort()
	}
	for _, c := range p.idle {
		c.timer.Stop()
		c.Close()
	}
	p.idle = nil
	return nil
}

// begin registers a transfer so that Close can abort it. It reports whether the
// pool is open.
func (p *Pool) begin(t *transfer, abort context.CancelFunc) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.busy[t] = abort
	return true
}

func (p *Pool) end(t *transfer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, t)
}

// take returns the youngest idle connection to the target, or nil.
func (p *Pool) take(target string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if c := p.idle[i]; c.target == target {
			p.drop(i)
			return c
		}
	}
	return nil
}

// drop takes the i-th idle connection out. p.mu is held.
func (p *Pool) drop(i int) {
	p.idle[i].timer.Stop()
	p.idle = append(p.idle[:i], p.idle[i+1:]...)
}

// put makes a connection available to later transfers. The oldest one makes
// room if there are too many.
func (p *Pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return
	}
	if len(p.idle) == MaxIdle {
		old := p.idle[0]
		p.drop(0)
		old.Close()
	}
	c.timer = time.AfterFunc(IdleTime, func() { p.expire(c) })
	p.idle = append(p.idle, c)
}

func (p *Pool) expire(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.idle {
		if other == c {
			p.drop(i)
			c.Close()
			return
		}
	}
}
