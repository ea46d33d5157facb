package server

import "sync"

// Chunks of an outQueue: small output fills them up, large output is one of its
// own. The first one may be small.
const (
	outChunk = 16 << 10
	outFirst = 2 << 10
)

// outChunks are free chunks, shared by all queues: whoever gets messages needs one
// for a moment, again and again. The zero value is empty.
type outChunks struct {
	first sync.Pool // of *[outFirst]byte
	next  sync.Pool // of *[outChunk]byte
}

// get is an empty chunk, a small one if first is set.
func (f *outChunks) get(first bool) []byte {
	if first {
		if c, ok := f.first.Get().(*[outFirst]byte); ok {
			return c[:0]
		}
		return make([]byte, 0, outFirst)
	}
	if c, ok := f.next.Get().(*[outChunk]byte); ok {
		return c[:0]
	}
	return make([]byte, 0, outChunk)
}

// put takes a chunk back that nobody uses any more.
func (f *outChunks) put(b []byte) {
	switch cap(b) {
	case outFirst:
		f.first.Put((*[outFirst]byte)(b[:outFirst]))
	case outChunk:
		f.next.Put((*[outChunk]byte)(b[:outChunk]))
	}
}

// outQueue is output that a socket hasn't taken. It is never moved in memory: what
// waits may be megabytes, and whoever adds to it is in a hurry. It is empty to
// begin with, and free must be set.
type outQueue struct {
	free   *outChunks
	chunks [][]byte
	one    [1][]byte // the chunks, while there is one
	sent   int       // of the first chunk
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
	if len(b) == 0 {
		return
	}
	var c []byte
	if len(b) < outChunk {
		c = q.free.get(len(q.chunks) == 0 && len(b) <= outFirst)
	}
	if len(q.chunks) == 0 {
		q.chunks = q.one[:0]
	}
	q.chunks = append(q.chunks, append(c, b...))
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
	q.free.put(q.chunks[0])
	q.chunks[0] = nil
	if q.chunks = q.chunks[1:]; len(q.chunks) == 0 {
		q.chunks = nil
	}
}

func (q *outQueue) clear() {
	for _, c := range q.chunks {
		q.free.put(c)
	}
	*q = outQueue{free: q.free}
}
