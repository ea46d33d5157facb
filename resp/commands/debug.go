package commands

import (
	"encoding/hex"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"conclave/resp/command"
)

// debugAction is one subcommand of DEBUG. DEBUG isn't a container in Redis:
// its subcommands have no entries of their own in COMMAND.
type debugAction struct {
	name  string
	min   int // arguments after the subcommand, least and most
	max   int // -1: any number
	usage string
	doc   string
	store bool // needs the store
	run   func(r *room, c *command.Ctx)
}

func debugActions() []debugAction {
	return []debugAction{
		{name: "change-repl-id", usage: "CHANGE-REPL-ID", doc: "Change the replication id of this node.", run: (*room).debugChangeReplID},
		{name: "digest", usage: "DIGEST", doc: "Return a digest of all data.", store: true, run: (*room).debugDigest},
		{name: "digest-value", max: -1, usage: "DIGEST-VALUE <key> [<key> ...]", doc: "Return a digest of each value.", store: true, run: (*room).debugDigestValue},
		{name: "error", min: 1, max: 1, usage: "ERROR <string>", doc: "Return <string> as an error.", run: (*room).debugError},
		{name: "log", min: 1, max: 1, usage: "LOG <message>", doc: "Write <message> to the server's log.", run: (*room).debugLog},
		{name: "loadaof", usage: "LOADAOF", doc: "Write the append-only file's buffer, forget all data and load them from the file.", run: (*room).debugLoadAOF},
		{name: "jmap", usage: "JMAP", doc: "Collect garbage.", run: (*room).debugCollect},
		{name: "object", min: 1, max: 1, usage: "OBJECT <key>", doc: "Describe how the value of <key> is stored.", store: true, run: (*room).debugObject},
		{name: "pause-cron", min: 1, max: 1, usage: "PAUSE-CRON <0|1>", doc: "Stop or resume what the server does about once a second.", run: (*room).debugPauseCron},
		{name: "populate", min: 1, max: 3, usage: "POPULATE <count> [<prefix>] [<size>]", doc: "Create <count> string keys named <prefix>:<num>, padded to <size>.", store: true, run: (*room).debugPopulate},
		{name: "protocol", min: 1, max: 1, usage: "PROTOCOL <type>", doc: "Return an example of the type: " + protocolTypes + ".", run: (*room).debugProtocol},
		{name: "quicklist-packed-threshold", min: 1, max: 1, usage: "QUICKLIST-PACKED-THRESHOLD <size>", doc: "Accepted for the sake of tests: large elements of lists are stored like others.", run: (*room).debugPackedThreshold},
		{name: "reload", max: 3, usage: "RELOAD [option ...]", doc: "Save the data, forget them and load them. Options: NOSAVE, NOFLUSH, MERGE.", run: (*room).debugReload},
		{name: "set-active-expire", min: 1, max: 1, usage: "SET-ACTIVE-EXPIRE <0|1>", doc: "Stop or resume the removal of expired keys that nobody accesses.", store: true, run: (*room).debugActiveExpire},
		{name: "set-disable-deny-scripts", min: 1, max: 1, usage: "SET-DISABLE-DENY-SCRIPTS <0|1>", doc: "Let scripts call DEBUG, or not.", run: (*room).debugScripts},
		{name: "sleep", min: 1, max: 1, usage: "SLEEP <seconds>", doc: "Stop every command on keys for <seconds>. Decimals allowed.", run: (*room).debugSleep},
		{name: "stringmatch-len", min: 2, max: 2, usage: "STRINGMATCH-LEN <length> <pattern>", doc: "Match a string of <length> times 'a' against the glob <pattern>.", run: (*room).debugStringMatch},
	}
}

// debugSpecs: the command runs with the whole store locked. That makes SLEEP
// stop the data as it does in Redis, and lets DIGEST see one instant.
func (r *room) debugSpecs() []command.Spec {
	var actions []debugAction
	for _, a := range debugActions() {
		if !a.store || r.Store != nil {
			actions = append(actions, a)
		}
	}
	return []command.Spec{{
		Name: "debug", Arity: -2, Flags: adminFlags | command.Protected | command.WholeStore, Group: "server", Since: "1.0.0", Cost: "Depends on subcommand.",
		Doc: "A container for commands that help in tests.", Args: "subcommand [argument ...]",
		Run: func(c *command.Ctx) { r.debug(c, actions) },
	}}
}

func (r *room) debug(c *command.Ctx, actions []debugAction) {
	if c.Is(1, "help") && len(c.Args) == 2 {
		var lines []string
		for _, a := range actions {
			lines = append(lines, a.usage, "    "+a.doc)
		}
		help(c, "DEBUG", lines...)
		return
	}
	given := len(c.Args) - 2
	for _, a := range actions {
		if c.Is(1, a.name) && given >= a.min && (a.max < 0 || given <= a.max) {
			a.run(r, c)
			return
		}
	}
	c.Error("ERR unknown subcommand or wrong number of arguments for '" + clip(c.Arg(1)) + "'. Try DEBUG HELP.")
}

// clip bounds what an error repeats of the client's input.
func clip(b []byte) string {
	if len(b) > 128 {
		b = b[:128]
	}
	return string(b)
}

func (r *room) debugSleep(c *command.Ctx) {
	// Like strtod: what isn't a number counts as none.
	seconds, err := strconv.ParseFloat(string(c.Arg(2)), 64)
	if err == nil && seconds > 0 {
		time.Sleep(time.Duration(math.Min(seconds, math.MaxInt64/2e9) * 1e9))
	}
	c.OK()
}

