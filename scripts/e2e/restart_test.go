package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// errNotYet says no more than that.
var errNotYet = errors.New("not yet")

// opinionOf is what the first node believes.
func opinionOf(c *cluster) string {
	c.t.Helper()
	text, err := c.nodes[0].opinion()
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

func same(c *cluster, before string) {
	c.t.Helper()
	if after := opinionOf(c); after != before {
		c.t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name    string
		restart func(c *cluster)
	}{
		{"one, in order", func(c *cluster) { c.nodes[0].stop(); c.nodes[0].start() }},
		{"one, killed", func(c *cluster) { c.nodes[1].kill(); c.nodes[1].start() }},
		{"each, one after another", func(c *cluster) {
			for _, n := range c.nodes {
				n.stop()
				n.start()
				c.awaitOK()
			}
		}},
		{"all at once, in order", func(c *cluster) {
			for _, n := range c.nodes {
				n.stop()
			}
			for _, n := range c.nodes {
				n.launch()
			}
		}},
		{"all at once, killed", func(c *cluster) {
			for _, n := range c.nodes {
				n.kill()
			}
			for _, n := range c.nodes {
				n.launch()
			}
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, 3)
			before := opinionOf(c)
			x.restart(c)
			for _, n := range c.nodes {
				n.awaitPing()
			}
			c.awaitOK()
			same(c, before)
		})
	}
}

// A node that was frozen for long is back at once.
func TestPause(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	before := opinionOf(c)
	n := c.nodes[2]
	n.signal(syscall.SIGSTOP)
	eventually(t, "the others see it failed", func() error {
		lines, err := c.nodes[0].lines()
		if l := lines[idAt(lines, n)]; err == nil && !l.is("fail") {
			err = fmt.Errorf("it is %v", l.flags)
		}
		return err
	})
	n.signal(syscall.SIGCONT)
	c.awaitOK()
	same(c, before)
}

// idAt finds a node by its port: it can't be asked.
func idAt(lines map[string]line, n *node) string {
	for id, l := range lines {
		if strings.HasPrefix(l.addr, n.addr()+"@") {
			return id
		}
	}
	return ""
}

// All nodes come back under new ports: the seeds are all they are told.
func TestNewAddresses(t *testing.T) {
	oursOnly(t)
	t.Parallel()
	c := startCluster(t, 3)
	before := opinionOf(c)
	for _, n := range c.nodes {
		n.stop()
	}
	var seeds []string
	for _, n := range c.nodes {
		n.port = ports.take(t)
		seeds = append(seeds, host+":"+strconv.Itoa(n.port+busOffset))
	}
	for _, n := range c.nodes {
		n.args = append(append(n.args, "--cluster-seeds"), seeds...)
		n.launch()
	}
	for _, n := range c.nodes {
		n.awaitPing()
	}
	c.awaitOK()
	same(c, before)
	for _, n := range c.nodes {
		lines, err := n.lines()
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range c.nodes {
			if idAt(lines, other) == "" {
				t.Errorf("port %d doesn't know port %d", n.port, other.port)
			}
		}
	}
}

// One node at a new port needs no seeds.
func TestNewAddressOfOne(t *testing.T) {
	oursOnly(t)
	t.Parallel()
	c := startCluster(t, 3)
	before := opinionOf(c)
	c.nodes[1].stop()
	c.nodes[1].port = ports.take(t)
	c.nodes[1].start()
	c.awaitOK()
	same(c, before)
	reply, err := c.nodes[0].try("GET", keyIn(6000, "k"))
	if want := "MOVED 6000 " + c.nodes[1].addr(); err == nil || err.Error() != want {
		t.Errorf("%v, %v instead of %s", reply, err, want)
	}
}

// nodes.conf is written for others to read: nothing is lost with it.
func TestNodesConfIsOnlyWritten(t *testing.T) {
	oursOnly(t)
	t.Parallel()
	for _, x := range []struct {
		name   string
		damage func(path string) error
	}{
		{"deleted", os.Remove},
		{"damaged", func(path string) error { return os.WriteFile(path, []byte("nonsense\n"), 0o600) }},
		{"emptied", func(path string) error { return os.Truncate(path, 0) }},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, 3)
			before := opinionOf(c)
			path := filepath.Join(c.nodes[0].dir, "nodes.conf")
			written := func() error {
				raw, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				for _, want := range []string{"myself,master", "0-5460", "10922-16383", "vars currentEpoch"} {
					if !strings.Contains(string(raw), want) {
						return errNotYet
					}
				}
				return nil
			}
			eventually(t, "nodes.conf is complete", written)
			c.nodes[0].stop()
			if err := x.damage(path); err != nil {
				t.Fatal(err)
			}
			c.nodes[0].start()
			c.awaitOK()
			same(c, before)
			eventually(t, "nodes.conf is written anew", written)
		})
	}
}

