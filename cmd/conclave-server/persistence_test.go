package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"conclave/cmd/internal/respclient"
)

var kills = flag.Int("kills", 4, "how often a server is killed under load, for each policy of appendfsync")

// running is a server that a test runs, ours or redis-server.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	port string
	c    *respclient.Client
}

// launch starts a server in a directory and waits until it has loaded its data.
func launch(t *testing.T, cmd *exec.Cmd, port string) *running {
	t.Helper()
	p := &running{t: t, cmd: cmd, port: port}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s: %.4000s", cmd.Args[0], out.String())
		}
	})
	eventually(t, "server ready", func() bool {
		select {
		case <-ended:
			t.Fatalf("the server ended: %s", out.String())
		default:
		}
		c, err := respclient.Dial(context.Background(), "127.0.0.1:"+port, 20*time.Second)
		if err != nil {
			return false
		}
		if r, err := c.Do("dbsize"); err != nil || r.Err() != nil {
			_ = c.Close()
			return false
		}
		p.c = c
		return true
	})
	t.Cleanup(func() { _ = p.c.Close() })
	return p
}

func (p *running) do(args ...string) respclient.Reply {
	p.t.Helper()
	r, err := p.c.Do(args...)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		p.t.Fatalf("%q: %v", args, err)
	}
	return r
}

// end stops the server with a signal and waits for it.
func (p *running) end(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "the server ends", func() bool { return !answers(p.port) })
	eventually(p.t, "the process ends", func() bool { return p.cmd.Process.Signal(syscall.Signal(0)) != nil })
}

// ours runs this server, which serves the files in a directory.
func ours(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	port := freePort(t)
	cmd := process(t, append([]string{"--port", port, "--bind", "127.0.0.1", "--enable-debug-command", "yes"}, args...)...)
	cmd.Dir = dir
	return launch(t, cmd, port)
}

// theirs is ours with redis-server; nil where there is none.
func theirs(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Log("left out: redis-server is not installed")
		return nil
	}
	port := freePort(t)
	cmd := exec.Command(path, append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--enable-debug-command", "yes"}, args...)...)
	return launch(t, cmd, port)
}

// fill writes keys of every type, small and large, with and without expiry, in
// two databases.
func (p *running) fill() {
	p.t.Helper()
	for db, n := range map[string]int{"0": 20, "3": 700} {
		p.do("select", db)
		for i := range n {
			text := fmt.Sprintf("%d-%s", i, strings.Repeat("ab", i%50))
			p.do("set", fmt.Sprintf("string:%d", i), text)
			p.do("rpush", "list", text)
			p.do("hset", "hash", text, text+text)
			p.do("sadd", "set", text)
			p.do("sadd", "numbers", strconv.Itoa(i*i*i))
			p.do("zadd", "zset", strconv.FormatFloat(float64(i)*1.37, 'g', -1, 64), text)
			p.do("xadd", "stream", fmt.Sprintf("%d-%d", 1000+i, i), "n", strconv.Itoa(i), "text", text)
		}
		for i := range 10 {
			small := strconv.Itoa(i)
			p.do("rpush", "short list", small, "x"+small)
			p.do("hset", "short hash", "f"+small, small)
			p.do("sadd", "short set", "m"+small)
			p.do("zadd", "short zset", small+".5", "m"+small)
		}
		p.do("zadd", "infinite", "inf", "a", "-inf", "b", "1e300", "d")
		p.do("rpush", "long elements", strings.Repeat("L", 20000), "short", "1")
		p.do("setrange", "bits", "100000", "x")
		p.do("pfadd", "hll", "a", "b", "c")
		p.do("geoadd", "geo", "13.361389", "38.115556", "Palermo")
		p.do("set", "integer", "-12345")
		p.do("set", "expiring", "soon", "px", "1000000000")
		p.do("rpush", "expiring list", "soon")
		p.do("pexpireat", "expiring list", "4102444800123")
		p.do("xgroup", "create", "stream", "readers", "0")
		p.do("xreadgroup", "group", "readers", "one", "count", "10", "streams", "stream", ">")
		p.do("xreadgroup", "group", "readers", "two", "count", "5", "streams", "stream", ">")
		p.do("xgroup", "create", "stream", "new", "$")
		p.do("xdel", "stream", "1000-0")
		p.do("xack", "stream", "readers", "1001-1")
		p.do("xadd", "gone", "1-1", "a", "b")
		p.do("xdel", "gone", "1-1")
		// Effects that depend on chance or on what is there.
		p.do("spop", "numbers", "3")
		p.do("spop", "set")
		p.do("incrbyfloat", "float", "1.25")
		p.do("hincrbyfloat", "short hash", "f1", "0.5")
		p.do("zpopmin", "short zset")
		p.do("lmove", "short list", "moved", "left", "right")
		p.do("getdel", "string:1")
		p.do("getex", "string:2", "ex", "100000")
		p.do("sort", "numbers", "store", "sorted")
	}
	p.do("select", "0")
	p.do("eval", "redis.call('set', KEYS[1], ARGV[1]) redis.call('expire', KEYS[1], 1000) return redis.call('incr', KEYS[2])", "2", "{x}1", "{x}2", "value")
	p.do("function", "load", "replace", "#!lua name=mylib\nredis.register_function('f', function(keys, args) return redis.call('incr', keys[1]) end)")
	p.do("fcall", "f", "1", "called")
}

