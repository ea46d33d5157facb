package peer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/raftnode/peer"
	"conclave/raftnode/peer/memnet"
)

type ask struct {
	Text string
	Wait time.Duration
}

type told struct{ Text string }

// serveRPC answers on n; ran counts executions.
func serveRPC(t *testing.T, n *node, ran *int) {
	t.Helper()
	var mu sync.Mutex
	_, err := peer.NewServer(n.Endpoint, []peer.Method{
		peer.NewMethod("echo", true, func(ctx context.Context, from peer.Identity, in *ask) (*told, error) {
			mu.Lock()
			*ran++
			mu.Unlock()
			if in.Wait > 0 {
				select {
				case <-time.After(in.Wait):
				case <-ctx.Done():
					return nil, peer.Errorf("late", "%v", ctx.Err())
				}
			}
			return &told{in.Text}, nil
		}),
		peer.NewMethod("fail", true, func(context.Context, peer.Identity, *ask) (*told, error) {
			return nil, fmt.Errorf("deciding: %w", peer.Errorf("no", "not %s", "today"))
		}),
		peer.NewMethod("plain", true, func(context.Context, peer.Identity, *ask) (*told, error) {
			return nil, errors.New("broken")
		}),
		peer.NewMethod("huge", true, func(context.Context, peer.Identity, *ask) (*told, error) {
			return &told{strings.Repeat("x", peer.MaxBody)}, nil
		}),
		peer.NewMethod("members", false, func(context.Context, peer.Identity, *ask) (*told, error) {
			return &told{"member"}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, n *node) *peer.Client {
	c := peer.NewClient(n.Endpoint)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestCall(t *testing.T) {
	tests := []struct {
		name, method, cluster string
		in                    any
		code                  string // of a RemoteError, "" = none
		notSent               bool
		text                  string
	}{
		{name: "result", method: "echo", cluster: "x", in: ask{Text: "hi"}, text: "hi"},
		{name: "error with a code", method: "fail", cluster: "x", in: ask{}, code: "no"},
		{name: "error without", method: "plain", cluster: "x", in: ask{}, code: "error"},
		{name: "unknown method", method: "nothing", cluster: "x", in: ask{}, code: peer.CodeMethod, notSent: true},
		{name: "bad arguments", method: "echo", cluster: "x", in: "text", code: peer.CodeBad, notSent: true},
		{name: "member", method: "members", cluster: "x", in: ask{}, text: "member"},
		{name: "no member", method: "members", cluster: "y", in: ask{}, code: peer.CodeCluster, notSent: true},
		{name: "stranger to an open method", method: "echo", cluster: "y", in: ask{Text: "hi"}, text: "hi"},
		{name: "answer too long", method: "huge", cluster: "x", in: ask{}, code: "unknown"},
		{name: "arguments too long", method: "echo", cluster: "x", in: ask{Text: strings.Repeat("x", peer.MaxBody)}, notSent: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *memnet.Net) {
				a := start(t, nodeConfig{name: "a", cluster: tt.cluster, network: m.Host("a")})
				b := start(t, nodeConfig{name: "b", cluster: "x", network: m.Host("b")})
				ran := 0
				serveRPC(t, b, &ran)
				var out told
				err := client(t, a).Call(t.Context(), b.addr, peer.Want{}, tt.method, tt.in, &out)
				var remote *peer.RemoteError
				code := ""
				if errors.As(err, &remote) {
					code = remote.Code
				}
				if code != tt.code || errors.Is(err, peer.ErrNotSent) != tt.notSent || out.Text != tt.text {
					t.Errorf("got %q, %v; code %q", out.Text, err, code)
				}
			})
		})
	}
}

func TestCallsShareAConnectionAndDontWaitForEachOther(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		b := start(t, nodeConfig{name: "b", network: m.Host("b")})
		ran := 0
		serveRPC(t, b, &ran)
		c := client(t, a)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				var out told
				text := fmt.Sprint(i)
				at := time.Now()
				wait := time.Duration(50-i) * time.Second
				err := c.Call(t.Context(), b.addr, peer.Want{}, "echo", ask{Text: text, Wait: wait}, &out)
				if err != nil || out.Text != text || time.Since(at) != wait {
					t.Errorf("call %d: %q, %v after %v", i, out.Text, err, time.Since(at))
				}
			})
		}
		wg.Wait()
		if ran != 50 {
			t.Errorf("ran %d times", ran)
		}
	})
}

func TestHandlerEndsWithTheCallersPatience(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		b := start(t, nodeConfig{name: "b", network: m.Host("b")})
		ended := make(chan time.Time, 1)
		if _, err := peer.NewServer(b.Endpoint, []peer.Method{
			peer.NewMethod("wait", true, func(ctx context.Context, _ peer.Identity, _ *ask) (*told, error) {
				<-ctx.Done()
				ended <- time.Now()
				return nil, ctx.Err()
			}),
		}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		at := time.Now()
		err := client(t, a).Call(ctx, b.addr, peer.Want{}, "wait", ask{}, nil)
		if err == nil || errors.Is(err, peer.ErrNotSent) {
			t.Errorf("call: %v", err)
		}
		if d := (<-ended).Sub(at); d != 2*time.Second {
			t.Errorf("handler ended after %v", d)
		}
	})
}

