package commands_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/commands"
	"conclave/resp/server"
)

// says sends a line, unless it is empty, and compares what comes back.
func (c *client) says(line string, want ...string) {
	c.t.Helper()
	if line != "" {
		c.send(split(line)...)
	}
	for _, w := range want {
		if got := c.reply(); got != w {
			c.t.Errorf("%s\n got %s\nwant %s", line, got, w)
		}
	}
}

func twoLoops(c *server.Config, _ *commands.Deps) { c.IOThreads = 2 }

// each runs a test over TCP, by event loops where there are any, and over a unix
// socket, by a goroutine per connection.
func eachFront(t *testing.T, test func(t *testing.T, n *node, dial func() *client)) {
	t.Run("tcp", func(t *testing.T) {
		n := start(t, twoLoops)
		test(t, n, func() *client { return dial(t, n.addr) })
	})
	t.Run("unix", func(t *testing.T) {
		n := start(t, twoLoops)
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- n.server.Serve(ctx, l) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		test(t, n, func() *client {
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
		})
	})
}

const errConfined = ": only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"

func TestPubSub(t *testing.T) {
	eachFront(t, func(t *testing.T, n *node, dial func() *client) {
		a, b := dial(), dial()
		a.says("SUBSCRIBE x y x", "[subscribe x :1]", "[subscribe y :2]", "[subscribe x :2]")
		a.says("PSUBSCRIBE x* ?", "[psubscribe x* :3]", "[psubscribe ? :4]")
		a.says("SSUBSCRIBE x", "[ssubscribe x :1]")
		b.says("PUBLISH x hello", ":3")
		a.says("", "[message x hello]", "[pmessage x* x hello]", "[pmessage ? x hello]")
		b.says("PUBLISH xx ''", ":1")
		a.says("", "[pmessage x* xx ]")
		b.says("SPUBLISH x shard", ":1")
		a.says("", "[smessage x shard]")
		b.says("PUBLISH none x", ":0")
		b.says("PUBSUB CHANNELS", "[x y]")
		b.says("PUBSUB CHANNELS y*", "[y]")
		b.says("PUBSUB SHARDCHANNELS", "[x]")
		b.says("PUBSUB NUMSUB x none", "[x :1 none :0]")
		b.says("PUBSUB SHARDNUMSUB x y", "[x :1 y :0]")
		b.says("PUBSUB NUMPAT", ":2")
		line := b.do("CLIENT LIST TYPE pubsub")
		for _, want := range []string{" sub=2 psub=2 ssub=1 ", " flags=P"} {
			if !strings.Contains(line, want) {
				t.Errorf("CLIENT LIST lacks %q: %s", want, line)
			}
		}
		info := b.do("INFO stats")
		for _, want := range []string{"pubsub_channels:2", "pubsub_patterns:2", "pubsubshard_channels:1"} {
			if !strings.Contains(info, want+"\r\n") {
				t.Errorf("INFO lacks %s", want)
			}
		}

		a.says("ECHO x", "-ERR Can't execute 'echo'"+errConfined)
		a.says("CLIENT ID", "-ERR Can't execute 'client|id'"+errConfined)
		a.says("PING", "[pong ]")
		a.says("PING hi", "[pong hi]")
		a.says("UNSUBSCRIBE none y", "[unsubscribe none :4]", "[unsubscribe y :3]")
		a.says("UNSUBSCRIBE", "[unsubscribe x :2]")
		a.says("PUNSUBSCRIBE", "[punsubscribe ? :1]", "[punsubscribe x* :0]")
		a.says("PING", "[pong ]")
		a.says("SUNSUBSCRIBE", "[sunsubscribe x :0]")
		a.says("PING", "+PONG")
		a.says("UNSUBSCRIBE", "[unsubscribe nil :0]")
		b.says("PUBLISH x gone", ":0")
		b.says("PUBSUB CHANNELS", "[]")

		a.says("SUBSCRIBE x", "[subscribe x :1]")
		a.says("RESET", "+RESET")
		a.says("PING", "+PONG")
		b.says("PUBLISH x gone", ":0")
		a.says("SUBSCRIBE x", "[subscribe x :1]")
		a.says("QUIT", "+OK")
		a.closed()
		eventually(t, func() bool { return b.do("PUBSUB NUMSUB x") == "[x :0]" })
	})
}

func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); {
		if time.Now().After(deadline) {
			t.Fatal("not in time")
		}
		<-time.After(time.Millisecond)
	}
}

