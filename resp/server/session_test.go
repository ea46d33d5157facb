package server_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect()
	for _, tt := range []struct{ in, want string }{
		{"foo", "-ERR unknown command 'foo', with args beginning with: ·"},
		{"FOO a 'b\\' c' d", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' c' 'd' ·"},
		{`"" a`, "-ERR unknown command '', with args beginning with: 'a' ·"},
		{`"f\r\no\x01"`, "-ERR unknown command 'f  o\x01', with args beginning with: ·"},
		{"foo " + strings.Repeat("y", 200), "-ERR unknown command 'foo', with args beginning with: '" + strings.Repeat("y", 128) + "' ·"},
		{"foo " + strings.Repeat("y ", 60), "-ERR unknown command 'foo', with args beginning with: " + strings.Repeat("'y' ", 32) + "·"},
		{"get", "-ERR wrong number of arguments for 'get' command·"},
		{"GET a b", "-ERR wrong number of arguments for 'get' command·"},
		{"box", "-ERR wrong number of arguments for 'box' command·"},
		{"box Nope", "-ERR unknown subcommand 'Nope'. Try BOX HELP.·"},
		{"box open", "-ERR wrong number of arguments for 'box|open' command·"},
		{"BOX OPEN x", "+box|open·"},
		{"command nope", "-ERR unknown subcommand 'nope'. Try COMMAND HELP.·"},
		{"debug", `-ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.·`},
	} {
		c.expect(tt.in, tt.want)
	}
}

func TestPipelineIsOneBatch(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	c := f.connect()
	c.expect("set a 1\nincr a\nget a\nGeT b\nmget a b", "+OK·:2·$1·2·$-1·*2·$1·2·$-1·")
	c.expect("dbsize\ndetached", ":1·+OK·")
	for _, st := range f.srv.Stats().CommandStats() {
		if st.Spec.Name == "get" && (st.Calls != 2 || st.Failed != 0) {
			t.Errorf("get: %+v", st)
		}
	}
	if n := f.srv.Stats().Commands(); n != 7 {
		t.Errorf("%d commands processed", n)
	}
}

func TestPipelineIsLookedAhead(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	c := f.connect()
	c.expect("get a\nget\nping\nmget a b\nset b 1\nget \"\"\nfoo", "$-1·-ERR wrong number of arguments for 'get' command·+PONG·*2·$-1·$-1·+OK·$-1·-ERR unknown command 'foo', with args beginning with: ·")
	// Three of the pipeline, and the two of MGET side by side before it runs.
	if n := f.store.touched.Load(); n != 5 {
		t.Errorf("%d keys were touched", n)
	}
	c.send(strings.Repeat("get a\n", 100))
	if n := f.store.touched.Load(); n != 105 {
		t.Errorf("%d keys were touched", n)
	}
}

func TestProtocolErrorEndsTheSession(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect()
	c.feed("*1\r\n$4\r\nPING\r\n*1\r\n$-1\r\nPING\r\n")
	if c.Process() {
		t.Error("the session goes on")
	}
	if got := c.output(); got != "+PONG·-ERR Protocol error: invalid bulk length·" {
		t.Errorf("got %q", got)
	}
}

func TestQuitDropsTheRest(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect()
	c.feed("ping\nquit\nping\n")
	if c.Process() || c.output() != "+PONG·+OK·" {
		t.Error("QUIT didn't end the batch")
	}
}

func TestBrowsersAreCutOff(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect()
	c.feed("POST / HTTP/1.1\r\nHost: x\r\nset a 1\r\n")
	if c.Process() || c.output() != "" {
		t.Error("an HTTP request was answered")
	}
}

type password string

func (p password) PasswordNeeded() bool { return p != "" }

func (p password) Authenticate(user string, pw []byte) bool {
	return user == "default" && string(pw) == string(p)
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) { c.Auth = password("secret") })
	c := f.connect()
	c.expect("get a\nfoo\nget", "-NOAUTH Authentication required.·-ERR unknown command 'foo', with args beginning with: ·-ERR wrong number of arguments for 'get' command·")
	c.expect("auth wrong\nauth secret\nget a", "-WRONGPASS no·+OK·$-1·")
	c.expect("reset\nget a", "+RESET·-NOAUTH Authentication required.·")
	c.feed("*11\r\n")
	if c.Process() || c.output() != "-ERR Protocol error: unauthenticated multibulk length·" {
		t.Error("a large request was accepted before AUTH")
	}
}

