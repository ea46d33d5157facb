package peer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/fsm"
	"conclave/raftnode/peer"
	"conclave/raftnode/peer/memnet"
)

func id(c string) string { return strings.Repeat(c, 40) }

// node is an endpoint on a simulated host, serving from start on.
type node struct {
	*peer.Endpoint
	self atomic.Pointer[peer.Identity]
	addr string
	stop func()
}

type nodeConfig struct {
	name, cluster, secret string
	port                  string // to listen on, if not the network's usual one
	network               peer.Network
	admit                 func(peer.Kind, peer.Identity, peer.Want) error
}

// start runs an endpoint until the test ends.
func start(t *testing.T, c nodeConfig) *node {
	t.Helper()
	n := &node{}
	ident := peer.Identity{Node: fsm.NodeID(id(c.name)), Generation: 3, Incarnation: fsm.Incarnation{Count: 1, Random: 7}}
	if c.cluster != "" {
		ident.ClusterID = id(c.cluster)
	}
	n.self.Store(&ident)
	n.Endpoint = peer.New(peer.Config{
		Self: func() peer.Identity { return *n.self.Load() }, Secret: func() []byte { return []byte(c.secret) },
		Network: c.network, Log: slog.New(slog.DiscardHandler), Admit: c.admit,
	})
	addr := "127.0.0.1:0"
	if _, mem := c.network.(*memnet.Host); mem {
		addr = ":1"
	}
	if c.port != "" {
		addr = c.port
	}
	ln, err := c.network.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	n.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, ln) }()
	var once atomic.Bool
	n.stop = func() {
		if once.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(n.stop)
	return n
}

// echo serves a kind by sending everything back.
func (n *node) echo(kind peer.Kind) {
	n.Handle(kind, func(_ context.Context, c *peer.Conn) { io.Copy(c, c) })
}

func bubble(t *testing.T, f func(t *testing.T, m *memnet.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, memnet.New(func() uint64 { return 0 })) })
}

func TestDialIsAcceptedOrRefusedForAReason(t *testing.T) {
	everything := peer.Want{ClusterID: id("x"), Node: fsm.NodeID(id("b")), Generation: 3}
	tests := []struct {
		name             string
		secretA, secretB string
		kind             peer.Kind
		want             peer.Want
		admit            error
		err              error
	}{
		{name: "anyone", kind: peer.KindRaft},
		{name: "wanted", kind: peer.KindRaft, want: everything},
		{name: "secret", kind: peer.KindRaft, want: everything, secretA: "s", secretB: "s"},
		{name: "other cluster", kind: peer.KindRaft, want: peer.Want{ClusterID: id("y")}, err: peer.ErrWrongCluster},
		{name: "other node", kind: peer.KindRaft, want: peer.Want{Node: fsm.NodeID(id("c"))}, err: peer.ErrNotThatNode},
		{name: "other generation", kind: peer.KindRaft, want: peer.Want{Generation: 2}, err: peer.ErrOldGeneration},
		{name: "not admitted", kind: peer.KindRaft, admit: peer.ErrOldHistory, err: peer.ErrOldHistory},
		{name: "not admitted for any reason", kind: peer.KindRaft, admit: errors.New("no"), err: peer.ErrRefused},
		{name: "kind not served", kind: peer.KindStream, err: peer.ErrKind},
		{name: "other secret", kind: peer.KindRaft, secretA: "s", secretB: "t", err: peer.ErrAuth},
		{name: "only the listener has a secret", kind: peer.KindRaft, secretB: "t", err: peer.ErrAuth},
		{name: "only the dialer has a secret", kind: peer.KindRaft, secretA: "s", err: peer.ErrAuth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *memnet.Net) {
				a := start(t, nodeConfig{name: "a", cluster: "x", secret: tt.secretA, network: m.Host("a")})
				b := start(t, nodeConfig{
					name: "b", cluster: "x", secret: tt.secretB, network: m.Host("b"),
					admit: func(peer.Kind, peer.Identity, peer.Want) error { return tt.admit },
				})
				b.echo(peer.KindRaft)
				c, err := a.Dial(t.Context(), b.addr, tt.kind, tt.want)
				if !errors.Is(err, tt.err) {
					t.Fatalf("dial: %v, want %v", err, tt.err)
				}
				if err != nil {
					var refused *peer.RefusedError
					if !errors.As(err, &refused) {
						t.Errorf("%v is no refusal", err)
					}
					if known := refused != nil && refused.Remote.Node != ""; known == errors.Is(err, peer.ErrAuth) {
						t.Errorf("refused by %+v", refused)
					}
					return
				}
				defer c.Close()
				if c.Remote.Node != fsm.NodeID(id("b")) || c.Remote.Incarnation.Random != 7 || c.Remote.RemoteIP != "b" {
					t.Errorf("remote %+v", c.Remote)
				}
				if _, err := c.Write([]byte("ping")); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 4)
				if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
					t.Fatalf("%q, %v", got, err)
				}
			})
		})
	}
}

