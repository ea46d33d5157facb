package durable

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"conclave/kv"
	"conclave/kv/persist"
	"conclave/resp/command"
)

// Config is what a Disk is made of. Store and Settings are required.
type Config struct {
	Store *kv.Store
	// Settings are those in force. Called often.
	Settings func() *Settings
	// Files is where files are kept; nil = the operating system's.
	Files persist.FileSystem
	// Libraries are the functions that are kept with the data; nil = none.
	Libraries Libraries
	// Version is the version of Redis that files claim to come from.
	Version string
	Log     *slog.Logger
}

// Libraries are functions that were loaded by clients.
type Libraries interface {
	// Sources are the sources of all libraries. Every partition is locked.
	Sources() [][]byte
	// Restore loads a library in place of one of the same name.
	Restore(source []byte) error
	// Clear removes all of them.
	Clear()
}

// Settings are the directives that matter here.
type Settings struct {
	Dir string // of all files; empty: the working directory

	// Snapshots.
	SavePoints       []SavePoint
	Filename         string
	Checksum         bool
	IncrementalFsync bool // rdb-save-incremental-fsync
	StopWrites       bool // stop-writes-on-bgsave-error
	Encoding         persist.Encoding
	// SaveDelay and LoadDelay slow down the work on each key, for tests.
	SaveDelay, LoadDelay time.Duration
	// Idle and Freq say which of the two is written beside a key.
	Idle, Freq bool
	// MaxString bounds a string in a file.
	MaxString int

	// The append-only file.
	AppendOnly            bool
	AppendFilename        string
	AppendDir             string
	Fsync                 Fsync
	NoFsyncOnRewrite      bool
	RewritePercentage     int   // 0: no automatic rewriting
	RewriteMinSize        int64 // bytes
	LoadTruncated         bool
	Preamble              bool // aof-use-rdb-preamble
	Timestamps            bool
	RewriteIncrementFsync bool // aof-rewrite-incremental-fsync
}

// SavePoint asks for a snapshot once so many changes are that old.
type SavePoint struct {
	After   time.Duration
	Changes int64
}

// Fsync says when appended data are made durable.
type Fsync int

// The policies of appendfsync.
const (
	FsyncEverySecond Fsync = iota
	FsyncAlways
	FsyncNo
)

// Disk keeps the data of one store. Make it with New, then call Load and Run.
type Disk struct {
	cfg   Config
	files persist.FileSystem
	log   *slog.Logger
	table *command.Table

	loading progress
	jobs    jobs
	aof     appendLog

	dirMu sync.Mutex
	// Guarded by dirMu.
	dir  *persist.AOFDirectory // nil unless there is an append-only file
	anew bool                  // what is fed doesn't continue what is in it

	// Of snapshots. Written by whoever finishes one, read by anybody.
	lastSave        atomic.Int64 // Unix seconds
	savedDirty      atomic.Int64 // the store's count of changes at that time
	saves           atomic.Int64
	saveFailed      atomic.Bool
	saveTook        atomic.Int64 // seconds; -1: none yet
	lastTry         atomic.Int64 // Unix ms of the last automatic attempt
	rewriteFailed   atomic.Bool
	rewriteFailures atomic.Int64 // in a row
	rewrites        atomic.Int64
	rewriteTook     atomic.Int64 // seconds; -1: none yet
	lastRewrite     atomic.Int64 // Unix ms when the last one ended
	loadedKeys      atomic.Int64
	expiredKeys     atomic.Int64 // left out by the last load
	background      sync.WaitGroup
	ctx             context.Context // of what runs in the background
	cancel          context.CancelFunc
	shuttingDown    atomic.Bool
}

// New makes a Disk. It touches no file. The store is not in use yet.
func New(cfg Config) *Disk {
	if cfg.Files == nil {
		cfg.Files = persist.OS{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Disk{cfg: cfg, files: cfg.Files, log: cfg.Log}
	d.lastSave.Store(time.Now().Unix())
	d.saveTook.Store(-1)
	d.rewriteTook.Store(-1)
	d.aof.init(cfg.Settings)
	d.cfg.Store.Observe(kv.Observer{
		Expired: func(db, _ int, key []byte) { d.aof.del(db, key) },
		Evicted: func(db, _ int, key []byte) { d.aof.del(db, key) },
	})
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Use sets the commands with which an append-only file is replayed. It must be
// called once, before Load.
func (d *Disk) Use(t *command.Table) { d.table = t }

// dirty is the store's count of changes.
func (d *Disk) dirty() int64 { return d.cfg.Store.Stats().Dirty }

// Changes counts the changes since the last snapshot.
func (d *Disk) Changes() int64 { return d.dirty() - d.savedDirty.Load() }

// keys is the number of keys in all databases.
func (d *Disk) keys() (n int64) {
	for db := range d.cfg.Store.Databases() {
		n += d.cfg.Store.DBStats(db).Keys
	}
	return n
}

// period is how often Run looks whether something is due.
const period = 100 * time.Millisecond

// Feed takes what changes the data.
func (d *Disk) Feed() command.Feed { return &d.aof }

// Run writes what is fed and does what is due by itself, snapshots at save points
// and rewriting, until ctx ends: nothing may be fed any more then. It returns an
// error, at once, if the data can't be kept any more.
func (d *Disk) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	running, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { d.watch(running) })
	w := &writer{appendLog: &d.aof, d: d}
	return w.run(ctx)
}

// watch begins what is due.
func (d *Disk) watch(ctx context.Context) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if d.aof.watchStall(now) {
				d.log.Warn("making the append-only file durable takes long: is the disk busy? Replies are held back until it is")
			}
			d.due(now)
		}
	}
}

// Close ends what runs in the background and waits for it.
func (d *Disk) Close() error {
	d.cancel()
	d.background.Wait()
	return nil
}
