package commands

import (
	"strconv"

	"conclave/resp/command"
	"conclave/resp/server"
)

func (r *room) clientTracking(c *command.Ctx) {
	o, text := r.parseTracking(c)
	if text != "" {
		c.Error(text)
		return
	}
	s := session(c)
	switch {
	case c.Is(2, "on"):
		if text := s.StartTracking(o); text != "" {
			c.Error(text)
			return
		}
	case c.Is(2, "off"):
		s.StopTracking()
	default:
		c.Error(command.ErrSyntax)
		return
	}
	c.OK()
}

func (r *room) parseTracking(c *command.Ctx) (o server.TrackingOptions, text string) {
	for i := 3; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch {
		case c.Is(i, "redirect") && more:
			i++
			if o.Redirect != 0 {
				return o, "ERR A client can only redirect to a single other client"
			}
			id, err := strconv.ParseInt(string(c.Arg(i)), 10, 64)
			if err != nil {
				return o, command.ErrNotInteger
			}
			// A mistake is said at once; the client may be gone later, too.
			if id <= 0 || r.Server.Session(uint64(id)) == nil {
				return o, "ERR The client ID you want redirect to does not exist"
			}
			o.Redirect = uint64(id)
		case c.Is(i, "bcast"):
			o.Broadcast = true
		case c.Is(i, "optin"):
			o.OptIn = true
		case c.Is(i, "optout"):
			o.OptOut = true
		case c.Is(i, "noloop"):
			o.NoLoop = true
		case c.Is(i, "prefix") && more:
			i++
			o.Prefixes = append(o.Prefixes, string(c.Arg(i)))
		default:
			return o, command.ErrSyntax
		}
	}
	return o, ""
}

func clientCaching(c *command.Ctx) {
	s := session(c)
	o, on := s.Tracking()
	switch {
	case !on:
		c.Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	case c.Is(2, "yes") && !o.OptIn:
		c.Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
	case c.Is(2, "no") && !o.OptOut:
		c.Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
	case c.Is(2, "yes"), c.Is(2, "no"):
		s.SetCaching()
		c.OK()
	default:
		c.Error(command.ErrSyntax)
	}
}

// redirection is whom a client's invalidations go to: 0 is the client itself, -1
// means that there are none.
func redirection(s *server.Session) int64 {
	on, _, _, to := s.TrackingFlags()
	if !on {
		return -1
	}
	return int64(to)
}

func clientGetRedir(c *command.Ctx) { c.Int(redirection(session(c))) }

func clientTrackingInfo(c *command.Ctx) {
	s := session(c)
	o, on := s.Tracking()
	_, _, broken, _ := s.TrackingFlags()
	var flags []string
	for _, f := range []struct {
		set  bool
		name string
	}{
		{!on, "off"}, {on, "on"}, {o.Broadcast, "bcast"},
		{o.OptIn, "optin"}, {o.OptIn && s.Caching(), "caching-yes"},
		{o.OptOut, "optout"}, {o.OptOut && s.Caching(), "caching-no"},
		{o.NoLoop, "noloop"}, {broken, "broken_redirect"},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	c.Map(3)
	c.BulkString("flags")
	c.Set(len(flags))
	for _, f := range flags {
		c.BulkString(f)
	}
	c.BulkString("redirect")
	c.Int(redirection(s))
	c.BulkString("prefixes")
	c.Array(len(o.Prefixes))
	for _, p := range o.Prefixes {
		c.BulkString(p)
	}
}