// remoteNet makes every connection look as if it came from elsewhere.
type remoteNet struct{ peer.Network }

type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

type remoteListener struct{ net.Listener }

func (l remoteListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return remoteConn{c}, nil
}

func (n remoteNet) Listen(addr string) (net.Listener, error) {
	ln, err := n.Network.Listen(addr)
	return remoteListener{ln}, err
}

func (n remoteNet) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := n.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return remoteConn{c}, nil
}

func TestWithoutSecretOnlyLoopback(t *testing.T) {
	tests := []struct {
		name         string
		dialer, host peer.Network
		secret       string
		err          error
	}{
		{"loopback", peer.TCP{}, peer.TCP{}, "", nil},
		{"dialer refuses", remoteNet{peer.TCP{}}, peer.TCP{}, "", peer.ErrNoSecret},
		{"listener refuses", peer.TCP{}, remoteNet{peer.TCP{}}, "", peer.ErrNoSecret},
		{"with a secret", remoteNet{peer.TCP{}}, remoteNet{peer.TCP{}}, "s", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, nodeConfig{name: "a", secret: tt.secret, network: tt.dialer})
			b := start(t, nodeConfig{name: "b", secret: tt.secret, network: tt.host})
			b.echo(peer.KindRaft)
			c, err := a.Dial(t.Context(), b.addr, peer.KindRaft, peer.Want{})
			if !errors.Is(err, tt.err) {
				t.Fatalf("dial: %v, want %v", err, tt.err)
			}
			if err == nil {
				c.Close()
			}
		})
	}
}

func TestSilentStrangersAreDroppedAndBounded(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		b := start(t, nodeConfig{name: "b", network: m.Host("b")})
		var silent []net.Conn
		for range 100 {
			c, err := m.Host("a").Dial(t.Context(), b.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			silent = append(silent, c)
		}
		at := time.Now()
		busy := 0
		for _, c := range silent {
			got, _ := io.ReadAll(c)
			if len(got) > 0 {
				busy++
			}
		}
		if d := time.Since(at); d != 5*time.Second {
			t.Errorf("dropped after %v", d)
		}
		if busy != 100-64 {
			t.Errorf("%d were told that the node is busy", busy)
		}
		// And the node is usable again.
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		b.echo(peer.KindRaft)
		c, err := a.Dial(t.Context(), b.addr, peer.KindRaft, peer.Want{})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

func TestOneAddressCannotTakeAllHandshakes(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		b := start(t, nodeConfig{name: "b", network: remoteNet{m.Host("b")}, port: ":1", secret: "s"})
		var wg sync.WaitGroup
		var busy atomic.Int64
		for range 40 {
			c, err := m.Host("a").Dial(t.Context(), b.addr)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				defer c.Close()
				if got, _ := io.ReadAll(c); len(got) > 0 {
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		if n := busy.Load(); n != 40-16 {
			t.Errorf("%d were told that the node is busy", n)
		}
	})
}

func TestDialToSilentListenerEnds(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		ln, err := m.Host("b").Listen(":9")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		at := time.Now()
		if _, err := a.Dial(t.Context(), "b:9", peer.KindRPC, peer.Want{}); err == nil {
			t.Fatal("no error")
		}
		if d := time.Since(at); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

// Who waits for a connection that another call is dialling has to know whether
// that call only lost its patience.
func TestDialSaysThatItsCallerLostPatience(t *testing.T) {
	for _, cancelled := range []bool{true, false} {
		bubble(t, func(t *testing.T, m *memnet.Net) {
			a := start(t, nodeConfig{name: "a", network: m.Host("a")})
			ln, err := m.Host("b").Listen(":9")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			want := context.DeadlineExceeded
			if cancelled {
				want = context.Canceled
				time.AfterFunc(time.Second/2, cancel)
			}
			if _, err := a.Dial(ctx, "b:9", peer.KindRPC, peer.Want{}); !errors.Is(err, want) {
				t.Errorf("dial says %v", err)
			}
		})
	}
}

func TestServeEndsEverything(t *testing.T) {
	bubble(t, func(t *testing.T, m *memnet.Net) {
		a := start(t, nodeConfig{name: "a", network: m.Host("a")})
		b := start(t, nodeConfig{name: "b", network: m.Host("b")})
		handlerEnded := false
		b.Handle(peer.KindStream, func(ctx context.Context, c *peer.Conn) {
			<-ctx.Done()
			handlerEnded = true
		})
		c, err := a.Dial(t.Context(), b.addr, peer.KindStream, peer.Want{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the dialler may know of the connection before the handler runs
		b.stop()
		if !handlerEnded {
			t.Error("handler still runs")
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("connection still open")
		}
		a.stop()
		select {
		case <-c.Done():
		default:
			t.Error("dialled connection not closed")
		}
		if _, err := a.Dial(t.Context(), b.addr, peer.KindStream, peer.Want{}); !errors.Is(err, peer.ErrClosed) {
			t.Errorf("dial after the end: %v", err)
		}
	})
}
