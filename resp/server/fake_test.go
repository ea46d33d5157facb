package server_test

import (
	"bytes"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"conclave/resp/command"
	"conclave/resp/server"
)

// store is a keyspace of strings without expiry.
type store struct {
	touched atomic.Int64
	parts   [command.Partitions]struct {
		sync.Mutex
		keys    map[string][]byte
		watchMu sync.Mutex
		watch   map[string][]*command.Watch
	}
}

func newStore() *store {
	s := &store{}
	for i := range s.parts {
		s.parts[i].keys = map[string][]byte{}
		s.parts[i].watch = map[string][]*command.Watch{}
	}
	return s
}

func (s *store) Lock(mask uint64) {
	for m := mask; m != 0; m &= m - 1 {
		s.parts[bits.TrailingZeros64(m)].Lock()
	}
}

func (s *store) Unlock(mask uint64) {
	for m := mask; m != 0; m &= m - 1 {
		s.parts[bits.TrailingZeros64(m)].Unlock()
	}
}

func part(key []byte) int { return command.SlotOf(key) % command.Partitions }

func (s *store) get(key []byte) ([]byte, bool) {
	v, ok := s.parts[part(key)].keys[string(key)]
	return v, ok
}

func (s *store) set(key, value []byte) {
	p := &s.parts[part(key)]
	if old, ok := p.keys[string(key)]; ok && len(old) == len(value) {
		copy(old, value)
	} else {
		p.keys[string(key)] = bytes.Clone(value)
	}
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	for _, w := range p.watch[string(key)] {
		w.Touch()
	}
}

func (s *store) Exists(_ int, key []byte, _ int64) bool { _, ok := s.get(key); return ok }

func (s *store) Watch(w *command.Watch, db int, key []byte, _ int64) {
	p := &s.parts[part(key)]
	w.Keys = append(w.Keys, command.WatchedKey{DB: db, Key: string(key)})
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	p.watch[string(key)] = append(p.watch[string(key)], w)
}

func (s *store) Unwatch(w *command.Watch) {
	for _, k := range w.Keys {
		p := &s.parts[part([]byte(k.Key))]
		p.watchMu.Lock()
		delete(p.watch, k.Key)
		p.watchMu.Unlock()
	}
}

func (s *store) Dirty(w *command.Watch, _ int64) bool { return w.Touched() }

// Touch implements command.Toucher: it counts the keys.
func (s *store) Touch(_ int, keys [][]byte) { s.touched.Add(int64(len(keys))) }

// locked reports whether a partition is locked, for handlers that check it.
func (s *store) locked(i int) bool {
	if s.parts[i].TryLock() {
		s.parts[i].Unlock()
		return false
	}
	return true
}

// router answers by functions; nil ones say that all is here.
type router struct {
	route   func(q *command.Query) command.Verdict
	confirm func(command.Stamp) bool
}

func (r *router) Route(q *command.Query) command.Verdict {
	if r.route == nil {
		return command.Verdict{Stamp: command.Stamp{Slot: int32(q.Slot)}}
	}
	return r.route(q)
}

func (r *router) Confirm(s command.Stamp) bool { return r.confirm == nil || r.confirm(s) }

var key1 = []command.KeySpec{{Begin: 1, Flags: command.RO | command.Access}}