// state is what two servers with the same data answer alike.
func (p *running) state() map[string]string {
	p.t.Helper()
	s := map[string]string{"digest": p.do("debug", "digest").Text, "functions": fmt.Sprint(p.do("function", "list", "withcode"))}
	for _, db := range []string{"0", "3"} {
		p.do("select", db)
		for _, k := range p.do("keys", "*").Elements {
			key := k.Text
			s[db+" "+key] = fmt.Sprint(p.do("debug", "digest-value", key), p.do("pexpiretime", key), p.do("type", key))
		}
	}
	p.do("select", "0")
	return s
}

func sameState(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for k := range want {
		if got[k] != want[k] {
			t.Errorf("%s: %s: got %q, want %q", what, k, got[k], want[k])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d keys, want %d", what, len(got), len(want))
	}
}

// accepts runs one of Redis's checkers.
func accepts(t *testing.T, tool string, args ...string) {
	t.Helper()
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %q: %v\n%s", tool, args, err, out)
	}
}

// Data go from redis-server to here and back, in both kinds of files.
func TestInterchangeWithRedis(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := theirs(t, dir, "--appendonly", "yes")
	if r == nil {
		return
	}
	r.fill()
	r.do("save")
	want := r.state()
	r.end(syscall.SIGTERM)

	// From their append-only file, and on.
	o := ours(t, dir, "--appendonly", "yes")
	sameState(t, "their append-only file", o.state(), want)
	o.do("set", "ours", "1")
	o.do("bgrewriteaof")
	eventually(t, "rewritten", func() bool {
		return strings.Contains(o.do("info", "persistence").Text, "aof_rewrite_in_progress:0")
	})
	o.do("rpush", "list", "more")
	o.do("spop", "set")
	want2 := o.state()
	o.end(syscall.SIGTERM)
	accepts(t, "redis-check-aof", filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest"))
	accepts(t, "redis-check-rdb", filepath.Join(dir, "dump.rdb"))
	r = theirs(t, dir, "--appendonly", "yes")
	sameState(t, "our append-only file", r.state(), want2)
	r.end(syscall.SIGKILL)

	// From our snapshot, and from theirs.
	r = theirs(t, dir, "--appendonly", "no")
	sameState(t, "our snapshot", r.state(), want2)
	r.do("flushall")
	r.fill()
	r.do("save")
	want = r.state()
	r.end(syscall.SIGKILL)
	o = ours(t, dir)
	sameState(t, "their snapshot", o.state(), want)
	o.do("debug", "reload")
	sameState(t, "reloaded", o.state(), want)
	o.end(syscall.SIGKILL)

	// What we write from the first command on, without a base of snapshots.
	dir = t.TempDir()
	o = ours(t, dir, "--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--aof-timestamp-enabled", "yes")
	o.fill()
	o.do("bgrewriteaof")
	eventually(t, "rewritten", func() bool {
		return strings.Contains(o.do("info", "persistence").Text, "aof_rewrite_in_progress:0")
	})
	o.do("lpop", "list")
	want = o.state()
	o.do("debug", "loadaof")
	sameState(t, "loaded again", o.state(), want)
	o.end(syscall.SIGTERM)
	accepts(t, "redis-check-aof", filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest"))
	r = theirs(t, dir, "--appendonly", "yes")
	sameState(t, "our commands", r.state(), want)
}

// writer is a client that writes numbers, each larger than the last, and knows
// which were acknowledged.
type writer struct {
	key   string
	sent  atomic.Int64
	acked atomic.Int64
	last  atomic.Int64 // Unix ms when acked was
}

// write writes until the server is gone.
func (w *writer) write(port string, r *rand.Rand) {
	c, err := respclient.Dial(context.Background(), "127.0.0.1:"+port, 20*time.Second)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		n := w.sent.Add(1)
		text := strconv.FormatInt(n, 10)
		var calls [][]string
		switch r.IntN(4) {
		case 0:
			calls = [][]string{{"multi"}, {"set", w.key, text}, {"hset", "h" + w.key, "f", text}, {"exec"}}
		case 1:
			calls = [][]string{{"set", w.key, text, "ex", "100000"}, {"del", "deleted" + w.key}}
		default:
			calls = [][]string{{"set", w.key, text}, {"set", "deleted" + w.key, "1"}}
		}
		for _, call := range calls {
			if reply, err := c.Do(call...); err != nil || reply.Err() != nil {
				return
			}
		}
		w.acked.Store(n)
	}
}

// A server that is killed at any moment, under a mixed load, has afterwards what
// its policy promises, and loads every time.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"always", "everysec", "no"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
			writers := make([]*writer, 8)
			for i := range writers {
				writers[i] = &writer{key: fmt.Sprintf("w%d", i)}
			}
			for round := range *kills + 1 {
				p := ours(t, dir, "--appendonly", "yes", "--appendfsync", policy, "--save", "",
					"--auto-aof-rewrite-min-size", "20kb", "--auto-aof-rewrite-percentage", "50")
				for _, w := range writers {
					w.check(t, p, policy, round)
				}
				if round == *kills {
					p.end(syscall.SIGKILL)
					break
				}
				var load sync.WaitGroup
				for i, w := range writers {
					rw := rand.New(rand.NewPCG(uint64(round), uint64(i)))
					load.Go(func() { w.write(p.port, rw) })
				}
				time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond) // the random moment
				p.end(syscall.SIGKILL)
				load.Wait()
			}
		})
	}
}

