package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

// pipes is a listener whose connections are net.Pipes from an address of
// choice: they live in virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	shut  atomic.Bool
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	if !p.shut.Swap(true) {
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return addr("127.0.0.1:1") }

func (p *pipes) dial(from string) net.Conn {
	a, b := net.Pipe()
	p.conns <- addressed{b, from}
	return a
}

func addr(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

type addressed struct {
	net.Conn
	from string
}

func (a addressed) RemoteAddr() net.Addr { return addr(a.from) }
func (a addressed) LocalAddr() net.Addr  { return addr("127.0.0.1:1") }

// serve runs the fixture's server on ln and returns what stops it.
func (f *fixture) serve(ln net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.srv.Serve(ctx, ln) }()
	return func() {
		f.t.Helper()
		cancel()
		if err := <-done; err != nil {
			f.t.Error(err)
		}
	}
}

func ask(t *testing.T, c net.Conn, in string) string {
	t.Helper()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, in+"\r\n"); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(line, "\r\n")
}

func TestServeTCPAndUnix(t *testing.T) {
	f := start(t, nil)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stopTCP, stopUnix := f.serve(tcp), f.serve(unix)
	a, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got := ask(t, a, "set k v"); got != "+OK" {
		t.Error(got)
	}
	b, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got := ask(t, b, "ping"); got != "+PONG" {
		t.Error(got)
	}
	all := f.srv.Sessions()
	if len(all) != 2 || all[0].Addr() != a.LocalAddr().String() || all[0].Host() != "127.0.0.1" || all[0].FD() <= 0 || all[0].BytesIn() != 9 {
		t.Errorf("sessions: %+v", all)
	}
	if u := all[1]; !u.Unix() || u.Addr() != path+":0" || u.Host() != "" {
		t.Errorf("unix session %q", u.Addr())
	}
	if last := all[0].LastCommand(); last == nil || last.Name != "set" {
		t.Error("last command isn't known")
	}
	stopTCP()
	stopUnix()
	if n := f.srv.SessionCount(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	noGoroutinesLeft(t)
}

func noGoroutinesLeft(t *testing.T) {
	t.Helper()
	var stacks string
	eventually(t, func() bool {
		b := make([]byte, 1<<20)
		stacks = string(b[:runtime.Stack(b, true)])
		return !strings.Contains(stacks, "(*conn).pump") && !strings.Contains(stacks, "(*loop).run") && !strings.Contains(stacks, "housekeep") && !strings.Contains(stacks, "sendPushes")
	})
}

func TestMaxClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(c *server.Config) {
			l := server.DefaultLimits()
			l.MaxClients = 1
			c.Limits = func() *server.Limits { return l }
		})
		ln := newPipes()
		stop := f.serve(ln)
		a := ln.dial("127.0.0.1:5")
		if got := ask(t, a, "ping"); got != "+PONG" {
			t.Error(got)
		}
		b := ln.dial("127.0.0.1:6")
		if got := reply(b); got != "-ERR max number of clients reached" {
			t.Error(got)
		}
		a.Close()
		synctest.Wait()
		c := ln.dial("127.0.0.1:7")
		if got := ask(t, c, "ping"); got != "+PONG" {
			t.Error(got)
		}
		if n := f.srv.Stats().RejectedConnections(); n != 1 {
			t.Errorf("%d rejected", n)
		}
		stop()
	})
}

func reply(c net.Conn) string {
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSuffix(line, "\r\n") + map[bool]string{true: " " + fmt.Sprint(err)}[err != nil]
}

func TestProtectedMode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		ln := newPipes()
		stop := f.serve(ln)
		if got := reply(ln.dial("10.0.0.1:5")); !strings.HasPrefix(got, "-DENIED Redis is running in protected mode because ") {
			t.Error(got)
		}
		if got := ask(t, ln.dial("127.0.0.1:5"), "ping"); got != "+PONG" {
			t.Error(got)
		}
		stop()

		f = start(t, func(c *server.Config) { c.Auth = password("x") })
		ln = newPipes()
		stop = f.serve(ln)
		if got := ask(t, ln.dial("10.0.0.1:5"), "ping"); got != "-NOAUTH Authentication required." {
			t.Error(got)
		}
		stop()
	})
}

func TestIdleClientsAreDisconnected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := server.DefaultLimits()
		var limits atomic.Pointer[server.Limits]
		limits.Store(l)
		f := start(t, func(c *server.Config) { c.Limits = limits.Load })
		ln := newPipes()
		stop := f.serve(ln)
		c := ln.dial("127.0.0.1:5")
		time.Sleep(time.Hour)
		if got := ask(t, c, "ping"); got != "+PONG" {
			t.Errorf("without a timeout: %s", got)
		}
		// A new limit holds for connections that are open already.
		short := *l
		short.Timeout = 10 * time.Second
		limits.Store(&short)
		time.Sleep(9 * time.Second)
		if got := ask(t, c, "ping"); got != "+PONG" {
			t.Errorf("within the timeout: %s", got)
		}
		time.Sleep(12 * time.Second)
		if n := f.srv.SessionCount(); n != 0 {
			t.Error("still connected")
		}
		stop()
	})
}

// A client that stops reading holds up nobody, and not the end of the server.
func TestStuckClientDoesNotHoldTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		ln := newPipes()
		stop := f.serve(ln)
		stuck := ln.dial("127.0.0.1:5")
		io.WriteString(stuck, "get a\r\n") // its reply is never read
		if got := ask(t, ln.dial("127.0.0.1:6"), "set a 1"); got != "+OK" {
			t.Error(got)
		}
		stop()
	})
}

func TestShutdownHook(t *testing.T) {
	t.Parallel()
	asked := make(chan bool, 2)
	f := start(t, func(c *server.Config) { c.OnShutdown = func() { asked <- true } })
	f.srv.RequestShutdown()
	f.srv.RequestShutdown()
	<-asked
	if len(asked) != 0 {
		t.Error("asked twice")
	}
}

func TestServeNeedsCommands(t *testing.T) {
	t.Parallel()
	srv := server.New(server.Config{Keyspace: newStore()})
	if err := srv.Serve(context.Background(), newPipes()); err == nil {
		t.Error("it serves without commands")
	}
	srv = server.New(server.Config{})
	table, err := command.Build(command.Specs())
	if err != nil {
		t.Fatal(err)
	}
	srv.Use(table)
	if err := srv.Serve(context.Background(), newPipes()); err == nil {
		t.Error("it serves without a keyspace")
	}
}
