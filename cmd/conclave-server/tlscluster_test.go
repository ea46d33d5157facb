package main

import (
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A cluster whose bus and clients speak TLS, made by redis-cli. Plain text and
// strangers get nowhere on its bus.
func TestClusterOverTLS(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Skip("redis-cli is not installed")
	}
	dir := t.TempDir()
	a := newAuthority(t, dir, "ca")
	a.issue("server", time.Now().Add(time.Hour))
	cli := func(args ...string) (string, error) {
		all := append([]string{"--tls", "--cacert", filepath.Join(dir, "ca.crt"), "--cert", filepath.Join(dir, "server.crt"), "--key", filepath.Join(dir, "server.key")}, args...)
		out, err := exec.Command("redis-cli", all...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	var addrs, ports, buses []string
	for range 3 {
		plain, port, bus := freePort(t), freePort(t), freePort(t)
		args := append([]string{"--port", plain, "--tls-port", port, "--cluster-port", bus, "--bind", "127.0.0.1", "--save", "",
			"--cluster-enabled", "yes", "--tls-cluster", "yes"}, a.files()...)
		launch(t, process(t, args...), plain)
		addrs, ports, buses = append(addrs, "127.0.0.1:"+port), append(ports, port), append(buses, bus)
	}
	out, err := cli(append(append([]string{"--cluster", "create"}, addrs...), "--cluster-yes")...)
	if err != nil || !strings.Contains(out, "[OK] All 16384 slots covered.") {
		t.Fatalf("create: %v\n%s", err, out)
	}
	// Redirections lead to TLS ports: one node is asked for every key.
	for i := range 20 {
		key := "k" + strconv.Itoa(i)
		eventually(t, "SET "+key, func() bool {
			got, err := cli("-c", "-p", ports[0], "SET", key, "1")
			return err == nil && strings.HasSuffix(got, "OK")
		})
	}
	for _, bus := range buses {
		nc, err := net.Dial("tcp", "127.0.0.1:"+bus)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(nc, "CONCLAVE"); err == nil {
			t.Errorf("plain text on the bus: %q", got)
		}
		_ = nc.Close()
	}
	if got, err := cli("-p", ports[0], "CLUSTER", "INFO"); err != nil || !strings.Contains(got, "cluster_state:ok") {
		t.Errorf("CLUSTER INFO: %v\n%s", err, got)
	}
}
