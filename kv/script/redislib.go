package script

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"conclave/resp/command"
)

// Levels of redis.log.
const (
	LogDebug = iota
	LogVerbose
	LogNotice
	LogWarning
)

// The version of Redis that scripts see.
const (
	redisVersion    = "7.2.0"
	redisVersionNum = 0x00070200
)

// redisLibrary is the table redis.
func (st *state) redisLibrary() *lua.LTable {
	t := st.table(library{
		"call":  func(l *lua.LState) int { return st.redisCall(l, true) },
		"pcall": func(l *lua.LState) int { return st.redisCall(l, false) },
		"log":   st.redisLog, "setresp": st.redisSetResp, "sha1hex": st.redisSHA1, "error_reply": st.redisErrorReply,
		"status_reply": st.redisStatusReply, "set_repl": st.redisSetRepl, "acl_check_cmd": st.redisACLCheck,
		"breakpoint":         func(l *lua.LState) int { l.Push(lua.LFalse); return 1 },
		"debug":              func(*lua.LState) int { return 0 },
		"replicate_commands": func(l *lua.LState) int { l.Push(lua.LTrue); return 1 },
	})
	st.describe(t)
	for name, n := range map[string]int{"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3} {
		t.RawSetString(name, lua.LNumber(n))
	}
	return t
}

// loadLibrary is the table redis while a library is loaded.
func (st *state) loadLibrary() *lua.LTable {
	t := st.table(library{"register_function": st.registerFunction, "log": st.redisLog})
	st.describe(t)
	t.Metatable = st.strict
	return t
}

func (st *state) describe(t *lua.LTable) {
	for name, n := range map[string]int{"LOG_DEBUG": LogDebug, "LOG_VERBOSE": LogVerbose, "LOG_NOTICE": LogNotice, "LOG_WARNING": LogWarning} {
		t.RawSetString(name, lua.LNumber(n))
	}
	t.RawSetString("REDIS_VERSION", lua.LString(redisVersion))
	t.RawSetString("REDIS_VERSION_NUM", lua.LNumber(redisVersionNum))
}

// errorTable is an error as scripts see it: text is its code and message. counted
// says that the server has counted it.
func (st *state) errorTable(text string, counted bool) *lua.LTable {
	t := st.l.CreateTable(0, 2)
	if !strings.Contains(text, " ") {
		text = "ERR " + text
	}
	t.RawSetString("err", lua.LString(strings.TrimRight(text, "\r\n")))
	if counted {
		t.RawSetString("ignore_error_stats_update", lua.LTrue)
	}
	return t
}

// fail raises an error of the library's own.
func (st *state) fail(l *lua.LState, text string) int {
	l.Error(st.errorTable("ERR "+text, false), 0)
	return 0
}

// redisCall is redis.call, which raises errors, and redis.pcall, which returns
// them.
func (st *state) redisCall(l *lua.LState, raise bool) int {
	if st.host == nil {
		return st.fail(l, "redis.call/pcall can only be called inside a script invocation")
	}
	failed := func(t *lua.LTable) int {
		if raise {
			l.Error(t, 0)
		}
		l.Push(t)
		return 1
	}
	if text := st.readArgs(l); text != "" {
		return failed(st.errorTable("ERR "+text, false))
	}
	st.reply.Reset(st.reply.Bytes())
	text := st.host.CallScripted(&st.run, st.inner, st.argv)
	if st.run.Wrote && st.long != nil {
		st.long.wrote.Store(true)
	}
	if text != "" {
		return failed(st.errorTable(text, true))
	}
	b := st.reply.Bytes()
	if len(b) > keepArgBytes {
		st.budget.reserve(l, min(2*len(b), int(st.budget.maxMemory/2)))
	}
	r := replyReader{st: st, b: b}
	v := r.value()
	if cap(b) > keepArgBytes {
		st.reply.Reset(nil)
	}
	if len(b) > 0 && b[0] == '-' && raise {
		l.Error(v, 0)
	}
	l.Push(v)
	return 1
}

