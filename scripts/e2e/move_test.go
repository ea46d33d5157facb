package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"conclave/fsm/slot"
)

// slotsOf counts the slots on a node's own line.
func slotsOf(t testing.TB, n *node) int {
	t.Helper()
	l, err := n.myself()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, s := range l.slots {
		r, err := slot.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		sum += r.Len()
	}
	return sum
}

// underLoad runs f while clients write, and looks for what went wrong.
func underLoad(c *cluster, f func()) {
	c.t.Helper()
	keys := someKeys(3000)
	l := startLoad(c.t, c, 4, keys)
	f()
	l.stop(c.t)
	c.awaitOK()
	c.check()
	if got := c.total(); got != len(keys) {
		c.t.Errorf("%d keys, not %d", got, len(keys))
	}
}

func TestReshard(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startCluster(t, 3)
	underLoad(c, func() {
		mustCli(t, "--cluster", "reshard", c.nodes[0].addr(), "--cluster-from", c.nodes[0].id(), "--cluster-to", c.nodes[2].id(),
			"--cluster-slots", "60", "--cluster-yes")
	})
	if from, to := slotsOf(t, c.nodes[0]), slotsOf(t, c.nodes[2]); from != 5461-60 || to != 5462+60 {
		t.Errorf("%d and %d slots", from, to)
	}
	// From all others, and with answers typed in: how many, to whom, from
	// whom, and go on.
	out, status := dialogue(t, []answer{
		{"How many slots do you want to move", "30\n"},
		{"What is the receiving node ID?", c.nodes[1].id() + "\n"},
		{"Source node #1:", "all\n"},
		{"proceed with the proposed reshard plan", "yes\n"},
	}, "--cluster", "reshard", c.nodes[0].addr())
	if status != 0 {
		t.Fatalf("status %d\n%s", status, out)
	}
	if to := slotsOf(t, c.nodes[1]); to < 5461+30 || to > 5462+30 {
		t.Errorf("the receiver has %d slots", to)
	}
	c.check()
}

func TestRebalance(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	// Few slots have to move if few are all there is to even out.
	c := startNodes(t, 3)
	for i, r := range [][2]int{{0, 5260}, {5261, 10822}, {10823, 16383}} {
		c.nodes[i].do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(r[0]), strconv.Itoa(r[1]))
		c.nodes[i].do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, n := range c.nodes[1:] {
		n.do("CLUSTER", "MEET", host, c.nodes[0].portText())
	}
	c.awaitOK()

	before, _ := c.nodes[0].opinion()
	out := mustCli(t, "--cluster", "rebalance", c.nodes[0].addr(), "--cluster-simulate")
	contains(t, out, "####")
	if after, _ := c.nodes[0].opinion(); after != before {
		t.Errorf("simulate changed something:\n%s\nbefore:\n%s", after, before)
	}
	underLoad(c, func() { mustCli(t, "--cluster", "rebalance", c.nodes[0].addr()) })
	for _, n := range c.nodes {
		if got := slotsOf(t, n); got < 5461-2 || got > 5461+2 {
			t.Errorf("port %d has %d slots", n.port, got)
		}
	}
	out = mustCli(t, "--cluster", "rebalance", c.nodes[0].addr())
	contains(t, out, "*** No rebalancing needed! All nodes are within the 2.00% threshold.")
}

// A new primary is filled, one with more weight more, and drained again.
func TestRebalanceWeights(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startCluster(t, 3)
	n := c.add()
	n.awaitPing()
	mustCli(t, "--cluster", "add-node", n.addr(), c.nodes[0].addr())
	c.awaitOK()

	// With the default the empty one is left alone.
	contains(t, mustCli(t, "--cluster", "rebalance", c.nodes[0].addr()), "No rebalancing needed")
	keys := someKeys(2000)
	l := startLoad(t, c, 2, keys)
	mustCli(t, "--cluster", "rebalance", c.nodes[0].addr(), "--cluster-use-empty-masters",
		"--cluster-weight", n.id()[:12]+"=0.02", "--cluster-pipeline", "50")
	got := slotsOf(t, n)
	if got < 90 || got > 130 {
		t.Errorf("the light node got %d slots, not about 108", got)
	}
	mustCli(t, "--cluster", "rebalance", c.nodes[0].addr(), "--cluster-weight", n.id()+"=0")
	l.stop(t)
	c.awaitOK()
	c.check()
	own, err := n.myself()
	if err != nil || len(own.slots) != 0 {
		t.Errorf("the drained node has %v, %v", own.slots, err)
	}
	if total := c.total(); total != len(keys) {
		t.Errorf("%d keys, not %d", total, len(keys))
	}
	// Drained, it follows the node that took its last slot.
	eventually(t, "the drained primary becomes a replica", func() error {
		own, err := n.myself()
		if err == nil && !own.is("slave") {
			err = fmt.Errorf("flags %s", strings.Join(own.flags, ","))
		}
		return err
	})
}
