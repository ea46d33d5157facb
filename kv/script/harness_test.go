package script_test

import (
	"bufio"
	"context"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/kv/script"
	"conclave/resp/command"
	"conclave/resp/server"
)

// node is a server on a port of its own.
type node struct {
	addr   string
	store  *kv.Store
	engine *script.Engine
}

// startNode starts a server that ends with the test.
func startNode(t testing.TB, ec script.Config, sc server.Config, limits func(*server.Limits)) *node {
	t.Helper()
	n := &node{store: kv.New(kv.Config{}), engine: script.New(ec)}
	l := *server.DefaultLimits()
	if limits != nil {
		limits(&l)
	}
	sc.Keyspace, sc.Limits, sc.IOThreads = n.store, func() *server.Limits { return &l }, 1
	s := server.New(sc)
	families := append(commands.Specs(commands.Deps{Store: n.store, MaxBulkLen: func() int64 { return 512 << 20 }}),
		command.Specs(), s.TransactionSpecs(), n.engine.Specs(), []command.Spec{
			{Name: "ping", Arity: -1, Flags: command.Fast, Doc: "Answers.", Run: func(c *command.Ctx) { c.Simple("PONG") }},
			{Name: "hello", Arity: 2, Flags: command.Fast | command.NoScript, Doc: "Selects RESP3.", Args: "protover", Run: func(c *command.Ctx) { c.SetProto(3); c.OK() }},
			{Name: "select", Arity: 2, Flags: command.Fast, Doc: "Selects a database.", Args: "index", Run: func(c *command.Ctx) {
				db, _ := strconv.Atoi(string(c.Arg(1)))
				c.Session.SetDB(db)
				c.OK()
			}},
		})
	table, err := command.Build(families...)
	if err != nil {
		t.Fatal(err)
	}
	s.Use(table)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		n.engine.SetStopped(true)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	n.addr = ln.Addr().String()
	return n
}

// startRedis starts a redis-server that ends with the test; empty if none is
// installed, and then says what is left out.
func startRedis(t testing.TB, without string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Logf("left out, because redis-server is not installed: %s", without)
		return ""
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (c *client) send(args ...string) {
	c.t.Helper()
	b := command.AppendCall(nil, bytesOf(args)...)
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func bytesOf(args []string) [][]byte {
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	return b
}

// do sends a command and returns its reply as text: "-ERR ...", ":1", "$abc",
// "[$a :1]", "nil".
func (c *client) do(args ...string) string {
	c.t.Helper()
	c.send(args...)
	return c.read()
}

func (c *client) read() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	line = strings.TrimRight(line, "\r\n")
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return "$nil"
		}
		b := make([]byte, n+2)
		for got := 0; got < len(b); {
			m, err := c.r.Read(b[got:])
			if err != nil {
				c.t.Fatal(err)
			}
			got += m
		}
		return line[:1] + string(b[:n])
	case '*', '%', '~':
		if n < 0 {
			return "*nil"
		}
		if line[0] == '%' {
			n *= 2
		}
		parts := make([]string, n)
		for i := range parts {
			parts[i] = c.read()
		}
		return line[:1] + "[" + strings.Join(parts, " ") + "]"
	}
	return line
}

// settled hides what differs from run to run.
func settled(reply string) string {
	return regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllString(reply, "0x")
}
