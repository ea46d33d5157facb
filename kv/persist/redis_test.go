package persist_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/kv/persist"
)

// redis is a connection to a redis-server that the test started.
type redis struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// startRedis runs a redis-server in a directory, which may hold files to load.
// It is nil where there is no redis-server.
func startRedis(t *testing.T, dir string, args ...string) *redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Logf("left out: redis-server is not installed")
		return nil
	}
	run, err := os.MkdirTemp("", "rdb") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(run, "s")
	var out bytes.Buffer
	cmd := exec.Command(path, append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--enable-debug-command", "yes"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(run)
		if t.Failed() {
			t.Logf("redis-server: %s", out.Bytes())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		r := &redis{t: t, conn: conn, in: bufio.NewReader(conn)}
		for {
			if e, ok := r.do("ping").(error); !ok || !strings.HasPrefix(e.Error(), "LOADING") {
				return r
			}
		}
	}
	t.Fatal("redis-server doesn't start")
	return nil
}

func (r *redis) do(args ...string) any {
	r.t.Helper()
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
	return r.reply()
}

// must is do for what mustn't fail.
func (r *redis) must(args ...string) any {
	r.t.Helper()
	v := r.do(args...)
	if err, ok := v.(error); ok {
		r.t.Fatalf("%.200q: %v", args, err)
	}
	return v
}

func (r *redis) reply() any {
	r.t.Helper()
	line, err := r.in.ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	rest := strings.TrimSuffix(line[1:], "\r\n")
	n, _ := strconv.Atoi(rest)
	switch line[0] {
	case '-':
		return errors.New(rest)
	case ':':
		return n
	case '$':
		if n < 0 {
			return nil
		}
		p := make([]byte, n+2)
		if _, err := io.ReadFull(r.in, p); err != nil {
			r.t.Fatal(err)
		}
		return string(p[:n])
	case '*':
		a := make([]any, max(n, 0))
		for i := range a {
			a[i] = r.reply()
		}
		return a
	}
	return rest
}

// fill writes keys of every type, small and large, with and without expiry, in
// two databases.
func (r *redis) fill() {
	r.t.Helper()
	r.must("debug", "quicklist-packed-threshold", "9000")
	for db, n := range map[string]int{"0": 40, "3": 1500} {
		r.must("select", db)
		for i, w := range words(n) {
			text := string(w)
			r.must("set", fmt.Sprintf("string:%d", i), text)
			r.must("rpush", "list", text)
			r.must("hset", "hash", text, strings.Repeat(text, 2))
			r.must("sadd", "set", text)
			r.must("sadd", "numbers", strconv.Itoa(i*i*i))
			r.must("zadd", "zset", strconv.FormatFloat(float64(i)*1.37, 'g', -1, 64), text)
			r.must("zadd", "tied", strconv.Itoa(i%3), text)
			r.must("xadd", "stream", fmt.Sprintf("%d-%d", 1000+i, i), "n", strconv.Itoa(i), "text", text)
			if i%7 == 0 {
				r.must("xadd", "stream", fmt.Sprintf("%d-%d", 1000+i, i+5000), "other", text)
			}
		}
		for i := range 20 {
			small := strconv.Itoa(i)
			r.must("rpush", "short list", small, "x"+small)
			r.must("hset", "short hash", "f"+small, small)
			r.must("sadd", "short set", "m"+small)
			r.must("zadd", "short zset", small+".5", "m"+small)
		}
		r.must("zadd", "infinite", "inf", "a", "-inf", "b", "-0", "c", "1e300", "d")
		r.must("rpush", "long elements", strings.Repeat("L", 20000), "short", strings.Repeat("M", 9500), "1")
		r.must("setrange", "bits", "100000", "x")
		r.must("set", "expiring", "soon", "px", "1000000000")
		r.must("rpush", "expiring list", "soon")
		r.must("pexpireat", "expiring list", "4102444800123")

		r.must("xgroup", "create", "stream", "readers", "0")
		r.must("xreadgroup", "group", "readers", "one", "count", "10", "streams", "stream", ">")
		r.must("xreadgroup", "group", "readers", "two", "count", "5", "streams", "stream", ">")
		r.must("xreadgroup", "group", "readers", "one", "count", "5", "streams", "stream", ">")
		r.must("xgroup", "createconsumer", "stream", "readers", "idle")
		r.must("xgroup", "create", "stream", "new", "$")
		first := r.must("xrange", "stream", "-", "+", "count", "2").([]any)
		r.must("xdel", "stream", first[1].([]any)[0].(string))
		r.must("xack", "stream", "readers", first[0].([]any)[0].(string))
		r.must("xadd", "gone", "1-1", "a", "b")
		r.must("xdel", "gone", "1-1")
	}
	r.must("function", "load", "#!lua name=mylib\nredis.register_function('f', function(keys, args) return 1 end)")
}

// state is everything that two servers with the same data answer alike.
func (r *redis) state() map[string]any {
	r.t.Helper()
	s := map[string]any{"digest": r.must("debug", "digest"), "functions": fmt.Sprint(r.must("function", "list", "withcode"))}
	for _, db := range []string{"0", "3"} {
		r.must("select", db)
		s["keys "+db] = r.must("dbsize")
		for _, k := range r.must("keys", "*").([]any) {
			key := k.(string)
			s[db+" "+key] = r.must("debug", "digest-value", key)
			s[db+" expiry "+key] = r.must("pexpiretime", key)
			if r.must("type", key) == "stream" {
				s[db+" info "+key] = withoutLayout(r.must("xinfo", "stream", key, "full", "count", "0"))
			}
		}
	}
	return s
}

