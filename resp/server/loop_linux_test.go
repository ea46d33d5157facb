//go:build amd64 || arm64

package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

// looped is a server on a TCP port of its own, served by event loops.
type looped struct {
	*fixture
	addr string
}

func startLoops(t *testing.T, threads int, change func(*server.Config)) *looped {
	t.Helper()
	f := start(t, func(c *server.Config) {
		c.IOThreads = threads
		if change != nil {
			change(c)
		}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := f.serve(ln)
	t.Cleanup(func() {
		stop()
		if n := f.srv.SessionCount(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
	return &looped{f, ln.Addr().String()}
}

// peer is a client with a buffered reader.
type peer struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (l *looped) dial() *peer {
	l.t.Helper()
	c, err := net.Dial("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return &peer{l.t, c, bufio.NewReader(c)}
}

func (p *peer) send(in string) {
	p.t.Helper()
	if _, err := io.WriteString(p, in); err != nil {
		p.t.Error(err)
	}
}

// line is the next line, or the error.
func (p *peer) line() string {
	s, err := p.r.ReadString('\n')
	if err != nil {
		return s + "(" + errText(err) + ")"
	}
	return strings.TrimSuffix(s, "\r\n")
}

func errText(err error) string {
	if err == io.EOF || strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe") {
		return "closed"
	}
	return err.Error()
}

func (p *peer) expect(in string, want ...string) {
	p.t.Helper()
	p.send(in)
	for _, w := range want {
		if got := p.line(); got != w {
			p.t.Errorf("%.60q: got %q, want %q", in, got, w)
		}
	}
}

func TestLoopsServeManyClients(t *testing.T) {
	for _, threads := range []int{1, 3} {
		t.Run(strconv.Itoa(threads), func(t *testing.T) {
			l := startLoops(t, threads, nil)
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					c := l.dial()
					key := fmt.Sprint("key", i)
					for n := range 20 {
						c.expect(fmt.Sprintf("set %s 0\r\nincr %s\r\nincr %s\r\nget %s\r\n", key, key, key, key), "+OK", ":1", ":2", "$1", "2")
						c.expect("*2\r\n$3\r\nGE", []string{}...)
						c.expect(fmt.Sprintf("T\r\n$%d\r\n%s\r\nincr shared\r\n", len(key), key), "$1", "2")
						if got := c.line(); got[0] != ':' {
							t.Errorf("turn %d: %q", n, got)
						}
					}
				})
			}
			wg.Wait()
			l.dial().expect("get shared\r\n", "$4", "2000")
			if n := l.srv.Stats().Commands(); n < 100*20*6 {
				t.Errorf("%d commands counted", n)
			}
		})
	}
}

// hazards are requests that announce more than they bring, or bring it slowly.
func hazards() []struct{ name, in, before, after string } {
	tooLong := "-ERR Protocol error: invalid bulk length"
	return []struct{ name, in, before, after string }{
		{"huge bulk", "*1\r\n$9223372036854775807\r\nabc\r\n", tooLong, tooLong},
		{"bulk that overflows with its end", "*1\r\n$9223372036854775800\r\n", tooLong, tooLong},
		{"negative bulk", "*1\r\n$-2\r\n", tooLong, tooLong},
		{"bulk beyond the limit", "*1\r\n$1000000000000\r\na", tooLong, tooLong},
		{"large bulk", "*1\r\n$20000\r\n", "-ERR Protocol error: unauthenticated bulk length", ""},
		{"huge count", "*9223372036854775807\r\n$1\r\na", "-ERR Protocol error: invalid multibulk length", "-ERR Protocol error: invalid multibulk length"},
		{"large count", "*1000000\r\n$1\r\na\r\n", "-ERR Protocol error: unauthenticated multibulk length", ""},
		{"no bulk", "*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'", "-ERR Protocol error: expected '$', got ':'"},
		{"Tile38's framing", "$9223372036854775807 x\r\n", "-NOAUTH Authentication required.", "-ERR unknown command '$9223372036854775807', with args beginning with: 'x' "},
		{"endless line", strings.Repeat("x", 70000), "-ERR Protocol error: too big inline request", "-ERR Protocol error: too big inline request"},
		{"endless count", "*" + strings.Repeat("1", 70000), "-ERR Protocol error: too big mbulk count string", "-ERR Protocol error: too big mbulk count string"},
		{"endless length", "*1\r\n$" + strings.Repeat("1", 70000), "-ERR Protocol error: too big bulk count string", "-ERR Protocol error: too big bulk count string"},
		{"open quotes", "get \"a\r\n", "-ERR Protocol error: unbalanced quotes in request", "-ERR Protocol error: unbalanced quotes in request"},
	}
}

func TestHazards(t *testing.T) {
	l := startLoops(t, 1, func(c *server.Config) { c.Auth = password("secret") })
	witness := l.dial()
	witness.expect("auth secret\r\n", "+OK")
	before := heap()
	for _, h := range hazards() {
		for _, authed := range []bool{false, true} {
			c, want := l.dial(), h.before
			if authed {
				c.expect("auth secret\r\n", "+OK")
				want = h.after
			}
			io.WriteString(c, h.in) // it may be cut off while it sends
			switch {
			case want == "": // allowed: it waits for the rest
				c.Close()
			case strings.HasPrefix(want, "-ERR Protocol error"):
				got := c.line()
				if got == "(closed)" && len(h.in) > 60000 {
					break // the reset that answers what was left unread
				}
				if got != want || c.line() != "(closed)" {
					t.Errorf("%s, authenticated %v: got %q, want %q and the end", h.name, authed, got, want)
				}
			default:
				if got := c.line(); got != want && !(got[:4] == "-ERR" && !authed) {
					t.Errorf("%s, authenticated %v: got %q, want %q", h.name, authed, got, want)
				}
			}
			witness.expect("ping\r\n", "+PONG")
			c.Close()
		}
	}
	eventually(t, func() bool { return l.srv.SessionCount() == 1 })
	if more := heap() - before; more > 1<<20 {
		t.Errorf("%d bytes are left behind", more)
	}
}

// A request in very many pieces costs no more than its length.
func TestRequestsInPieces(t *testing.T) {
	l := startLoops(t, 1, nil)
	c := l.dial()
	var many strings.Builder
	many.WriteString("*50001\r\n$4\r\nmget\r\n")
	for range 50000 {
		many.WriteString("$1\r\na\r\n")
	}
	for in := many.String(); len(in) > 0; in = in[min(1448, len(in)):] {
		c.send(in[:min(1448, len(in))])
	}
	if got := c.line(); got != "*50000" {
		t.Fatal(got)
	}
	c.r.Discard(50000 * 5)
	c.send("*3\r\n$3\r\nset\r\n$1\r\na\r\n$20000\r\n")
	for range 20000 / 4 {
		c.send("xxxx")
	}
	c.expect("\r\nping\r\n", "+OK", "+PONG")
	eventually(t, func() bool { _, size := l.srv.Sessions()[0].QueryBuffer(); return size == 0 })
}

// Memory that a large request and a large reply took is given back.
func TestLargeRequestsLeaveNothingBehind(t *testing.T) {
	l := startLoops(t, 1, nil)
	c := l.dial()
	value := strings.Repeat("x", 30<<20)
	c.expect(fmt.Sprintf("*3\r\n$3\r\nset\r\n$1\r\na\r\n$%d\r\n%s\r\n", len(value), value), "+OK")
	c.expect("get a\r\n", "$31457280")
	if n, err := c.r.Discard(len(value) + 2); err != nil {
		t.Fatal(n, err)
	}
	c.expect("set a 1\r\nping\r\n", "+OK", "+PONG")
	eventually(t, func() bool {
		s := l.srv.Sessions()[0]
		_, in := s.QueryBuffer()
		waits, out := s.OutputBuffer()
		return in == 0 && waits == 0 && out <= 4096
	})
}

// unread makes the client ask for n values of 60 kB without reading one.
func (p *peer) unread(n int) {
	p.send("set big " + strings.Repeat("x", 60000) + "\r\n")
	if got := p.line(); got != "+OK" {
		p.t.Error(got)
	}
	p.SetWriteDeadline(time.Now().Add(2 * time.Second))
	io.WriteString(p, strings.Repeat("get big\r\n", n)) // it may be cut off, or held up
	p.SetWriteDeadline(time.Now().Add(30 * time.Second))
}

func TestClientThatNeverReadsIsCutAtItsLimit(t *testing.T) {
	l := startLoops(t, 1, func(c *server.Config) {
		limits := server.DefaultLimits()
		limits.OutputNormal.Hard = 8 << 20
		c.Limits = func() *server.Limits { return limits }
	})
	other, c := l.dial(), l.dial()
	other.expect("ping\r\n", "+PONG")
	c.unread(1000)
	eventually(t, func() bool { return l.srv.SessionCount() == 1 })
	if n := l.srv.Stats().OutputLimitDisconnections(); n != 1 {
		t.Errorf("%d disconnections counted", n)
	}
	other.expect("ping\r\n", "+PONG")
}

func TestSoftOutputLimit(t *testing.T) {
	l := startLoops(t, 1, func(c *server.Config) {
		limits := server.DefaultLimits()
		limits.OutputNormal.Soft, limits.OutputNormal.SoftFor = 1<<20, time.Second
		c.Limits = func() *server.Limits { return limits }
	})
	c := l.dial()
	c.unread(1000)
	eventually(t, func() bool { return l.srv.Stats().OutputLimitDisconnections() == 1 && l.srv.SessionCount() == 0 })
}

// Without a limit a client that doesn't read is held back, and gets everything
// in order once it reads.
func TestClientThatReadsLateIsHeldBack(t *testing.T) {
	l := startLoops(t, 1, nil)
	c, other := l.dial(), l.dial()
	c.unread(500)
	var most int64
	for range 10 {
		other.expect("ping\r\n", "+PONG")
		used, _ := l.srv.Sessions()[0].OutputBuffer()
		most = max(most, used)
	}
	if most > 3<<20 {
		t.Errorf("%d bytes wait", most)
	}
	sent := make(chan bool)
	go func() { defer close(sent); c.send("incr n\r\n") }()
	for i := range 500 {
		if got := c.line(); got != "$60000" {
			t.Fatalf("reply %d: %.20q", i, got)
		}
		c.r.Discard(60002)
	}
	<-sent
	if got := c.line(); got != ":1" {
		t.Errorf("%.20q", got)
	}
}

// waiter is a router under which slots change hands for as long as it is told.
type waiter struct {
	router
	hold atomic.Pointer[chan struct{}]
}

func (w *waiter) Route(q *command.Query) command.Verdict {
	if c := w.hold.Load(); c != nil && q.Write {
		return command.Verdict{Wait: *c}
	}
	return w.router.Route(q)
}

func TestParkedCommandsDontHoldTheLoop(t *testing.T) {
	w := &waiter{}
	l := startLoops(t, 1, func(c *server.Config) { c.Router = w })
	hold := make(chan struct{})
	w.hold.Store(&hold)
	a, b := l.dial(), l.dial()
	// What came before the parked command is answered at once.
	a.expect("get x\r\nping\r\nset x 1\r\nget x\r\nincr x\r\n", "$-1", "+PONG")
	b.expect("get x\r\n", "$-1")
	w.hold.Store(nil)
	close(hold)
	a.expect("", "+OK", "$1", "1", ":2")
	b.expect("get x\r\n", "$1", "2")
	a.expect("multi\r\nset y 1\r\nexec\r\nget y\r\n", "+OK", "+QUEUED", "*1", "+OK", "$1", "1")
}

func TestPauseDoesntHoldTheLoop(t *testing.T) {
	l := startLoops(t, 1, nil)
	a, b := l.dial(), l.dial()
	a.expect("multi\r\nset x 5\r\n", "+OK", "+QUEUED")
	l.srv.Pause(time.Now().Add(time.Hour), false)
	a.send("exec\r\nget x\r\n")
	b.expect("get x\r\n", "$-1")
	l.srv.Unpause()
	a.expect("", "*1", "+OK", "$1", "5")
}

// Whoever waits beside the loop can be killed, and the end of the server
// doesn't wait for it for long.
func TestKillBesideTheLoop(t *testing.T) {
	w := &waiter{}
	l := startLoops(t, 2, func(c *server.Config) { c.Router, c.ParkTimeout = w, time.Hour })
	hold := make(chan struct{})
	w.hold.Store(&hold)
	var all []*peer
	for range 4 {
		c := l.dial()
		c.expect("ping\r\nset x 1\r\n", "+PONG")
		all = append(all, c)
	}
	l.srv.Sessions()[0].Kill()
	all[0].expect("", "(closed)")
	all[1].Close()
	all[2].Conn.(*net.TCPConn).SetLinger(0)
	all[2].Close() // a reset is noticed
	eventually(t, func() bool { return l.srv.SessionCount() == 2 })
}

func TestMonitorOnLoops(t *testing.T) {
	l := startLoops(t, 2, nil)
	m, c := l.dial(), l.dial()
	m.expect("monitor\r\n", "+OK")
	for range 10 {
		c.expect("get a\r\n", "$-1")
		if got := m.line(); !strings.HasSuffix(got, `"get" "a"`) {
			t.Errorf("%q", got)
		}
	}
	m.expect("reset\r\nping\r\n", "+RESET", "+PONG")
}

func TestMonitorThatDoesntReadIsCutOff(t *testing.T) {
	l := startLoops(t, 1, func(c *server.Config) {
		limits := server.DefaultLimits()
		limits.OutputNormal.Hard = 1 << 20
		c.Limits = func() *server.Limits { return limits }
	})
	m, c := l.dial(), l.dial()
	m.Conn.(*net.TCPConn).SetReadBuffer(4096)
	m.expect("monitor\r\n", "+OK")
	long := strings.Repeat("k", 50000)
	for i := 0; i < 2000 && l.srv.SessionCount() == 2; i++ {
		c.expect("get "+long+"\r\n", "$-1")
	}
	eventually(t, func() bool { return l.srv.SessionCount() == 1 })
	c.expect("ping\r\n", "+PONG")
}

func TestQuitAndUnconfirmedOnLoops(t *testing.T) {
	r := &router{}
	var refuse atomic.Bool
	r.confirm = func(command.Stamp) bool { return !refuse.Load() }
	l := startLoops(t, 1, func(c *server.Config) { c.Router = r })
	l.dial().expect("set a 1\r\nquit\r\nping\r\n", "+OK", "+OK", "(closed)")
	c := l.dial()
	c.expect("get a\r\n", "$1", "1")
	refuse.Store(true)
	c.expect("set a 2\r\n", "(closed)")
	if n := l.srv.Stats().Unconfirmed(); n != 1 {
		t.Errorf("%d counted", n)
	}
}

// Clients of every kind at once, on several loops: whatever they do to each
// other, those who behave get what they asked for, and in the end all is gone.
func TestLoopsUnderStress(t *testing.T) {
	w := &waiter{}
	l := startLoops(t, 2, func(c *server.Config) {
		limits := server.DefaultLimits()
		limits.OutputPubSub.Hard = 1 << 20
		c.Router, c.Limits = w, func() *server.Limits { return limits }
	})
	good := l.dial()
	good.expect("ping\r\n", "+PONG")
	id := l.srv.Sessions()[0].ID()
	var wg sync.WaitGroup
	end := time.Now().Add(1500 * time.Millisecond)
	run := func(n int, turn func(i int, c *peer)) {
		for i := range n {
			wg.Go(func() {
				for time.Now().Before(end) {
					c, err := net.Dial("tcp", l.addr)
					if err != nil {
						t.Error(err)
						return
					}
					c.SetDeadline(time.Now().Add(20 * time.Second))
					turn(i, &peer{t, c, bufio.NewReader(c)})
					c.Close()
				}
			})
		}
	}
	run(4, func(_ int, c *peer) {
		io.WriteString(c, strings.Repeat("set x 1\r\nget x\r\ndetached\r\n", 50))
		c.line()
	})
	run(2, func(_ int, c *peer) { io.WriteString(c, "monitor\r\n"); c.line(); c.line() })
	run(2, func(_ int, c *peer) {
		io.WriteString(c, "multi\r\nset y 1\r\nadmin a\r\ndetached\r\nexec\r\n")
		c.r.ReadString('*')
	})
	run(2, func(i int, c *peer) { io.WriteString(c, "*1\r\n$3\r\nget x"[:5+i]) })
	run(2, func(_ int, c *peer) {
		io.WriteString(c, "detached\r\nget big\r\n")
		c.Conn.(*net.TCPConn).SetLinger(0)
	})
	run(1, func(_ int, c *peer) {
		io.WriteString(c, "set big "+strings.Repeat("x", 50000)+"\r\n"+strings.Repeat("get big\r\n", 400))
		c.line()
	})
	wg.Go(func() {
		for i := 0; time.Now().Before(end); i++ {
			hold := make(chan struct{})
			w.hold.Store(&hold)
			l.srv.Pause(time.Now().Add(time.Millisecond), i%2 == 0)
			for n, s := range l.srv.Sessions() {
				if n%3 == i%3 && s.ID() != id {
					s.Kill()
				}
				s.OutputBuffer()
				s.QueryBuffer()
			}
			l.dial().expect("get nothing\r\n", "$-1")
			w.hold.Store(nil)
			close(hold)
		}
	})
	for n := 1; time.Now().Before(end); n++ {
		good.expect("get n\r\nincr n\r\nadmin a\r\nping\r\n", map[bool]string{true: "$-1", false: "$" + strconv.Itoa(len(strconv.Itoa(n-1)))}[n == 1])
		if n > 1 {
			good.expect("", strconv.Itoa(n-1))
		}
		good.expect("", fmt.Sprint(":", n), "+alone", "+PONG")
	}
	wg.Wait()
	good.expect("ping\r\n", "+PONG")
}

// raise makes room for descriptors and returns how many there may be.
func raise(t *testing.T, want uint64) uint64 {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if l.Cur < want {
		l.Cur = min(want, l.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
			t.Fatal(err)
		}
	}
	return l.Cur
}

// socket connects without the runtime knowing: such a client takes no memory.
func socket(t *testing.T, addr string) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: n, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	return fd
}

func askRaw(t *testing.T, fd int, in, want string) {
	t.Helper()
	sendRaw(t, fd, in)
	expectRaw(t, fd, want)
}

func sendRaw(t *testing.T, fd int, in string) {
	t.Helper()
	if _, err := syscall.Write(fd, []byte(in)); err != nil {
		t.Fatal(err)
	}
}

func expectRaw(t *testing.T, fd int, want string) {
	t.Helper()
	b := make([]byte, len(want))
	for n := 0; n < len(want); {
		m, err := syscall.Read(fd, b[n:])
		if err != nil || m == 0 {
			t.Fatalf("%d, %v, want %q", m, err, want)
		}
		n += m
	}
	if string(b) != want {
		t.Fatalf("got %q, want %q", b, want)
	}
}

func TestIdleConnectionsAreSmall(t *testing.T) {
	const nbusy = 1000
	n := int(min(10000, (raise(t, 22500)-500)/2-nbusy))
	l := startLoops(t, 1, func(c *server.Config) {
		limits := server.DefaultLimits()
		limits.MaxClients = 20000
		c.Limits = func() *server.Limits { return limits }
	})
	first := l.dial()
	first.expect("ping\r\n", "+PONG")
	before := heap()
	fds := make([]int, n)
	for i := range fds {
		fds[i] = socket(t, l.addr)
		askRaw(t, fds[i], "*1\r\n$4\r\nPING\r\n", "+PONG\r\n")
	}
	per := (heap() - before) / int64(n)
	t.Logf("%d connections, %d bytes of heap each", n, per)
	if per > 2048 {
		t.Errorf("an idle connection takes %d bytes", per)
	}
	first.expect("ping\r\n", "+PONG")

	// Many others at work all at once are served beside them.
	busy := make([]int, nbusy)
	for i := range busy {
		busy[i] = socket(t, l.addr)
	}
	for range 5 {
		for i, fd := range busy {
			sendRaw(t, fd, fmt.Sprintf("set busy%d 0\r\nincr busy%d\r\n", i, i))
		}
		for _, fd := range busy {
			expectRaw(t, fd, "+OK\r\n:1\r\n")
		}
	}
	for _, fd := range append(fds, busy...) {
		syscall.Close(fd)
	}
	eventually(t, func() bool { return l.srv.SessionCount() == 1 })
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLoopDoesNotAllocate(t *testing.T) {
	l := startLoops(t, 1, func(c *server.Config) { c.Router = &router{} })
	fd := socket(t, l.addr)
	defer syscall.Close(fd)
	in, out := []byte(strings.Repeat("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", 8)), strings.Repeat("+OK\r\n$1\r\nv\r\n", 8)
	b := make([]byte, len(out))
	turn := func() {
		syscall.Write(fd, in)
		for n := 0; n < len(out); {
			m, err := syscall.Read(fd, b[n:])
			if err != nil || m == 0 {
				t.Error("no reply", err)
				return
			}
			n += m
		}
	}
	if n := testing.AllocsPerRun(500, turn); n > 0.5 {
		t.Errorf("%v allocations per pipeline of 16", n)
	}
}

func TestServeTwiceOnLoops(t *testing.T) {
	f := start(t, nil)
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for range 2 {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if err := f.srv.Serve(ctx, ln); err != nil {
					t.Error(err)
				}
			})
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got := ask(t, c, "ping"); got != "+PONG" {
				t.Error(got)
			}
		}
		cancel()
		wg.Wait()
		noGoroutinesLeft(t)
	}
}
