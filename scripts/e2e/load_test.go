package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/fsm/slot"
)

// follower is a cluster client that does no more than follow redirects: any
// other error is its caller's.
type follower struct {
	seeds []string
	conns map[string]*conn
	slots map[int]string
}

func newFollower(seeds []string) *follower {
	return &follower{seeds: seeds, conns: make(map[string]*conn), slots: make(map[int]string)}
}

func (f *follower) close() {
	for _, c := range f.conns {
		c.close()
	}
}

func (f *follower) conn(addr string) (*conn, error) {
	if c := f.conns[addr]; c != nil {
		return c, nil
	}
	c, err := dial(addr)
	if err == nil {
		f.conns[addr] = c
	}
	return c, err
}

// do sends a command whose first key is args[1] to wherever it is led.
func (f *follower) do(args ...string) (any, error) {
	s := slot.Of([]byte(args[1]))
	addr := f.slots[s]
	if addr == "" {
		addr = f.seeds[s%len(f.seeds)]
	}
	asking := false
	const most = 32
	for range most {
		c, err := f.conn(addr)
		if err != nil {
			return nil, err
		}
		if asking {
			c.send("ASKING")
		}
		c.send(args...)
		if asking {
			if _, err := c.receive(); err != nil {
				return nil, err
			}
			asking = false
		}
		reply, err := c.receive()
		var refused replyError
		if !errors.As(err, &refused) {
			if err != nil {
				c.close()
				delete(f.conns, addr)
			}
			return reply, err
		}
		w := strings.Fields(string(refused))
		switch {
		case w[0] == "MOVED" && len(w) == 3:
			addr = w[2]
			f.slots[s] = addr
		case w[0] == "ASK" && len(w) == 3:
			addr, asking = w[2], true
		case w[0] == "TRYAGAIN":
		default:
			return nil, refused
		}
	}
	return nil, fmt.Errorf("%s: redirected %d times", args[0], most)
}

// load writes and reads its own keys until it is stopped. Each worker knows
// what each of its keys must be: the last value that was acknowledged.
type load struct {
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	workers []*worker
}

type worker struct {
	f      *follower
	keys   []string
	acked  map[string]string
	ops    int
	stall  time.Duration // the longest operation
	errors []string
}

// startLoad returns once every key was written.
func startLoad(t testing.TB, c *cluster, workers int, keys []string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel}
	t.Cleanup(func() { cancel(); l.wg.Wait() })
	var written sync.WaitGroup
	for i := range workers {
		w := &worker{f: newFollower(c.addrs()), acked: make(map[string]string)}
		for j := i; j < len(keys); j += workers {
			w.keys = append(w.keys, keys[j])
		}
		l.workers = append(l.workers, w)
		written.Add(1)
		l.wg.Go(func() { w.run(ctx, written.Done) })
	}
	written.Wait()
	return l
}

func (w *worker) run(ctx context.Context, written func()) {
	defer w.f.close()
	for round := 0; ; round++ {
		for _, key := range w.keys {
			if round > 0 && ctx.Err() != nil {
				return
			}
			w.step(key, strconv.Itoa(round))
		}
		if round == 0 {
			written()
		}
	}
}

// step reads what must be there and replaces it.
func (w *worker) step(key, value string) {
	if want, ok := w.acked[key]; ok {
		w.timed(func() error {
			got, err := w.f.do("GET", key)
			if err == nil && got != want {
				return fmt.Errorf("it is %v, but %s was acknowledged", got, want)
			}
			return err
		}, "GET", key)
	}
	w.timed(func() error {
		_, err := w.f.do("SET", key, value)
		if err == nil {
			w.acked[key] = value
		}
		return err
	}, "SET", key)
}

func (w *worker) timed(op func() error, what, key string) {
	begin := time.Now()
	if err := op(); err != nil {
		w.errors = append(w.errors, fmt.Sprintf("%s %s (slot %d): %v", what, key, slot.Of([]byte(key)), err))
	}
	w.ops++
	w.stall = max(w.stall, time.Since(begin))
}

// stop ends the load and complains about errors and about keys that aren't what
// was acknowledged.
func (l *load) stop(t testing.TB) {
	t.Helper()
	l.cancel()
	l.wg.Wait()
	ops, stall, bad := 0, time.Duration(0), 0
	complain := func(text string) {
		if bad++; bad <= 5 {
			t.Error(text)
		}
	}
	for _, w := range l.workers {
		ops, stall = ops+w.ops, max(stall, w.stall)
		for _, e := range w.errors {
			complain("client error: " + e)
		}
		f := newFollower(w.f.seeds)
		for _, key := range w.keys {
			if got, err := f.do("GET", key); err != nil || got != w.acked[key] {
				complain(fmt.Sprintf("GET %s in the end: %v, %v; %s was acknowledged", key, got, err, w.acked[key]))
			}
		}
		f.close()
	}
	t.Logf("load: %d operations, longest %v", ops, stall)
	if bad > 5 {
		t.Errorf("and %d more", bad-5)
	}
}

// someKeys are n keys all over the slots.
func someKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "key:" + strconv.Itoa(i)
	}
	return keys
}

// total counts the keys of all nodes.
func (c *cluster) total() int {
	c.t.Helper()
	sum := 0
	for _, n := range c.nodes {
		sum += n.int("DBSIZE")
	}
	return sum
}
