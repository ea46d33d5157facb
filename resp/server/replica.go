package server

// A connection over which a replica is sent what changes the data is written to
// by two: the owner, which answers nothing any more as a rule, and one goroutine
// that sends the stream, through Send.

// StartReplica makes the connection that of a replica: what was answered so far
// is sent, and Send may be used from now on. It reports whether the connection
// is still there. Owner only, and not on an event loop: by Detached commands.
func (s *Session) StartReplica() bool {
	s.SetReplyMode(ReplyOn)
	if !s.flush() {
		return false
	}
	c := make(chan struct{}, 1)
	s.drained.CompareAndSwap(nil, &c)
	return true
}

// Replica reports whether the connection is a replica's.
func (s *Session) Replica() bool { return s.drained.Load() != nil }

// Send writes b, of which the socket may take less: see Unsent. It is for one
// goroutine at a time that isn't the owner, after StartReplica.
func (s *Session) Send(b []byte) error {
	s.bytesOut.Add(int64(len(b)))
	s.srv.stats.bytesOut.Add(int64(len(b)))
	if s.front == nil {
		s.outMu.Lock()
		defer s.outMu.Unlock()
	}
	_, err := s.out.Write(b)
	return err
}

// Unsent is how many bytes the socket hasn't taken yet.
func (s *Session) Unsent() int {
	if s.front == nil {
		return 0
	}
	return s.front.backlog()
}

// Drained gets a token when the socket has taken everything, after it hadn't.
// Only after StartReplica.
func (s *Session) Drained() <-chan struct{} { return *s.drained.Load() }

// tellDrained is called by the event loop.
func (s *Session) tellDrained() {
	if c := s.drained.Load(); c != nil {
		select {
		case *c <- struct{}{}:
		default:
		}
	}
}
