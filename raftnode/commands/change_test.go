package commands_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"conclave/fsm"
	"conclave/raftnode"
)

// TestErrors has the errors of configuration commands, in a cluster of a
// (0-99), b (100-199), and c, which replicates b. All are sent to a.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"addslots x", "-ERR Invalid or out of range slot·"},
		{"addslots 16384", "-ERR Invalid or out of range slot·"},
		{"addslots -1", "-ERR Invalid or out of range slot·"},
		{"addslots 300 5", "-ERR Slot 5 is already busy·"},
		{"addslots 150", "-ERR Slot 150 is already busy·"},
		{"addslots 5 x", "-ERR Invalid or out of range slot·"},
		{"addslots 300 300", "-ERR Slot 300 specified multiple times·"},
		{"addslotsrange 300 301 302", "-ERR wrong number of arguments for 'cluster|addslotsrange' command·"},
		{"addslotsrange 5 1", "-ERR start slot number 5 is greater than end slot number 1·"},
		{"addslotsrange 190 210", "-ERR Slot 190 is already busy·"},
		{"addslotsrange 300 310 305 306", "-ERR Slot 305 specified multiple times·"},
		{"delslots 300", "-ERR Slot 300 is already unassigned·"},
		{"delslots 5 5", "-ERR Slot 5 specified multiple times·"},
		{"delslots 5 300", "-ERR Slot 300 is already unassigned·"},
		{"delslotsrange 90 200", "-ERR Slot 200 is already unassigned·"},

		{"setslot x stable", "-ERR Invalid or out of range slot·"},
		{"setslot 5 bogus", "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP·"},
		{"setslot 5 bogus <b>", "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP·"},
		{"setslot 5 node", "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP·"},
		{"setslot 5 stable x", "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP·"},
		{"setslot 5 node <b> x", "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP·"},
		{"setslot 5 node <b> timeout", "-ERR Missing timeout value·"},
		{"setslot 5 node <b> timeout x", "-ERR timeout is not an integer or out of range·"},
		{"setslot 5 node <b> timeout -1", "-ERR timeout is negative·"},
		{"setslot 150 migrating <b>", "-ERR I'm not the owner of hash slot 150·"},
		{"setslot 300 migrating <b>", "-ERR I'm not the owner of hash slot 300·"},
		{"setslot 5 migrating x", "-ERR I don't know about node x·"},
		{"setslot 5 migrating <c>", "-ERR Target node is not a master·"},
		{"setslot 5 importing <b>", "-ERR I'm already the owner of hash slot 5·"},
		{"setslot 150 importing x", "-ERR I don't know about node x·"},
		{"setslot 150 importing <c>", "-ERR Target node is not a master·"},
		{"setslot 5 node x", "-ERR Unknown node x·"},
		{"setslot 5 node <c>", "-ERR Target node is not a master·"},
		{"setslot 7 node <b>", "-ERR Can't assign hashslot 7 to a different node while I still hold keys for this hash slot.·"},

		{"set-config-epoch x", "-ERR value is not an integer or out of range·"},
		{"set-config-epoch -1", "-ERR Invalid config epoch specified: -1·"},
		{"set-config-epoch 9", "-ERR The user can assign a config epoch only when the node does not know any other node.·"},
		{"replicate x", "-ERR Unknown node x·"},
		{"replicate <a>", "-ERR Can't replicate myself·"},
		{"replicate <c>", "-ERR I can only replicate a master, not a replica.·"},
		{"replicate <b>", "-ERR To set a master the node must be empty and without assigned slots.·"},
		{"flushslots", "-ERR DB must be empty to perform CLUSTER FLUSHSLOTS.·"},

		{"forget x", "-ERR Unknown node x·"},
		{"forget <h>", "-ERR Unknown node <h>·"},
		{"forget <a>", "-ERR I tried hard but I can't forget myself...·"},
		{"forget <b>", "-ERR Node <b> still owns slots: move them to other nodes first·"},
		{"failover", "-ERR You should send CLUSTER FAILOVER to a replica·"},
		{"failover now", "-ERR syntax error·"},
		{"failover force x", "-ERR unknown subcommand or wrong number of arguments for 'failover'. Try CLUSTER HELP.·"},
		{"reset", "-ERR CLUSTER RESET can't be called with master nodes containing keys·"},
		{"reset medium", "-ERR syntax error·"},
		{"RESET hard x", "-ERR unknown subcommand or wrong number of arguments for 'RESET'. Try CLUSTER HELP.·"},
		{"meet nothost 7000", "-ERR Invalid node address specified: nothost:7000·"},
		{"meet 127.0.0.1 abc", "-ERR Invalid base port specified: abc·"},
		{"meet 127.0.0.1 7000 abc", "-ERR Invalid bus port specified: abc·"},
		{"meet 127.0.0.1 0", "-ERR Invalid node address specified: 127.0.0.1:0·"},
		{"meet 127.0.0.1 60000", "-ERR Invalid node address specified: 127.0.0.1:60000·"},
		{"meet 127.0.0.1 7000 70000", "-ERR Invalid node address specified: 127.0.0.1:7000·"},
		{"meet 127.0.0.1 7000 17000 x", "-ERR unknown subcommand or wrong number of arguments for 'meet'. Try CLUSTER HELP.·"},
	} {
		t.Run(c.line, func(t *testing.T) {
			w := newWorld(t)
			a := w.add("a", rng(0, 99))
			w.add("b", rng(100, 199))
			w.add("c")
			w.must(&fsm.Replicate{Node: id("c"), Attempt: 1, Primary: id("b")})
			a.put(7, "key")
			before := len(w.st.History())
			if got := a.do("cluster " + expand(c.line)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(w.st.History()) != before {
				t.Error("the refused command changed something")
			}
		})
	}
}

