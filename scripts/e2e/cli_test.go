package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is typed once the prompt was printed: redis-cli reads from its terminal
// whatever is there, so that answers given too early are lost.
type answer struct{ prompt, text string }

// cli runs redis-cli and returns what it printed and its exit status.
func cli(t testing.TB, stdin string, args ...string) (string, int) {
	t.Helper()
	return dialogue(t, []answer{{"", stdin}}, args...)
}

// dialogue is cli with answers to what it asks.
func dialogue(t testing.TB, answers []answer, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "redis-cli", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{in: in, answers: answers, tooMuch: cancel}
	cmd.Stdout, cmd.Stderr = s, s
	if err := cmd.Start(); err != nil {
		t.Fatalf("redis-cli: %v", err)
	}
	s.reply()
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("redis-cli %s: not done in time, or printing without end:\n%s", strings.Join(args, " "), s.out.String())
	case err != nil && !errors.As(err, &exit):
		t.Fatalf("redis-cli: %v", err)
	}
	return s.out.String(), cmd.ProcessState.ExitCode()
}

// screen shows what redis-cli prints to whoever answers it.
type screen struct {
	mu      sync.Mutex
	out     bytes.Buffer
	seen    int // end of the last prompt that was answered
	in      io.WriteCloser
	answers []answer
	tooMuch func()
}

func (s *screen) Write(p []byte) (int, error) {
	const most = 1 << 20
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.Len() > most {
		s.tooMuch()
		return len(p), nil
	}
	s.out.Write(p)
	s.replyLocked()
	return len(p), nil
}

func (s *screen) reply() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replyLocked()
}

func (s *screen) replyLocked() {
	for len(s.answers) > 0 {
		at := bytes.Index(s.out.Bytes()[s.seen:], []byte(s.answers[0].prompt))
		if at < 0 {
			return
		}
		s.seen += at + len(s.answers[0].prompt)
		_, _ = io.WriteString(s.in, s.answers[0].text) // it may have ended
		s.answers = s.answers[1:]
	}
	_ = s.in.Close()
}

// mustCli is cli for what has to succeed.
func mustCli(t testing.TB, args ...string) string {
	t.Helper()
	out, status := cli(t, "", args...)
	if status != 0 {
		t.Fatalf("redis-cli %s: status %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// check is redis-cli --cluster check without a complaint.
func (c *cluster) check() string {
	c.t.Helper()
	out := mustCli(c.t, "--cluster", "check", c.nodes[0].addr())
	for _, want := range []string{"[OK] All nodes agree about slots configuration.", "[OK] All 16384 slots covered."} {
		if !strings.Contains(out, want) {
			c.t.Fatalf("check doesn't say %q:\n%s", want, out)
		}
	}
	for _, bad := range []string{"[WARNING]", "[ERR]"} {
		if strings.Contains(out, bad) {
			c.t.Fatalf("check complains:\n%s", out)
		}
	}
	return out
}

func contains(t testing.TB, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Fatalf("%q is missing in\n%s", w, out)
		}
	}
}
