package commands

import (
	"strconv"
	"strings"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

// clientType is CLIENT's word for a kind of connection. A monitor counts as a
// replica, as in Redis.
func clientType(s *server.Session) string {
	if s.Monitoring() || s.Replica() {
		return "replica"
	}
	if s.Subscribed() {
		return "pubsub"
	}
	return "normal"
}

// parseClientType reads a TYPE argument; ok is false for unknown words.
func parseClientType(b []byte) (string, bool) {
	switch t := strings.ToLower(string(b)); t {
	case "normal", "pubsub", "master", "replica":
		return t, true
	case "slave":
		return "replica", true
	}
	return "", false
}

// appendClient appends one line of CLIENT LIST, with the fields of Redis 7.2
// in its order. Figures of other sessions may be a command old.
func appendClient(b []byte, s *server.Session, now time.Time) []byte {
	num := func(name string, n int64) {
		b = append(b, name...)
		b = strconv.AppendInt(b, n, 10)
	}
	str := func(name, v string) {
		b = append(b, name...)
		b = append(b, v...)
	}
	query, querySize := s.QueryBuffer()
	output, outputSize := s.OutputBuffer()
	last := "NULL"
	if spec := s.LastCommand(); spec != nil {
		last = spec.FullName()
	}
	lib, libVersion := s.Lib()
	num("id=", int64(s.ID()))
	str(" addr=", s.Addr())
	str(" laddr=", s.LocalAddr())
	num(" fd=", int64(s.FD()))
	str(" name=", s.Name())
	num(" age=", int64(now.Sub(s.Created())/time.Second))
	num(" idle=", max(int64(now.Sub(s.LastActive())/time.Second), 0))
	str(" flags=", clientFlags(s))
	num(" db=", int64(s.DB()))
	num(" sub=", int64(s.Subscriptions(server.Channel)))
	num(" psub=", int64(s.Subscriptions(server.Pattern)))
	num(" ssub=", int64(s.Subscriptions(server.ShardChannel)))
	num(" multi=", int64(s.QueueLen()))
	num(" qbuf=", query)
	num(" qbuf-free=", max(querySize-query, 0))
	str(" argv-mem=", "0") // arguments alias the query buffer
	num(" multi-mem=", s.QueueBytes())
	num(" rbs=", max(outputSize-output, 0))
	str(" rbp=", "0")
	str(" obl=", "0")
	str(" oll=", "0")
	num(" omem=", output)
	num(" tot-mem=", clientMemory(s))
	str(" events=", "r")
	str(" cmd=", last)
	str(" user=", s.User())
	num(" redir=", redirection(s))
	num(" resp=", int64(s.Proto()))
	str(" lib-name=", lib)
	str(" lib-ver=", libVersion)
	return append(b, '\n')
}

// sessionSize is about what a session takes without its buffers.
const sessionSize = 4096

// clientMemory is about what a connection takes.
func clientMemory(s *server.Session) int64 {
	_, query := s.QueryBuffer()
	_, output := s.OutputBuffer()
	return sessionSize + query + output + s.QueueBytes()
}

// clientFlags are the letters of CLIENT LIST; N stands for none.
func clientFlags(s *server.Session) string {
	b := make([]byte, 0, 8)
	tracking, broadcast, broken, _ := s.TrackingFlags()
	for _, f := range []struct {
		set    bool
		letter byte
	}{
		{s.Replica(), 'S'},
		{s.Monitoring(), 'O'},
		{s.Subscribed(), 'P'},
		{s.InMulti(), 'x'},
		{s.Blocked(), 'b'},
		{tracking, 't'},
		{broken, 'R'},
		{broadcast, 'B'},
		{s.WatchDirty(), 'd'},
		{s.Killed(), 'A'},
		{s.Unix(), 'U'},
		{s.ReadOnly(), 'r'},
		{s.NoEvict(), 'e'},
		{s.NoTouch(), 'T'},
	} {
		if f.set {
			b = append(b, f.letter)
		}
	}
	if len(b) == 0 {
		return "N"
	}
	return string(b)
}

func (r *room) clientInfo(c *command.Ctx) {
	session(c).NoteRequest(c.Args)
	c.Verbatim("txt", string(appendClient(nil, session(c), time.Now())))
}

func (r *room) clientList(c *command.Ctx) {
	var kind string
	var ids map[uint64]bool
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 4 && c.Is(2, "type"):
		t, ok := parseClientType(c.Arg(3))
		if !ok {
			c.Error("ERR Unknown client type '" + clip(c.Arg(3)) + "'")
			return
		}
		kind = t
	case len(c.Args) > 3 && c.Is(2, "id"):
		ids = make(map[uint64]bool, len(c.Args)-3)
		for _, a := range c.Args[3:] {
			id, err := strconv.ParseInt(string(a), 10, 64)
			if err != nil || id < 1 {
				c.Error("ERR Invalid client ID")
				return
			}
			ids[uint64(id)] = true
		}
	default:
		c.Error(command.ErrSyntax)
		return
	}
	now := time.Now()
	session(c).NoteRequest(c.Args)
	var b []byte
	for _, s := range r.Server.Sessions() {
		if ids != nil && !ids[s.ID()] {
			continue
		}
		if kind == "" || clientType(s) == kind {
			b = appendClient(b, s, now)
		}
	}
	c.Verbatim("txt", string(b))
}

// clientTotals sums what INFO tells of all connections.
type clientTotals struct {
	connected           int64
	memory              int64
	maxInput, maxOutput int64
}

func (r *room) clientTotals() clientTotals {
	var t clientTotals
	for _, s := range r.Server.Sessions() {
		input, _ := s.QueryBuffer()
		output, _ := s.OutputBuffer()
		t.connected++
		t.memory += clientMemory(s)
		t.maxInput = max(t.maxInput, input)
		t.maxOutput = max(t.maxOutput, output)
	}
	return t
}