func TestReplicaRefuses(t *testing.T) {
	w := newWorld(t)
	w.add("a", rng(0, 99))
	b := w.add("b")
	w.must(&fsm.Replicate{Node: b.id, Attempt: 1, Primary: id("a")})
	for _, c := range []struct{ line, want string }{
		{"setslot x stable", "-ERR Please use SETSLOT only with masters.·"},
		{"addslots 300", "-ERR Please use ADDSLOTS only with masters.·"},
		{"forget <a>", "-ERR Can't forget my master!·"},
		{"failover", "-ERR This replica has no data of its master: it can't take over·"},
		{"failover force", "-ERR This replica has no data of its master: it can't take over·"},
		{"replicate <a>", "+OK·"},
		{"flushslots", "+OK·"},
		{"reset", "+OK·"},
	} {
		b.put(5, "a key of its master")
		if c.line == "flushslots" {
			b.put(5)
		}
		if got := b.do("cluster " + expand(c.line)); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.line, got, c.want)
		}
	}
}

// steps runs commands on nodes, each "node command -> reply", and compares what
// was asked of the control plane: "" is nothing, an answer from the view.
func steps(t *testing.T, nodes map[string]*node, script []step) {
	t.Helper()
	for _, s := range script {
		n := nodes[s.on]
		n.log = nil
		if got := n.do("cluster " + expand(s.line)); got != s.want {
			t.Fatalf("%s: %s\ngot  %s\nwant %s", s.on, s.line, got, s.want)
		}
		if got := strings.Join(n.log, "; "); got != s.log {
			t.Fatalf("%s: %s asked for %q, want %q", s.on, s.line, got, s.log)
		}
	}
}

type step struct{ on, line, want, log string }

func trio(t testing.TB) (*world, map[string]*node) {
	w := newWorld(t)
	return w, map[string]*node{"a": w.add("a", rng(0, 99)), "b": w.add("b", rng(100, 199)), "c": w.add("c", rng(200, 299))}
}

// TestReshard is what redis-cli sends for a slot, and that repeats and the word
// to those not involved cost nothing.
func TestReshard(t *testing.T) {
	w, nodes := trio(t)
	steps(t, nodes, []step{
		{"b", "setslot 5 importing <a>", "+OK·", "marks.importing"},
		{"b", "setslot 5 importing <a>", "+OK·", ""},
		{"a", "setslot 5 migrating <b>", "+OK·", "marks.migrating"},
		{"a", "setslot 5 migrating <b>", "+OK·", ""},
		{"a", "setslot 5 migrating <c>", "+OK·", "marks.migrating"},
		{"a", "setslot 5 migrating <b>", "+OK·", "marks.migrating"},
		{"b", "setslot 5 NODE <b>", "+OK·", "give 5 to b, checked"},
		{"a", "setslot 5 node <b>", "+OK·", ""},
		{"c", "setslot 5 node <b>", "+OK·", ""},
		{"a", "setslot 5 stable", "+OK·", ""},
		{"c", "setslot 6 node <b> timeout 100", "+OK·", "give 6 to b, checked"},
		{"c", "setslot 400 node <b>", "+OK·", "slots.assign"},
	})
	if w.st.Open(id("a")) || w.st.Open(id("b")) {
		t.Error("a slot is still open")
	}
	if owner := w.st.OwnerNode(5); owner.ID != id("b") || owner.Epoch != w.st.CurrentEpoch() {
		t.Errorf("owner %+v at epoch %d", owner, w.st.CurrentEpoch())
	}
}

