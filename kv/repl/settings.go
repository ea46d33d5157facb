package repl

import (
	"time"

	"conclave/kv/persist"
)

// Settings are the directives that matter here.
type Settings struct {
	// How this node makes itself known to its primary.
	Port       int
	AnnounceIP string
	User       string // masteruser
	Password   string // masterauth

	ReadOnly   bool // replica-read-only
	ServeStale bool // replica-serve-stale-data
	Priority   int
	Announced  bool
	LoadInto   DisklessLoad
	MaxString  int    // bytes of one argument in the primary's stream
	Dir        string // of temporary files; empty: the working directory

	Diskless     bool // repl-diskless-sync
	Delay        time.Duration
	DelayMax     int // replicas for which the delay ends; 0: none
	Timeout      time.Duration
	PingPeriod   time.Duration
	BacklogSize  int64
	BacklogTTL   time.Duration // 0: for ever
	MinReplicas  int
	MaxLag       time.Duration // 0: min-replicas-to-write isn't looked at
	OutputHard   int64         // bytes that a replica may be behind; 0: any number
	OutputSoft   int64
	OutputSoftIn time.Duration

	// Of the data that replicas are sent.
	Encoding   persist.Encoding
	Checksum   bool
	Idle, Freq bool
}

// DisklessLoad says when the data of a full synchronisation go into memory
// without a file.
type DisklessLoad int

// The values of repl-diskless-load. What a file is spared in DisklessSwap is the
// time in which old data could still be served: it is the same as the first.
const (
	DisklessNever DisklessLoad = iota
	DisklessOnEmpty
	DisklessSwap
)
