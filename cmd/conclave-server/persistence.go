package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"conclave/cmd/internal/config"
	"conclave/fsm/slot"
	"conclave/kv/durable"
	"conclave/kv/persist"
	"conclave/resp/command"
	"conclave/resp/commands"
)

const errLoading = "LOADING Redis is loading the dataset in memory"

// newDisk makes what keeps the data on disk, and has it follow the directives.
func (r *rooms) newDisk() {
	r.settings.Store(durableSettings(r.cfg.Current()))
	r.disk = durable.New(durable.Config{
		Store: r.store, Settings: r.settings.Load, Version: commands.RedisVersion, Log: r.log.With("sub", "disk"),
		Libraries: r.scripts,
	})
	r.disk.BeginLoading() // before the first client comes
	follow := func(old, c *config.Config) error {
		r.settings.Store(durableSettings(c))
		err := r.disk.Switch()
		if err != nil {
			r.settings.Store(durableSettings(old))
			r.log.Error("appendonly can't be changed", "err", err)
			return errors.New("Unable to turn on AOF. Check server logs.")
		}
		return nil
	}
	r.cfg.OnChange(follow, "save", "rdbcompression", "rdb-save-incremental-fsync", "stop-writes-on-bgsave-error",
		"rdb-key-save-delay", "key-load-delay", "appendonly", "appendfsync", "no-appendfsync-on-rewrite",
		"auto-aof-rewrite-percentage", "auto-aof-rewrite-min-size", "aof-rewrite-incremental-fsync", "aof-load-truncated",
		"aof-use-rdb-preamble", "aof-timestamp-enabled", "maxmemory-policy", "proto-max-bulk-len",
		"hash-max-listpack-entries", "hash-max-listpack-value", "set-max-intset-entries", "set-max-listpack-entries",
		"set-max-listpack-value", "zset-max-listpack-entries", "zset-max-listpack-value", "list-max-listpack-size",
		"stream-node-max-bytes", "stream-node-max-entries")
}

// durableSettings are the directives that matter to what is kept on disk. The
// process has changed into dir.
func durableSettings(c *config.Config) *durable.Settings {
	p := &c.Persistence
	s := &durable.Settings{
		Filename: p.DBFilename, Checksum: p.RDBChecksum, IncrementalFsync: p.RDBSaveIncremental, StopWrites: p.StopWritesOnError,
		SaveDelay: p.SaveKeyDelay, LoadDelay: p.LoadKeyDelay, Encoding: encodingOf(c),
		Freq:       policies[c.MaxMemoryPolicy].LFU(),
		Idle:       c.MaxMemoryPolicy == "allkeys-lru" || c.MaxMemoryPolicy == "volatile-lru",
		MaxString:  int(min(c.ProtoMaxBulkLen, math.MaxInt)),
		AppendOnly: p.AppendOnly, AppendFilename: p.AppendFilename, AppendDir: p.AppendDirname, NoFsyncOnRewrite: p.NoFsyncOnRewrite,
		RewritePercentage: p.AOFRewritePercentage, RewriteMinSize: p.AOFRewriteMinSize, RewriteIncrementFsync: p.AOFRewriteIncrement,
		LoadTruncated: p.AOFLoadTruncated, Preamble: p.AOFPreamble, Timestamps: p.AOFTimestamps,
	}
	switch p.AppendFsync {
	case "always":
		s.Fsync = durable.FsyncAlways
	case "no":
		s.Fsync = durable.FsyncNo
	}
	for _, point := range p.SavePoints {
		s.SavePoints = append(s.SavePoints, durable.SavePoint(point))
	}
	return s
}

// encodingOf is how values are laid out in files: as the store holds them.
func encodingOf(c *config.Config) persist.Encoding {
	e, l := persist.DefaultEncoding(), &c.Encodings
	e.Compress = c.Persistence.RDBCompression
	e.ListMaxListpackSize = int(l.ListMaxListpackSize)
	e.HashMaxListpackEntries, e.HashMaxListpackValue = int(l.HashMaxListpackEntries), int(l.HashMaxListpackValue)
	e.SetMaxIntsetEntries = int(l.SetMaxIntsetEntries)
	e.SetMaxListpackEntries, e.SetMaxListpackValue = int(l.SetMaxListpackEntries), int(l.SetMaxListpackValue)
	e.SortedSetMaxListpackEntries, e.SortedSetMaxListpackValue = int(l.ZSetMaxListpackEntries), int(l.ZSetMaxListpackValue)
	e.StreamNodeMaxBytes, e.StreamNodeMaxEntries = int(l.StreamNodeMaxBytes), int(l.StreamNodeMaxEntries)
	return e
}

// load brings the data into the store while clients are told to wait.
func (r *rooms) load(ctx context.Context) error {
	if err := r.disk.Load(ctx); err != nil {
		return fmt.Errorf("the data can't be loaded: %w", err)
	}
	r.loaded.Store(true)
	return nil
}

// diskGate refuses what has to wait until the data are loaded, and writes that
// the disk doesn't take.
func (r *rooms) diskGate(f command.Flags) string {
	if f&command.Loading == 0 && r.disk.Loading() {
		return errLoading
	}
	if f&command.Write != 0 {
		return r.disk.Refusal()
	}
	return ""
}

// errShutdown is the reply to a SHUTDOWN that would lose data.
var errShutdown = errors.New("Errors trying to SHUTDOWN. Check logs.")

// prepareShutdown holds writes back for good and saves the data if that is asked
// for: by the caller (save), or by save points unless the caller doesn't want it
// (noSave). If it fails the server goes on.
func (r *rooms) prepareShutdown(save, noSave, force bool) error {
	save = !noSave && (save || len(r.cfg.Current().Persistence.SavePoints) > 0)
	const forGood = 100 * 365 * 24 * time.Hour
	r.server.Pause(time.Now().Add(forGood), false)
	// What ran before the pause ends before this.
	r.store.Lock(command.AllPartitions)
	r.store.Unlock(command.AllPartitions)
	// Data that aren't all there must not replace those that are.
	err := r.disk.Shutdown(save && r.loaded.Load())
	if err == nil || force {
		return nil
	}
	r.log.Error("the data can't be saved; not shutting down", "err", err)
	r.disk.Resume()
	r.server.Unpause()
	return errShutdown
}

// reportStrays tells the operator of keys in slots that are another node's, once
// it is known whose the slots are. They are not served and not removed: redis-cli
// --cluster fix moves them.
func (n *clusterRooms) reportStrays(ctx context.Context) error {
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for waiting := true; waiting; {
		changed := n.Changed()
		if n.View().Assigned() == slot.Count {
			break
		}
		select {
		case <-changed:
		case <-late.C:
			waiting = false
		case <-ctx.Done():
			return nil
		}
	}
	st, self := n.View(), n.Self()
	me := st.Node(self)
	if me == nil || !me.IsPrimary() {
		return nil // a replica's keys are its primary's
	}
	keys, slots := 0, 0
	for s := range slot.Count {
		if owner := st.OwnerNode(s); owner == nil || owner.ID != self {
			if k := n.r.store.CountInSlot(s); k > 0 {
				keys, slots = keys+k, slots+1
			}
		}
	}
	if keys > 0 {
		n.r.log.Warn("keys lie here in slots that this node doesn't serve; they are kept: see redis-cli --cluster fix", "keys", keys, "slots", slots)
	}
	return nil
}
