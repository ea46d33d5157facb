package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// cli runs redis-cli and returns what it printed and its exit status.
func cli(t testing.TB, stdin string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "redis-cli", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("redis-cli %s: not done in time; it printed\n%s", strings.Join(args, " "), out.String())
	case err != nil && !errors.As(err, &exit):
		t.Fatalf("redis-cli: %v", err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
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
