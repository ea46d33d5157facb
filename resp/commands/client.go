package commands

import (
	"strconv"
	"time"

	"conclave/resp/command"
	"conclave/resp/server"
)

func (r *room) clientSpecs() []command.Spec {
	const (
		plain = command.NoScript | command.Loading | command.Stale
		conn  = command.CatConnection
	)
	sub := func(name string, arity int, flags command.Flags, since, args, doc string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: arity, Flags: flags, ACL: conn, Group: "connection", Since: since, Cost: "O(1)", Doc: doc, Args: args, Run: run}
	}
	subs := []command.Spec{
		sub("id", 2, plain, "5.0.0", "", "The id of the connection.", func(c *command.Ctx) { c.Int(int64(c.Session.ID())) }),
		sub("info", 2, plain, "6.2.0", "", "Facts about the connection.", r.clientInfo),
		sub("list", -2, adminFlags, "2.4.0", "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB> | ID client-id [client-id ...]]", "Facts about all connections.", r.clientList),
		sub("setname", 3, plain, "2.6.9", "connection-name", "Names the connection.", clientSetName),
		sub("getname", 2, plain, "2.6.9", "", "The name of the connection, or null.", clientGetName),
		sub("setinfo", 4, plain, "7.2.0", "<LIB-NAME libname | LIB-VER libver>", "Tells the client library of the connection.", clientSetInfo),
		sub("reply", 3, plain, "3.2.0", "<ON | OFF | SKIP>", "Switches the replies of the connection.", clientReply),
		sub("kill", -3, adminFlags, "2.4.0", "<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>]>", "Closes connections.", r.clientKill),
		sub("no-evict", 3, adminFlags, "7.0.0", "<ON | OFF>", "Protects the connection from being closed for memory.", onOff((*server.Session).SetNoEvict)),
		sub("no-touch", 3, plain, "7.2.0", "<ON | OFF>", "Lets reads leave access times alone.", onOff((*server.Session).SetNoTouch)),
		sub("pause", -3, adminFlags, "3.0.0", "timeout [WRITE | ALL]", "Suspends commands for a time in milliseconds.", r.clientPause),
		sub("unpause", 2, adminFlags, "6.2.0", "", "Ends a pause.", func(c *command.Ctx) { r.Server.Unpause(); c.OK() }),
		sub("unblock", -3, adminFlags, "5.0.0", "client-id [TIMEOUT | ERROR]", "Ends the wait of a blocked connection.", r.clientUnblock),
		sub("getredir", 2, plain, "6.0.0", "", "The connection that gets invalidations, -1 for none.", clientGetRedir),
		sub("tracking", -3, plain, "6.0.0", "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]", "Tells the connection of changes of the keys that it has read.", r.clientTracking),
		sub("trackinginfo", 2, plain, "6.2.0", "", "What the connection is told of changes of keys.", clientTrackingInfo),
		sub("caching", 3, plain, "6.0.0", "<YES | NO>", "Says whether the next command's keys are tracked.", clientCaching),
		helpSpec("5.0.0", conn, clientHelp),
	}
	for i := range subs {
		if subs[i].Name == "list" || subs[i].Name == "info" {
			subs[i].Tips = []string{"nondeterministic_output"}
			subs[i].Cost = "O(N) where N is the number of connections"
		}
		subs[i].Group = "connection"
	}
	return []command.Spec{{Name: "client", Arity: -2, Group: "connection", Since: "2.4.0", Cost: "Depends on subcommand.",
		Doc: "A container for commands about connections.", Sub: subs}}
}

