// Package repl keeps copies of the data on other servers, as Redis does it
// (PSYNC): a [Node] is the primary of those that connect to it, and may itself be
// the replica of another server, with replicas of its own.
//
// A Node is told by the server what changed ([command.Feed]) and passes that on
// to who keeps the data on disk. The changes are a stream of commands; the end of
// it is kept as the backlog. A replica that was away for a short time goes on
// where it was; any other gets the data of one instant first, several of them the
// same ones, and then the stream from that instant on.
//
// A history is known by an id; a position in it is the number of bytes before it.
// A replica has its primary's id, and sends on what it gets byte for byte, so
// that its own replicas can go on with its primary. When it becomes a primary it
// begins a new history, and remembers up to where the old one was the same.
//
// Invariants:
//   - The order of the stream is that of the changes: what is fed is appended
//     while the partitions that it changed are locked.
//   - Whether the stream is kept changes only while every partition is locked;
//     whenever it begins to be kept, a new history does.
//   - What a replica applies, its position, and what it passes on change together,
//     while every partition is locked: a snapshot fits its position.
//   - The stream costs nothing until the first replica comes.
//
// Locks, in the order in which they are taken: partitions, Node.mu, stream.mu.
package repl
