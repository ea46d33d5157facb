package commands_test

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/resp"
)

// listen serves the commands of this package over TCP until the test ends.
func listen(t *testing.T, d commands.Deps) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { serve(newLocal(t, d), c) })
		}
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func serve(l *local, c net.Conn) {
	defer c.Close()
	var p resp.Parser
	for {
		n, err := c.Read(p.Space())
		if err != nil {
			return
		}
		p.Fed(n)
		l.w.Reset(nil)
		for {
			args, err := p.Next()
			if err != nil {
				return
			}
			if args == nil {
				break
			}
			l.now = time.Now().UnixMilli()
			l.run(args)
		}
		if _, err := c.Write(l.w.Bytes()); err != nil {
			return
		}
	}
}

// clock makes a local follow real time, as the server it talks to does.
type clock struct{ *local }

func (c clock) do(args ...string) string {
	c.now = time.Now().UnixMilli()
	return c.local.do(args...)
}

func portOf(r *redis) string { return strconv.Itoa(r.conn.RemoteAddr().(*net.TCPAddr).Port) }

func TestMigrate(t *testing.T) {
	t.Parallel()
	t.Run("here to here", func(t *testing.T) {
		t.Parallel()
		there := commands.Deps{Store: kv.New(kv.Config{})}
		port := listen(t, there)
		testMigrate(t, clock{newLocal(t, commands.Deps{})}, clock{newLocal(t, there)}, port)
	})
	t.Run("here to redis-server", func(t *testing.T) {
		t.Parallel()
		if r := startRedis(t, "MIGRATE to redis-server"); r != nil {
			testMigrate(t, clock{newLocal(t, commands.Deps{})}, r, portOf(r))
		}
	})
	t.Run("redis-server to here", func(t *testing.T) {
		t.Parallel()
		if r := startRedis(t, "MIGRATE from redis-server"); r != nil {
			there := commands.Deps{Store: kv.New(kv.Config{})}
			port := listen(t, there)
			testMigrate(t, r, clock{newLocal(t, there)}, port)
		}
	})
}

