//go:build amd64 || arm64

package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

// queues is a keyspace of lists, for commands that wait for elements.
type queues struct {
	*store
	ready atomic.Int64

	mu      sync.Mutex
	last    uint64
	waiting map[string][]command.Waiting
	changed []string
}

func newQueues() *queues { return &queues{store: newStore(), waiting: map[string][]command.Waiting{}} }

// Elements are separated by spaces.
func (q *queues) push(key, val []byte) {
	old, _ := q.get(key)
	q.set(key, bytes.TrimSpace(fmt.Appendf(nil, "%s %s", old, val)))
	q.touch(key)
}

func (q *queues) touch(key []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting[string(key)]) > 0 && !slices.Contains(q.changed, string(key)) {
		q.changed = append(q.changed, string(key))
		q.ready.Add(1)
	}
}

func (q *queues) pop(key []byte) []byte {
	old, ok := q.get(key)
	if !ok {
		return nil
	}
	first, rest, more := bytes.Cut(bytes.Clone(old), []byte(" "))
	if more {
		q.set(key, rest)
	} else {
		delete(q.parts[part(key)].keys, string(key))
	}
	return first
}

type ticket struct {
	q    *queues
	keys []string
	n    uint64
}

func (q *queues) Await(call any, _ int, keys [][]byte) command.Ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	t := &ticket{q: q, n: q.last}
	for _, k := range keys {
		if !q.locked(part(k)) {
			panic("Await without the lock")
		}
		t.keys = append(t.keys, string(k))
		q.waiting[string(k)] = append(q.waiting[string(k)], command.Waiting{Call: call, Number: t.n})
	}
	return t
}

func (t *ticket) Withdraw() {
	t.q.mu.Lock()
	defer t.q.mu.Unlock()
	for _, k := range t.keys {
		t.q.waiting[k] = slices.DeleteFunc(t.q.waiting[k], func(w command.Waiting) bool { return w.Number == t.n })
		if len(t.q.waiting[k]) == 0 {
			delete(t.q.waiting, k)
		}
	}
}

func (q *queues) Ready() *atomic.Int64 { return &q.ready }

func (q *queues) NextReady() (int, []byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.changed) == 0 {
		return 0, nil, false
	}
	k := q.changed[0]
	q.changed = q.changed[1:]
	return 0, []byte(k), true
}

func (q *queues) Looked() { q.ready.Add(-1) }

func (q *queues) Waiting(dst []command.Waiting, _ int, key []byte, after uint64, n int) []command.Waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.waiting[string(key)] {
		if w.Number > after && n > 0 {
			dst = append(dst, w)
			n--
		}
	}
	return dst
}

func (q *queues) AwaitedKeys() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

func (q *queues) specs() []command.Spec {
	two := []command.KeySpec{{Begin: 1}, {Begin: 2}}
	const flags = command.Write | command.Blocking
	return []command.Spec{
		{Name: "push", Arity: -3, Flags: command.Write, Keys: key1, Doc: "d", Args: "key value [value ...]", Run: func(c *command.Ctx) {
			for _, v := range c.Args[2:] {
				q.push(c.Arg(1), v)
			}
			c.OK()
		}},
		{Name: "bpop", Arity: -3, Flags: flags, Keys: []command.KeySpec{{Begin: 1, Last: -2}}, Doc: "d", Args: "key [key ...] timeout", Run: func(c *command.Ctx) {
			q.wait(c, c.Arg(len(c.Args)-1), 1, len(c.Args)-1, func(c *command.Ctx) bool {
				for _, k := range c.Args[1 : len(c.Args)-1] {
					if v := q.pop(k); v != nil {
						c.Bulk(fmt.Appendf(nil, "%s=%s", k, v))
						c.RewriteStrings("pop", string(k))
						return true
					}
				}
				return false
			})
		}},
		{Name: "bmove", Arity: 4, Flags: flags, Keys: two, Doc: "d", Args: "from to timeout", Run: func(c *command.Ctx) {
			q.wait(c, c.Arg(3), 1, 2, func(c *command.Ctx) bool {
				v := q.pop(c.Arg(1))
				if v != nil {
					q.push(c.Arg(2), v)
					c.Bulk(v)
				}
				return v != nil
			})
		}},
		{Name: "unblock", Arity: 3, Doc: "d", Args: "id how", Run: func(c *command.Ctx) {
			id, _ := strconv.Atoi(string(c.Arg(1)))
			s := c.Session.(*server.Session).Server().Session(uint64(id))
			c.Bool(s != nil && s.Unblock(c.Is(2, "error")))
		}},
		{Name: "killid", Arity: 2, Doc: "d", Args: "id", Run: func(c *command.Ctx) {
			id, _ := strconv.Atoi(string(c.Arg(1)))
			c.Session.(*server.Session).Server().Session(uint64(id)).Kill()
			c.OK()
		}},
		{Name: "id", Arity: 1, Flags: command.Fast, Doc: "d", Run: func(c *command.Ctx) { c.Int(int64(c.Session.ID())) }},
	}
}

