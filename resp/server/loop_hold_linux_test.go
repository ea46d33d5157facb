//go:build amd64 || arm64

package server_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

// gate is a feed that lets replies leave when it is told to.
type gate struct {
	mu       sync.Mutex
	fed      int64
	released int64
	failed   bool
	tell     []func()
	changed  chan struct{}
}

func (g *gate) Wanted() bool { return true }

func (g *gate) Feed(*command.Unit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fed++
}

func (g *gate) Hold() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fed == g.released {
		return 0
	}
	return g.fed
}

func (g *gate) Released(position int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return position <= g.released
}

func (g *gate) Wait(position int64, done <-chan struct{}) bool {
	for !g.Released(position) {
		g.mu.Lock()
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
	return true
}

func (g *gate) OnRelease(f func()) { g.tell = append(g.tell, f) }

// release lets everything leave that was fed so far.
func (g *gate) release() {
	g.mu.Lock()
	g.released = g.fed
	close(g.changed)
	g.changed = make(chan struct{})
	g.mu.Unlock()
	for _, f := range g.tell {
		f()
	}
}

func (g *gate) count() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fed
}

func (g *gate) until(t *testing.T, fed int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); g.count() < fed; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("fed %d, want %d", g.count(), fed)
		}
	}
}

// Replies wait for the feed, also those that have only seen what others wrote,
// and the loop serves others meanwhile.
func TestRepliesWaitForTheFeed(t *testing.T) {
	t.Parallel()
	g := &gate{changed: make(chan struct{})}
	l := startLoops(t, 1, func(c *server.Config) { c.Feed = g })
	a, b, c := l.dial(), l.dial(), l.dial()
	c.expect("ping\r\n", "+PONG")
	a.send("set x 1\r\n")
	g.until(t, 1)
	b.send("set y 1\r\n")
	g.until(t, 2)
	c.send("get x\r\n")
	a.silent(50 * time.Millisecond)
	c.silent(50 * time.Millisecond)
	g.release()
	for _, p := range []*peer{a, b} {
		if got := p.line(); got != "+OK" {
			t.Errorf("got %q", got)
		}
	}
	if got := c.line(); got != "$1" {
		t.Errorf("got %q", got)
	}
	c.line()
	// A pipeline whose replies fill the buffer goes on when they may leave.
	const n = 20000
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.send(strings.Repeat("set x 2\r\n", n))
	}()
	for i := range n {
		for stop := time.Now().Add(10 * time.Second); ; {
			g.release()
			if a.ready(2 * time.Millisecond) {
				break
			}
			if time.Now().After(stop) {
				t.Fatalf("reply %d never came", i)
			}
		}
		if got := a.line(); got != "+OK" {
			t.Fatalf("reply %d: %q", i, got)
		}
	}
	<-done
	// What runs beside the loop waits, too.
	before := g.count()
	a.send("multi\r\nset x 1\r\ndetached\r\nexec\r\n")
	g.until(t, before+1)
	for range 3 {
		a.line() // what MULTI and the queued commands reply changes nothing
	}
	a.silent(50 * time.Millisecond)
	g.release()
	for _, want := range []string{"*2", "+OK", "+OK"} {
		if got := a.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// A client that goes away while its reply is held leaves nothing behind.
	b.send("set y 2\r\n")
	g.until(t, before+2)
	b.Close()
	c.send("set y 3\r\n")
	g.until(t, before+3)
	g.release()
	if got := c.line(); got != "+OK" {
		t.Errorf("got %q", got)
	}
}

// ready reports whether something comes within a time.
func (p *peer) ready(within time.Duration) bool {
	p.SetReadDeadline(time.Now().Add(within))
	defer p.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err := p.r.Peek(1)
	return err == nil
}

func (p *peer) silent(during time.Duration) {
	p.t.Helper()
	if p.ready(during) {
		p.t.Errorf("a reply came too early: %q", p.line())
	}
}
