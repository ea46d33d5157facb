// Package fsm is the cluster's truth: which nodes there are, their roles,
// shards, slots, epochs and open slots, and how one committed operation changes
// that. It is pure: no Raft, clock, randomness, I/O, goroutine, logger or
// map-order dependence. Times and ids arrive inside the entry.
//
// A [State] is immutable: Apply returns a new one that shares what didn't
// change. A published State is the view the rest of the process reads.
//
// Callers hold no lock. Nothing reachable from a State may be modified.
package fsm
