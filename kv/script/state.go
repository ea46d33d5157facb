package script

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"conclave/resp"
	"conclave/resp/command"
)

// Limits of one Lua state.
const (
	maxCalls     = 16384     // that nest
	startValues  = 1 << 10   // room for values on the stack
	growValues   = 1 << 12   // it grows by
	maxValues    = 256 << 10 // its end
	arrayLimit   = 1 << 16   // keys from here on are hashed, see limitArrays
	maxUnpack    = 7999      // values that one call may return, as in Lua
	keepArgBytes = 64 << 10  // of the memory for calls' arguments between runs
)

// limitArrays bounds what the library fills with nil when a key is stored far
// beyond the end of a table: it allocates everything in between. The setting is
// the library's, for the whole process.
var limitArrays = sync.OnceFunc(func() { lua.MaxArrayIndex = arrayLimit })

// state is a Lua state and what belongs to the run that has it. One goroutine
// uses it at a time.
type state struct {
	l      *lua.LState
	e      *Engine
	budget *budget

	globals    *lua.LTable // of scripts
	libGlobals *lua.LTable // of libraries, with one of these, see setLoading
	forLoading map[string]lua.LValue
	forRunning map[string]lua.LValue

	// A table with one of these as its metatable is read-only. hidden is not
	// shown by getmetatable.
	hidden, strict *lua.LTable

	shield    *lua.LFunction // see shielded
	guard     *lua.LFunction // calls target, see call
	target    *lua.LFunction
	args      [2]lua.LValue
	nargs     int
	chunks    map[*lua.FunctionProto]*lua.LFunction
	onPanic   func(*lua.LState)
	onLong    func()
	errSource string // where the last error that nobody caught was raised
	errLine   int
	// Calls of library functions that call back: how deep they nest, and how deep
	// the coroutine that is running began.
	depth, threadDepth int
	json               jsonConfig
	random             random
	loaded             map[*Library]map[string]*lua.LFunction
	loading            *Library // the library that is being loaded,
	declaring          bool     // for the first time
	loadedInto         map[string]*lua.LFunction

	// Of the run under way.
	host   command.Host // nil outside a run
	outer  *command.Ctx // of the command that runs it
	name   string
	run    command.Script
	long   *longRun // once it has taken long
	inner  *command.Ctx
	reply  resp.Writer
	argv   [][]byte
	argBuf []byte
	text   []byte // of concatenations
}

func newState(e *Engine) *state {
	limitArrays()
	st := &state{
		e: e, budget: newBudget(e.cfg.MaxMemory, &e.stopped), chunks: map[*lua.FunctionProto]*lua.LFunction{},
		loaded: map[*Library]map[string]*lua.LFunction{},
	}
	st.l = lua.NewState(lua.Options{
		SkipOpenLibs: true, CallStackSize: maxCalls, MinimizeStackMemory: true,
		RegistrySize: startValues, RegistryGrowStep: growValues, RegistryMaxSize: maxValues,
	})
	st.l.SetContext(st.budget)
	st.onPanic, st.onLong = st.panicked, st.isLong
	st.json.reset()
	st.sandbox()
	return st
}

// call calls a function with st.args in protected mode and returns its first
// result. An error is one that the function didn't catch; where it was raised is
// in errSource and errLine.
func (st *state) call(fn *lua.LFunction, args ...lua.LValue) (result lua.LValue, err error) {
	st.target, st.nargs = fn, copy(st.args[:], args)
	st.errSource, st.errLine, st.depth, st.threadDepth = "", 0, 0, 0
	st.l.G.CurrentThread = st.l
	st.l.Push(st.guard)
	if err := st.l.PCall(0, 1, nil); err != nil {
		st.l.SetTop(0)
		return nil, err
	}
	result = st.l.Get(-1)
	st.l.SetTop(0)
	return result, nil
}

// enter is the body of guard: within it, errors are seen where they are raised.
func (st *state) enter(l *lua.LState) int {
	l.Panic = st.onPanic
	defer st.overflowed(l)
	l.Push(st.target)
	for _, a := range st.args[:st.nargs] {
		l.Push(a)
	}
	l.Call(st.nargs, 1)
	return 1
}

// noTrace keeps the library from describing the stack, which takes time in the
// square of its depth.
const noTrace = "-"

