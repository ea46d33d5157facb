package commands

import (
	"log/slog"
	"sync/atomic"
	"time"

	"conclave/resp/acl"
	"conclave/resp/command"
	"conclave/resp/server"
)

// RedisVersion is the version of Redis whose behaviour clients may expect; it
// is what HELLO, INFO and LOLWUT report.
const RedisVersion = "7.2.4"

// Deps is what the commands need of other rooms.
type Deps struct {
	Server     *server.Server
	Directives Directives // nil: there is no CONFIG
	Log        *slog.Logger

	// Version is Conclave's own; ConfigFile and Executable are absolute paths
	// or empty.
	Version    string
	ConfigFile string
	Executable string

	// Cluster is set in cluster mode: one database, no REPLICAOF.
	Cluster bool
	// Databases is the number of databases outside cluster mode; 0 means 16.
	Databases int

	// Dataset tells the store's figures for INFO and MEMORY. Like the other
	// functions here, and those of Sections, it may be called with partitions
	// locked (inside EXEC) and must lock none.
	Dataset func() Dataset
	// ResetStats sets the figures of other rooms to zero (CONFIG RESETSTAT).
	ResetStats func()
	// Replication tells this node's role for INFO, ROLE and HELLO.
	Replication func() Replication
	// Forward passes a message that was published here on to the other nodes of
	// the cluster; to those of the same shard only, if shard is set. It must not
	// block, and may keep neither slice.
	Forward func(shard bool, channel, message []byte)
	// Shutdown gets the node ready to end: it holds writes back and saves the data
	// if asked to. If it fails, with the text of the reply, the node goes on. No
	// partition is locked.
	Shutdown func(save, noSave, force bool) error
	// Reload forgets the data and loads them again, from the snapshot, which is
	// written first unless NoSave is set, or from the append-only file. Every
	// partition is locked.
	Reload  func(o ReloadOptions) error
	LoadAOF func() error
	// ChangeReplID gives this node a new replication id (DEBUG CHANGE-REPL-ID).
	ChangeReplID func()
	// Sections are INFO's sections of other rooms. One that has the name of a
	// section of this package takes its place; others follow "cluster".
	Sections []command.InfoSection
	// Users returns the users; nil: there is no ACL. It isn't called before the
	// server serves.
	Users func() *acl.Users
	ACL   ACLFiles
	// Store serves DEBUG and MEMORY USAGE.
	Store StoreDebug
}

// ReloadOptions are those of DEBUG RELOAD.
type ReloadOptions struct {
	NoSave  bool // load what the file holds already
	NoFlush bool // keep the keys that are there
}

// Dataset is the store's figures.
type Dataset struct {
	// Bytes is the memory that keys and values take, by the store's own count.
	Bytes int64
	// Used is the memory in use that is held against maxmemory; 0: not known.
	Used int64
	// OffHeap is the part of Bytes that is not in Go's heap.
	OffHeap int64
	// Keys counts the keys of all databases.
	Keys int64

	// Scripts in the cache, libraries of functions and their functions, and the
	// bytes of their sources.
	Scripts, Libraries, Functions int64
	ScriptBytes, LibraryBytes     int64

	// Dirty counts the changes since the data was last saved.
	Dirty int64

	ExpiredKeys   int64
	StalePercent  float64 // estimated share of keys that expired and still take room
	TimeCapCycles int64   // expiry cycles that ended because their time was up
	CycleMillis   int64   // time spent in expiry cycles
	EvictedKeys   int64
	Hits, Misses  int64

	LazyfreePending, Lazyfreed int64
}

// Replication is this node's part in replication.
type Replication struct {
	Replica bool // else it is a master

	ID, ID2      string // 40 hexadecimal digits each
	Offset       int64
	SecondOffset int64 // -1: no second id

	Replicas []ReplicaLink // of a master
	Master   MasterLink    // of a replica

	// Synchronisations of replicas since the start: full ones, those that went on
	// where they were, and those that asked to but couldn't.
	SyncFull, SyncPartial, SyncRefused int64

	BacklogActive bool
	BacklogSize   int64
	BacklogFirst  int64
	BacklogLen    int64
}