func (q *queues) wait(c *command.Ctx, timeout []byte, from, to int, try func(*command.Ctx) bool) {
	if try(c) {
		return
	}
	if c.InExec {
		c.NullArray()
		return
	}
	w := command.Wait{Retry: func(c *command.Ctx, _ []byte) bool { return try(c) }}
	for i := from; i < to; i++ {
		w.Keys = append(w.Keys, i)
	}
	if ms, _ := strconv.ParseInt(string(timeout), 10, 64); ms > 0 {
		w.Until = c.NowMs + ms
	}
	c.NoEffect()
	c.Block(w)
}

// blockingServer serves queues: TCP connections on event loops where there are
// any, or a unix socket with a goroutine per connection.
type blockingServer struct {
	*looped
	q *queues
}

// drivers runs a test with either.
func drivers(t *testing.T, change func(*server.Config), f func(t *testing.T, b *blockingServer)) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			q := newQueues()
			cfg := server.Config{Keyspace: q, IOThreads: 2}
			if change != nil {
				change(&cfg)
			}
			srv := server.New(cfg)
			table, err := command.Build(families(q.store), q.specs(), srv.TransactionSpecs(), command.Specs())
			if err != nil {
				t.Fatal(err)
			}
			srv.Use(table)
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = filepath.Join(t.TempDir(), "s")
			}
			ln, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			fix := &fixture{t: t, srv: srv, store: q.store}
			stop := fix.serve(ln)
			t.Cleanup(func() {
				stop()
				if b := srv.BlockedFigures(); srv.SessionCount() != 0 || b.Clients != 0 || q.AwaitedKeys() != 0 {
					t.Errorf("%d sessions and %+v are left, and %d keys", srv.SessionCount(), b, q.AwaitedKeys())
				}
			})
			f(t, &blockingServer{&looped{fix, ln.Addr().String()}, q})
		})
	}
}

func (b *blockingServer) dial() *peer {
	b.t.Helper()
	network := "tcp"
	if filepath.IsAbs(b.addr) {
		network = "unix"
	}
	c, err := net.Dial(network, b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return &peer{b.t, c, bufio.NewReader(c)}
}

// blocks sends a command and waits until so many clients are blocked.
func (b *blockingServer) blocks(p *peer, in string, n int64) {
	b.t.Helper()
	p.send(in)
	b.until(func() bool { return b.srv.BlockedFigures().Clients == n }, "%q doesn't block", in)
}

func (b *blockingServer) until(ok func() bool, format string, args ...any) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			b.t.Fatalf(format, args...)
		}
	}
}

func TestFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, b *blockingServer) {
		var waiters []*peer
		for i := range 30 {
			p := b.dial()
			b.blocks(p, "bpop other q 0\r\n", int64(i+1))
			waiters = append(waiters, p)
		}
		if f := b.srv.BlockedFigures(); f.Keys != 2 || f.Limited != 0 {
			t.Errorf("%+v", f)
		}
		c := b.dial()
		for i := range 10 {
			c.expect(fmt.Sprintf("push q v%d\r\nget q\r\n", i), "+OK", "$-1") // served before the reply
			waiters[i].expect("", fmt.Sprint("$", len(fmt.Sprint("q=v", i))), fmt.Sprint("q=v", i))
		}
		c.expect("multi\r\npush q a\r\npush q b c\r\npush other d\r\nexec\r\n", "+OK", "+QUEUED", "+QUEUED", "+QUEUED", "*3", "+OK", "+OK", "+OK")
		for i, want := range []string{"other=d", "q=a", "q=b", "q=c"} {
			// The first waiter looks at its keys in its own order.
			waiters[10+i].expect("", fmt.Sprint("$", len(want)), want)
		}
		if n := b.srv.BlockedFigures().Clients; n != 16 {
			t.Errorf("%d are left, want 16", n)
		}
	})
}

