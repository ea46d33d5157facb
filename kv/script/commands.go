package script

import (
	"math"
	"strconv"
	"strings"

	"conclave/resp/command"
)

// Specs are the commands of scripting.
func (e *Engine) Specs() []command.Spec {
	const (
		flags = command.NoScript | command.SkipMonitor | command.Stale | command.Scripting | command.NoMandatoryKeys
		run   = flags | command.MayReplicate
		read  = flags | command.ReadOnly
		cost  = "Depends on the script that is executed."
	)
	keys := func(f command.KeyFlags) []command.KeySpec {
		return []command.KeySpec{{Begin: 2, NumKeys: true, Step: 1, Flags: f}}
	}
	write, only := keys(command.RW|command.Access|command.Update), keys(command.RO|command.Access)
	const group, acl = "scripting", command.CatScripting
	return []command.Spec{
		{Name: "eval", Arity: -3, Flags: run, FlagsOf: e.evalFlags(run), ACL: acl, Keys: write, Group: group, Since: "2.6.0", Cost: cost,
			Doc: "Runs a script in Lua.", Args: "script numkeys [key ...] [arg ...]", Run: func(c *command.Ctx) { e.eval(c, false) }},
		{Name: "evalsha", Arity: -3, Flags: run, FlagsOf: e.evalSHAFlags(run), ACL: acl, Keys: write, Group: group, Since: "2.6.0", Cost: cost,
			Doc: "Runs a cached script by its SHA1 digest.", Args: "sha1 numkeys [key ...] [arg ...]", Run: func(c *command.Ctx) { e.evalSHA(c, false) }},
		{Name: "eval_ro", Arity: -3, Flags: read, ACL: acl, Keys: only, Group: group, Since: "7.0.0", Cost: cost,
			Doc: "Runs a script in Lua that only reads.", Args: "script numkeys [key ...] [arg ...]", Run: func(c *command.Ctx) { e.eval(c, true) }},
		{Name: "evalsha_ro", Arity: -3, Flags: read, ACL: acl, Keys: only, Group: group, Since: "7.0.0", Cost: cost,
			Doc: "Runs a cached script that only reads by its SHA1 digest.", Args: "sha1 numkeys [key ...] [arg ...]", Run: func(c *command.Ctx) { e.evalSHA(c, true) }},
		{Name: "fcall", Arity: -3, Flags: run, FlagsOf: e.fcallFlags(run), ACL: acl, Keys: write, Group: group, Since: "7.0.0", Cost: "Depends on the function that is executed.",
			Doc: "Runs a function.", Args: "function numkeys [key ...] [arg ...]", Run: func(c *command.Ctx) { e.fcall(c, false) }},
		{Name: "fcall_ro", Arity: -3, Flags: read, ACL: acl, Keys: only, Group: group, Since: "7.0.0", Cost: "Depends on the function that is executed.",
			Doc: "Runs a function that only reads.", Args: "function numkeys [key ...] [arg ...]", Run: func(c *command.Ctx) { e.fcall(c, true) }},
		{Name: "script", Arity: -2, ACL: acl, Group: group, Since: "2.6.0", Cost: "Depends on subcommand.",
			Doc: "A container for commands about the cache of scripts.", Sub: e.scriptSpecs()},
		{Name: "function", Arity: -2, ACL: acl, Group: group, Since: "7.0.0", Cost: "Depends on subcommand.",
			Doc: "A container for commands about libraries of functions.", Sub: e.functionSpecs()},
	}
}

func (e *Engine) scriptSpecs() []command.Spec {
	const group, acl = "scripting", command.CatScripting
	return []command.Spec{
		{Name: "debug", Arity: 3, Flags: command.NoScript, ACL: acl, Group: group, Since: "3.2.0", Cost: "O(1)",
			Doc: "Sets whether scripts are debugged.", Args: "YES | SYNC | NO", Run: scriptDebug},
		{Name: "exists", Arity: -3, Flags: command.NoScript, ACL: acl, Group: group, Since: "2.6.0", Cost: "O(N) with N being the number of scripts to check.",
			Doc: "Tells which scripts are in the cache.", Args: "sha1 [sha1 ...]", Tips: []string{"request_policy:all_shards", "response_policy:agg_logical_and"}, Run: e.scriptExists},
		{Name: "flush", Arity: -2, Flags: command.NoScript, ACL: acl, Group: group, Since: "2.6.0", Cost: "O(N) with N being the number of scripts in cache",
			Doc: "Empties the cache of scripts.", Args: "[ASYNC | SYNC]", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: e.scriptFlush},
		{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, ACL: acl, Group: group, Since: "5.0.0", Cost: "O(1)",
			Doc: "Returns helpful text about the different subcommands.", Run: scriptHelp},
		{Name: "kill", Arity: 2, Flags: command.NoScript | command.AllowBusy, ACL: acl, Group: group, Since: "2.6.0", Cost: "O(1)",
			Doc: "Ends the script that is running.", Tips: []string{"request_policy:all_shards", "response_policy:one_succeeded"}, Run: func(c *command.Ctx) { e.killCommand(c, false) }},
		{Name: "load", Arity: 3, Flags: command.NoScript | command.Stale, ACL: acl, Group: group, Since: "2.6.0", Cost: "O(N) with N being the length in bytes of the script body.",
			Doc: "Puts a script into the cache.", Args: "script", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: e.scriptLoad},
	}
}