// TestNodeWithKeysElsewhere: the owner's keys are the owner's to check.
func TestNodeWithKeysElsewhere(t *testing.T) {
	_, nodes := trio(t)
	nodes["a"].put(5, "k")
	const held = "-ERR Can't assign hashslot 5 to a different node while I still hold keys for this hash slot.·"
	steps(t, nodes, []step{
		{"b", "setslot 5 node <b>", held, "give 5 to b, checked"},
		{"a", "setslot 5 node <b>", held, ""},
		{"a", "setslot 5 migrating <b>", "+OK·", "marks.migrating"},
		{"a", "setslot 5 node <a>", "+OK·", ""}, // the slot stays open while keys are here
	})
	nodes["a"].put(5)
	steps(t, nodes, []step{{"a", "setslot 5 node <a>", "+OK·", "marks.stable"}})
}

func TestSlotsComeAndGo(t *testing.T) {
	w, nodes := trio(t)
	nodes["b"].put(100, "k")
	steps(t, nodes, []step{
		{"a", "addslotsrange 300 310 320 320", "+OK·", "slots.assign"},
		{"a", "addslots 330 332 331", "+OK·", "slots.assign"},
		{"a", "delslots 100 330 5", "+OK·", "give 5 100 330 to nobody"}, // whoever owns them, keys or not
		{"a", "delslotsrange 0 4", "+OK·", "give 0-4 to nobody"},
		{"a", "addslots 100", "+OK·", "slots.assign"},
		{"a", "flushslots", "+OK·", "give 6-100 300-310 320 331-332 to nobody, checked"},
		{"a", "flushslots", "+OK·", ""},
	})
	if got := w.st.CountSlots(w.st.Node(id("a")).Shard); got != 0 {
		t.Errorf("%d slots left", got)
	}
}

func TestFlushSlotsWithKeysThatJustArrived(t *testing.T) {
	w, nodes := trio(t)
	w.giving = func() error { return raftnode.ErrKeysInSlot }
	if got := nodes["a"].do("cluster flushslots"); got != "-ERR DB must be empty to perform CLUSTER FLUSHSLOTS.·" {
		t.Error(got)
	}
}

func TestEpochs(t *testing.T) {
	w := newWorld(t)
	nodes := map[string]*node{"a": w.add("a")}
	steps(t, nodes, []step{
		{"a", "set-config-epoch 0", "+OK·", ""},
		{"a", "set-config-epoch 5", "+OK·", "epochs.set"},
		{"a", "set-config-epoch 6", "-ERR Node config epoch is already non-zero·", "system.noop"},
		{"a", "bumpepoch", "+STILL 5·", ""},
	})
	nodes["b"] = w.add("b")
	steps(t, nodes, []step{
		{"a", "bumpepoch", "+STILL 5·", ""},
		{"b", "bumpepoch", "+BUMPED 6·", "epochs.bump"},
		{"b", "bumpepoch", "+STILL 6·", ""},
		{"a", "bumpepoch", "+BUMPED 7·", "epochs.bump"},
	})
}

func TestReplicate(t *testing.T) {
	w := newWorld(t)
	nodes := map[string]*node{"a": w.add("a", rng(0, 9)), "b": w.add("b")}
	steps(t, nodes, []step{
		{"b", "replicate <a>", "+OK·", "roles.replicate"},
		{"b", "replicate <a>", "+OK·", ""},
	})
	nodes["c"] = w.add("c")
	nodes["c"].put(1, "k")
	steps(t, nodes, []step{{"c", "replicate <a>", "-ERR To set a master the node must be empty and without assigned slots.·", ""}})
}