func TestNothingListens(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		if err := client(t, a).Call(t.Context(), "b:1", peer.Want{}, "echo", ask{}, nil); !errors.Is(err, peer.ErrNotSent) {
			t.Errorf("call: %v", err)
		}
	})
}

func TestRestartedPeerIsDialledAgain(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		c := client(t, a)
		for range 3 {
			b := start(t, nodeConfig{name: "b", network: m.Host("b")})
			ran := 0
			serveRPC(t, b, &ran)
			if err := c.Call(t.Context(), b.addr, peer.Want{}, "echo", ask{}, nil); err != nil {
				t.Fatal(err)
			}
			b.stop()
			synctest.Wait()
		}
	})
}

// A caller must not act on a conversation with who somebody was before.
func TestIdentityChangeMeansAFreshConnection(t *testing.T) {
	for _, changer := range []string{"caller", "server"} {
		t.Run(changer, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *memnet.Net) {
				a := start(t, nodeConfig{name: "a", cluster: "x", network: m.Host("a")})
				b := start(t, nodeConfig{name: "b", cluster: "x", network: m.Host("b")})
				ran := 0
				serveRPC(t, b, &ran)
				c := client(t, a)
				if err := c.Call(t.Context(), b.addr, peer.Want{ClusterID: id("x")}, "echo", ask{}, nil); err != nil {
					t.Fatal(err)
				}
				who := map[string]*node{"caller": a, "server": b}[changer]
				next := *who.self.Load()
				next.ClusterID = id("y")
				who.self.Store(&next)
				err := c.Call(t.Context(), b.addr, peer.Want{ClusterID: id("x")}, "members", ask{}, nil)
				if !errors.Is(err, peer.ErrNotSent) {
					t.Errorf("call after the change: %v", err)
				}
				if changer == "server" && !errors.Is(err, peer.ErrWrongCluster) {
					t.Errorf("call after the change: %v", err)
				}
				if ran != 1 {
					t.Errorf("ran %d times", ran)
				}
			})
		})
	}
}

func TestCutConnectionIsAnUnknownOutcomeOnceAndNotUsedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		b := start(t, nodeConfig{name: "b", network: m.Host("b")})
		ran := 0
		serveRPC(t, b, &ran)
		c := client(t, a)
		call := func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			return c.Call(ctx, b.addr, peer.Want{}, "echo", ask{}, nil)
		}
		if err := call(time.Second); err != nil {
			t.Fatal(err)
		}
		m.Cut("b", "a")
		if err := call(time.Second); err == nil || errors.Is(err, peer.ErrNotSent) {
			t.Errorf("over the cut link: %v", err)
		}
		if err := call(time.Second); !errors.Is(err, peer.ErrNotSent) {
			t.Errorf("second call over the cut link: %v", err)
		}
		m.HealAll()
		if err := call(time.Second); err != nil {
			t.Errorf("after healing: %v", err)
		}
		if ran != 3 {
			t.Errorf("ran %d times", ran)
		}
	})
}

func TestIdleConnectionsClose(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		b := start(t, nodeConfig{name: "b", network: m.Host("b")})
		ran := 0
		serveRPC(t, b, &ran)
		c := client(t, a)
		if err := c.Call(t.Context(), b.addr, peer.Want{}, "echo", ask{}, nil); err != nil {
			t.Fatal(err)
		}
		sent, _ := a.Counters()
		time.Sleep(9 * time.Second)
		if err := c.Call(t.Context(), b.addr, peer.Want{}, "echo", ask{}, nil); err != nil {
			t.Fatal(err)
		}
		if again, _ := a.Counters(); again != sent+1 {
			t.Errorf("%d messages for a call on an open connection", again-sent)
		}
		time.Sleep(11 * time.Second)
		if err := c.Call(t.Context(), b.addr, peer.Want{}, "echo", ask{}, nil); err != nil {
			t.Fatal(err)
		}
		if again, _ := a.Counters(); again != sent+1+3 {
			t.Errorf("%d messages; the idle connection was used again", again-sent)
		}
	})
}

func TestClientCloseEndsCalls(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		b := start(t, nodeConfig{name: "b", network: m.Host("b")})
		ran := 0
		serveRPC(t, b, &ran)
		c := client(t, a)
		done := make(chan error, 1)
		go func() { done <- c.Call(t.Context(), b.addr, peer.Want{}, "echo", ask{Wait: time.Hour}, nil) }()
		synctest.Wait()
		c.Close()
		if err := <-done; err == nil || errors.Is(err, peer.ErrNotSent) {
			t.Errorf("call: %v", err)
		}
		if err := c.Call(t.Context(), b.addr, peer.Want{}, "echo", ask{}, nil); !errors.Is(err, peer.ErrNotSent) || !errors.Is(err, peer.ErrClosed) {
			t.Errorf("call after close: %v", err)
		}
	})
}

func TestMethodTableIsChecked(t *testing.T) {
	e := peer.New(peer.Config{})
	none := func(context.Context, peer.Identity, *ask) (*told, error) { return nil, nil }
	if _, err := peer.NewServer(e, []peer.Method{peer.NewMethod("x", true, none), peer.NewMethod("x", false, none)}); err == nil {
		t.Error("two methods of one name")
	}
}
