package commands

import (
	"strconv"

	"conclave/resp/acl"
	"conclave/resp/command"
	"conclave/resp/server"
)

// killFilter selects connections; unset fields select all.
type killFilter struct {
	id          uint64
	addr, laddr string
	kind, user  string
	skipMe      bool
}

func (f *killFilter) matches(s *server.Session, me uint64) bool {
	return (f.id == 0 || s.ID() == f.id) &&
		(f.addr == "" || s.Addr() == f.addr) &&
		(f.laddr == "" || s.LocalAddr() == f.laddr) &&
		(f.kind == "" || clientType(s) == f.kind) &&
		(f.user == "" || s.User() == f.user) &&
		(!f.skipMe || s.ID() != me)
}

// clientKill has two forms: "KILL addr" kills one or fails; "KILL option value
// ..." kills what matches all options and returns how many.
func (r *room) clientKill(c *command.Ctx) {
	if len(c.Args) == 3 {
		f := killFilter{addr: string(c.Arg(2))}
		if f.addr == "" || r.kill(c, &f) == 0 {
			c.Error("ERR No such client")
			return
		}
		c.OK()
		return
	}
	f := killFilter{skipMe: true}
	if text := r.parseKill(c, &f); text != "" {
		c.Error(text)
		return
	}
	c.Int(r.kill(c, &f))
}

// parseKill reads the options; it returns an error's text or "".
func (r *room) parseKill(c *command.Ctx, f *killFilter) string {
	for i := 2; i < len(c.Args); i += 2 {
		if i+1 >= len(c.Args) {
			return command.ErrSyntax
		}
		v := c.Arg(i + 1)
		switch {
		case c.Is(i, "id"):
			id, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil || id < 1 {
				return "ERR client-id should be greater than 0"
			}
			f.id = uint64(id)
		case c.Is(i, "type"):
			kind, ok := parseClientType(v)
			if !ok {
				return "ERR Unknown client type '" + clip(v) + "'"
			}
			f.kind = kind
		case c.Is(i, "addr"):
			f.addr = string(v)
		case c.Is(i, "laddr"):
			f.laddr = string(v)
		case c.Is(i, "user"):
			if string(v) != acl.DefaultName && (r.Users == nil || r.Users().Get(string(v)) == nil) {
				return "ERR No such user '" + clip(v) + "'"
			}
			f.user = string(v)
		case c.Is(i, "skipme") && command.EqualFold(v, "yes"):
			f.skipMe = true
		case c.Is(i, "skipme") && command.EqualFold(v, "no"):
			f.skipMe = false
		default:
			return command.ErrSyntax
		}
	}
	return ""
}

// kill closes the connections that f selects: the caller's after its reply.
func (r *room) kill(c *command.Ctx, f *killFilter) (n int64) {
	me := session(c)
	for _, s := range r.Server.Sessions() {
		if !f.matches(s, me.ID()) {
			continue
		}
		n++
		if s == me {
			s.CloseAfterReply()
		} else {
			s.Kill()
		}
	}
	return n
}
