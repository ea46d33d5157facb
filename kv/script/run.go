package script

import (
	lua "github.com/yuin/gopher-lua"

	"conclave/resp/command"
)

// job is one run: of a script, or of a function.
type job struct {
	name     string // SHA-1, or name of the function
	flags    Flags
	readOnly bool // by the command that runs it
	script   *Script
	function *Function
	keys     [][]byte
	args     [][]byte
}

// refusal is why a run must not begin, or "".
func (e *Engine) refusal(j *job) string {
	switch {
	case j.flags&declared == 0:
		return ""
	case j.flags&NoCluster != 0 && e.cfg.Cluster:
		return "ERR Can not run script on cluster, 'no-cluster' flag is set."
	case j.readOnly && j.flags&NoWrites == 0:
		return "ERR Can not execute a script with write flag using *_ro command."
	}
	return ""
}

// execute runs a job for a command and writes its reply.
func (e *Engine) execute(c *command.Ctx, j *job) {
	host, ok := c.Session.(command.Host)
	if !ok {
		c.Error("ERR scripts can't be run here")
		return
	}
	if text := e.refusal(j); text != "" {
		c.Error(text)
		return
	}
	st := e.state()
	defer e.giveBack(st)
	x := &st.run
	x.Function, x.ReadOnly = j.function != nil, j.readOnly || j.flags&(declared|NoWrites) == declared|NoWrites
	x.AllowOOM = j.flags&(declared|AllowOOM) == declared|AllowOOM
	x.CrossSlot = j.flags&(declared|AllowCrossSlot) == declared|AllowCrossSlot
	x.Strict = j.flags&declared != 0 && !x.CrossSlot
	x.Declared = j.flags.command()
	if text := host.BeginScript(c, x); text != "" {
		c.Error(text)
		return
	}
	st.host, st.outer, st.name = host, c, j.name
	if st.inner == nil {
		st.inner = command.NewCtx(c.Table(), host, &st.reply)
	}
	st.inner.Session = host
	st.reply.SetProto(2)
	st.budget.start(x.Began, st.onLong)
	st.perform(c, j)
	st.ended()
	st.host, st.outer, st.inner.Session = nil, nil, nil
	host.EndScript(c, x)
}

// longSource is the length from which compiling takes long.
const longSource = 16 << 10

// compiling compiles a source of so many bytes. Others are told if it takes long.
func (e *Engine) compiling(c *command.Ctx, size int, f func()) {
	host, ok := c.Session.(command.Host)
	if !ok || size < longSource {
		f()
		return
	}
	var x command.Script
	if host.BeginScript(c, &x) == "" {
		host.HoldScript(&x)
		defer host.EndScript(c, &x)
	}
	f()
}

// perform runs a job that has begun.
func (st *state) perform(c *command.Ctx, j *job) {
	keys, args := st.list(j.keys), st.list(j.args)
	var result lua.LValue
	var err error
	if j.function != nil {
		var fn *lua.LFunction
		if fn, err = st.function(j.function); err == nil {
			result, err = st.call(fn, keys, args)
		}
	} else {
		st.globals.RawSetString("KEYS", keys)
		st.globals.RawSetString("ARGV", args)
		result, err = st.call(st.chunk(j.script.proto))
	}
	if err == nil {
		st.writeReply(c.Writer, result, st.reply.Proto())
		t, ok := result.(*lua.LTable)
		st.run.Counted = ok && lua.LVAsBool(t.RawGetString("ignore_error_stats_update"))
		return
	}
	text, counted := st.finalText(err, j.name)
	st.run.Counted = counted
	c.Error(text)
}

// list is a table of strings.
func (st *state) list(args [][]byte) *lua.LTable {
	t := st.l.CreateTable(len(args), 0)
	for _, a := range args {
		t.Append(lua.LString(a))
	}
	return t
}

// env is the globals of what runs now.
func (st *state) env() *lua.LTable {
	if st.loading != nil || st.run.Function {
		return st.libGlobals
	}
	return st.globals
}