// check looks at what is left of what a client wrote.
func (w *writer) check(t *testing.T, p *running, policy string, round int) {
	t.Helper()
	n, _ := strconv.ParseInt(p.do("get", w.key).Text, 10, 64)
	sent, acked := w.sent.Load(), w.acked.Load()
	if n > sent {
		t.Errorf("round %d: %s is %d, %d was written last", round, w.key, n, sent)
	}
	// The page cache survives the process: little is lost with the others.
	if policy == "always" && n < acked {
		t.Errorf("round %d: %s is %d, %d was acknowledged", round, w.key, n, acked)
	}
	// What is there is whole: both keys of a transaction.
	if h := p.do("hget", "h"+w.key, "f").Text; h != "" {
		if m, _ := strconv.ParseInt(h, 10, 64); m > n {
			t.Errorf("round %d: half of a transaction: %d and %d", round, n, m)
		}
	}
	w.sent.Store(max(sent, n))
	w.acked.Store(n)
}

func TestSignalSaves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := ours(t, dir)
	p.do("set", "a", "1")
	p.end(syscall.SIGTERM)
	p = ours(t, dir)
	if got := p.do("get", "a").Text; got != "1" {
		t.Errorf("got %q", got)
	}
	// Where it can't save it stays.
	if err := os.Mkdir(filepath.Join(dir, "temp-dump.rdb"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.do("set", "a", "2")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r, err := p.c.Do("shutdown"); err != nil || r.Err() == nil || !strings.Contains(r.Err().Error(), "Errors trying to SHUTDOWN") {
		t.Errorf("SHUTDOWN: %v, %v", r, err)
	}
	eventually(t, "it goes on", func() bool {
		r, err := p.c.Do("set", "a", "3")
		return err == nil && r.Err() == nil || err == nil && strings.Contains(r.Err().Error(), "MISCONF")
	})
	if err := os.Remove(filepath.Join(dir, "temp-dump.rdb")); err != nil {
		t.Fatal(err)
	}
	want := p.do("get", "a").Text
	if _, err := p.c.Do("shutdown"); err == nil {
		t.Error("SHUTDOWN was answered")
	}
	eventually(t, "the server ends", func() bool { return !answers(p.port) })
	p = ours(t, dir)
	if got := p.do("get", "a").Text; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// While data are loaded clients are told to wait, and INFO says how far it is.
func TestLoading(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := ours(t, dir)
	for i := range 300 {
		p.do("set", fmt.Sprint("k", i), "v")
	}
	p.end(syscall.SIGTERM)
	port := freePort(t)
	cmd := process(t, "--port", port, "--bind", "127.0.0.1", "--key-load-delay", "10000")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "it listens", func() bool { return answers(port) })
	c, err := respclient.Dial(t.Context(), "127.0.0.1:"+port, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Do("get", "k1"); err != nil || r.Err() == nil || r.Err().Error() != "LOADING Redis is loading the dataset in memory" {
		t.Errorf("GET: %v, %v", r, err)
	}
	r, err := c.Do("info", "persistence")
	if err != nil || r.Err() != nil {
		t.Fatal(r, err)
	}
	lines := strings.Split(r.Text, "\r\n")
	for _, want := range []string{"loading:1", "async_loading:0"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no %s in %q", want, lines)
		}
	}
	if !strings.Contains(r.Text, "loading_loaded_perc:") || !strings.Contains(r.Text, "loading_eta_seconds:") {
		t.Errorf("no progress in %q", lines)
	}
	// A server that ends while it loads leaves the file alone.
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	p = ours(t, dir)
	if n := p.do("dbsize").Int; n != 300 {
		t.Errorf("%d keys", n)
	}
}

// Keys in slots that a node doesn't have are kept, shown to those who can move
// them, and not served.
func TestStrayKeysAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := ours(t, dir)
	p.do("set", "foo", "1") // slot 12182
	p.do("set", "bar", "2") // slot 5061
	p.end(syscall.SIGTERM)
	args := []string{"--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port", freePort(t), "--logfile", "log"}
	for round := range 2 {
		p = ours(t, dir, args...)
		if round == 0 {
			p.do("cluster", "addslotsrange", "0", "8191")
		}
		eventually(t, "its own slots are served", func() bool {
			r, err := p.c.Do("get", "bar")
			return err == nil && r.Text == "2"
		})
		if r, err := p.c.Do("get", "foo"); err != nil || r.Err() == nil || !strings.Contains(r.Err().Error(), "CLUSTERDOWN Hash slot not served") {
			t.Errorf("GET of a stray key: %v, %v", r, err)
		}
		if n := p.do("cluster", "countkeysinslot", "12182").Int; n != 1 {
			t.Errorf("%d keys in the slot", n)
		}
		if keys := p.do("cluster", "getkeysinslot", "12182", "10").Elements; len(keys) != 1 || keys[0].Text != "foo" {
			t.Errorf("keys in the slot: %v", keys)
		}
		p.end(syscall.SIGTERM)
	}
	p = ours(t, dir, args...)
	p.do("cluster", "addslotsrange", "8192", "16383")
	eventually(t, "it is served", func() bool {
		r, err := p.c.Do("get", "foo")
		return err == nil && r.Text == "1"
	})
}