func (r *room) debugError(c *command.Ctx) { c.Error(string(c.Arg(2))) }

func (r *room) debugLog(c *command.Ctx) {
	r.Log.Warn("debug log", "client", c.Session.ID(), "message", string(c.Arg(2)))
	c.OK()
}

func (r *room) debugChangeReplID(c *command.Ctx) {
	if r.ChangeReplID != nil {
		r.ChangeReplID()
	}
	c.OK()
}

func (r *room) debugDigest(c *command.Ctx) {
	d := r.Store.Digest(c.NowMs)
	c.Simple(hex.EncodeToString(d[:]))
}

func (r *room) debugDigestValue(c *command.Ctx) {
	c.Array(len(c.Args) - 2)
	for _, key := range c.Args[2:] {
		d := r.Store.DigestValue(c.Session.DB(), key, c.NowMs)
		c.Simple(hex.EncodeToString(d[:]))
	}
}

func (r *room) debugObject(c *command.Ctx) {
	text, ok := r.Store.Object(c.Session.DB(), c.Arg(2), c.NowMs)
	if !ok {
		c.Error(command.ErrNoSuchKey)
		return
	}
	c.Simple(text)
}

func (r *room) debugReload(c *command.Ctx) {
	var o ReloadOptions
	for i := 2; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "nosave"):
			o.NoSave = true
		case c.Is(i, "noflush"), c.Is(i, "merge"):
			o.NoFlush = true
		default:
			c.Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
			return
		}
	}
	if r.Reload == nil {
		c.Error("ERR there is nothing to load")
		return
	}
	if err := r.Reload(o); err != nil {
		r.Log.Error("reload failed", "err", err)
		c.Error("ERR Error trying to load the RDB dump, check server logs.")
		return
	}
	c.OK()
}

func (r *room) debugLoadAOF(c *command.Ctx) {
	if r.LoadAOF == nil {
		c.Error("ERR there is nothing to load")
		return
	}
	if err := r.LoadAOF(); err != nil {
		r.Log.Error("reload failed", "err", err)
		c.Error("ERR Error trying to load the AOF files, check server logs.")
		return
	}
	c.OK()
}

func (r *room) debugPauseCron(c *command.Ctx) {
	r.Server.PauseHousekeeping(string(c.Arg(2)) != "0")
	c.OK()
}

func (r *room) debugActiveExpire(c *command.Ctx) {
	r.Store.SetActiveExpire(string(c.Arg(2)) != "0")
	c.OK()
}

// populateMax bounds what one call may create.
const populateMax = 1 << 28

func (r *room) debugScripts(c *command.Ctx) {
	r.Server.AllowScriptsDebug(!c.Is(2, "0"))
	c.OK()
}

func (r *room) debugPopulate(c *command.Ctx) {
	n, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
	size := int64(0)
	if err == nil && len(c.Args) > 4 {
		size, err = strconv.ParseInt(string(c.Arg(4)), 10, 64)
	}
	if err != nil || n < 0 || n > populateMax || size < 0 || size > 512<<20 {
		c.Error(command.ErrNotInteger)
		return
	}
	prefix := "key"
	if len(c.Args) > 3 {
		prefix = string(c.Arg(3))
	}
	r.Store.Populate(c.Session.DB(), n, prefix, int(size), c.NowMs)
	c.OK()
}

func (r *room) debugPackedThreshold(c *command.Ctx) {
	if _, err := strconv.ParseUint(strings.TrimRight(string(c.Arg(2)), "bBkKmMgG"), 10, 63); err != nil {
		c.Error("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
		return
	}
	c.OK()
}

func (r *room) debugCollect(c *command.Ctx) {
	runtime.GC()
	c.OK()
}

func (r *room) debugStringMatch(c *command.Ctx) {
	n, err := strconv.ParseInt(string(c.Arg(2)), 10, 64)
	if err != nil || n < 0 || n > 1<<20 {
		c.Error(command.ErrNotInteger)
		return
	}
	if command.Glob(c.Arg(3), []byte(strings.Repeat("a", int(n))), false) {
		c.Int(1)
	} else {
		c.Int(0)
	}
}

const protocolTypes = "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"

func (r *room) debugProtocol(c *command.Ctx) {
	switch strings.ToLower(string(c.Arg(2))) {
	case "string":
		c.BulkString("Hello World")
	case "integer":
		c.Int(12345)
	case "double":
		c.Double(3.141)
	case "bignum":
		c.BigNumber("1234567999999999999999999999999999999")
	case "null":
		c.Null()
	case "array":
		c.Array(3)
		for i := range 3 {
			c.Int(int64(i))
		}
	case "set":
		c.Set(3)
		for i := range 3 {
			c.Int(int64(i))
		}
	case "map":
		c.Map(3)
		for i := range 3 {
			c.Int(int64(i))
			c.Bool(i == 1)
		}
	case "attrib":
		if c.Proto() == 3 {
			c.Attribute(1)
			c.BulkString("key-popularity")
			c.Array(2)
			c.BulkString("key:123")
			c.Int(90)
		}
		c.BulkString("Some real reply following the attribute")
	case "push":
		if c.Proto() < 3 {
			c.Error("ERR RESP2 is not supported by this command")
			return
		}
		c.Push(2)
		c.BulkString("server-cpu-usage")
		c.Int(42)
		c.BulkString("Some real reply following the push reply")
	case "verbatim":
		c.Verbatim("txt", "This is a verbatim\nstring")
	case "true":
		c.Bool(true)
	case "false":
		c.Bool(false)
	default:
		c.Error("ERR Wrong protocol type name. Please use one of the following: " + protocolTypes)
	}
}
