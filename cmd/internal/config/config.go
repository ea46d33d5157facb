package config

import (
	"log/slog"
	"math"
	"time"
)

// Config is the state of every directive. Fields are in the order of the
// directive table; the comment beside a field says only what its directive's
// documentation doesn't.
type Config struct {
	// Network.
	Port             int
	Bind             []string // a leading '-' marks an address that may be missing
	ProtectedMode    bool
	TCPBacklog       int
	IOThreads        int
	IOThreadsDoReads bool
	UnixSocket       string
	UnixSocketPerm   uint32 // 0 = leave the mode alone
	Timeout          time.Duration
	TCPKeepAlive     time.Duration
	MaxClients       int64

	// Limits of one client.
	ProtoMaxBulkLen        int64
	ClientQueryBufferLimit int64
	ClientOutput           OutputLimits

	// General.
	Daemonize bool
	PidFile   string
	ShowLogo  bool
	// Accepted are directives without effect that were given, and their values.
	Accepted               map[string]string
	LogLevel               string // debug, verbose, notice, warning; see Level
	LogFile                string // relative to Dir
	Databases              int    // 1 in cluster mode, whatever was asked for
	Dir                    string // absolute after Load
	Hz                     int
	EnableDebugCommand     string // no, local, yes
	EnableProtectedConfigs string // no, yes
	EnableModuleCommand    string // no, local, yes

	// Access.
	RequirePass string
	ACL         AccessControl
	MasterAuth  string
	MasterUser  string

	TLS TLS

	// Memory and expiry.
	MaxMemory          int64 // 0 = no limit
	MaxMemoryPolicy    string
	MaxMemorySamples   int
	LFULogFactor       int
	LFUDecayTime       int // minutes
	ActiveExpireEffort int
	HLLSparseMaxBytes  int64
	LazyEviction       bool
	LazyExpire         bool
	LazyServerDel      bool
	LazyUserDel        bool
	LazyUserFlush      bool
	Encodings          Encodings

	Persistence Persistence

	// Replication.
	Replication       Replication
	PropagationErrors string // ignore

	BusyReplyThreshold int64 // milliseconds; 0 = others wait for scripts for ever

	// Observability.
	SlowlogSlowerThan       int64 // microseconds; negative = off, 0 = every command
	SlowlogMaxLen           int64
	LatencyMonitorThreshold int64 // milliseconds; 0 = off
	LatencyTracking         bool
	LatencyPercentiles      []float64
	KeyEvents               string // letters, in the order in which they are printed
	TrackingKeys            int64

	// Cluster: what redis-server has.
	ClusterEnabled                  bool
	ClusterConfigFile               string
	ClusterNodeTimeout              time.Duration
	ClusterPort                     int // 0 = Port + 10000; see BusPort
	ClusterAnnounceIP               string
	ClusterAnnouncePort             int
	ClusterAnnounceTLSPort          int
	ClusterAnnounceBusPort          int
	ClusterAnnounceHostname         string
	ClusterAnnounceHumanNodename    string
	ClusterPreferredEndpointType    string
	ClusterRequireFullCoverage      bool
	ClusterAllowReadsWhenDown       bool
	ClusterAllowPubsubshardWhenDown bool
	ClusterAllowReplicaMigration    bool
	ClusterMigrationBarrier         int
	ClusterReplicaValidityFactor    int
	ClusterReplicaNoFailover        bool
	ClusterLinkSendbufLimit         int64
	busPort                         int // as it was at start: tls-port may change

	// Cluster: what Conclave adds.
	ClusterSecret            string
	ClusterSeeds             []string // host:bus-port
	ClusterRaftVoters        int      // 0 = by the size of the cluster
	ClusterVoterReplaceAfter time.Duration
	RaftTimeout              time.Duration
	ClusterLease             time.Duration
	AvailabilityZone         string
}

// OutputLimits bound the replies that a client of each class leaves unread.
type OutputLimits struct{ Normal, Replica, PubSub OutputLimit }

// OutputLimit closes a client at once above Hard bytes, and when it stayed
// above Soft bytes for SoftFor. Zero means no limit.
type OutputLimit struct {
	Hard, Soft int64
	SoftFor    time.Duration
}

// BusPort is the port on which the node listens for its peers.
func (c *Config) BusPort() int {
	switch {
	case c.ClusterPort != 0:
		return c.ClusterPort
	case c.busPort != 0:
		return c.busPort
	}
	return c.clientPort() + busPortOffset
}

// clientPort is the port of the clients whose way the bus takes.
func (c *Config) clientPort() int {
	if c.TLS.Cluster {
		return c.TLS.Port
	}
	return c.Port
}

// busPortOffset is Redis's distance between a node's two ports.
const busPortOffset = 10000

// Level is loglevel in slog's scale. Redis's notice is what an operator wants
// to read in production: Info; verbose lies half-way to debug.
func (c *Config) Level() slog.Level {
	switch c.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "verbose":
		return slog.LevelDebug + 2
	case "warning":
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// Default is the configuration of a server that is told nothing.
func Default() *Config {
	return &Config{
		Port:          6379,
		Bind:          []string{"*", "-::*"},
		ProtectedMode: true,
		TCPBacklog:    511,
		TCPKeepAlive:  300 * time.Second,
		MaxClients:    10000,

		ProtoMaxBulkLen:        512 << 20,
		ClientQueryBufferLimit: 1 << 30,
		ClientOutput: OutputLimits{
			Replica: OutputLimit{Hard: 256 << 20, Soft: 64 << 20, SoftFor: 60 * time.Second},
			PubSub:  OutputLimit{Hard: 32 << 20, Soft: 8 << 20, SoftFor: 60 * time.Second},
		},

		LogLevel:           "notice",
		Databases:          16,
		Dir:                ".",
		Hz:                 10,
		ACL:                AccessControl{AllChannels: "resetchannels", LogLen: 128},
		TLS:                defaultTLS(),
		EnableDebugCommand: "no", EnableProtectedConfigs: "no", EnableModuleCommand: "no",

		MaxMemoryPolicy:    "noeviction",
		MaxMemorySamples:   5,
		LFULogFactor:       10,
		LFUDecayTime:       1,
		ActiveExpireEffort: 1,
		HLLSparseMaxBytes:  3000,
		Encodings:          defaultEncodings(),

		Persistence: defaultPersistence(),
		Replication: defaultReplication(), PropagationErrors: "ignore",

		BusyReplyThreshold: 5000,
		SlowlogSlowerThan:  10000,
		SlowlogMaxLen:      128,
		LatencyTracking:    true,
		LatencyPercentiles: []float64{50, 99, 99.9},
		TrackingKeys:       1_000_000,

		ClusterConfigFile:               "nodes.conf",
		ClusterNodeTimeout:              15 * time.Second,
		ClusterPreferredEndpointType:    "ip",
		ClusterRequireFullCoverage:      true,
		ClusterAllowPubsubshardWhenDown: true,
		ClusterAllowReplicaMigration:    true,
		ClusterMigrationBarrier:         1,
		ClusterReplicaValidityFactor:    10,

		ClusterVoterReplaceAfter: 60 * time.Second,
		RaftTimeout:              500 * time.Millisecond,
		ClusterLease:             500 * time.Millisecond,
	}
}

// clone is a copy that may be changed: rows replace slices, they never write
// into them.
func (c *Config) clone() *Config {
	d := *c
	d.Persistence.pointsRead = false
	return &d
}

const (
	maxInt   = math.MaxInt32
	maxInt64 = math.MaxInt64
)
