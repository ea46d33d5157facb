package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// cacher is a client that keeps what it has read until it is told that it has
// changed.
type cacher struct {
	*talker
	cache map[string]string
	asked []string // keys whose replies are still to come
}

// take takes one reply or invalidation.
func (c *cacher) take() {
	r := c.reply()
	switch {
	case r == ">[invalidate _]":
		clear(c.cache)
	case strings.HasPrefix(r, ">[invalidate ["):
		for key := range strings.FieldsSeq(strings.Trim(strings.TrimPrefix(r, ">[invalidate "), "[]")) {
			delete(c.cache, key)
		}
	default:
		c.cache[c.asked[0]] = r
		c.asked = c.asked[1:]
	}
}

// Whatever happens beside, what a client has in its cache in the end is what the
// server has.
func TestTrackingLeavesNothingStale(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", " NOLOOP", " BCAST"} {
		port := freePort(t)
		addr := startServer(t, process(t, "--port", port, "--bind", "127.0.0.1", "--io-threads", "3", "--tracking-table-max-keys", "30"), port)
		const keys, readers, writers, turns = 40, 4, 3, 400
		key := func(rng *rand.Rand) string { return fmt.Sprint("k", rng.IntN(keys)) }
		var reading, writing sync.WaitGroup
		cachers := make([]*cacher, readers)
		for i := range cachers {
			c := &cacher{talker: talkTo(t, addr, fmt.Sprint("reader", i)), cache: map[string]string{}}
			c.send("HELLO 3")
			c.reply()
			c.send("CLIENT TRACKING ON" + mode)
			c.reply()
			cachers[i] = c
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			reading.Go(func() {
				for range turns {
					var b strings.Builder
					for range 1 + rng.IntN(5) {
						k := key(rng)
						c.asked = append(c.asked, k)
						fmt.Fprintf(&b, "GET %s\r\n", k)
					}
					c.send(strings.TrimSuffix(b.String(), "\r\n"))
					for len(c.asked) > 0 {
						c.take()
					}
				}
			})
		}
		for i := range writers {
			c := talkTo(t, addr, fmt.Sprint("writer", i))
			rng := rand.New(rand.NewPCG(uint64(i), 2))
			writing.Go(func() {
				for turn := range turns {
					switch k := key(rng); rng.IntN(20) {
					case 0:
						c.send(fmt.Sprintf("PEXPIRE %s %d", k, rng.IntN(3)))
					case 1:
						c.send("DEL " + k)
					case 2:
						c.send("FLUSHALL")
					default:
						c.send(fmt.Sprintf("SET %s %d.%d", k, i, turn))
					}
					c.reply()
				}
			})
		}
		reading.Wait()
		writing.Wait()
		truth := talkTo(t, addr, "truth")
		for k := range keys { // from now on nothing expires
			truth.send(fmt.Sprint("PERSIST k", k))
			truth.reply()
		}
		for i, c := range cachers {
			c.asked = append(c.asked, "end")
			c.send("GET end")
			for len(c.asked) > 0 {
				c.take()
			}
			delete(c.cache, "end")
			for k, v := range c.cache {
				truth.send("GET " + k)
				if now := truth.reply(); now != v && !(now == "$-1" && v == "_") {
					t.Errorf("mode %q, reader %d: %s is %s in the cache and %s in the server", mode, i, k, v, now)
				}
			}
		}
	}
}

// A table that is made smaller gets smaller by itself, and clients are told.
func TestTrackingTableShrinks(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	addr := startServer(t, process(t, "--port", port, "--bind", "127.0.0.1"), port)
	c := talkTo(t, addr, "c")
	c.send("HELLO 3")
	c.reply()
	c.send("CLIENT TRACKING ON")
	c.reply()
	c.send("MGET a b c")
	c.reply()
	c.send("CONFIG SET tracking-table-max-keys 1")
	c.reply()
	gone := map[string]bool{}
	for range 2 {
		gone[c.reply()] = true
	}
	for r := range gone {
		if !strings.HasPrefix(r, ">[invalidate [") {
			t.Errorf("got %s instead of an invalidation", r)
		}
	}
	if len(gone) != 2 {
		t.Errorf("told of %v, want two keys", gone)
	}
}
