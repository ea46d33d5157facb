package e2e

import (
	"strconv"
	"strings"
	"testing"

	"conclave/fsm/slot"
)

// openSlot is a slot that the damage is done to; it belongs to the first of
// three primaries.
const openSlot = 609

// fixCase is a damage that redis-cli --cluster fix has to repair. a owns the
// slot, b and c are the other primaries.
type fixCase struct {
	name   string
	damage func(t *testing.T, a, b, c *node)
	stdin  string
	says   string
	// owner is who has the slot and all of its keys afterwards: 0 a, 1 b, 2 c,
	// -1 anybody.
	owner int
	keys  int
}

func setSlot(n *node, args ...string) {
	n.t.Helper()
	n.do(append([]string{"CLUSTER", "SETSLOT", strconv.Itoa(openSlot)}, args...)...)
}

// put writes keys of the slot to its owner.
func put(n *node, from, to int) {
	n.t.Helper()
	for i := from; i < to; i++ {
		n.do("SET", keyIn(openSlot, strconv.Itoa(i)), strconv.Itoa(i))
	}
}

// move carries keys of the slot over.
func move(from, to *node, first, last int) {
	from.t.Helper()
	args := []string{"MIGRATE", to.host, to.portText(), "", "0", "5000", "KEYS"}
	for i := first; i < last; i++ {
		args = append(args, keyIn(openSlot, strconv.Itoa(i)))
	}
	from.do(args...)
}

func fixCases() []fixCase {
	return []fixCase{
		{name: "migrating only", owner: 0, keys: 10, damage: func(_ *testing.T, a, b, _ *node) {
			put(a, 0, 10)
			setSlot(a, "MIGRATING", b.id())
		}},
		{name: "importing only", owner: 0, keys: 10, damage: func(_ *testing.T, a, b, _ *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
		}},
		// The side with more keys gets the slot.
		{name: "both, fewer keys moved than not", owner: 0, keys: 10, damage: func(_ *testing.T, a, b, _ *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
			setSlot(a, "MIGRATING", b.id())
			move(a, b, 0, 4)
		}},
		{name: "both, more keys moved than not", owner: 1, keys: 10, damage: func(_ *testing.T, a, b, _ *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
			setSlot(a, "MIGRATING", b.id())
			move(a, b, 0, 7)
		}},
		{name: "both, no key moved", owner: 1, keys: 10, damage: func(_ *testing.T, a, b, _ *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
			setSlot(a, "MIGRATING", b.id())
		}},
		{name: "both, no key", owner: 1, damage: func(_ *testing.T, a, b, _ *node) {
			setSlot(b, "IMPORTING", a.id())
			setSlot(a, "MIGRATING", b.id())
		}},
		{name: "importing, with keys in the importer", owner: 0, keys: 10, damage: func(_ *testing.T, a, b, _ *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
			setSlot(a, "MIGRATING", b.id())
			move(a, b, 0, 4)
			setSlot(a, "STABLE")
		}},
		{name: "several importing", owner: 0, keys: 10, damage: func(_ *testing.T, a, b, c *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
			setSlot(c, "IMPORTING", a.id())
		}},
		{name: "several importing, one of them by name", owner: 1, keys: 10, damage: func(_ *testing.T, a, b, c *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
			setSlot(c, "IMPORTING", a.id())
			setSlot(a, "MIGRATING", b.id())
		}},
		{name: "migrating, with keys in a node that imports nothing", owner: -1, keys: 10, damage: func(_ *testing.T, a, b, _ *node) {
			put(a, 0, 10)
			setSlot(b, "IMPORTING", a.id())
			setSlot(a, "MIGRATING", b.id())
			move(a, b, 0, 8)
			setSlot(b, "STABLE")
		}},
	}
}

func TestFixOpenSlot(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	for _, x := range fixCases() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, 3)
			x.damage(t, c.nodes[0], c.nodes[1], c.nodes[2])
			out, _ := cli(t, "", "--cluster", "check", c.nodes[0].addr())
			contains(t, out, "[WARNING]")
			out, _ = cli(t, x.stdin, "--cluster", "fix", c.nodes[0].addr())
			contains(t, out, ">>> Fixing open slot "+strconv.Itoa(openSlot), x.says)
			repaired(t, c, out, x)
		})
	}
}

