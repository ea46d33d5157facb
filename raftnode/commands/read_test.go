package commands_test

import (
	"strings"
	"testing"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode"
	"conclave/raftnode/commands"
	"conclave/resp"
)

func TestSlots(t *testing.T) {
	host := "host0.example"
	for _, c := range []struct {
		name, endpoint string
		proto          int
		hostname       bool
		tls            bool
		want           string
	}{
		{"ip", "ip", 2, false, false, "*1·*3·:0·:5460·*4·$9·127.0.0.1·:7001·$40·<a>·*0·"},
		{"ip, RESP3", "ip", 3, false, false, "*1·*3·:0·:5460·*4·$9·127.0.0.1·:7001·$40·<a>·%0·"},
		{"ip and hostname", "ip", 2, true, false, "*1·*3·:0·:5460·*4·$9·127.0.0.1·:7001·$40·<a>·*2·$8·hostname·$13·host0.example·"},
		{"ip and hostname, RESP3", "ip", 3, true, false, "*1·*3·:0·:5460·*4·$9·127.0.0.1·:7001·$40·<a>·%1·$8·hostname·$13·host0.example·"},
		{"hostname, none", "hostname", 2, false, false, "*1·*3·:0·:5460·*4·$1·?·:7001·$40·<a>·*2·$2·ip·$9·127.0.0.1·"},
		{"hostname", "hostname", 2, true, false, "*1·*3·:0·:5460·*4·$13·host0.example·:7001·$40·<a>·*2·$2·ip·$9·127.0.0.1·"},
		{"unknown", "unknown-endpoint", 2, true, false,
			"*1·*3·:0·:5460·*4·$-1·:7001·$40·<a>·*4·$2·ip·$9·127.0.0.1·$8·hostname·$13·host0.example·"},
		{"unknown, RESP3", "unknown-endpoint", 3, true, false,
			"*1·*3·:0·:5460·*4·_·:7001·$40·<a>·%2·$2·ip·$9·127.0.0.1·$8·hostname·$13·host0.example·"},
		{"TLS", "ip", 2, false, true, "*1·*3·:0·:5460·*4·$9·127.0.0.1·:7101·$40·<a>·*0·"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			n := w.add("a", rng(0, 5460))
			tlsPort := uint16(7101)
			w.must(&fsm.Update{ID: n.id, Attempt: 1, TLSPort: &tlsPort})
			if c.hostname {
				w.must(&fsm.Update{ID: n.id, Attempt: 1, Hostname: &host})
			}
			n.proto, n.endpoint, n.tls = c.proto, c.endpoint, c.tls
			for range 2 { // rendered, and remembered
				if got := n.do("cluster slots"); got != c.want {
					t.Fatalf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
}

func TestSlotsFollowTheView(t *testing.T) {
	w := newWorld(t)
	n := w.add("a")
	if got := n.do("cluster slots"); got != "*0·" {
		t.Fatal(got)
	}
	n.do("cluster addslots 3 1 2 7")
	w.add("b", rng(4, 6))
	want := "*3·*3·:1·:3·*4·$9·127.0.0.1·:7001·$40·<a>·*0·*3·:4·:6·*4·$9·127.0.0.1·:7002·$40·<b>·*0·*3·:7·:7·*4·$9·127.0.0.1·:7001·$40·<a>·*0·"
	if got := n.do("cluster slots"); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestReplicasShowOnceTheyHaveData(t *testing.T) {
	w := newWorld(t)
	n := w.add("a", rng(0, 9))
	r := w.add("b")
	w.must(&fsm.Replicate{Node: r.id, Attempt: 1, Primary: n.id})

	if got := n.do("cluster slots"); strings.Contains(got, "<b>") {
		t.Errorf("SLOTS shows a replica without data: %s", got)
	}
	if got := n.do("cluster shards"); !strings.Contains(got, "$4·role·$7·replica·$18·replication-offset·:0·$6·health·$7·loading·") {
		t.Errorf("SHARDS: %s", got)
	}
	w.health[r.id] = raftnode.Health{Connected: true, Offset: 42}
	if got, want := n.do("cluster slots"), "*1·*4·:0·:9·*4·$9·127.0.0.1·:7001·$40·<a>·*0·*4·$9·127.0.0.1·:7002·$40·<b>·*0·"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w.must(&fsm.SetFail{ID: r.id, Attempt: 1, Fail: true})
	if got := n.do("cluster slots"); strings.Contains(got, "<b>") {
		t.Errorf("SLOTS shows a failed replica: %s", got)
	}
	if got := n.do("cluster shards"); !strings.Contains(got, ":42·$6·health·$4·fail·") {
		t.Errorf("SHARDS: %s", got)
	}
}

func TestShards(t *testing.T) {
	w := newWorld(t)
	n := w.add("a", rng(5461, 10922), rng(20, 20))
	want := "*1·*4·$5·slots·*4·:20·:20·:5461·:10922·$5·nodes·*1·*14·$2·id·$40·<a>·$4·port·:7001·$2·ip·$9·127.0.0.1·$8·endpoint·$9·127.0.0.1·" +
		"$4·role·$6·master·$18·replication-offset·:0·$6·health·$6·online·"
	if got := n.do("cluster shards"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	n.proto = 3
	want = strings.NewReplacer("*4·$5·slots", "%2·$5·slots", "*14·", "%7·").Replace(want)
	if got := n.do("cluster shards"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	n.endpoint = "unknown-endpoint" // null in SLOTS, but not here
	if got := n.do("cluster shards"); !strings.Contains(got, "$8·endpoint·$0··") {
		t.Errorf("unknown endpoint: %s", got)
	}
	host, tlsPort := "h.example", uint16(7101)
	w.must(&fsm.Update{ID: n.id, Attempt: 1, Hostname: &host, TLSPort: &tlsPort})
	n.endpoint = "hostname"
	want = "%9·$2·id·$40·<a>·$4·port·:7001·$8·tls-port·:7101·$2·ip·$9·127.0.0.1·$8·endpoint·$9·h.example·$8·hostname·$9·h.example·"
	if got := n.do("cluster shards"); !strings.Contains(got, want) {
		t.Errorf("got %s\nwithout %s", got, want)
	}
}

func TestShardsWithoutSlots(t *testing.T) {
	w := newWorld(t)
	n := w.add("a")
	if got := n.do("cluster shards"); !strings.HasPrefix(got, "*1·*4·$5·slots·*0·$5·nodes·*1·*14·") {
		t.Error(got)
	}
}

func TestNodesAlone(t *testing.T) {
	w := newWorld(t)
	r := record("a")
	r.IP = ""
	w.must(&fsm.Found{ClusterID: "c", Node: r})
	n := w.node("a")
	if got, want := n.do("cluster nodes"), "$85·<a> :7001@17001 myself,master - 0 0 0 connected¬·"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	n.proto = 3
	if got, want := n.do("CLUSTER NODES"), "=89·txt:<a> :7001@17001 myself,master - 0 0 0 connected¬·"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// lines are those of CLUSTER NODES.
func lines(n *node) []string {
	_, text, _ := strings.Cut(n.do("cluster nodes"), "·")
	return strings.Split(strings.TrimSuffix(text, "¬·"), "¬")
}

func TestNodes(t *testing.T) {
	w := newWorld(t)
	a := w.add("a", rng(0, 5060), rng(5062, 5460), rng(9000, 9000))
	b, c := w.add("b"), w.add("c", rng(6000, 6000))
	w.add("d")
	host, yes := "host0.example", true
	w.must(&fsm.Update{ID: a.id, Attempt: 1, Hostname: &host})
	w.must(&fsm.Replicate{Node: b.id, Attempt: 1, Primary: a.id})
	w.must(&fsm.Update{ID: b.id, Attempt: 1, NoFailover: &yes})
	w.must(&fsm.BumpEpoch{Node: a.id})
	w.must(&fsm.SetFail{ID: c.id, Attempt: 1, Fail: true})
	w.health[c.id] = raftnode.Health{Suspect: true}
	w.health[id("d")] = raftnode.Health{Suspect: true, PongRecvMs: 77}
	w.must(&fsm.SetMigrating{Slot: 5060, Node: a.id, To: c.id})
	w.must(&fsm.SetImporting{Slot: 5061, Node: a.id, From: c.id})

	a.tls = true // no node has a TLS port: the other one is shown
	want := []string{
		"<a> 127.0.0.1:7001@17001,host0.example myself,master - 0 0 4 connected 0-5060 5062-5460 9000 [5060->-<c>] [5061-<-<c>]",
		"<b> 127.0.0.1:7002@17002 slave,nofailover <a> 0 1000 4 connected",
		"<c> 127.0.0.1:7003@17003 master,fail - 0 0 2 disconnected 6000",
		"<d> 127.0.0.1:7004@17004 master,fail? - 0 77 3 disconnected",
	}
	got := lines(a)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	// Marks show at their owner only, and nobody calls itself failed.
	if got := lines(c)[0]; strings.Contains(got, "[") {
		t.Error(got)
	}
	if got := lines(c)[2]; !strings.Contains(got, "myself,master - 0 0") {
		t.Error(got)
	}
}

func TestReplicas(t *testing.T) {
	w := newWorld(t)
	a := w.add("a")
	for _, name := range []string{"c", "b"} {
		n := w.add(name)
		w.must(&fsm.Replicate{Node: n.id, Attempt: 1, Primary: a.id})
	}
	for _, c := range []struct{ line, want string }{
		{"cluster replicas <a>", "*2·$127·<b> 127.0.0.1:7002@17002 slave <a> 0 1000 0 connected·$127·<c> 127.0.0.1:7003@17003 slave <a> 0 1000 0 connected·"},
		{"cluster slaves <b>", "-ERR The specified node is not a master·"},
		{"cluster replicas <h>", "-ERR Unknown node <h>·"},
		{"cluster replicas x", "-ERR Unknown node x·"},
	} {
		if got := a.do(expand(c.line)); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.line, got, c.want)
		}
	}
}

func TestInfo(t *testing.T) {
	w := newWorld(t)
	a := w.add("a", rng(0, 99))
	b, c := w.add("b", rng(100, 109)), w.add("c", rng(200, 204))
	w.must(&fsm.SetFail{ID: b.id, Attempt: 1, Fail: true})
	w.must(&fsm.BumpEpoch{Node: a.id})
	w.health[c.id] = raftnode.Health{Suspect: true}
	a.status = raftnode.Status{
		Role: raftnode.RoleLeader, Term: 3, CommitIndex: 9, LastApplied: 8, LogEntries: 7, Leader: a.id, Voters: 1, VotersWanted: 3,
		ControlPlaneOK: true, LeaseRemainingMs: 1500, MessagesSent: 4, MessagesReceived: 5,
	}
	got := a.do("cluster info")
	want := "cluster_state:fail·cluster_slots_assigned:115·cluster_slots_ok:100·cluster_slots_pfail:5·cluster_slots_fail:10·" +
		"cluster_known_nodes:3·cluster_size:3·cluster_current_epoch:3·cluster_my_epoch:3·" +
		"cluster_stats_messages_sent:4·cluster_stats_messages_received:5·total_cluster_links_buffer_limit_exceeded:0·" +
		"cluster_control_plane:ok·cluster_config_index:"
	_, body, _ := strings.Cut(got, "·")
	if !strings.HasPrefix(body, want) {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	for _, field := range []string{
		"·cluster_lease_remaining_ms:1500·", "·cluster_raft_role:leader·", "·cluster_raft_leader:<a>·", "·cluster_raft_current_term:3·",
		"·cluster_raft_commit_index:9·", "·cluster_raft_last_applied:8·", "·cluster_raft_log_entries:7·", "·cluster_raft_voters:1·",
		"·cluster_raft_warning:one voter",
	} {
		if !strings.Contains(got, field) {
			t.Errorf("%s is missing in %s", field, got)
		}
	}
	a.proto = 3
	if got := a.do("cluster info"); !strings.HasPrefix(got, "=") || !strings.Contains(got, "·txt:cluster_state:fail·") {
		t.Error(got)
	}
}

func TestKeysInSlot(t *testing.T) {
	w := newWorld(t)
	n := w.add("a")
	n.put(5, "x", "yy", "")
	for _, c := range []struct{ line, want string }{
		{"cluster countkeysinslot 5", ":3·"},
		{"cluster countkeysinslot 6", ":0·"},
		{"cluster countkeysinslot 16384", "-ERR Invalid slot·"},
		{"cluster countkeysinslot -1", "-ERR Invalid slot·"},
		{"cluster countkeysinslot x", "-ERR value is not an integer or out of range·"},
		{"cluster getkeysinslot 5 2", "*2·$1·x·$2·yy·"},
		{"cluster getkeysinslot 5 1000000000000", "*3·$1·x·$2·yy·$0··"},
		{"cluster getkeysinslot 5 0", "*0·"},
		{"cluster getkeysinslot 6 10", "*0·"},
		{"cluster getkeysinslot 5 -1", "-ERR Invalid slot or number of keys·"},
		{"cluster getkeysinslot 16384 1", "-ERR Invalid slot or number of keys·"},
		{"cluster getkeysinslot 05 1", "-ERR value is not an integer or out of range·"},
		{"cluster keyslot foo", ":12182·"},
		{"cluster keyslot {user}:1", ":5474·"},
	} {
		if got := n.do(c.line); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.line, got, c.want)
		}
	}
}

func TestSlotStats(t *testing.T) {
	w := newWorld(t)
	n, other := w.add("a", rng(0, 2), rng(9, 9)), w.add("b", rng(3, 5))
	n.put(1, "k", "l")
	n.put(9, "m")
	other.put(3, "n")
	for _, c := range []struct{ line, want string }{
		{"slotsrange 0 0", "*1·*2·:0·*2·$9·key-count·:0·"},
		{"slotsrange 1 5", "*2·*2·:1·*2·$9·key-count·:2·*2·:2·*2·$9·key-count·:0·"},
		{"slotsrange 5 1", "-ERR Start slot number 5 is greater than end slot number 1·"},
		{"slotsrange 5 16384", "-ERR Invalid or out of range slot·"},
		{"slotsrange 5 6 7", "-ERR unknown subcommand or wrong number of arguments for 'slot-stats'. Try CLUSTER HELP.·"},
		{"orderby key-count limit 2", "*2·*2·:1·*2·$9·key-count·:2·*2·:9·*2·$9·key-count·:1·"},
		{"orderby key-count asc limit 2", "*2·*2·:0·*2·$9·key-count·:0·*2·:2·*2·$9·key-count·:0·"},
		{"orderby key-count limit 0", "-ERR Limit has to lie in between 1 and 16384 (maximum number of slots).·"},
		{"orderby key-count limit 1 limit 1", "-ERR Multiple filters of the same type are disallowed.·"},
		{"orderby key-count asc desc", "-ERR Multiple filters of the same type are disallowed.·"},
		{"orderby key-count up", "-ERR syntax error·"},
		{"orderby cpu-usec desc", "-ERR Unrecognized sort metric for ORDERBY.·"},
	} {
		if got := n.do("cluster slot-stats " + c.line); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.line, got, c.want)
		}
	}
	n.proto = 3
	if got, want := n.do("cluster slot-stats slotsrange 0 0"), "*1·*2·:0·%1·$9·key-count·:0·"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestIdentityAndSmallReplies(t *testing.T) {
	w := newWorld(t)
	a := w.add("a")
	b := w.add("b")
	w.must(&fsm.Replicate{Node: b.id, Attempt: 1, Primary: a.id})
	w.health[b.id] = raftnode.Health{Suspect: true}
	shard := string(w.st.Node(a.id).Shard)
	for _, c := range []struct{ line, want string }{
		{"cluster myid", "$40·<b>·"},
		{"cluster myshardid", "$40·" + shard + "·"},
		{"cluster links", "*0·"},
		{"cluster count-failure-reports <a>", ":0·"},
		{"cluster count-failure-reports <b>", ":0·"},
		{"cluster count-failure-reports x", "-ERR Unknown node x·"},
		{"cluster saveconfig", "+OK·"},
		{"asking", "+OK·"},
		{"readonly", "+OK·"},
	} {
		if got := b.do(expand(c.line)); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.line, got, c.want)
		}
	}
	if !b.asking || !b.readOnly {
		t.Error("ASKING or READONLY had no effect")
	}
	if b.do("readwrite"); b.readOnly {
		t.Error("READWRITE had no effect")
	}
	if got := a.do(expand("cluster count-failure-reports <b>")); got != ":1·" {
		t.Error(got)
	}
	if got := w.node("h").do("cluster myshardid"); got != "-ERR No shard ID yet·" {
		t.Error(got)
	}
}

func TestHelp(t *testing.T) {
	n := newWorld(t).node("a")
	got := n.do("cluster help")
	if !strings.Contains(got, "·+CLUSTER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:·") || !strings.HasSuffix(got, "·+HELP·+    Print this help.·") {
		t.Error(got)
	}
	for _, s := range n.table.Lookup([]byte("cluster")).Sub {
		if s.Name != "slaves" && !strings.Contains(got, "·+"+strings.ToUpper(s.Name)) {
			t.Errorf("%s is missing", s.Name)
		}
	}
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	n := w.add("a")
	n.do("cluster addslots 1 2 3")
	n.do("cluster bumpepoch")
	got := n.do("cluster history 2")
	if !strings.HasPrefix(got, "*2·*12·$5·index·:3·") || !strings.Contains(got, "epochs.bump") || !strings.Contains(got, "slots.assign") {
		t.Error(got)
	}
	if got := n.do("cluster history x"); got != "-ERR value is not an integer or out of range·" {
		t.Error(got)
	}
	if got := n.do("cluster history 0"); got != "*0·" {
		t.Error(got)
	}
}

func TestClusterModeOff(t *testing.T) {
	n := newWorld(t).node("a")
	n.use(commands.Deps{})
	const want = "-ERR This instance has cluster support disabled·"
	for _, line := range []string{"cluster info", "cluster help", "cluster addslots 1", "cluster getkeysinslot 1 1", "asking", "readonly", "readwrite"} {
		if got := n.do(line); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	on, off := n.info(commands.Deps{Plane: n}), n.info(commands.Deps{})
	if on != "cluster_enabled:1\r\n" || off != "cluster_enabled:0\r\n" {
		t.Errorf("INFO: %q, %q", on, off)
	}
}

func (n *node) info(d commands.Deps) string {
	var b []byte
	for _, s := range commands.InfoSections(d) {
		b = s.Write(b)
	}
	return string(b)
}

// BenchmarkReaders reads a map in which no two neighbouring slots have one
// owner.
func BenchmarkReaders(b *testing.B) {
	w := newWorld(b)
	var even []slot.Range
	for s := uint16(0); s < slot.Count; s += 2 {
		even = append(even, rng(s, s))
	}
	n := w.add("a", even...)
	for _, line := range []string{"cluster slots", "cluster nodes", "cluster shards", "cluster info"} {
		b.Run(line, func(b *testing.B) {
			var w resp.Writer
			c, _ := n.ctx(line, &w)
			b.ReportAllocs()
			for b.Loop() {
				w.Reset(w.Bytes())
				c.Spec.Run(c)
			}
		})
	}
}
