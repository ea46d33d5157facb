package memnet

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// bufferSize bounds what is under way in one direction of a connection.
	bufferSize = 256 << 10
	// backlog bounds the connections that wait for Accept.
	backlog = 128
	// firstPort begins the ports of dialling ends and of Listen on port 0.
	firstPort = 32768
)

// Addr is a host and a port.
type Addr struct {
	Host string
	Port int
}

// Network implements net.Addr.
func (Addr) Network() string { return "mem" }

func (a Addr) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// Loopback says that connections never leave the process.
func (Addr) Loopback() bool { return true }

// Net is a network of hosts. All methods may be called from any goroutine.
type Net struct {
	rand func() uint64 // called with mu held

	mu        sync.Mutex
	hosts     map[string]*hostState
	listeners map[Addr]*listener
	links     map[link]*linkState
	conns     []*conn       // open ends, oldest first, so that faults act in one order
	healed    chan struct{} // closed and replaced when a fault ends
}

type link struct{ from, to string }

type linkState struct {
	cut      bool
	min, max time.Duration
}

type hostState struct {
	paused   bool
	nextPort int
}

// New makes a network. rand chooses delays; it is never called at two places
// at once.
func New(rand func() uint64) *Net {
	return &Net{
		rand: rand, hosts: map[string]*hostState{}, listeners: map[Addr]*listener{},
		links: map[link]*linkState{}, healed: make(chan struct{}),
	}
}

// Host is the network as one host sees it.
type Host struct {
	net  *Net
	name string
}

// Host returns a host's view; hosts exist by being named.
func (n *Net) Host(name string) *Host { return &Host{net: n, name: name} }

func (n *Net) host(name string) *hostState {
	h := n.hosts[name]
	if h == nil {
		h = &hostState{nextPort: firstPort}
		n.hosts[name] = h
	}
	return h
}

func (n *Net) link(from, to string) *linkState {
	k := link{from, to}
	l := n.links[k]
	if l == nil {
		l = &linkState{}
		n.links[k] = l
	}
	return l
}

// held reports that nothing arrives over a link now.
func (n *Net) held(from, to string) bool {
	return n.link(from, to).cut || n.host(from).paused || n.host(to).paused
}

// delay draws the time a packet takes.
func (n *Net) delay(from, to string) time.Duration {
	l := n.link(from, to)
	if l.max <= l.min {
		return l.min
	}
	return l.min + time.Duration(n.rand()%uint64(l.max-l.min+1))
}

// wake makes everything that waits look again.
func (n *Net) wake() {
	close(n.healed)
	n.healed = make(chan struct{})
	for _, c := range n.conns {
		c.in.wake()
	}
}

func (n *Net) change(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
	n.wake()
}

// Cut holds back everything from one host to another.
func (n *Net) Cut(from, to string) { n.change(func() { n.link(from, to).cut = true }) }

// Heal ends a Cut.
func (n *Net) Heal(from, to string) { n.change(func() { n.link(from, to).cut = false }) }

// HealAll ends every Cut; delays and pauses stay.
func (n *Net) HealAll() {
	n.change(func() {
		for _, l := range n.links {
			l.cut = false
		}
	})
}

// Delay gives a link a latency between two bounds.
func (n *Net) Delay(from, to string, lo, hi time.Duration) {
	n.change(func() {
		l := n.link(from, to)
		l.min, l.max = lo, hi
	})
}

// Pause holds back everything from and to a host, as if its process were
// stopped.
func (n *Net) Pause(host string) { n.change(func() { n.host(host).paused = true }) }

// Resume ends a Pause.
func (n *Net) Resume(host string) { n.change(func() { n.host(host).paused = false }) }

// Reset breaks every connection between two hosts, at both ends at once.
func (n *Net) Reset(a, b string) {
	n.change(func() {
		for _, c := range n.conns {
			if c.local.Host == a && c.remote.Host == b || c.local.Host == b && c.remote.Host == a {
				c.in.reset(time.Now())
				c.peer.in.reset(time.Now())
			}
		}
	})
}

