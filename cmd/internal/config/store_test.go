package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"conclave/resp/commands"
)

var _ commands.Directives = (*Store)(nil)

func pairs(kv ...string) []Pair {
	var ps []Pair
	for i := 0; i < len(kv); i += 2 {
		ps = append(ps, Pair{kv[i], kv[i+1]})
	}
	return ps
}

func TestSetErrors(t *testing.T) {
	failed := func(name, text string) string {
		return "CONFIG SET failed (possibly related to argument '" + name + "') - " + text
	}
	// Texts of redis-server 7.0.15.
	for _, x := range []struct {
		set  []Pair
		want string
	}{
		{pairs("nosuch", "x"), "Unknown option or number of arguments for CONFIG SET - 'nosuch'"},
		{pairs("maxclients", "50", "NoSuch", "x"), "Unknown option or number of arguments for CONFIG SET - 'NoSuch'"},
		{pairs("maxclients", "abc"), failed("maxclients", "argument couldn't be parsed into an integer")},
		{pairs("maxclients", "0"), failed("maxclients", "argument must be between 1 and 4294967295 inclusive")},
		{pairs("maxclients", "50", "maxclients", "60"), failed("maxclients", "duplicate parameter")},
		{pairs("loglevel", "foo"), failed("loglevel", "argument(s) must be one of the following: debug, verbose, notice, warning")},
		{pairs("maxmemory", "foo"), failed("maxmemory", "argument must be a memory value")},
		{pairs("client-output-buffer-limit", "normal 1 2"), failed("client-output-buffer-limit", "Wrong number of arguments in buffer limit configuration.")},
		{pairs("cluster-enabled", "yes"), failed("cluster-enabled", "can't set immutable config")},
		{pairs("timeout", "5", "DAEMONIZE", "yes"), failed("daemonize", "can't set immutable config")},
		{pairs("dir", "/tmp"), failed("dir", "can't set protected config")},
		{pairs("timeout", "-1"), failed("timeout", "argument must be between 0 and 2147483647 inclusive")},
		{pairs("proto-max-bulk-len", "1"), failed("proto-max-bulk-len", "argument must be between 1048576 and 9223372036854775807 inclusive")},
		{pairs("slowlog-log-slower-than", "-5"), failed("slowlog-log-slower-than", "argument must be between -1 and 9223372036854775807 inclusive")},
		{pairs("cluster-require-full-coverage", "x"), failed("cluster-require-full-coverage", "argument must be 'yes' or 'no'")},
		{pairs("cluster-preferred-endpoint-type", "x"), failed("cluster-preferred-endpoint-type", "argument(s) must be one of the following: ip, hostname, unknown-endpoint")},
		{pairs("cluster-announce-hostname", "a b"), failed("cluster-announce-hostname", "Hostnames may only contain alphanumeric characters, hyphens or dots")},
		{pairs("cluster-announce-hostname", strings.Repeat("a", 256)), failed("cluster-announce-hostname", "Hostnames must be less than 256 characters")},
		{pairs("latency-tracking-info-percentiles", "50 101"), failed("latency-tracking-info-percentiles", "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")},
		{pairs("latency-tracking-info-percentiles", "50 abc"), failed("latency-tracking-info-percentiles", "Invalid latency-tracking-info-percentiles parameters")},
		{pairs("save", "60"), failed("save", "Invalid save parameters")},
	} {
		s := New(Default())
		before := s.Current()
		if err := s.Set(x.set); err == nil || err.Error() != x.want {
			t.Errorf("%v:\n got %v\nwant %s", x.set, err, x.want)
		}
		if s.Current() != before {
			t.Errorf("%v: changed something", x.set)
		}
	}
}

func TestSetAndMatch(t *testing.T) {
	s := New(Default())
	if err := s.Set(pairs("MaxMemory", "1g", "save", "", "client-output-buffer-limit", "slave 1mb 2mb 3 normal 1 2 4",
		"cluster-slave-validity-factor", "3", "requirepass", "a b", "loglevel", "DEBUG")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"maxmemory": "1000000000", "MAXMEMORY": "1000000000", "cluster-replica-validity-factor": "3", "requirepass": "a b", "loglevel": "debug",
		"client-output-buffer-limit": "normal 1 2 4 slave 1048576 2097152 3 pubsub 33554432 8388608 60",
	} {
		if got := s.Match(name); len(got) != 1 || got[0] != (Pair{name, want}) {
			t.Errorf("Match(%s) = %v", name, got)
		}
	}
	for pattern, want := range map[string]int{"maxmemory*": 5, "key-load-delay": 1, "key-load*": 0, "MAXMEMORY-S?mples": 1, "*validity*": 2, "nosuch": 0, "nosuch*": 0, "[": 0, "[a": 0, "max[^m]*": 1} {
		if got := s.Match(pattern); len(got) != want {
			t.Errorf("Match(%s) = %v", pattern, got)
		}
	}
	if n := len(s.Match("*")); n != len(s.table.names)-3 { // without those that are hidden
		t.Errorf("Match(*) has %d of %d", n, len(s.table.names))
	}
}

