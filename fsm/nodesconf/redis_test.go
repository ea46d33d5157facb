package nodesconf_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/fsm/nodesconf"
)

// TestRedisLoadsIt starts a redis-server, where one is installed, on a file of
// ours: it must come up as the same node of the same cluster.
func TestRedisLoadsIt(t *testing.T) {
	t.Parallel()
	redis, err := exec.LookPath("redis-server")
	if err != nil {
		t.Log("redis-server is not installed: not compared with it")
		return
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nodes.conf"), nodesconf.Write(sample(t), idA), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	cmd := exec.Command(redis, "--port", strconv.Itoa(port), "--cluster-port", strconv.Itoa(port+50), "--dir", dir,
		"--bind", "127.0.0.1", "--cluster-enabled", "yes", "--save", "", "--cluster-announce-ip", "127.0.0.1")
	var log strings.Builder
	cmd.Stdout = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	got := clusterNodes(port)
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed: the error says so
	for _, want := range []string{
		string(idA) + " 127.0.0.1:", "myself,master - 0 ",
		" 1 connected 0-5 9 [7-<-" + string(idB) + "] [9->-" + string(idB) + "]\n",
		string(idB) + " 127.0.0.1:21572@21582,b.example", "connected 10000-16383\n",
		" slave,fail " + string(idB) + " ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s\nlog:\n%s", want, got, log.String())
		}
	}
}

// freePort finds a port that is free now, and so is the one 50 above.
func freePort(t *testing.T) int {
	t.Helper()
	for port := 21500; port < 21550; port++ {
		a, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		b, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+50))
		a.Close()
		if err != nil {
			continue
		}
		b.Close()
		return port
	}
	t.Fatal("no free port")
	return 0
}

// clusterNodes is the server's CLUSTER NODES, or why there is none.
func clusterNodes(port int) string {
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := ask(port)
		if err == nil || time.Now().After(deadline) {
			return fmt.Sprint(text, err)
		}
		<-tick.C
	}
}

func ask(port int) (string, error) {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "CLUSTER NODES\r\n"); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	head, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.Trim(head, "$\r\n"))
	if err != nil {
		return head, nil
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return string(body), err
}
