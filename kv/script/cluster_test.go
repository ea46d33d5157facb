package script_test

import (
	"strconv"
	"strings"
	"testing"

	"conclave/fsm/slot"
	"conclave/kv/script"
	"conclave/resp/command"
	"conclave/resp/server"
)

// router has all slots but those of the keys in away.
type router struct{ away map[int]bool }

func (r *router) Route(q *command.Query) command.Verdict {
	switch {
	case q.CrossSlot:
		return command.Verdict{Err: "CROSSSLOT Keys in request don't hash to the same slot"}
	case r.away[q.Slot]:
		return command.Verdict{Err: "MOVED " + strconv.Itoa(q.Slot) + " 127.0.0.1:1"}
	}
	return command.Verdict{Stamp: command.Stamp{Slot: int32(q.Slot)}}
}

func (r *router) Confirm(command.Stamp) bool { return true }

// TestCluster: in cluster mode a script has the partition of its keys.
func TestCluster(t *testing.T) {
	r := &router{away: map[int]bool{slot.Of([]byte("gone")): true}}
	n := startNode(t, script.Config{Cluster: true}, server.Config{Router: r}, nil)
	c := dial(t, n.addr)
	const (
		slots    = "-ERR Script attempted to access keys that do not hash to the same slot script: "
		notLocal = "-ERR Script attempted to access a non local key in a cluster node script: "
	)
	for _, x := range []struct {
		name string
		args []string
		want string
	}{
		{"its key", []string{"eval", "return redis.call('set', KEYS[1], 1)", "1", "a"}, "+OK"},
		{"a key of the same slot", []string{"eval", "return redis.call('set', '{a}x', 1)", "1", "a"}, "+OK"},
		{"a key of another slot", []string{"eval", "return redis.call('set', 'b', 1)", "1", "a"}, slots},
		{"keys of two slots in one call", []string{"eval", "return redis.call('mset', 'a', 1, 'b', 1)", "1", "a"}, notLocal},
		{"a key that is elsewhere", []string{"eval", "return redis.call('get', 'gone')", "1", "a"}, notLocal},
		{"declared keys of two slots", []string{"eval", "return 1", "2", "a", "b"}, "-CROSSSLOT "},
		{"a declared key that is elsewhere", []string{"eval", "return 1", "1", "gone"}, "-MOVED "},
		{"no keys declared", []string{"eval", "redis.call('set', 'a', 2) return redis.call('get', 'a')", "0"}, "$2"},
		{"several slots without declared keys", []string{"eval", "redis.call('set', 'a', 2) return redis.call('set', 'b', 3)", "0"}, "+OK"},
		{"strict, several slots", []string{"eval", "#!lua\nredis.call('set', 'a', 2) return redis.call('set', 'b', 3)", "0"}, slots},
		{"strict, one slot", []string{"eval", "#!lua\nredis.call('set', 'a', 2) return redis.call('set', '{a}', 3)", "0"}, "+OK"},
		{"cross-slot by its flag", []string{"eval", "#!lua flags=allow-cross-slot-keys\nredis.call('set', 'a', 2) return redis.call('set', 'b', 3)", "1", "a"}, "+OK"},
		{"cross-slot elsewhere", []string{"eval", "#!lua flags=allow-cross-slot-keys\nreturn redis.call('get', 'gone')", "1", "a"}, notLocal},
		{"no cluster", []string{"eval", "#!lua flags=no-cluster\nreturn 1", "0"}, "-ERR Can not run script on cluster, 'no-cluster' flag is set."},
		{"the whole store", []string{"eval", "redis.call('set', 'a', 1) return redis.call('flushall')", "1", "a"}, "+OK"},
		{"and afterwards", []string{"dbsize"}, ":0"},
		{"pcall", []string{"eval", "return redis.pcall('get', 'b').err", "1", "a"}, "$ERR Script attempted to access keys that do not hash"},
	} {
		if got := c.do(x.args...); !strings.HasPrefix(got, x.want) {
			t.Errorf("%s: got %s, want %s", x.name, got, x.want)
		}
	}
	// In a transaction, too; and the queue's slot is what the script may use.
	for _, args := range [][]string{{"multi"}, {"set", "a", "1"}, {"eval", "return redis.call('get', 'a')", "1", "a"}, {"eval", "return redis.call('get', 'b')", "1", "a"}, {"get", "a"}} {
		c.do(args...)
	}
	if got := c.do("exec"); !strings.HasPrefix(got, "*[+OK $1 "+slots) || !strings.HasSuffix(got, " $1]") {
		t.Errorf("EXEC: %s", got)
	}
}

