package durable

import (
	"context"
	"errors"
	"math"
	"time"

	"conclave/kv"
	"conclave/resp/command"
)

// Specs are the commands of persistence.
func (d *Disk) Specs() []command.Spec {
	const flags = command.Admin | command.NoScript | command.NoAsyncLoading
	return []command.Spec{
		{Name: "save", Arity: 1, Flags: flags | command.NoMulti | command.Detached, Group: "server", Since: "1.0.0", Cost: "O(N) where N is the number of keys",
			Doc: "Writes the data to disk and waits for it.", Run: d.runSave},
		{Name: "bgsave", Arity: -1, Flags: flags, Group: "server", Since: "1.0.0", Cost: "O(1)", Args: "[SCHEDULE]",
			Doc: "Begins to write the data to disk in the background.", Run: d.runBgsave},
		{Name: "lastsave", Arity: 1, Flags: command.Loading | command.Stale | command.Fast, ACL: command.CatAdmin | command.CatDangerous,
			Group: "server", Since: "1.0.0", Cost: "O(1)", Tips: []string{"nondeterministic_output"},
			Doc: "The time of the last successful save, in Unix seconds.", Run: func(c *command.Ctx) { c.Int(d.lastSave.Load()) }},
		{Name: "bgrewriteaof", Arity: 1, Flags: flags, Group: "server", Since: "1.0.0", Cost: "O(1)",
			Doc: "Begins to rewrite the append-only file in the background.", Run: d.runRewrite},
		{Name: "waitaof", Arity: 4, Flags: command.Blocking | command.Detached, ACL: command.CatConnection,
			Group: "generic", Since: "7.2.0", Cost: "O(1)", Args: "numlocal numreplicas timeout",
			Tips: []string{"request_policy:all_shards", "response_policy:agg_min"},
			Doc:  "Waits until what was written is durable here, and on so many replicas.", Run: d.runWaitAOF},
	}
}

func (d *Disk) runSave(c *command.Ctx) {
	switch err := d.Save(context.Background()); {
	case err == nil:
		c.OK()
	case errors.Is(err, ErrSaving):
		c.Error("ERR " + ErrSaving.Error())
	case errors.Is(err, ErrRewriting), errors.Is(err, kv.ErrSnapshot):
		c.Error("ERR Another child process is active (AOF?): can't SAVE right now.")
	default:
		c.Error("ERR")
	}
}

func (d *Disk) runBgsave(c *command.Ctx) {
	schedule := len(c.Args) == 2 && c.Is(1, "schedule")
	if len(c.Args) > 1 && !schedule {
		c.Error(command.ErrSyntax)
		return
	}
	if c.InExec {
		// The locks of the transaction are held: the snapshot waits for them.
		if now, _ := d.jobs.state(); now != nil && now.kind == saveJob {
			c.Error("ERR " + ErrSaving.Error())
			return
		}
		d.jobs.schedule(saveJob)
		c.Simple("Background saving scheduled")
		return
	}
	switch err := d.StartSave(); {
	case err == nil:
		c.Simple("Background saving started")
	case errors.Is(err, ErrSaving):
		c.Error("ERR " + ErrSaving.Error())
	case schedule:
		d.jobs.schedule(saveJob)
		c.Simple("Background saving scheduled")
	default:
		c.Error("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.")
	}
}

func (d *Disk) runRewrite(c *command.Ctx) {
	const scheduled = "Background append only file rewriting scheduled"
	if c.InExec {
		d.jobs.schedule(rewriteJob)
		c.Simple(scheduled)
		return
	}
	switch err := d.StartRewrite(); {
	case err == nil:
		c.Simple("Background append only file rewriting started")
	case errors.Is(err, ErrRewriting):
		c.Error("ERR " + ErrRewriting.Error())
	case errors.Is(err, ErrSaving), errors.Is(err, kv.ErrSnapshot):
		d.jobs.schedule(rewriteJob)
		c.Simple(scheduled)
	default:
		c.Error("ERR Can't execute an AOF background rewriting. Please check the server logs for more information.")
	}
}

// runWaitAOF waits for everything that was fed before, which includes what the
// client has written. There are no replicas.
func (d *Disk) runWaitAOF(c *command.Ctx) {
	local, ok := kv.ParseInt(c.Arg(1))
	if !ok || local < 0 || local > 1 {
		c.Error("ERR value is out of range, must be between 0 and 1")
		return
	}
	replicas, ok := kv.ParseInt(c.Arg(2))
	switch {
	case !ok || replicas > math.MaxInt32:
		c.Error("ERR value is out of range, value must between 0 and 2147483647")
		return
	case replicas < 0:
		c.Error("ERR value is out of range, must be positive")
		return
	}
	timeout, ok := kv.ParseInt(c.Arg(3))
	switch {
	case !ok:
		c.Error("ERR timeout is not an integer or out of range")
		return
	case timeout < 0:
		c.Error("ERR timeout is negative")
		return
	}
	if local == 1 && !d.aof.on.Load() {
		c.Error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
		return
	}
	synced := d.waitDurable(c, local == 1, replicas > 0, time.Duration(min(timeout, math.MaxInt64/int64(time.Millisecond)))*time.Millisecond)
	c.Array(2)
	c.Int(count(synced))
	c.Int(0)
}

// waitDurable waits until what was fed before is durable, if asked for, and for
// replicas that don't come, and reports the former. Zero is no timeout.
func (d *Disk) waitDurable(c *command.Ctx, local, replicas bool, timeout time.Duration) bool {
	position := d.aof.fed.Load()
	durable := func() bool { return d.aof.on.Load() && position <= d.aof.durable.Load() }
	if c.InExec || (durable() || !local) && !replicas {
		return durable()
	}
	ctx := context.Background()
	if s, ok := c.Session.(interface{ Context() context.Context }); ok {
		ctx = s.Context()
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	for replicas || !durable() {
		changed := d.aof.changed()
		if !replicas && durable() {
			break
		}
		if replicas {
			changed = nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return durable()
		}
	}
	return durable()
}
