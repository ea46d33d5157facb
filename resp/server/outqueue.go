package server

// Chunks of an outQueue: small output fills them up, large output is one of its
// own. The first one may be small.
const (
	outChunk = 16 << 10
	outFirst = 1 << 10
)

// outQueue is output that a socket hasn't taken. It is never moved in memory: what
// waits may be megabytes, and whoever adds to it is in a hurry. The zero value is
// empty.
type outQueue struct {
	chunks [][]byte
	sent   int // of the first chunk
	size   int
}

func (q *outQueue) add(b []byte) {
	q.size += len(b)
	if n := len(q.chunks); n > 0 {
		last := &q.chunks[n-1]
		room := min(cap(*last)-len(*last), len(b))
		*last = append(*last, b[:room]...)
		b = b[room:]
	}
	switch {
	case len(b) >= outChunk:
		q.chunks = append(q.chunks, append([]byte(nil), b...))
	case len(b) > 0:
		room := outChunk
		if len(q.chunks) == 0 {
			room = max(len(b), outFirst)
		}
		q.chunks = append(q.chunks, append(make([]byte, 0, room), b...))
	}
}

// next is what is to be sent next; empty if there is nothing.
func (q *outQueue) next() []byte {
	if len(q.chunks) == 0 {
		return nil
	}
	return q.chunks[0][q.sent:]
}

// took takes n bytes of next from the queue.
func (q *outQueue) took(n int) {
	q.size -= n
	if q.sent += n; q.sent < len(q.chunks[0]) {
		return
	}
	q.sent = 0
	q.chunks[0] = nil
	if q.chunks = q.chunks[1:]; len(q.chunks) == 0 {
		q.chunks = nil
	}
}

func (q *outQueue) clear() { *q = outQueue{} }
