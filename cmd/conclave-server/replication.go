package main

import (
	"conclave/cmd/internal/config"
	"conclave/kv/repl"
	"conclave/resp/command"
	"conclave/resp/commands"
)

// newReplication makes this server's part in replication, and has it follow the
// directives.
func (r *rooms) newReplication() {
	r.replSettings.Store(replicationSettings(r.cfg.Current()))
	r.repl = repl.New(repl.Config{
		Store: r.store, Disk: r.disk.Feed(), Data: r.disk, Settings: r.replSettings.Load,
		Publish:     r.publishHere,
		Applied:     func() { r.server.ServeReady() },
		RoleChanged: r.cfg.SetPrimary, Dial: r.dialPrimary,
		Version: commands.RedisVersion, Log: r.log.With("sub", "replication"),
	})
	r.cfg.OnChange(func(_, c *config.Config) error {
		r.replSettings.Store(replicationSettings(c))
		r.repl.Reconfigured()
		return nil
	}, "tls-port", "tls-replication", "masterauth", "masteruser", "replica-serve-stale-data", "replica-read-only", "repl-diskless-sync", "repl-diskless-sync-delay",
		"repl-diskless-sync-max-replicas", "repl-diskless-load", "repl-backlog-size", "repl-backlog-ttl", "repl-timeout",
		"repl-ping-replica-period", "replica-priority", "replica-announce-ip", "replica-announce-port", "replica-announced",
		"min-replicas-to-write", "min-replicas-max-lag", "client-output-buffer-limit", "proto-max-bulk-len", "maxmemory-policy", "rdbcompression",
		"hash-max-listpack-entries", "hash-max-listpack-value", "set-max-intset-entries", "set-max-listpack-entries",
		"set-max-listpack-value", "zset-max-listpack-entries", "zset-max-listpack-value", "list-max-listpack-size",
		"stream-node-max-bytes", "stream-node-max-entries")
}

func replicationSettings(c *config.Config) *repl.Settings {
	p, d := &c.Replication, durableSettings(c)
	s := &repl.Settings{
		Port: c.Port, AnnounceIP: p.AnnounceIP, User: c.MasterUser, Password: c.MasterAuth,
		ReadOnly: p.ReadOnly, ServeStale: p.ServeStale, Priority: p.Priority, Announced: p.Announced, MaxString: d.MaxString,
		Diskless: p.DisklessSync, Delay: p.DisklessDelay, DelayMax: p.DisklessMaxReplicas, Timeout: p.Timeout, PingPeriod: p.PingPeriod,
		BacklogSize: p.BacklogSize, BacklogTTL: p.BacklogTTL, MinReplicas: p.MinReplicas, MaxLag: p.MaxLag,
		OutputHard: c.ClientOutput.Replica.Hard, OutputSoft: c.ClientOutput.Replica.Soft, OutputSoftIn: c.ClientOutput.Replica.SoftFor,
		Encoding: d.Encoding, Checksum: d.Checksum, Idle: d.Idle, Freq: d.Freq,
	}
	if c.TLS.Replication && c.TLS.Port != 0 {
		s.Port = c.TLS.Port
	}
	if p.AnnouncePort != 0 {
		s.Port = p.AnnouncePort
	}
	switch p.DisklessLoad {
	case "on-empty-db":
		s.LoadInto = repl.DisklessOnEmpty
	case "swapdb":
		s.LoadInto = repl.DisklessSwap
	}
	return s
}

// publishHere delivers a message that the primary's clients have published.
func (r *rooms) publishHere(shard bool, channel, message []byte) {
	if shard {
		r.server.PublishShard(channel, message)
		return
	}
	r.server.Publish(channel, message)
}

// followPrimary makes this server a replica if it is configured to be one.
func (r *rooms) followPrimary() {
	if p := r.cfg.Current().Replication; p.PrimaryHost != "" {
		r.repl.Follow(p.PrimaryHost, p.PrimaryPort)
	}
}

// replication is this server's part for INFO, ROLE and HELLO, outside cluster
// mode.
func (r *rooms) replication() commands.Replication {
	s, set := r.repl.Status(), r.replSettings.Load()
	rep := commands.Replication{
		Replica: s.Replica, ID: s.ID, ID2: s.ID2, Offset: s.Offset, SecondOffset: s.Second,
		BacklogActive: s.BacklogActive, BacklogSize: s.BacklogSize, BacklogFirst: s.BacklogFirst, BacklogLen: s.BacklogLen,
		SyncFull: s.Full, SyncPartial: s.Partial, SyncRefused: s.Refused,
	}
	for _, l := range s.Replicas {
		rep.Replicas = append(rep.Replicas, commands.ReplicaLink{IP: l.IP, Port: l.Port, State: l.State, Offset: l.Offset, Lag: l.Lag})
	}
	if s.Replica {
		rep.Master = commands.MasterLink{
			Host: s.Host, Port: s.Port, State: s.State, LastIO: s.LastIO, DownSeconds: s.DownSeconds, ReadOffset: s.Offset,
			SyncRunning: s.State == "sync", Priority: set.Priority, ReplicaWrites: !set.ReadOnly, Unannounced: !set.Announced,
		}
	}
	return rep
}

// replicationGate refuses what this server's part in replication forbids.
func (r *rooms) replicationGate(f command.Flags) string {
	if r.disk.Loading() {
		return "" // what may run meanwhile may run
	}
	return r.repl.Refusal(f)
}
