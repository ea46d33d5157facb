// Package server runs commands for connections: it accepts them, parses what
// they send, checks, routes, locks, runs, and sends the replies. It knows no
// command but MULTI and its kin, and neither the data nor the cluster: those
// are behind [command.Keyspace] and [command.Router].
//
// A [Session] is one connection without its socket: bytes in, bytes out. A
// pump moves the bytes; here one goroutine per connection, in pump.go, which
// is the only file that would change for another front end.
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
// receives messages out of band (MONITOR) has one more, which ends with it.
// The housekeeper runs while the first Serve does.
//
// # Locks
//
// Server.mu, Session.mu and Session.outMu are leaves, taken one at a time, and
// may be taken under a partition's lock; none is held while a partition's lock
// is taken.
package server
