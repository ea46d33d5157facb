package server

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"conclave/resp/command"
)

// Invalidate tells the clients that cache a key that it has changed. It is
// called with the key's partition locked, for every change; while nobody tracks
// it costs one atomic load.
func (s *Server) Invalidate(partition int, key []byte) {
	t := &s.tracking
	if t.on.Load() == 0 {
		return
	}
	h := &t.shards[partition]
	by := h.current
	if t.prefixed.Load() != 0 {
		if by != nil {
			by.track.changed = append(by.track.changed, string(key))
		} else {
			s.broadcast(nil, []string{string(key)})
		}
	}
	for _, id := range t.take(h, key) {
		s.invalidateFor(id, by, key)
	}
}

// invalidateFor tells one session, unless it was the one that changed the key and
// doesn't want to know.
func (s *Server) invalidateFor(id uint64, by *Session, key []byte) {
	x := s.Session(id)
	if x == nil || !x.track.on.Load() || x.track.broadcast.Load() || x == by && x.track.noLoop.Load() {
		return
	}
	x.invalidate(appendInvalidated(nil, key))
}

// InvalidateAll tells every client that tracks that all keys may have changed.
// All partitions are locked.
func (s *Server) InvalidateAll() {
	t := &s.tracking
	if t.on.Load() == 0 {
		return
	}
	for _, x := range s.Sessions() {
		if !x.track.on.Load() {
			continue
		}
		if x.proto.Load() == 3 {
			x.invalidate([]byte("_\r\n"))
		} else {
			x.invalidate([]byte("$-1\r\n"))
		}
	}
	t.forget()
}

// settleTracking does what is due after a command: it tells clients in
// broadcasting mode what it has changed, and ends the exception of CLIENT
// CACHING.
func (s *Session) settleTracking() {
	k := &s.track
	if len(k.changed) > 0 {
		s.srv.broadcast(s, k.changed)
		clear(k.changed)
		k.changed = k.changed[:0]
	}
	if k.caching.Load() && !s.tx.open && !aboutClient(s.lastCmd.Load()) {
		k.caching.Store(false)
	}
}

// aboutClient reports whether a command is one of CLIENT's: they leave the
// exception to the command behind them.
func aboutClient(spec *command.Spec) bool {
	return spec != nil && spec.Container() != nil && spec.Container().Name == "client"
}

// broadcast tells clients in broadcasting mode of keys that a session, or nobody
// in particular, has changed.
func (s *Server) broadcast(by *Session, keys []string) {
	type notice struct {
		prefix string
		to     []*Session
	}
	t := &s.tracking
	var notices []notice
	t.mu.Lock()
	for p, to := range t.prefixes {
		notices = append(notices, notice{p, to})
	}
	t.mu.Unlock()
	slices.SortFunc(notices, func(a, b notice) int { return strings.Compare(a.prefix, b.prefix) })
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for _, n := range notices {
		var matching [][]byte
		for _, key := range keys {
			if strings.HasPrefix(key, n.prefix) {
				matching = append(matching, []byte(key))
			}
		}
		if len(matching) == 0 {
			continue
		}
		text := appendInvalidated(nil, matching...)
		for _, x := range n.to {
			if x != by || !x.track.noLoop.Load() {
				x.invalidate(text)
			}
		}
	}
}

func appendInvalidated(b []byte, keys ...[]byte) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(keys)), 10)
	b = append(b, "\r\n"...)
	for _, key := range keys {
		b = appendBulk(b, key)
	}
	return b
}

func appendBulk(b, v []byte) []byte {
	b = append(b, '$')
	b = strconv.AppendInt(b, int64(len(v)), 10)
	b = append(b, '\r', '\n')
	b = append(b, v...)
	return append(b, '\r', '\n')
}

// invalidate sends an invalidation, whose list of keys is given as it is sent,
// to the session or to whom it redirects. Any goroutine may call it.
func (s *Session) invalidate(list []byte) {
	to, redirected := s, false
	limits := s.srv.limits()
	if id := s.track.redirect.Load(); id != 0 {
		if to = s.srv.Session(id); to == nil {
			s.track.broken.Store(true)
			if s.proto.Load() == 3 {
				b := appendBulk([]byte(">2\r\n"), []byte("tracking-redir-broken"))
				b = append(strconv.AppendUint(append(b, ':'), id, 10), "\r\n"...)
				s.Push(b, limits.OutputNormal)
			}
			return
		}
		redirected = true
	}
	var b bytes.Buffer
	limit := limits.OutputNormal
	switch {
	case to.proto.Load() == 3:
		b.WriteString(">2\r\n$10\r\ninvalidate\r\n")
	case redirected && to.Subscribed():
		b.WriteString("*3\r\n$7\r\nmessage\r\n")
		b.Write(appendBulk(nil, []byte(InvalidateChannel)))
		limit = limits.OutputPubSub
	default:
		return
	}
	b.Write(list)
	to.Push(b.Bytes(), limit)
}

var _ command.Notifier = (*Server)(nil)