// TestBatch is EXEC: one entry, a reply for each, effects visible from one to
// the next, and no instant at which a slot has no owner.
func TestBatch(t *testing.T) {
	for _, c := range []struct {
		name, want, log string
		lines           []string
	}{
		{"fix takes an unassigned slot",
			"-ERR Slot 400 is already unassigned·+OK·+OK·+STILL 3·", "[slots.assign epochs.bump]",
			[]string{"delslots 400", "addslots 400", "setslot 400 stable", "bumpepoch"}},
		{"fix takes a foreign slot, keys or not",
			"+OK·+OK·+STILL 3·", "give 150 to a; epochs.bump",
			[]string{"delslots 150", "addslots 150", "bumpepoch"}},
		{"fix takes its own slot",
			"+OK·+OK·+BUMPED 3·", "epochs.bump",
			[]string{"delslots 5", "addslots 5", "bumpepoch"}},
		{"several owners", "+OK·+OK·", "give 150 250 to a",
			[]string{"delslots 150 250", "addslots 150 250"}},
		{"away and gone", "+OK·+OK·", "give 5 to b, checked; give 6 150 to nobody",
			[]string{"delslots 6 150", "setslot 5 node <b>"}},
		{"a refused one doesn't stop the others",
			"-ERR Slot 5 is already busy·+OK·-ERR Unknown node x·+OK·", "[slots.assign marks.migrating]",
			[]string{"addslots 5", "addslots 400", "replicate x", "setslot 5 migrating <b>"}},
		{"a mark on a slot that was just added", "+OK·+OK·", "[slots.assign marks.migrating]",
			[]string{"addslots 400", "setslot 400 migrating <b>"}},
		{"nothing to do", "+OK·+OK·", "", []string{"setslot 5 stable", "setslot 150 node <b>"}},
		{"there and back", "+OK·+OK·", "", []string{"addslots 400", "delslots 400"}},
		{"epochs", "+BUMPED 3·+STILL 3·", "[epochs.bump epochs.bump]", []string{"bumpepoch", "bumpepoch"}},
		{"a replica's way", "+OK·+OK·", "give 0-99 to nobody; roles.replicate", []string{"delslotsrange 0 99", "replicate <b>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, nodes := trio(t)
			w.must(&fsm.BumpEpoch{Node: id("c")})
			a := nodes["a"]
			nodes["b"].put(150, "k")
			for i := range c.lines {
				c.lines[i] = "cluster " + expand(c.lines[i])
			}
			before := w.st
			got := a.exec(c.lines...)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := strings.Join(w.log, "; "); got != c.log {
				t.Errorf("asked for %q, want %q", got, c.log)
			}
			if c.name == "fix takes its own slot" && w.st.Stamp(5) != before.Stamp(5) {
				t.Error("a slot that stays changed hands")
			}
		})
	}
}

// TestBatchOfThousands: an entry has room for a thousand operations; clients
// may queue more.
func TestBatchOfThousands(t *testing.T) {
	w, nodes := trio(t)
	var lines []string
	for range 1500 {
		lines = append(lines, "cluster bumpepoch", expand("cluster setslot 5 migrating <b>"), "cluster setslot 5 stable")
	}
	if got := strings.Count(nodes["a"].exec(lines...), "·"); got != len(lines) {
		t.Errorf("%d replies to %d commands", got, len(lines))
	}
	if len(w.log) < 5 {
		t.Errorf("%d entries", len(w.log))
	}
}

func TestBatchClosesMarksOfItsOwnSlot(t *testing.T) {
	w, nodes := trio(t)
	w.must(&fsm.SetMigrating{Slot: 5, Node: id("a"), To: id("b")})
	if got := nodes["a"].exec("cluster delslots 5", "cluster addslots 5"); got != "+OK·+OK·" {
		t.Error(got)
	}
	if w.st.Open(id("a")) || w.st.OwnerNode(5).ID != id("a") {
		t.Error("slot 5 is open, or lost")
	}
}

func TestBatchWhoseOwnerCantBeReached(t *testing.T) {
	w, nodes := trio(t)
	w.giving = func() error { return raftnode.ErrOwnerUnreachable }
	got := nodes["a"].exec("cluster delslots 150", "cluster addslots 150", "cluster addslots 400", "cluster bumpepoch")
	const unreachable = "-ERR The slot's owner can't be reached and is not failed; nothing was changed, try again once it answers or is shown as fail·"
	if want := unreachable + unreachable + "+OK·+STILL 3·"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if w.st.OwnerNode(150).ID != id("b") || w.st.OwnerNode(400).ID != id("a") {
		t.Error("slots are where they shouldn't be")
	}
}

