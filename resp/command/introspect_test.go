package command_test

import (
	"strings"
	"testing"

	"conclave/resp"
	"conclave/resp/command"
)

// call runs a command line in a table and returns the reply, CRLF as a dot.
func call(t *testing.T, table *command.Table, proto int, line string) string {
	t.Helper()
	args := words(line)
	s := table.Resolve(args)
	if s == nil || !s.ArityOK(len(args)) {
		t.Fatalf("%q can't be called", line)
	}
	var w resp.Writer
	w.SetProto(proto)
	c := command.NewCtx(table, nil, &w)
	c.Spec, c.Args = s, args
	s.Run(c)
	return strings.TrimSuffix(strings.ReplaceAll(string(w.Bytes()), "\r\n", "·"), "·")
}

func sample(t *testing.T) *command.Table {
	t.Helper()
	table, err := command.Build([]command.Spec{
		{Name: "get", Arity: 2, Flags: command.ReadOnly | command.Fast, ACL: command.CatString, Since: "1.0.0", Group: "string", Cost: "O(1)",
			Doc: "The value of a key.", Args: "key", Keys: []command.KeySpec{{Begin: 1, Flags: command.RO | command.Access}}, Run: run},
		{Name: "rename", Arity: 3, Flags: command.Write, ACL: command.CatKeyspace, Doc: "d", Args: "key newkey", Run: run,
			Keys: []command.KeySpec{{Begin: 1, Flags: command.RW | command.Access | command.Delete}, {Begin: 2, Flags: command.OW | command.Update}}},
		{Name: "eval", Arity: -3, Doc: "d", Args: "script numkeys [key [key ...]]", Run: run, Keys: []command.KeySpec{{Begin: 2, NumKeys: true, Flags: command.RW}}},
		{Name: "ping", Arity: -1, Flags: command.Fast, Doc: "d", Args: "[message]", Run: run},
		{Name: "secret", Arity: -1, Flags: command.Internal, Doc: "d", Run: run},
		{Name: "config", Arity: -2, Doc: "d", Since: "2.0.0", Sub: []command.Spec{
			{Name: "get", Arity: -3, Flags: command.Admin, Doc: "d", Args: "parameter [parameter ...]", Run: run},
		}},
	}, command.Specs())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestCommandFamily(t *testing.T) {
	t.Parallel()
	table := sample(t)
	const get3 = "*10·$3·get·:2·~2·+readonly·+fast·:1·:1·:1·~3·+@read·+@string·+@fast·~0·~1·%3·$5·flags·~2·+RO·+access·$12·begin_search·%2·$4·type·$5·index·$4·spec·%1·$5·index·:1·$9·find_keys·%2·$4·type·$5·range·$4·spec·%3·$7·lastkey·:0·$7·keystep·:1·$5·limit·:0·~0"
	for _, tt := range []struct {
		proto    int
		in, want string
	}{
		{3, "command info get nope", "*2·" + get3 + "·_"},
		{2, "command info nope CONFIG|get", "*2·$-1·*10·$10·config|get·:-3·*1·+admin·:0·:0·:0·*3·+@admin·+@slow·+@dangerous·*0·*0·*0"},
		{2, "command count", ":7"},
		{2, "command getkeys get a", "*1·$1·a"},
		{2, "command getkeys rename a b", "*2·$1·a·$1·b"},
		{2, "command getkeysandflags rename a b", "*2·*2·$1·a·*3·+RW·+access·+delete·*2·$1·b·*2·+OW·+update"},
		{2, "command getkeys get", "-ERR Invalid number of arguments specified for command"},
		{2, "command getkeys nope", "-ERR Invalid command specified"},
		{2, "command getkeys ping", "-ERR The command has no key arguments"},
		{2, "command getkeys eval x 5 a", "-ERR Invalid arguments specified for command"},
		{2, "command getkeys eval x 1 a b", "*1·$1·a"},
		{2, "command list filterby pattern C*t", "*3·$10·config|get·$13·command|count·$12·command|list"},
		{3, "command list filterby pattern xx", "~0"},
		{2, "command list filterby aclcat STRING", "*1·$3·get"},
		{2, "command list filterby aclcat nope", "*0"},
		{2, "command list filterby module m", "*0"},
		{2, "command list filterby foo m", "-ERR syntax error"},
		{2, "command list x", "-ERR syntax error"},
		{3, "command docs nope get", "%1·$3·get·%5·$7·summary·$19·The value of a key.·$5·since·$5·1.0.0·$5·group·$6·string·$10·complexity·$4·O(1)·$9·arguments·*1·%3·$4·name·$3·key·$4·type·$3·key·$14·key_spec_index·:0"},
		{3, "command docs config", "%1·$6·config·%3·$7·summary·$1·d·$5·since·$5·2.0.0·$11·subcommands·%1·$10·config|get·%3·$7·summary·$1·d·$5·since·$5·1.0.0·$9·arguments·*1·%3·$4·name·$9·parameter·$4·type·$6·string·$5·flags·~1·+multiple"},
	} {
		if got := call(t, table, tt.proto, tt.in); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
	if got := call(t, table, 2, "command"); !strings.HasPrefix(got, "*6·*10·$3·get·") || strings.Contains(got, "secret") {
		t.Errorf("COMMAND: %.100s", got)
	}
	if got := call(t, table, 2, "command list"); strings.Contains(got, "secret") || !strings.Contains(got, "config|get") {
		t.Errorf("COMMAND LIST: %s", got)
	}
	if got := call(t, table, 2, "command help"); !strings.HasPrefix(got, "*21·+COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:·") {
		t.Errorf("COMMAND HELP: %s", got)
	}
}

// The arguments of COMMAND DOCS, written as name:type=token?+ with groups in
// parentheses.
func TestGrammar(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                             "",
		"key":                          "key:key",
		"key value":                    "key:key value:string",
		"key [key ...]":                "key:key+",
		"key...":                       "key:key+",
		"key value [key value ...]":    "key-value:block+(key:key value:string)",
		"(key value)...":               "key-value:block+(key:key value:string)",
		"[NX | XX]":                    "nx-or-xx:oneof?(nx:pure-token=NX xx:pure-token=XX)",
		"key [EX seconds | KEEPTTL]":   "key:key seconds-or-keepttl:oneof?(seconds:integer=EX keepttl:pure-token=KEEPTTL)",
		"[LIMIT offset count]":         "limit:block=LIMIT?(offset:integer count:integer)",
		"cursor [MATCH pattern]":       "cursor:integer pattern:pattern=MATCH?",
		"host port <key | \"\"> db":    "host:string port:integer key-or-\"\":oneof(key:key \"\":pure-token=) db:integer",
		"[KEYS key [key ...]]":         "key:key+=KEYS?",
		"MODULE name":                  "name:string=MODULE",
		"[ASYNC | SYNC] [GET]":         "async-or-sync:oneof?(async:pure-token=ASYNC sync:pure-token=SYNC) get:pure-token=GET?",
		"slot <NODE node-id | STABLE>": "slot:integer node-id-or-stable:oneof(node-id:string=NODE stable:pure-token=STABLE)",
	} {
		table, err := command.Build([]command.Spec{{Name: "x", Arity: -1, Doc: "d", Args: in, Run: run}}, command.Specs())
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		r := &reader{items: strings.Split(call(t, table, 2, "command docs x"), "·")}
		if got := r.grammar(); got != want {
			t.Errorf("%q\n got %s\nwant %s", in, got, want)
		}
	}
}

// reader takes a RESP2 reply apart.
type reader struct{ items []string }

func (r *reader) value() any {
	head := r.items[0]
	r.items = r.items[1:]
	switch head[0] {
	case '$':
		s := r.items[0]
		r.items = r.items[1:]
		return s
	case '*':
		var n int
		for _, c := range head[1:] {
			n = n*10 + int(c-'0')
		}
		list := []any{}
		for range n {
			list = append(list, r.value())
		}
		return list
	}
	return head[1:]
}

func (r *reader) grammar() string {
	doc := r.value().([]any)[1].([]any)
	for i := 0; i < len(doc); i += 2 {
		if doc[i] == "arguments" {
			return show(doc[i+1].([]any))
		}
	}
	return ""
}

func show(args []any) string {
	var out []string
	for _, a := range args {
		m := map[any]any{}
		pairs := a.([]any)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		s := m["name"].(string) + ":" + m["type"].(string)
		flags, _ := m["flags"].([]any)
		for _, f := range flags {
			if f == "multiple" {
				s += "+"
			}
		}
		if tok, ok := m["token"]; ok {
			s += "=" + tok.(string)
		} else if m["type"] == "pure-token" {
			s += "="
		}
		for _, f := range flags {
			if f == "optional" {
				s += "?"
			}
		}
		if sub, ok := m["arguments"].([]any); ok {
			s += "(" + show(sub) + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}
