package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"conclave/fsm/slot"
)

const clientsDir = "clients"

// goClients builds the programs of the module in clients.
func goClients(t *testing.T) string {
	t.Helper()
	run := func(args ...string) ([]byte, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = clientsDir
		return cmd.CombinedOutput()
	}
	if out, err := run("mod", "download"); err != nil {
		t.Skipf("the client libraries can't be downloaded: %v\n%s", err, out)
	}
	dir := t.TempDir()
	if out, err := run("build", "-o", dir, "./..."); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// node_modules is made by npm ci, see scripts/test.
func npmClient(t *testing.T, file string) []string {
	t.Helper()
	node := need(t, "node")
	if _, err := os.Stat(filepath.Join(clientsDir, "node_modules")); err != nil {
		t.Skip("npm ci was not run in scripts/e2e/clients")
	}
	return []string{node, file}
}

func pythonClient(t *testing.T) []string {
	t.Helper()
	// The distribution's interpreter finds the distribution's package.
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import redis.cluster").Run(); err != nil {
		t.Skip("python3-redis is not installed")
	}
	return []string{python, "-B", "redispy.py"} // no files beside the source
}

func TestClients(t *testing.T) {
	t.Parallel()
	programs := goClients(t)
	for _, x := range []struct {
		name    string
		command func(t *testing.T) []string
	}{
		{"go-redis", func(*testing.T) []string { return []string{filepath.Join(programs, "goredis")} }},
		{"rueidis", func(*testing.T) []string { return []string{filepath.Join(programs, "rueidis")} }},
		{"redigo and redisc", func(*testing.T) []string { return []string{filepath.Join(programs, "redigo")} }},
		{"ioredis", func(t *testing.T) []string { return npmClient(t, "ioredis.mjs") }},
		{"node-redis", func(t *testing.T) []string { return npmClient(t, "noderedis.mjs") }},
		{"redis-py", pythonClient},
	} {
		// One after another: a library may take its time to start.
		t.Run(x.name, func(t *testing.T) {
			command := x.command(t)
			c := startCluster(t, 3)
			p := startClient(t, append(command, c.nodes[0].addr())...)
			p.expect("started")
			moved, source := slot.Of([]byte("moved")), c.owner(slot.Of([]byte("moved")))
			c.moveSlot(moved, source, c.other(source))
			ask := slot.Of([]byte("ask"))
			from := c.owner(ask)
			to := c.other(from)
			c.openSlot(ask, from, to)
			c.moveKeys(ask, from, to, 5)

			p.say("go\n")
			p.expect("followed")
			if source.errorStat("MOVED") == 0 {
				t.Error("it was never told MOVED")
			}
			if from.errorStat("ASK") == 0 {
				t.Error("it was never told ASK")
			}
			// What was new went to the importing node.
			if n := to.int("CLUSTER", "COUNTKEYSINSLOT", strconv.Itoa(ask)); n != 6 {
				t.Errorf("the importing node has %d keys of the slot, not 6", n)
			}
		})
	}
}

// openSlot marks a slot as on its way.
func (c *cluster) openSlot(s int, from, to *node) {
	c.t.Helper()
	to.do("CLUSTER", "SETSLOT", strconv.Itoa(s), "IMPORTING", from.id())
	from.do("CLUSTER", "SETSLOT", strconv.Itoa(s), "MIGRATING", to.id())
}

// moveKeys carries up to most keys of a slot over.
func (c *cluster) moveKeys(s int, from, to *node, most int) int {
	c.t.Helper()
	keys, _ := from.do("CLUSTER", "GETKEYSINSLOT", strconv.Itoa(s), strconv.Itoa(most)).([]any)
	args := []string{"MIGRATE", to.host, to.portText(), "", "0", "5000", "KEYS"}
	for _, k := range keys {
		args = append(args, k.(string))
	}
	if len(keys) > 0 {
		from.do(args...)
	}
	return len(keys)
}

// moveSlot carries a slot over, keys and all.
func (c *cluster) moveSlot(s int, from, to *node) {
	c.t.Helper()
	c.openSlot(s, from, to)
	for c.moveKeys(s, from, to, 100) > 0 {
	}
	id := to.id()
	for _, n := range []*node{to, from} {
		n.do("CLUSTER", "SETSLOT", strconv.Itoa(s), "NODE", id)
	}
}

// errorStat counts the error replies of a kind that a node has given.
func (n *node) errorStat(kind string) int {
	n.t.Helper()
	for l := range strings.Lines(n.text("INFO", "errorstats")) {
		var count int
		if _, err := fmt.Sscanf(l, "errorstat_"+kind+":count=%d", &count); err == nil {
			return count
		}
	}
	return 0
}

// client is a client program that says how far it is.
type client struct {
	t     *testing.T
	in    io.WriteCloser
	lines chan string
	errs  *bytes.Buffer
	ended chan struct{} // closed when errs is complete
}

func startClient(t *testing.T, command ...string) *client {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = clientsDir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &client{t: t, lines: make(chan string), errs: &bytes.Buffer{}, ended: make(chan struct{})}
	cmd.Stderr = p.errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case p.lines <- s.Text():
			case <-t.Context().Done():
			}
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most have ended
		<-p.ended
	})
	return p
}

func (p *client) say(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, text); err != nil {
		p.t.Fatal(err)
	}
}

func (p *client) expect(want string) {
	p.t.Helper()
	select {
	case got := <-p.lines:
		if got != want {
			p.t.Fatalf("the client says %q, not %q", got, want)
		}
	case <-p.ended:
		p.t.Fatalf("the client ended: %s", p.errs)
	case <-time.After(patience):
		p.t.Fatalf("the client doesn't say %q", want)
	}
}