func clientHelp(c *command.Ctx) {
	help(c, "CLIENT",
		"CACHING (YES|NO)", "    Track the next command's keys, or don't, in the modes OPTIN and OPTOUT.",
		"GETREDIR", "    Return the id of the connection that gets invalidations, -1 for none.",
		"GETNAME", "    Return the name of the connection.",
		"ID", "    Return the id of the connection.",
		"INFO", "    Return facts about the connection.",
		"KILL <ip:port>", "    Close the connection from <ip:port>.",
		"KILL <option> <value> [<option> <value> [...]]", "    Close the connections that match all of:",
		"    * ADDR (<ip:port>|<unixsocket>:0)", "      The client's address.",
		"    * LADDR (<ip:port>|<unixsocket>:0)", "      The server's address.",
		"    * ID <client-id>", "      The connection's id.",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)", "      The kind of connection.",
		"    * USER <username>", "      The user it is authenticated as.",
		"    * SKIPME (YES|NO)", "      Spare the current connection (default: yes).",
		"LIST [options ...]", "    Return facts about connections. Options:",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)", "      Only those of a kind.",
		"    * ID <client-id> [<client-id> ...]", "      Only these.",
		"UNPAUSE", "    End the current pause.",
		"PAUSE <timeout> [WRITE|ALL]", "    Suspend all, or only writing, commands for <timeout> milliseconds.",
		"REPLY (ON|OFF|SKIP)", "    Control the replies sent to the connection.",
		"SETNAME <name>", "    Name the connection.",
		"SETINFO <option> <value>", "    Tell the client library. Options: LIB-NAME, LIB-VER.",
		"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]", "         [OPTIN] [OPTOUT] [NOLOOP]",
		"    Tell the connection of changes of keys that it has read, or that have a prefix.",
		"TRACKINGINFO", "    Return what the connection is told of changes of keys.",
		"UNBLOCK <clientid> [TIMEOUT|ERROR]", "    End the wait of a blocked connection.",
		"NO-EVICT (ON|OFF)", "    Protect the connection from being closed for memory.",
		"NO-TOUCH (ON|OFF)", "    Let reads of the connection leave access times alone.")
}

func clientSetName(c *command.Ctx) {
	if !cleanText(c.Arg(2)) {
		c.Error(errClientName)
		return
	}
	session(c).SetName(string(c.Arg(2)))
	c.OK()
}

func clientGetName(c *command.Ctx) {
	if name := session(c).Name(); name != "" {
		c.BulkString(name)
		return
	}
	c.Null()
}

func clientSetInfo(c *command.Ctx) {
	set := session(c).SetLibName
	switch {
	case c.Is(2, "lib-name"):
	case c.Is(2, "lib-ver"):
		set = session(c).SetLibVersion
	default:
		c.Error("ERR Unrecognized option '" + clip(c.Arg(2)) + "'")
		return
	}
	if !cleanText(c.Arg(3)) {
		c.Error("ERR " + string(c.Arg(2)) + " cannot contain spaces, newlines or special characters.")
		return
	}
	set(string(c.Arg(3)))
	c.OK()
}

func clientReply(c *command.Ctx) {
	switch {
	case c.Is(2, "on"):
		session(c).SetReplyMode(server.ReplyOn)
		c.OK()
	case c.Is(2, "off"):
		session(c).SetReplyMode(server.ReplyOff)
	case c.Is(2, "skip"):
		session(c).SetReplyMode(server.ReplySkip)
	default:
		c.Error(command.ErrSyntax)
	}
}

// onOff makes the handler of a switch.
func onOff(set func(*server.Session, bool)) command.Handler {
	return func(c *command.Ctx) {
		switch {
		case c.Is(2, "on"):
			set(session(c), true)
		case c.Is(2, "off"):
			set(session(c), false)
		default:
			c.Error(command.ErrSyntax)
			return
		}
		c.OK()
	}
}

func (r *room) clientPause(c *command.Ctx) {
	all := true
	switch {
	case len(c.Args) == 3:
	case len(c.Args) == 4 && c.Is(3, "write"):
		all = false
	case len(c.Args) == 4 && c.Is(3, "all"):
	case len(c.Args) == 4:
		c.Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
		return
	default:
		c.Error(command.ErrSyntax)
		return
	}
	ms, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
	switch {
	case err != nil || ms > int64(maxPause/time.Millisecond):
		c.Error("ERR timeout is not an integer or out of range")
		return
	case ms < 0:
		c.Error("ERR timeout is negative")
		return
	}
	r.Server.Pause(time.Now().Add(time.Duration(ms)*time.Millisecond), all)
	c.OK()
}

// maxPause keeps the end of a pause within what time.Duration can say.
const maxPause = 100 * 365 * 24 * time.Hour

func (r *room) clientUnblock(c *command.Ctx) {
	if len(c.Args) > 4 || len(c.Args) == 4 && !c.Is(3, "timeout") && !c.Is(3, "error") {
		c.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	}
	id, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
	if err != nil {
		c.Error(command.ErrNotInteger)
		return
	}
	withError := len(c.Args) == 4 && c.Is(3, "error")
	if s := r.Server.Session(uint64(id)); s != nil && s.Unblock(withError) {
		c.Int(1)
	} else {
		c.Int(0)
	}
}
