package commands_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/resp/command"
)

// recorder notes the events of some classes as a subscriber would see them.
type recorder struct {
	classes command.Class
	events  []string
}

func (r *recorder) Wants(c command.Class) bool { return r.classes&c != 0 }

func (r *recorder) Notify(db int, class command.Class, event string, key []byte) {
	if r.Wants(class) {
		r.events = append(r.events, fmt.Sprintf("__keyevent@%d__:%s %q", db, event, key))
	}
}

// take returns what has been noted since the last call.
func (r *recorder) take() []string {
	e := r.events
	r.events = nil
	return e
}

// recorded is a local whose events are noted, those of the store too.
func recorded(t testing.TB, letters string) (*local, *recorder) {
	t.Helper()
	classes, ok := command.ParseClasses(letters)
	if !ok {
		t.Fatalf("%q are no classes of events", letters)
	}
	r := &recorder{classes: classes}
	store := kv.New(kv.Config{})
	tell := func(class command.Class, event string) func(db, partition int, key []byte) {
		return func(db, _ int, key []byte) { r.Notify(db, class, event, key) }
	}
	store.Observe(kv.Observer{
		Expired: tell(command.NotifyExpired, "expired"),
		Added:   tell(command.NotifyNew, "new"),
		Missed:  tell(command.NotifyMiss, "keymiss"),
	})
	return newLocal(t, commands.Deps{Store: store, Notifier: r, MaxBulkLen: func() int64 { return 1 << 20 }}), r
}

func TestEvents(t *testing.T) {
	l, r := recorded(t, "KEAmn")
	l.session.db = 0
	for _, step := range []struct{ line, want string }{
		{"SET k 1", `new k, set k`},
		{"SET k 1 EX 100", `set k, expire k`},
		{"GET none", `keymiss none`},
		{"SETEX k 100 1", `set k, expire k`},
		{"SETNX k 1", ``},
		{"INCR k", `incrby k`},
		{"DECRBY k 3", `incrby k`},
		{"INCRBYFLOAT k 0.5", `incrbyfloat k`},
		{"APPEND k x", `append k`},
		{"SETRANGE k 1 abc", `setrange k`},
		{"PERSIST k", `persist k`},
		{"PERSIST k", ``},
		{"GETEX k EX 10", `expire k`},
		{"GETEX k PERSIST", `persist k`},
		{"EXPIRE k 10", `expire k`},
		{"RENAME k l", `new l, rename_from k, rename_to l`},
		{"RENAME l l", ``},
		{"COPY l m", `new m, copy_to m`},
		{"COPY l m DB 3", `3:new m, 3:copy_to m`},
		{"MOVE l 2", `2:new l, move_from l, 2:move_to l`},
		{"EXPIRE m -1", `del m`},
		{"MSET a 1 b 2", `new a, set a, new b, set b`},
		{"GETSET a 2", `set a`},
		{"GETDEL a", `del a`},
		{"SETBIT b 3 1", ``},
		{"SETBIT b 100 0", `setbit b`},
		{"SETBIT b 100 0", ``},
		{"BITFIELD b SET u8 0 200", `setbit b`},
		{"BITFIELD b SET u8 0 200", ``},
		{"BITFIELD b GET u8 0", ``},
		{"BITOP NOT c b", `new c, set c`},
		{"BITOP AND c none", `keymiss none, del c`},
		{"PFADD h a", `new h, pfadd h`},
		{"PFADD h a", ``},
		{"PFCOUNT h", ``},
		{"PFMERGE g h", `keymiss g, new g, pfadd g`},
		{"DEL h g none", `del h, del g`},
		{"UNLINK b", `del b`},
		{"RPUSH l 2 1", `new l, rpush l`},
		{"SORT l STORE m", `new m, sortstore m`},
		{"SORT none STORE m", `keymiss none, del m`},
		{"FLUSHALL", ``},
	} {
		l.do(words(t, step.line)...)
		var got []string
		for _, e := range r.take() {
			channel, key, _ := strings.Cut(e, " ")
			e = strings.Replace(strings.TrimPrefix(channel, "__keyevent@"), "__", "", 1) + " " + strings.Trim(key, `"`)
			got = append(got, strings.TrimPrefix(e, "0:"))
		}
		if s := strings.Join(got, ", "); s != step.want {
			t.Errorf("%s: %s, want %s", step.line, s, step.want)
		}
	}
}