// redis-server reads what we wrote.
func TestNodesConfForRedis(t *testing.T) {
	oursOnly(t)
	redis := need(t, "redis-server")
	t.Parallel()
	c := startCluster(t, 3)
	id := c.nodes[0].id()
	eventually(t, "nodes.conf names all", func() error {
		raw, err := os.ReadFile(filepath.Join(c.nodes[0].dir, "nodes.conf"))
		if err == nil && strings.Count(string(raw), "master") != 3 {
			err = errNotYet
		}
		return err
	})
	c.nodes[0].stop()
	r := newNodeOf(t, redis, "--cluster-enabled", "yes")
	raw, err := os.ReadFile(filepath.Join(c.nodes[0].dir, "nodes.conf"))
	if err != nil {
		t.Fatal(err)
	}
	// redis-server 7.0 knows no shard ids yet.
	var text strings.Builder
	for l := range strings.Lines(string(raw)) {
		f := strings.SplitN(l, " ", 3)
		if len(f) == 3 && f[0] != "vars" {
			f[1], _, _ = strings.Cut(f[1], ",")
		}
		text.WriteString(strings.Join(f, " "))
	}
	if err := os.WriteFile(filepath.Join(r.dir, "nodes.conf"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	if got := r.id(); got != id {
		t.Errorf("redis-server is %s, not %s", got, id)
	}
	l, err := r.myself()
	if err != nil || strings.Join(l.slots, " ") != "0-5460" {
		t.Errorf("redis-server owns %v, %v", l.slots, err)
	}
}

// A cluster of redis-server 7.0 is stopped and goes on with our server in its
// directories.
func TestTakeOverRedis(t *testing.T) {
	oursOnly(t)
	redis := need(t, "redis-server")
	t.Parallel()
	for _, x := range []struct {
		name     string
		replicas int
	}{{"primaries", 0}, {"primaries and replicas", 3}} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := &cluster{t: t}
			for range 3 + x.replicas {
				n := newNodeOf(t, redis, "--cluster-enabled", "yes", "--cluster-node-timeout", nodeTimeout)
				n.start()
				c.nodes = append(c.nodes, n)
			}
			for i, n := range c.nodes[:3] {
				n.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*5461), strconv.Itoa(min(i*5461+5460, 16383)))
			}
			c.nodes[2].do("CLUSTER", "ADDSLOTS", "16383")
			for i, n := range c.nodes {
				n.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(10*(i+1)))
				if i > 0 {
					n.do("CLUSTER", "MEET", host, c.nodes[0].portText())
				}
			}
			c.awaitAgreement()
			for i, n := range c.nodes[3:] {
				n.do("CLUSTER", "REPLICATE", c.nodes[i].id())
			}
			c.awaitOK()
			before := opinionOf(c)
			for _, n := range c.nodes {
				n.do("CLUSTER", "SAVECONFIG")
			}
			for _, n := range c.nodes {
				n.stop()
			}
			for _, n := range c.nodes {
				n.bin = os.Getenv(serverEnv)
				n.launch()
			}
			for _, n := range c.nodes {
				n.awaitPing()
			}
			c.awaitOK()
			same(c, before)
			c.owner(0).do("SET", keyIn(0, "k"), "1")
			// It is ours now, and stays.
			for _, n := range c.nodes {
				n.kill()
			}
			for _, n := range c.nodes {
				n.launch()
			}
			for _, n := range c.nodes {
				n.awaitPing()
			}
			c.awaitOK()
			same(c, before)
		})
	}
}

// Two of three voters are lost for good: an operator rebuilds the group from
// the third, and forgets the others.
func TestRecoverQuorum(t *testing.T) {
	oursOnly(t)
	admin := os.Getenv(adminEnv)
	t.Parallel()
	c := startCluster(t, 3)
	survivor := c.nodes[0]
	lost := []string{c.nodes[1].id(), c.nodes[2].id()}
	c.nodes[1].kill()
	c.nodes[2].kill()
	eventually(t, "the survivor knows that it is alone", func() error {
		state, err := survivor.info("cluster_control_plane")
		if err == nil && state != "lost" {
			err = errNotYet
		}
		return err
	})
	if _, err := survivor.try("CLUSTER", "BUMPEPOCH"); err == nil {
		t.Error("a configuration command succeeded without a quorum")
	}
	survivor.stop()
	recover := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(admin, append([]string{"recover"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("recover: %v\n%s", err, out)
		}
		return string(out)
	}
	// What it would do, first; that names the command that does it.
	said := recover(survivor.dir)
	_, command, ok := strings.Cut(said, "conclave-admin recover -force ")
	if !ok {
		t.Fatalf("recover doesn't say how to go on:\n%s", said)
	}
	recover("-force", strings.Fields(command)[0], survivor.dir)
	survivor.start()
	eventually(t, "the survivor leads", func() error {
		_, err := survivor.try("CLUSTER", "BUMPEPOCH")
		return err
	})
	for _, id := range lost {
		eventually(t, "the lost node can be forgotten", func() error {
			_, err := survivor.try("CLUSTER", "FORGET", id)
			return err
		})
	}
	c.nodes = c.nodes[:1]
	lines, err := survivor.lines()
	if err != nil || len(lines) != 1 {
		t.Errorf("it knows %d nodes, %v", len(lines), err)
	}
	survivor.do("CLUSTER", "ADDSLOTSRANGE", "5461", "16383")
	c.awaitOK()
}
