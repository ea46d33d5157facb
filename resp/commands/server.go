package commands

import (
	"strconv"
	"strings"
	"time"

	"conclave/resp/command"
)

func (r *room) serverSpecs() []command.Spec {
	specs := []command.Spec{
		{Name: "time", Arity: 1, Flags: command.Loading | command.Stale | command.Fast, Group: "server", Since: "2.6.0", Cost: "O(1)",
			Doc: "The server's clock: seconds and microseconds.", Tips: []string{"nondeterministic_output"}, Run: serverTime},
		{Name: "lolwut", Arity: -1, Flags: command.ReadOnly | command.Fast, Group: "server", Since: "5.0.0",
			Doc: "A piece of generated art and the version.", Args: "[VERSION version]", Run: lolwut},
		{Name: "shutdown", Arity: -1, Flags: adminFlags | command.NoMulti | command.AllowBusy, Group: "server", Since: "1.0.0",
			Cost: "O(N) when saving, where N is the number of keys; else O(1)",
			Doc:  "Stops the server.", Args: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", Run: r.shutdown},
		{Name: "monitor", Arity: 1, Flags: adminFlags, Group: "server", Since: "1.0.0",
			Doc: "Streams every command that the server runs.", Run: r.monitor},
		{Name: "role", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast, ACL: command.CatAdmin | command.CatDangerous, Group: "server", Since: "2.8.12", Cost: "O(1)",
			Doc: "The role of this node in replication.", Run: r.role},
		{Name: "module", Arity: -2, Group: "server", Since: "4.0.0", Cost: "Depends on subcommand.", Doc: "A container for module commands.",
			Sub: []command.Spec{
				{Name: "list", Arity: 2, Flags: command.Admin | command.NoScript, Group: "server", Since: "4.0.0", Cost: "O(1)",
					Doc: "The loaded modules: always none.", Tips: []string{"nondeterministic_output_order"},
					Run: func(c *command.Ctx) { c.Array(0) }},
				helpSpec("5.0.0", 0, func(c *command.Ctx) {
					help(c, "MODULE", "LIST", "    Return the loaded modules. This server has none.")
				}),
			}},
	}
	if r.Cluster {
		// Outside cluster mode they are unknown until there is replication.
		for _, name := range []string{"replicaof", "slaveof"} {
			specs = append(specs, command.Spec{Name: name, Arity: 3, Flags: command.Admin | command.NoScript | command.Stale | command.NoAsyncLoading,
				Group: "server", Since: "5.0.0", Cost: "O(1)", Doc: "Not available in cluster mode: see CLUSTER REPLICATE.", Args: "host port",
				Run: func(c *command.Ctx) { c.Error("ERR REPLICAOF not allowed in cluster mode.") }})
		}
	}
	return specs
}

// serverTime reads the clock itself: NowMs is too coarse and stands still
// during a transaction.
func serverTime(c *command.Ctx) {
	now := time.Now()
	c.Array(2)
	c.BulkInt(now.Unix())
	c.BulkInt(int64(now.Nanosecond() / 1000))
}

func (r *room) shutdown(c *command.Ctx) {
	var save, noSave, force, abort bool
	for i := 1; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "save"):
			save = true
		case c.Is(i, "nosave"):
			noSave = true
		case c.Is(i, "abort"):
			abort = true
		case c.Is(i, "force"):
			force = true
		case c.Is(i, "now"):
			// Replicas that lag behind aren't waited for.
		default:
			c.Error(command.ErrSyntax)
			return
		}
	}
	switch {
	case abort && len(c.Args) > 2, save && noSave:
		c.Error(command.ErrSyntax)
	case abort:
		c.Error("ERR No shutdown in progress.")
	default:
		r.Log.Info("shutdown requested", "client", c.Session.ID())
		if r.Shutdown != nil {
			if err := r.Deps.Shutdown(save, noSave, force); err != nil {
				text := err.Error()
				if !strings.HasPrefix(text, "BUSY ") {
					text = "ERR " + text
				}
				c.Error(text)
				return
			}
		} else if save {
			c.Error("ERR Errors trying to SHUTDOWN. Check logs.") // there is nothing that could save
			return
		}
		session(c).CloseWithoutReply()
		r.Server.RequestShutdown()
	}
}

func (r *room) monitor(c *command.Ctx) {
	if c.InExec {
		c.Error("ERR MONITOR isn't allowed for DENY BLOCKING client")
		return
	}
	session(c).StartMonitor()
	c.OK()
}

func (r *room) role(c *command.Ctx) {
	rep := r.replication()
	if rep.Replica {
		c.Array(5)
		c.BulkString("slave")
		c.BulkString(rep.Master.Host)
		c.Int(int64(rep.Master.Port))
		c.BulkString(rep.Master.State)
		c.Int(rep.Offset)
		return
	}
	c.Array(3)
	c.BulkString("master")
	c.Int(rep.Offset)
	c.Array(len(rep.Replicas))
	for _, l := range rep.Replicas {
		c.Array(3)
		c.BulkString(l.IP)
		c.BulkString(strconv.Itoa(l.Port))
		c.BulkInt(l.Offset)
	}
}
