package repotest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room is one row of the table of who may import whom. A directory belongs to
// the room with the longest matching name; "x/..." also means what lies below x.
type room struct {
	name   string
	ours   []string // packages of this module
	theirs []string // modules of others
	never  []string // packages of the standard library
	why    string
}

var impure = []string{"time", "os", "net", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "sync", "context"}

func rooms() []room {
	return []room{
		{name: "fsm/slot", never: impure, why: "slot arithmetic is pure and everybody's"},
		{name: "fsm", ours: []string{"fsm/slot"}, never: impure,
			why: "the state machine must come to the same result on every node: no clock, no randomness, no I/O"},
		{name: "fsm/nodesconf", ours: []string{"fsm", "fsm/slot"}, never: []string{"os", "net", "log/slog", "math/rand"}, why: "a file format is text in, values out"},
		{name: "fsm/fsmtest", ours: []string{"fsm", "fsm/slot"}, why: "generators and invariants serve every user of fsm"},

		{name: "resp", theirs: []string{"github.com/tidwall/redcon"}, why: "the wire knows no command"},
		{name: "resp/command", ours: []string{"resp", "fsm/slot"}, why: "what a command is doesn't depend on the data or the cluster"},
		{name: "resp/server", ours: []string{"resp", "resp/command"}, why: "the server meets data and cluster through resp/command's interfaces only"},
		{name: "resp/acl", ours: []string{"resp/command"}, why: "what users may do depends on the command table alone"},
		{name: "resp/commands", ours: []string{"resp", "resp/command", "resp/server", "resp/acl"}, why: "commands about the session know neither data nor cluster"},

		{name: "kv/ds/...", ours: []string{"kv/ds/..."}, why: "data structures know no Redis"},
		{name: "kv", ours: []string{"kv/ds/...", "fsm/slot", "resp/command"}, why: "the store is below the server and beside the cluster; resp/command is the contract it implements"},
		{name: "kv/persist", ours: []string{"kv", "kv/ds", "fsm/slot"}, why: "formats know the data, not who serves it"},
		{name: "kv/values", ours: []string{"kv", "kv/persist", "kv/ds/..."}, why: "between the store and the formats, and nothing else"},
		{name: "kv/durable", ours: []string{"kv/...", "resp", "resp/command", "fsm/slot"}, why: "what keeps the data on disk is below the server: it is handed effects"},
		{name: "kv/geo", why: "arithmetic on positions"},
		{name: "kv/repl", ours: []string{"kv/...", "resp", "resp/command", "fsm/slot"}, why: "replication is handed effects and connections: it knows the data, not who serves it"},
		{name: "kv/migrate", ours: []string{"kv", "kv/persist", "kv/ds", "fsm/slot"}, why: "moving keys knows the data, not who serves it"},
		{name: "kv/commands", ours: []string{"kv/...", "resp", "resp/command", "fsm/slot"}, why: "commands on keys reach the cluster through the router only"},
		{name: "kv/script", ours: []string{"kv/...", "resp", "resp/command", "fsm/slot"}, theirs: []string{"github.com/yuin/gopher-lua"}, why: "scripts are commands on keys"},

		{name: "raftnode/sim", ours: []string{"raftnode/...", "fsm/...", "resp/command"}, theirs: []string{"github.com/hashicorp"},
			why: "the simulation asks the router as the server does"},
		{name: "raftnode/...", ours: []string{"raftnode/...", "fsm/..."}, theirs: []string{"github.com/hashicorp", "go.etcd.io/bbolt"},
			why: "the control plane learns about the data through interfaces it declares itself"},
		{name: "raftnode/commands", ours: []string{"raftnode/...", "fsm/...", "resp", "resp/command"}, why: "CLUSTER commands speak RESP, and ask the control plane for everything"},

		{name: "raftnode/router", ours: []string{"raftnode", "fsm/...", "resp/command"}, why: "routing answers resp/command's questions from the view"},

		{name: "cmd/internal/...", ours: []string{"cmd/internal/..."}, why: "what the programs share is below all rooms"},
		{name: "cmd/conclave-server", ours: []string{"..."}, theirs: []string{""}, why: "wire.go knows all rooms"},
		{name: "cmd/conclave-admin", ours: []string{"..."}, theirs: []string{""}, why: "offline tools open whatever there is"},
		{name: "scripts/...", ours: []string{"..."}, theirs: []string{""}, why: "tests from outside may use any client"},
	}
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		r, ok := roomOf(p.dir)
		if !ok {
			t.Errorf("%s belongs to no room: add a row that says whom it may import, and why", p.dir)
			continue
		}
		for path, f := range p.files {
			for _, spec := range f.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if !r.allows(imported) {
					t.Errorf("%s imports %s, but %s may not: %s", path, imported, p.dir, r.why)
				}
			}
		}
	}
}

func roomOf(dir string) (room, bool) {
	var best room
	for _, r := range rooms() {
		if within(dir, r.name) && len(r.name) > len(best.name) {
			best = r
		}
	}
	return best, best.name != ""
}

func (r room) allows(imported string) bool {
	if dir, ok := strings.CutPrefix(imported, module+"/"); ok {
		return slices.ContainsFunc(r.ours, func(pattern string) bool { return within(dir, pattern) })
	}
	if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
		return slices.ContainsFunc(r.theirs, func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
	}
	return !slices.Contains(r.never, imported)
}

// within reports whether a directory matches a name, or lies below "name/...".
func within(dir, pattern string) bool {
	if pattern == "..." {
		return true
	}
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == above || strings.HasPrefix(dir, above+"/")
	}
	return dir == pattern
}

// The rules themselves must be able to fail.
func TestRulesRefuse(t *testing.T) {
	for _, x := range []struct {
		dir, imported string
		want          bool
	}{
		{"fsm", "time", false},
		{"fsm", "conclave/fsm/slot", true},
		{"fsm", "conclave/kv", false},
		{"kv", "conclave/raftnode", false},
		{"kv", "go.etcd.io/bbolt", false},
		{"raftnode/store", "go.etcd.io/bbolt", true},
		{"raftnode/lease", "conclave/kv", false},
		{"raftnode/commands", "conclave/resp/server", false},
		{"raftnode/commands", "github.com/hashicorp/raft", false},
		{"resp/server", "conclave/kv", false},
		{"resp/command", "github.com/tidwall/redcon", false},
		{"kv/commands", "conclave/kv/persist", true},
		{"cmd/conclave-server", "conclave/raftnode/commands", true},
	} {
		r, ok := roomOf(x.dir)
		if !ok || r.allows(x.imported) != x.want {
			t.Errorf("%s (room %q) imports %s: allowed %v", x.dir, r.name, x.imported, !x.want)
		}
	}
}