func TestAWaitEnds(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, b *blockingServer) {
		c, w := b.dial(), b.dial()
		w.send("id\r\n")
		id := w.line()[1:]

		// By itself, and the pipeline goes on.
		w.expect("bpop q 20\r\nping\r\n", "*-1", "+PONG")
		// What came before it is answered at once; nothing of what follows runs.
		b.blocks(w, "ping\r\nbpop q 0\r\npush p x\r\nping\r\n", 1)
		w.expect("", "+PONG")
		c.expect("get p\r\n", "$-1")
		c.expect("unblock "+id+" timeout\r\n", ":1")
		w.expect("", "*-1", "+OK", "+PONG")
		c.expect("get p\r\nunblock "+id+" timeout\r\n", "$1", "x", ":0")
		b.blocks(w, "bpop q 0\r\n", 1)
		c.expect("unblock "+id+" error\r\n", ":1")
		w.expect("", "-UNBLOCKED client unblocked via CLIENT UNBLOCK")
		b.blocks(w, "bpop q 100000\r\n", 1)
		if b.srv.BlockedFigures().Limited != 1 || !b.srv.Sessions()[1].Blocked() {
			t.Error("not known to be blocked for a limited time")
		}
		b.srv.EndWaits("UNBLOCKED the node has changed")
		w.expect("", "-UNBLOCKED the node has changed")

		// With its connection: the element is for the next one.
		b.blocks(w, "bpop q 0\r\nping\r\n", 1)
		w.Close()
		b.until(func() bool { return b.srv.BlockedFigures().Clients == 0 }, "a client that has gone still waits")
		k := b.dial()
		k.send("id\r\n")
		id = k.line()[1:]
		b.blocks(k, "bpop q 0\r\n", 1)
		c.expect("killid "+id+"\r\n", "+OK")
		if got := k.line(); got != "(closed)" {
			t.Errorf("a killed client got %q", got)
		}
		b.until(func() bool { return b.srv.BlockedFigures().Clients == 0 }, "a killed client still waits")
		c.expect("push q x\r\nget q\r\n", "+OK", "$1", "x")
	})
}

func TestTransactionsDontBlock(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, b *blockingServer) {
		c, w := b.dial(), b.dial()
		c.expect("multi\r\nbpop q 0\r\nping\r\nexec\r\n", "+OK", "+QUEUED", "+QUEUED", "*2", "*-1", "+PONG")
		// Nobody is served in the middle of one.
		b.blocks(w, "bpop q 0\r\n", 1)
		c.expect("multi\r\npush q a\r\nbpop q 0\r\nexec\r\n", "+OK", "+QUEUED", "+QUEUED", "*2", "+OK", "$3", "q=a")
		c.expect("multi\r\npush q a\r\npush q b\r\nget q\r\nexec\r\n", "+OK", "+QUEUED", "+QUEUED", "+QUEUED", "*3", "+OK", "+OK", "$3", "a b")
		w.expect("", "$3", "q=a")
		c.expect("get q\r\n", "$1", "b")
	})
}

func TestAServedCallServesOthers(t *testing.T) {
	t.Parallel()
	feed := &recorder{db: -1}
	drivers(t, func(c *server.Config) { c.Feed = feed }, func(t *testing.T, b *blockingServer) {
		feed.text = nil
		a1, a2, a3, c := b.dial(), b.dial(), b.dial(), b.dial()
		b.blocks(a1, "bmove x y 0\r\n", 1)
		b.blocks(a2, "bmove y z 0\r\n", 2)
		b.blocks(a3, "bpop z 0\r\n", 3)
		c.expect("push x v\r\n", "+OK")
		a1.expect("", "$1", "v")
		a2.expect("", "$1", "v")
		a3.expect("", "$3", "z=v")
		// A circle ends where nobody waits any more.
		b.blocks(a1, "bmove x y 0\r\n", 1)
		b.blocks(a2, "bmove y x 0\r\n", 2)
		c.expect("push x v\r\nget x\r\n", "+OK", "$1", "v")
		a1.expect("", "$1", "v")
		a2.expect("", "$1", "v")
	})
}

