package command_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"conclave/resp/command"
)

var keySpecs = map[string]command.Spec{
	"get":      {Arity: 2, Keys: []command.KeySpec{{Begin: 1}}},
	"del":      {Arity: -2, Keys: []command.KeySpec{{Begin: 1, Last: -1}}},
	"mset":     {Arity: -3, Keys: []command.KeySpec{{Begin: 1, Last: -1, Step: 2}}},
	"rename":   {Arity: 3, Keys: []command.KeySpec{{Begin: 1}, {Begin: 2}}},
	"blpop":    {Arity: -3, Keys: []command.KeySpec{{Begin: 1, Last: -2}}},
	"lmpop":    {Arity: -4, Keys: []command.KeySpec{{Begin: 1, NumKeys: true}}},
	"zstore":   {Arity: -4, Keys: []command.KeySpec{{Begin: 1}, {Begin: 2, NumKeys: true}}},
	"xread":    {Arity: -4, Keys: []command.KeySpec{{Keyword: "STREAMS", Begin: 1, Last: -1, Limit: 2}}},
	"geo":      {Arity: -6, Keys: []command.KeySpec{{Begin: 1}, {Keyword: "STORE", Begin: 6}}},
	"backward": {Arity: -6, Keys: []command.KeySpec{{Keyword: "KEYS", Begin: -2, Last: -1}}},
	"found": {Arity: -1, Keys: []command.KeySpec{{Find: func(dst []int, args [][]byte) ([]int, error) {
		if len(args) > 2 {
			return append(dst, len(args)-1, 7), nil
		}
		return append(dst, len(args)-1), nil
	}}}},
}

func spec(t *testing.T, name string) *command.Spec {
	t.Helper()
	s := keySpecs[name]
	s.Name, s.Doc, s.Run = name, "d", run
	return build(t, s).Full(name)
}

func TestAppendKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want []int
		fail bool
	}{
		{"get a", []int{1}, false},
		{"get", nil, true},
		{"del a b c", []int{1, 2, 3}, false},
		{"mset a 1 b 2", []int{1, 3}, false},
		{"mset a 1 b", []int{1, 3}, false},
		{"rename a b", []int{1, 2}, false},
		{"blpop a b 0", []int{1, 2}, false},
		{"lmpop 2 a b left", []int{2, 3}, false},
		{"lmpop 3 a b", nil, true},
		{"lmpop 0 a b", nil, true},
		{"lmpop -1 a b", nil, true},
		{"lmpop x a b", nil, true},
		{"lmpop 999999999 a b", nil, true},
		{"lmpop 99999999999999999999 a b", nil, true},
		{"zstore d 2 a b", []int{1, 3, 4}, false},
		{"xread count 2 streams a b 0 0", []int{4, 5}, false},
		{"xread count 2 Streams a b c 0 0", []int{4, 5}, false},
		{"xread count 2 streams", nil, false},
		{"geo a 1 2 3 m", []int{1}, false},
		{"geo a 1 2 3 m store b", []int{1, 7}, false},
		{"geo a 1 2 3 m store", []int{1}, false},
		{"backward h p x 0 10 keys a b c", []int{7, 8, 9}, false},
		{"backward h p x 0 keys a", []int{6}, false},
		{"found a", []int{1}, false},
		{"found a b", nil, true}, // an index out of range
	} {
		args := words(tt.in)
		got, err := spec(t, string(args[0])).AppendKeys(nil, args)
		if (err != nil) != tt.fail || (err == nil && !slices.Equal(got, tt.want)) {
			t.Errorf("%q: got %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

// Redis's redis-server 7.0.15 says the same of commands of these shapes.
func TestLegacyKeyRange(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"get": "1 1 1", "del": "1 -1 1", "mset": "1 -1 2", "rename": "1 2 1", "blpop": "1 -2 1",
		"lmpop": "0 0 0 movablekeys", "zstore": "1 1 1 movablekeys", "xread": "0 0 0 movablekeys",
	} {
		s := keySpecs[name]
		s.Name, s.Doc, s.Run = name, "d", run
		table, err := command.Build([]command.Spec{s}, command.Specs())
		if err != nil {
			t.Fatal(err)
		}
		entry := strings.Split(call(t, table, 2, "command info "+name), "·")
		got := strings.ReplaceAll(strings.Join(entryKeys(entry), " "), ":", "")
		if slices.Contains(entry, "+movablekeys") {
			got += " movablekeys"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// entryKeys are the integers of a COMMAND INFO entry behind its arity.
func entryKeys(entry []string) []string {
	var ints []string
	for _, e := range entry {
		if strings.HasPrefix(e, ":") {
			ints = append(ints, e)
		}
	}
	return ints[1:4]
}

func FuzzAppendKeys(f *testing.F) {
	f.Add("lmpop 2 a b left")
	f.Add("xread streams a b 0 0")
	f.Add("backward keys keys")
	f.Fuzz(func(t *testing.T, in string) {
		args := words(in)
		if len(args) == 0 {
			return
		}
		for name := range keySpecs {
			s := spec(t, name)
			got, err := s.AppendKeys([]int{-7}, args)
			if got[0] != -7 || (err != nil && len(got) != 1) {
				t.Fatalf("%s: %v, %v", name, got, err)
			}
			for _, i := range got[1:] {
				if i < 1 || i >= len(args) {
					t.Fatalf("%s: index %d of %d", name, i, len(args))
				}
			}
			if i := s.SimpleKey(); i > 0 && s.ArityOK(len(args)) && fmt.Sprint(got) != fmt.Sprint([]int{-7, i}) {
				t.Fatalf("%s: simple key %d, but %v", name, i, got)
			}
		}
	})
}
