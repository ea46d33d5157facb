package server

import (
	"conclave/resp/command"
)

// Permitter is what an [Authenticator] may also be, if users may do different
// things.
type Permitter interface {
	// Permissions are those of a user, or nil if there is none.
	Permissions(user string) command.Permissions
}

// Refusal is something a client was refused, for ACL LOG.
type Refusal struct {
	command.Denial
	Session *Session
	Context string // toplevel, multi, lua
	User    string
}

// OnRefusal has f be told of what clients are refused. It is called before the
// server serves, f by the session's goroutine.
func (s *Server) OnRefusal(f func(Refusal)) { s.refused = f }

// NoteRefusal tells of a refusal: of a call, or of a password.
func (s *Server) NoteRefusal(r Refusal) {
	switch r.Reason {
	case command.DeniedCommand:
		s.stats.deniedCommands.Add(1)
	case command.DeniedKey:
		s.stats.deniedKeys.Add(1)
	case command.DeniedChannel:
		s.stats.deniedChannels.Add(1)
	case command.DeniedAuth:
		s.stats.authFailures.Add(1)
	}
	if s.refused != nil {
		s.refused(r)
	}
}

// permissions are those of a user; nil if all may do everything.
func (s *Server) permissions(user string) command.Permissions {
	if p, ok := s.cfg.Auth.(Permitter); ok {
		return p.Permissions(user)
	}
	return nil
}

// Permissions are those of the session's user; nil if all may do everything. Owner
// only.
func (s *Session) Permissions() command.Permissions { return s.perms }

// denied is why the session's user may not make a call, without a code, or "".
func (s *Session) denied(spec *command.Spec, args [][]byte, context string) string {
	p := s.perms
	if p == nil || p.Unrestricted() {
		return ""
	}
	d, ok := p.Check(spec, args)
	if ok {
		return ""
	}
	s.srv.NoteRefusal(Refusal{Denial: d, Session: s, Context: context, User: p.Name()})
	return d.Text(p.Name(), false)
}

func (s *Session) refusalContext() string {
	if s.tx.open {
		return "multi"
	}
	return "toplevel"
}

// MayRun reports whether the session's user may make a call. Owner only.
func (s *Session) MayRun(spec *command.Spec, args [][]byte) bool {
	if s.perms == nil || s.perms.Unrestricted() {
		return true
	}
	_, ok := s.perms.Check(spec, args)
	return ok
}

// EachSubscription calls visit for every channel and pattern that the session
// listens to. Any goroutine may ask.
func (s *Session) EachSubscription(visit func(kind Topic, name string)) {
	h := &s.srv.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind := range s.subs.in {
		for t := range s.subs.in[kind] {
			visit(Topic(kind), t.name)
		}
	}
}