func TestTheEffectsOfServedCallsAreFed(t *testing.T) {
	t.Parallel()
	q, feed := newQueues(), &recorder{db: -1}
	srv := server.New(server.Config{Keyspace: q, Feed: feed})
	table, err := command.Build(families(q.store), q.specs(), srv.TransactionSpecs(), command.Specs())
	if err != nil {
		t.Fatal(err)
	}
	srv.Use(table)
	f := &fixture{t: t, srv: srv, store: q.store}
	a, b := f.connect(), f.connect()
	a.expect("bpop q 0\npush after x", "")
	b.expect("push q v", "+OK·")
	if got := feed.words(); got != "; SELECT 0 ; push q v ; pop q" {
		t.Errorf("fed %q", got)
	}
	// Without anybody to wake it the session goes on with its next input.
	a.expect("get after", "$3·q=v·+OK·$1·x·")
	if got := a.LastCommand().Name; got != "get" {
		t.Errorf("last command %s", got)
	}
}

// A client whose slot goes away is told so, whoever has it then.
func TestWaitsAreRerouted(t *testing.T) {
	t.Parallel()
	var r router
	var verdict atomic.Pointer[command.Verdict]
	here := &command.Verdict{Stamp: command.Stamp{Slot: 1}}
	verdict.Store(here)
	var confirmed atomic.Bool
	confirmed.Store(true)
	r.route = func(q *command.Query) command.Verdict {
		if q.Slot == command.SlotOf([]byte("else")) {
			return *here
		}
		return *verdict.Load()
	}
	r.confirm = func(command.Stamp) bool { return confirmed.Load() }
	drivers(t, func(c *server.Config) { c.Router = &r; c.ParkTimeout = time.Minute }, func(t *testing.T, b *blockingServer) {
		verdict.Store(here)
		confirmed.Store(true)
		w, c := b.dial(), b.dial()
		for _, text := range []string{"MOVED 1 127.0.0.1:7000", "CLUSTERDOWN The cluster is down"} {
			b.blocks(w, "bpop q 0\r\n", 1)
			verdict.Store(&command.Verdict{Err: text})
			w.expect("", "-"+text)
			verdict.Store(here)
		}
		// A slot that is being migrated disturbs nobody who waits.
		b.blocks(w, "bpop q 100\r\n", 1)
		verdict.Store(&command.Verdict{Err: "ASK 1 127.0.0.1:7000"})
		w.expect("", "*-1")
		verdict.Store(here)
		// Nor does one that is changing hands, and stays in the end: what comes
		// meanwhile is not lost.
		b.blocks(w, "bpop q 0\r\n", 1)
		settled := make(chan struct{})
		verdict.Store(&command.Verdict{Wait: settled})
		b.q.Lock(^uint64(0))
		b.q.push([]byte("q"), []byte("v"))
		b.q.Unlock(^uint64(0))
		b.until(func() bool { return b.q.ready.Load() == 0 }, "nobody looks at a key that changed by itself")
		verdict.Store(here)
		close(settled)
		w.expect("", "$3", "q=v")
		// A reply that can't be confirmed is never sent.
		b.blocks(w, "bpop q 0\r\n", 1)
		confirmed.Store(false)
		c.send("push q v\r\n")
		if got := w.line(); got != "(closed)" {
			t.Errorf("got %q without the right to serve", got)
		}
	})
}