// TestLongInCluster: a script that runs long in one slot disturbs the others not
// at all, and those who want its slot wait, and are told when they have waited
// long enough.
func TestLongInCluster(t *testing.T) {
	n := startNode(t, script.Config{Cluster: true}, server.Config{Router: &router{}}, func(l *server.Limits) { l.BusyReplyThreshold = 50e6 })
	running, other := dial(t, n.addr), dial(t, n.addr)
	running.send("eval", endless, "1", "a")
	until(t, other, "-BUSY", "get", "a")
	if got := other.do("set", "b", "1"); got != "+OK" {
		t.Errorf("another slot: %s", got)
	}
	if got := other.do("ping"); got != "+PONG" {
		t.Errorf("no slot: %s", got)
	}
	if got := other.do("eval", "return redis.call('incr', KEYS[1])", "1", "b"); got != ":2" {
		t.Errorf("a script in another slot: %s", got)
	}
	until(t, other, "+OK", "script", "kill")
	running.read()
	if got := other.do("get", "a"); got != "$nil" {
		t.Errorf("afterwards: %s", got)
	}
}

// feed notes the units it is given.
type feed struct{ units []string }

func (f *feed) Wanted() bool { return true }
func (f *feed) Feed(u *command.Unit) {
	db := 0
	var words []string
	expect := 0 // words of the call that are still to come
	for part := range strings.SplitSeq(string(u.Append(nil, &db)), "\r\n") {
		switch {
		case expect == 0 && strings.HasPrefix(part, "*"):
			expect, _ = strconv.Atoi(part[1:])
		case expect > 0 && !strings.HasPrefix(part, "$"):
			words = append(words, part)
			if expect--; expect == 0 {
				words = append(words, ";")
			}
		}
	}
	f.units = append(f.units, strings.Join(words, " "))
}

func (f *feed) Hold() int64                      { return 0 }
func (f *feed) Released(int64) bool              { return true }
func (f *feed) Wait(int64, <-chan struct{}) bool { return true }
func (f *feed) OnRelease(func())                 {}

// TestEffects: what the calls of a script have changed is kept together, as its
// calls and not as the script.
func TestEffects(t *testing.T) {
	f := &feed{}
	n := startNode(t, script.Config{}, server.Config{Feed: f}, nil)
	c := dial(t, n.addr)
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"eval", "redis.call('set', 'a', 1) redis.call('get', 'a') redis.call('incr', 'a') return 1", "0"}, "MULTI ; set a 1 ; incr a ; EXEC ;"},
		{[]string{"eval", "redis.call('set', 'b', 1) error('x')", "0"}, "set b 1 ;"},
		{[]string{"eval", "return redis.call('get', 'a')", "0"}, ""},
		{[]string{"eval", "redis.set_repl(redis.REPL_NONE) redis.call('set', 'c', 1) redis.set_repl(redis.REPL_ALL) redis.call('set', 'd', 1)", "0"}, "set d 1 ;"},
		{[]string{"eval", "redis.call('sadd', 's', 'x') return redis.call('spop', 's')", "0"}, "MULTI ; sadd s x ; SREM s x ; EXEC ;"},
		{[]string{"function", "load", "#!lua name=l\nredis.register_function('f',function() redis.call('set','e',1) end)"}, "function load #!lua name=l\nredis.register_function('f',function() redis.call('set','e',1) end) ;"},
		{[]string{"fcall", "f", "0"}, "set e 1 ;"},
		{[]string{"function", "load", "broken"}, ""},
		{[]string{"function", "delete", "l"}, "function delete l ;"},
		{[]string{"script", "load", "return 1"}, ""},
	} {
		f.units = nil
		got := c.do(x.args...)
		if units := strings.Join(f.units, "|"); !strings.EqualFold(units, x.want) {
			t.Errorf("%q (%s) keeps %q, want %q", x.args, got, units, x.want)
		}
	}
	f.units = nil
	for _, args := range [][]string{{"multi"}, {"incr", "n"}, {"eval", "redis.call('incr','n') redis.call('incr','n')", "0"}, {"incr", "n"}, {"exec"}} {
		c.do(args...)
	}
	if want := "MULTI ; incr n ; incr n ; incr n ; incr n ; EXEC ;"; len(f.units) != 1 || f.units[0] != want {
		t.Errorf("a transaction keeps %q, want one unit of %q", f.units, want)
	}
}