// Under RESP3 a subscriber uses every command, and what it causes itself follows
// the reply.
func TestPubSubRESP3(t *testing.T) {
	eachFront(t, func(t *testing.T, n *node, dial func() *client) {
		a := dial()
		a.do("HELLO 3")
		a.says("SUBSCRIBE x", ">[subscribe x :1]")
		a.says("PUBLISH x m", ":1", ">[message x m]")
		a.says("ECHO hi", "hi")
		a.says("PING", "+PONG")
		a.says("MULTI", "+OK")
		a.says("PUBLISH x 1", "+QUEUED")
		a.says("PUBLISH x 2", "+QUEUED")
		a.says("ECHO hi", "+QUEUED")
		a.says("EXEC", "[:1 :1 hi]", ">[message x 1]", ">[message x 2]")
		a.says("MULTI", "+OK")
		a.says("PUBLISH x 1", "+QUEUED")
		a.says("UNSUBSCRIBE x", "+QUEUED")
		a.says("PUBLISH x 2", "+QUEUED")
		a.says("EXEC", "[:1 >[unsubscribe x :0] :0]", ">[message x 1]")
		a.says("SUBSCRIBE x", ">[subscribe x :1]")
		a.says("CLIENT REPLY OFF")
		a.says("ECHO unheard")
		a.says("PUBLISH x 3", ">[message x 3]")
		a.says("SUBSCRIBE y", ">[subscribe y :2]")
		a.says("CLIENT REPLY ON", "+OK")
		a.says("UNSUBSCRIBE", ">[unsubscribe x :1]", ">[unsubscribe y :0]")
		a.says("SUNSUBSCRIBE", ">[sunsubscribe nil :0]")
	})
}

func TestPubSubInTransactions(t *testing.T) {
	n := start(t, twoLoops)
	a, b := dial(t, n.addr), dial(t, n.addr)
	a.says("MULTI", "+OK")
	a.says("SUBSCRIBE x", "+QUEUED")
	a.says("SSUBSCRIBE x", "+QUEUED")
	a.says("PING", "+QUEUED")
	a.says("EXEC", "[[subscribe x :1] -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client [pong ]]")
	b.says("MULTI", "+OK")
	b.says("PUBLISH x 1", "+QUEUED")
	b.says("SPUBLISH x 1", "+QUEUED")
	b.says("EXEC", "[:1 :0]")
	a.says("", "[message x 1]")
}

// The confirmation of a subscription comes before its first message, that of the
// end after the last one, and each publisher's messages come in order, whatever
// goes on beside.
func TestPubSubOrder(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		eachFront(t, func(t *testing.T, n *node, dial func() *client) {
			ctx, stop := context.WithCancel(t.Context())
			var publishers, subscribers sync.WaitGroup
			for p := range 3 {
				c := dial()
				publishers.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						var b strings.Builder
						for k := range 8 {
							fmt.Fprintf(&b, "PUBLISH ch %d:%d\r\n", p, i*8+k)
						}
						c.conn.Write([]byte(b.String()))
						for range 8 {
							c.reply()
						}
					}
				})
			}
			var messages atomic.Int64
			for range 6 {
				c := dial()
				c.do("HELLO " + proto)
				subscribers.Go(func() {
					for turn := range 60 {
						// Confirmations must not get between the commands of a batch.
						fmt.Fprintf(c.conn, "PING\r\nSUBSCRIBE ch\r\nPING\r\n")
						subscribed, last := false, map[string]int{}
						for heard, pinged := 0, 0; heard < 20 || pinged < 2 || !subscribed; {
							r := strings.Trim(c.reply(), ">[]")
							switch {
							case r == "+PONG" || r == "pong ":
								pinged++
							case r == "subscribe ch :1":
								subscribed = true
							default:
								heard++
								messages.Add(1)
								from, number, _ := strings.Cut(strings.TrimPrefix(r, "message ch "), ":")
								var i int
								fmt.Sscan(number, &i)
								if before, ok := last[from]; !subscribed || ok && i != before+1 {
									t.Errorf("turn %d: %q after %d", turn, r, before)
								}
								last[from] = i
							}
						}
						fmt.Fprintf(c.conn, "UNSUBSCRIBE ch\r\nPING\r\n")
						for {
							if r := strings.Trim(c.reply(), ">[]"); r == "unsubscribe ch :0" {
								break
							}
						}
						if r := c.reply(); r != "+PONG" {
							t.Errorf("turn %d: %q after the end of the subscription", turn, r)
							return
						}
					}
				})
			}
			subscribers.Wait()
			stop()
			publishers.Wait()
			if messages.Load() == 0 {
				t.Error("no messages")
			}
		})
	}
}

