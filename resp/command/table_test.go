package command_test

import (
	"strings"
	"testing"

	"conclave/resp/command"
)

func run(*command.Ctx) {}

func build(t *testing.T, specs ...command.Spec) *command.Table {
	t.Helper()
	table, err := command.Build(specs)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		specs []command.Spec
		want  string
	}{
		{"duplicate", []command.Spec{{Name: "a", Arity: 1, Doc: "d", Run: run}, {Name: "a", Arity: 1, Doc: "d", Run: run}}, "a: declared twice"},
		{"duplicate subcommand", []command.Spec{{Name: "a", Arity: -2, Doc: "d", Sub: []command.Spec{
			{Name: "x", Arity: 2, Doc: "d", Run: run}, {Name: "x", Arity: 2, Doc: "d", Run: run},
		}}}, "a|x: declared twice"},
		{"no doc", []command.Spec{{Name: "a", Arity: 1, Run: run}}, "a: no Doc"},
		{"upper case", []command.Spec{{Name: "A", Arity: 1, Doc: "d", Run: run}}, "lower case"},
		{"no handler", []command.Spec{{Name: "a", Arity: 1, Doc: "d"}}, "neither Run nor subcommands"},
		{"no arity", []command.Spec{{Name: "a", Doc: "d", Run: run}}, "arity 0"},
		{"subcommand's arity", []command.Spec{{Name: "a", Arity: -2, Doc: "d", Sub: []command.Spec{{Name: "x", Arity: 1, Doc: "d", Run: run}}}}, "a|x: arity 1"},
		{"key beyond arity", []command.Spec{{Name: "a", Arity: 2, Doc: "d", Run: run, Keys: []command.KeySpec{{Begin: 2}}}}, "begins at 2, arity is 2"},
		{"key range beyond arity", []command.Spec{{Name: "a", Arity: 3, Doc: "d", Run: run, Keys: []command.KeySpec{{Begin: 1, Last: 2}}}}, "ends at 3"},
		{"key is the name", []command.Spec{{Name: "a", Arity: 2, Doc: "d", Run: run, Keys: []command.KeySpec{{}}}}, "begins at 0"},
		{"keys and whole store", []command.Spec{{Name: "a", Arity: 2, Doc: "d", Run: run, Flags: command.WholeStore, Keys: []command.KeySpec{{Begin: 1}}}}, "WholeStore"},
		{"grammar", []command.Spec{{Name: "a", Arity: 1, Doc: "d", Run: run, Args: "[key"}}, `"[key"`},
		{"grammar closing", []command.Spec{{Name: "a", Arity: 1, Doc: "d", Run: run, Args: "key]"}}, "]"},
		{"grammar bar", []command.Spec{{Name: "a", Arity: 1, Doc: "d", Run: run, Args: "[a | ]"}}, "empty alternative"},
	} {
		_, err := command.Build(tt.specs)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestLookup(t *testing.T) {
	table := build(t,
		command.Spec{Name: "get", Arity: 2, Doc: "d", Run: run},
		command.Spec{Name: "config", Arity: -2, Doc: "d", Sub: []command.Spec{{Name: "get", Arity: -3, Doc: "d", Run: run}}},
	)
	for in, want := range map[string]string{
		"get": "get", "GeT a": "get", "nope": "", "config": "config", "CONFIG GET x": "config|get", "config nope": "config",
		strings.Repeat("x", 100): "",
	} {
		got := ""
		if s := table.Resolve(words(in)); s != nil {
			got = s.FullName()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if s := table.Full("Config|Get"); s == nil || s.Container() == nil || s.Container().Name != "config" || table.All()[s.Index()] != s {
		t.Error("config|get isn't found by its full name")
	}
	name := []byte("GET")
	if n := testing.AllocsPerRun(100, func() { table.Lookup(name) }); n != 0 {
		t.Errorf("%v allocations per lookup", n)
	}
}

func words(s string) (out [][]byte) {
	for _, w := range strings.Fields(s) {
		out = append(out, []byte(w))
	}
	return out
}
