package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is the server when it is asked to be.
const beServer = "CONCLAVE_TEST_BE_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(beServer) != "" {
		main()
	}
	os.Exit(m.Run())
}

func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), beServer+"=1")
	cmd.Dir = t.TempDir()
	return cmd
}

// exits runs the server to its end.
func exits(t *testing.T, cmd *exec.Cmd) (status int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// eventually polls, for what other processes do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
	}
}

func answers(port string) bool {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		args           []string
		stdin          string
		status         int
		stdout, stderr string
	}{
		{args: []string{"--version"}, stdout: "Conclave server v="},
		{args: []string{"-v"}, stdout: "Conclave server v="},
		{args: []string{"--help"}, stdout: "Usage: conclave-server"},
		{args: []string{"/nonexistent.conf"}, status: 1, stderr: "can't open config file '/nonexistent.conf': no such file"},
		{args: []string{"--maxclients", "x"}, status: 1, stderr: "*** FATAL CONFIG FILE ERROR (Conclave "},
		{args: []string{"-"}, stdin: "port 1\nfoo 1", status: 1, stderr: "at line 2 of standard input\n>>> 'foo 1'"},
		{args: []string{"-", "--port", "x"}, stdin: "port 1", status: 1, stderr: "'--port x'"},
		{args: []string{"--port", "0", "--logfile", "no/such/dir"}, status: 1, stderr: "Can't open the log file"},
		{args: []string{"--daemonize", "yes", "--logfile", "no/such/dir"}, status: 1, stderr: "Can't open the log file"},
	} {
		cmd := process(t, x.args...)
		cmd.Stdin = strings.NewReader(x.stdin)
		status, stdout, stderr := exits(t, cmd)
		if status != x.status || !strings.Contains(stdout, x.stdout) || !strings.Contains(stderr, x.stderr) {
			t.Errorf("%v: status %d, stdout %q, stderr %q", x.args, status, stdout, stderr)
		}
	}
}

func TestSignalEndsInOrder(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	cmd := process(t, "--port", port, "--bind", "127.0.0.1", "--logfile", "log", "--pidfile", "pid")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(cmd.Dir, "pid")
	eventually(t, "server ready", func() bool { return answers(port) && exists(pidFile) })
	// A hang-up is nothing to end for.
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if exists(pidFile) {
		t.Error("pid file left behind")
	}
	log, err := os.ReadFile(filepath.Join(cmd.Dir, "log"))
	if err != nil || !strings.Contains(string(log), "signal=terminated") {
		t.Errorf("log: %s (%v)", log, err)
	}
}

func TestDaemonReportsWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	cmd := process(t, "-")
	conf := fmt.Sprintf("port %s\nbind 127.0.0.1\ndaemonize yes\npidfile pid\nlogfile log\n", port)
	cmd.Stdin = strings.NewReader(conf)
	if status, _, stderr := exits(t, cmd); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	pidFile := filepath.Join(cmd.Dir, "pid")
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if !answers(port) {
		t.Error("the command returned before the server was ready")
	}

	// A second one on the same port fails loudly and leaves the first one's
	// pid file alone.
	second := process(t, "-")
	second.Dir = cmd.Dir
	second.Stdin = strings.NewReader(conf)
	status, _, stderr := exits(t, second)
	if status != 1 || !strings.Contains(strings.ToLower(stderr), "address already in use") {
		t.Errorf("second server: status %d, stderr %q", status, stderr)
	}
	if again, err := os.ReadFile(pidFile); err != nil || !bytes.Equal(again, b) {
		t.Errorf("pid file: %q (%v)", again, err)
	}

	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "daemon ended", func() bool { return !exists(pidFile) && !answers(port) })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
