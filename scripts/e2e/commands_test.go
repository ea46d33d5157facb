package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// CLUSTER commands alone bring up a topology, one right after the other: what
// was answered OK is done.
func TestCommandsAlone(t *testing.T) {
	oursOnly(t) // redis-server needs pauses after MEET
	t.Parallel()
	for _, x := range []struct {
		name                string
		primaries, replicas int
		meetFirst           bool
	}{
		{"slots, then meet", 3, 0, false},
		{"meet, then slots", 3, 0, true},
		{"with replicas", 3, 3, true},
		{"one node", 1, 0, false},
		{"two nodes", 2, 0, true},
		{"a primary and its replica", 1, 1, true},
		{"many", 9, 0, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := startNodes(t, x.primaries+x.replicas)
			meet := func() {
				for _, n := range c.nodes[1:] {
					n.do("CLUSTER", "MEET", host, c.nodes[0].portText())
				}
			}
			if x.meetFirst {
				meet()
			}
			for i, n := range c.nodes[:x.primaries] {
				n.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*16384/x.primaries), strconv.Itoa((i+1)*16384/x.primaries-1))
			}
			if !x.meetFirst {
				meet()
			}
			for i, n := range c.nodes[x.primaries:] {
				n.do("CLUSTER", "REPLICATE", c.nodes[i%x.primaries].id())
			}
			c.awaitOK()
			f := newFollower(c.addrs())
			defer f.close()
			for _, key := range someKeys(20) {
				if _, err := f.do("SET", key, "1"); err != nil {
					t.Errorf("SET %s: %v", key, err)
				}
			}
		})
	}
}

// Every node may be told to meet any other, also in a chain, also by the
// member.
func TestMeetDirections(t *testing.T) {
	oursOnly(t)
	t.Parallel()
	for _, x := range []struct {
		name string
		meet func(c *cluster)
	}{
		{"a member meets each", func(c *cluster) {
			for _, n := range c.nodes[1:] {
				c.nodes[0].do("CLUSTER", "MEET", host, n.portText())
			}
		}},
		{"a chain", func(c *cluster) {
			for i, n := range c.nodes[1:] {
				c.nodes[i].do("CLUSTER", "MEET", host, n.portText())
			}
		}},
		{"all at once", func(c *cluster) {
			done := make(chan error, len(c.nodes))
			for _, n := range c.nodes[1:] {
				go func() {
					_, err := n.try("CLUSTER", "MEET", host, c.nodes[0].portText())
					done <- err
				}()
			}
			for range c.nodes[1:] {
				if err := <-done; err != nil {
					c.t.Error(err)
				}
			}
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := startNodes(t, 5)
			x.meet(c)
			c.awaitAgreement()
		})
	}
}

// script runs scripts/cluster.
func script(t *testing.T, dir string, port int, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(rootDir, "scripts/cluster"), append(args, "--dir", dir, "--base-port", strconv.Itoa(port))...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ports for nodes of scripts/cluster, that have to follow one another.
func portRange(t *testing.T, n int) int {
	t.Helper()
	for range 50 {
		base := ports.take(t)
		ok := true
		for i := 1; i < n && ok; i++ {
			ok = ports.take(t) == base+i
		}
		if ok {
			return base
		}
	}
	t.Fatal("no free range of ports")
	return 0
}

func TestScript(t *testing.T) {
	oursOnly(t)
	if _, err := os.Stat(os.Getenv(adminEnv)); err != nil {
		t.Skip("conclave-admin isn't built")
	}
	t.Parallel()
	for _, x := range []struct {
		name     string
		replicas int
	}{{"three primaries", 0}, {"with replicas", 1}} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			total := 3 * (1 + x.replicas)
			dir, base := filepath.Join(t.TempDir(), "cluster"), portRange(t, total)
			must := func(args ...string) string {
				t.Helper()
				out, err := script(t, dir, base, append(args, "--replicas", strconv.Itoa(x.replicas))...)
				if err != nil {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
				return out
			}
			t.Cleanup(func() { _, _ = script(t, dir, base, "destroy") })
			c := &cluster{t: t}
			for i := range total {
				c.nodes = append(c.nodes, &node{t: t, host: host, port: base + i})
			}
			if out, err := script(t, dir, base, "status"); err == nil {
				t.Errorf("status of nothing succeeds:\n%s", out)
			}
			contains(t, must("start"), "redis-cli -c -p "+strconv.Itoa(base), "scripts/cluster stop", dir)
			c.awaitOK()
			first, err := c.nodes[0].opinion()
			if err != nil {
				t.Fatal(err)
			}
			contains(t, must("start"), "0 started now")
			if out := must("status"); strings.Count(out, "running") != total || strings.Count(out, "cluster_state:ok") != total {
				t.Errorf("status:\n%s", out)
			}
			// Killed, stopped in order, started again: the same cluster.
			killScripted(t, dir, base+1)
			if out, err := script(t, dir, base, "status"); err == nil || strings.Count(out, "stopped") != 1 {
				t.Errorf("status with one killed: %v\n%s", err, out)
			}
			contains(t, must("start"), "1 started now")
			contains(t, must("stop"), fmt.Sprintf("%d of %d nodes stopped", total, total))
			contains(t, must("stop"), fmt.Sprintf("0 of %d nodes stopped", total))
			for _, n := range c.nodes {
				n.disconnect()
			}
			contains(t, must("start"), fmt.Sprintf("%d started now", total))
			c.awaitOK()
			if again, err := c.nodes[0].opinion(); err != nil || again != first {
				t.Errorf("after a restart: %v\n%s\nbefore:\n%s", err, again, first)
			}
			for _, n := range c.nodes {
				n.disconnect()
			}
			must("destroy")
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("destroy leaves %s: %v", dir, err)
			}
		})
	}
}

// killScripted kills a node that scripts/cluster started.
func killScripted(t *testing.T, dir string, port int) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(port), "conclave.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed node is gone", func() error {
		if c, err := dial(fmt.Sprintf("%s:%d", host, port)); err == nil {
			c.close()
			return fmt.Errorf("port %d still answers", port)
		}
		return nil
	})
}
