// Package store keeps what a node must not lose: its own record (identity,
// membership, intents; [Meta]) and, per cluster and generation, a Raft log with
// its snapshots ([Stores], opened through a [Factory]).
//
// On disk that is <dir>/conclave.db and <dir>/raft/<cluster>/<generation>/;
// FORMAT.md has the layouts. In memory the same survives a simulated restart
// and can be told to fail or to hang.
//
// Invariants: a save or a stored entry is on disk when the call returns. After
// the first failed write a log takes no more of them, ever: what an fsync that
// failed has left on the disk is not known. The owner must end the process
// ([Stores.Failed]). Entries at or below the newest snapshot that don't lead up
// to it are removed at opening, and a log that doesn't continue its snapshot is
// refused.
//
// This package hides raft-boltdb: replacing it is a change here only.
package store
