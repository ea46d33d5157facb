package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"conclave/fsm/slot"
)

// cluster is the nodes of one test.
type cluster struct {
	t     testing.TB
	nodes []*node
}

// nodeTimeout is short enough for tests of failures and long enough for two
// busy cores.
const nodeTimeout = "3000"

func clusterArgs(more ...string) []string {
	return append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", nodeTimeout, "--enable-debug-command", "yes"}, more...)
}

// startNodes starts nodes that don't know one another.
func startNodes(t testing.TB, count int, args ...string) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for range count {
		c.add(args...)
	}
	for _, n := range c.nodes {
		n.awaitPing()
	}
	return c
}

// add launches one more node.
func (c *cluster) add(args ...string) *node {
	c.t.Helper()
	n := newNode(c.t, clusterArgs(args...)...)
	n.launch()
	c.nodes = append(c.nodes, n)
	return n
}

// startCluster forms a cluster of primaries with equal shares of the slots.
func startCluster(t testing.TB, primaries int, args ...string) *cluster {
	t.Helper()
	c := startNodes(t, primaries, args...)
	for i, n := range c.nodes {
		first, last := i*slot.Count/primaries, (i+1)*slot.Count/primaries-1
		n.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		n.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, n := range c.nodes[1:] {
		n.do("CLUSTER", "MEET", host, strconv.Itoa(c.nodes[0].port))
	}
	c.awaitOK()
	return c
}

// line is one of CLUSTER NODES.
type line struct {
	id, addr string
	flags    []string
	primary  string // "" for a primary
	epoch    string
	link     string
	slots    []string
	open     []string // [slot->-id] and [slot-<-id], of the node itself
}

func (l line) is(flag string) bool { return slices.Contains(l.flags, flag) }

func parseNodes(text string) (map[string]line, error) {
	lines := make(map[string]line)
	for raw := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(raw, "\n"), " ")
		if len(f) < 8 {
			return nil, fmt.Errorf("CLUSTER NODES: short line %q", raw)
		}
		l := line{id: f[0], addr: f[1], flags: strings.Split(f[2], ","), epoch: f[6], link: f[7]}
		if f[3] != "-" {
			l.primary = f[3]
		}
		for _, s := range f[8:] {
			if strings.HasPrefix(s, "[") {
				l.open = append(l.open, s)
			} else {
				l.slots = append(l.slots, s)
			}
		}
		lines[l.id] = l
	}
	return lines, nil
}

func (n *node) lines() (map[string]line, error) {
	reply, err := n.try("CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	text, _ := reply.(string)
	return parseNodes(text)
}

// myself is a node's own line.
func (n *node) myself() (line, error) {
	lines, err := n.lines()
	if err != nil {
		return line{}, err
	}
	for _, l := range lines {
		if l.is("myself") {
			return l, nil
		}
	}
	return line{}, errors.New("no myself in CLUSTER NODES")
}

// opinion is what a node believes and all have to agree about: members, roles,
// epochs and slots, as one comparable text.
func (n *node) opinion() (string, error) {
	lines, err := n.lines()
	if err != nil {
		return "", err
	}
	var all []string
	for _, l := range lines {
		if l.is("handshake") {
			return "", errors.New("a handshake is under way")
		}
		role := "master"
		if l.is("slave") {
			role = "slave of " + l.primary
		}
		all = append(all, fmt.Sprintf("%s %s epoch %s slots %s", l.id, role, l.epoch, strings.Join(l.slots, " ")))
	}
	slices.Sort(all)
	return strings.Join(all, "\n"), nil
}

// info is one field of CLUSTER INFO.
func (n *node) info(field string) (string, error) {
	reply, err := n.try("CLUSTER", "INFO")
	if err != nil {
		return "", err
	}
	text, _ := reply.(string)
	for l := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimRight(l, "\r\n"), field+":"); ok {
			return value, nil
		}
	}
	return "", fmt.Errorf("no %s in CLUSTER INFO", field)
}

// agreed fails while two nodes differ, or don't know all.
func (c *cluster) agreed() error {
	first, err := c.nodes[0].opinion()
	if err != nil {
		return err
	}
	if known := strings.Count(first, "\n") + 1; known != len(c.nodes) {
		return fmt.Errorf("port %d knows %d nodes of %d", c.nodes[0].port, known, len(c.nodes))
	}
	for _, n := range c.nodes[1:] {
		other, err := n.opinion()
		if err != nil {
			return fmt.Errorf("port %d: %w", n.port, err)
		}
		if other != first {
			return fmt.Errorf("port %d believes\n%s\nport %d\n%s", c.nodes[0].port, first, n.port, other)
		}
	}
	return nil
}

// awaitAgreement waits until all nodes believe the same.
func (c *cluster) awaitAgreement() {
	c.t.Helper()
	eventually(c.t, "all nodes agree", c.agreed)
}

// awaitOK waits until all nodes agree, serve, and see one another.
func (c *cluster) awaitOK() {
	c.t.Helper()
	eventually(c.t, "the cluster is ok", func() error {
		for _, n := range c.nodes {
			state, err := n.info("cluster_state")
			if err != nil {
				return err
			}
			if state != "ok" {
				return fmt.Errorf("port %d: cluster_state:%s", n.port, state)
			}
			if err := n.ready(); err != nil {
				return err
			}
			lines, err := n.lines()
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.link != "connected" || l.is("fail") || l.is("fail?") {
					return fmt.Errorf("port %d sees %s %s %v", n.port, l.addr, l.link, l.flags)
				}
			}
		}
		return c.agreed()
	})
}

// ready fails while the cluster has fewer voters than it wants: it may not
// survive the loss of one.
func (n *node) ready() error {
	if n.bin != "" && filepath.Base(n.bin) == "redis-server" {
		return nil
	}
	voters, err := n.info("cluster_raft_voters")
	if err != nil {
		return err
	}
	wanted, err := n.info("cluster_raft_voters_wanted")
	if err == nil && voters != wanted {
		err = fmt.Errorf("port %d sees %s voters of %s", n.port, voters, wanted)
	}
	return err
}

// owner is the node that says that it owns a slot.
func (c *cluster) owner(s int) *node {
	c.t.Helper()
	for _, n := range c.nodes {
		l, err := n.myself()
		if err != nil {
			c.t.Fatalf("port %d: %v", n.port, err)
		}
		for _, text := range l.slots {
			r, err := slot.Parse(text)
			if err != nil {
				c.t.Fatal(err)
			}
			if r.Contains(s) {
				return n
			}
		}
	}
	c.t.Fatalf("nobody owns slot %d", s)
	return nil
}

// other is a primary that isn't n.
func (c *cluster) other(n *node) *node {
	for _, o := range c.nodes {
		if o != n {
			return o
		}
	}
	return nil
}

func (c *cluster) addrs() []string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.addr())
	}
	return all
}

// keyIn makes a key of a slot: a tag that hashes to it, and a name.
func keyIn(s int, name string) string { return "{" + tagOf(s) + "}" + name }

// tagOf finds a tag by trying; a slot takes 16384 tries on average.
func tagOf(s int) string {
	for i := 0; ; i++ {
		tag := strconv.Itoa(i)
		if slot.Of([]byte(tag)) == s {
			return tag
		}
	}
}
