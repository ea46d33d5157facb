package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/cmd/internal/respclient"
)

// syncing are the directives of servers whose replication is tested.
var syncing = []string{"--repl-diskless-sync-delay", "0", "--save", "", "--repl-ping-replica-period", "1"}

// info is a field of a section of INFO.
func (p *running) info(section, field string) string {
	p.t.Helper()
	for line := range strings.SplitSeq(p.do("info", section).Text, "\r\n") {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return v
		}
	}
	return ""
}

// follow makes the server a replica of another and waits for the data.
func (p *running) follow(primary *running) {
	p.t.Helper()
	p.do("replicaof", "127.0.0.1", primary.port)
	p.linked()
}

func (p *running) linked() {
	p.t.Helper()
	eventually(p.t, "the link is up", func() bool { return p.info("replication", "master_link_status") == "up" })
}

// caughtUp waits until the replica has everything, and compares the two.
func (p *running) caughtUp(primary *running) {
	p.t.Helper()
	eventually(p.t, "the replica has everything", func() bool {
		at := primary.info("replication", "master_repl_offset")
		return at == p.info("replication", "master_repl_offset") && primary.do("debug", "digest").Text == p.do("debug", "digest").Text
	})
	// Keys with short lives may end in between.
	var got, want map[string]string
	for range 20 {
		if got, want = p.state(), primary.state(); maps.Equal(got, want) {
			return
		}
	}
	sameState(p.t, "replica", got, want)
}

