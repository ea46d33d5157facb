package commands_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/resp/commands"
	"conclave/resp/server"
)

// redis starts a redis-server of its own for the test. ok is false, and what
// is left out is logged, on machines without one.
func redis(t *testing.T) (c *client, ok bool) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Logf("left out: the comparison with redis-server, which is not installed")
		return nil, false
	}
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--enable-debug-command", "yes")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			return &client{t: t, conn: conn, in: bufio.NewReader(conn)}, true
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server didn't start: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// sameReply are requests to which both servers must give the same bytes.
var sameReply = []string{
	"PING", "PING a", "PING a b", "ECHO a", "ECHO", "ECHO a b",
	"SELECT x", "SELECT 16", "SELECT -1", "SELECT 99999999999999999999", "SELECT 3", "SELECT 0",
	"AUTH", "AUTH a", "AUTH a b", "AUTH a b c", "AUTH default x",
	"HELLO 5", "HELLO x", "HELLO 2 foo", "HELLO 2 auth a", "HELLO 2 auth a b", "HELLO 2 setname", "HELLO 2 setname a~b",
	"RESET x", "RESET", "TIME x", "LOLWUT VERSION x", "ROLE", "ROLE x", "MODULE LIST", "MODULE", "MONITOR x",
	"CLIENT", "CLIENT NOSUCH", "CLIENT GETNAME", "CLIENT SETNAME a~b", "CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT SETNAME ''", "CLIENT GETNAME",
	"CLIENT ID x", "CLIENT GETREDIR", "CLIENT KILL", "CLIENT KILL a", "CLIENT KILL ID", "CLIENT KILL ID abc", "CLIENT KILL ID 0", "CLIENT KILL ID 99",
	"CLIENT KILL TYPE foo", "CLIENT KILL foo bar", "CLIENT KILL USER nosuch", "CLIENT KILL ID 99 SKIPME maybe", "CLIENT KILL ID 99 SKIPME", "CLIENT KILL TYPE normal SKIPME yes",
	"CLIENT KILL MAXAGE 5", "CLIENT KILL ADDR x LADDR y", "CLIENT LIST TYPE foo", "CLIENT LIST TYPE", "CLIENT LIST ID", "CLIENT LIST ID abc", "CLIENT LIST ID 99", "CLIENT LIST foo", "CLIENT LIST TYPE master",
	"CLIENT REPLY foo", "CLIENT REPLY ON", "CLIENT PAUSE abc", "CLIENT PAUSE -1", "CLIENT PAUSE 1 foo", "CLIENT PAUSE 1 write", "CLIENT UNPAUSE", "CLIENT UNPAUSE x",
	"CLIENT TRACKING", "CLIENT TRACKING foo", "CLIENT TRACKING on REDIRECT 999", "CLIENT TRACKING on REDIRECT abc", "CLIENT TRACKING on PREFIX a", "CLIENT TRACKING on BCAST OPTIN",
	"CLIENT TRACKING on OPTIN OPTOUT", "CLIENT TRACKING on FOO", "CLIENT CACHING yes", "CLIENT TRACKINGINFO", "CLIENT TRACKING on BCAST PREFIX foo PREFIX foobar", "CLIENT TRACKING on BCAST PREFIX a",
	"CLIENT TRACKING on BCAST PREFIX ab", "CLIENT TRACKING on BCAST PREFIX a", "CLIENT TRACKING on", "CLIENT TRACKING on BCAST OPTIN PREFIX z", "CLIENT CACHING yes", "CLIENT CACHING foo", "CLIENT TRACKINGINFO", "CLIENT GETREDIR",
	"CLIENT TRACKING off FOO", "CLIENT TRACKING off", "CLIENT TRACKING on OPTIN", "CLIENT TRACKING on OPTOUT", "CLIENT CACHING no", "CLIENT CACHING yes", "CLIENT TRACKINGINFO", "CLIENT GETREDIR", "CLIENT TRACKING on OPTIN NOLOOP",
	"CLIENT TRACKINGINFO", "CLIENT TRACKING on PREFIX a BCAST NOLOOP", "CLIENT TRACKING off", "CLIENT TRACKING on OPTOUT", "CLIENT CACHING no", "CLIENT TRACKINGINFO", "CLIENT TRACKING off", "CLIENT GETREDIR",
	"PUBLISH a", "PUBLISH a b", "SPUBLISH a b", "PUBLISH a b c", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "SUNSUBSCRIBE x",
	"PUBSUB", "PUBSUB FOO", "PUBSUB NUMSUB", "PUBSUB NUMSUB a b", "PUBSUB SHARDNUMSUB a", "PUBSUB NUMPAT", "PUBSUB CHANNELS", "PUBSUB CHANNELS a b", "PUBSUB SHARDCHANNELS a b", "PUBSUB NUMPAT x",
	"CLIENT UNBLOCK 99", "CLIENT UNBLOCK abc", "CLIENT UNBLOCK 99 foo", "CLIENT NO-EVICT", "CLIENT NO-EVICT foo", "CLIENT NO-EVICT on", "CLIENT NO-EVICT off",
	"CONFIG", "CONFIG NOSUCH", "CONFIG GET", "CONFIG GET nosuch", "CONFIG GET hz hz", "CONFIG SET", "CONFIG SET a", "CONFIG SET hz 10 maxmemory", "CONFIG SET nosuch 1", "CONFIG REWRITE", "CONFIG RESETSTAT", "CONFIG RESETSTAT x",
	"INFO nosuch",
	"SLOWLOG", "SLOWLOG NOSUCH", "SLOWLOG GET x", "SLOWLOG GET -2", "SLOWLOG GET 0", "SLOWLOG RESET", "SLOWLOG LEN", "SLOWLOG LEN x",
	"LATENCY", "LATENCY NOSUCH", "LATENCY LATEST", "LATENCY HISTORY", "LATENCY HISTORY foo", "LATENCY RESET", "LATENCY RESET foo", "LATENCY GRAPH foo", "LATENCY GRAPH", "LATENCY HISTOGRAM nosuch",
	"MEMORY", "MEMORY NOSUCH", "MEMORY USAGE", "MEMORY USAGE none", "MEMORY USAGE none SAMPLES", "MEMORY USAGE none SAMPLES x", "MEMORY USAGE none SAMPLES -1", "MEMORY USAGE none bar 1", "MEMORY PURGE", "MEMORY MALLOC-STATS x",
	"DEBUG", "DEBUG NOSUCH", "DEBUG SLEEP", "DEBUG SLEEP x", "DEBUG SLEEP 0", "DEBUG OBJECT none", "DEBUG DIGEST", "DEBUG DIGEST-VALUE none", "DEBUG DIGEST-VALUE",
	"DEBUG SET-ACTIVE-EXPIRE 1", "DEBUG ERROR foo", "DEBUG ERROR MYCODE~text", "DEBUG LOG hello", "DEBUG CHANGE-REPL-ID",
	"DEBUG PROTOCOL foo", "DEBUG PROTOCOL string", "DEBUG PROTOCOL integer", "DEBUG PROTOCOL double", "DEBUG PROTOCOL bignum", "DEBUG PROTOCOL null", "DEBUG PROTOCOL array",
	"DEBUG PROTOCOL set", "DEBUG PROTOCOL map", "DEBUG PROTOCOL attrib", "DEBUG PROTOCOL push", "DEBUG PROTOCOL verbatim", "DEBUG PROTOCOL true", "DEBUG PROTOCOL false",
	"SHUTDOWN foo", "SHUTDOWN ABORT", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT NOW",
}

