package commands_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/commands"
	"conclave/resp/server"
)

// keyspace is an empty store.
type keyspace struct{ mu sync.Mutex }

func (k *keyspace) Lock(uint64)                              {}
func (k *keyspace) Unlock(uint64)                            {}
func (k *keyspace) Exists(int, []byte, int64) bool           { return false }
func (k *keyspace) Watch(*command.Watch, int, []byte, int64) {}
func (k *keyspace) Unwatch(*command.Watch)                   {}
func (k *keyspace) Dirty(w *command.Watch, nowMs int64) bool { return w.Touched() }

// node is a server with this package's commands, listening on loopback.
type node struct {
	addr   string
	server *server.Server
}

// start runs a server until the test ends. change may alter what it is made of.
func start(t *testing.T, change func(*server.Config, *commands.Deps)) *node {
	t.Helper()
	cfg := server.Config{Keyspace: &keyspace{}, AllowProtected: func(bool) bool { return true }}
	deps := commands.Deps{Version: "0.1.0"}
	if change != nil {
		change(&cfg, &deps)
	}
	s := server.New(cfg)
	deps.Server = s
	table, err := command.Build(append(commands.Specs(deps), s.TransactionSpecs(), command.Specs())...)
	if err != nil {
		t.Fatal(err)
	}
	s.Use(table)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Errorf("serve: %v", err)
		}
	})
	return &node{addr: l.Addr().String(), server: s}
}

// client speaks RESP to a server and renders replies as one line of text.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// do sends words split at spaces (” is an empty word) and returns the reply.
func (c *client) do(line string) string {
	c.t.Helper()
	c.send(split(line)...)
	return c.reply()
}

func split(line string) []string {
	words := strings.Fields(line)
	for i, w := range words {
		if w == "''" {
			words[i] = ""
		}
		words[i] = strings.ReplaceAll(words[i], "~", " ")
	}
	return words
}

func (c *client) send(words ...string) {
	c.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		c.t.Fatalf("send %q: %v", words, err)
	}
}

// reply reads one reply. Strings are quoted only where they would be ambiguous.
func (c *client) reply() string {
	c.t.Helper()
	s, err := read(c.in)
	if err != nil {
		c.t.Fatalf("read reply: %v", err)
	}
	return s
}

// closed waits for the end of the connection; what came before it is dropped.
func (c *client) closed() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.in); err != nil && strings.Contains(err.Error(), "timeout") {
		c.t.Fatalf("the connection stayed open: %v", err)
	}
}

func read(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("empty line")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', '-', ':', '#', ',', '(':
		return line, nil
	case '_':
		return "nil", nil
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("length in %q", line)
	}
	switch kind {
	case '$', '=':
		if n < 0 {
			return "nil", nil
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(in, b); err != nil {
			return "", err
		}
		if kind == '=' {
			return "=" + string(b[:n]), nil
		}
		return string(b[:n]), nil
	case '*', '~', '>', '%', '|':
		if n < 0 {
			return "nil", nil
		}
		if kind == '%' || kind == '|' {
			n *= 2
		}
		parts := make([]string, n)
		for i := range parts {
			if parts[i], err = read(in); err != nil {
				return "", err
			}
		}
		open := map[byte]string{'*': "[", '~': "~[", '>': ">[", '%': "%[", '|': "|["}[kind]
		return open + strings.Join(parts, " ") + "]", nil
	}
	return "", fmt.Errorf("reply begins with %q", line)
}

// directives is a small configuration.
type directives struct {
	mu     sync.Mutex
	values map[string]string
	file   bool
}

func newDirectives() *directives {
	return &directives{values: map[string]string{"port": "7000", "maxclients": "10000", "hz": "10", "maxmemory": "0", "latency-monitor-threshold": "0"}}
}

func (d *directives) Match(pattern string) []commands.Pair {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []commands.Pair
	for _, name := range []string{"hz", "latency-monitor-threshold", "maxclients", "maxmemory", "port"} {
		if command.Glob([]byte(pattern), []byte(name), true) {
			found = append(found, commands.Pair{name, d.values[name]})
		}
	}
	return found
}

func (d *directives) Set(pairs []commands.Pair) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range pairs {
		if _, ok := d.values[p[0]]; !ok {
			return fmt.Errorf("Unknown option or number of arguments for CONFIG SET - '%s'", p[0])
		}
	}
	for _, p := range pairs {
		d.values[p[0]] = p[1]
	}
	return nil
}

func (d *directives) Rewrite() error {
	if !d.file {
		return fmt.Errorf("The server is running without a config file")
	}
	return nil
}
