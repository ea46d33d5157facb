package config

import "time"

// clusterRows are the cluster directives of redis-server.
func clusterRows() []directive {
	port := func(at func(*Config) *int) value { return integer(at, 0, 65535) }
	return []directive{
		{"cluster-enabled", nil, fixed, boolean(func(c *Config) *bool { return &c.ClusterEnabled }),
			"Be a node of a cluster; otherwise a server of its own."},
		{"cluster-config-file", nil, fixed, text(func(c *Config) *string { return &c.ClusterConfigFile }, plainFile),
			"File, in dir, into which the node exports its view of the cluster in redis-server's format. Read only by a node that has no state of its own."},
		{"cluster-node-timeout", nil, live, duration(func(c *Config) *time.Duration { return &c.ClusterNodeTimeout }, time.Millisecond, 0, maxInt64),
			"Silence after which a node counts as failed, and for which a configuration command waits for the control plane."},
		{"cluster-port", nil, fixed, port(func(c *Config) *int { return &c.ClusterPort }),
			"Port of the cluster bus; 0 is port + 10000."},
		{"cluster-announce-ip", nil, live, text(func(c *Config) *string { return &c.ClusterAnnounceIP }, address),
			"Address under which clients and peers reach this node, if it isn't the one it listens on."},
		{"cluster-announce-port", nil, live, port(func(c *Config) *int { return &c.ClusterAnnouncePort }),
			"Port under which clients reach this node; 0 is port."},
		{"cluster-announce-tls-port", nil, live, port(func(c *Config) *int { return &c.ClusterAnnounceTLSPort }),
			"TLS port under which clients reach this node."},
		{"cluster-announce-bus-port", nil, live, port(func(c *Config) *int { return &c.ClusterAnnounceBusPort }),
			"Port under which peers reach this node; 0 is the bus port."},
		{"cluster-announce-hostname", nil, live, text(func(c *Config) *string { return &c.ClusterAnnounceHostname }, hostname),
			"Host name that clients are told beside, or instead of, the address."},
		{"cluster-announce-human-nodename", nil, live, text(func(c *Config) *string { return &c.ClusterAnnounceHumanNodename }, nodename),
			"Name of this node in logs."},
		{"cluster-preferred-endpoint-type", nil, live, enum(func(c *Config) *string { return &c.ClusterPreferredEndpointType }, "ip", "hostname", "unknown-endpoint"),
			"What redirections and CLUSTER SLOTS name: the address, the host name, or nothing (the client keeps the one it used)."},
		{"cluster-require-full-coverage", nil, live, boolean(func(c *Config) *bool { return &c.ClusterRequireFullCoverage }),
			"Serve no key while any slot has no living owner."},
		{"cluster-allow-reads-when-down", nil, live, boolean(func(c *Config) *bool { return &c.ClusterAllowReadsWhenDown }),
			"Serve reads of own slots while the cluster is down."},
		{"cluster-allow-pubsubshard-when-down", nil, live, boolean(func(c *Config) *bool { return &c.ClusterAllowPubsubshardWhenDown }),
			"Serve shard channels of own slots while the cluster is down."},
		{"cluster-allow-replica-migration", nil, live, boolean(func(c *Config) *bool { return &c.ClusterAllowReplicaMigration }),
			"A primary that loses its last slot becomes a replica of the one that took it."},
		{"cluster-migration-barrier", nil, live, integer(func(c *Config) *int { return &c.ClusterMigrationBarrier }, 0, maxInt),
			"Replicas that a primary keeps when one moves to a primary without."},
		{"cluster-replica-validity-factor", []string{"cluster-slave-validity-factor"}, live,
			integer(func(c *Config) *int { return &c.ClusterReplicaValidityFactor }, 0, maxInt),
			"Node timeouts after which a replica's data is too old for it to take over; 0 never."},
		{"cluster-replica-no-failover", []string{"cluster-slave-no-failover"}, live,
			boolean(func(c *Config) *bool { return &c.ClusterReplicaNoFailover }),
			"Never promote this node unasked."},
		{"cluster-link-sendbuf-limit", nil, live, memory(func(c *Config) *int64 { return &c.ClusterLinkSendbufLimit }, 0, maxInt64),
			"Bytes waiting for one peer above which the link is closed; 0 is no limit."},
	}
}

// consensusRows are directives that redis-server doesn't have.
func consensusRows() []directive {
	return []directive{
		{"cluster-secret", nil, settled, text(func(c *Config) *string { return &c.ClusterSecret }, nil),
			"Secret shared by all nodes, with which they authenticate one another on the bus. Without it the bus accepts loopback peers only."},
		{"cluster-seeds", nil, live, list(func(c *Config) *[]string { return &c.ClusterSeeds }, 64, seed),
			"Further addresses (`host:bus-port`) where a node that finds none of its peers at their known addresses looks for them."},
		{"cluster-raft-voters", nil, settled, oddVoters(func(c *Config) *int { return &c.ClusterRaftVoters }),
			"Nodes that decide about the cluster's configuration. 0: one up to two nodes, three up to six, five from seven on."},
		{"cluster-voter-replace-after", nil, settled, duration(func(c *Config) *time.Duration { return &c.ClusterVoterReplaceAfter }, time.Second, 1, maxInt),
			"Silence after which a failed voter is replaced by another node."},
		{"raft-timeout", nil, settled, duration(func(c *Config) *time.Duration { return &c.RaftTimeout }, time.Millisecond, 100, 60000),
			"Silence of the leader after which the voters elect another. Shorter is quicker, and less patient with busy machines. The same on all nodes."},
		{"cluster-lease", nil, settled, duration(func(c *Config) *time.Duration { return &c.ClusterLease }, time.Millisecond, 100, 60000),
			"How long a primary may serve on one answer of its replicas."},
		{"availability-zone", nil, settled, text(func(c *Config) *string { return &c.AvailabilityZone }, zone),
			"Failure domain of this node; voters are spread over zones."},
	}
}
