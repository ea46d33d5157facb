package fsm_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"conclave/fsm"
	"conclave/fsm/slot"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected output in testdata")

// TestScripts runs the scenarios in testdata/*.txt: commands, a line of dashes
// and what they answer. See script_commands_test.go for the commands.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := &script{t: t, s: fsm.Empty()}
			got := r.run(string(b))
			if err := restored(t, r.s).Check(); err != nil {
				t.Error(err)
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(b) {
				t.Errorf("%s: run with -rewrite and look at the difference\n%s", file, firstDifference(got, string(b)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: got %q, want %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// script is one scenario under way.
type script struct {
	t     *testing.T
	s     *fsm.State
	index uint64
	batch []fsm.Op
}

// run executes the blocks of a script and returns it with the actual output.
func (r *script) run(text string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		commands, _, hasOutput := strings.Cut(block, "\n----")
		out.WriteString(commands)
		if hasOutput {
			out.WriteString("\n----")
			for line := range strings.SplitSeq(commands, "\n") {
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				if answer := r.command(strings.Fields(line)); answer != "" {
					out.WriteString("\n" + answer)
				}
				if err := r.s.Check(); err != nil {
					r.t.Fatalf("%s: %v", line, err)
				}
			}
		}
		out.WriteString("\n\n")
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// args are a command's words: those in order, and name=value pairs.
type args struct {
	words []string
	named map[string]string
}

func parseArgs(fields []string) args {
	a := args{named: map[string]string{}}
	for _, f := range fields {
		if name, value, ok := strings.Cut(f, "="); ok {
			a.named[name] = value
		} else {
			a.words = append(a.words, f)
		}
	}
	return a
}

func (a args) word(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

func (a args) node(i int) fsm.NodeID { return fsm.NodeID(a.word(i)) }

func (a args) has(word string) bool { return slices.Contains(a.words, word) }

func (r *script) number(a args, name string, or uint64) uint64 {
	text, ok := a.named[name]
	if !ok {
		return or
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.t.Fatalf("%s=%s: %v", name, text, err)
	}
	return v
}

func (r *script) ranges(words ...string) []slot.Range {
	var out []slot.Range
	for _, w := range words {
		for part := range strings.SplitSeq(w, ",") {
			if part == "" {
				continue
			}
			first, last, two := strings.Cut(part, "-")
			if !two {
				last = first
			}
			a, err := strconv.ParseUint(first, 10, 16)
			if err != nil {
				r.t.Fatal(err)
			}
			b, err := strconv.ParseUint(last, 10, 16)
			if err != nil {
				r.t.Fatal(err)
			}
			out = append(out, slot.Range{Start: uint16(a), End: uint16(b)})
		}
	}
	return out
}

func (r *script) command(fields []string) string {
	a := parseArgs(fields[1:])
	switch fields[0] {
	case "show":
		return r.show(a)
	case "begin":
		r.batch = []fsm.Op{}
		return ""
	case "commit":
		op := &fsm.Batch{Ops: r.batch}
		r.batch = nil
		return r.apply(op, a)
	}
	op := r.op(fields[0], a)
	if op == nil {
		r.t.Fatalf("unknown command %q", fields)
	}
	if r.batch != nil {
		r.batch = append(r.batch, op)
		return ""
	}
	return r.apply(op, a)
}

func (r *script) apply(op fsm.Op, a args) string {
	r.index++
	e := &fsm.Entry{Op: op, Request: fsm.Request{Origin: fsm.NodeID(a.named["from"])}}
	e.Request.Seq = r.number(a, "seq", 0)
	var life uint64
	if n := r.s.Node(e.Request.Origin); n != nil {
		life = n.Incarnation.Count
	}
	e.Request.Incarnation.Count = r.number(a, "from-life", life)
	var res fsm.Result
	r.s, res = r.s.Apply(r.index, e)
	lines := []string{fmt.Sprintf("%d %s", r.index, answer(res))}
	for _, sub := range res.Sub {
		lines = append(lines, "  "+answer(sub))
	}
	return strings.Join(lines, "\n")
}

func answer(r fsm.Result) string {
	var text string
	switch {
	case r.Refusal != nil:
		text = r.Refusal.Error()
	case r.Changed:
		text = "ok"
	default:
		text = "ok, nothing changed"
	}
	if r.Epoch != 0 {
		text += fmt.Sprintf(", epoch %d", r.Epoch)
	}
	if r.Bumped {
		text += ", bumped"
	}
	return text
}
