// Package server runs commands for connections: it accepts them, parses what
// they send, checks, routes, locks, runs, and sends the replies. It knows no
// command but MULTI and its kin, and neither the data nor the cluster: those
// are behind [command.Keyspace] and [command.Router].
//
// A [Session] is one connection without its socket: bytes in, bytes out. What
// moves the bytes is either an event loop (loop_linux.go, loopconn_linux.go,
// loops_linux.go), for TCP on Linux, or a goroutine per connection (pump.go).
// One code path decides what a command does.
//
// # Invariants
//
// No reply leaves before the router confirmed every stamp under which a
// command of the batch ran. No partition lock is held while a session writes
// to its connection, waits for a slot to change hands, or is paused.
//
// # Goroutines
//
// Serve owns one goroutine per connection and waits for them. A session that
// receives messages out of band has one more, which ends with it.
// Event loops run while a TCP listener is served; a session that can't go on
// without waiting leaves its loop for a goroutine, which ends when the session
// returns, and for which Serve waits. The housekeeper runs while the first
// Serve does.
//
// A session belongs to one goroutine at a time: its pump, its loop, or the one
// beside the loop. It is handed over through loopConn.returned and the loop's
// queue.
//
// # Locks
//
// Server.mu, Session.mu, Session.outMu, loop.mu and port.mu are leaves, and may
// be taken under a partition's lock; none is held while a partition's lock is
// taken. loopConn.mu may be held when loop.mu is taken, and the monitors' lock
// when loopConn.mu or Session.mu is.
//
// The hub's lock is taken under partitions' locks, and is held while messages are
// pushed; under it only Session.pushes, Session.mu and loopConn.mu are taken. Those
// of tracking are held while nothing is pushed.
//
// waits.serving is taken with no other lock, and partitions' locks under it. A
// wait's lock is taken under the partitions' locks, or none; keys are changed and
// leaves taken under it. waits.mu is a leaf.
//
// While a call of a session waits, whoever serves it uses what of the session
// belongs to the call: its effects, what it tracks, its rights. Its owner leaves
// those alone until the wait is over.
package server
