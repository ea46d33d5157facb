package commands_test

import (
	"strings"
	"testing"
	"time"

	"conclave/resp/command"
	"conclave/resp/commands"
	"conclave/resp/server"
)

// step is a request and its reply. A want that ends in "*" is a prefix.
type step struct{ send, want string }

func (c *client) steps(steps []step) {
	c.t.Helper()
	for _, s := range steps {
		got := c.do(s.send)
		if prefix, ok := strings.CutSuffix(s.want, "*"); ok && strings.HasPrefix(got, prefix) {
			continue
		}
		if got != s.want {
			c.t.Errorf("%s\n got %s\nwant %s", s.send, got, s.want)
		}
	}
}

func TestConnection(t *testing.T) {
	n := start(t, nil)
	dial(t, n.addr).steps([]step{
		{"PING", "+PONG"},
		{"ping hello", "hello"},
		{"PING a b", "-ERR wrong number of arguments for 'ping' command"},
		{"ECHO hi", "hi"},
		{"ECHO", "-ERR wrong number of arguments for 'echo' command"},
		{"SELECT 1", "+OK"},
		{"SELECT 15", "+OK"},
		{"SELECT 16", "-ERR DB index is out of range"},
		{"SELECT -1", "-ERR DB index is out of range"},
		{"SELECT x", "-ERR value is not an integer or out of range"},
		{"AUTH x", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"},
		{"AUTH default x", "+OK"},
		{"AUTH someone x", "-WRONGPASS invalid username-password pair or user is disabled."},
		{"AUTH a b c", "-ERR syntax error"},
		{"HELLO 4", "-NOPROTO unsupported protocol version"},
		{"HELLO x", "-ERR Protocol version is not an integer or out of range"},
		{"HELLO 3 WHAT", "-ERR Syntax error in HELLO option 'WHAT'"},
		{"HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'"},
		{"HELLO 3 SETNAME a~b", "-ERR Client names cannot contain spaces, newlines or special characters."},
		{"HELLO", "[server redis version 7.2.4 proto :2 id :1 mode standalone role master modules []]"},
		{"HELLO 3 SETNAME me", "%[server redis version 7.2.4 proto :3 id :1 mode standalone role master modules []]"},
		{"CLIENT GETNAME", "me"},
		{"RESET", "+RESET"},
		{"CLIENT GETNAME", "nil"},
		{"TIME x", "-ERR wrong number of arguments for 'time' command"},
		{"TIME", "[1*"},
		{"LOLWUT VERSION x", "-ERR value is not an integer or out of range"},
		{"ROLE", "[master :0 []]"},
		{"MODULE LIST", "[]"},
		{"REPLICAOF a 1", "-ERR unknown command 'REPLICAOF'*"},
		{"QUIT", "+OK"},
	})
}

func TestClusterMode(t *testing.T) {
	n := start(t, func(_ *server.Config, d *commands.Deps) {
		d.Cluster = true
		d.Replication = func() commands.Replication {
			return commands.Replication{Replica: true, SecondOffset: -1,
				Master: commands.MasterLink{Host: "10.0.0.1", Port: 7001, State: "connect", LastIO: -1}}
		}
	})
	dial(t, n.addr).steps([]step{
		{"SELECT 0", "+OK"},
		{"SELECT 1", "-ERR SELECT is not allowed in cluster mode"},
		{"HELLO 2", "[server redis version 7.2.4 proto :2 id :1 mode cluster role replica modules []]"},
		{"ROLE", "[slave 10.0.0.1 :7001 connect :0]"},
		{"REPLICAOF NO ONE", "-ERR REPLICAOF not allowed in cluster mode."},
		{"INFO replication", "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:7001\r\nmaster_link_status:down\r\n*"},
		{"INFO cluster", "# Cluster\r\ncluster_enabled:1\r\n"},
	})
}

// password is the authenticator of a server with requirepass.
type password string

func (p password) PasswordNeeded() bool { return true }

func (p password) Authenticate(user string, pw []byte) bool {
	return user == "default" && string(pw) == string(p)
}

func TestPassword(t *testing.T) {
	n := start(t, func(c *server.Config, _ *commands.Deps) { c.Auth = password("secret") })
	dial(t, n.addr).steps([]step{
		{"PING", "-NOAUTH Authentication required."},
		{"HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated*"},
		{"AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled."},
		{"HELLO 3 AUTH default wrong", "-WRONGPASS invalid username-password pair or user is disabled."},
		{"HELLO 3 AUTH default secret SETNAME x", "%[server redis*"},
		{"PING", "+PONG"},
		{"RESET", "+RESET"},
		{"PING", "-NOAUTH Authentication required."},
		{"AUTH secret", "+OK"},
		{"CLIENT GETNAME", "nil"},
		{"QUIT", "+OK"},
	})
}

func TestClient(t *testing.T) {
	n := start(t, nil)
	c := dial(t, n.addr)
	c.steps([]step{
		{"CLIENT ID", ":1"},
		{"CLIENT SETNAME a~b", "-ERR Client names cannot contain spaces, newlines or special characters."},
		{"CLIENT SETNAME me", "+OK"},
		{"CLIENT GETNAME", "me"},
		{"CLIENT SETINFO LIB-NAME redis-py", "+OK"},
		{"CLIENT SETINFO lib-ver 1.2.3", "+OK"},
		{"CLIENT SETINFO lib-ver 1~2", "-ERR lib-ver cannot contain spaces, newlines or special characters."},
		{"CLIENT SETINFO color red", "-ERR Unrecognized option 'color'"},
		{"CLIENT NO-EVICT on", "+OK"},
		{"CLIENT NO-TOUCH maybe", "-ERR syntax error"},
		{"CLIENT NO-TOUCH on", "+OK"},
		{"CLIENT GETREDIR", ":-1"},
		{"CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command"},
		{"CLIENT KILL 1.2.3.4:5", "-ERR No such client"},
		{"CLIENT KILL ID", "-ERR No such client"},
		{"CLIENT KILL ID abc", "-ERR client-id should be greater than 0"},
		{"CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'"},
		{"CLIENT KILL USER nosuch", "-ERR No such user 'nosuch'"},
		{"CLIENT KILL ID 1 SKIPME maybe", "-ERR syntax error"},
		{"CLIENT KILL ID 1 SKIPME", "-ERR syntax error"},
		{"CLIENT KILL ID 1 SKIPME yes", ":0"},
		{"CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'"},
		{"CLIENT LIST TYPE master", ""},
		{"CLIENT LIST ID x", "-ERR Invalid client ID"},
		{"CLIENT LIST ID", "-ERR syntax error"},
		{"CLIENT LIST ID 77", ""},
		{"CLIENT LIST ID 77 1", "id=1 addr=127.0.0.1:*"},
		{"CLIENT PAUSE x", "-ERR timeout is not an integer or out of range"},
		{"CLIENT PAUSE -1", "-ERR timeout is negative"},
		{"CLIENT PAUSE 1 never", "-ERR CLIENT PAUSE mode must be WRITE or ALL"},
		{"CLIENT PAUSE 60000 WRITE", "+OK"},
		{"CLIENT UNPAUSE", "+OK"},
		{"CLIENT UNBLOCK 1", ":0"},
		{"CLIENT UNBLOCK x", "-ERR value is not an integer or out of range"},
		{"CLIENT UNBLOCK 1 now", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"},
		{"CLIENT TRACKING foo", "-ERR syntax error"},
		{"CLIENT HELP", "[+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:*"},
	})

	// The line's fields are those of Redis 7.2, in its order.
	line := c.do("CLIENT INFO")
	var names, want []string
	for _, f := range strings.Fields(line) {
		name, _, _ := strings.Cut(f, "=")
		names = append(names, name)
	}
	want = strings.Fields("id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver")
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("fields of CLIENT INFO\n got %v\nwant %v", names, want)
	}
	for _, f := range []string{" name=me ", " flags=eT ", " cmd=client|info ", " user=default ", " resp=2 ", " lib-name=redis-py ", " lib-ver=1.2.3\n"} {
		if !strings.Contains(line, f) {
			t.Errorf("CLIENT INFO lacks %q: %s", f, line)
		}
	}
}

func TestClientKill(t *testing.T) {
	n := start(t, nil)
	killer := dial(t, n.addr)
	for _, form := range []func(victim *client) (request, reply string){
		func(v *client) (string, string) { return "CLIENT KILL " + v.conn.LocalAddr().String(), "+OK" },
		func(v *client) (string, string) { return "CLIENT KILL ADDR " + v.conn.LocalAddr().String(), ":1" },
		func(v *client) (string, string) { return "CLIENT KILL ID " + v.do("CLIENT ID")[1:], ":1" },
		func(*client) (string, string) { return "CLIENT KILL TYPE normal USER default SKIPME yes", ":1" },
		func(*client) (string, string) { return "CLIENT KILL LADDR " + n.addr, ":1" },
	} {
		victim := dial(t, n.addr)
		victim.do("PING")
		request, want := form(victim)
		if got := killer.do(request); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
		victim.closed()
	}

	// A client that kills itself still gets the reply.
	id := killer.do("CLIENT ID")[1:]
	if got := killer.do("CLIENT KILL ID " + id + " SKIPME no"); got != ":1" {
		t.Errorf("kill itself: %s", got)
	}
	killer.closed()
}

func TestClientReply(t *testing.T) {
	n := start(t, nil)
	c := dial(t, n.addr)
	c.send("CLIENT", "REPLY", "SKIP")
	c.send("ECHO", "skipped")
	c.send("CLIENT", "REPLY", "OFF")
	c.send("ECHO", "dropped")
	c.send("CLIENT", "REPLY", "ON")
	if got := c.reply(); got != "+OK" {
		t.Errorf("first reply: %s", got)
	}
	c.steps([]step{{"ECHO back", "back"}, {"CLIENT REPLY what", "-ERR syntax error"}})
}

func TestConfig(t *testing.T) {
	d := newDirectives()
	n := start(t, func(_ *server.Config, deps *commands.Deps) { deps.Directives = d })
	c := dial(t, n.addr)
	c.steps([]step{
		{"CONFIG GET port", "[port 7000]"},
		{"CONFIG GET port PORT m*", "[port 7000 maxclients 10000 maxmemory 0]"},
		{"CONFIG GET nosuch", "[]"},
		{"CONFIG GET", "-ERR wrong number of arguments for 'config|get' command"},
		{"CONFIG SET a", "-ERR wrong number of arguments for 'config|set' command"},
		{"CONFIG SET hz 20 port", "-ERR syntax error"},
		{"CONFIG SET nosuch 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"},
		{"CONFIG SET hz 20 maxmemory 100", "+OK"},
		{"CONFIG GET hz maxmemory", "[hz 20 maxmemory 100]"},
		{"CONFIG REWRITE", "-ERR The server is running without a config file"},
		{"CONFIG RESETSTAT", "+OK"},
		{"CONFIG FROB", "-ERR unknown subcommand 'FROB'. Try CONFIG HELP."},
		{"CONFIG HELP", "[+CONFIG <subcommand>*"},
		{"HELLO 3", "%[server redis*"},
		{"CONFIG GET port", "%[port 7000]"},
	})
	d.file = true
	c.steps([]step{{"CONFIG REWRITE", "+OK"}})
}

func TestWithoutHooks(t *testing.T) {
	n := start(t, nil)
	dial(t, n.addr).steps([]step{
		{"CONFIG GET port", "-ERR unknown command 'CONFIG', with args beginning with: 'GET' 'port' "},
		{"MEMORY USAGE k", "-ERR unknown subcommand 'USAGE'. Try MEMORY HELP."},
		{"DEBUG DIGEST", "-ERR unknown subcommand or wrong number of arguments for 'DIGEST'. Try DEBUG HELP."},
		{"INFO keyspace", "# Keyspace\r\n"},
	})
}

// store is a store with one key.
type store struct{ activeExpire chan bool }

func (s *store) Usage(db int, key []byte, samples int, _ int64) (int64, bool) {
	return int64(50 + samples), string(key) == "k"
}

func (s *store) Object(db int, key []byte, _ int64) (string, bool) {
	return "Value at:0x0 refcount:1 encoding:embstr serializedlength:3 lru:0 lru_seconds_idle:0", string(key) == "k"
}

func (s *store) DigestValue(db int, key []byte, _ int64) (d [20]byte) {
	if string(key) == "k" {
		d[0] = 0xab
	}
	return d
}

func (s *store) Digest(int64) (d [20]byte) { d[19] = 1; return d }

func (s *store) Populate(int, int64, string, int, int64) {}

func (s *store) SetActiveExpire(on bool) { s.activeExpire <- on }

func TestDebugAndMemory(t *testing.T) {
	st := &store{activeExpire: make(chan bool, 2)}
	n := start(t, func(_ *server.Config, d *commands.Deps) { d.Store = st })
	zero := strings.Repeat("0", 38)
	dial(t, n.addr).steps([]step{
		{"MEMORY USAGE k", ":55"},
		{"MEMORY USAGE k SAMPLES 0", ":50"},
		{"MEMORY USAGE none", "nil"},
		{"MEMORY USAGE k SAMPLES", "-ERR syntax error"},
		{"MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range"},
		{"MEMORY USAGE k SAMPLES -1", "-ERR syntax error"},
		{"MEMORY PURGE", "+OK"},
		{"MEMORY STATS", "[peak.allocated :*"},
		{"MEMORY DOCTOR", "This instance is empty*"},
		{"MEMORY MALLOC-STATS", "heap: *"},
		{"DEBUG DIGEST", "+00" + zero[2:] + "01"},
		{"DEBUG DIGEST-VALUE k none", "[+ab" + zero + " +00" + zero + "]"},
		{"DEBUG OBJECT none", "-ERR no such key"},
		{"DEBUG OBJECT k", "+Value at:0x0 refcount:1 encoding:embstr serializedlength:3 lru:0 lru_seconds_idle:0"},
		{"DEBUG SET-ACTIVE-EXPIRE 0", "+OK"},
		{"DEBUG SET-ACTIVE-EXPIRE 1", "+OK"},
		{"DEBUG SLEEP 0", "+OK"},
		{"DEBUG SLEEP", "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP."},
		{"DEBUG ERROR MYERR~said", "-MYERR said"},
		{"DEBUG LOG hello", "+OK"},
		{"DEBUG CHANGE-REPL-ID", "+OK"},
		{"DEBUG STRINGMATCH-LEN 3 a*", ":1"},
		{"DEBUG STRINGMATCH-LEN 3 b*", ":0"},
		{"DEBUG PROTOCOL map", "[:0 :0 :1 :1 :2 :0]"},
		{"DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command"},
		{"DEBUG PROTOCOL what", "-ERR Wrong protocol type name*"},
		{"HELLO 3", "%[server*"},
		{"DEBUG PROTOCOL map", "%[:0 #f :1 #t :2 #f]"},
		{"DEBUG PROTOCOL set", "~[:0 :1 :2]"},
		{"DEBUG PROTOCOL double", ",3.141"},
		{"DEBUG PROTOCOL verbatim", "=txt:This is a verbatim\nstring"},
		{"DEBUG PROTOCOL null", "nil"},
		{"DEBUG HELP", "[+DEBUG <subcommand>*"},
	})
	if off, on := <-st.activeExpire, <-st.activeExpire; off || !on {
		t.Errorf("SET-ACTIVE-EXPIRE 0, 1 gave %v, %v", off, on)
	}
}

func TestDebugNeedsPermission(t *testing.T) {
	n := start(t, func(c *server.Config, _ *commands.Deps) { c.AllowProtected = nil })
	if got := dial(t, n.addr).do("DEBUG SLEEP 0"); !strings.HasPrefix(got, "-ERR DEBUG command not allowed.") {
		t.Errorf("DEBUG without permission: %s", got)
	}
}

func TestShutdown(t *testing.T) {
	stopped := make(chan struct{})
	n := start(t, func(c *server.Config, _ *commands.Deps) { c.OnShutdown = func() { close(stopped) } })
	c := dial(t, n.addr)
	c.steps([]step{
		{"SHUTDOWN foo", "-ERR syntax error"},
		{"SHUTDOWN SAVE NOSAVE", "-ERR syntax error"},
		{"SHUTDOWN ABORT NOW", "-ERR syntax error"},
		{"SHUTDOWN ABORT", "-ERR No shutdown in progress."},
		{"SHUTDOWN SAVE", "-ERR Errors trying to SHUTDOWN. Check logs."},
	})
	c.send("SHUTDOWN", "NOSAVE")
	<-stopped
	if line, err := c.in.ReadString('\n'); err == nil {
		t.Errorf("SHUTDOWN replied %q", line)
	}
}

func TestMonitor(t *testing.T) {
	n := start(t, nil)
	m := dial(t, n.addr)
	if got := m.do("MONITOR"); got != "+OK" {
		t.Fatalf("MONITOR: %s", got)
	}
	c := dial(t, n.addr)
	c.do("ECHO hi")
	if got := m.reply(); !strings.HasSuffix(got, `"ECHO" "hi"`) {
		t.Errorf("monitor shows %s", got)
	}
	if got := c.do("CLIENT LIST TYPE replica"); !strings.Contains(got, " flags=O ") {
		t.Errorf("CLIENT LIST shows the monitor as %q", got)
	}
}

func TestSlowlog(t *testing.T) {
	limits := server.DefaultLimits()
	limits.SlowlogSlowerThan = 0
	n := start(t, func(c *server.Config, d *commands.Deps) {
		c.Limits = func() *server.Limits { return limits }
		d.Directives = newDirectives()
	})
	c := dial(t, n.addr)
	c.steps([]step{
		{"CLIENT SETNAME slow", "+OK"},
		{"SLOWLOG RESET", "+OK"},
		{"ECHO one", "one"},
		{"AUTH default secret", "+OK"},
		{"CONFIG SET RequirePass secret", "-ERR Unknown option*"},
		{"HELLO 2 AUTH default secret", "[server*"},
		{"SLOWLOG GET x", "-ERR count should be greater than or equal to -1"},
		{"SLOWLOG GET -2", "-ERR count should be greater than or equal to -1"},
		{"SLOWLOG GET 1 2", "-ERR wrong number of arguments for 'slowlog|get' command"},
		{"SLOWLOG GET 0", "[]"},
	})
	all := c.do("SLOWLOG GET -1")
	if !strings.Contains(all, "[ECHO one] "+c.conn.LocalAddr().String()+" slow]") {
		t.Errorf("SLOWLOG lacks ECHO with its client: %s", all)
	}
	if strings.Contains(all, "secret") || !strings.Contains(all, "(redacted)") {
		t.Errorf("SLOWLOG shows a password: %s", all)
	}
	if got := c.do("SLOWLOG LEN"); got == ":0" {
		t.Errorf("SLOWLOG LEN %s", got)
	}
}

func TestLatency(t *testing.T) {
	d := newDirectives()
	n := start(t, func(_ *server.Config, deps *commands.Deps) { deps.Directives = d })
	c := dial(t, n.addr)
	c.steps([]step{
		{"LATENCY LATEST", "[]"},
		{"LATENCY HISTORY none", "[]"},
		{"LATENCY RESET", ":0"},
		{"LATENCY GRAPH none", "-ERR No samples available for event 'none'"},
		{"LATENCY DOCTOR", "Latency monitoring is disabled.*"},
		{"LATENCY HISTOGRAM nosuch", "[]"},
		{"ECHO x", "x"},
		{"LATENCY HISTOGRAM echo", "[echo [calls :1 histogram_usec [:*"},
		{"CONFIG SET latency-monitor-threshold 1", "+OK"},
		{"LATENCY DOCTOR", "No latency spike was observed.\n"},
	})
}

func TestLatencyEvents(t *testing.T) {
	limits := server.DefaultLimits()
	limits.LatencyThreshold = 2 * time.Millisecond
	d := newDirectives()
	d.values["latency-monitor-threshold"] = "2"
	n := start(t, func(c *server.Config, deps *commands.Deps) {
		c.Limits = func() *server.Limits { return limits }
		deps.Directives = d
	})
	dial(t, n.addr).steps([]step{
		{"DEBUG SLEEP 0.003", "+OK"},
		{"LATENCY LATEST", "[[command :*"},
		{"LATENCY HISTORY command", "[[:*"},
		{"LATENCY GRAPH command", "command - high *"},
		{"LATENCY DOCTOR", "Latency spikes were observed:\n\n1. command: 1 latency spikes*"},
		{"LATENCY RESET nosuch command", ":1"},
		{"LATENCY LATEST", "[]"},
	})
}

// Commands about the server don't lose their rules inside a transaction.
func TestInTransaction(t *testing.T) {
	n := start(t, func(_ *server.Config, d *commands.Deps) { d.Store = emptyStore{} })
	dial(t, n.addr).steps([]step{
		{"MULTI", "+OK"},
		{"MONITOR", "+QUEUED"},
		{"DEBUG DIGEST", "+QUEUED"},
		{"MEMORY USAGE none", "+QUEUED"},
		{"INFO nosuch", "+QUEUED"},
		{"EXEC", "[-ERR MONITOR isn't allowed for DENY BLOCKING client +0000000000000000000000000000000000000000 nil ]"},
		{"MULTI", "+OK"},
		{"SHUTDOWN", "-ERR Command not allowed inside a transaction"},
		{"PING", "+QUEUED"},
		{"RESET", "+RESET"},
		{"EXEC", "-ERR EXEC without MULTI"},
		{"MULTI", "+OK"},
		{"QUIT", "+OK"},
	})
}

func TestInfo(t *testing.T) {
	d := newDirectives()
	n := start(t, func(_ *server.Config, deps *commands.Deps) {
		deps.Directives = d
		deps.Dataset = func() commands.Dataset { return commands.Dataset{Bytes: 1000, Keys: 3, Hits: 7, Dirty: 2} }
		deps.Sections = []command.InfoSection{
			{Name: "keyspace", Write: func(b []byte) []byte { return append(b, "db0:keys=3,expires=0,avg_ttl=0\r\n"...) }},
			{Name: "cluster", Write: func(b []byte) []byte { return append(b, "cluster_enabled:1\r\n"...) }},
			{Name: "raft", Write: func(b []byte) []byte { return append(b, "raft_term:1\r\n"...) }},
			{Name: "locks", Extra: true, Write: func(b []byte) []byte { return append(b, "lock_waits:0\r\n"...) }},
		}
	})
	c := dial(t, n.addr)
	c.do("NOSUCH")
	titles := func(text string) string {
		var found []string
		for _, l := range strings.Split(text, "\r\n") {
			if title, ok := strings.CutPrefix(l, "# "); ok {
				found = append(found, title)
			}
		}
		return strings.Join(found, " ")
	}
	const usual = "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Raft Keyspace"
	const all = "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Raft Locks Keyspace"
	for request, want := range map[string]string{
		"INFO": usual, "INFO default": usual, "INFO all": all, "INFO everything": all,
		"INFO keyspace SERVER": "Server Keyspace", "INFO nosuch": "", "INFO default commandstats": strings.Replace(usual, "Errorstats", "Commandstats Errorstats", 1),
	} {
		if got := titles(c.do(request)); got != want {
			t.Errorf("%s\n got %s\nwant %s", request, got, want)
		}
	}
	text := c.do("INFO everything")
	for _, line := range []string{
		"redis_version:7.2.4", "conclave_version:0.1.0", "redis_mode:standalone", "tcp_port:7000", "run_id:" + n.server.RunID(),
		"connected_clients:1", "maxclients:10000", "used_memory_dataset:1000", "maxmemory_policy:noeviction", "loading:0",
		"rdb_changes_since_last_save:2", "aof_enabled:0", "keyspace_hits:7", "total_connections_received:1", "role:master",
		"connected_slaves:0", "cluster_enabled:1", "db0:keys=3,expires=0,avg_ttl=0", "errorstat_ERR:count=1", "total_error_replies:1",
	} {
		if !strings.Contains(text, line+"\r\n") {
			t.Errorf("INFO lacks the line %q", line)
		}
	}
	if !strings.Contains(text, "\r\ncmdstat_info:calls=7,usec=") || !strings.Contains(text, "\r\nlatency_percentiles_usec_info:p50=") {
		t.Errorf("INFO lacks the figures of commands:\n%s", text)
	}
	// redis-cli takes the first place where this text stands.
	if strings.Count(text, "cluster_enabled") != 1 {
		t.Error("cluster_enabled stands in INFO more than once")
	}
	for _, l := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if l != "" && !strings.HasPrefix(l, "# ") && !strings.Contains(l, ":") {
			t.Errorf("INFO has a line without a colon: %q", l)
		}
	}
	c.do("HELLO 3")
	if got := c.do("INFO cluster"); got != "=txt:# Cluster\r\ncluster_enabled:1\r\n" {
		t.Errorf("INFO in RESP3: %q", got)
	}
}
