package store

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// logCache is how many entries stay in memory: every append to every peer
// reads the one before it.
const logCache = 1024

// Log is a Raft log and stable store in one file, synced at every write.
type Log struct {
	guardedLog
	Stable raft.StableStore
	bolt   *raftboltdb.BoltStore
}

// OpenLog opens or creates a log.
func OpenLog(path string) (l *Log, err error) {
	// bbolt panics on some damaged files.
	defer func() {
		if r := recover(); r != nil {
			l, err = nil, fmt.Errorf("open %s: %w: %v", path, ErrCorrupt, r)
		}
	}()
	opts := boltOptions()
	// Commits don't write the list of free pages, which grows with every burst;
	// opening scans for them instead.
	opts.NoFreelistSync = true
	// Growing the map waits for readers; this is address space, not memory.
	opts.InitialMmapSize = 64 << 20
	bolt, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: opts, MsgpackUseNewTimeFormat: true})
	if err != nil {
		return nil, boltErr("open "+path, err)
	}
	cache, err := raft.NewLogCache(logCache, bolt)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), bolt.Close())
	}
	g := newGuard(cache, bolt)
	return &Log{guardedLog: guardedLog{g}, Stable: guardedStable{g}, bolt: bolt}, nil
}

// Close releases the file.
func (l *Log) Close() error { return l.bolt.Close() }