// sameShape are requests whose replies must differ in values only.
var sameShape = []string{"HELLO", "HELLO 2", "TIME", "CLIENT ID", "CONFIG GET hz", "SLOWLOG RESET", "SLOWLOG GET 1", "MEMORY STATS", "LATENCY HISTOGRAM echo"}

// emptyStore has no keys.
type emptyStore struct{}

func (emptyStore) Usage(int, []byte, int, int64) (int64, bool) { return 0, false }
func (emptyStore) Object(int, []byte, int64) (string, bool)    { return "", false }
func (emptyStore) DigestValue(int, []byte, int64) (d [20]byte) { return d }
func (emptyStore) Digest(int64) (d [20]byte)                   { return d }
func (emptyStore) Populate(int, int64, string, int, int64)     {}
func (emptyStore) SetActiveExpire(bool)                        {}

func TestSameAsRedis(t *testing.T) {
	theirs, ok := redis(t)
	if !ok {
		return
	}
	n := start(t, func(c *server.Config, d *commands.Deps) {
		d.Directives, d.Store = newDirectives(), emptyStore{}
	})
	ours := dial(t, n.addr)
	for _, proto := range []string{"2", "3"} {
		theirs.do("HELLO " + proto)
		ours.do("HELLO " + proto)
		for _, request := range sameReply {
			// RESET and HELLO go back to RESP2; so does the rest, then.
			want, got := theirs.do(request), ours.do(request)
			if proto == "3" && (strings.HasPrefix(request, "RESET") || strings.HasPrefix(request, "HELLO 2")) {
				theirs.do("HELLO 3")
				ours.do("HELLO 3")
			}
			if request == "DEBUG PROTOCOL attrib" && proto == "3" {
				want, got = want+theirs.reply(), got+ours.reply()
			}
			if request == "DEBUG PROTOCOL push" && proto == "3" {
				want, got = want+theirs.reply(), got+ours.reply()
			}
			if got != want {
				t.Errorf("RESP%s: %s\n  ours %s\ntheirs %s", proto, request, got, want)
			}
		}
		for _, request := range sameShape {
			want, got := shape(theirs.do(request)), shape(ours.do(request))
			if got != want {
				t.Errorf("RESP%s: %s\n  ours %s\ntheirs %s", proto, request, got, want)
			}
		}
	}
}