// Waits that end by themselves, by others and by pushes at the same moment lose
// and double nothing.
func TestEachElementIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, b *blockingServer) {
		const clients, rounds = 6, 60
		var got sync.Map
		var n atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range clients {
			p := b.dial()
			wg.Go(func() {
				for ctx.Err() == nil {
					fmt.Fprintf(p, "bpop q%d q%d %d\r\n", i%3, (i+1)%3, 1+i%2)
					if line := p.line(); strings.HasPrefix(line, "$") {
						_, v, _ := strings.Cut(p.line(), "=")
						if _, twice := got.LoadOrStore(v, true); twice {
							t.Errorf("%s was delivered twice", v)
						}
						n.Add(1)
					} else if line != "*-1" && !strings.HasPrefix(line, "-UNBLOCKED") {
						t.Errorf("%q", line)
						return
					}
				}
			})
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				for _, s := range b.srv.Sessions() {
					s.Unblock(s.ID()%2 == 0)
				}
				runtime.Gosched()
			}
		})
		var pushers sync.WaitGroup
		for i := range 3 {
			p := b.dial()
			pushers.Go(func() {
				for k := range rounds {
					p.expect(fmt.Sprintf("push q%d v%d-%d w%d-%d\r\n", k%3, i, k, i, k), "+OK")
				}
			})
		}
		pushers.Wait()
		b.until(func() bool { return n.Load() == 3*rounds*2 }, "elements are lost")
		cancel()
		wg.Wait()
	})
}

// heldQueues are queues whose partitions a script may have for long.
type heldQueues struct {
	*queues
	held atomic.Bool
}

func (q *heldQueues) LockFree(mask uint64) <-chan struct{} {
	if q.held.Load() {
		return make(chan struct{})
	}
	q.Lock(mask)
	return nil
}

func (q *heldQueues) Hold(uint64) { q.held.Store(true) }

func (q *heldQueues) TryLock(mask uint64) bool {
	q.Lock(mask)
	return true
}

// Who looks after those that wait doesn't wait for a script.
func TestServingDoesNotWaitForScripts(t *testing.T) {
	t.Parallel()
	q := &heldQueues{queues: newQueues()}
	srv := server.New(server.Config{Keyspace: q})
	table, err := command.Build(families(q.store), q.specs(), srv.TransactionSpecs(), command.Specs())
	if err != nil {
		t.Fatal(err)
	}
	srv.Use(table)
	f := &fixture{t: t, srv: srv, store: q.store}
	a, b := f.connect(), f.connect()
	a.expect("bpop q 0", "")
	b.expect("bpop r 0", "")
	q.Lock(^uint64(0))
	q.push([]byte("q"), []byte("v"))
	q.push([]byte("r"), []byte("w"))
	q.Unlock(^uint64(0))
	q.Hold(0)
	for range 3 {
		srv.ServeReady()
	}
	if n := q.Ready().Load(); n != 2 || !a.Blocked() || !b.Blocked() {
		t.Errorf("%d keys are ready while a script has them", n)
	}
	q.held.Store(false)
	srv.ServeReady()
	if n := q.Ready().Load(); n != 0 || a.Blocked() || b.Blocked() {
		t.Errorf("%d keys are ready, clients still blocked: %v, %v", n, a.Blocked(), b.Blocked())
	}
	a.expect("ping", "$3·q=v·+PONG·")
	b.expect("ping", "$3·r=w·+PONG·")
}

// What a client sends while it is blocked is not kept without a limit: it waits in
// the socket, or the connection ends.
func TestInputWhileBlockedIsBounded(t *testing.T) {
	t.Parallel()
	limits := server.DefaultLimits()
	limits.MaxQuery = 64 << 10
	drivers(t, func(c *server.Config) { c.Limits = func() *server.Limits { return limits } }, func(t *testing.T, b *blockingServer) {
		w := b.dial()
		b.blocks(w, "bpop q 0\r\n", 1)
		ping := strings.Repeat("ping\r\n", 10_000)
		w.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		for n := 0; ; n += len(ping) {
			if _, err := w.Write([]byte(ping)); err != nil {
				break // refused, or not read
			}
			if n > 64<<20 {
				t.Fatal("everything is taken")
			}
		}
	})
}

// A server that stops ends the waits.
func TestStoppingEndsWaits(t *testing.T) {
	t.Parallel()
	drivers(t, nil, func(t *testing.T, b *blockingServer) {
		for i := range 5 {
			p := b.dial()
			b.blocks(p, "bpop q 0\r\nping\r\n", int64(i+1))
		}
		// drivers' cleanup stops it, and complains about what is left.
	})
}