// The nodes of a Redis Cluster, started anew with this server on their
// directories, are the same cluster with the same keys.
func TestClusterOfRedisIsTakenOver(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Log("left out: redis-server is not installed")
		return
	}
	const nodes, keys = 3, 200
	var dirs, ports, buses [nodes]string
	var them [nodes]*running
	for i := range nodes {
		dirs[i], ports[i], buses[i] = t.TempDir(), freePort(t), freePort(t)
		kind := "no"
		if i == 1 {
			kind = "yes" // one node has an append-only file
		}
		cmd := exec.Command("redis-server", "--port", ports[i], "--bind", "127.0.0.1", "--dir", dirs[i], "--cluster-enabled", "yes",
			"--cluster-port", buses[i], "--appendonly", kind)
		them[i] = launch(t, cmd, ports[i])
	}
	for i, p := range them {
		p.do("cluster", "addslotsrange", strconv.Itoa(i*16384/nodes), strconv.Itoa((i+1)*16384/nodes-1))
		p.do("cluster", "set-config-epoch", strconv.Itoa(i+1))
	}
	for i := 1; i < nodes; i++ {
		them[0].do("cluster", "meet", "127.0.0.1", ports[i], buses[i])
	}
	serves := func(p *running) bool {
		info := p.do("cluster", "info").Text
		return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
	}
	for _, p := range them {
		eventually(t, "the cluster serves", func() bool { return serves(p) })
	}
	// set and get find the node by trying.
	try := func(all [nodes]*running, args ...string) string {
		for _, p := range all {
			if r, err := p.c.Do(args...); err == nil && r.Err() == nil {
				return r.Text
			}
		}
		t.Fatalf("%q: nobody answers", args)
		return ""
	}
	for i := range keys {
		try(them, "set", fmt.Sprint("key", i), fmt.Sprint("value", i))
	}
	var ids [nodes]string
	for i, p := range them {
		ids[i] = p.do("cluster", "myid").Text
		p.end(syscall.SIGTERM)
	}
	var us [nodes]*running
	for i := range nodes {
		kind := "no"
		if i == 1 {
			kind = "yes"
		}
		cmd := process(t, "--port", ports[i], "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", buses[i], "--appendonly", kind)
		cmd.Dir = dirs[i]
		us[i] = launch(t, cmd, ports[i])
	}
	for i, p := range us {
		eventually(t, "the cluster serves", func() bool { return serves(p) })
		if got := p.do("cluster", "myid").Text; got != ids[i] {
			t.Errorf("node %d is %s, was %s", i, got, ids[i])
		}
	}
	for i := range keys {
		if got := try(us, "get", fmt.Sprint("key", i)); got != fmt.Sprint("value", i) {
			t.Errorf("key%d is %q", i, got)
		}
	}
}
