package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/fsm/slot"
)

// servers are those whose times are printed side by side.
func servers(t *testing.T) map[string]string {
	t.Helper()
	if os.Getenv("MEASURE") == "" {
		t.Skip("MEASURE is not set")
	}
	need(t, "redis-cli")
	return map[string]string{"conclave": os.Getenv(serverEnv), "redis-server": need(t, "redis-server")}
}

func startNodesOf(t *testing.T, bin string, count int) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for range count {
		n := newNodeOf(t, bin, clusterArgs()...)
		n.launch()
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		n.awaitPing()
	}
	return c
}

// TestMeasureCreate: seconds that redis-cli --cluster create takes for six
// fresh nodes.
func TestMeasureCreate(t *testing.T) {
	const runs = 20
	bins := servers(t)
	times := make(map[string][]time.Duration)
	for range runs {
		for name, bin := range bins { // alternating
			t.Run(name, func(t *testing.T) {
				c := startNodesOf(t, bin, 6)
				begin := time.Now()
				create(c, "--cluster-replicas", "1")
				times[name] = append(times[name], time.Since(begin))
				c.awaitOK()
			})
		}
	}
	for name, all := range times {
		slices.Sort(all)
		t.Logf("%-12s create of six nodes, %d successes of %d: min %.2f s, median %.2f s, max %.2f s",
			name, len(all), runs, all[0].Seconds(), all[len(all)/2].Seconds(), all[len(all)-1].Seconds())
	}
}

// TestMeasureReshard: redis-cli moves 1,000 slots with 100,000 keys while
// go-redis writes and reads some of them.
func TestMeasureReshard(t *testing.T) {
	const slots, total, busy = 1000, 100_000, 2000
	bins := servers(t)
	programs := goClients(t)
	var keys []string
	for i := 0; len(keys) < total; i++ {
		if k := "key:" + strconv.Itoa(i); slot.Of([]byte(k)) < slots {
			keys = append(keys, k)
		}
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(strings.Join(keys[:busy], "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, bin := range bins {
		t.Run(name, func(t *testing.T) {
			c := startNodesOf(t, bin, 3)
			create(c)
			c.awaitOK()
			from, to := c.owner(0), c.owner(slot.Count-1)
			fill(t, from, keys, strings.Repeat("x", 64))
			before := c.total()
			p := startClient(t, append([]string{filepath.Join(programs, "load"), file}, c.addrs()...)...)
			p.expect("started")
			begin := time.Now()
			mustCli(t, "--cluster", "reshard", from.addr(), "--cluster-from", from.id(), "--cluster-to", to.id(),
				"--cluster-slots", strconv.Itoa(slots), "--cluster-yes")
			took := time.Since(begin)
			if err := p.in.Close(); err != nil {
				t.Fatal(err)
			}
			var r struct {
				Ops, Errors, Wrong int
				FirstBad           string
				StallMs            float64
			}
			if err := json.Unmarshal([]byte(<-p.lines), &r); err != nil {
				t.Fatal(err)
			}
			after := c.total()
			t.Logf("%-12s %d slots with %d keys: %.1f s; keys before %d, after %d; client: %d operations, %d errors, %d wrong, longest %.0f ms %s",
				name, slots, total, took.Seconds(), before, after, r.Ops, r.Errors, r.Wrong, r.StallMs, r.FirstBad)
			if before != after || r.Wrong > 0 || from.int("CLUSTER", "COUNTKEYSINSLOT", "0") > 0 {
				t.Error("keys are lost")
			}
			if r.Errors > 0 && name == "conclave" {
				t.Error("clients saw errors")
			}
			c.check()
		})
	}
}

// fill sets keys in pipelines.
func fill(t *testing.T, n *node, keys []string, value string) {
	t.Helper()
	c, err := dial(n.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for batch := range slices.Chunk(keys, 1000) {
		for _, k := range batch {
			c.send("SET", k, value)
		}
		for range batch {
			if _, err := c.receive(); err != nil {
				t.Fatal(fmt.Errorf("fill: %w", err))
			}
		}
	}
}

// TestMeasureSilentReader: what a client that never reads its replies costs the
// others, until its output limit ends it.
func TestMeasureSilentReader(t *testing.T) {
	const clients, span = 20, 5 * time.Second
	for name, bin := range servers(t) {
		t.Run(name, func(t *testing.T) {
			n := newNodeOf(t, bin, "--save", "", "--client-output-buffer-limit", "normal 64mb 0 0")
			n.start()
			n.do("SET", "large", strings.Repeat("x", 100_000))
			n.do("SET", "small", "x")
			before := replyTimes(t, n, clients, span)
			stop, cut := make(chan struct{}), make(chan int, 1)
			go func() { // one silent client after the other
				ended := 0
				defer func() { cut <- ended }()
				for {
					select {
					case <-stop:
						return
					default:
					}
					c, err := dial(n.addr())
					if err != nil {
						return
					}
					for err == nil {
						c.send("GET", "large")
						err = c.w.Flush()
						select {
						case <-stop:
							err = os.ErrClosed
						case <-time.After(100 * time.Microsecond): // the load is the others'
						}
					}
					if !errors.Is(err, os.ErrClosed) {
						ended++
					}
					c.close()
				}
			}()
			during := replyTimes(t, n, clients, span)
			close(stop)
			t.Logf("%-12s p99 of %d clients: %v alone, %v beside a silent one (max %v, %v); %d silent clients were ended",
				name, clients, before[len(before)*99/100], during[len(during)*99/100],
				before[len(before)-1], during[len(during)-1], <-cut)
		})
	}
}

// replyTimes has clients send GET one after the other, with pauses, and returns
// how long the replies took, sorted.
func replyTimes(t *testing.T, n *node, clients int, span time.Duration) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c, err := dial(n.addr())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.close()
			var mine []time.Duration
			for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
				begin := time.Now()
				if _, err := c.do("GET", "small"); err != nil {
					t.Error(err)
					return
				}
				mine = append(mine, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}
