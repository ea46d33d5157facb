package server_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

// stuckWriter blocks, once armed, until it is closed.
type stuckWriter struct {
	armed atomic.Bool
	shut  atomic.Bool
	free  chan struct{}
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	if w.armed.Load() {
		<-w.free
	}
	return len(b), nil
}

func (w *stuckWriter) Close() error {
	if !w.shut.Swap(true) {
		close(w.free)
	}
	return nil
}

func TestRedirectsAreCounted(t *testing.T) {
	t.Parallel()
	r := &router{route: func(*command.Query) command.Verdict { return command.Verdict{Err: "MOVED 5 h:1"} }}
	f := start(t, func(c *server.Config) { c.Router = r })
	c := f.connect()
	c.expect("get a\nping", "-MOVED 5 h:1·+PONG·")
	for _, st := range f.srv.Stats().CommandStats() {
		if st.Spec.Name == "get" && (st.Calls != 0 || st.Rejected != 1) {
			t.Errorf("%+v", st)
		}
	}
	if st := f.srv.Stats().ErrorStats(); len(st) != 1 || st[0].Code != "MOVED" {
		t.Errorf("%v", st)
	}
}

// The router learns of missing keys under their locks, the same key once.
func TestMissing(t *testing.T) {
	t.Parallel()
	var missing, distinct int
	r := &router{route: func(q *command.Query) command.Verdict {
		missing, distinct = q.Missing()
		return command.Verdict{}
	}}
	c := start(t, func(c *server.Config) { c.Router = r }).connect()
	c.send("set {t}a 1\nmget {t}a {t}b {t}b {t}a {t}c")
	if missing != 2 || distinct != 3 {
		t.Errorf("missing %d of %d", missing, distinct)
	}
	c.send("multi\nget {t}a\nget {t}b\nget {t}a\nexec")
	if missing != 1 || distinct != 2 {
		t.Errorf("in EXEC: missing %d of %d", missing, distinct)
	}
}

// A slot that changes hands holds its commands back, with the earlier replies
// of the batch on their way and nothing locked.
func TestParking(t *testing.T) {
	t.Parallel()
	settled := make(chan struct{})
	var moved atomic.Bool
	r := &router{route: func(*command.Query) command.Verdict {
		if moved.Load() {
			return command.Verdict{Err: "MOVED 5 h:1"}
		}
		return command.Verdict{Wait: settled}
	}}
	f := start(t, func(c *server.Config) { c.Router = r })
	c := f.connect()
	c.feed("ping\nget a\nping\n")
	done := make(chan bool)
	go func() { done <- c.Process() }()
	eventually(t, func() bool { return strings.Contains(peek(c), "PONG") })
	if f.store.locked(part([]byte("a"))) {
		t.Error("it waits with the lock held")
	}
	moved.Store(true)
	close(settled)
	if !<-done {
		t.Fatal("session ended")
	}
	if got := c.output(); got != "+PONG·-MOVED 5 h:1·+PONG·" {
		t.Errorf("got %q", got)
	}
}

func TestParkingIsBounded(t *testing.T) {
	t.Parallel()
	r := &router{route: func(*command.Query) command.Verdict { return command.Verdict{Wait: make(chan struct{})} }}
	c := start(t, func(c *server.Config) {
		c.Router = r
		c.ParkTimeout = 10 * time.Millisecond
	}).connect()
	c.expect("get a", "-TRYAGAIN The hash slot is changing hands·")
}

// What ran without the right to serve is not acknowledged.
func TestUnconfirmedRepliesAreDropped(t *testing.T) {
	t.Parallel()
	var confirmed []command.Stamp
	ok := true
	r := &router{
		route: func(q *command.Query) command.Verdict {
			return command.Verdict{Stamp: command.Stamp{Slot: int32(q.Slot), Owner: 3, Tenure: 4}}
		},
		confirm: func(s command.Stamp) bool { confirmed = append(confirmed, s); return ok },
	}
	f := start(t, func(c *server.Config) { c.Router = r })
	c := f.connect()
	c.expect("set a 1\nget a\nget a\nget b\nping", "+OK·$1·1·$1·1·$-1·+PONG·")
	if len(confirmed) != 2 {
		t.Errorf("confirmed %v", confirmed)
	}
	c.expect("ping", "+PONG·")
	if len(confirmed) != 2 {
		t.Error("a keyless batch was confirmed")
	}
	ok = false
	c.feed("ping\nset a 2\n")
	if c.Process() || c.output() != "" || !c.closed {
		t.Error("an unconfirmed reply was sent")
	}
	if f.srv.Stats().Unconfirmed() != 1 {
		t.Error("not counted")
	}
}

func TestUnconfirmedTransactionIsDropped(t *testing.T) {
	t.Parallel()
	r := &router{confirm: func(command.Stamp) bool { return false }}
	c := start(t, func(c *server.Config) { c.Router = r }).connect()
	c.expect("multi\nping\nincr a", "+OK·+QUEUED·+QUEUED·") // nothing ran yet
	c.feed("exec\n")
	if c.Process() || c.output() != "" {
		t.Error("an unconfirmed transaction was acknowledged")
	}
}