// shielded is the body of shield, which pcall calls: errors in it carry no
// description of the stack.
func shielded(l *lua.LState) int {
	l.Panic = func(l *lua.LState) {
		panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: l.Get(-1), StackTrace: noTrace})
	}
	l.Call(l.GetTop()-1, lua.MultRet)
	return l.GetTop()
}

// overflowed turns what the interpreter panics with, where it doesn't raise an
// error, into one: the end of its stack.
func (st *state) overflowed(l *lua.LState) {
	r := recover()
	if r == nil {
		return
	}
	if err, ok := r.(*lua.ApiError); ok {
		panic(err)
	}
	st.errSource, st.errLine = position(l)
	text := inLuaWords(fmt.Sprint(r))
	if st.errLine > 0 {
		text = fmt.Sprintf("%s:%d: %s", st.errSource, st.errLine, text)
	}
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: lua.LString(text), StackTrace: noTrace})
}

// panicked is called where an error is raised that no pcall is going to catch.
func (st *state) panicked(l *lua.LState) {
	st.errSource, st.errLine = position(l)
	v := l.Get(-1)
	if s, ok := v.(lua.LString); ok && strings.HasSuffix(string(s), errNotFunction) {
		if name := st.calledName(l); name != "" {
			v = lua.LString(strings.TrimSuffix(string(s), errNotFunction) + "attempt to call " + name)
		}
	}
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: v, StackTrace: noTrace})
}

// errNotFunction is what the interpreter says of a call of something else.
const errNotFunction = "attempt to call a non-function object"

// calledName describes what was called and is no function, as Lua does; empty if
// the line that runs has several calls that it may have been.
func (st *state) calledName(l *lua.LState) string {
	at, ok := l.GetStack(0)
	if !ok {
		return ""
	}
	v, err := l.GetInfo("Slf", at, lua.LNil)
	fn, ok := v.(*lua.LFunction)
	if err != nil || !ok || fn.Proto == nil {
		return ""
	}
	found := ""
	for _, c := range fn.Proto.DbgCalls {
		if c.Pc >= len(fn.Proto.DbgSourcePositions) || fn.Proto.DbgSourcePositions[c.Pc] != at.CurrentLine || strings.HasPrefix(c.Name, "\x00") {
			continue
		}
		if found != "" {
			return ""
		}
		kind := "field"
		switch {
		case slices.Contains(fn.Proto.DbgUpvalues, c.Name):
			kind = "upvalue"
		case slices.ContainsFunc(fn.Proto.DbgLocals, func(x *lua.DbgLocalInfo) bool { return x.Name == c.Name }):
			kind = "local"
		case fn.Env.RawGetString(c.Name) != lua.LNil:
			continue
		}
		found = kind + " '" + c.Name + "' (a nil value)"
	}
	return found
}

// position is the line that is being run, of the innermost function in Lua.
func position(l *lua.LState) (source string, line int) {
	for level := range 4 {
		at, ok := l.GetStack(level)
		if !ok {
			break
		}
		if _, err := l.GetInfo("Sl", at, lua.LNil); err != nil {
			break
		}
		if at.CurrentLine > 0 && at.Source != "" {
			return at.Source, at.CurrentLine
		}
	}
	return "", 0
}

// chunk is the function of a compiled script.
func (st *state) chunk(proto *lua.FunctionProto) *lua.LFunction {
	fn := st.chunks[proto]
	if fn == nil {
		if len(st.chunks) > maxChunks {
			clear(st.chunks)
		}
		fn = st.l.NewFunctionFromProto(proto)
		fn.Env = st.globals
		st.chunks[proto] = fn
	}
	return fn
}

// maxChunks bounds the functions a state remembers: scripts come and go.
const maxChunks = 1 << 14

// protected reports whether a table is read-only.
func (st *state) protected(t *lua.LTable) bool {
	return t.Metatable == lua.LValue(st.hidden) || t.Metatable == lua.LValue(st.strict)
}

// protect makes a table read-only.
func (st *state) protect(t *lua.LTable) { t.Metatable = st.hidden }

const errReadonly = "Attempt to modify a readonly table"

// writable ends the run if a table is read-only.
func (st *state) writable(l *lua.LState, t *lua.LTable) {
	if st.protected(t) {
		l.Error(lua.LString(errReadonly), 0)
	}
}