var number = regexp.MustCompile(`-?\d+(\.\d+)*(e[+-]\d+)?`)

// shape is a reply without its numbers.
func shape(reply string) string { return number.ReplaceAllString(reply, "N") }

// TestInfoFieldsOfRedis: what Redis's INFO has and ours hasn't must stand here
// with the reason.
func TestInfoFieldsOfRedis(t *testing.T) {
	absent := map[string]string{
		"atomicvar_api": "of the C compiler", "gcc_version": "go_version instead",
		"total_reads_processed": "not counted: the front end changes", "total_writes_processed": "not counted: the front end changes",
		"reply_buffer_shrinks": "no such buffers", "reply_buffer_expands": "no such buffers",
		"allocator_rss_ratio": "Go's allocator has no such figure", "allocator_rss_bytes": "Go's allocator has no such figure",
		"rss_overhead_ratio": "Go's allocator has no such figure", "rss_overhead_bytes": "Go's allocator has no such figure",
	}
	theirs, ok := redis(t)
	if !ok {
		return
	}
	n := start(t, func(_ *server.Config, d *commands.Deps) { d.Directives = newDirectives() })
	have := map[string]bool{}
	for _, f := range infoFields(dial(t, n.addr).do("INFO")) {
		have[f] = true
	}
	for _, f := range infoFields(theirs.do("INFO")) {
		if !have[f] && absent[f] == "" {
			t.Errorf("INFO lacks %s", f)
		}
		delete(absent, f)
	}
	for f := range absent {
		t.Errorf("%s is said to be absent, but redis-server has no such field", f)
	}
}

func infoFields(text string) []string {
	var names []string
	for _, l := range strings.Split(text, "\r\n") {
		if name, _, ok := strings.Cut(l, ":"); ok && !strings.HasPrefix(name, "errorstat_") {
			names = append(names, name)
		}
	}
	return names
}

// TestCommandTableOfRedis: arity, flags, categories and tips of the commands
// are those that redis-server reports.
func TestCommandTableOfRedis(t *testing.T) {
	// Redis 7.2 added these tips; 7.0 may be the one to compare with.
	const tips = "[request_policy:all_nodes response_policy:all_succeeded]"
	newer := map[string]string{"config|resetstat": tips, "config|rewrite": tips}
	theirs, ok := redis(t)
	if !ok {
		return
	}
	n := start(t, func(_ *server.Config, d *commands.Deps) {
		d.Directives, d.Store = newDirectives(), emptyStore{}
	})
	ours := dial(t, n.addr)
	for _, name := range strings.Fields("ping echo quit reset select auth hello time lolwut client|id client|info client|list client|setname client|getname client|reply client|kill client|no-evict client|pause client|unpause client|unblock client|getredir client|help " +
		"config|get config|set config|resetstat config|rewrite config|help info slowlog|get slowlog|len slowlog|reset slowlog|help latency|latest latency|history latency|reset latency|graph latency|doctor latency|histogram latency|help " +
		"memory|usage memory|stats memory|doctor memory|purge memory|malloc-stats memory|help debug shutdown monitor role module|list module|help") {
		want, got := words(theirs.do("COMMAND INFO "+name)), words(ours.do("COMMAND INFO "+name))
		if tips, ok := newer[name]; ok {
			want = strings.Replace(want, "[] [] []", tips+" [] []", 1)
		}
		if got != want {
			t.Errorf("COMMAND INFO %s\n  ours %s\ntheirs %s", name, got, want)
		}
	}
}

// words puts the elements of sets, whose order is free, in order.
func words(reply string) string {
	return sets.ReplaceAllStringFunc(reply, func(set string) string {
		list := strings.Fields(strings.Trim(set, "[]"))
		slices.Sort(list)
		return "[" + strings.Join(list, " ") + "]"
	})
}

var sets = regexp.MustCompile(`\[[^\[\]]*\]`)