// TestFailures: what the control plane can't do is said in words, with what to
// do about it.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: x", raftnode.ErrNoLeader), "-ERR No leader of the cluster configuration is known; nothing was changed, try again·"},
		{fmt.Errorf("%w: x", raftnode.ErrUnknownOutcome), "-ERR Outcome unknown: the change may still be committed. Look it up with CLUSTER NODES or CLUSTER HISTORY·"},
		{raftnode.ErrJoining, "-ERR This node is joining a cluster; nothing was changed, try again·"},
		{raftnode.ErrStopped, "-ERR The server is shutting down·"},
		{&raftnode.TooEarlyError{Node: id("b"), RetryMs: 1500}, "-ERR Node <b> failed too recently and may still be serving; try again in 1500 ms·"},
		{errors.New("disk full"), "-ERR disk full·"},
	} {
		w, nodes := trio(t)
		w.proposing = func() error { return c.err }
		w.giving = w.proposing
		for _, line := range []string{"addslots 400", "delslots 150", "bumpepoch", "setslot 5 node <b>"} {
			w.must(&fsm.BumpEpoch{Node: id("c")})
			if got := nodes["a"].do("cluster " + expand(line)); got != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", line, got, c.want)
			}
		}
	}
}

// TestStaleViews: what another node was told first counts, although it hasn't
// arrived here yet.
func TestStaleViews(t *testing.T) {
	t.Run("a refusal is checked against what is committed", func(t *testing.T) {
		w, nodes := trio(t)
		w.proposing = func() error { // a node that joined elsewhere arrives
			if w.st.Node(id("d")) == nil {
				w.add("d")
			}
			return nil
		}
		steps(t, nodes, []step{{"a", "setslot 5 node <d>", "+OK·", "system.noop; give 5 to d, checked"}})
	})
	t.Run("without a leader the view's word stands", func(t *testing.T) {
		w, nodes := trio(t)
		w.proposing = func() error { return raftnode.ErrNoLeader }
		steps(t, nodes, []step{{"a", "replicate x", "-ERR Unknown node x·", "system.noop"}})
	})
	t.Run("an attempt that ended while the command waited", func(t *testing.T) {
		w, nodes := trio(t)
		again := false
		w.proposing = func() error {
			if !again {
				again = true
				r := record("b")
				r.Attempt = 2
				w.must(&fsm.Join{ClusterID: "c", Node: r, Via: id("a"), HelloIndex: w.st.Index()})
			}
			return nil
		}
		steps(t, nodes, []step{{"b", "addslots 400", "+OK·", "slots.assign; slots.assign"}})
	})
	t.Run("a node that is joining waits for its cluster", func(t *testing.T) {
		_, nodes := trio(t)
		nodes["a"].joining = true
		steps(t, nodes, []step{{"a", "addslots 400", "+OK·", "system.noop; slots.assign"}})
	})
}

func TestMembership(t *testing.T) {
	w, nodes := trio(t)
	a := nodes["a"]
	a.must(&fsm.UnassignSlots{Node: id("c"), Tenure: w.st.ShardOf(id("c")).Tenure, Slots: w.st.SlotsOf(w.st.Node(id("c")).Shard), By: id("a")})
	var met string
	a.meet = func(ip string, port, bus int) error {
		met = fmt.Sprint(ip, " ", port, " ", bus)
		return nil
	}
	for _, c := range []struct{ line, want, met string }{
		{"meet 127.0.0.1 7005", "+OK·", "127.0.0.1 7005 17005"},
		{"meet ::1 7005 9999", "+OK·", "::1 7005 9999"},
		{"forget <c>", "+OK·", ""},
		{"forget <c>", "+OK·", ""}, // redis-cli tells every node
	} {
		met = ""
		if got := a.do("cluster " + expand(c.line)); got != c.want || met != c.met {
			t.Errorf("%s: %s, met %q", c.line, got, met)
		}
	}
	a.meet = func(string, int, int) error { return &raftnode.JoinError{Text: "both sides are in clusters"} }
	if got := a.do("cluster meet 127.0.0.1 7005"); got != "-ERR both sides are in clusters·" {
		t.Error(got)
	}
	for _, line := range []string{"reset", "reset soft", "reset HARD"} {
		if got := a.do("cluster " + line); got != "+OK·" {
			t.Errorf("%s: %s", line, got)
		}
	}
	if fmt.Sprint(a.resets) != "[false false true]" {
		t.Error(a.resets)
	}
	a.saveErr = errors.New("disk full")
	if got := a.do("cluster saveconfig"); got != "-ERR error saving the cluster node config: disk full·" {
		t.Error(got)
	}
}

func TestNotAMember(t *testing.T) {
	w := newWorld(t)
	w.add("b")
	n := w.node("a")
	for _, line := range []string{"addslots 1", "setslot 1 stable", "bumpepoch", "replicate x"} {
		if got := n.do("cluster " + line); got != "-ERR This node has no place in the cluster's configuration yet; try again·" {
			t.Errorf("%s: %s", line, got)
		}
	}
}