func (e *Engine) functionSpecs() []command.Spec {
	const group, acl = "scripting", command.CatScripting
	// Changes of the libraries happen while no function runs.
	const change = command.NoScript | command.Write | command.WholeStore
	nodes := []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	return []command.Spec{
		{Name: "delete", Arity: 3, Flags: change, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(1)",
			Doc: "Deletes a library and its functions.", Args: "library-name", Tips: nodes, Run: e.functionDelete},
		{Name: "dump", Arity: 2, Flags: command.NoScript, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(N) where N is the number of functions",
			Doc: "Dumps all libraries into a payload.", Run: e.functionDump},
		{Name: "flush", Arity: -2, Flags: change, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(N) where N is the number of functions deleted",
			Doc: "Deletes all libraries and functions.", Args: "[ASYNC | SYNC]", Tips: nodes, Run: e.functionFlush},
		{Name: "help", Arity: 2, Flags: command.Loading | command.Stale, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(1)",
			Doc: "Returns helpful text about the different subcommands.", Run: functionHelp},
		{Name: "kill", Arity: 2, Flags: command.NoScript | command.AllowBusy, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(1)",
			Doc: "Ends the function that is running.", Tips: []string{"request_policy:all_shards", "response_policy:one_succeeded"}, Run: func(c *command.Ctx) { e.killCommand(c, true) }},
		{Name: "list", Arity: -2, Flags: command.NoScript, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(N) where N is the number of functions",
			Doc: "Returns information about the libraries.", Args: "[LIBRARYNAME library-name-pattern] [WITHCODE]", Tips: []string{"nondeterministic_output_order"}, Run: e.functionList},
		{Name: "load", Arity: -3, Flags: change | command.DenyOOM, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(1) (considering compilation time is redundant)",
			Doc: "Creates a library.", Args: "[REPLACE] function-code", Tips: nodes, Run: e.functionLoad},
		{Name: "restore", Arity: -3, Flags: change | command.DenyOOM, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(N) where N is the number of functions on the payload",
			Doc: "Restores all libraries from a payload.", Args: "serialized-value [FLUSH | APPEND | REPLACE]", Tips: nodes, Run: e.functionRestore},
		{Name: "stats", Arity: 2, Flags: command.NoScript | command.AllowBusy, ACL: acl, Group: group, Since: "7.0.0", Cost: "O(1)",
			Doc: "Returns information about a function that is running.", Tips: []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}, Run: e.functionStats},
	}
}

// keysAndArgs splits the arguments behind numkeys. It returns the text of an
// error.
func keysAndArgs(c *command.Ctx, j *job, badNumber string) string {
	n, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
	rest := c.Args[3:]
	switch {
	case err != nil:
		return badNumber
	case n > int64(len(rest)):
		return "ERR Number of keys can't be greater than number of args"
	case n < 0:
		return "ERR Number of keys can't be negative"
	}
	j.keys, j.args = rest[:n], rest[n:]
	return ""
}

func (e *Engine) eval(c *command.Ctx, readOnly bool) {
	j := job{readOnly: readOnly}
	if text := keysAndArgs(c, &j, command.ErrNotInteger); text != "" {
		c.Error(text)
		return
	}
	s := e.cached(c.Arg(1))
	if s == nil {
		var err error
		e.compiling(c, len(c.Arg(1)), func() { s, err = e.load(c.Arg(1)) })
		if err != nil {
			c.Error("ERR " + err.Error())
			return
		}
	}
	j.script, j.name, j.flags = s, s.sha, s.flags
	e.execute(c, &j)
}

const errNoScript = "NOSCRIPT No matching script. Please use EVAL."

