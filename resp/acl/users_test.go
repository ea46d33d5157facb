package acl_test

import (
	"strings"
	"testing"

	"conclave/resp/acl"
	"conclave/resp/command"
)

func table(t testing.TB) *command.Table {
	t.Helper()
	run := func(*command.Ctx) {}
	key := func(f command.KeyFlags) []command.KeySpec { return []command.KeySpec{{Begin: 1, Flags: f}} }
	tab, err := command.Build([]command.Spec{
		{Name: "get", Arity: 2, Flags: command.ReadOnly | command.Fast, ACL: command.CatString, Keys: key(command.RO | command.Access), Doc: "d", Run: run},
		{Name: "mget", Arity: -2, Flags: command.ReadOnly, ACL: command.CatString, Keys: []command.KeySpec{{Begin: 1, Last: -1, Flags: command.RO | command.Access}}, Doc: "d", Run: run},
		{Name: "set", Arity: -3, Flags: command.Write, ACL: command.CatString, Keys: key(command.RW | command.Access | command.Update | command.VariableFlags), Doc: "d", Run: run},
		{Name: "select", Arity: 2, Flags: command.Fast, ACL: command.CatConnection, Doc: "d", Run: run},
		{Name: "auth", Arity: -2, Flags: command.NoAuth, ACL: command.CatConnection, Doc: "d", Run: run},
		{Name: "publish", Arity: 3, Flags: command.PubSub, Doc: "d", Run: run},
		{Name: "subscribe", Arity: -2, Flags: command.PubSub, Doc: "d", Run: run},
		{Name: "psubscribe", Arity: -2, Flags: command.PubSub, Doc: "d", Run: run},
		{Name: "config", Arity: -2, Flags: command.Admin, Doc: "d", Sub: []command.Spec{
			{Name: "get", Arity: -3, Flags: command.Admin, Doc: "d", Run: run}, {Name: "set", Arity: -4, Flags: command.Admin, Doc: "d", Run: run},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestRulesAreShownAsTheyHold(t *testing.T) {
	const hashOfX = "#2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
	for rules, want := range map[string]string{
		"":                                 "off sanitize-payload resetchannels -@all",
		"on >x ~a* &ch* +@read -get":       "on sanitize-payload " + hashOfX + " ~a* resetchannels &ch* -@all +@read -get",
		"on >x nopass":                     "on nopass sanitize-payload resetchannels -@all",
		">x <x":                            "off sanitize-payload resetchannels -@all",
		hashOfX + " skip-sanitize-payload": "off skip-sanitize-payload " + hashOfX + " resetchannels -@all",
		"+@all":                            "off sanitize-payload resetchannels +@all",
		"+get +@all -config +CONFIG|get":   "off sanitize-payload resetchannels +@all -config +config|get",
		"+config|get +config":              "off sanitize-payload resetchannels -@all +config",
		"+select|0 +select|1 +get":         "off sanitize-payload resetchannels -@all +select|0 +select|1 +get",
		"allcommands nocommands":           "off sanitize-payload resetchannels -@all",
		"%R~a %RW~b %W~c ~a":               "off sanitize-payload ~a ~b %W~c resetchannels -@all",
		"allkeys allchannels":              "off sanitize-payload ~* &* -@all",
		"(~z* +set) (allkeys":              "",
		"+get (~z* +set) ( %R~y +get )":    "off sanitize-payload resetchannels -@all +get (~z* resetchannels -@all +set) (%R~y resetchannels -@all +get)",
		"(+get) clearselectors":            "off sanitize-payload resetchannels -@all",
		"on ~a +get reset":                 "off sanitize-payload resetchannels -@all",
	} {
		users := acl.New(table(t), nil)
		err := users.Set("u", strings.Fields(rules))
		if want == "" {
			if err == nil {
				t.Errorf("%q: no error", rules)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", rules, err)
			continue
		}
		lines := users.Lines()
		if got := lines[len(lines)-1]; got != "user u "+want {
			t.Errorf("%q is %q, want %q", rules, got, want)
		}
		// What is shown makes the same user again.
		again := acl.New(table(t), nil)
		if _, err := again.Load(strings.NewReader(strings.Join(lines, "\n"))); err != nil {
			t.Errorf("%q: %v", lines, err)
		} else if got := again.Lines(); strings.Join(got, "\n") != strings.Join(lines, "\n") {
			t.Errorf("%q was loaded as %q", lines, got)
		}
	}
}

func TestWrongRules(t *testing.T) {
	for rules, want := range map[string]string{
		"xx": "Error in ACL SETUSER modifier 'xx': Syntax error", "%X~a": "Error in ACL SETUSER modifier '%X~a': Syntax error",
		"+nosuch":    "Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL",
		"+@nosuch":   "Error in ACL SETUSER modifier '+@nosuch': Unknown command or category name in ACL",
		"+get|x|y":   "Error in ACL SETUSER modifier '+get|x|y': Unknown command or category name in ACL",
		"-set|xx":    "Error in ACL SETUSER modifier '-set|xx': Unknown command or category name in ACL",
		"+config|no": "Error in ACL SETUSER modifier '+config|no': Unknown command or category name in ACL",
		"<zz":        "Error in ACL SETUSER modifier '<zz': The password you are trying to remove from the user does not exist",
		"#zz":        "Error in ACL SETUSER modifier '#zz': The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
		"+get ~* ~b": "Error in ACL SETUSER modifier '~b': Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
		"(+get":      "Unmatched parenthesis in acl selector starting at '(+get'.",
		"+get (on)":  "Error in ACL SETUSER modifier '(on)': Syntax error",
		"+@all -":    "Error in ACL SETUSER modifier '-': Unknown command or category name in ACL",
	} {
		users := acl.New(table(t), nil)
		if err := users.Set("u", strings.Fields(rules)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", rules, err, want)
		}
		if users.Get("u") != nil {
			t.Errorf("%q made a user", rules)
		}
	}
}

func TestCheck(t *testing.T) {
	tab := table(t)
	for rules, calls := range map[string]map[string]string{
		"+get ~a*":                    {"get a1": "", "get b": "key b", "set a 1": "command set", "auth x": ""},
		"+@all ~*":                    {"set x y": "", "publish c m": "channel c", "config get x": ""},
		"+@all -config|set ~* &*":     {"config get x": "", "config set x y": "command config|set"},
		"+@read ~a":                   {"mget a a": "", "mget a b": "key b"},
		"+@string %R~r* %W~w* %RW~x*": {"get r": "", "get w": "key w", "set w 1": "", "set r 1": "key r", "set w 1 GET": "key w", "set x 1 get": ""},
		"+select|0":                   {"select 0": "", "select 1": "command select"},
		"+@pubsub &a* &b":             {"publish a1 m": "", "subscribe a1 b c": "channel c", "psubscribe a*": "", "psubscribe a1*": "channel a1*"},
		"+get ~a (+set ~b)":           {"get a": "", "set b 1": "", "get b": "key b", "set a 1": "key a"},
	} {
		users := acl.New(tab, nil)
		if err := users.Set("u", strings.Fields(rules)); err != nil {
			t.Fatal(err)
		}
		for call, want := range calls {
			var args [][]byte
			for _, w := range strings.Fields(call) {
				args = append(args, []byte(w))
			}
			d, ok := users.Get("u").Check(tab.Resolve(args), args)
			got := string(d.Reason) + " " + d.Object
			if ok {
				got = ""
			}
			if got != want {
				t.Errorf("%q: %q gives %q, want %q", rules, call, got, want)
			}
		}
	}
}

func TestPasswords(t *testing.T) {
	users := acl.New(table(t), nil)
	if u := users.Authenticate("default", []byte("anything")); u == nil || !u.Unrestricted() || u.PasswordNeeded() {
		t.Error("the default user isn't free at first")
	}
	if err := users.Set("bob", []string{"on", ">one", ">two"}); err != nil {
		t.Fatal(err)
	}
	for pw, want := range map[string]bool{"one": true, "two": true, "three": false, "": false} {
		if got := users.Authenticate("bob", []byte(pw)) != nil; got != want {
			t.Errorf("password %q: %v", pw, got)
		}
	}
	bob := users.Get("bob")
	if err := users.Set("bob", []string{"off"}); err != nil || users.Authenticate("bob", []byte("one")) != nil || users.Get("bob") != bob {
		t.Error("a user that is off gets in, or is another one")
	}
	if users.Delete("default") || !users.Delete("bob") || users.Get("bob") != nil {
		t.Error("deleting")
	}
}