func testMigrate(t *testing.T, from, to doer, port string) {
	expect := func(d doer, want string, args ...string) {
		t.Helper()
		if got := d.do(args...); got != want {
			t.Errorf("%.100q\n got: %.200s\nwant: %.200s", args, got, want)
		}
	}
	migrate := func(want string, args ...string) {
		t.Helper()
		expect(from, want, append([]string{"MIGRATE", "127.0.0.1", port}, args...)...)
	}

	var keys []string
	for i, v := range transferSamples() {
		key := fmt.Sprint("key:", i)
		expect(from, "OK", "SET", key, v)
		keys = append(keys, key)
	}
	migrate("OK", append([]string{"", "0", "5000", "KEYS", "missing"}, keys...)...)
	for i, v := range transferSamples() {
		expect(to, strconv.Quote(v), "GET", keys[i])
		expect(to, "(integer) -1", "TTL", keys[i])
		expect(from, "(nil)", "GET", keys[i])
	}
	migrate("NOKEY", append([]string{"", "0", "5000", "KEYS"}, keys...)...)

	from.do("SET", "a", "1", "EX", "100")
	migrate("OK", "a", "0", "5000", "copy")
	expect(from, strconv.Quote("1"), "GET", "a")
	expect(to, "(integer) 100", "TTL", "a")
	from.do("SET", "a", "2")
	migrate("(error) ERR Target instance replied with error: BUSYKEY Target key name already exists.", "a", "0", "5000")
	expect(from, strconv.Quote("2"), "GET", "a")
	expect(to, strconv.Quote("1"), "GET", "a")
	migrate("OK", "a", "0", "5000", "REPLACE")
	expect(from, "(nil)", "GET", "a")
	expect(to, strconv.Quote("2"), "GET", "a")
	expect(to, "(integer) -1", "TTL", "a")

	// Some keys arrive: those, and only those, leave.
	from.do("MSET", "a", "3", "b", "3", "c", "3")
	migrate("(error) ERR Target instance replied with error: BUSYKEY Target key name already exists.",
		"", "0", "5000", "KEYS", "b", "a", "c")
	expect(from, `[(nil) "3" (nil)]`, "MGET", "b", "a", "c")
	expect(to, `["3" "2" "3"]`, "MGET", "b", "a", "c")

	// Another database, on the same connection, and back.
	from.do("SELECT", "2")
	from.do("SET", "d", "two")
	migrate("OK", "d", "3", "5000")
	from.do("SELECT", "0")
	from.do("SET", "e", "zero")
	migrate("OK", "e", "0", "5000")
	to.do("SELECT", "3")
	expect(to, `["two" (nil)]`, "MGET", "d", "e")
	to.do("SELECT", "0")
	expect(to, `[(nil) "zero"]`, "MGET", "d", "e")

	// A short life doesn't become an endless one.
	from.do("SET", "brief", "x", "PX", "500")
	migrate("OK", "brief", "0", "5000")
	for deadline := time.Now().Add(10 * time.Second); to.do("EXISTS", "brief") != "(integer) 0"; {
		if time.Now().After(deadline) {
			t.Fatal("the key doesn't expire")
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestMigrateAuthenticates(t *testing.T) {
	t.Parallel()
	r := startRedis(t, "MIGRATE to a redis-server with a password", "--requirepass", "secret")
	if r == nil {
		return
	}
	r.do("AUTH", "secret")
	l := clock{newLocal(t, commands.Deps{})}
	for _, tt := range []struct{ options, want string }{
		{"", "(error) ERR Target instance replied with error: NOAUTH Authentication required."},
		{"AUTH wrong", "(error) ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled."},
		{"AUTH secret", "OK"},
		{"AUTH2 default secret REPLACE", "OK"},
		{"AUTH2 nobody secret REPLACE", "(error) ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled."},
	} {
		l.do("SET", "a", "1")
		args := append([]string{"MIGRATE", "localhost", portOf(r), "a", "0", "5000"}, strings.Fields(tt.options)...)
		if got := l.do(args...); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.options, got, tt.want)
		}
		want := "(integer) 1"
		if tt.want == "OK" {
			want = "(integer) 0"
		}
		if got := l.do("EXISTS", "a"); got != want {
			t.Errorf("%q: EXISTS %s, want %s", tt.options, got, want)
		}
	}
}

func TestMigrateFailures(t *testing.T) {
	t.Parallel()
	l := clock{newLocal(t, commands.Deps{})}
	store := kv.New(kv.Config{})
	port := listen(t, commands.Deps{Store: store})
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, p, _ := net.SplitHostPort(l.Addr().String())
		return p
	}()
	deaf := func() string { // takes connections, into the backlog, and that is all
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		_, p, _ := net.SplitHostPort(l.Addr().String())
		return p
	}()
	for _, tt := range []struct{ line, want string }{
		{"MIGRATE 127.0.0.1 " + closed + " a 0 100", "(error) IOERR error or timeout writing to target instance"},
		{"MIGRATE 127.0.0.1 notaport a 0 100", "(error) IOERR error or timeout writing to target instance"},
		{"MIGRATE no.such.host.invalid 1 a 0 100", "(error) IOERR error or timeout connecting to the client"},
		{"MIGRATE 127.0.0.1 " + deaf + " a 0 100", "(error) IOERR error or timeout reading to target instance"},
		{"MIGRATE 127.0.0.1 " + port + " a 0 100 AUTH pw", "(error) ERR Target instance replied with error: ERR unknown command"},
	} {
		l.do("SET", "a", "1")
		if got := l.do(words(t, tt.line)...); got != tt.want {
			t.Errorf("%s\n got: %s\nwant: %s", tt.line, got, tt.want)
		}
		if got := l.do("GET", "a"); got != `"1"` {
			t.Errorf("%s: the key is %s", tt.line, got)
		}
	}
}

// A node that is told to migrate to itself waits for its own lock, and no
// longer than the timeout allows.
func TestMigrateToItself(t *testing.T) {
	t.Parallel()
	d := commands.Deps{Store: kv.New(kv.Config{})}
	port := listen(t, d)
	l := clock{newLocal(t, d)}
	l.do("SET", "a", "1")
	start := time.Now()
	if got := l.do("MIGRATE", "127.0.0.1", port, "a", "1", "200"); got != "(error) IOERR error or timeout reading to target instance" {
		t.Error(got)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if got := l.do("GET", "a"); got != `"1"` {
		t.Errorf("the key is %s", got)
	}
}

// Two nodes that migrate keys of one partition to each other, again and again,
// get on, and no key is lost.
func TestMigrateCrosswise(t *testing.T) {
	t.Parallel()
	var nodes [2]commands.Deps
	var ports [2]string
	for i := range nodes {
		nodes[i] = commands.Deps{Store: kv.New(kv.Config{})}
		ports[i] = listen(t, nodes[i])
	}
	const keys = 20
	var wg sync.WaitGroup
	for i := range nodes {
		l := clock{newLocal(t, nodes[i])}
		for k := range keys {
			l.do("SET", fmt.Sprintf("{x}:%d:%d", i, k), "1")
		}
		wg.Go(func() {
			for k := range keys {
				l.do("MIGRATE", "127.0.0.1", ports[1-i], fmt.Sprintf("{x}:%d:%d", i, k), "0", "50")
			}
		})
	}
	wg.Wait()
	a, b := clock{newLocal(t, nodes[0])}, clock{newLocal(t, nodes[1])}
	for i := range nodes {
		for k := range keys {
			key := fmt.Sprintf("{x}:%d:%d", i, k)
			if a.do("EXISTS", key) == "(integer) 0" && b.do("EXISTS", key) == "(integer) 0" {
				t.Errorf("%s is lost", key)
			}
		}
	}
}

// A write that comes while its key travels isn't lost: it waits.
func TestMigrateDoesNotLoseWrites(t *testing.T) {
	t.Parallel()
	here, there := commands.Deps{Store: kv.New(kv.Config{})}, commands.Deps{Store: kv.New(kv.Config{})}
	port := listen(t, there)
	const writes = 2000
	var wg sync.WaitGroup
	writer, mover := clock{newLocal(t, here)}, clock{newLocal(t, here)}
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for range writes {
			writer.do("INCR", "n")
		}
	})
	total := 0
	target := clock{newLocal(t, there)}
	collect := func() {
		mover.do("MIGRATE", "127.0.0.1", port, "n", "0", "5000")
		if got := target.do("GETDEL", "n"); got != "(nil)" {
			n, err := strconv.Atoi(unquote(t, got))
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		collect()
	}
	wg.Wait()
	collect()
	if total != writes {
		t.Errorf("%d of %d increments arrived", total, writes)
	}
}