// repaired checks what fix has left.
func repaired(t *testing.T, c *cluster, out string, x fixCase) {
	t.Helper()
	eventually(t, "the cluster agrees", c.agreed)
	if check, status := cli(t, "", "--cluster", "check", c.nodes[0].addr()); status != 0 || strings.Contains(check, "[WARNING]") {
		t.Fatalf("after fix printed\n%s\ncheck says\n%s", out, check)
	}
	owner := c.owner(openSlot)
	if x.owner >= 0 && owner != c.nodes[x.owner] {
		t.Errorf("the slot belongs to port %d, not %d", owner.port, c.nodes[x.owner].port)
	}
	for _, n := range c.nodes {
		want := 0
		if n == owner {
			want = x.keys
		}
		if got := n.int("CLUSTER", "COUNTKEYSINSLOT", strconv.Itoa(openSlot)); got != want {
			t.Errorf("port %d holds %d keys of the slot, not %d; fix printed\n%s", n.port, got, want, out)
		}
	}
	for i := range x.keys {
		if got := owner.text("GET", keyIn(openSlot, strconv.Itoa(i))); got != strconv.Itoa(i) {
			t.Errorf("key %d is %q", i, got)
		}
	}
}

// Slots without an owner are covered once yes was typed; --cluster-yes isn't
// enough.
func TestFixCoverage(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	for _, x := range []fixCase{
		{name: "no key anywhere", stdin: "yes\n", owner: -1, says: "The following uncovered slots have no keys across the cluster"},
		{name: "keys in one node", stdin: "yes\n", owner: 0, keys: 5, says: "The following uncovered slots have keys in just one node",
			damage: func(_ *testing.T, a, _, _ *node) { put(a, 0, 5) }},
		{name: "keys in several nodes", stdin: "yes\n", owner: 1, keys: 10, says: "The following uncovered slots have keys in multiple nodes",
			damage: func(_ *testing.T, a, b, _ *node) {
				put(a, 0, 10)
				setSlot(b, "IMPORTING", a.id())
				setSlot(a, "MIGRATING", b.id())
				move(a, b, 0, 7)
				setSlot(a, "STABLE")
				setSlot(b, "STABLE")
			}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, 3)
			if x.damage != nil {
				x.damage(t, c.nodes[0], c.nodes[1], c.nodes[2])
			}
			// redis-server has every node forget it by itself.
			for _, n := range c.nodes {
				if _, err := n.try("CLUSTER", "DELSLOTS", strconv.Itoa(openSlot)); err != nil && n == c.nodes[0] {
					t.Fatal(err)
				}
			}
			out, status := cli(t, "", "--cluster", "check", c.nodes[1].addr())
			if status == 0 {
				t.Errorf("check is content:\n%s", out)
			}
			contains(t, out, "[ERR] Not all 16384 slots are covered by nodes.")
			out, _ = cli(t, "no\n", "--cluster", "fix", c.nodes[1].addr(), "--cluster-yes")
			contains(t, out, x.says, "(type 'yes' to accept)")
			if _, status := cli(t, "", "--cluster", "check", c.nodes[1].addr()); status == 0 {
				t.Errorf("fix changed something though no was typed:\n%s", out)
			}
			out, _ = cli(t, x.stdin, "--cluster", "fix", c.nodes[1].addr())
			contains(t, out, x.says)
			repaired(t, c, out, x)
		})
	}
}

// A cluster whose slots are half given away is completed by fix.
func TestFixManySlots(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startNodes(t, 3)
	for i, n := range c.nodes {
		n.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		n.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*5000), strconv.Itoa(i*5000+4999))
	}
	c.nodes[2].do("CLUSTER", "ADDSLOTSRANGE", "15100", strconv.Itoa(slot.Count-1))
	for _, n := range c.nodes[1:] {
		n.do("CLUSTER", "MEET", host, c.nodes[0].portText())
	}
	c.awaitAgreement()
	out, _ := cli(t, "yes\n", "--cluster", "fix", c.nodes[0].addr())
	contains(t, out, "15000", "15099")
	c.awaitOK()
	c.check()
}
