package config

import "time"

// groups is the table: every directive there is, once.
func groups() []group {
	return []group{
		{"Network", networkRows()},
		{"Limits of a client", limitRows()},
		{"General", generalRows()},
		{"Access", accessRows()},
		{"TLS", tlsRows()},
		{"Memory and expiry", memoryRows()},
		{"Encodings", encodingRows()},
		{"Users", aclRows()},
		{"Persistence", persistenceRows()},
		{"Replication", replicationRows()},
		{"Observability", observabilityRows()},
		{"Cluster", clusterRows()},
		{"Cluster: beyond Redis", consensusRows()},
		{"Off switches", offRows()},
		{"Without effect", acceptedRows()},
	}
}

func networkRows() []directive {
	return []directive{
		{"port", nil, settled, integer(func(c *Config) *int { return &c.Port }, 0, 65535),
			"TCP port for clients; 0 listens on no TCP port."},
		{"bind", nil, settled, list(func(c *Config) *[]string { return &c.Bind }, 16, nil),
			"Addresses to listen on, for clients and for the cluster bus. `*` is every IPv4 address, `::*` every IPv6 address; an address with a leading `-` may be missing."},
		{"protected-mode", nil, live, boolean(func(c *Config) *bool { return &c.ProtectedMode }),
			"Without a password, serve clients of the loopback interface only."},
		{"tcp-backlog", nil, fixed, integer(func(c *Config) *int { return &c.TCPBacklog }, 0, maxInt),
			"Connections that the kernel should be able to hold before they are accepted. The kernel's limit (`net.core.somaxconn`) is always asked for."},
		{"unixsocket", nil, fixed, text(func(c *Config) *string { return &c.UnixSocket }, nil),
			"Path of a Unix socket for clients; empty for none."},
		{"unixsocketperm", nil, fixed, octal(func(c *Config) *uint32 { return &c.UnixSocketPerm }, 0o777),
			"Mode of the Unix socket's file; 0 leaves what the umask gives."},
		{"timeout", nil, live, duration(func(c *Config) *time.Duration { return &c.Timeout }, time.Second, 0, maxInt),
			"Close a client that was idle for so long; 0 never does."},
		{"tcp-keepalive", nil, live, duration(func(c *Config) *time.Duration { return &c.TCPKeepAlive }, time.Second, 0, maxInt),
			"Idle time before TCP keep-alive probes are sent to a client; 0 sends none."},
		{"maxclients", nil, live, integer(func(c *Config) *int64 { return &c.MaxClients }, 1, 1<<32-1),
			"Connections served at a time. At start it is lowered to what the limit of open files allows."},
		{"io-threads", nil, fixed, integer(func(c *Config) *int { return &c.IOThreads }, 0, 128),
			"Event loops that serve clients on TCP ports (Linux); 0 is half of the processors, at least one and at most eight."},
		{"io-threads-do-reads", nil, fixed, boolean(func(c *Config) *bool { return &c.IOThreadsDoReads }),
			"Event loops read and write: both values mean the same."},
	}
}

func limitRows() []directive {
	return []directive{
		{"proto-max-bulk-len", nil, live, memory(func(c *Config) *int64 { return &c.ProtoMaxBulkLen }, 1<<20, maxInt64),
			"Length of the longest argument and of the longest string value."},
		{"client-query-buffer-limit", nil, live, memory(func(c *Config) *int64 { return &c.ClientQueryBufferLimit }, 1<<20, maxInt64),
			"Bytes of requests that one client may have waiting."},
		{"client-output-buffer-limit", nil, live, outputLimits(func(c *Config) *OutputLimits { return &c.ClientOutput }),
			"Close a client of a class whose unread replies exceed the hard limit, or the soft limit for so many seconds. 0 is no limit. Given once per class, or several classes in one line."},
	}
}

