package commands

import (
	"strconv"

	"conclave/resp/command"
)

func (r *room) slowlogSpecs() []command.Spec {
	const flags = command.Admin | command.Loading | command.Stale
	return []command.Spec{{
		Name: "slowlog", Arity: -2, Group: "server", Since: "2.2.12", Cost: "Depends on subcommand.", Doc: "A container for commands about the log of slow commands.",
		Sub: []command.Spec{
			{Name: "get", Arity: -2, Flags: flags, Group: "server", Since: "2.2.12", Cost: "O(N) where N is the number of entries returned",
				Doc: "The latest slow commands.", Args: "[count]", Tips: []string{"request_policy:all_nodes", "nondeterministic_output"}, Run: r.slowlogGet},
			{Name: "len", Arity: 2, Flags: flags, Group: "server", Since: "2.2.12", Cost: "O(1)",
				Doc: "The number of slow commands in the log.", Tips: []string{"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"},
				Run: func(c *command.Ctx) { c.Int(int64(r.Server.Slowlog().Len())) }},
			{Name: "reset", Arity: 2, Flags: flags, Group: "server", Since: "2.2.12", Cost: "O(N) where N is the number of entries in the log",
				Doc: "Empties the log.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Run: func(c *command.Ctx) { r.Server.Slowlog().Reset(); c.OK() }},
			helpSpec("6.2.0", 0, func(c *command.Ctx) {
				help(c, "SLOWLOG",
					"GET [<count>]",
					"    Return the latest <count> entries of the log (default: 10, -1 means all).",
					"    An entry is: id, timestamp, time in microseconds, arguments array, client",
					"    IP and port, client name",
					"LEN", "    Return the number of entries in the log.",
					"RESET", "    Empty the log.")
			}),
		},
	}}
}

func (r *room) slowlogGet(c *command.Ctx) {
	count := int64(10)
	switch len(c.Args) {
	case 2:
	case 3:
		n, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
		if err != nil || n < -1 {
			c.Error("ERR count should be greater than or equal to -1")
			return
		}
		count = n
	default:
		c.Error("ERR wrong number of arguments for 'slowlog|get' command")
		return
	}
	entries := r.Server.Slowlog().Get(int(count))
	c.Array(len(entries))
	for _, e := range entries {
		c.Array(6)
		c.Int(e.ID)
		c.Int(e.At.Unix())
		c.Int(e.Duration.Microseconds())
		c.Array(len(e.Args))
		for _, a := range e.Args {
			c.BulkString(a)
		}
		c.BulkString(e.Addr)
		c.BulkString(e.Name)
	}
}