// churn runs random commands of every type, some in transactions and scripts.
func churn(t *testing.T, port string, r *rand.Rand, n int) {
	t.Helper()
	c, err := respclient.Dial(context.Background(), "127.0.0.1:"+port, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	num := func(n int) string { return strconv.Itoa(r.IntN(n)) }
	calls := []func() []string{
		func() []string { return []string{"set", "s" + num(50), strings.Repeat("v", r.IntN(300))} },
		func() []string { return []string{"set", "s" + num(50), num(1000), "px", strconv.Itoa(1 + r.IntN(200))} },
		func() []string { return []string{"setex", "s" + num(50), "1000", "later"} },
		func() []string { return []string{"incrbyfloat", "f" + num(5), "0.1"} },
		func() []string { return []string{"getex", "s" + num(50), "ex", "500"} },
		func() []string { return []string{"expire", "l" + num(9), num(1000)} },
		func() []string { return []string{"append", "s" + num(50), "more"} },
		func() []string { return []string{"rpush", "l" + num(9), num(100), "b", "c"} },
		func() []string { return []string{"lpop", "l" + num(9), num(4)} },
		func() []string { return []string{"lmove", "l" + num(9), "l" + num(9), "left", "right"} },
		func() []string { return []string{"blpop", "l" + num(9), "l" + num(9), "0.001"} },
		func() []string { return []string{"hset", "h" + num(9), "f" + num(900), num(100)} },
		func() []string { return []string{"hincrby", "h" + num(9), "f" + num(9), "3"} },
		func() []string { return []string{"hdel", "h" + num(9), "f" + num(900)} },
		func() []string { return []string{"sadd", "m" + num(9), num(1000), num(1000), "x" + num(100)} },
		func() []string { return []string{"spop", "m" + num(9), num(3)} },
		func() []string { return []string{"sunionstore", "m" + num(9), "m" + num(9), "m" + num(9)} },
		func() []string { return []string{"zadd", "z" + num(9), num(1000), "e" + num(400)} },
		func() []string { return []string{"zpopmax", "z" + num(9)} },
		func() []string { return []string{"zrangestore", "z" + num(9), "z" + num(9), "0", "20"} },
		func() []string { return []string{"xadd", "x" + num(4), "maxlen", "~", "200", "*", "f", num(100)} },
		func() []string { return []string{"xgroup", "create", "x" + num(4), "g", "0", "mkstream"} },
		func() []string {
			return []string{"xreadgroup", "group", "g", "c" + num(3), "count", "3", "streams", "x" + num(4), ">"}
		},
		func() []string {
			return []string{"xautoclaim", "x" + num(4), "g", "c" + num(3), "0", "0", "count", "5"}
		},
		func() []string { return []string{"setbit", "b" + num(3), num(5000), "1"} },
		func() []string { return []string{"pfadd", "p" + num(3), num(10000)} },
		func() []string { return []string{"geoadd", "g" + num(3), "13.3", "38." + num(9), num(20)} },
		func() []string { return []string{"copy", "s" + num(50), "s" + num(50), "replace"} },
		func() []string { return []string{"rename", "h" + num(9), "h" + num(9)} },
		func() []string { return []string{"del", "z" + num(9), "l" + num(9)} },
		func() []string {
			return []string{"eval", "redis.call('incr', KEYS[1]) redis.call('rpush', KEYS[2], redis.call('time')[1]) return redis.call('spop', KEYS[3])", "3", "n", "t", "m" + num(9)}
		},
		func() []string { return []string{"select", num(3)} },
		func() []string { return []string{"publish", "channel", "message"} },
		func() []string { return []string{"move", "s" + num(50), num(3)} },
	}
	for i := range n {
		multi := i%20 == 0
		if multi {
			mustReply(t, c, "multi")
		}
		for range 1 + r.IntN(4) {
			// Many of them are errors, of the wrong type or for want of a group.
			mustReply(t, c, calls[r.IntN(len(calls))]()...)
		}
		if multi {
			mustReply(t, c, "exec")
		}
	}
}

func mustReply(t *testing.T, c *respclient.Client, args ...string) {
	t.Helper()
	if _, err := c.Do(args...); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
}

// TestReplication has each of this server and redis-server be the other's primary
// and replica, and goes on after broken links.
func TestReplication(t *testing.T) {
	type start func(*testing.T, string, ...string) *running
	for _, x := range []struct {
		name             string
		primary, replica start
		args             []string
	}{
		{"redis-server is the replica", ours, theirs, nil},
		{"redis-server is the primary", theirs, ours, nil},
		{"both are ours", ours, ours, []string{"--repl-diskless-load", "on-empty-db"}},
		{"through files", ours, ours, []string{"--repl-diskless-sync", "no", "--appendonly", "yes"}},
		{"redis-server through files", theirs, ours, []string{"--repl-diskless-sync", "no"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			args := append(append([]string(nil), syncing...), x.args...)
			primary, replica := x.primary(t, t.TempDir(), args...), x.replica(t, t.TempDir(), args...)
			if primary == nil || replica == nil {
				return
			}
			r := rand.New(rand.NewPCG(1, 2))
			primary.fill()
			replica.do("set", "a key of its own", "which must go")
			done := make(chan struct{})
			go func() {
				defer close(done)
				churn(t, primary.port, rand.New(rand.NewPCG(3, 4)), 500)
			}()
			replica.follow(primary)
			<-done
			churn(t, primary.port, r, 300)
			replica.caughtUp(primary)
			for range 2 {
				primary.do("client", "kill", "type", "replica")
				churn(t, primary.port, r, 100)
				replica.linked()
				churn(t, primary.port, r, 100)
				replica.caughtUp(primary)
			}
			if full, partial := primary.info("stats", "sync_full"), primary.info("stats", "sync_partial_ok"); full != "1" || partial == "0" {
				t.Errorf("%s full and %s partial synchronisations, want 1 and some", full, partial)
			}
			if n := primary.do("wait", "1", "5000").Int; n != 1 {
				t.Errorf("WAIT = %d", n)
			}
		})
	}
}

// TestChainAndPromotion has a replica with a replica of its own, which then
// becomes a primary: whoever had the same primary goes on there.
func TestChainAndPromotion(t *testing.T) {
	first, second, third := ours(t, t.TempDir(), syncing...), ours(t, t.TempDir(), syncing...), theirs(t, t.TempDir(), syncing...)
	if third == nil {
		return
	}
	first.fill()
	second.follow(first)
	third.follow(second)
	r := rand.New(rand.NewPCG(5, 6))
	churn(t, first.port, r, 200)
	second.caughtUp(first)
	third.caughtUp(first)
	if a, b := first.info("replication", "master_replid"), third.info("replication", "master_replid"); a != b {
		t.Errorf("the history of the last has the id %s, want %s", b, a)
	}
	second.do("replicaof", "no", "one")
	churn(t, second.port, r, 50)
	first.follow(second)
	eventually(t, "the link of the last is up", func() bool { return third.info("replication", "master_link_status") == "up" })
	churn(t, second.port, r, 50)
	first.caughtUp(second)
	third.caughtUp(second)
	if full := second.info("stats", "sync_full"); full != "1" {
		t.Errorf("%s full synchronisations, want the first one only", full)
	}
}

// TestReplicaRefuses shows what a replica, and a primary without enough of them,
// doesn't do.
func TestReplicaRefuses(t *testing.T) {
	primary, replica := ours(t, t.TempDir(), syncing...), ours(t, t.TempDir(), syncing...)
	fails := func(p *running, want string, args ...string) {
		t.Helper()
		r, err := p.c.Do(args...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(r.Text, want) {
			t.Errorf("%q: %q, want %q", args, r.Text, want)
		}
	}
	primary.do("config", "set", "min-replicas-to-write", "1")
	fails(primary, "NOREPLICAS Not enough good replicas to write.", "set", "k", "v")
	replica.follow(primary)
	eventually(t, "the replica counts", func() bool {
		r, err := primary.c.Do("set", "k", "v")
		return err == nil && r.Err() == nil
	})
	replica.caughtUp(primary)
	fails(replica, "READONLY You can't write against a read only replica.", "set", "k", "v")
	fails(replica, "ERR WAIT cannot be used with replica instances.", "wait", "1", "1")
	fails(replica, "OK Already connected to specified master", "replicaof", "127.0.0.1", primary.port)
	fails(replica, "ERR Invalid master port", "replicaof", "127.0.0.1", "x")
	if got := fmt.Sprint(replica.do("role").Elements[0].Text, replica.do("role").Elements[3].Text); got != "slaveconnected" {
		t.Errorf("ROLE: %s", got)
	}

	// A key whose time has passed is hidden until the primary says that it is gone.
	primary.do("debug", "set-active-expire", "0")
	primary.do("set", "short", "v", "px", "1")
	primary.do("wait", "1", "5000")
	eventually(t, "the key is hidden", func() bool { return replica.do("exists", "short").Int == 0 })
	if n := replica.do("dbsize").Int; n != 2 {
		t.Errorf("%d keys on the replica, want two: it removes none by itself", n)
	}
	primary.do("get", "short")
	eventually(t, "the key is gone", func() bool { return replica.do("dbsize").Int == 1 })

	replica.do("config", "set", "replica-serve-stale-data", "no")
	if err := primary.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link is down", func() bool {
		r, err := replica.c.Do("get", "k")
		return err == nil && strings.HasPrefix(r.Text, "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
	})
	replica.do("replicaof", "no", "one")
	if v := replica.do("get", "k").Text; v != "v" {
		t.Errorf("after REPLICAOF NO ONE the key holds %q", v)
	}
	replica.do("set", "k", "w")
}

// TestBackupByRedisCLI takes a snapshot as operators do.
func TestBackupByRedisCLI(t *testing.T) {
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Log("left out: redis-cli is not installed")
		return
	}
	p := ours(t, t.TempDir(), syncing...)
	p.fill()
	file := t.TempDir() + "/backup.rdb"
	accepts(t, "redis-cli", "-p", p.port, "--rdb", file)
	accepts(t, "redis-check-rdb", file)
}
