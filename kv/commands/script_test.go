package commands_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
)

// Scripts hold commands ("> SET a 1") and below each its reply. With -update
// the replies are taken from an installed redis-server, which is where they
// come from in the first place; review the difference.
var update = flag.Bool("update", false, "rewrite the replies in testdata from redis-server")

type step struct {
	args []string
	want string
}

func readScript(t *testing.T, path string) (lines []string, steps map[int]step) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	steps = map[int]step{}
	for i, l := range lines {
		if cmd, ok := strings.CutPrefix(l, "> "); ok {
			s := step{args: words(t, cmd)}
			if i+1 < len(lines) {
				s.want = lines[i+1]
			}
			steps[i] = s
		}
	}
	return lines, steps
}

// doer is what runs a command: this package or a redis-server.
type doer interface{ do(args ...string) string }

func runScript(t *testing.T, path string, d doer) {
	t.Helper()
	lines, steps := readScript(t, path)
	for i := range lines {
		if s, ok := steps[i]; ok {
			if got := d.do(s.args...); got != s.want {
				t.Errorf("%s:%d: %s\n got: %s\nwant: %s", path, i+1, lines[i], got, s.want)
			}
		}
	}
}

func rewriteScript(t *testing.T, path string, d doer) {
	t.Helper()
	lines, steps := readScript(t, path)
	var out []string
	for i, l := range lines {
		if s, ok := steps[i]; ok {
			out = append(out, l, d.do(s.args...))
		} else if l == "" || l[0] == '#' {
			out = append(out, l)
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if *update {
				if r := startRedis(t, "the replies of "+path, options(path)...); r != nil {
					r.ready(clustered(path))
					rewriteScript(t, path, r)
				}
			}
			databases := 16
			if clustered(path) {
				databases = 1
			}
			l := newLocal(t, commands.Deps{Store: kv.New(kv.Config{Databases: databases}), Cluster: clustered(path), MaxBulkLen: func() int64 { return 1 << 20 }})
			l.now = time.Now().UnixMilli()
			runScript(t, path, l)
		})
	}
}

// The scripts say what redis-server says.
func TestScriptsAgainstRedis(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*.txt")
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			if r := startRedis(t, path+" against redis-server", options(path)...); r != nil {
				r.ready(clustered(path))
				runScript(t, path, r)
			}
		})
	}
}

func clustered(path string) bool { return strings.Contains(path, "cluster") }

func options(path string) []string {
	o := []string{"--proto-max-bulk-len", "1mb"}
	if clustered(path) {
		o = append(o, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
	}
	return o
}
