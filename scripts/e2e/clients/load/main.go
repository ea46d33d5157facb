// Command load writes and reads keys through go-redis until its input ends, and
// prints what happened as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// result is what the test reads.
type result struct {
	Ops      int
	Errors   int
	Wrong    int // reads that found something else than was acknowledged
	FirstBad string
	StallMs  float64 // the longest operation
}

const workers = 8

// The arguments are a file with one key per line and addresses of the cluster.
func main() {
	keys, err := lines(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: os.Args[2:]})
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	results := make([]result, workers)
	var written sync.WaitGroup
	written.Add(workers)
	for i := range workers {
		var own []string
		for j := i; j < len(keys); j += workers {
			own = append(own, keys[j])
		}
		wg.Go(func() { results[i] = run(ctx, c, own, written.Done) })
	}
	written.Wait()
	fmt.Println("started")
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is all it says
	cancel()
	wg.Wait()
	var sum result
	for _, r := range results {
		sum.Ops, sum.Errors, sum.Wrong = sum.Ops+r.Ops, sum.Errors+r.Errors, sum.Wrong+r.Wrong
		sum.StallMs = max(sum.StallMs, r.StallMs)
		if sum.FirstBad == "" {
			sum.FirstBad = r.FirstBad
		}
	}
	raw, err := json.Marshal(sum)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(raw))
}

func lines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		all = append(all, s.Text())
	}
	return all, s.Err()
}

// run replaces and reads its keys, round after round. ctx ends it between
// operations.
func run(ctx context.Context, c *redis.ClusterClient, keys []string, written func()) (r result) {
	timed := func(key string, op func() error) {
		begin := time.Now()
		err := op()
		r.Ops++
		r.StallMs = max(r.StallMs, float64(time.Since(begin).Microseconds())/1000)
		if err != nil {
			r.Errors++
			if r.FirstBad == "" {
				r.FirstBad = key + ": " + err.Error()
			}
		}
	}
	acked := make(map[string]string)
	for round := 0; ; round++ {
		for _, key := range keys {
			if round > 0 && ctx.Err() != nil {
				return r
			}
			if want, ok := acked[key]; ok {
				timed(key, func() error {
					got, err := c.Get(context.Background(), key).Result()
					if err == redis.Nil || err == nil && got != want {
						r.Wrong++
						r.FirstBad = fmt.Sprintf("%s: %q, acknowledged was %q", key, got, want)
						return nil
					}
					return err
				})
			}
			value := strconv.Itoa(round)
			timed(key, func() error {
				err := c.Set(context.Background(), key, value, 0).Err()
				if err != nil {
					delete(acked, key) // one or the other
				} else {
					acked[key] = value
				}
				return err
			})
		}
		if round == 0 {
			written()
		}
	}
}
