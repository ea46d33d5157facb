// Package migrate is the client side of MIGRATE: it carries serialised keys to
// another server and tells which of them arrived.
//
// It speaks RESP2 to any server that knows SELECT and RESTORE, and knows no
// store. The caller encodes the keys ([AppendRestore]), sends them all in one
// call ([Pool.Send]) and deletes a key when told that the target confirmed it.
//
// Invariants:
//   - A key counts as arrived only if the target answered its RESTORE with a
//     simple string, and AUTH and SELECT before it were answered so too.
//     Anything that isn't a well-formed reply is a failure to read.
//   - Replies are read with a bounded buffer while the request is still being
//     written: neither side can block the other by not reading.
//   - Each step (connecting, writing a piece, reading a reply) is bounded by the
//     caller's timeout. A transfer that makes progress may take longer.
//
// Connections are kept for [IdleTime] and at most [MaxIdle] of them, each used
// by one transfer at a time. A connection that was authenticated stays so for
// whoever uses it next, as in Redis.
package migrate