func TestReplyModes(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect()
	c.expect("reply skip\nping\nget a", "$-1·")
	c.expect("reply off\nping\nfoo\nget", "")
	c.expect("ping\nreply on\nping", "+OK·+PONG·")
}

func TestGate(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) {
		c.Gate = func(fl command.Flags) string {
			if fl&command.DenyOOM != 0 {
				return command.ErrOOM
			}
			return ""
		}
	})
	c := f.connect()
	oom := "-" + command.ErrOOM + "·"
	c.expect("set a 1\nget a", oom+"$-1·")
	c.expect("multi\nget a\nset a 1\nexec", "+OK·+QUEUED·"+oom+"-EXECABORT Transaction discarded because of previous errors.·")
	if st := f.srv.Stats().ErrorStats(); !slices.Contains(st, server.ErrorStat{Code: "OOM", Count: 2}) {
		t.Errorf("error statistics: %v", st)
	}
}

func TestStatisticsOfErrors(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	c := f.connect()
	c.send("set a x\nincr a\nget\nfoo\nmulti\nincr a\nexec")
	want := []server.ErrorStat{{Code: "ERR", Count: 4}}
	if got := f.srv.Stats().ErrorStats(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, st := range f.srv.Stats().CommandStats() {
		switch st.Spec.Name {
		case "incr":
			if st.Calls != 2 || st.Failed != 2 || st.Rejected != 0 || st.Latency.Count() != 2 {
				t.Errorf("incr: %+v", st)
			}
		case "get":
			if st.Calls != 0 || st.Rejected != 1 {
				t.Errorf("get: %+v", st)
			}
		}
	}
	f.srv.ResetStats()
	if f.srv.Stats().Commands() != 0 || len(f.srv.Stats().CommandStats()) != 0 || len(f.srv.Stats().ErrorStats()) != 0 {
		t.Error("RESETSTAT left something")
	}
}

func TestOutputIsFlushedWithinABatch(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	c := f.connect()
	c.send("set a " + strings.Repeat("x", 40000))
	w := &sizes{}
	s := f.srv.NewSession(server.Peer{}, w)
	defer s.Close()
	for range 10 {
		s.Fed(copy(s.Input(), "get a\n"))
	}
	if !s.Process() {
		t.Fatal("session ended")
	}
	if len(w.n) < 5 || slices.Max(w.n) > 110000 {
		t.Errorf("written in pieces of %v", w.n)
	}
}

type sizes struct{ n []int }

func (w *sizes) Write(b []byte) (int, error) { w.n = append(w.n, len(b)); return len(b), nil }
func (w *sizes) Close() error                { return nil }

func TestOutputLimit(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) {
		l := server.DefaultLimits()
		l.OutputNormal.Hard = 100 << 10
		c.Limits = func() *server.Limits { return l }
	})
	c := f.connect()
	c.send("set a " + strings.Repeat("x", 60000))
	c.feed("mget a a\n")
	if c.Process() || !c.closed || c.output() != "" {
		t.Error("a reply beyond the hard limit was sent")
	}
	if f.srv.Stats().OutputLimitDisconnections() != 1 {
		t.Error("not counted")
	}
}

