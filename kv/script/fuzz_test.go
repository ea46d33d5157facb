package script

import (
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"conclave/resp"
)

// runFor calls a program in a run of its own, which soon ends.
func (st *state) runFor(t testing.TB, program string, args ...lua.LValue) (lua.LValue, error) {
	t.Helper()
	proto, err := compile(program, "fuzz")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	st.budget.start(now, nil)
	st.budget.deadline = now.Add(20 * time.Millisecond)
	fn := st.l.NewFunctionFromProto(proto)
	fn.Env = st.globals
	return st.call(fn, args...)
}

// FuzzProgram: no text makes the compiler or the interpreter panic or hang.
func FuzzProgram(f *testing.F) {
	for _, s := range []string{
		"return 1", "local t={} t[1],t.x=2,3 return #t..t.x", "for i=1,3 do redis.call('x') end",
		"return coroutine.wrap(function(...) return ... end)(1)", "return ('x'):rep(3):gsub('x','%0')", "return {pcall(error)}",
		"function a.b:c() end", "return cjson.decode('[1]')", "return struct.pack('i', 1)", "while true do end", "return -{} .. 1",
	} {
		f.Add(s)
	}
	st := newState(New(Config{MaxMemory: 32 << 20}))
	f.Fuzz(func(t *testing.T, program string) {
		v, err := st.runFor(t, program)
		if err == nil {
			var w resp.Writer
			st.writeReply(&w, v, 3)
		}
		if v, err := st.runFor(t, "return redis.sha1hex('') .. ('x'):rep(2)"); err != nil || v != lua.LValue(lua.LString("da39a3ee5e6b4b0d3255bfef95601890afd80709xx")) {
			t.Fatalf("%q leaves the state broken: %v, %v", program, v, err)
		}
	})
}

// FuzzPattern: patterns match, fail or are refused.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{{"hello", "l+"}, {"a(b)c", "%b()"}, {"x", "[^%w]-$"}, {"abc", "(a)(b)%2"}, {"THE x", "%f[%a]%a+"}, {"]", "[]]"}} {
		f.Add(s[0], s[1])
	}
	st := newState(New(Config{MaxMemory: 32 << 20}))
	f.Fuzz(func(t *testing.T, text, pattern string) {
		program := "return function(s, p) s:find(p) s:match(p) s:gsub(p, '%0') for _ in s:gmatch(p) do end end"
		fn, err := st.runFor(t, program)
		if err != nil {
			t.Fatal(err)
		}
		st.budget.start(time.Now(), nil)
		st.budget.deadline = time.Now().Add(20 * time.Millisecond)
		_, _ = st.call(fn.(*lua.LFunction), lua.LString(text), lua.LString(pattern))
	})
}

// FuzzDecoders: what cjson and cmsgpack and struct are given is decoded or
// refused, and what they decode they encode.
func FuzzDecoders(f *testing.F) {
	for _, s := range []string{`[1,{"a":null}]`, `"\ud83d\ude00"`, "\x93\x01\xa1a\xc0", "\x81\xa1a\xcb\x00\x00\x00\x00\x00\x00\x00\x00", "<i4s!8d", `{"a":[1e5,-0x1F]}`} {
		f.Add(s)
	}
	st := newState(New(Config{MaxMemory: 32 << 20}))
	fn, err := st.runFor(f, `return function(s)
		local ok, v = pcall(cjson.decode, s) if ok then pcall(cjson.encode, v) end
		ok, v = pcall(cmsgpack.unpack, s) if ok then cmsgpack.unpack(cmsgpack.pack(v)) end
		pcall(struct.unpack, s, s) pcall(struct.pack, s, 1, 2, 3) pcall(struct.size, s)
		pcall(string.format, s, 1, 2, 3)
	end`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		st.budget.start(time.Now(), nil)
		st.budget.deadline = time.Now().Add(time.Minute)
		if _, err := st.call(fn.(*lua.LFunction), lua.LString(s)); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

// FuzzReplies: a reply becomes a value, and the value a reply.
func FuzzReplies(f *testing.F) {
	for _, s := range []string{":1\r\n", "$3\r\nabc\r\n", "*2\r\n:1\r\n$-1\r\n", "+OK\r\n", "-ERR x\r\n", "%1\r\n+a\r\n:1\r\n", "~1\r\n:1\r\n", ",1.5\r\n", "#t\r\n", "_\r\n", "(123\r\n", "=5\r\ntxt:a\r\n"} {
		f.Add([]byte(s))
	}
	st := newState(New(Config{MaxMemory: 32 << 20}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<10 {
			return
		}
		st.budget.start(time.Now(), nil)
		r := replyReader{st: st, b: b}
		v := r.value()
		for _, proto := range []int{2, 3} {
			var w resp.Writer
			w.SetProto(proto)
			st.writeReply(&w, v, proto)
		}
	})
}