// Crash ends a host's process: listeners vanish, its ends of connections are
// closed, and the other ends are reset when they can hear of it.
func (n *Net) Crash(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		if l.addr.Host == host {
			n.stopListening(l)
		}
	}
	for _, c := range slices.Clone(n.conns) { // waiting ones included
		if c.local.Host == host {
			c.closeHow(true)
		}
	}
	n.wake()
}

// Listen implements peer.Network. The host part may be missing or a wildcard.
func (h *Host) Listen(addr string) (net.Listener, error) {
	a, err := parse(addr)
	if err != nil {
		return nil, err
	}
	if a.Host != "" && a.Host != "0.0.0.0" && a.Host != "::" && a.Host != h.name {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: a, Err: syscall.EADDRNOTAVAIL}
	}
	a.Host = h.name
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if a.Port == 0 {
		a.Port = n.port(h.name)
	}
	if n.listeners[a] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: a, Err: syscall.EADDRINUSE}
	}
	l := &listener{net: n, addr: a, queue: make(chan *conn, backlog), done: make(chan struct{})}
	n.listeners[a] = l
	return l, nil
}

// port takes a free port of a host.
func (n *Net) port(host string) int {
	h := n.host(host)
	h.nextPort++
	return h.nextPort - 1
}

// Dial implements peer.Network.
func (h *Host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	to, err := parse(addr)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "mem", Addr: to, Err: err}
	}
	// There and back: the listener's side exists one way earlier.
	if err := h.net.cross(ctx, h.name, to.Host); err != nil {
		return fail(err)
	}
	c, err := h.net.connect(h.name, to)
	if back := h.net.cross(ctx, to.Host, h.name); back != nil {
		if c != nil {
			c.Close()
		}
		return fail(back)
	}
	if err != nil {
		return fail(err)
	}
	return c, nil
}

// cross waits as long as one packet takes over a link.
func (n *Net) cross(ctx context.Context, from, to string) error {
	n.mu.Lock()
	due := time.Now().Add(n.delay(from, to))
	n.mu.Unlock()
	for {
		n.mu.Lock()
		held, healed := n.held(from, to), n.healed
		n.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err
		}
		if held {
			select {
			case <-healed:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		wait := time.Until(due)
		if wait <= 0 {
			return nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// connect makes both ends of a connection and queues one at the listener.
func (n *Net) connect(from string, to Addr) (*conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[to]
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	near := &conn{net: n, local: Addr{from, n.port(from)}, remote: to}
	far := &conn{net: n, local: to, remote: near.local}
	near.peer, far.peer = far, near
	near.in, far.in = newHalf(n, to.Host, from), newHalf(n, from, to.Host)
	select {
	case l.queue <- far:
	default:
		return nil, syscall.ECONNREFUSED
	}
	n.conns = append(n.conns, near, far)
	return near, nil
}

func parse(addr string) (Addr, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return Addr{}, err
	}
	p, err := strconv.Atoi(port)
	if err != nil || p < 0 || p > 65535 {
		return Addr{}, fmt.Errorf("address %s: bad port", addr)
	}
	return Addr{host, p}, nil
}

// listener is an open port.
type listener struct {
	net   *Net
	addr  Addr
	queue chan *conn
	done  chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "mem", Addr: l.addr, Err: net.ErrClosed}
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "mem", Addr: l.addr, Err: net.ErrClosed}
	}
}

// Close implements net.Listener. Connections that nobody accepted are reset.
func (l *listener) Close() error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.net.listeners[l.addr] != l {
		return net.ErrClosed
	}
	l.net.closeListener(l)
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

func (n *Net) stopListening(l *listener) {
	delete(n.listeners, l.addr)
	close(l.done)
}

func (n *Net) closeListener(l *listener) {
	n.stopListening(l)
	for {
		select {
		case c := <-l.queue:
			c.closeHow(true)
			continue
		default:
		}
		return
	}
}
