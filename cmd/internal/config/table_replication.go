package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Replication is how data are kept on other servers.
type Replication struct {
	PrimaryHost string // empty: this node is a primary
	PrimaryPort int
	ServeStale  bool
	ReadOnly    bool

	DisklessSync        bool
	DisklessDelay       time.Duration
	DisklessMaxReplicas int
	DisklessLoad        string // disabled, on-empty-db, swapdb
	BacklogSize         int64
	BacklogTTL          time.Duration
	Timeout             time.Duration
	PingPeriod          time.Duration
	NoTCPNoDelay        bool

	Priority              int
	AnnounceIP            string
	AnnouncePort          int
	Announced             bool
	LazyFlush             bool
	IgnoreMaxMemory       bool
	IgnoreDiskWriteErrors bool

	MinReplicas int
	MaxLag      time.Duration
}

func defaultReplication() Replication {
	return Replication{
		ServeStale: true, ReadOnly: true, DisklessSync: true, DisklessDelay: 5 * time.Second, DisklessLoad: "disabled",
		BacklogSize: 1 << 20, BacklogTTL: time.Hour, Timeout: time.Minute, PingPeriod: 10 * time.Second,
		Priority: 100, Announced: true, IgnoreMaxMemory: true, MaxLag: 10 * time.Second,
	}
}

func replicationRows() []directive {
	yes := func(at func(*Replication) *bool) value {
		return boolean(func(c *Config) *bool { return at(&c.Replication) })
	}
	number := func(at func(*Replication) *int, lo, hi int64) value {
		return integer(func(c *Config) *int { return at(&c.Replication) }, lo, hi)
	}
	seconds := func(at func(*Replication) *time.Duration, lo int64) value {
		return duration(func(c *Config) *time.Duration { return at(&c.Replication) }, time.Second, lo, maxInt)
	}
	return []directive{
		{"replicaof", []string{"slaveof"}, fixed, primaryAddress(func(c *Config) *Replication { return &c.Replication }),
			"Host and port of the primary that this server is a replica of; empty for none. REPLICAOF changes it at run time. Not in cluster mode."},
		{"replica-serve-stale-data", []string{"slave-serve-stale-data"}, live, yes(func(r *Replication) *bool { return &r.ServeStale }),
			"A replica without a link to its primary serves the data it has."},
		{"replica-read-only", []string{"slave-read-only"}, live, yes(func(r *Replication) *bool { return &r.ReadOnly }),
			"A replica refuses commands that write."},
		{"repl-diskless-sync", nil, live, yes(func(r *Replication) *bool { return &r.DisklessSync }),
			"Send data to replicas as they are read from memory, to those that can take them so; otherwise through a temporary file."},
		{"repl-diskless-sync-delay", nil, live, seconds(func(r *Replication) *time.Duration { return &r.DisklessDelay }, 0),
			"How long to wait for more replicas before data are sent, which are the same for all of them."},
		{"repl-diskless-sync-max-replicas", nil, live, number(func(r *Replication) *int { return &r.DisklessMaxReplicas }, 0, maxInt),
			"Replicas for which repl-diskless-sync-delay ends at once; 0 for no such number."},
		{"repl-diskless-load", nil, live, enum(func(c *Config) *string { return &c.Replication.DisklessLoad }, "disabled", "on-empty-db", "swapdb"),
			"Whether a replica loads the primary's data as they come (on-empty-db, if it has none), or from a temporary file. swapdb means the same as disabled."},
		{"repl-backlog-size", nil, live, memory(func(c *Config) *int64 { return &c.Replication.BacklogSize }, 1, maxInt64),
			"How much of the stream is kept, for replicas whose link breaks."},
		{"repl-backlog-ttl", nil, live, seconds(func(r *Replication) *time.Duration { return &r.BacklogTTL }, 0),
			"How long it is kept without replicas; 0 is for ever."},
		{"repl-timeout", nil, live, seconds(func(r *Replication) *time.Duration { return &r.Timeout }, 1),
			"Silence after which a link between a replica and its primary is taken for broken."},
		{"repl-ping-replica-period", []string{"repl-ping-slave-period"}, live, seconds(func(r *Replication) *time.Duration { return &r.PingPeriod }, 1),
			"How often a primary sends its replicas a sign of life."},
		{"repl-disable-tcp-nodelay", nil, live, yes(func(r *Replication) *bool { return &r.NoTCPNoDelay }),
			"Accepted: both values send at once."},
		{"replica-priority", []string{"slave-priority"}, live, number(func(r *Replication) *int { return &r.Priority }, 0, maxInt),
			"Told to tools that choose a replica to be promoted; 0 asks them never to choose this one."},
		{"replica-announce-ip", []string{"slave-announce-ip"}, live, text(func(c *Config) *string { return &c.Replication.AnnounceIP }, address),
			"Address that a replica tells its primary; empty for that of the connection."},
		{"replica-announce-port", []string{"slave-announce-port"}, live, number(func(r *Replication) *int { return &r.AnnouncePort }, 0, 65535),
			"Port that a replica tells its primary; 0 for its own."},
		{"replica-announced", nil, live, yes(func(r *Replication) *bool { return &r.Announced }),
			"Told to tools that list replicas."},
		{"replica-lazy-flush", []string{"slave-lazy-flush"}, live, yes(func(r *Replication) *bool { return &r.LazyFlush }),
			"See lazyfree-lazy-eviction."},
		{"replica-ignore-maxmemory", []string{"slave-ignore-maxmemory"}, live,
			onlyDefault(yes(func(r *Replication) *bool { return &r.IgnoreMaxMemory }), "eviction by replicas is"),
			"A replica gives up no keys for their memory: its primary does."},
		{"replica-ignore-disk-write-errors", nil, live, yes(func(r *Replication) *bool { return &r.IgnoreDiskWriteErrors }),
			"Accepted: a replica whose disk fails goes on in memory with both values, unless appendfsync is always."},
		{"min-replicas-to-write", []string{"min-slaves-to-write"}, live, number(func(r *Replication) *int { return &r.MinReplicas }, 0, maxInt),
			"Refuse commands that write with fewer replicas that keep up; 0 for none."},
		{"min-replicas-max-lag", []string{"min-slaves-max-lag"}, live, seconds(func(r *Replication) *time.Duration { return &r.MaxLag }, 0),
			"How long ago a replica that keeps up may have been heard of last."},
		{"propagation-error-behavior", nil, live, onlyDefault(enum(func(c *Config) *string { return &c.PropagationErrors }, "ignore", "panic", "panic-on-replicas"), "ending over a primary's stream is"),
			"What a replica does when a command of its primary fails."},
	}
}

