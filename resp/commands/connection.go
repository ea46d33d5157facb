package commands

import (
	"strconv"

	"conclave/resp/command"
	"conclave/resp/server"
)

// onConnection are the flags of commands that every connection may use at any
// time, even before it is authenticated.
const onConnection = command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.AllowBusy

const (
	errNoPassword = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	errWrongPass  = "WRONGPASS invalid username-password pair or user is disabled."
	errHelloAuth  = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errClientName = "ERR Client names cannot contain spaces, newlines or special characters."
)

func (r *room) connectionSpecs() []command.Spec {
	return []command.Spec{
		{Name: "ping", Arity: -1, Flags: command.Fast, ACL: command.CatConnection, Group: "connection", Since: "1.0.0", Cost: "O(1)",
			Doc: "Answers PONG, or with the message.", Args: "[message]", Run: ping,
			Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"}},
		{Name: "echo", Arity: 2, Flags: command.Loading | command.Stale | command.Fast, ACL: command.CatConnection, Group: "connection", Since: "1.0.0", Cost: "O(1)",
			Doc: "Answers with the message.", Args: "message", Run: func(c *command.Ctx) { c.Bulk(c.Arg(1)) }},
		{Name: "quit", Arity: -1, Flags: onConnection, ACL: command.CatConnection, Group: "connection", Since: "1.0.0", Cost: "O(1)",
			Doc: "Closes the connection after the reply.", Run: quit},
		{Name: "reset", Arity: 1, Flags: onConnection, ACL: command.CatConnection, Group: "connection", Since: "6.2.0", Cost: "O(1)",
			Doc: "Returns the connection to the state of a new one.", Run: r.reset},
		{Name: "select", Arity: 2, Flags: command.Loading | command.Stale | command.Fast, ACL: command.CatConnection, Group: "connection", Since: "1.0.0", Cost: "O(1)",
			Doc: "Selects the database of the connection.", Args: "index", Run: r.selectDB},
		{Name: "auth", Arity: -2, Flags: onConnection, ACL: command.CatConnection, Group: "connection", Since: "1.0.0", Cost: "O(N) where N is the number of passwords of the user",
			Doc: "Authenticates the connection.", Args: "[username] password", Run: r.auth},
		{Name: "hello", Arity: -1, Flags: onConnection, ACL: command.CatConnection, Group: "connection", Since: "6.0.0", Cost: "O(1)",
			Doc: "Selects the protocol version and tells who the server is.", Args: "[protover [AUTH username password] [SETNAME clientname]]", Run: r.hello},
	}
}

func ping(c *command.Ctx) {
	switch {
	case len(c.Args) > 2:
		c.Error("ERR wrong number of arguments for 'ping' command")
	case c.Proto() == 2 && session(c).Subscribed():
		c.Array(2)
		c.BulkString("pong")
		if len(c.Args) == 2 {
			c.Bulk(c.Arg(1))
		} else {
			c.BulkString("")
		}
	case len(c.Args) == 2:
		c.Bulk(c.Arg(1))
	default:
		c.Simple("PONG")
	}
}

func quit(c *command.Ctx) {
	c.OK()
	session(c).CloseAfterReply()
}

func (r *room) reset(c *command.Ctx) {
	session(c).ResetState()
	c.Simple("RESET")
}

func (r *room) selectDB(c *command.Ctx) {
	n, err := strconv.ParseInt(string(c.Arg(1)), 10, 32)
	switch {
	case err != nil:
		c.Error(command.ErrNotInteger)
	case r.Cluster && n != 0:
		c.Error("ERR SELECT is not allowed in cluster mode")
	case n < 0 || n >= int64(r.Databases):
		c.Error("ERR DB index is out of range")
	default:
		c.Session.SetDB(int(n))
		c.OK()
	}
}

func (r *room) auth(c *command.Ctx) {
	if len(c.Args) > 3 {
		c.Error(command.ErrSyntax)
		return
	}
	s := session(c)
	for i := 1; i < len(c.Args); i++ {
		s.Redact(i)
	}
	user, password := "default", c.Arg(1)
	if len(c.Args) == 3 {
		user, password = string(c.Arg(1)), c.Arg(2)
	} else if !r.Server.PasswordNeeded() {
		c.Error(errNoPassword)
		return
	}
	if !s.Authenticate(user, password) {
		r.wrongPassword(c, user)
		c.Error(errWrongPass)
		return
	}
	c.OK()
}

// wrongPassword notes a failed authentication.
func (r *room) wrongPassword(c *command.Ctx, user string) {
	context := "toplevel"
	if c.InExec {
		context = "multi"
	}
	r.Server.NoteRefusal(server.Refusal{Denial: command.Denial{Reason: command.DeniedAuth, Object: c.Spec.Name},
		Session: session(c), Context: context, User: user})
}

func (r *room) hello(c *command.Ctx) {
	s := session(c)
	version := 0
	if len(c.Args) > 1 {
		v, err := strconv.ParseInt(string(c.Arg(1)), 10, 64)
		if err != nil {
			c.Error("ERR Protocol version is not an integer or out of range")
			return
		}
		if v < 2 || v > 3 {
			c.Error("NOPROTO unsupported protocol version")
			return
		}
		version = int(v)
	}
	var user, password, name []byte
	for i := 2; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch {
		case c.Is(i, "auth") && left >= 2:
			user, password = c.Arg(i+1), c.Arg(i+2)
			s.Redact(i + 1)
			s.Redact(i + 2)
			i += 2
		case c.Is(i, "setname") && left >= 1:
			name = c.Arg(i + 1)
			if !cleanText(name) {
				c.Error(errClientName)
				return
			}
			i++
		default:
			c.Error("ERR Syntax error in HELLO option '" + string(c.Arg(i)) + "'")
			return
		}
	}
	if user != nil && !s.Authenticate(string(user), password) {
		r.wrongPassword(c, string(user))
		c.Error(errWrongPass)
		return
	}
	if !s.Authenticated() {
		c.Error(errHelloAuth)
		return
	}
	if name != nil {
		s.SetName(string(name))
	}
	if version != 0 {
		c.SetProto(version)
	}
	r.writeHello(c)
}

func (r *room) writeHello(c *command.Ctx) {
	role := "master"
	if r.replication().Replica {
		role = "replica"
	}
	c.Map(7)
	c.BulkString("server")
	c.BulkString("redis")
	c.BulkString("version")
	c.BulkString(RedisVersion)
	c.BulkString("proto")
	c.Int(int64(c.Proto()))
	c.BulkString("id")
	c.Int(int64(c.Session.ID()))
	c.BulkString("mode")
	c.BulkString(r.mode())
	c.BulkString("role")
	c.BulkString(role)
	c.BulkString("modules")
	c.Array(0)
}

// cleanText reports whether b may be a client's name or library: printable
// ASCII without spaces, so that CLIENT LIST stays parseable.
func cleanText(b []byte) bool {
	for _, ch := range b {
		if ch < '!' || ch > '~' {
			return false
		}
	}
	return true
}