func TestWriteErrorEndsTheSession(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	s := f.srv.NewSession(server.Peer{}, broken{})
	defer s.Close()
	s.Fed(copy(s.Input(), "ping\n"))
	if s.Process() || !s.Killed() || s.Context().Err() == nil {
		t.Error("the session goes on")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
func (broken) Close() error              { return nil }

func TestSlowlog(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) {
		l := server.DefaultLimits()
		l.SlowlogSlowerThan, l.SlowlogMaxLen, l.LatencyThreshold = 0, 3, 1
		c.Limits = func() *server.Limits { return l }
		c.Auth = password("pw")
	})
	c := f.connect()
	c.send("auth pw\nmulti\nget a\nexec\nmget " + strings.Repeat("k ", 40) + "\nset a " + strings.Repeat("x", 200))
	got := f.srv.Slowlog().Get(-1)
	if len(got) != 3 || f.srv.Slowlog().Len() != 3 {
		t.Fatalf("%d entries", len(got))
	}
	if a := got[0].Args; a[0] != "set" || a[2] != strings.Repeat("x", 128)+"... (72 more bytes)" {
		t.Errorf("%q", a)
	}
	if a := got[1].Args; len(a) != 32 || a[31] != "... (10 more arguments)" {
		t.Errorf("%q", a)
	}
	if a := got[2].Args; a[0] != "get" || got[2].ID != 2 || got[2].Addr != "127.0.0.1:5" {
		t.Errorf("%+v", got[2])
	}
	if e := f.srv.Latency().Event("fast-command"); len(e.Samples) != 1 {
		t.Errorf("latency: %+v", e)
	}
	f.srv.Slowlog().Reset()
	c.send("get a")
	if got := f.srv.Slowlog().Get(10); len(got) != 1 || got[0].ID != 5 {
		t.Errorf("after reset: %+v", got)
	}
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) { c.Auth = password("pw") })
	m, c := f.connect(), f.connect()
	m.expect("auth pw\nmonitor", "+OK·+OK·")
	c.send("auth pw\nset a \"b\\\"\\n\\x01\"\nmulti\nget a\nexec")
	want := []string{`"auth" "(redacted)"`, `"set" "a" "b\"\n\x01"`, `"multi"`, `"get" "a"`, `"exec"`}
	var got string
	eventually(t, func() bool { got += m.output(); return strings.Count(got, "·") == len(want) })
	for i, line := range strings.Split(strings.TrimSuffix(got, "·"), "·") {
		if _, args, _ := strings.Cut(line, "[0 127.0.0.1:5] "); args != want[i] {
			t.Errorf("line %d is %q", i, line)
		}
	}
	m.expect("reset", "+RESET·")
	if f.srv.Monitors() != 0 {
		t.Error("RESET doesn't end MONITOR")
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time")
		}
	}
}

// A monitor that doesn't read is disconnected; nobody waits for it.
func TestSlowMonitorIsDropped(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	stuck := &stuckWriter{free: make(chan struct{})}
	m := f.srv.NewSession(server.Peer{}, stuck)
	m.Fed(copy(m.Input(), "monitor\n"))
	m.Process()
	stuck.armed.Store(true)
	c := f.connect()
	big := "set a " + strings.Repeat("x", 60000)
	for i := 0; i < 1000 && !m.Killed(); i++ {
		c.send(big)
	}
	if !m.Killed() {
		t.Error("still connected")
	}
	m.Close()
}

func TestPause(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	c := f.connect()
	f.srv.Pause(time.Now().Add(time.Hour), false)
	c.expect("get a", "$-1·")
	c.feed("ping\nset a 1\nget a\n")
	done := make(chan bool)
	go func() { done <- c.Process() }()
	eventually(t, func() bool { return strings.HasPrefix(peek(c), "+PONG") })
	select {
	case <-done:
		t.Fatal("SET didn't wait")
	case <-time.After(5 * time.Millisecond):
	}
	f.srv.Unpause()
	if !<-done || c.output() != "+PONG·+OK·$1·1·" {
		t.Error("wrong replies after the pause")
	}
	f.srv.Pause(time.Now().Add(5*time.Millisecond), true)
	c.expect("get a", "$1·1·")
	if left, _ := f.srv.Paused(); left != 0 {
		t.Error("still paused")
	}
}

func peek(c *client) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent.String()
}

func TestKillEndsAWait(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	c := f.connect()
	f.srv.Pause(time.Now().Add(time.Hour), true)
	c.feed("get a\n")
	done := make(chan bool)
	go func() { done <- c.Process() }()
	f.srv.Sessions()[0].Kill()
	if <-done || c.output() != "" {
		t.Error("the command ran")
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	f := start(t, func(c *server.Config) { c.Router = &router{} })
	s := f.srv.NewSession(server.Peer{}, discard{})
	defer s.Close()
	in := bytes.Repeat([]byte("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nfoo\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n"), 16)
	run := func() {
		for b := in; len(b) > 0; {
			n := copy(s.Input(), b)
			s.Fed(n)
			b = b[n:]
		}
		s.Process()
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations per batch of 32", n)
	}
}

func BenchmarkPipeline(b *testing.B) {
	st := newStore()
	srv := server.New(server.Config{Keyspace: st, Router: &router{}})
	table, err := command.Build(families(st), srv.TransactionSpecs())
	if err != nil {
		b.Fatal(err)
	}
	srv.Use(table)
	s := srv.NewSession(server.Peer{}, discard{})
	defer s.Close()
	in := bytes.Repeat([]byte("*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000001\r\n"), 16)
	b.ReportAllocs()
	for b.Loop() {
		s.Fed(copy(s.Input(), in))
		s.Process()
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Close() error                { return nil }