func generalRows() []directive {
	return []directive{
		{"daemonize", nil, fixed, boolean(func(c *Config) *bool { return &c.Daemonize }),
			"Run in the background. The command returns once the server is ready, or with its error."},
		{"pidfile", nil, fixed, text(func(c *Config) *string { return &c.PidFile }, nil),
			"File that holds the process id while the server runs; `/var/run/conclave.pid` if empty and daemonize is set."},
		{"loglevel", nil, live, enum(func(c *Config) *string { return &c.LogLevel }, "debug", "verbose", "notice", "warning"),
			"The least important messages that are logged."},
		{"logfile", nil, fixed, text(func(c *Config) *string { return &c.LogFile }, nil),
			"File for the log, relative to dir; empty is standard output, or nowhere if daemonize is set."},
		{"databases", nil, fixed, integer(func(c *Config) *int { return &c.Databases }, 1, 1<<20),
			"Number of databases; always 1 in cluster mode."},
		{"dir", nil, protected, text(func(c *Config) *string { return &c.Dir }, notEmpty),
			"Working directory: all data of the node lies there, and relative paths start there."},
		{"hz", nil, live, onlyDefault(clamped(func(c *Config) *int { return &c.Hz }, 1, 500), "another rhythm of background work is"),
			"Rounds of background work (active expiry) per second. Values outside the range are moved into it."},
		{"enable-debug-command", nil, fixed, enum(func(c *Config) *string { return &c.EnableDebugCommand }, "no", "yes", "local"),
			"Who may use DEBUG: nobody, everybody, or local connections."},
		{"enable-protected-configs", nil, fixed, enum(func(c *Config) *string { return &c.EnableProtectedConfigs }, "no", "yes"),
			"Whether CONFIG SET may change directives with which a client could reach files."},
		{"enable-module-command", nil, fixed, enum(func(c *Config) *string { return &c.EnableModuleCommand }, "no", "yes", "local"),
			"Accepted for the sake of configuration files: there are no modules."},
	}
}

func accessRows() []directive {
	return []directive{
		{"requirepass", nil, live, text(func(c *Config) *string { return &c.RequirePass }, nil),
			"Password that clients must give with AUTH; empty for none."},
		{"masterauth", nil, live, text(func(c *Config) *string { return &c.MasterAuth }, nil),
			"Password with which this node authenticates itself to its primary, once it copies data from it."},
		{"masteruser", nil, live, text(func(c *Config) *string { return &c.MasterUser }, nil),
			"User with which this node authenticates itself to its primary; empty for the default user."},
	}
}

func memoryRows() []directive {
	return []directive{
		{"maxmemory", nil, live, memory(func(c *Config) *int64 { return &c.MaxMemory }, 0, maxInt64),
			"Memory for data and what it takes to serve them; above it, keys are evicted (maxmemory-policy), or commands that need more are refused. 0 is no limit."},
		{"maxmemory-policy", nil, live, enum(func(c *Config) *string { return &c.MaxMemoryPolicy },
			"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"),
			"What is given up when maxmemory is reached: keys, or with noeviction the commands that need more memory. Under an LFU policy keys count their accesses (OBJECT FREQ)."},
		{"maxmemory-samples", nil, live, integer(func(c *Config) *int { return &c.MaxMemorySamples }, 1, 64),
			"Keys compared to find one to evict."},
		{"lfu-log-factor", nil, live, onlyDefault(integer(func(c *Config) *int { return &c.LFULogFactor }, 0, maxInt), "tuning of access counters is"),
			"How slowly a key's access counter saturates."},
		{"lfu-decay-time", nil, live, onlyDefault(integer(func(c *Config) *int { return &c.LFUDecayTime }, 0, maxInt), "tuning of access counters is"),
			"Minutes after which a key's access counter is lowered."},
		{"hll-sparse-max-bytes", nil, live, memory(func(c *Config) *int64 { return &c.HLLSparseMaxBytes }, 0, maxInt64),
			"Length up to which a HyperLogLog is kept in the sparse encoding."},
		{"active-expire-effort", nil, live, onlyDefault(integer(func(c *Config) *int { return &c.ActiveExpireEffort }, 1, 10), "tuning of expiry is"),
			"How much work is spent on finding expired keys that nobody asks for."},
		{"lazyfree-lazy-eviction", nil, live, boolean(func(c *Config) *bool { return &c.LazyEviction }),
			"Values are always freed in the background, by the garbage collector: both values mean the same."},
		{"lazyfree-lazy-expire", nil, live, boolean(func(c *Config) *bool { return &c.LazyExpire }),
			"See lazyfree-lazy-eviction."},
		{"lazyfree-lazy-server-del", nil, live, boolean(func(c *Config) *bool { return &c.LazyServerDel }),
			"See lazyfree-lazy-eviction."},
		{"lazyfree-lazy-user-del", nil, live, boolean(func(c *Config) *bool { return &c.LazyUserDel }),
			"See lazyfree-lazy-eviction: DEL always works like UNLINK."},
		{"lazyfree-lazy-user-flush", nil, live, boolean(func(c *Config) *bool { return &c.LazyUserFlush }),
			"See lazyfree-lazy-eviction."},
	}
}

