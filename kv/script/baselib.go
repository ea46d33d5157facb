package script

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (st *state) baseLibrary() library {
	next := st.l.NewFunction(st.next)
	step := st.l.NewFunction(ipairsStep)
	return library{
		"assert": assert, "collectgarbage": st.collectGarbage, "error": raise, "gcinfo": st.gcInfo,
		"getmetatable": st.getMetatable, "load": st.load, "loadstring": st.loadString, "next": st.next,
		"pcall": st.pcall, "rawequal": rawEqual, "rawget": rawGet, "rawset": st.rawSetFunction,
		"select": selectArgs, "setmetatable": st.setMetatable, "tonumber": toNumberFunction,
		"tostring": st.toStringFunction, "type": typeOf, "unpack": st.unpack, "xpcall": st.xpcall,
		"pairs": func(l *lua.LState) int {
			t := argTable(l, 1, "pairs")
			l.Push(next)
			l.Push(t)
			l.Push(lua.LNil)
			return 3
		},
		"ipairs": func(l *lua.LState) int {
			t := argTable(l, 1, "ipairs")
			l.Push(step)
			l.Push(t)
			l.Push(lua.LNumber(0))
			return 3
		},
	}
}

func ipairsStep(l *lua.LState) int {
	t := argTable(l, 1, "ipairs")
	i := argInt(l, 2, "ipairs") + 1
	v := t.RawGet(lua.LNumber(i))
	if v == lua.LNil {
		l.Push(lua.LNil)
		return 1
	}
	l.Push(lua.LNumber(i))
	l.Push(v)
	return 2
}

func (st *state) next(l *lua.LState) int {
	t := argTable(l, 1, "next")
	key := l.Get(2)
	for {
		k, v := t.Next(key)
		if k == lua.LNil {
			l.Push(lua.LNil)
			return 1
		}
		if st.protected(t) && isHidden(k) {
			key = k
			continue
		}
		l.Push(k)
		l.Push(v)
		return 2
	}
}

func assert(l *lua.LState) int {
	v := argAny(l, 1, "assert")
	if lua.LVIsFalse(v) {
		raisef(l, "%s", optString(l, 2, "assert", "assertion failed!"))
	}
	return l.GetTop()
}

func raise(l *lua.LState) int {
	level := optInt(l, 2, "error", 1)
	v := l.Get(1)
	if s, ok := toText(v); ok {
		if level > 0 {
			s = where(l, level) + s
		}
		v = lua.LString(s)
	}
	l.Error(v, 0)
	return 0
}

// where is the position of a function that is being called, 0 being the one that
// runs; empty if it isn't one in Lua.
func where(l *lua.LState, level int) string {
	at, ok := l.GetStack(level)
	if !ok {
		return ""
	}
	if _, err := l.GetInfo("Sl", at, lua.LNil); err != nil || at.CurrentLine <= 0 || at.Source == "" {
		return ""
	}
	return at.Source + ":" + strconv.Itoa(at.CurrentLine) + ": "
}

func (st *state) collectGarbage(l *lua.LState) int {
	switch what := optString(l, 1, "collectgarbage", "collect"); what {
	case "count":
		l.Push(lua.LNumber(float64(st.heap()) / 1024))
	case "step":
		l.Push(lua.LTrue)
	case "collect", "stop", "restart", "setpause", "setstepmul":
		l.Push(lua.LNumber(0))
	default:
		argError(l, 1, "collectgarbage", "invalid option '"+what+"'")
	}
	return 1
}

// heap is what programs are told of the memory in use.
func (st *state) heap() int64 {
	all, _ := st.budget.heap()
	return all
}

func (st *state) gcInfo(l *lua.LState) int {
	l.Push(lua.LNumber(st.heap() / 1024))
	return 1
}

func (st *state) getMetatable(l *lua.LState) int {
	v := argAny(l, 1, "getmetatable")
	mt := l.GetMetatable(v)
	if t, ok := mt.(*lua.LTable); ok {
		if t == st.hidden {
			mt = lua.LNil
		} else if shown := t.RawGetString("__metatable"); shown != lua.LNil {
			mt = shown
		}
	}
	l.Push(mt)
	return 1
}

func (st *state) setMetatable(l *lua.LState) int {
	t := argTable(l, 1, "setmetatable")
	mt := l.Get(2)
	if mt != lua.LNil || l.GetTop() < 2 {
		if _, ok := mt.(*lua.LTable); !ok {
			argError(l, 2, "setmetatable", "nil or table expected")
		}
	}
	st.writable(l, t)
	if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		raisef(l, "cannot change a protected metatable")
	}
	t.Metatable = mt
	l.SetTop(1)
	return 1
}

