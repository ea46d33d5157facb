package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestAddAndDeleteNode(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startCluster(t, 3)
	seed := c.nodes[0].addr()

	primary := c.add()
	primary.awaitPing()
	contains(t, mustCli(t, "--cluster", "add-node", primary.addr(), seed), "[OK] New node added correctly.")
	c.awaitOK()

	replica := c.add()
	replica.awaitPing()
	mustCli(t, "--cluster", "add-node", replica.addr(), seed, "--cluster-slave", "--cluster-master-id", c.nodes[1].id())
	eventually(t, "everybody knows the replica", func() error {
		for _, n := range c.nodes {
			lines, err := n.lines()
			if err != nil {
				return err
			}
			if l := lines[replica.id()]; !l.is("slave") || l.primary != c.nodes[1].id() {
				return fmt.Errorf("port %d: %+v", n.port, l)
			}
		}
		return nil
	})
	any := c.add()
	any.awaitPing()
	mustCli(t, "--cluster", "add-node", any.addr(), seed, "--cluster-slave")
	c.awaitOK()
	c.check()

	// A node with slots can't be deleted, unknown ones neither.
	if out, status := cli(t, "", "--cluster", "del-node", seed, c.nodes[2].id()); status == 0 {
		t.Errorf("deleted a node with slots:\n%s", out)
	} else {
		contains(t, out, "is not empty! Reshard data away and try again.")
	}
	if out, status := cli(t, "", "--cluster", "del-node", seed, strings.Repeat("a", 40)); status == 0 {
		t.Errorf("deleted nobody:\n%s", out)
	}
	for _, gone := range []*node{replica, primary, any} {
		id := gone.id()
		mustCli(t, "--cluster", "del-node", seed, id)
		var rest []*node
		for _, n := range c.nodes {
			if n != gone {
				rest = append(rest, n)
			}
		}
		c.nodes = rest
		c.awaitOK()
		// It is alone, and usable again.
		eventually(t, "the deleted node is alone", func() error {
			l, err := gone.lines()
			if err == nil && len(l) != 1 {
				err = fmt.Errorf("it knows %d nodes", len(l))
			}
			return err
		})
		own, err := gone.myself()
		if err != nil || !own.is("master") || own.id != id {
			t.Errorf("after the deletion: %+v, %v; its id was %s", own, err, id)
		}
	}
	c.check()
}

// A deleted node comes back with add-node.
func TestAddDeletedNode(t *testing.T) {
	need(t, "redis-cli")
	oursOnly(t) // redis-server blacklists the id for a minute
	t.Parallel()
	c := startCluster(t, 3)
	n := c.add()
	n.awaitPing()
	for range 3 {
		mustCli(t, "--cluster", "add-node", n.addr(), c.nodes[0].addr())
		c.awaitOK()
		mustCli(t, "--cluster", "del-node", c.nodes[0].addr(), n.id())
	}
}

func TestCall(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startCluster(t, 3)
	out := mustCli(t, "--cluster", "call", c.nodes[0].addr(), "CONFIG", "GET", "cluster-enabled")
	if strings.Count(out, "yes") != 3 {
		t.Errorf("not three answers:\n%s", out)
	}
	out = mustCli(t, "--cluster", "call", c.nodes[0].addr(), "GET", "foo")
	if strings.Count(out, "MOVED 12182") != 2 {
		t.Errorf("not two redirects:\n%s", out)
	}
}

func TestSetTimeout(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startCluster(t, 3)
	out := mustCli(t, "--cluster", "set-timeout", c.nodes[0].addr(), "4321")
	// These nodes have no configuration file to rewrite.
	if strings.Count(out, "running without a config file") != 3 {
		t.Errorf("not three complaints about the missing file:\n%s", out)
	}
	for _, n := range c.nodes {
		reply, err := n.try("CONFIG", "GET", "cluster-node-timeout")
		if pair, _ := reply.([]any); err != nil || len(pair) != 2 || pair[1] != "4321" {
			t.Errorf("port %d: %v, %v", n.port, reply, err)
		}
	}
}

// Keys of a redis-server that stands alone come into the cluster, time to live
// included.
func TestImport(t *testing.T) {
	need(t, "redis-cli")
	server := need(t, "redis-server")
	t.Parallel()
	c := startCluster(t, 3)
	source := newNodeOf(t, server)
	source.start()
	const keys = 500
	fill := func(value string) {
		for i := range keys {
			source.do("SET", fmt.Sprintf("import:%d", i), value)
		}
		source.do("PEXPIRE", "import:7", "3600000")
	}
	at := func(key string, args ...string) any {
		f := newFollower(c.addrs())
		defer f.close()
		reply, err := f.do(append([]string{args[0], key}, args[1:]...)...)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	run := func(options ...string) (string, int) {
		return cli(t, "", append([]string{"--cluster", "import", c.nodes[0].addr(), "--cluster-from", source.addr()}, options...)...)
	}
	fill("one")
	if out, status := run("--cluster-copy"); status != 0 {
		t.Fatalf("copy: status %d\n%s", status, out)
	}
	if here, there := c.total(), source.int("DBSIZE"); here != keys || there != keys {
		t.Errorf("after a copy %d keys here, %d there", here, there)
	}
	if ttl, _ := at("import:7", "PTTL").(int64); ttl <= 3500000 {
		t.Errorf("PTTL %d", ttl)
	}
	fill("two")
	out, _ := run("--cluster-copy")
	contains(t, out, "BUSYKEY")
	if v := at("import:8", "GET"); v != "one" {
		t.Errorf("replaced unasked: %v", v)
	}
	if out, status := run("--cluster-replace"); status != 0 {
		t.Fatalf("replace: status %d\n%s", status, out)
	}
	if here, there := c.total(), source.int("DBSIZE"); here != keys || there != 0 {
		t.Errorf("after a move %d keys here, %d there", here, there)
	}
	if v := at("import:8", "GET"); v != "two" {
		t.Errorf("not replaced: %v", v)
	}
}
