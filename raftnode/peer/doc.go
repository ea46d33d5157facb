// Package peer is every connection between nodes: one listener on the bus
// port, one handshake, and behind it Raft, RPCs or the observers' stream, by
// the connection's kind.
//
// The handshake says who calls (cluster, node, attempt, generation,
// incarnation) and whom it wants, so that a reused address, a node of another
// cluster or a former life of a Raft directory is refused before a byte of
// anything else. With a shared secret both sides prove that they know it;
// without one only loopback peers are accepted. It authenticates, it does not
// encrypt. FORMAT.md has the bytes.
//
// RPCs are multiplexed over one connection per address and wish. The caller
// learns whether a failed request may have been executed: [ErrNotSent] means
// that it certainly wasn't. A request is never sent twice unless that holds.
//
// Ownership: [Endpoint.Serve] owns the accept loop, every handler and the
// connections of both directions; it returns after they ended. A [Client] owns
// its readers; Close waits for them. No lock is held across I/O.
//
// Caveats: a [Conn] handed to a handler is closed when the handler returns.
// Identities are those of the moment of the handshake; RPC connections are
// dropped by either side when its own identity changes.
package peer