func families(s *store) []command.Spec {
	return []command.Spec{
		{Name: "get", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: key1, Doc: "d", Args: "key", Run: func(c *command.Ctx) {
			if !s.locked(part(c.Arg(1))) {
				panic("GET runs without the lock")
			}
			if v, ok := s.get(c.Arg(1)); ok {
				c.Bulk(v)
			} else {
				c.Null()
			}
		}},
		{Name: "set", Arity: 3, Flags: command.Write | command.DenyOOM, Keys: key1, Doc: "d", Args: "key value", Run: func(c *command.Ctx) {
			s.set(c.Arg(1), c.Arg(2))
			c.OK()
		}},
		{Name: "incr", Arity: 2, Flags: command.Write | command.DenyOOM, Keys: key1, Doc: "d", Args: "key", Run: func(c *command.Ctx) {
			v, _ := s.get(c.Arg(1))
			n, err := strconv.Atoi("0" + string(v))
			if err != nil {
				c.Error(command.ErrNotInteger)
				return
			}
			s.set(c.Arg(1), []byte(strconv.Itoa(n+1)))
			c.Int(int64(n + 1))
		}},
		{Name: "mget", Arity: -2, Flags: command.ReadOnly, Keys: []command.KeySpec{{Begin: 1, Last: -1}}, Doc: "d", Args: "key [key ...]", Run: func(c *command.Ctx) {
			c.Array(len(c.Args) - 1)
			for _, k := range c.Args[1:] {
				if v, ok := s.get(k); ok {
					c.Bulk(v)
				} else {
					c.Null()
				}
			}
		}},
		{Name: "dbsize", Arity: 1, Flags: command.ReadOnly | command.WholeStore, Doc: "d", Run: func(c *command.Ctx) {
			n := 0
			for i := range s.parts {
				if !s.locked(i) {
					panic("DBSIZE runs without all locks")
				}
				n += len(s.parts[i].keys)
			}
			c.Int(int64(n))
		}},
		{Name: "ping", Arity: -1, Flags: command.Fast, Doc: "d", Run: func(c *command.Ctx) { c.Simple("PONG") }},
		{Name: "auth", Arity: 2, Flags: command.NoAuth, Doc: "d", Run: func(c *command.Ctx) {
			x := c.Session.(*server.Session)
			x.Redact(1)
			if x.Authenticate("default", c.Arg(1)) {
				c.OK()
			} else {
				c.Error("WRONGPASS no")
			}
		}},
		{Name: "asking", Arity: 1, Doc: "d", Run: func(c *command.Ctx) { c.Session.SetAsking(); c.OK() }},
		{Name: "quit", Arity: -1, Flags: command.NoAuth, Doc: "d", Run: func(c *command.Ctx) { c.OK(); c.Session.(*server.Session).CloseAfterReply() }},
		{Name: "monitor", Arity: 1, Flags: command.Admin, Doc: "d", Run: func(c *command.Ctx) { c.OK(); c.Session.(*server.Session).StartMonitor() }},
		{Name: "reset", Arity: 1, Doc: "d", Run: func(c *command.Ctx) { c.Session.(*server.Session).ResetState(); c.Simple("RESET") }},
		{Name: "debug", Arity: -1, Flags: command.Protected, Doc: "d", Run: func(c *command.Ctx) { c.OK() }},
		{Name: "syncish", Arity: 1, Flags: command.NoMulti, Doc: "d", Run: func(c *command.Ctx) { c.OK() }},
		{Name: "reply", Arity: 2, Doc: "d", Run: func(c *command.Ctx) {
			x := c.Session.(*server.Session)
			switch string(c.Arg(1)) {
			case "on":
				x.SetReplyMode(server.ReplyOn)
				c.OK()
			case "off":
				x.SetReplyMode(server.ReplyOff)
			case "skip":
				x.SetReplyMode(server.ReplySkip)
			}
		}},
		{Name: "detached", Arity: -1, Flags: command.Detached, Doc: "d", Run: func(c *command.Ctx) {
			for i := range s.parts {
				if s.locked(i) {
					c.Error("ERR locked")
					return
				}
			}
			c.OK()
		}},
		{Name: "admin", Arity: 2, Doc: "d", Run: func(c *command.Ctx) { c.Simple("alone") }, BatchName: "admin", Batch: func(cs []*command.Ctx) {
			for _, c := range cs {
				c.Simple(fmt.Sprintf("%s of %d", c.Arg(1), len(cs)))
			}
		}},
		{Name: "box", Arity: -2, Doc: "d", Sub: []command.Spec{
			{Name: "open", Arity: 3, Doc: "d", Keys: []command.KeySpec{{Begin: 2}}, Run: func(c *command.Ctx) { c.Simple(c.Spec.FullName()) }},
		}},
	}
}

// fixture is a server over a store of its own.
type fixture struct {
	t     *testing.T
	srv   *server.Server
	store *store
}

func start(t *testing.T, change func(*server.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, store: newStore()}
	cfg := server.Config{Keyspace: f.store}
	if change != nil {
		change(&cfg)
	}
	f.srv = server.New(cfg)
	table, err := command.Build(families(f.store), f.srv.TransactionSpecs(), command.Specs())
	if err != nil {
		t.Fatal(err)
	}
	f.srv.Use(table)
	return f
}

// client is a session that is driven by hand.
type client struct {
	t *testing.T
	*server.Session
	mu     sync.Mutex
	sent   bytes.Buffer
	closed bool
}

func (c *client) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent.Write(b)
}

func (c *client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

// output takes what was sent so far.
func (c *client) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sent.String()
	c.sent.Reset()
	return strings.ReplaceAll(s, "\r\n", "·")
}

func (f *fixture) connect() *client {
	c := &client{t: f.t}
	c.Session = f.srv.NewSession(server.Peer{Addr: "127.0.0.1:5", Local: "127.0.0.1:6", Host: "127.0.0.1", FD: 7, Loopback: true}, c)
	f.t.Cleanup(c.Session.Close)
	return c
}

// send has the session process one batch of inline commands, separated by
// newlines, and returns the output.
func (c *client) send(in string) string {
	c.t.Helper()
	c.feed(in + "\n")
	c.Process()
	return c.output()
}

func (c *client) feed(in string) {
	for len(in) > 0 {
		n := copy(c.Input(), in)
		c.Fed(n)
		in = in[n:]
	}
}

func (c *client) expect(in, want string) {
	c.t.Helper()
	if got := c.send(in); got != want {
		c.t.Errorf("%q\n got %q\nwant %q", in, got, want)
	}
}
