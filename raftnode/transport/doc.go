// Package transport carries hashicorp/raft over the bus: the library's
// NetworkTransport on a stream layer of peer connections of kind Raft, and in
// front of it the guards that its known faults ask for.
//
//   - Heartbeats take the same way as everything else: the library's fast path
//     lets one change term and state beside the leader's loop, which can make
//     logs diverge (raft #695).
//   - AppendEntries, heartbeats included, are withheld while our own disk
//     hangs, so that a leader that can't write is replaced (raft #503). This
//     needs pipelining off, which also avoids raft #611 and #612.
//   - An InstallSnapshot that conflicts with the tail of our log is answered
//     with an error and reported on StaleTail: the library would install it
//     again and again for ever (raft #697). Whoever is told stops Raft, deletes
//     the tail, and starts it anew.
//   - After a snapshot was installed, entries before it are deleted. The
//     library keeps them with a hole up to the snapshot; they were perhaps never
//     committed, and it would send them to others once it leads.
//
// Addresses are names, "<node id>.<generation>", looked up when dialling: a
// node that moves changes the configuration, not the Raft membership.
//
// Close waits for every goroutine and connection of the transport.
package transport