func TestHooksAgreeOrNothingChanges(t *testing.T) {
	s := New(Default())
	var calls []string
	record := func(name string) func(old, new *Config) error {
		return func(old, new *Config) error {
			calls = append(calls, fmt.Sprintf("%s %d>%d", name, old.MaxClients, new.MaxClients))
			return nil
		}
	}
	s.OnChange(record("first"), "maxclients", "timeout")
	s.OnChange(record("unconcerned"), "hz")
	s.OnChange(record("second"), "maxclients")
	s.OnChange(func(_, new *Config) error {
		if new.ClusterAnnouncePort == 7 {
			return errors.New("no leader")
		}
		return nil
	}, "cluster-announce-port", "cluster-announce-ip")

	if err := s.Set(pairs("maxclients", "5", "cluster-announce-ip", "1.2.3.4")); err != nil {
		t.Fatal(err)
	}
	err := s.Set(pairs("maxclients", "6", "cluster-announce-port", "7"))
	want := "CONFIG SET failed (possibly related to argument 'cluster-announce-port') - no leader"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if got := s.Current().MaxClients; got != 5 {
		t.Errorf("maxclients = %d", got)
	}
	if got, want := strings.Join(calls, ", "), "first 10000>5, second 10000>5, first 5>6, second 5>6, second 6>5, first 6>5"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestConcurrentSets(t *testing.T) {
	s := New(Default())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 100 {
				name := []string{"timeout", "slowlog-max-len", "maxclients", "cluster-migration-barrier"}[i%4]
				if err := s.Set(pairs(name, fmt.Sprint(n+1))); err != nil {
					t.Error(err)
				}
				_ = s.Match("*")
			}
		})
	}
	wg.Wait()
	c := s.Current()
	if c.SlowlogMaxLen != 100 || c.MaxClients != 100 || c.ClusterMigrationBarrier != 100 {
		t.Errorf("a change was lost: %d %d %d", c.SlowlogMaxLen, c.MaxClients, c.ClusterMigrationBarrier)
	}
}

func TestRewrite(t *testing.T) {
	s, err := load(t, map[string]string{
		"a.conf": `# a comment
port 7001
maxmemory 1gb
# second

bind 127.0.0.1
client-output-buffer-limit pubsub 1mb 2mb 3
timeout 5
timeout 6
cluster-slave-no-failover yes
loglevel debug
include b.conf
`,
		"b.conf": "maxclients 77\n",
	}, "", "a.conf", "--tcp-backlog", "33")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod("a.conf", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(pairs("maxmemory", "2000000000", "timeout", "0", "masterauth", "a b\"c\n", "maxclients", "88", "loglevel", "notice",
		"cluster-replica-no-failover", "no", "client-output-buffer-limit", "pubsub 1 1 1")); err != nil {
		t.Fatal(err)
	}
	want := `# a comment
port 7001
maxmemory 1953125kb
# second

bind 127.0.0.1
client-output-buffer-limit normal 0 0 0
timeout 0
cluster-replica-no-failover no
loglevel notice
include b.conf

# Generated by CONFIG REWRITE
tcp-backlog 33
maxclients 88
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 1 1 1
dir "` + s.Current().Dir + `"
masterauth "a b\"c\n"
`
	for range 2 { // a second time changes nothing
		if err := s.Rewrite(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("a.conf")
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Fatalf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	if info, _ := os.Stat("a.conf"); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: a file with passwords became readable", info.Mode())
	}
	if left, _ := os.ReadDir("."); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
	again, err := Load([]string{"a.conf"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Match("*") {
		if got := again.Match(p[0])[0]; got != p {
			t.Errorf("read again: %v, was %v", got, p)
		}
	}
	if err := New(Default()).Rewrite(); err == nil || err.Error() != "The server is running without a config file" {
		t.Errorf("without a file: %v", err)
	}
}

func TestLevels(t *testing.T) {
	for word, want := range map[string]slog.Level{"debug": -4, "verbose": -2, "notice": 0, "warning": 4} {
		s := New(Default())
		if err := s.Set(pairs("loglevel", word)); err != nil || s.Level().Level() != want {
			t.Errorf("%s: %v %v", word, s.Level().Level(), err)
		}
	}
}