func TestMigrateAsksInClusterMode(t *testing.T) {
	t.Parallel()
	l := clock{newLocal(t, commands.Deps{Store: kv.New(kv.Config{Databases: 1}), Cluster: true})}
	r := startRedis(t, "MIGRATE between nodes of a cluster", "--cluster-enabled", "yes")
	if r == nil {
		return
	}
	l.do("SET", "a", "1")
	if got := l.do("MIGRATE", "127.0.0.1", portOf(r), "a", "0", "5000"); got != "(error) ERR Target instance replied with error: CLUSTERDOWN Hash slot not served" {
		t.Error(got)
	}
	if got := l.do("MIGRATE", "127.0.0.1", portOf(r), "a", "1", "5000"); got != "(error) ERR Target instance replied with error: ERR SELECT is not allowed in cluster mode" {
		t.Error(got)
	}
	slot := strings.TrimPrefix(r.do("CLUSTER", "KEYSLOT", "a"), "(integer) ")
	r.ready(true)
	if got := l.do("MIGRATE", "127.0.0.1", portOf(r), "a", "0", "5000"); got != "OK" {
		t.Error(got)
	}
	if got := r.do("CLUSTER", "COUNTKEYSINSLOT", slot); got != "(integer) 1" {
		t.Error(got)
	}
	if got := r.do("INFO", "commandstats"); !strings.Contains(got, "cmdstat_restore-asking:calls=1") {
		t.Errorf("the target saw no RESTORE-ASKING: %s", got)
	}
}

func TestMigrateKeyPositions(t *testing.T) {
	t.Parallel()
	spec := newLocal(t, commands.Deps{}).table.Lookup([]byte("migrate"))
	for _, tt := range []struct {
		line string
		want []int // nil: an error
	}{
		{`MIGRATE h 1 a 0 10`, []int{3}},
		{`MIGRATE h 1 a 0 10 COPY REPLACE`, []int{3}},
		{`MIGRATE h 1 "" 0 10`, []int{3}},
		{`MIGRATE h 1 "" 0 10 KEYS a b c`, []int{7, 8, 9}},
		{`MIGRATE h 1 "" 0 10 COPY AUTH KEYS keys a`, []int{10}},
		{`MIGRATE h 1 "" 0 10 AUTH2 KEYS KEYS KEYS a`, []int{10}},
		{`MIGRATE h 1 "" 0 10 KEYS KEYS`, []int{7}},
		{`MIGRATE h 1 "" 0 10 KEYS`, []int{}},
		{`MIGRATE h 1 a 0 10 KEYS b`, nil},
		{`MIGRATE h 1 a 0 10 bogus`, nil},
		{`MIGRATE h 1 a 0 10 AUTH`, nil},
		{`MIGRATE h 1 a`, nil},
		{`MIGRATE`, nil},
	} {
		var args [][]byte
		for _, w := range words(t, tt.line) {
			args = append(args, []byte(w))
		}
		got, err := spec.AppendKeys(nil, args)
		if (err != nil) != (tt.want == nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: keys at %v (%v), want %v", tt.line, got, err, tt.want)
		}
	}
}

// redacting is a session that remembers what was to be hidden.
type redacting struct {
	session
	hidden []int
}

func (r *redacting) Redact(arg int) { r.hidden = append(r.hidden, arg) }

func TestMigrateHidesPasswords(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for line, want := range map[string][]int{
		"MIGRATE h 1 a 0 10 AUTH pw":              {7},
		"MIGRATE h 1 a 0 10 COPY AUTH2 user pw":   {8, 9},
		"MIGRATE h 1 a 0 10 AUTH2 user pw bogus":  {7, 8},
		"MIGRATE h 1 a 0 10 REPLACE":              nil,
		"MIGRATE h 1 a 0 10 AUTH one AUTH second": {7, 9},
	} {
		s := &redacting{}
		l.ctx.Session = s
		l.do(words(t, line)...)
		if !slices.Equal(s.hidden, want) {
			t.Errorf("%s: hides %v, want %v", line, s.hidden, want)
		}
	}
}
