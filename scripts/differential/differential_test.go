package differential

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The number of commands in a program, and of all commands unless COMMANDS says.
const (
	programSize    = 400
	sampleCommands = 20_000
)

func TestProgramsAgainstRedis(t *testing.T) {
	theirPath, err := exec.LookPath("redis-server")
	if err != nil {
		t.Log("left out, because redis-server is not installed: random programs over all families")
		return
	}
	p := &pair{ours: startServer(t, ourServer(t)), theirs: startServer(t, theirPath)}
	all := parseFamilies(os.Getenv("FAMILY"))
	total, seed, failures := fromEnv(t, "COMMANDS", sampleCommands), uint64(fromEnv(t, "SEED", 1)), 0
	clean := 0
	for number := seed; clean < total; number++ {
		prog := all.make(number, programSize)
		d, err := p.run(prog)
		if err != nil {
			t.Fatalf("program %d: %v", number, err)
		}
		clean += prog.commands()
		if d == nil {
			continue
		}
		small, d, err := p.shrink(prog, d)
		if err != nil {
			t.Fatalf("program %d, shrinking it: %v", number, err)
		}
		t.Errorf("program %d: %s\nthe smallest program:\n%s", number, d, listing(small))
		if failures++; failures == maxFailures {
			t.Fatalf("stopped after %d differences", failures)
		}
	}
	t.Logf("%d commands, programs from %d", clean, seed)
}

// maxFailures end a run.
const maxFailures = 12

func listing(p *program) string {
	var b strings.Builder
	for _, args := range p.setup {
		b.WriteString("  " + line(args) + "\n")
	}
	for _, u := range p.units {
		for _, args := range u {
			b.WriteString("  " + line(args) + "\n")
		}
	}
	return b.String()
}

func ourServer(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CONCLAVE_SERVER"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "conclave-server")
	build := exec.Command("go", "build", "-o", path, "conclave/cmd/conclave-server")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

func fromEnv(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%q is no number above 0", name, s)
	}
	return n
}