// A subscriber that doesn't read is cut off; the others get everything.
func TestSlowSubscriber(t *testing.T) {
	for name, limit := range map[string]server.OutputLimit{
		"hard": {Hard: 1 << 20},
		"soft": {Soft: 256 << 10, SoftFor: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			eachFrontWith(t, limit, func(t *testing.T, n *node, dial func() *client) {
				slow, fast, publisher := dial(), dial(), dial()
				slow.says("SUBSCRIBE ch", "[subscribe ch :1]")
				fast.says("SUBSCRIBE ch", "[subscribe ch :1]")
				text := strings.Repeat("x", 16<<10)
				var got atomic.Int64
				go func() {
					for {
						if _, err := read(fast.in); err != nil {
							return
						}
						got.Add(1)
					}
				}()
				sent := int64(0)
				for deadline := time.Now().Add(15 * time.Second); n.server.Subscribers(server.Channel, []byte("ch")) == 2; sent++ {
					if time.Now().After(deadline) {
						t.Fatal("the slow subscriber is still there")
					}
					publisher.send("PUBLISH", "ch", text)
					publisher.reply()
				}
				if n := n.server.Stats().OutputLimitDisconnections(); n != 1 {
					t.Errorf("%d clients cut off, want 1", n)
				}
				eventually(t, func() bool { return got.Load() == sent })
			})
		})
	}
}

func eachFrontWith(t *testing.T, limit server.OutputLimit, test func(t *testing.T, n *node, dial func() *client)) {
	t.Helper()
	l := *server.DefaultLimits()
	l.OutputPubSub = limit
	n := start(t, func(c *server.Config, _ *commands.Deps) {
		c.IOThreads = 2
		c.Limits = func() *server.Limits { return &l }
	})
	test(t, n, func() *client { return dial(t, n.addr) })
}

// When slots go, those who are subscribed to their shard channels are told, and are
// ordinary clients again.
func TestShardChannelsGoWithTheirSlots(t *testing.T) {
	eachFront(t, func(t *testing.T, n *node, dial func() *client) {
		a, b := dial(), dial()
		b.do("HELLO 3")
		a.says("SSUBSCRIBE x", "[ssubscribe x :1]")
		a.says("SSUBSCRIBE y", "[ssubscribe y :2]")
		b.says("SSUBSCRIBE x", ">[ssubscribe x :1]")
		b.says("SUBSCRIBE x", ">[subscribe x :1]")
		gone := command.SlotOf([]byte("x"))
		n.server.DropShardChannels(func(slot int) bool { return slot != gone })
		a.says("", "[sunsubscribe x :1]")
		b.says("", ">[sunsubscribe x :0]")
		a.says("ECHO x", "-ERR Can't execute 'echo'"+errConfined)
		n.server.DropShardChannels(func(int) bool { return false })
		a.says("", "[sunsubscribe y :0]")
		a.says("ECHO x", "x")
		b.says("SPUBLISH x gone", ":0")
		b.says("PUBLISH x here", ":1", ">[message x here]")
		b.says("PUBSUB SHARDCHANNELS", "[]")
	})
}

// A client that redirects invalidations is told when nobody is there to take them.
func TestBrokenRedirection(t *testing.T) {
	n := start(t, twoLoops)
	a, b, c := dial(t, n.addr), dial(t, n.addr), dial(t, n.addr)
	a.do("HELLO 3")
	id := strings.TrimPrefix(b.do("CLIENT ID"), ":")
	a.says("CLIENT TRACKING on BCAST REDIRECT "+id, "+OK")
	a.says("CLIENT GETREDIR", ":"+id)
	if line := c.do("CLIENT LIST"); !strings.Contains(line, " flags=tB ") || !strings.Contains(line, " redir="+id+" ") {
		t.Errorf("CLIENT LIST: %s", line)
	}
	b.conn.Close()
	eventually(t, func() bool { return n.server.SessionCount() == 2 })
	n.server.Invalidate(0, []byte("k"))
	a.says("", ">[tracking-redir-broken :"+id+"]")
	a.says("CLIENT TRACKINGINFO", "%[flags ~[on bcast broken_redirect] redirect :"+id+" prefixes []]")
	if line := c.do("CLIENT LIST"); !strings.Contains(line, " flags=tRB ") {
		t.Errorf("CLIENT LIST: %s", line)
	}
	if info := c.do("INFO"); !strings.Contains(info, "tracking_clients:1\r\n") || !strings.Contains(info, "tracking_total_prefixes:1\r\n") {
		t.Errorf("INFO tells nothing of the client that tracks")
	}
	a.says("RESET", "+RESET")
	a.says("CLIENT GETREDIR", ":-1")
	if _, keys, _, prefixes := n.server.TrackingFigures(); keys != 0 || prefixes != 0 {
		t.Errorf("%d keys and %d prefixes are left", keys, prefixes)
	}
}
