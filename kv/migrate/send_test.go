package migrate_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/kv/migrate"
)

// target is a server whose answers a test chooses. It runs over net.Pipe, whose
// deadlines are virtual inside a bubble.
type target struct {
	t *testing.T
	// answer returns what to send for a command; ok false closes the connection.
	answer func(conn int, args []string) (reply string, ok bool)

	mu    sync.Mutex
	conns int
	log   []string // "connection: command"
}

func (s *target) dial(_ context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" || address != "host:6379" {
		s.t.Errorf("dialled %s %s", network, address)
	}
	ours, theirs := net.Pipe()
	s.mu.Lock()
	s.conns++
	n := s.conns
	s.mu.Unlock()
	go func() {
		defer theirs.Close()
		for r := bufio.NewReader(theirs); ; {
			args, err := readCommand(r)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.log = append(s.log, fmt.Sprintf("%d: %s", n, strings.Join(args, " ")))
			s.mu.Unlock()
			reply, ok := s.answer(n, args)
			if _, err := io.WriteString(theirs, reply); err != nil || !ok {
				return
			}
		}
	}()
	return ours, nil
}

func (s *target) sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func readCommand(r *bufio.Reader) ([]string, error) {
	number := func() (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		n, err := number()
		if err != nil {
			return nil, err
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:n])
	}
	return args, nil
}

func request(keys ...string) migrate.Request {
	r := migrate.Request{Host: "host", Port: 6379, Timeout: time.Second, Keys: len(keys)}
	for _, k := range keys {
		r.Body = migrate.AppendRestore(r.Body, []byte(k), []byte("payload"), 0, false, false)
	}
	return r
}

func ok(int, []string) (string, bool) { return "+OK\r\n", true }

func TestAppendRestore(t *testing.T) {
	t.Parallel()
	got := migrate.AppendRestore([]byte("x"), []byte("k"), []byte("p\r\n"), 25, true, true)
	want := "x*5\r\n$14\r\nRESTORE-ASKING\r\n$1\r\nk\r\n$2\r\n25\r\n$3\r\np\r\n\r\n$7\r\nREPLACE\r\n"
	if string(got) != want {
		t.Errorf("got %q", got)
	}
	got = migrate.AppendRestore(nil, []byte(""), []byte("p"), 0, false, false)
	if want = "*4\r\n$7\r\nRESTORE\r\n$0\r\n\r\n$1\r\n0\r\n$1\r\np\r\n"; string(got) != want {
		t.Errorf("got %q", got)
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name      string
		answer    func(conn int, args []string) (string, bool)
		change    func(*migrate.Request)
		err       error
		confirmed []int
		log       []string // nil: not looked at
		idle      int      // connections kept
	}{
		{name: "all well", answer: ok, confirmed: []int{0, 1, 2}, idle: 1,
			log: []string{"1: SELECT 0", "1: RESTORE a 0 payload", "1: RESTORE b 0 payload", "1: RESTORE c 0 payload"}},
		{name: "authentication", answer: ok, confirmed: []int{0, 1, 2}, idle: 1,
			change: func(r *migrate.Request) { r.Auth, r.DB = [][]byte{[]byte("user"), []byte("pw")}, 7 },
			log: []string{"1: AUTH user pw", "1: SELECT 7", "1: RESTORE a 0 payload", "1: RESTORE b 0 payload",
				"1: RESTORE c 0 payload"}},
		{name: "bare line feeds", answer: func(int, []string) (string, bool) { return "+OK\n", true },
			confirmed: []int{0, 1, 2}, idle: 1},
		{name: "one key refused", confirmed: []int{0, 2}, idle: 1,
			err: migrate.TargetError("BUSYKEY Target key name already exists."),
			answer: func(_ int, args []string) (string, bool) {
				if len(args) > 1 && args[1] == "b" {
					return "-BUSYKEY Target key name already exists.\r\n", true
				}
				return "+OK\r\n", true
			}},
		{name: "SELECT refused, keys taken", err: migrate.TargetError("ERR DB index is out of range"), idle: 1,
			answer: func(_ int, args []string) (string, bool) {
				if args[0] == "SELECT" {
					return "-ERR DB index is out of range\r\n", true
				}
				return "+OK\r\n", true
			}},
		{name: "AUTH refused, keys taken", err: migrate.TargetError("ERR no password is set"), idle: 1,
			change: func(r *migrate.Request) { r.Auth = [][]byte{[]byte("pw")} },
			answer: func(_ int, args []string) (string, bool) {
				if args[0] == "AUTH" {
					return "-ERR no password is set\r\n", true
				}
				return "+OK\r\n", true
			}},
		{name: "stops in the middle", err: migrate.ErrRead, confirmed: []int{0},
			answer: func(_ int, args []string) (string, bool) {
				if len(args) > 1 && args[1] == "b" {
					return "", false
				}
				return "+OK\r\n", true
			}},
		{name: "stops after a refusal", err: migrate.TargetError("OOM no"),
			answer: func(_ int, args []string) (string, bool) {
				switch {
				case args[0] == "SELECT":
					return "+OK\r\n", true
				case args[1] == "a":
					return "-OOM no\r\n", true
				}
				return "", false
			}},
		{name: "closes twice", err: migrate.ErrRead, log: []string{"1: SELECT 0", "2: SELECT 0"},
			answer: func(int, []string) (string, bool) { return "", false }},
		{name: "closes once", confirmed: []int{0, 1, 2}, idle: 1,
			log: []string{"1: SELECT 0", "2: SELECT 0", "2: RESTORE a 0 payload", "2: RESTORE b 0 payload", "2: RESTORE c 0 payload"},
			answer: func(conn int, _ []string) (string, bool) {
				if conn == 1 {
					return "", false
				}
				return "+OK\r\n", true
			}},
		{name: "falls silent", err: migrate.ErrRead, confirmed: []int{0},
			answer: func(_ int, args []string) (string, bool) {
				if args[0] == "RESTORE" && args[1] != "a" {
					return "", true
				}
				return "+OK\r\n", true
			}},
		{name: "an integer", err: migrate.ErrRead, answer: func(int, []string) (string, bool) { return ":1\r\n", true }},
		{name: "a bulk string", err: migrate.ErrRead, answer: func(int, []string) (string, bool) { return "$2\r\nOK\r\n", true }},
		{name: "HTTP", err: migrate.ErrRead, answer: func(int, []string) (string, bool) { return "HTTP/1.1 400 Bad Request\r\n\r\n", true }},
		{name: "empty line", err: migrate.ErrRead, answer: func(int, []string) (string, bool) { return "\r\n", true }},
		{name: "only a dash", err: migrate.ErrRead, answer: func(int, []string) (string, bool) { return "-\r\n", true }},
		{name: "endless line", err: migrate.ErrRead,
			answer: func(int, []string) (string, bool) { return "+" + strings.Repeat("a", 1<<20), true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &target{t: t, answer: tt.answer}
				p := migrate.New(s.dial)
				defer p.Close()
				r := request("a", "b", "c")
				if tt.change != nil {
					tt.change(&r)
				}
				var confirmed []int
				err := p.Send(t.Context(), r, func(i int) { confirmed = append(confirmed, i) })
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if !slices.Equal(confirmed, tt.confirmed) {
					t.Errorf("confirmed %v, want %v", confirmed, tt.confirmed)
				}
				if log := s.sent(); tt.log != nil && !slices.Equal(log, tt.log) {
					t.Errorf("the target got %q, want %q", log, tt.log)
				}
				if p.Idle() != tt.idle {
					t.Errorf("%d connections kept, want %d", p.Idle(), tt.idle)
				}
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	const timeout = time.Second
	silent := func(int, []string) (string, bool) { return "", true }
	for _, tt := range []struct {
		name string
		dial func(context.Context, string, string) (net.Conn, error)
		err  error
	}{
		{"connecting", func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, migrate.ErrConnect},
		{"writing", func(context.Context, string, string) (net.Conn, error) {
			ours, _ := net.Pipe() // nobody reads
			return ours, nil
		}, migrate.ErrWrite},
		{"reading", (&target{t: t, answer: silent}).dial, migrate.ErrRead},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := migrate.New(tt.dial)
				defer p.Close()
				start := time.Now()
				err := p.Send(t.Context(), request("a"), func(int) { t.Error("confirmed") })
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if took := time.Since(start); took != timeout {
					t.Errorf("took %v, one step's timeout is %v", took, timeout)
				}
			})
		})
	}
}