// readArgs makes the arguments of a command of those of the call. It returns what
// is wrong with them.
func (st *state) readArgs(l *lua.LState) string {
	n := l.GetTop()
	if n == 0 {
		return "Please specify at least one argument for this redis lib call"
	}
	size := 0
	for i := 1; i <= n; i++ {
		switch v := l.Get(i).(type) {
		case lua.LString:
			size += len(v)
		case lua.LNumber:
			size += 32
		default:
			return "Lua redis lib command arguments must be strings or integers"
		}
	}
	b := st.argBuf[:0]
	if size > cap(b) {
		b = make([]byte, 0, size)
	}
	args := st.argv[:0]
	for i := 1; i <= n; i++ {
		from := len(b)
		switch v := l.Get(i).(type) {
		case lua.LString:
			b = append(b, v...)
		case lua.LNumber:
			b = appendArgument(b, float64(v))
		}
		args = append(args, b[from:len(b):len(b)])
	}
	st.argv = args
	if cap(b) <= keepArgBytes {
		st.argBuf = b
	}
	return ""
}

func (st *state) redisLog(l *lua.LState) int {
	if l.GetTop() < 2 {
		return st.fail(l, "redis.log() requires two arguments or more.")
	}
	level, ok := toNumber(l.Get(1))
	switch {
	case !ok:
		return st.fail(l, "First argument must be a number (log level).")
	case level < LogDebug || level > LogWarning:
		return st.fail(l, "Invalid debug level.")
	}
	var words []string
	for i := 2; i <= l.GetTop(); i++ {
		if s, ok := toText(l.Get(i)); ok {
			words = append(words, s)
		}
	}
	if st.e.cfg.Log != nil {
		st.e.cfg.Log(int(level), strings.Join(words, " "))
	}
	return 0
}

func (st *state) redisSetResp(l *lua.LState) int {
	if st.host == nil {
		return st.fail(l, "redis.setresp can only be called inside a script invocation")
	}
	if l.GetTop() != 1 {
		return st.fail(l, "redis.setresp() requires one argument.")
	}
	f, _ := toNumber(l.Get(1))
	if f != 2 && f != 3 {
		return st.fail(l, "RESP version must be 2 or 3.")
	}
	st.reply.SetProto(int(f))
	return 0
}

func (st *state) redisSHA1(l *lua.LState) int {
	if l.GetTop() != 1 {
		return st.fail(l, "wrong number of arguments")
	}
	s, _ := toText(l.Get(1))
	st.budget.spend(l, len(s))
	sum := sha1.Sum([]byte(s))
	l.Push(lua.LString(hex.EncodeToString(sum[:])))
	return 1
}

// oneString is the argument of a function that takes one string. Otherwise it
// pushes an error.
func (st *state) oneString(l *lua.LState) (string, bool) {
	s, ok := l.Get(1).(lua.LString)
	if l.GetTop() != 1 || !ok {
		l.Push(st.errorTable("ERR wrong number or type of arguments", false))
		return "", false
	}
	return string(s), true
}

func (st *state) redisErrorReply(l *lua.LState) int {
	if s, ok := st.oneString(l); ok {
		l.Push(st.errorTable(strings.TrimPrefix(s, "-"), false))
	}
	return 1
}

func (st *state) redisStatusReply(l *lua.LState) int {
	if s, ok := st.oneString(l); ok {
		t := l.CreateTable(0, 1)
		t.RawSetString("ok", lua.LString(s))
		l.Push(t)
	}
	return 1
}

func (st *state) redisSetRepl(l *lua.LState) int {
	if st.host == nil {
		return st.fail(l, "redis.set_repl can only be called inside a script invocation")
	}
	if l.GetTop() != 1 {
		return st.fail(l, "redis.set_repl() requires two arguments.")
	}
	f, _ := toNumber(l.Get(1))
	flags := toInt(f)
	if flags&^3 != 0 {
		return st.fail(l, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	// There is one stream of effects, for files and replicas.
	st.run.Unkept = flags == 0
	return 0
}

// permitter is what a session may also be: it knows what its user may run.
type permitter interface {
	MayRun(spec *command.Spec, args [][]byte) bool
}

func (st *state) redisACLCheck(l *lua.LState) int {
	if st.host == nil {
		return st.fail(l, "redis.acl_check_cmd can only be called inside a script invocation")
	}
	if text := st.readArgs(l); text != "" {
		return st.fail(l, text)
	}
	spec := st.inner.Table().Resolve(st.argv)
	if spec == nil || spec.Run == nil && len(st.argv) > 1 {
		return st.fail(l, "Invalid command passed to redis.acl_check_cmd()")
	}
	p, ok := st.host.(permitter)
	l.Push(lua.LBool(!ok || p.MayRun(spec, st.argv)))
	return 1
}
