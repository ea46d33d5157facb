package store

import (
	"github.com/hashicorp/raft"
)

// Factory opens Raft directories; one per cluster and generation.
type Factory interface {
	// Open opens a directory, or makes an empty one.
	Open(cluster string, generation uint64) (*Stores, error)
	// List names the directories in use (not those put aside).
	List() ([]DirInfo, error)
	// SetAside renames one so that it is never opened again. One that isn't
	// there is no error.
	SetAside(cluster string, generation uint64) error
	// Remove deletes one, put aside or not.
	Remove(cluster string, generation uint64) error
}

// DirInfo names a Raft directory.
type DirInfo struct {
	Cluster    string
	Generation uint64
}

// Stores is an open Raft directory.
type Stores struct {
	Log    raft.LogStore
	Stable raft.StableStore
	Snaps  raft.SnapshotStore
	// Fresh: the directory was made by this Open. If the generation was in use
	// before, its votes and entries are lost, and nothing may vote under it.
	Fresh bool
	*guard
	close func() error
}

// CheckSnapshots reads the newest snapshot to its end. A leader that can't open
// it can't help a follower that needs it, and doesn't notice by itself.
func (s *Stores) CheckSnapshots() error {
	_, err := newestSnapshot(s.Snaps)
	return err
}

// Close releases the directory. Raft must be down.
func (s *Stores) Close() error { return s.close() }
