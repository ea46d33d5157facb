package server

import (
	"io"
	"time"
)

// front is the output of a session that an event loop serves. Its Write never
// blocks: what the socket doesn't take is kept, and sent when it does.
type front interface {
	io.WriteCloser
	// push is Session.Push.
	push(b []byte, limit OutputLimit)
	// backlog is how much is kept.
	backlog() int
	// behind is since when more than so many bytes have been kept; zero if
	// fewer are.
	behind(than int64, now time.Time) time.Time
}
