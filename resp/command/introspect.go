package command

import (
	"strings"
)

// Specs are the commands about commands. Everything they answer is derived
// from the table they are looked up in.
func Specs() []Spec {
	const flags = Loading | Stale
	return []Spec{{
		Name: "command", Arity: -1, Flags: flags, ACL: CatConnection, Group: "server", Since: "2.8.13",
		Cost: "O(N) where N is the total number of Redis commands", Doc: "Details of all commands.",
		Tips: []string{"nondeterministic_output_order"},
		Run:  commandAll,
		Sub: []Spec{
			{Name: "count", Arity: 2, Flags: flags, ACL: CatConnection, Group: "server", Since: "2.8.13", Cost: "O(1)",
				Doc: "The number of commands.", Run: func(c *Ctx) { c.Int(int64(len(c.table.list))) }},
			{Name: "docs", Arity: -2, Flags: flags, ACL: CatConnection, Group: "server", Since: "7.0.0",
				Cost: "O(N) where N is the number of commands to look up", Doc: "Documentation of commands.",
				Args: "[command-name [command-name ...]]", Tips: []string{"nondeterministic_output_order"}, Run: commandDocs},
			{Name: "getkeys", Arity: -3, Flags: flags, ACL: CatConnection, Group: "server", Since: "2.8.13",
				Cost: "O(N) where N is the number of arguments to the command", Doc: "The keys of a full command.",
				Args: "command [arg [arg ...]]", Run: func(c *Ctx) { commandKeys(c, false) }},
			{Name: "getkeysandflags", Arity: -3, Flags: flags, ACL: CatConnection, Group: "server", Since: "7.0.0",
				Cost: "O(N) where N is the number of arguments to the command", Doc: "The keys of a full command and what it does to each.",
				Args: "command [arg [arg ...]]", Run: func(c *Ctx) { commandKeys(c, true) }},
			{Name: "help", Arity: 2, Flags: flags, ACL: CatConnection, Group: "server", Since: "5.0.0", Cost: "O(1)",
				Doc: "Help on the subcommands.", Run: commandHelp},
			{Name: "info", Arity: -2, Flags: flags, ACL: CatConnection, Group: "server", Since: "2.8.13",
				Cost: "O(N) where N is the number of commands to look up", Doc: "Details of some commands, of all by default.",
				Args: "[command-name [command-name ...]]", Tips: []string{"nondeterministic_output_order"}, Run: commandInfo},
			{Name: "list", Arity: -2, Flags: flags, ACL: CatConnection, Group: "server", Since: "7.0.0",
				Cost: "O(N) where N is the total number of Redis commands", Doc: "The names of commands.",
				Args: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
				Tips: []string{"nondeterministic_output_order"}, Run: commandList},
		},
	}}
}

func commandAll(c *Ctx) {
	shown := c.table.shown()
	c.Array(len(shown))
	for _, s := range shown {
		writeInfo(c, s)
	}
}

// shown are the top-level commands without the internal ones.
func (t *Table) shown() []*Spec {
	all := make([]*Spec, 0, len(t.list))
	for _, s := range t.list {
		if s.Flags&Internal == 0 {
			all = append(all, s)
		}
	}
	return all
}

func commandInfo(c *Ctx) {
	if len(c.Args) == 2 {
		commandAll(c)
		return
	}
	c.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if s := c.table.Full(string(name)); s != nil {
			writeInfo(c, s)
		} else {
			c.Null()
		}
	}
}

func commandList(c *Ctx) {
	keep := func(*Spec) bool { return true }
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 5 && c.Is(2, "filterby") && c.Is(3, "module"):
		keep = func(*Spec) bool { return false }
	case len(c.Args) == 5 && c.Is(2, "filterby") && c.Is(3, "aclcat"):
		cat := strings.ToLower(string(c.Arg(4)))
		keep = func(s *Spec) bool { return s.inCategory(cat) }
	case len(c.Args) == 5 && c.Is(2, "filterby") && c.Is(3, "pattern"):
		pattern := c.Arg(4)
		keep = func(s *Spec) bool { return Glob(pattern, []byte(s.full), true) }
	default:
		c.Error(ErrSyntax)
		return
	}
	var names []string
	for _, s := range c.table.all {
		if s.Flags&Internal == 0 && keep(s) {
			names = append(names, s.full)
		}
	}
	c.Set(len(names))
	for _, n := range names {
		c.BulkString(n)
	}
}

func commandKeys(c *Ctx, withFlags bool) {
	args := c.Args[2:]
	s := c.table.Resolve(args)
	switch {
	case s == nil || (s.Run == nil && len(s.Sub) > 0):
		c.Error("ERR Invalid command specified")
		return
	case !s.HasKeys():
		c.Error("ERR The command has no key arguments")
		return
	case !s.ArityOK(len(args)):
		c.Error("ERR Invalid number of arguments specified for command")
		return
	}
	var keys []int
	var flags []KeyFlags
	for i := range s.Keys {
		var err error
		if keys, err = s.Keys[i].Append(keys, args); err != nil {
			if k := &s.Keys[i]; s.Flags&NoMandatoryKeys != 0 && k.NumKeys && k.Begin < len(args) && string(args[k.Begin]) == "0" {
				continue
			}
			c.Error("ERR Invalid arguments specified for command")
			return
		}
		for len(flags) < len(keys) {
			flags = append(flags, s.Keys[i].CallFlags(s, args))
		}
	}
	if len(keys) == 0 && s.Flags&NoMandatoryKeys == 0 {
		c.Error("ERR Invalid arguments specified for command")
		return
	}
	c.Array(len(keys))
	for i, k := range keys {
		if withFlags {
			c.Array(2)
			c.Bulk(args[k])
			writeKeyFlags(c, flags[i])
		} else {
			c.Bulk(args[k])
		}
	}
}

func commandHelp(c *Ctx) {
	lines := []string{
		"COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"(no subcommand)",
		"    Return details about all Redis commands.",
		"COUNT",
		"    Return the total number of commands in this Redis server.",
		"LIST",
		"    Return a list of all commands in this Redis server.",
		"INFO [<command-name> ...]",
		"    Return details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"DOCS [<command-name> ...]",
		"    Return documentation details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"GETKEYS <full-command>",
		"    Return the keys from a full Redis command.",
		"GETKEYSANDFLAGS <full-command>",
		"    Return the keys and the access flags from a full Redis command.",
		"HELP",
		"    Print this help.",
	}
	c.Array(len(lines))
	for _, l := range lines {
		c.Simple(l)
	}
}
