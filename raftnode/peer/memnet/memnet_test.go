package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"conclave/raftnode/peer/memnet"
)

// pair opens a connection from a to b.
func pair(t *testing.T, n *memnet.Net) (a, b net.Conn) {
	t.Helper()
	ln, err := n.Host("b").Listen(":7")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err = n.Host("a").Dial(t.Context(), "b:7")
	if err != nil {
		t.Fatal(err)
	}
	b, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := c.Write([]byte(s)); err != nil || n != len(s) {
		t.Fatalf("write %q: %d, %v", s, n, err)
	}
}

// expect reads exactly s.
func expect(t *testing.T, c net.Conn, s string) {
	t.Helper()
	b := make([]byte, len(s))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != s {
		t.Fatalf("read %q, %v; want %q", b, err, s)
	}
}

func bubble(t *testing.T, f func(t *testing.T, n *memnet.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		seed := uint64(0)
		f(t, memnet.New(func() uint64 { seed += 0x9e3779b97f4a7c15; return seed }))
	})
}

func TestDelayKeepsOrder(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Net) {
		n.Delay("a", "b", 10*time.Millisecond, 50*time.Millisecond)
		a, b := pair(t, n)
		start := time.Now()
		for range 20 {
			send(t, a, "x")
			send(t, a, "y")
		}
		for range 20 {
			expect(t, b, "xy")
		}
		if d := time.Since(start); d < 10*time.Millisecond || d > 50*time.Millisecond {
			t.Errorf("arrived after %v", d)
		}
	})
}

func TestCutHoldsBackUntilHealed(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Net) {
		a, b := pair(t, n)
		n.Cut("a", "b")
		send(t, a, "late")
		send(t, b, "other way")
		expect(t, a, "other way")
		if err := b.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read over a cut link: %v", err)
		}
		if err := b.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go func() {
			time.Sleep(3 * time.Second)
			n.Heal("a", "b")
		}()
		expect(t, b, "late")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("arrived after %v", d)
		}
	})
}

func TestDialOverCutLinkEndsWithContext(t *testing.T) {
	for _, cut := range [][2]string{{"a", "b"}, {"b", "a"}} {
		bubble(t, func(t *testing.T, n *memnet.Net) {
			ln, err := n.Host("b").Listen("b:7")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			n.Cut(cut[0], cut[1])
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := n.Host("a").Dial(ctx, "b:7"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("cut %v: dial: %v", cut, err)
			}
			n.HealAll()
			c, err := n.Host("a").Dial(t.Context(), "b:7")
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

func TestEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(n *memnet.Net, a net.Conn)
		want error
	}{
		{"close", func(_ *memnet.Net, a net.Conn) { a.Close() }, io.EOF},
		{"crash", func(n *memnet.Net, _ net.Conn) { n.Crash("a") }, syscall.ECONNRESET},
		{"reset", func(n *memnet.Net, _ net.Conn) { n.Reset("b", "a") }, syscall.ECONNRESET},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Net) {
				a, b := pair(t, n)
				send(t, a, "last words")
				expect(t, b, "last words")
				tt.end(n, a)
				if _, err := b.Read(make([]byte, 1)); !errors.Is(err, tt.want) {
					t.Fatalf("read: %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestWriteAfterPeerClosedIsAnsweredByReset(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Net) {
		n.Delay("b", "a", time.Millisecond, time.Millisecond)
		a, b := pair(t, n)
		b.Close()
		send(t, a, "nobody hears")
		if _, err := a.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("read: %v", err)
		}
	})
}

func TestBufferIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Net) {
		a, b := pair(t, n)
		if err := a.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		big := make([]byte, 1<<20)
		sent, err := a.Write(big)
		if !errors.Is(err, os.ErrDeadlineExceeded) || sent == 0 || sent == len(big) {
			t.Fatalf("wrote %d: %v", sent, err)
		}
		if err := a.SetWriteDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() {
			a.Write(big)
			a.Close()
		}()
		if got, err := io.Copy(io.Discard, b); err != nil || got != int64(sent+len(big)) {
			t.Fatalf("read %d of %d: %v", got, sent+len(big), err)
		}
	})
}

func TestPausedHostHearsAfterwards(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Net) {
		a, b := pair(t, n)
		n.Pause("b")
		send(t, a, "ping")
		go func() {
			time.Sleep(time.Minute)
			n.Resume("b")
		}()
		start := time.Now()
		expect(t, b, "ping")
		if d := time.Since(start); d != time.Minute {
			t.Errorf("after %v", d)
		}
	})
}

func TestListen(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Net) {
		h := n.Host("b")
		ln, err := h.Listen("0.0.0.0:7")
		if err != nil || ln.Addr().String() != "b:7" {
			t.Fatalf("listen: %v, %v", ln, err)
		}
		if _, err := h.Listen("b:7"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second listen: %v", err)
		}
		if _, err := h.Listen("a:7"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("other host's address: %v", err)
		}
		ln.Close()
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: %v", err)
		}
		if _, err := n.Host("a").Dial(t.Context(), "b:7"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
	})
}