// withoutLayout leaves out of XINFO what depends on how entries are packed.
func withoutLayout(info any) string {
	a := info.([]any)
	out := slices.Clone(a[:0])
	for i := 0; i+1 < len(a); i += 2 {
		if name := a[i]; name != "radix-tree-keys" && name != "radix-tree-nodes" {
			out = append(out, name, a[i+1])
		}
	}
	return fmt.Sprint(out)
}

func sameState(t *testing.T, got, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if g, w := fmt.Sprint(got[k]), fmt.Sprint(v); g != w {
			n := 0 // show where they differ
			for n < min(len(g), len(w)) && g[n] == w[n] {
				n++
			}
			n = max(n-100, 0)
			t.Errorf("%s: from %d on %.300q, want %.300q", k, n, g[min(n, len(g)):], w[min(n, len(w)):])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d facts, want %d", len(got), len(want))
	}
}

// rewrite reads a file and writes it again.
func rewrite(t *testing.T, file []byte, e persist.Encoding, checksum bool) []byte {
	t.Helper()
	var out bytes.Buffer
	w := persist.NewRDBWriter(&out, e, checksum)
	w.Info(persist.RDBInfo{ServerVersion: "7.2.4", Created: time.Unix(1700000000, 0), Replication: &persist.RDBReplication{ID: strings.Repeat("a", 40), Offset: 7}})
	r := persist.RDBReader{
		MaxString: maxString,
		Entry:     func(e persist.Entry) error { w.Entry(&e); return w.Err() },
		Function:  func(code []byte) error { w.Function(code); return nil },
		SizeHint:  w.Database,
	}
	sum, err := r.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if sum.Bytes != int64(len(file)) || len(sum.Rest) != 0 {
		t.Errorf("read %d of %d bytes, %d left", sum.Bytes, len(file), len(sum.Rest))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Bytes() != int64(out.Len()) {
		t.Errorf("says that it wrote %d bytes of %d", w.Bytes(), out.Len())
	}
	return out.Bytes()
}

// A file of redis-server, read and written here, is the same data to it.
func TestFilesOfRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		e    persist.Encoding
	}{
		{"as by default", nil, encodings()[0]},
		{"nothing packed", []string{
			"--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0", "--set-max-intset-entries", "0",
			"--list-max-listpack-size", "3", "--list-compress-depth", "1", "--stream-node-max-entries", "7",
			"--rdbcompression", "no", "--rdbchecksum", "no", "--maxmemory-policy", "allkeys-lfu",
		}, encodings()[2]},
		{"all packed", []string{
			"--hash-max-listpack-entries", "100000", "--zset-max-listpack-entries", "100000", "--hash-max-listpack-value", "100000",
			"--zset-max-listpack-value", "100000", "--set-max-intset-entries", "100000", "--list-max-listpack-size", "-5",
			"--stream-node-max-entries", "0", "--stream-node-max-bytes", "0", "--maxmemory-policy", "allkeys-lru",
		}, persist.Encoding{
			Version: persist.Version, Compress: true, ListMaxListpackSize: -5, HashMaxListpackEntries: 1e5, HashMaxListpackValue: 1e5,
			SetMaxIntsetEntries: 1e5, SortedSetMaxListpackEntries: 1e5, SortedSetMaxListpackValue: 1e5,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := startRedis(t, dir, tt.args...)
			if r == nil {
				return
			}
			r.fill()
			want := r.state()
			r.must("save")
			file, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			for _, checksum := range []bool{true, false} {
				dir := t.TempDir()
				path := filepath.Join(dir, "dump.rdb")
				ours := rewrite(t, file, tt.e, checksum)
				if err := os.WriteFile(path, ours, 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command("redis-check-rdb", path).CombinedOutput(); err != nil {
					t.Errorf("redis-check-rdb: %v: %s", err, out)
				}
				sameState(t, startRedis(t, dir, tt.args...).state(), want)
				t.Logf("redis-server's file has %d bytes, ours %d", len(file), len(ours))
			}
		})
	}
}

// Whether redis-server restores a payload, and what it makes of it.
func TestRedisAgrees(t *testing.T) {
	t.Parallel()
	r := startRedis(t, t.TempDir(), "--sanitize-dump-payload", "yes", "--set-max-intset-entries", "100")
	if r == nil {
		return
	}
	restored := func(payload []byte) (persist.Value, error) {
		if err, ok := r.do("restore", "k", "0", string(payload), "replace").(error); ok {
			return nil, err
		}
		return persist.ParseDump([]byte(r.must("dump", "k").(string)), maxString)
	}
	for name, v := range collections() {
		for i, e := range encodings() {
			if e.Version > persist.Version {
				continue
			}
			if got, err := restored(e.AppendDump(nil, v)); err != nil || !sameValue(got, v, persist.Version) {
				t.Errorf("%s, encoding %d: %v, %.300s", name, i, err, fmt.Sprint(normal(got, persist.Version)))
			}
		}
	}
	for _, o := range oldLayouts() {
		if got, err := restored(sign(o.bytes, 10)); err != nil || !sameValue(got, o.want, persist.Version) {
			t.Errorf("%s: %v, %.300s", o.name, err, fmt.Sprint(normal(got, persist.Version)))
		}
	}
	for _, o := range malformedStreams() {
		// Redis counts on the number of entries being right.
		if _, err := restored(sign(o.object, 10)); (err == nil) != o.ok && o.name != "entries that aren't there" {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	for name, object := range malformedCollections() {
		if object[0] == 20 {
			continue // not known to 7.0
		}
		if _, err := restored(sign(object, 10)); err == nil {
			t.Errorf("redis-server restores: %s", name)
		}
	}
}
