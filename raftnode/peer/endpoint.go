package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds on what strangers can make a node hold.
const (
	maxHandshakes = 64
	maxFromOne    = 16 // handshakes of one address that isn't this machine's
	maxIncoming   = 4096
)

// Config is what an Endpoint is made of. Self, Network and Log are required.
type Config struct {
	// Self is this node's identity now; it may change while the endpoint runs.
	Self func() Identity
	// Secret is the cluster's shared secret; nil or empty: loopback only.
	Secret  func() []byte
	Network Network
	Log     *slog.Logger
	// Admit decides whether a connection may be opened to this node, after its
	// sender has authenticated and met the right node. nil admits all.
	Admit func(kind Kind, remote Identity, want Want) error
}

// Endpoint is this node's end of all bus connections.
type Endpoint struct {
	cfg            Config
	sent, received atomic.Uint64

	mu       sync.Mutex
	handlers map[Kind]*handler
	conns    map[*Conn]struct{}
	incoming int // accepted ones, including those still shaking hands
	shaking  int
	from     map[string]int // handshakes by remote address
	closed   bool
}

type handler struct {
	run func(ctx context.Context, c *Conn)
}

// New makes an endpoint. It does no I/O.
func New(cfg Config) *Endpoint {
	if cfg.Secret == nil {
		cfg.Secret = func() []byte { return nil }
	}
	if cfg.Admit == nil {
		cfg.Admit = func(Kind, Identity, Want) error { return nil }
	}
	return &Endpoint{cfg: cfg, handlers: map[Kind]*handler{}, conns: map[*Conn]struct{}{}, from: map[string]int{}}
}

// Handle sets who serves incoming connections of a kind, in place of whoever
// did. The handler owns the connection until it returns; its context ends with
// Serve. remove withdraws it unless it has been replaced.
func (e *Endpoint) Handle(kind Kind, run func(ctx context.Context, c *Conn)) (remove func()) {
	h := &handler{run: run}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handlers[kind] = h
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.handlers[kind] == h {
			delete(e.handlers, kind)
		}
	}
}

func (e *Endpoint) handler(kind Kind) *handler {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.handlers[kind]
}

// Counters are the messages sent and received since the start.
func (e *Endpoint) Counters() (sent, received uint64) { return e.sent.Load(), e.received.Load() }

// Count adds messages of a protocol that the endpoint only carries.
func (e *Endpoint) Count(sent, received uint64) {
	e.sent.Add(sent)
	e.received.Add(received)
}

// Serve accepts connections until ctx ends or ln breaks. When it returns, ln
// and every connection of the endpoint are closed, handlers have returned, and
// the endpoint dials no more.
func (e *Endpoint) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer e.shut()
	defer cancel()
	defer ln.Close()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for wait := time.Duration(0); ; {
		c, err := ln.Accept()
		switch {
		case err == nil:
			wait = 0
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept: %w", err)
		default: // out of descriptors, most likely
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			e.cfg.Log.Warn("accept on the bus", "err", err)
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if !e.enter(c) {
			// A few bytes on a fresh connection don't block.
			c.SetDeadline(time.Now().Add(10 * time.Millisecond))
			refuseEarly(c, statusBusy)
			c.Close()
			continue
		}
		wg.Go(func() { e.accept(ctx, c) })
	}
}

// enter takes a place for an incoming connection, if there is one.
func (e *Endpoint) enter(c net.Conn) bool {
	host := stranger(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shaking >= maxHandshakes || e.incoming >= maxIncoming || e.from[host] >= maxFromOne {
		return false
	}
	e.shaking++
	e.incoming++
	if host != "" {
		e.from[host]++
	}
	return true
}

// shaken gives back a connection's place among the handshakes.
func (e *Endpoint) shaken(c net.Conn) {
	host := stranger(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shaking--
	if host == "" {
		return
	}
	if e.from[host]--; e.from[host] == 0 {
		delete(e.from, host)
	}
}

// stranger is where a connection comes from; "" for this machine.
func stranger(c net.Conn) string {
	if loopback(c.RemoteAddr()) {
		return ""
	}
	return hostOf(c.RemoteAddr())
}

// accept runs one incoming connection to its end.
func (e *Endpoint) accept(ctx context.Context, nc net.Conn) {
	shaken := sync.OnceFunc(func() { e.shaken(nc) })
	defer func() {
		shaken()
		e.mu.Lock()
		e.incoming--
		e.mu.Unlock()
	}()
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	nc.SetDeadline(time.Now().Add(handshakeTimeout)) // a failure shows at the first read
	h, local, err := receive(nc, e.cfg.Self, e.cfg.Secret(), e.admit)
	e.Count(2, 2)
	if err != nil {
		if ctx.Err() == nil {
			e.cfg.Log.Debug("bus connection refused", "from", addrText(nc), "kind", string(h.Kind), "node", h.From.Node, "err", err)
		}
		return
	}
	hd := e.handler(h.Kind)
	if hd == nil || nc.SetDeadline(time.Time{}) != nil {
		return
	}
	c := e.track(nc, h.Kind, h.From, local, h.Want)
	if c == nil {
		return
	}
	defer c.Close()
	shaken()
	hd.run(ctx, c)
}

func (e *Endpoint) admit(kind Kind, remote Identity, want Want) error {
	if e.handler(kind) == nil {
		return ErrKind
	}
	return e.cfg.Admit(kind, remote, want)
}

// Dial opens a connection of a kind to whoever want describes. The error wraps
// a *RefusedError if the other side refused.
func (e *Endpoint) Dial(ctx context.Context, addr string, kind Kind, want Want) (*Conn, error) {
	e.mu.Lock()
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	nc, err := e.cfg.Network.Dial(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	deadline, _ := ctx.Deadline()
	nc.SetDeadline(deadline) // a failure shows at the first write
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	self := e.cfg.Self()
	remote, err := greet(nc, kind, self, want, e.cfg.Secret())
	e.Count(2, 2)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("dial %s: %w", addr, patienceLost(ctx, err))
	}
	c := e.track(nc, kind, remote, self, want)
	if c == nil {
		nc.Close()
		return nil, ErrClosed
	}
	return c, nil
}

// patienceLost makes errors that ctx's end caused say so: others who waited for
// the connection may have more patience.
func patienceLost(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.Is(err, os.ErrDeadlineExceeded): // set to ctx's deadline, and first to fire
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// track makes a Conn that ends with the endpoint; nil if that has ended.
func (e *Endpoint) track(nc net.Conn, kind Kind, remote, local Identity, want Want) *Conn {
	c := &Conn{Conn: nc, Kind: kind, Remote: remote, Local: local, Want: want, owner: e, done: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.conns[c] = struct{}{}
	return c
}

func (e *Endpoint) forget(c *Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
}

func (e *Endpoint) shut() {
	e.mu.Lock()
	e.closed = true
	all := make([]*Conn, 0, len(e.conns))
	for c := range e.conns {
		all = append(all, c)
	}
	e.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

func addrText(c net.Conn) string {
	if a := c.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}