func rawEqual(l *lua.LState) int {
	l.Push(lua.LBool(l.RawEqual(argAny(l, 1, "rawequal"), argAny(l, 2, "rawequal"))))
	return 1
}

func rawGet(l *lua.LState) int {
	t := argTable(l, 1, "rawget")
	l.Push(t.RawGet(argAny(l, 2, "rawget")))
	return 1
}

func (st *state) rawSetFunction(l *lua.LState) int {
	t := argTable(l, 1, "rawset")
	key, value := argAny(l, 2, "rawset"), argAny(l, 3, "rawset")
	st.writable(l, t)
	st.rawSet(l, t, key, value)
	l.SetTop(1)
	return 1
}

func selectArgs(l *lua.LState) int {
	if s, ok := l.Get(1).(lua.LString); ok && s == "#" {
		l.Push(lua.LNumber(l.GetTop() - 1))
		return 1
	}
	n := l.GetTop()
	i := argInt(l, 1, "select")
	if i < 0 {
		i = n + i
	} else if i > n {
		i = n
	}
	if i < 1 {
		argError(l, 1, "select", "index out of range")
	}
	return n - i
}

func toNumberFunction(l *lua.LState) int {
	base := optInt(l, 2, "tonumber", 10)
	if base == 10 {
		if f, ok := toNumber(argAny(l, 1, "tonumber")); ok {
			l.Push(lua.LNumber(f))
		} else {
			l.Push(lua.LNil)
		}
		return 1
	}
	s := strings.ToLower(strings.Trim(argString(l, 1, "tonumber"), " \t\n\v\f\r"))
	if base < 2 || base > 36 {
		argError(l, 2, "tonumber", "base out of range")
	}
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	if base == 16 {
		s = strings.TrimPrefix(s, "0x")
	}
	n, err := strconv.ParseUint(s, base, 64)
	switch {
	case err != nil && n != math.MaxUint64:
		l.Push(lua.LNil)
	case negative:
		l.Push(lua.LNumber(float64(-n)))
	default:
		l.Push(lua.LNumber(n))
	}
	return 1
}

func (st *state) toStringFunction(l *lua.LState) int {
	v := argAny(l, 1, "tostring")
	if h := l.GetMetaField(v, "__tostring"); h != lua.LNil {
		st.callBack(l, h, 1, v)
		return 1
	}
	l.Push(lua.LString(show(v)))
	return 1
}

// show is what tostring makes of a value without a metamethod.
func show(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		var b [32]byte
		return string(appendNumber(b[:0], float64(v)))
	case lua.LBool, *lua.LNilType:
		return v.String()
	case *lua.LUserData:
		if v.Value == nil {
			return "userdata: (nil)" // cjson.null
		}
		return fmt.Sprintf("userdata: %p", v)
	}
	return v.Type().String() + fmt.Sprintf(": %p", v)
}

func typeOf(l *lua.LState) int {
	l.Push(lua.LString(argAny(l, 1, "type").Type().String()))
	return 1
}

func (st *state) unpack(l *lua.LState) int {
	t := argTable(l, 1, "unpack")
	from := optInt(l, 2, "unpack", 1)
	to := optInt(l, 3, "unpack", tableLen(t))
	if from > to {
		return 0
	}
	n := to - from + 1
	if n > maxUnpack {
		raisef(l, "too many results to unpack")
	}
	for i := from; i <= to; i++ {
		l.Push(t.RawGet(lua.LNumber(i)))
	}
	return n
}

// callBack calls a function from within one of the library's and leaves nret
// results on the stack.
func (st *state) callBack(l *lua.LState, f lua.LValue, nret int, args ...lua.LValue) {
	st.nest(l)
	l.Push(f)
	for _, a := range args {
		l.Push(a)
	}
	l.Call(len(args), nret)
	st.depth--
}

// nest counts calls from within library functions: each takes from the stack of
// the process. An error leaves the count as it is, so pcall restores it.
func (st *state) nest(l *lua.LState) {
	if st.depth++; st.depth > maxNest {
		raisef(l, "C stack overflow")
	}
}

// maxNest is how deeply library functions may call back.
const maxNest = 196

func (st *state) pcall(l *lua.LState) int {
	f := argAny(l, 1, "pcall")
	return st.protect2(l, f, l.GetTop()-1, nil)
}

func (st *state) xpcall(l *lua.LState) int {
	f := argAny(l, 1, "xpcall")
	h, ok := argAny(l, 2, "xpcall").(*lua.LFunction)
	if !ok {
		h = nil
	}
	l.SetTop(1)
	return st.protect2(l, f, 0, h)
}

