package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	host      = "127.0.0.1"
	firstPort = 22000
	lastPort  = 22699
	busOffset = 10000
	// patience is how long anything that has to happen may take.
	patience = 30 * time.Second
)

// eventually polls until check is content.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	within(t, patience, what, check)
}

func within(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

// ports hands out ports that nobody listens on. Tests run beside one another.
var ports = &portPool{next: firstPort}

type portPool struct {
	mu   sync.Mutex
	next int
}

func (p *portPool) take(t testing.TB) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for range lastPort - firstPort + 1 {
		port := p.next
		if p.next++; p.next > lastPort {
			p.next = firstPort
		}
		if free(port) && free(port+busOffset) {
			return port
		}
	}
	t.Fatalf("no free port from %d to %d", firstPort, lastPort)
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// node is a server process, again and again over one directory.
type node struct {
	t    testing.TB
	bin  string
	host string
	port int
	dir  string
	args []string // beside port and directory

	process *os.Process
	ended   chan struct{} // closed when the process was waited for
	state   *os.ProcessState
	conn    *conn
}

// newNode prepares a node of the server under test; start starts it.
func newNode(t testing.TB, args ...string) *node {
	t.Helper()
	return newNodeOf(t, os.Getenv(serverEnv), args...)
}

func newNodeOf(t testing.TB, bin string, args ...string) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "conclave-e2e-node-")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, bin: bin, host: host, port: ports.take(t), dir: dir, args: args}
	t.Cleanup(func() {
		n.disconnect()
		if n.running() {
			n.signal(syscall.SIGCONT)
			if t.Failed() && os.Getenv("E2E_STACKS") != "" {
				n.signal(syscall.SIGQUIT) // the runtime prints all goroutines
				<-n.ended
			} else {
				n.kill()
			}
		}
		if t.Failed() {
			t.Logf("last lines of the node on port %d:\n%s", n.port, n.logTail(logLines()))
		}
		switch {
		case os.Getenv("E2E_KEEP") != "":
			t.Logf("port %d: %s", n.port, dir)
		default:
			os.RemoveAll(dir)
		}
	})
	return n
}

func logLines() int {
	if os.Getenv("E2E_STACKS") != "" {
		return 5000
	}
	return 25
}

func (n *node) addr() string { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }

func (n *node) logFile() string { return filepath.Join(n.dir, "log") }

func (n *node) logTail(lines int) string {
	raw, err := os.ReadFile(n.logFile())
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// start starts the process and waits until it answers.
func (n *node) start() {
	n.t.Helper()
	n.launch()
	n.awaitPing()
}

// launch starts the process.
func (n *node) launch() {
	n.t.Helper()
	args := []string{"--port", strconv.Itoa(n.port), "--bind", n.host, "--dir", n.dir, "--save", "", "--appendonly", "no"}
	if level := os.Getenv("E2E_LOGLEVEL"); level != "" {
		args = append(args, "--loglevel", level)
	}
	n.launchWith(append(args, n.args...)...)
}

func (n *node) launchWith(args ...string) {
	n.t.Helper()
	if n.running() {
		n.t.Fatalf("the node on port %d runs already", n.port)
	}
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(n.bin, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// Nothing outlives the test, even if that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		n.t.Fatalf("start %s: %v", n.bin, err)
	}
	ended := make(chan struct{})
	n.process, n.ended = cmd.Process, ended
	go func() {
		_ = cmd.Wait()
		n.state = cmd.ProcessState
		close(ended)
	}()
}

func (n *node) awaitPing() {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("port %d answers PING", n.port), func() error {
		if !n.running() {
			n.t.Fatalf("the node on port %d ended: %v\n%s", n.port, n.state, n.logTail(20))
		}
		_, err := n.try("PING")
		return err
	})
}

func (n *node) running() bool {
	if n.process == nil {
		return false
	}
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

func (n *node) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatalf("signal %v to port %d: %v", s, n.port, err)
	}
}

// kill ends the process without a word and returns when it is gone.
func (n *node) kill() {
	n.t.Helper()
	n.disconnect()
	n.signal(syscall.SIGKILL)
	<-n.ended
}

// stop ends the process in order.
func (n *node) stop() {
	n.t.Helper()
	n.disconnect()
	n.signal(syscall.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.t.Fatalf("the node on port %d hasn't ended %v after SIGTERM", n.port, patience)
	}
	if !n.state.Success() {
		n.t.Errorf("the node on port %d ended with %v\n%s", n.port, n.state, n.logTail(20))
	}
}

func (n *node) disconnect() {
	if n.conn != nil {
		n.conn.close()
		n.conn = nil
	}
}

// try sends a command on the node's connection.
func (n *node) try(args ...string) (any, error) {
	if n.conn == nil {
		c, err := dial(n.addr())
		if err != nil {
			return nil, err
		}
		n.conn = c
	}
	reply, err := n.conn.do(args...)
	var refused replyError
	if err != nil && !errors.As(err, &refused) {
		n.disconnect()
	}
	return reply, err
}

// do sends a command that has to succeed.
func (n *node) do(args ...string) any {
	n.t.Helper()
	reply, err := n.try(args...)
	if err != nil {
		n.t.Fatalf("port %d: %s: %v", n.port, strings.Join(args, " "), err)
	}
	return reply
}

func (n *node) text(args ...string) string {
	n.t.Helper()
	s, ok := n.do(args...).(string)
	if !ok {
		n.t.Fatalf("port %d: %s: not a string", n.port, strings.Join(args, " "))
	}
	return s
}

func (n *node) int(args ...string) int {
	n.t.Helper()
	i, ok := n.do(args...).(int64)
	if !ok {
		n.t.Fatalf("port %d: %s: not an integer", n.port, strings.Join(args, " "))
	}
	return int(i)
}

func (n *node) id() string { return n.text("CLUSTER", "MYID") }

func (n *node) portText() string { return strconv.Itoa(n.port) }
