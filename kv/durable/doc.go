// Package durable keeps the data of a store on disk: it loads them at start,
// writes snapshots of them (RDB files), and appends what changes them to a file.
//
// A [Disk] is told by the server what changed ([command.Feed]), takes snapshots
// by itself or when it is asked, and answers INFO's section "persistence". The
// formats are kv/persist's, the translation of values kv/values'; the only thing
// decided here is when what is written where, and what may be acknowledged.
//
// Invariants:
//   - The order of the append-only file is that of the changes: a unit is taken
//     while the partitions that it changed are locked.
//   - With appendfsync always no reply leaves before everything that was fed when
//     it was ready is durable, be it the client's own or what it has seen of
//     others.
//   - A snapshot is the data at one instant. The base of an append-only file is
//     the data at the instant at which its first increment begins.
//   - At most one snapshot is written at a time.
//   - Files appear under their names whole and durable, or not at all.
//   - After a failed fsync nothing is acknowledged any more, and the process ends:
//     what is on disk is only known by reading it again.
//
// Caveat: with appendfsync everysec and no, what was written within the last ten
// milliseconds or so may still be in the process: a process that is killed loses
// it, as a machine that loses power loses the last second.
package durable
