package repl

import (
	"sync"

	"conclave/resp/command"
)

// blockSize is the memory that the stream grows by.
const blockSize = 64 << 10

// block is a part of the stream. What is before len(b) is never written again.
type block struct {
	start int64 // offset of its first byte
	b     []byte
	next  *block
}

func (b *block) end() int64 { return b.start + int64(len(b.b)) }

// stream is the end of the history. Blocks that are beyond the backlog stay for
// as long as a cursor needs them.
type stream struct {
	mu sync.Mutex
	// Guarded by mu.
	first, last *block // nil: it isn't kept
	end         int64  // offset behind the last byte, also if it isn't kept
	db          int    // that is selected at the end; -1: whoever appends has to say
	limit       int64  // size of the backlog
	idle        []chan struct{}
}

// cursor is a reader's place in the stream.
type cursor struct {
	block *block
	at    int // in the block
}

func (c *cursor) offset() int64 { return c.block.start + int64(c.at) }

// begin keeps what comes from now on, at the given offset, and forgets what was
// before.
func (s *stream) begin(end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = &block{start: end}
	s.last, s.end, s.db = s.first, end, -1
}

// stop keeps nothing any more.
func (s *stream) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first, s.last = nil, nil
}

// room returns the block that n bytes more are to be appended to. mu is locked.
func (s *stream) room(n int) *block {
	if b := s.last; cap(b.b)-len(b.b) >= n {
		return b
	}
	b := &block{start: s.end, b: make([]byte, 0, max(blockSize, n))}
	s.last.next = b
	s.last = b
	return b
}

// grown settles what was appended to a block. mu is locked.
func (s *stream) grown(b *block) {
	s.end = b.end()
	s.trim()
	for i, c := range s.idle {
		token(c)
		s.idle[i] = nil
	}
	s.idle = s.idle[:0]
}

// trim gives up what is beyond the backlog. mu is locked.
func (s *stream) trim() {
	for s.first != nil && s.first.next != nil && s.end-s.first.end() >= s.limit {
		s.first = s.first.next
	}
}

// feed appends a unit.
func (s *stream) feed(u *command.Unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return
	}
	b := s.room(u.Size())
	b.b = u.Append(b.b, &s.db)
	s.grown(b)
}

// call appends a call on a database; -1 is any.
func (s *stream) call(db int, args ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return
	}
	n := 64
	for _, a := range args {
		n += len(a) + 32
	}
	b := s.room(n)
	if db >= 0 {
		b.b = command.AppendSelect(b.b, &s.db, db)
	}
	b.b = command.AppendCall(b.b, args...)
	s.grown(b)
}

// append appends what another server's stream has. db is what is selected then.
func (s *stream) append(raw []byte, db int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.end += int64(len(raw))
		return
	}
	b := s.room(len(raw))
	b.b = append(b.b, raw...)
	s.db = db
	s.grown(b)
}

// reselect makes the next call say which database it is on.
func (s *stream) reselect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db = -1
}

// resize changes the size of the backlog.
func (s *stream) resize(limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	s.trim()
}

// offset is the number of bytes so far.
func (s *stream) offset() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// tail is a cursor at the end. The stream is kept.
func (s *stream) tail() cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cursor{s.last, len(s.last.b)}
}

// at is a cursor at an offset; ok is false if the backlog doesn't reach there.
func (s *stream) at(offset int64) (c cursor, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil || offset < s.first.start || offset > s.end {
		return c, false
	}
	b := s.first
	for offset > b.end() {
		b = b.next
	}
	return cursor{b, int(offset - b.start)}, true
}

// next moves a cursor over what it returns, which is good for ever. If there is
// nothing wake will get a token once there is.
func (s *stream) next(c *cursor, wake chan struct{}) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c.at == len(c.block.b) {
		if c.block.next == nil {
			s.idle = append(s.idle, wake)
			return nil
		}
		c.block, c.at = c.block.next, 0
	}
	b := c.block.b[c.at:len(c.block.b):len(c.block.b)]
	c.at = len(c.block.b)
	return b
}

// backlog is what INFO tells of it; first is the offset of the first byte kept.
func (s *stream) backlog() (on bool, size, first, length int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		return false, s.limit, 0, 0
	}
	length = s.end - s.first.start
	return true, s.limit, s.first.start, length
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