// primaryAddress is a host and a port, or nothing.
func primaryAddress(at func(*Config) *Replication) value {
	return value{
		kind: "host port",
		many: true,
		parse: func(c *Config, args []string) error {
			if len(args) == 1 && args[0] == "" || len(args) == 2 && strings.EqualFold(args[0], "no") && strings.EqualFold(args[1], "one") {
				at(c).PrimaryHost, at(c).PrimaryPort = "", 0
				return nil
			}
			if len(args) != 2 {
				return errArgs
			}
			port, err := strconv.Atoi(args[1])
			if err != nil || port < 0 || port > 65535 {
				return errors.New("Invalid master port")
			}
			at(c).PrimaryHost, at(c).PrimaryPort = args[0], port
			return nil
		},
		format: func(c *Config) string {
			if at(c).PrimaryHost == "" {
				return ""
			}
			return at(c).PrimaryHost + " " + strconv.Itoa(at(c).PrimaryPort)
		},
		lines: func(c *Config) []string {
			if at(c).PrimaryHost == "" {
				return nil
			}
			return []string{at(c).PrimaryHost + " " + strconv.Itoa(at(c).PrimaryPort)}
		},
	}
}

// SetPrimary notes the primary after it changed at run time; an empty host is
// none. CONFIG REWRITE writes it.
func (s *Store) SetPrimary(host string, port int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.Current().clone()
	next.Replication.PrimaryHost, next.Replication.PrimaryPort = host, port
	s.publish(next)
}
