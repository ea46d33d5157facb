package migrate_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"conclave/kv/migrate"
)

func TestConnectionIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := false
		s := &target{t: t, answer: func(_ int, args []string) (string, bool) {
			if refuse && args[0] == "RESTORE" {
				return "-ERR no\r\n", true
			}
			return "+OK\r\n", true
		}}
		p := migrate.New(s.dial)
		defer p.Close()
		send := func(db int64, key string, want error) {
			t.Helper()
			r := request(key)
			r.DB = db
			if err := p.Send(t.Context(), r, func(int) {}); !errors.Is(err, want) {
				t.Errorf("key %s: %v, want %v", key, err, want)
			}
		}
		send(3, "a", nil)
		send(3, "b", nil)
		send(4, "c", nil)
		refuse = true
		send(4, "d", migrate.TargetError("ERR no"))
		refuse = false
		send(4, "e", nil) // the selected database isn't taken for granted after an error
		time.Sleep(migrate.IdleTime - time.Second)
		send(4, "f", nil)
		time.Sleep(migrate.IdleTime - time.Second)
		send(4, "g", nil)
		time.Sleep(migrate.IdleTime)
		synctest.Wait()
		if p.Idle() != 0 {
			t.Errorf("%d connections are kept after %v", p.Idle(), migrate.IdleTime)
		}
		send(4, "h", nil)
		want := []string{"1: SELECT 3", "1: RESTORE a 0 payload", "1: RESTORE b 0 payload",
			"1: SELECT 4", "1: RESTORE c 0 payload", "1: RESTORE d 0 payload",
			"1: SELECT 4", "1: RESTORE e 0 payload", "1: RESTORE f 0 payload", "1: RESTORE g 0 payload",
			"2: SELECT 4", "2: RESTORE h 0 payload"}
		if got := s.sent(); !slices.Equal(got, want) {
			t.Errorf("the target got\n%q, want\n%q", got, want)
		}
	})
}

// A cached connection that the target closed meanwhile costs a second attempt,
// nothing else.
func TestStaleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{t: t}
		s.answer = func(conn int, args []string) (string, bool) {
			return "+OK\r\n", conn > 1 || args[0] == "SELECT"
		}
		p := migrate.New(s.dial)
		defer p.Close()
		for _, key := range []string{"a", "b"} {
			n := 0
			if err := p.Send(t.Context(), request(key), func(int) { n++ }); err != nil || n != 1 {
				t.Fatalf("key %s: %v, %d confirmed", key, err, n)
			}
			synctest.Wait()
		}
		if s.conns != 2 {
			t.Errorf("%d connections", s.conns)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{t: t, answer: ok}
		p := migrate.New(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return s.dial(ctx, network, "host:6379")
		})
		for i := range migrate.MaxIdle + 10 {
			r := request("a")
			r.Host = "host" + strconv.Itoa(i)
			if err := p.Send(t.Context(), r, func(int) {}); err != nil {
				t.Fatal(err)
			}
		}
		if p.Idle() != migrate.MaxIdle {
			t.Errorf("%d connections kept, want %d", p.Idle(), migrate.MaxIdle)
		}
		p.Close()
		if p.Idle() != 0 {
			t.Errorf("%d connections kept after Close", p.Idle())
		}
	})
}

func TestCloseAbortsTransfers(t *testing.T) {
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"connecting": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"waiting for a reply": (&target{t: t, answer: func(int, []string) (string, bool) { return "", true }}).dial,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := migrate.New(dial)
				failed := make(chan error)
				r := request("a")
				r.Timeout = time.Hour
				go func() { failed <- p.Send(t.Context(), r, func(int) {}) }()
				synctest.Wait()
				start := time.Now()
				p.Close()
				if err := <-failed; err == nil {
					t.Error("the transfer succeeded")
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("the transfer went on for %v", took)
				}
				if err := p.Send(t.Context(), r, func(int) {}); !errors.Is(err, migrate.ErrConnect) {
					t.Errorf("after Close: %v", err)
				}
			})
		})
	}
}

func TestConcurrentTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &target{t: t, answer: ok}
		p := migrate.New(s.dial)
		defer p.Close()
		failed := make(chan error)
		const senders, transfers = 8, 50
		for range senders {
			go func() {
				for range transfers {
					n := 0
					err := p.Send(t.Context(), request("a", "b"), func(int) { n++ })
					if err == nil && n != 2 {
						err = errors.New("not all keys were confirmed")
					}
					if err != nil {
						failed <- err
						return
					}
				}
				failed <- nil
			}()
		}
		for range senders {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		if s.conns > senders {
			t.Errorf("%d connections for %d senders", s.conns, senders)
		}
	})
}