func observabilityRows() []directive {
	return []directive{
		{"busy-reply-threshold", []string{"lua-time-limit"}, live, integer(func(c *Config) *int64 { return &c.BusyReplyThreshold }, 0, maxInt64),
			"Milliseconds for which a script may keep others waiting before they are told that the server is busy; 0 is for ever."},
		{"slowlog-log-slower-than", nil, live, integer(func(c *Config) *int64 { return &c.SlowlogSlowerThan }, -1, maxInt64),
			"Microseconds above which a command is kept in SLOWLOG; 0 keeps all, -1 none."},
		{"slowlog-max-len", nil, live, integer(func(c *Config) *int64 { return &c.SlowlogMaxLen }, 0, maxInt64),
			"Entries that SLOWLOG keeps."},
		{"latency-monitor-threshold", nil, live, integer(func(c *Config) *int64 { return &c.LatencyMonitorThreshold }, 0, maxInt64),
			"Milliseconds above which LATENCY keeps an event; 0 keeps none."},
		{"latency-tracking", nil, live, boolean(func(c *Config) *bool { return &c.LatencyTracking }),
			"Keep a histogram of run times per command."},
		{"latency-tracking-info-percentiles", nil, live, onlyDefault(percentiles(func(c *Config) *[]float64 { return &c.LatencyPercentiles }), "choosing percentiles is"),
			"Percentiles that INFO latencystats shows."},
		{"notify-keyspace-events", nil, live, keyEvents(func(c *Config) *string { return &c.KeyEvents }),
			"Keyspace events that are published: K and E choose the channels `__keyspace@<db>__:<key>` and `__keyevent@<db>__:<event>`, the other letters the classes of events, A most of them. Empty publishes none. In a cluster each node tells of its own keys to its own subscribers."},
		{"tracking-table-max-keys", nil, live, integer(func(c *Config) *int64 { return &c.TrackingKeys }, 0, maxInt64),
			"Keys remembered for clients that cache what they read (`CLIENT TRACKING`); beyond it they are told to forget some. 0 is no limit."},
	}
}

func offRows() []directive {
	row := func(name, word, feature string, aliases ...string) directive {
		return directive{name, aliases, live, off(word, feature), "Accepted with this value only: " + feature + " not available in this version."}
	}
	return []directive{
		row("rdb-del-sync-files", "no", "removal of the snapshot after replicas have been sent it is"),
		row("maxmemory-clients", "0", "eviction of clients is"),
		row("activedefrag", "no", "active defragmentation is"),
		row("supervised", "no", "supervision by upstart or systemd is"),
		row("syslog-enabled", "no", "syslog is"),
		row("oom-score-adj", "no", "adjustment of the OOM killer is"),
		{"always-show-logo", nil, fixed, boolean(func(c *Config) *bool { return &c.ShowLogo }),
			"Begin the log with a banner that names the version, the port and the process id."},
		row("bind-source-addr", "", "choosing the source address is"),
		row("socket-mark-id", "0", "marking of sockets is"),
		row("sanitize-dump-payload", "no", "another way of checking serialized values is"),
		row("aof-disable-auto-gc", "no", "keeping superseded parts of the append-only file is"),
		row("shutdown-timeout", "10", "another time to wait for replicas at the end is"),
		row("shutdown-on-sigint", "default", "another way to end on SIGINT is"),
		row("shutdown-on-sigterm", "default", "another way to end on SIGTERM is"),
		row("server_cpulist", "", "choosing processors is"),
		row("bio_cpulist", "", "choosing processors is"),
		row("aof_rewrite_cpulist", "", "choosing processors is"),
		row("bgsave_cpulist", "", "choosing processors is"),
	}
}