func (e *Engine) evalSHA(c *command.Ctx, readOnly bool) {
	j := job{readOnly: readOnly}
	if len(c.Arg(1)) != 40 {
		c.Error(errNoScript)
		return
	}
	if text := keysAndArgs(c, &j, command.ErrNotInteger); text != "" {
		c.Error(text)
		return
	}
	s := e.find(c.Arg(1))
	if s == nil {
		c.Error(errNoScript)
		return
	}
	j.script, j.name, j.flags = s, s.sha, s.flags
	e.execute(c, &j)
}

func (e *Engine) fcall(c *command.Ctx, readOnly bool) {
	e.mu.Lock()
	f := e.functions[strings.ToLower(string(c.Arg(1)))]
	e.mu.Unlock()
	if f == nil {
		c.Error("ERR Function not found")
		return
	}
	j := job{readOnly: readOnly, function: f, name: f.name, flags: f.flags}
	if text := keysAndArgs(c, &j, "ERR Bad number of keys provided"); text != "" {
		c.Error(text)
		return
	}
	e.execute(c, &j)
}

func (e *Engine) scriptLoad(c *command.Ctx) {
	s, err := e.load(c.Arg(2))
	if err != nil {
		c.Error("ERR " + err.Error())
		return
	}
	c.BulkString(s.sha)
}

func (e *Engine) scriptExists(c *command.Ctx) {
	c.Array(len(c.Args) - 2)
	for _, sha := range c.Args[2:] {
		if s := e.find(sha); s != nil && s.sha == string(sha) {
			c.Int(1)
		} else {
			c.Int(0)
		}
	}
}

// flushMode reports whether the optional argument is one of FLUSH's.
func flushMode(c *command.Ctx) bool {
	return len(c.Args) == 2 || len(c.Args) == 3 && (c.Is(2, "sync") || c.Is(2, "async"))
}

func (e *Engine) scriptFlush(c *command.Ctx) {
	if !flushMode(c) {
		c.Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
		return
	}
	e.flush()
	c.OK()
}

func scriptDebug(c *command.Ctx) {
	switch {
	case c.Is(2, "no"):
		c.OK()
	case c.Is(2, "yes"), c.Is(2, "sync"):
		c.Error("ERR debugging of scripts is not supported")
	default:
		c.Error("ERR Use SCRIPT DEBUG YES/SYNC/NO")
	}
}

func (e *Engine) killCommand(c *command.Ctx, function bool) {
	if text := e.kill(function); text != "" {
		c.Error(text)
		return
	}
	c.OK()
}

func help(c *command.Ctx, lines ...string) {
	c.Array(len(lines) + 2)
	c.Simple(strings.ToUpper(string(c.Arg(0))) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.Simple(l)
	}
	c.Simple("HELP")
}

func scriptHelp(c *command.Ctx) {
	help(c,
		"DEBUG (YES|SYNC|NO)", "    Debugging is not supported; NO is accepted.",
		"EXISTS <sha1> [<sha1> ...]", "    Tell which of the scripts are in the cache.",
		"FLUSH [ASYNC|SYNC]", "    Empty the cache.",
		"KILL", "    End the script that is running, unless it has written.",
		"LOAD <script>", "    Put a script into the cache without running it.")
}

func functionHelp(c *command.Ctx) {
	help(c,
		"DELETE <library-name>", "    Delete a library.",
		"DUMP", "    Return a payload of all libraries for RESTORE.",
		"FLUSH [ASYNC|SYNC]", "    Delete all libraries.",
		"KILL", "    End the function that is running, unless it has written.",
		"LIST [LIBRARYNAME <pattern>] [WITHCODE]", "    Describe the libraries.",
		"LOAD [REPLACE] <function-code>", "    Create a library.",
		"RESTORE <payload> [FLUSH|APPEND|REPLACE]", "    Create the libraries of a payload.",
		"STATS", "    Describe the function that is running, and the engine.")
}

func (e *Engine) functionStats(c *command.Ctx) {
	r := e.running()
	if r != nil && !r.function {
		c.Error(busyWith(false))
		return
	}
	c.Map(2)
	c.BulkString("running_script")
	if r == nil {
		c.Null()
	} else {
		c.Map(3)
		c.BulkString("name")
		c.BulkString(r.name)
		c.BulkString("command")
		c.Array(len(r.args))
		for _, a := range r.args {
			c.BulkString(a)
		}
		c.BulkString("duration_ms")
		c.Int(min(r.duration().Milliseconds(), math.MaxInt64))
	}
	i := e.Info()
	c.BulkString("engines")
	c.Map(1)
	c.BulkString("LUA")
	c.Map(2)
	c.BulkString("libraries_count")
	c.Int(int64(i.Libraries))
	c.BulkString("functions_count")
	c.Int(int64(i.Functions))
}