// ReplicaLink is one replica as its master sees it.
type ReplicaLink struct {
	IP     string
	Port   int
	State  string // "online", "wait_bgsave", "send_bulk"
	Offset int64
	Lag    int64 // seconds since it was last heard of
}

// MasterLink is a replica's link to its master.
type MasterLink struct {
	Host string
	Port int
	// State is ROLE's word: connect, connecting, handshake, sync, connected.
	State         string
	LastIO        int64 // seconds since the master was last heard of; -1: never
	SyncRunning   bool
	DownSeconds   int64 // how long the link is down; -1: since ever
	ReadOffset    int64
	Priority      int
	ReplicaWrites bool // replica-read-only no
	Unannounced   bool // replica-announced no
}

// StoreDebug is what MEMORY USAGE and DEBUG ask of the store. During Usage the
// key's partition is locked, during the others every partition.
type StoreDebug interface {
	// Usage is the memory a key and its value take; ok is false if it is
	// absent. samples bounds the elements looked at; 0 means all.
	Usage(db int, key []byte, samples int, nowMs int64) (n int64, ok bool)
	// Object describes a key as DEBUG OBJECT does, after "Value at:..."; ok is
	// false if it is absent.
	Object(db int, key []byte, nowMs int64) (text string, ok bool)
	// DigestValue is the digest of one value, zero if the key is absent.
	DigestValue(db int, key []byte, nowMs int64) [20]byte
	// Digest is the digest of all databases, zero if they are empty.
	Digest(nowMs int64) [20]byte
	// SetActiveExpire switches the active expiry cycle.
	SetActiveExpire(on bool)
	// Populate creates n string keys, of some size if that isn't 0.
	Populate(db int, n int64, prefix string, size int, nowMs int64)
}

// Specs lists the families of this package.
func Specs(d Deps) [][]command.Spec {
	if d.Databases == 0 {
		d.Databases = 16
	}
	if d.Cluster {
		d.Databases = 1
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	b := &room{Deps: d, started: time.Now()}
	b.startup = b.memory().used
	return [][]command.Spec{
		b.connectionSpecs(),
		b.aclSpecs(),
		b.clientSpecs(),
		b.pubsubSpecs(),
		b.configSpecs(),
		b.infoSpecs(),
		b.slowlogSpecs(),
		b.latencySpecs(),
		b.memorySpecs(),
		b.debugSpecs(),
		b.serverSpecs(),
	}
}

// room binds the handlers to what they depend on.
type room struct {
	Deps
	started time.Time
	startup int64        // memory in use at start
	peak    atomic.Int64 // highest memory in use that INFO or MEMORY saw
}

// session is the caller's connection. Commands of this package run only under
// resp/server, whose sessions are the only ones that there are.
func session(c *command.Ctx) *server.Session { return c.Session.(*server.Session) }

// directive is the value of one directive, or or where there is none.
func (r *room) directive(name, or string) string {
	if r.Directives == nil {
		return or
	}
	for _, p := range r.Directives.Match(name) {
		if p[0] == name {
			return p[1]
		}
	}
	return or
}

// replication is the replication state, that of a lone master by default.
func (r *room) replication() Replication {
	if r.Replication == nil {
		return Replication{ID: r.Server.RunID(), SecondOffset: -1}
	}
	return r.Deps.Replication()
}

// dataset is the store's figures, zero without a store.
func (r *room) dataset() Dataset {
	if r.Dataset == nil {
		return Dataset{}
	}
	return r.Deps.Dataset()
}

// help writes the reply of a HELP subcommand: name's subcommands, each with
// its description below.
func help(c *command.Ctx, name string, lines ...string) {
	c.Array(len(lines) + 3)
	c.Simple(name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.Simple(l)
	}
	c.Simple("HELP")
	c.Simple("    Print this help.")
}
