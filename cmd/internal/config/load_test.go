package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// load writes files into a directory, changes to it and loads args there.
func load(t *testing.T, files map[string]string, stdin string, args ...string) (*Store, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Load(args, strings.NewReader(stdin))
}

func TestLoadPrecedence(t *testing.T) {
	s, err := load(t, map[string]string{
		"a.conf": `
# comment
PORT 7001
  bind 127.0.0.1   -::1
timeout 5
timeout 6
requirepass "a b\x41\"\\\n"
masterauth 'it\'s'
client-output-buffer-limit normal 1 2 3
client-output-buffer-limit slave 1gb 1mb 7
include inc-*.conf
cluster-slave-no-failover yes
cluster-node-timeout 5000
cluster-seeds 10.0.0.1:17001 [::1]:17002
save ""
appendonly NO
unixsocketperm 700
hz 10
`,
		"inc-1.conf": "tcp-backlog 1\nloglevel debug\n",
		"inc-2.conf": "tcp-backlog 2\n",
	}, "maxclients 50\nmaxmemory 1kb\n", "a.conf", "--maxmemory", "2mb", "--loglevel warning", "--masteruser", "--odd", "-")
	// "--odd" begins a directive: masteruser has no value.
	if err == nil || !strings.Contains(err.Error(), "wrong number of arguments") {
		t.Fatalf("masteruser without a value: %v", err)
	}
	s, err = Load([]string{"a.conf", "--maxmemory", "2mb", "--loglevel warning", "-"}, strings.NewReader("maxclients 50\nmaxmemory 1kb\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := s.Current()
	wd, _ := os.Getwd()
	if s.File() != filepath.Join(wd, "a.conf") {
		t.Errorf("File = %s", s.File())
	}
	for _, x := range []struct {
		name      string
		got, want any
	}{
		{"port", c.Port, 7001},
		{"bind", c.Bind, []string{"127.0.0.1", "-::1"}},
		{"timeout", c.Timeout, 6 * time.Second},
		{"requirepass", c.RequirePass, "a bA\"\\\n"},
		{"masterauth", c.MasterAuth, "it's"},
		{"normal", c.ClientOutput.Normal, OutputLimit{1, 2, 3 * time.Second}},
		{"replica", c.ClientOutput.Replica, OutputLimit{1 << 30, 1 << 20, 7 * time.Second}},
		{"pubsub", c.ClientOutput.PubSub, Default().ClientOutput.PubSub},
		{"backlog", c.TCPBacklog, 2},
		{"loglevel", c.LogLevel, "warning"},
		{"no-failover", c.ClusterReplicaNoFailover, true},
		{"node-timeout", c.ClusterNodeTimeout, 5 * time.Second},
		{"seeds", c.ClusterSeeds, []string{"10.0.0.1:17001", "[::1]:17002"}},
		{"maxclients", c.MaxClients, int64(50)},
		{"maxmemory", c.MaxMemory, int64(2 << 20)},
		{"unixsocketperm", c.UnixSocketPerm, uint32(0o700)},
		{"hz", c.Hz, 10},
		{"dir", c.Dir, wd},
	} {
		if !reflect.DeepEqual(x.got, x.want) {
			t.Errorf("%s = %v, want %v", x.name, x.got, x.want)
		}
	}
}

func TestDefaultsAreRedisDefaults(t *testing.T) {
	// CONFIG GET of redis-server 7.0.15 without a file.
	redis := map[string]string{
		"port": "6379", "bind": "* -::*", "protected-mode": "yes", "tcp-backlog": "511", "timeout": "0", "tcp-keepalive": "300",
		"maxclients": "10000", "proto-max-bulk-len": "536870912", "client-query-buffer-limit": "1073741824",
		"client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
		"loglevel":                   "notice", "databases": "16", "hz": "10", "enable-debug-command": "no", "unixsocketperm": "0",
		"maxmemory": "0", "maxmemory-policy": "noeviction", "maxmemory-samples": "5", "lfu-log-factor": "10", "lfu-decay-time": "1",
		"hll-sparse-max-bytes": "3000", "active-expire-effort": "1", "lazyfree-lazy-user-flush": "no", "slowlog-log-slower-than": "10000", "slowlog-max-len": "128",
		"hash-max-listpack-entries": "512", "hash-max-ziplist-value": "64", "set-max-intset-entries": "512",
		"zset-max-ziplist-entries": "128", "zset-max-listpack-value": "64", "list-max-ziplist-size": "-2", "list-compress-depth": "0",
		"stream-node-max-bytes": "4096", "stream-node-max-entries": "100",
		"latency-monitor-threshold": "0", "latency-tracking": "yes", "latency-tracking-info-percentiles": "50 99 99.9",
		"busy-reply-threshold": "5000", "lua-time-limit": "5000",
		"notify-keyspace-events": "", "tracking-table-max-keys": "1000000",
		"cluster-enabled": "no", "cluster-config-file": "nodes.conf", "cluster-node-timeout": "15000", "cluster-port": "0",
		"cluster-announce-ip": "", "cluster-announce-port": "0", "cluster-announce-tls-port": "0", "cluster-announce-bus-port": "0",
		"cluster-announce-hostname": "", "cluster-preferred-endpoint-type": "ip", "cluster-require-full-coverage": "yes",
		"cluster-allow-reads-when-down": "no", "cluster-allow-pubsubshard-when-down": "yes", "cluster-allow-replica-migration": "yes",
		"cluster-migration-barrier": "1", "cluster-replica-validity-factor": "10", "cluster-slave-validity-factor": "10",
		"cluster-replica-no-failover": "no", "cluster-slave-no-failover": "no", "cluster-link-sendbuf-limit": "0",
		"save": "3600 1 300 100 60 10000", "dbfilename": "dump.rdb", "rdbcompression": "yes", "rdbchecksum": "yes",
		"rdb-save-incremental-fsync": "yes", "stop-writes-on-bgsave-error": "yes", "appendonly": "no", "appendfilename": "appendonly.aof",
		"appenddirname": "appendonlydir", "appendfsync": "everysec", "no-appendfsync-on-rewrite": "no", "auto-aof-rewrite-percentage": "100",
		"auto-aof-rewrite-min-size": "67108864", "aof-rewrite-incremental-fsync": "yes", "aof-load-truncated": "yes",
		"aof-use-rdb-preamble": "yes", "aof-timestamp-enabled": "no",
		"tls-port": "0", "tls-auth-clients": "yes", "tls-session-cache-size": "20480", "tls-session-cache-timeout": "300", "tls-session-caching": "yes",
		"tls-prefer-server-ciphers": "no", "tls-protocols": "", "tls-cluster": "no", "tls-replication": "no", "io-threads-do-reads": "no", "min-slaves-to-write": "0", "supervised": "no",
	}
	s := New(Default())
	for name, want := range redis {
		if got := s.Match(name); len(got) != 1 || got[0] != (Pair{name, want}) {
			t.Errorf("%s: got %v, want %q", name, got, want)
		}
	}
}

func TestFileErrors(t *testing.T) {
	for _, x := range []struct{ line, want string }{
		{"nosuch 1", "Bad directive or wrong number of arguments"},
		{"maxclients", "wrong number of arguments"},
		{"maxclients 1 2", "wrong number of arguments"},
		{"maxclients a", "argument couldn't be parsed into an integer"},
		{"maxclients 010", "argument couldn't be parsed into an integer"},
		{"maxclients 0", "argument must be between 1 and 4294967295 inclusive"},
		{"port 99999", "argument must be between 0 and 65535 inclusive"},
		{`loglevel "foo`, "Unbalanced quotes in configuration line"},
		{`loglevel "foo"bar`, "Unbalanced quotes in configuration line"},
		{"loglevel foo", "argument(s) must be one of the following: debug, verbose, notice, warning"},
		{"cluster-enabled maybe", "argument must be 'yes' or 'no'"},
		{"maxmemory -5", "argument must be a memory value"},
		{"maxmemory 99999999999g", "argument must be a memory value"},
		{"client-output-buffer-limit foo 1 2 3", "Invalid client class specified in buffer limit configuration."},
		{"client-output-buffer-limit normal 1 2", "Wrong number of arguments in buffer limit configuration."},
		{"client-output-buffer-limit normal 1 2 x", "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
		{"unixsocketperm 9", "argument couldn't be parsed as an octal number"},
		{"cluster-announce-hostname a_b", "Hostnames may only contain alphanumeric characters, hyphens or dots"},
		{"cluster-announce-ip 'a b'", "addresses may only contain"},
		{"cluster-config-file ../x", "argument must be a file name, not a path"},
		{"cluster-seeds 10.0.0.1", "seed '10.0.0.1' is not host:bus-port"},
		{"cluster-raft-voters 4", "argument must be odd"},
		{"tls-auth-clients maybe", "argument(s) must be one of the following: no, yes, optional"},
		{"hz 100", `only "10" is possible: another rhythm of background work is not available`},
		{"save 60", "Invalid save parameters"},
		{"save 0 1", "Invalid save parameters"},
		{"save 60 x", "Invalid save parameters"},
		{"appendfilename a/b", "argument must be a file name, not a path"},
		{"locale-collate C", "Directive 'locale-collate' isn't available in this version of Conclave: it has no support for"},
		{"include /nonexistent.conf", "can't open config file '/nonexistent.conf': no such file or directory"},
		{"include", "wrong number of arguments"},
		{"include a.conf", "more than 16 levels of include"},
	} {
		t.Run(x.line, func(t *testing.T) {
			_, err := load(t, map[string]string{"a.conf": "\n" + x.line + "\n"}, "", "a.conf")
			var at *FileError
			if !errors.As(err, &at) {
				t.Fatalf("got %v", err)
			}
			if at.Source != "a.conf" || at.Line != 2 || at.Text != x.line || !strings.Contains(at.Err.Error(), x.want) {
				t.Errorf("got %s", at)
			}
		})
	}
}

func TestFileErrorText(t *testing.T) {
	_, err := load(t, map[string]string{"a.conf": "include b.conf", "b.conf": "port 1\nnosuch 1"}, "", "a.conf")
	want := "\n*** FATAL CONFIG FILE ERROR (Conclave 0.1.0) ***\nReading the configuration file, at line 2 of b.conf\n>>> 'nosuch 1'\nBad directive or wrong number of arguments"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	_, err = Load([]string{"--maxclients", "abc"}, nil)
	want = "\n*** FATAL CONFIG FILE ERROR (Conclave 0.1.0) ***\nReading the command line\n>>> '--maxclients abc'\nargument couldn't be parsed into an integer"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestIncludesAreBounded(t *testing.T) {
	// Sixteen levels of two includes each would be 65,536 files.
	if _, err := load(t, map[string]string{"a.conf": "include a*.conf\ninclude a*.conf"}, "", "a.conf"); err == nil {
		t.Error("a file that includes itself was accepted")
	}
}

func TestSettle(t *testing.T) {
	for _, x := range []struct {
		name string
		args []string
		want string
	}{
		{"bus port too high", []string{"--cluster-enabled", "yes", "--port", "60000"}, "port number too high for cluster mode"},
		{"bus port is the port", []string{"--cluster-enabled", "yes", "--port", "700", "--cluster-port", "700"}, "port and cluster-port"},
		{"no port", []string{"--cluster-enabled", "yes", "--port", "0"}, "needs a port"},
		{"dir missing", []string{"--dir", "/nonexistent"}, "Can't use dir '/nonexistent': no such file or directory"},
		{"dir is a file", []string{"--dir", "/etc/passwd"}, "not a directory"},
		{"not an option", []string{"--port", "1", "--"}, "'--'"},
	} {
		if _, err := Load(x.args, nil); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	s, err := Load([]string{"--cluster-enabled", "yes", "--databases", "8"}, nil)
	if err != nil || s.Current().Databases != 1 {
		t.Errorf("databases in cluster mode: %v, %v", s, err)
	}
	if got := s.Current().BusPort(); got != 16379 {
		t.Errorf("BusPort = %d", got)
	}
}

// Each directive that redis-server 7 writes into its own file is accepted here
// or refused by name: never taken for a spelling mistake.
func TestRedisDirectivesAreKnown(t *testing.T) {
	b, err := os.ReadFile("testdata/redis-7.0.15-directives.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := newTable()
	for name := range strings.FieldsSeq(string(b)) {
		_, here := table.lookup(name)
		_, known := absent(name)
		if here == known {
			t.Errorf("%s: here %v, absent %v", name, here, known)
		}
	}
}

func TestTableIsSound(t *testing.T) {
	table := newTable()
	if n := len(slices.Compact(slices.Clone(table.names))); n != len(table.names) || n != len(table.rows) {
		t.Error("a name is used twice")
	}
	c := Default()
	for _, g := range table.groups {
		for _, d := range g.rows {
			if d.doc == "" || !strings.HasSuffix(d.doc, ".") || d.name != strings.ToLower(d.name) {
				t.Errorf("%s: documentation or name", d.name)
			}
			// What CONFIG GET prints, CONFIG SET reads.
			value := d.value.format(c)
			args := []string{value}
			if d.value.many {
				args = strings.Fields(value)
			}
			if err := d.apply(c, args); err != nil && value != "" {
				t.Errorf("%s: own default %q refused: %v", d.name, value, err)
			}
		}
	}
	if c = c.clone(); !reflect.DeepEqual(c, Default()) {
		t.Errorf("setting every default changed the configuration: %+v", c)
	}
}