// listener is a subscriber of a redis-server.
type listener struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (r *redis) listen(pattern string) *listener {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.conn.RemoteAddr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	l := &listener{r.t, conn, bufio.NewReader(conn)}
	fmt.Fprintf(conn, "PSUBSCRIBE %s\r\n", pattern)
	readReply(r.t, l.in)
	return l
}

// until returns the messages before the one on a channel, as recorder notes them.
func (l *listener) until(end string) []string {
	l.t.Helper()
	var got []string
	for {
		parts := strings.SplitN(strings.Trim(readReply(l.t, l.in), "[]"), " ", 4)
		channel := strings.Trim(parts[2], `"`)
		if channel == end {
			return got
		}
		got = append(got, channel+" "+parts[3])
	}
}

// Random programs of every family cause the same events, of the same classes, here
// and in redis-server.
func TestEventsAgainstRedis(t *testing.T) {
	r := startRedis(t, "events of random programs against redis-server", "--proto-max-bulk-len", "1mb", "--hz", "1")
	if r == nil {
		return
	}
	heard := r.listen("__key*")
	one := func(next func() []string) func() [][]string {
		return func() [][]string { return [][]string{next()} }
	}
	for name, program := range map[string]func(g generator) func() [][]string{
		"strings":         func(g generator) func() [][]string { return one((&g).command) },
		"hashes and sets": func(g generator) func() [][]string { return one(g.hashOrSet) },
		"lists":           func(g generator) func() [][]string { return one((&listGenerator{g, false}).command) },
		"sorted sets":     func(g generator) func() [][]string { return one((&zsets{g}).command) },
		"positions":       func(g generator) func() [][]string { return one((&places{g}).command) },
		"streams": func(g generator) func() [][]string {
			s := streamGenerator{generator: g, ms: 1, approx: true}
			return s.commands
		},
	} {
		for seed, letters := range []string{"EAmn", "E$hszl", "Egxt"} {
			if name != "strings" {
				// Which keys are looked at before a call turns out to be malformed is
				// nobody's business.
				letters = strings.Replace(letters, "m", "", 1)
			}
			r.do("CONFIG", "SET", "notify-keyspace-events", "")
			r.do("FLUSHALL")
			r.do("SELECT", "0")
			r.do("CONFIG", "SET", "notify-keyspace-events", letters)
			l, events := recorded(t, letters)
			next := program(generator{rng: rand.New(rand.NewPCG(uint64(seed), 9))})
			for i := 0; i < 500 && !t.Failed(); {
				// Some at a time, because each look at what was heard takes a while.
				var line strings.Builder
				for range 20 {
					for _, args := range next() {
						if strings.EqualFold(args[0], "randomkey") {
							continue // looks keys up to find one that hasn't expired
						}
						if strings.HasPrefix(args[0], "BZ") && !l.has(args[3]) && !l.has(args[4]) {
							continue // it would wait
						}
						i++
						fmt.Fprintln(&line, quoted(args))
						l.now = time.Now().UnixMilli()
						l.do(args...)
						r.do(args...)
					}
				}
				r.do("PUBLISH", "__keyend", "x")
				if got, want := events.take(), heard.until("__keyend"); !slices.Equal(got, want) {
					t.Errorf("%s, %s, command %d:\n%s   ours: %s\nredis's: %s", name, letters, i, &line, strings.Join(got, ", "), strings.Join(want, ", "))
				}
			}
		}
	}
}

// has reports whether a key is there, without a trace.
func (l *local) has(key string) bool {
	l.store.Lock(command.AllPartitions)
	defer l.store.Unlock(command.AllPartitions)
	return l.store.Exists(l.session.db, []byte(key), l.now)
}