// The timeout is that of a step: a target that answers slowly but steadily is
// waited for.
func TestTimeoutIsPerStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{t: t, answer: func(int, []string) (string, bool) {
			<-time.After(900 * time.Millisecond)
			return "+OK\r\n", true
		}}
		p := migrate.New(s.dial)
		defer p.Close()
		n := 0
		if err := p.Send(t.Context(), request("a", "b", "c", "d", "e"), func(int) { n++ }); err != nil || n != 5 {
			t.Errorf("error %v, %d keys confirmed", err, n)
		}
	})
}

// A target that reads slowly is waited for as well, even if it says nothing
// before it has read everything.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := migrate.New(func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				r := bufio.NewReader(slow{theirs})
				for range 2 {
					if _, err := readCommand(r); err != nil {
						t.Error(err)
					}
				}
				io.WriteString(theirs, "+OK\r\n+OK\r\n")
			}()
			return ours, nil
		})
		defer p.Close()
		r := migrate.Request{Host: "host", Port: 6379, Timeout: time.Second, Keys: 1}
		r.Body = migrate.AppendRestore(nil, []byte("k"), bytes.Repeat([]byte("x"), 1<<20), 0, false, false)
		start := time.Now()
		if err := p.Send(t.Context(), r, func(int) {}); err != nil {
			t.Error(err)
		}
		if time.Since(start) < 2*time.Second {
			t.Error("the target wasn't slow")
		}
	})
}

type slow struct{ net.Conn }

func (s slow) Read(p []byte) (int, error) {
	<-time.After(10 * time.Millisecond)
	return s.Conn.Read(p[:min(len(p), 4096)])
}

// Replies are read while the rest is being written: a target whose replies
// nobody took would stop reading.
func TestManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{t: t, answer: ok}
		p := migrate.New(s.dial)
		defer p.Close()
		keys := make([]string, 20000)
		for i := range keys {
			keys[i] = "key:" + strconv.Itoa(i)
		}
		next := 0
		err := p.Send(t.Context(), request(keys...), func(i int) {
			if i != next {
				t.Fatalf("confirmed %d after %d", i, next-1)
			}
			next++
		})
		if err != nil || next != len(keys) {
			t.Errorf("error %v, %d keys confirmed", err, next)
		}
	})
}

func TestRefusedAndUnknownHosts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	for _, tt := range []struct {
		host string
		err  error
	}{
		{"127.0.0.1", migrate.ErrWrite}, // as Redis says it
		{"", migrate.ErrConnect},
		{"no such host", migrate.ErrConnect},
	} {
		p := migrate.New(nil)
		r := request("a")
		r.Host, r.Port = tt.host, port
		if err := p.Send(t.Context(), r, func(int) {}); !errors.Is(err, tt.err) {
			t.Errorf("host %q: %v, want %v", tt.host, err, tt.err)
		}
		p.Close()
	}
}
