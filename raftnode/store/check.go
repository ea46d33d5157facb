package store

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// check looks at a directory before Raft does. It refuses a newest snapshot
// that doesn't read to its end, entries that don't decode or leave a hole, and
// a log that doesn't continue its snapshot. It removes entries that an
// installed snapshot superseded: those that don't lead up to it were perhaps
// never committed, and the library would send them to others when it leads.
func check(log raft.LogStore, snaps raft.SnapshotStore) error {
	snap, err := newestSnapshot(snaps)
	if err != nil {
		return err
	}
	first, err := log.FirstIndex()
	if err != nil {
		return fmt.Errorf("first index: %w", err)
	}
	last, err := log.LastIndex()
	if err != nil {
		return fmt.Errorf("last index: %w", err)
	}
	if last == 0 {
		return nil
	}
	if snap.Index > 0 {
		if err := dropSuperseded(log, snap, first, last); err != nil {
			return err
		}
		if first, err = log.FirstIndex(); err == nil {
			last, err = log.LastIndex()
		}
		if err != nil {
			return fmt.Errorf("log bounds: %w", err)
		}
	}
	if first > snap.Index+1 {
		return fmt.Errorf("%w: log begins at %d, its snapshot ends at %d", ErrCorrupt, first, snap.Index)
	}
	var e raft.Log
	for i := snap.Index + 1; i <= last; i++ {
		if err := log.GetLog(i, &e); err != nil {
			return fmt.Errorf("%w: log entry %d of %d to %d: %w", ErrCorrupt, i, first, last, err)
		}
		if e.Index != i {
			return fmt.Errorf("%w: log entry %d says that it is %d", ErrCorrupt, i, e.Index)
		}
	}
	return nil
}

// dropSuperseded removes what precedes a snapshot without leading up to it.
func dropSuperseded(log raft.LogStore, snap raft.SnapshotMeta, first, last uint64) error {
	if first > snap.Index {
		return nil
	}
	var e raft.Log
	err := log.GetLog(snap.Index, &e)
	switch {
	case err == nil && e.Term == snap.Term:
		return nil
	case err == nil: // the tail conflicts with committed entries
		if err := log.DeleteRange(first, last); err != nil {
			return fmt.Errorf("drop entries that conflict with the snapshot: %w", err)
		}
		return nil
	case !errors.Is(err, raft.ErrLogNotFound):
		return fmt.Errorf("%w: log entry %d: %w", ErrCorrupt, snap.Index, err)
	}
	if err := log.DeleteRange(first, min(last, snap.Index)); err != nil {
		return fmt.Errorf("drop entries from before the snapshot: %w", err)
	}
	return nil
}

// newestSnapshot reads the newest snapshot to its end, so that its checksum is
// known to hold. The zero value if there is none.
func newestSnapshot(snaps raft.SnapshotStore) (raft.SnapshotMeta, error) {
	all, err := snaps.List()
	if err != nil {
		return raft.SnapshotMeta{}, fmt.Errorf("list snapshots: %w", err)
	}
	if len(all) == 0 {
		return raft.SnapshotMeta{}, nil
	}
	meta, r, err := snaps.Open(all[0].ID)
	if err != nil {
		return raft.SnapshotMeta{}, fmt.Errorf("%w: newest snapshot %s: %w", ErrCorrupt, all[0].ID, err)
	}
	n, err := io.Copy(io.Discard, r)
	err = errors.Join(err, r.Close())
	if err == nil && n != meta.Size {
		err = fmt.Errorf("%d bytes instead of %d", n, meta.Size)
	}
	if err != nil {
		return raft.SnapshotMeta{}, fmt.Errorf("%w: newest snapshot %s: %w", ErrCorrupt, meta.ID, err)
	}
	return *meta, nil
}
