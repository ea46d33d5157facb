package e2e

import (
	"strings"
	"testing"
)

func create(c *cluster, options ...string) string {
	c.t.Helper()
	args := append([]string{"--cluster", "create"}, c.addrs()...)
	args = append(args, options...)
	return mustCli(c.t, append(args, "--cluster-yes")...)
}

func TestCreate(t *testing.T) {
	need(t, "redis-cli")
	for _, x := range []struct {
		name     string
		nodes    int
		options  []string
		primary  int
		complete string
	}{
		{"three primaries", 3, nil, 3, "[OK] All 16384 slots covered."},
		{"three primaries with a replica each", 6, []string{"--cluster-replicas", "1"}, 3, "[OK] All 16384 slots covered."},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := startNodes(t, x.nodes)
			ids := make(map[string]bool)
			for _, n := range c.nodes {
				ids[n.id()] = true
			}
			out := create(c, x.options...)
			contains(t, out, "[OK] All nodes agree about slots configuration.", x.complete)
			c.awaitOK()
			c.check()

			lines, err := c.nodes[len(c.nodes)-1].lines()
			if err != nil {
				t.Fatal(err)
			}
			primaries := 0
			for id, l := range lines {
				if !ids[id] {
					t.Errorf("%s isn't an id from before", id)
				}
				if l.is("master") {
					primaries++
				} else if !lines[l.primary].is("master") {
					t.Errorf("%s is a replica of %q", id, l.primary)
				}
			}
			if primaries != x.primary {
				t.Errorf("%d primaries, not %d", primaries, x.primary)
			}
			// The first command of a user who follows redirects.
			for _, key := range []string{"foo", "bar", "hello"} {
				if got := strings.TrimSpace(mustCli(t, "-c", "-p", c.nodes[0].portText(), "SET", key, "1")); got != "OK" {
					t.Errorf("SET %s: %s", key, got)
				}
			}
		})
	}
}

// create refuses nodes that hold keys or know others, as with redis-server.
func TestCreateRefuses(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startNodes(t, 3)
	c.nodes[1].do("CLUSTER", "MEET", host, c.nodes[0].portText())
	eventually(t, "two nodes know one another", func() error { return (&cluster{t: t, nodes: c.nodes[:2]}).agreed() })
	args := append([]string{"--cluster", "create"}, c.addrs()...)
	out, status := cli(t, "", append(args, "--cluster-yes")...)
	if status == 0 {
		t.Errorf("create succeeded:\n%s", out)
	}
	contains(t, out, "is not empty. Either the node already knows other nodes")
}

func TestInfo(t *testing.T) {
	need(t, "redis-cli")
	t.Parallel()
	c := startCluster(t, 3)
	c.owner(12182).do("SET", "foo", "1")
	out := mustCli(t, "--cluster", "info", c.nodes[1].addr())
	contains(t, out, "[OK] 1 keys in 3 masters.", "| 5461 slots |", "| 5462 slots |")
	out = mustCli(t, "--cluster", "check", c.nodes[1].addr(), "--cluster-search-multiple-owners")
	contains(t, out, "[OK] No multiple owners found.")
}
