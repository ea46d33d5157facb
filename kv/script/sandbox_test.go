package script_test

import (
	"runtime"
	"strings"
	"testing"

	"conclave/kv/script"
	"conclave/resp/server"
)

// TestSandbox: what was published against Redis, and what else would reach out of
// a script or into the next one.
func TestSandbox(t *testing.T) {
	c := dial(t, startNode(t, script.Config{MaxMemory: 64 << 20}, server.Config{}, nil).addr)
	const readonly = "Attempt to modify a readonly table"
	for _, x := range []struct{ name, source, want string }{
		{"no os", "return os", "nonexistent global variable 'os'"},
		{"no io", "return io", "nonexistent global variable 'io'"},
		{"no debug", "return debug", "nonexistent global variable 'debug'"},
		{"no package (CVE-2022-0543)", "return package", "nonexistent global variable 'package'"},
		{"no require", "return require", "nonexistent global variable 'require'"},
		{"no dofile", "return dofile", "nonexistent global variable 'dofile'"},
		{"no loadfile", "return loadfile", "nonexistent global variable 'loadfile'"},
		{"no print", "return print", "nonexistent global variable 'print'"},
		{"no channels", "return channel", "nonexistent global variable 'channel'"},
		{"no setfenv", "return setfenv", "nonexistent global variable 'setfenv'"},
		{"no getfenv", "return getfenv", "nonexistent global variable 'getfenv'"},
		{"no newproxy", "return newproxy", "nonexistent global variable 'newproxy'"},
		{"no bytecode", "return loadstring('\\27Lua')()", "attempt to call"},
		{"no dump", "return string.dump(function() end)", "unable to dump"},
		{"global of its own", "x = 1", readonly},
		{"global function", "function f() end", readonly},
		{"global replaced", "redis = 1", readonly},
		{"library replaced (CVE-2022-24735)", "redis.call = function() end", readonly},
		{"through _G", "_G.redis = 1", readonly},
		{"through rawset", "rawset(_G, 'redis', 1)", readonly},
		{"through rawset of a library", "rawset(string, 'rep', 1)", readonly},
		{"metatable of globals (CVE-2022-24735)", "getmetatable(_G).__index = function() return 1 end", readonly},
		{"metatable of globals replaced", "setmetatable(_G, {})", readonly},
		{"metatable of a library", "setmetatable(string, {})", readonly},
		{"metatable of strings (CVE-2025-46818)", "getmetatable('').__index = function() return 1 end", readonly},
		{"metatable of strings, raw", "rawset(getmetatable(''), '__index', 1)", readonly},
		{"table.insert", "table.insert(redis, 1)", readonly},
		{"table.remove", "table.remove(redis)", readonly},
		{"table.sort", "table.sort(redis)", readonly},
		{"__newindex of ours", "local t = setmetatable({}, {__newindex = redis}) t.call = 1", readonly},
		{"several at once", "local a a, redis.call = 1, 2", readonly},
		{"in a coroutine", "coroutine.wrap(function() redis.call = 1 end)()", readonly},
		{"in loaded code", "loadstring('redis.call = 1')()", readonly},
		{"hidden functions", "for k in pairs(_G) do if k:byte() == 0 then return k end end return 'none'", "$none"},
		{"unpack (CVE-2025-46817)", "return unpack({}, 1, 2^31)", "too many results to unpack"},
		{"unpack, other end", "return unpack({}, -2^31, 2^31-1)", "too many results to unpack"},
		{"long comments (CVE-2025-46819)", "return loadstring('--[' .. ('='):rep(100000) .. '[')() == nil", ""},
		{"long strings (CVE-2025-46819)", "return #(loadstring('return [' .. ('='):rep(100000) .. '[') or '') ", ""},
		{"cjson depth (CVE-2022-24834)", "local t = {} for i = 1, 10000 do t = {t} end return cjson.encode(t)", "excessive nesting"},
		{"cjson length (CVE-2022-24834)", "return #cjson.encode(string.rep('\\1', 2^24))", "not enough memory"},
		{"cmsgpack depth (CVE-2015-8080)", "local t = {} for i = 1, 10000 do t = {t} end return #cmsgpack.pack(t)", ":"},
		{"cmsgpack lengths (CVE-2015-8080)", "return cmsgpack.unpack('\\221\\255\\255\\255\\255')", "Missing bytes"},
		{"struct size (CVE-2020-14147)", "return struct.pack('>I2147483648', '10')", "size"},
		{"struct unpack (CVE-2018-11219)", "return struct.unpack('>I2147483647', '10')", "limit"},
		{"struct offset (CVE-2018-11219)", "return struct.unpack('c2147483647', 'x', 2147483647)", "too short"},
		{"bit (CVE-2024-31449)", "return bit.tohex(65535, -2147483648)", "$0000FFFF"},
		{"RESP in errors (CVE-2025-67733)", "return {err = 'ERR a\\r\\n+b\\r\\n'}", "-ERR a  +b"},
		{"RESP in status", "return {ok = 'a\\r\\n+b'}", "+a  +b"},
		{"debug hooks (CVE-2021-32626)", "return coroutine.wrap(function() return redis.call('get', 'x') end)()", "$nil"},
		{"string doubling", "local s = 'x' while true do s = s .. s end", "not enough memory"},
		{"string.rep", "return string.rep('x', 2^30)", "not enough memory"},
		{"string.rep times", "return string.rep(string.rep('x', 2^20), 2^20)", "not enough memory"},
		{"gsub", "return string.rep('x', 2^16):gsub('x', string.rep('y', 2^12))", "not enough memory"},
		{"format", "return string.format(string.rep('%99s', 2^20), string.rep('x', 2^20))", "bad argument"},
		{"table.concat", "local t = {} for i = 1, 4096 do t[i] = string.rep('x', 2^16) end return #table.concat(t)", "not enough memory"},
		{"strings in a table", "local t = {} while true do t[#t + 1] = string.rep('x', 2^20) .. #t end", "not enough memory"},
		{"far indexes", "local t = {} while true do local x = {} x[65000] = 1 t[#t + 1] = x end", "not enough memory"},
		{"far keys of constructors", "local t = {} while true do t[#t + 1] = {[65000] = 1} end", "not enough memory"},
		{"coroutines", "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end", "not enough memory"},
		{"lists of arguments", "local t = {} local function f(...) t[#t + 1] = {...} end while true do f(unpack({}, 1, 7000)) end", "not enough memory"},
		{"recursion", "local function f() return 1 + f() end return f()", "stack overflow"},
		{"recursion through pcall", "local function f() local a, b = pcall(f) if not a then error(b, 0) end end f()", "stack overflow"},
		{"recursion through metamethods", "local m = {} m.__index = function(t, k) return t[k .. 'x'] end return setmetatable({}, m).a", "-ERR "}, // whichever limit it meets first
		{"recursion through gsub", "local function f() return (('x'):gsub('x', f)) end return f()", "stack overflow"},
		{"recursion through sort", "local function f() table.sort({1, 2}, f) end f()", "stack overflow"},
		{"recursion through coroutines", "local function f() return coroutine.wrap(f)() end return f()", "stack overflow"},
		{"recursion through tostring", "local m = {} m.__tostring = function(t) return tostring(t) end return tostring(setmetatable({}, m))", "stack overflow"},
		{"__index loops", "local t = {} setmetatable(t, {__index = t}) return t.x", ""},
		{"reply without end", "local t = {} t[1] = t t[2] = t return t", "not enough memory"},
		{"nested source", "return select(2, loadstring('return ' .. ('('):rep(10000)))", "too many syntax levels"},
		{"chained source", "return select(2, loadstring('return ' .. ('1 + '):rep(100000) .. '1'))", "too many syntax levels"},
		{"long source", "return select(2, loadstring(('x'):rep(2^20 + 1)))", ""},
		{"captures", "return ('x'):rep(100):find(('(x)'):rep(100))", "too many captures"},
		{"pattern recursion", "return ('x'):rep(2^20):find(('x?'):rep(100000))", ""},
	} {
		got := c.do("eval", x.source, "0")
		if !strings.Contains(got, x.want) {
			t.Errorf("%s: got %.300s, want %s", x.name, got, x.want)
		}
	}
	for _, x := range [][2]string{
		{"return redis.call('incr', 'alive')", ":1"}, {"return string.rep('x', 2)", "$xx"}, {"return ('x'):upper()", "$X"},
	} {
		if got := c.do("eval", x[0], "0"); got != x[1] {
			t.Errorf("afterwards %s gives %s", x[0], got)
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 256<<20 {
		t.Errorf("%d MiB are still in use", m.HeapAlloc>>20)
	}
}
