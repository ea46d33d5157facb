package script_test

import (
	"strings"
	"testing"
	"time"

	"conclave/kv/script"
	"conclave/resp/server"
)

const endless = "while true do end"

// until asks again until the reply has the prefix.
func until(t *testing.T, c *client, prefix string, args ...string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		got := c.do(args...)
		if strings.HasPrefix(got, prefix) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q: still %s, not %s", args, got, prefix)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func busyNode(t *testing.T) *node {
	return startNode(t, script.Config{}, server.Config{}, func(l *server.Limits) { l.BusyReplyThreshold = 100 * time.Millisecond })
}

// TestBusy: while a script runs for long on the only event loop, others are told
// that the server is busy, and can end it.
func TestBusy(t *testing.T) {
	n := busyNode(t)
	running, other, third := dial(t, n.addr), dial(t, n.addr), dial(t, n.addr)
	third.send("set", "waiting", "1") // while nothing runs
	if got := third.read(); got != "+OK" {
		t.Fatal(got)
	}
	running.send("eval", endless, "0")
	until(t, other, "-BUSY Redis is busy running a script. You can only call SCRIPT KILL", "ping")
	third.send("get", "waiting")
	if got := third.read(); !strings.HasPrefix(got, "-BUSY ") {
		t.Errorf("a command on keys got %s", got)
	}
	if got := other.do("function", "kill"); !strings.HasPrefix(got, "-BUSY Redis is busy running a script. You can only call SCRIPT KILL") {
		t.Errorf("FUNCTION KILL of a script got %s", got)
	}
	if got := other.do("script", "kill"); got != "+OK" {
		t.Errorf("SCRIPT KILL got %s", got)
	}
	if got := running.read(); !strings.HasPrefix(got, "-ERR Script killed by user with SCRIPT KILL... script: ") {
		t.Errorf("the script got %s", got)
	}
	until(t, other, "+PONG", "ping")
	if got := running.do("get", "waiting"); got != "$1" {
		t.Errorf("the client that ran it got %s", got)
	}
	if got := other.do("script", "kill"); got != "-NOTBUSY No scripts in execution right now." {
		t.Error(got)
	}
}

// TestWaitsForShortScripts: a script shorter than the threshold delays others and
// refuses nobody.
func TestWaitsForShortScripts(t *testing.T) {
	n := startNode(t, script.Config{}, server.Config{}, nil)
	running, others := dial(t, n.addr), []*client{dial(t, n.addr), dial(t, n.addr), dial(t, n.addr)}
	running.send("eval", "local s=0 for i=1,500000 do s=s+i end redis.call('set','done',s) return s", "0")
	for _, c := range others {
		c.send("incr", "n")
		c.send("get", "n")
	}
	running.send("get", "n")
	for _, c := range others {
		for range 2 {
			if got := c.read(); strings.HasPrefix(got, "-") {
				t.Error(got)
			}
		}
	}
	if got := running.read(); got != ":125000250000" {
		t.Error(got)
	}
	running.read()
	if got := running.do("get", "done"); got != "$125000250000" {
		t.Error(got)
	}
}

// TestKillCantBeCaught: pcall doesn't keep a script alive, and coroutines don't
// hide it.
func TestKillCantBeCaught(t *testing.T) {
	n := busyNode(t)
	running, other := dial(t, n.addr), dial(t, n.addr)
	for _, source := range []string{
		"while true do pcall(function() while true do end end) end",
		"while true do pcall(error) end",
		"local f f=function() pcall(f) end while true do f() end",
		"coroutine.wrap(function() while true do end end)()",
		"local c=coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end",
		"while true do redis.pcall('nosuch') end",
		"local t=setmetatable({},{__index=function() while true do end end}) return t.x",
		"table.sort({1,2,3},function() while true do end end)",
		"return (string.rep('a',100)):find(string.rep('a?',100)..string.rep('a',100)..'b')",
		"return string.rep('x',30000):find('.-.-.-.-b')",
		"string.gsub('x','x',function() while true do end end)",
	} {
		running.send("eval", source, "0")
		until(t, other, "-BUSY", "ping")
		until(t, other, "+OK", "script", "kill")
		if got := running.read(); !strings.HasPrefix(got, "-ERR Script killed by user") {
			t.Errorf("%s: %s", source, got)
		}
	}
}

// TestUnkillable: a script that has written can't be ended by a client, only with
// the server.
func TestUnkillable(t *testing.T) {
	n := busyNode(t)
	running, other := dial(t, n.addr), dial(t, n.addr)
	running.send("eval", "redis.call('set','k',1) "+endless, "1", "k")
	until(t, other, "-UNKILLABLE Sorry the script already executed write commands", "script", "kill")
	n.engine.SetStopped(true)
	if got := running.read(); !strings.Contains(got, "shutting down") {
		t.Error(got)
	}
	n.engine.SetStopped(false)
	if got := other.do("get", "k"); got != "$1" {
		t.Error(got)
	}
}

func TestFunctionKillAndStats(t *testing.T) {
	n := busyNode(t)
	running, other := dial(t, n.addr), dial(t, n.addr)
	if got := other.do("function", "load", "#!lua name=lib\nredis.register_function('loop',function() while true do end end)"); got != "$lib" {
		t.Fatal(got)
	}
	running.send("fcall", "loop", "0", "arg")
	until(t, other, "-BUSY Redis is busy running a script. You can only call FUNCTION KILL", "ping")
	if got := other.do("function", "stats"); !strings.HasPrefix(got, "*[$running_script *[$name $loop $command *[$fcall $loop $0 $arg] $duration_ms :") {
		t.Error(got)
	}
	if got := other.do("script", "kill"); !strings.HasPrefix(got, "-BUSY Redis is busy running a script. You can only call FUNCTION KILL") {
		t.Error(got)
	}
	if got := other.do("function", "kill"); got != "+OK" {
		t.Error(got)
	}
	if got := running.read(); !strings.HasPrefix(got, "-ERR Script killed by user with SCRIPT KILL... script: loop, on @user_function:") {
		t.Error(got)
	}
	if got := other.do("function", "stats"); got != "*[$running_script $nil $engines *[$LUA *[$libraries_count :1 $functions_count :1]]]" {
		t.Error(got)
	}
}

// TestLongInTransaction: EXEC holds what it has locked while its script runs long.
func TestLongInTransaction(t *testing.T) {
	n := busyNode(t)
	running, other := dial(t, n.addr), dial(t, n.addr)
	for _, args := range [][]string{{"multi"}, {"incr", "n"}, {"eval", endless, "0"}, {"incr", "n"}} {
		running.do(args...)
	}
	running.send("exec")
	until(t, other, "-BUSY", "get", "n")
	until(t, other, "+OK", "script", "kill")
	if got := running.read(); !strings.HasPrefix(got, "*[:1 -ERR Script killed") || !strings.HasSuffix(got, " :2]") {
		t.Error(got)
	}
}

// TestLoadTimeout: a library that doesn't get done registering is refused.
func TestLoadTimeout(t *testing.T) {
	c := dial(t, busyNode(t).addr)
	if got := c.do("function", "load", "#!lua name=lib\n"+endless); got != "-ERR Error registering functions: FUNCTION LOAD timeout" {
		t.Error(got)
	}
}