// protect2 calls f, whose n arguments are on top of the stack behind it, and
// returns what pcall returns.
func (st *state) protect2(l *lua.LState, f lua.LValue, n int, handler *lua.LFunction) int {
	depth, base := st.depth, st.threadDepth
	st.nest(l)
	if handler == nil {
		l.Insert(st.shield, l.GetTop()-n)
		n++
	}
	err := l.PCall(n, lua.MultRet, handler)
	st.depth, st.threadDepth = depth, base
	if err == nil {
		l.Insert(lua.LTrue, 1)
		return l.GetTop()
	}
	l.G.CurrentThread = l
	l.SetTop(0)
	l.Push(lua.LFalse)
	l.Push(caught(err))
	return 2
}

// caught is the value of an error as a program sees it. The table of an error of
// redis.call is its text.
func caught(err error) lua.LValue {
	v := errorValue(err)
	if t, ok := v.(*lua.LTable); ok {
		if s, ok := toText(t.RawGetString("err")); ok {
			return lua.LString(s)
		}
	}
	return v
}

func errorValue(err error) lua.LValue {
	var v lua.LValue = lua.LString(err.Error())
	if ae, ok := err.(*lua.ApiError); ok && ae.Object != nil {
		v = ae.Object
	}
	if s, ok := v.(lua.LString); ok {
		return lua.LString(inLuaWords(string(s)))
	}
	return v
}

// inLuaWords says what the interpreter found as Lua does.
func inLuaWords(s string) string {
	switch {
	case strings.HasSuffix(s, "callstack overflow"), strings.HasSuffix(s, "registry overflow"):
		return "stack overflow"
	case s == "can not resume a dead thread":
		return "cannot resume dead coroutine"
	case s == "can not resume a running thread":
		return "cannot resume running coroutine"
	case strings.HasSuffix(s, errNotFunction):
		return strings.TrimSuffix(s, errNotFunction) + "attempt to call a nil value"
	case strings.Contains(s, "attempt to compare "):
		before, kinds, _ := strings.Cut(s, "attempt to compare ")
		if left, right, ok := strings.Cut(kinds, " with "); ok && left == right {
			return before + "attempt to compare two " + left + " values"
		}
	case strings.Contains(s, ": for statement "):
		return strings.NewReplacer(": for statement init", ": 'for' initial value", ": for statement ", ": 'for' ").Replace(s)
	case strings.Contains(s, "attempt to index a non-table object("):
		before, rest, _ := strings.Cut(s, "attempt to index a non-table object(")
		kind, _, _ := strings.Cut(rest, ")")
		return before + "attempt to index a " + kind + " value"
	case strings.Contains(s, "cannot perform "):
		before, rest, _ := strings.Cut(s, "cannot perform ")
		_, kinds, ok := strings.Cut(rest, " operation between ")
		left, right, ok2 := strings.Cut(kinds, " and ")
		if !ok || !ok2 {
			return s
		}
		if left == "number" {
			left = right
		}
		return before + "attempt to perform arithmetic on a " + left + " value"
	}
	return s
}

// loadString compiles a string.
func (st *state) loadString(l *lua.LState) int {
	text := argString(l, 1, "loadstring")
	return st.loadText(l, text, optString(l, 2, "loadstring", text))
}

// load compiles what a function returns, piece by piece.
func (st *state) load(l *lua.LState) int {
	f := argFunction(l, 1, "load")
	name := optString(l, 2, "load", "=(load)")
	var text []byte
	for {
		st.callBack(l, f, 1)
		v := l.Get(-1)
		l.Pop(1)
		piece, ok := toText(v)
		if !ok && v != lua.LNil {
			raisef(l, "reader function must return a string")
		}
		if piece == "" {
			break
		}
		if len(text)+len(piece) > maxSource {
			raisef(l, errMemory)
		}
		st.budget.reserve(l, len(piece))
		text = append(text, piece...)
	}
	return st.loadText(l, string(text), name)
}

func (st *state) loadText(l *lua.LState, text, name string) int {
	st.budget.reserve(l, 64*min(len(text), maxSource))
	proto, err := compile(text, chunkName(name))
	if err != nil {
		l.Push(lua.LNil)
		l.Push(lua.LString(err.Error()))
		return 2
	}
	fn := l.NewFunctionFromProto(proto)
	fn.Env = st.env()
	l.Push(fn)
	return 1
}

// chunkName is how errors call a chunk.
func chunkName(name string) string {
	if name != "" && (name[0] == '=' || name[0] == '@') {
		return name[1:]
	}
	line, _, more := strings.Cut(name, "\n")
	const longest = 45
	if len(line) > longest {
		line, more = line[:longest], true
	}
	if more {
		line += "..."
	}
	return `[string "` + line + `"]`
}
