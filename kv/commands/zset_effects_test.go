package commands_test

import (
	"bytes"
	"strings"
	"testing"

	"conclave/kv/commands"
	"conclave/resp/command"
)

func TestEventsOfSortedSets(t *testing.T) {
	e := &events{}
	l := newLocal(t, commands.Deps{Notifier: e})
	for _, tc := range []struct{ call, want string }{
		{"ZADD z 1 a 2 b", "zadd z"},
		{"ZADD z 1 a", ""},
		{"ZADD z XX 1 c", ""},
		{"ZADD z NX 3 a", ""},
		{"ZADD z INCR 1 a", "zincr z"},
		{"ZADD z NX INCR 1 a", ""},
		{"ZINCRBY z 0 a", ""},
		{"ZINCRBY z 1 c", "zincr z"},
		{"ZREM z x", ""},
		{"ZREM z a x", "zrem z"},
		{"ZPOPMIN z", "zpopmin z"},
		{"ZPOPMAX z 10", "zpopmax z, del z"},
		{"ZPOPMAX z 10", ""},
		{"ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "zadd z"},
		{"ZREMRANGEBYRANK z 0 0", "zremrangebyrank z"},
		{"ZREMRANGEBYSCORE z 2 2", "zremrangebyscore z"},
		{"ZREMRANGEBYSCORE z 2 2", ""},
		{"ZREMRANGEBYLEX z [c [c", "zremrangebylex z"},
		{"ZRANGESTORE d z 0 -1", "zrangestore d"},
		{"ZRANGESTORE d z 10 20", "del d"},
		{"ZRANGESTORE d z 10 20", ""},
		{"ZUNIONSTORE d 1 z", "zunionstore d"},
		{"ZINTERSTORE d 1 z", "zinterstore d"},
		{"ZDIFFSTORE d 1 z", "zdiffstore d"},
		{"ZDIFFSTORE d 2 z z", "del d"},
		{"ZMPOP 2 none z MIN", "zpopmin z"},
		{"BZPOPMAX z 0", "zpopmax z"},
		{"BZMPOP 0 1 z MAX", "zpopmax z, del z"},
		{"GEOADD g 0 0 a 1 1 b", "zadd g"},
		{"GEOADD g 0 0 a", ""},
		{"GEORADIUS g 0 0 1 km STORE d", "georadiusstore d"},
		{"GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 km", "geosearchstore d"},
		{"GEOSEARCHSTORE d g FROMLONLAT 9 9 BYRADIUS 1 km", "del d"},
		{"GEOSEARCHSTORE d none FROMLONLAT 9 9 BYRADIUS 1 km", ""},
		{"ZREMRANGEBYRANK g 0 -1", "zremrangebyrank g, del g"},
	} {
		e.seen = nil
		l.do(strings.Fields(tc.call)...)
		if got := e.take(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.call, got, tc.want)
		}
	}
}

// What is popped from the first of several keys is kept as popped from that key.
func TestEffectsOfSortedSets(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.do("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e", "6", "f")
	for _, tc := range []struct{ call, want string }{
		{"ZPOPMIN z", "itself"},
		{"ZMPOP 2 none z MIN", "ZPOPMIN z 1"},
		{"BZPOPMAX none z 0", "ZPOPMAX z"},
		{"BZPOPMIN none z 0", "ZPOPMIN z"},
		{"BZMPOP 0 1 z MAX COUNT 10", "ZPOPMAX z 2"},
	} {
		l.ctx.TakeEffects()
		l.do(strings.Fields(tc.call)...)
		got := "itself"
		if effects, rewritten := l.ctx.TakeEffects(); rewritten {
			var all []string
			for _, e := range effects {
				all = append(all, string(bytes.Join(e, []byte(" "))))
			}
			got = strings.Join(all, ", ")
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.call, got, tc.want)
		}
	}
}

// blocks runs a call that waits, and returns what it waits for.
func (l *local) blocks(call string) *command.Wait {
	l.t.Helper()
	args := bytes.Fields([]byte(call))
	l.w.Reset(nil)
	l.store.Lock(command.AllPartitions)
	defer l.store.Unlock(command.AllPartitions)
	l.ctx.Spec, l.ctx.Args, l.ctx.NowMs = l.table.Resolve(args), args, l.now
	l.ctx.Spec.Run(l.ctx)
	w := l.ctx.TakeWait()
	if w == nil || l.w.Len() > 0 {
		l.t.Fatalf("%s didn't wait, or replied %q", call, l.w.Bytes())
	}
	return w
}

// retry is what a key's change does to a call that waits: its reply, "" if it goes
// on waiting.
func (l *local) retry(w *command.Wait, key string) string {
	l.t.Helper()
	l.w.Reset(nil)
	l.store.Lock(command.AllPartitions)
	defer l.store.Unlock(command.AllPartitions)
	l.ctx.Args = nil // as it says, it doesn't look at those of the call
	if !w.Retry(l.ctx, []byte(key)) {
		return ""
	}
	return string(l.w.Bytes())
}

func TestSortedSetsAreWaitedFor(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for _, tc := range []struct {
		call  string
		keys  []int
		until int64
		reply string
		left  string
	}{
		{"BZPOPMIN a z 0", []int{1, 2}, 0, "*3\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\n1\r\n", `["b" "c"]`},
		{"BZPOPMAX z 0.0015", []int{1}, testNow + 2, "*3\r\n$1\r\nz\r\n$1\r\nc\r\n$1\r\n3\r\n", `["a" "b"]`},
		{"BZMPOP 1.5 2 a z MIN COUNT 2", []int{3, 4}, testNow + 1500,
			"*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n", `["c"]`},
	} {
		l.do("DEL", "z")
		w := l.blocks(tc.call)
		if len(w.Keys) != len(tc.keys) || w.Keys[0] != tc.keys[0] || w.Until != tc.until || w.TimedOut != nil {
			t.Errorf("%s waits for %v until %d", tc.call, w.Keys, w.Until)
		}
		if got := l.retry(w, "z"); got != "" {
			t.Errorf("%s: %q while there is nothing", tc.call, got)
		}
		l.do("SET", "z", "text")
		if got := l.retry(w, "z"); got != "" {
			t.Errorf("%s: %q for a string", tc.call, got)
		}
		l.do("DEL", "z")
		l.do("ZADD", "z", "1", "a", "2", "b", "3", "c")
		if got := l.retry(w, "z"); got != tc.reply {
			t.Errorf("%s: %q, want %q", tc.call, got, tc.reply)
		}
		if got := l.do("ZRANGE", "z", "0", "-1"); got != tc.left {
			t.Errorf("%s leaves %s, want %s", tc.call, got, tc.left)
		}
	}
	// In a transaction nobody waits.
	l.do("DEL", "z")
	l.inExec = true
	l.expect("BZPOPMIN z 0", "(nil)")
	l.expect("BZMPOP 0 1 z MAX", "(nil)")
}

// What 7.0, which scripts are compared with, doesn't know.
func TestSortedSetsOf72(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.expect("ZADD z 1.1 a 2 b 1e17 c -1e18 d 4611686018427387904 e 1e22 f", "(integer) 6")
	l.expect("ZRANK z b WITHSCORE", `[(integer) 2 "2"]`)
	l.expect("ZREVRANK z b withscore", `[(integer) 3 "2"]`)
	l.expect("ZRANK z x WITHSCORE", "(nil)")
	l.expect("ZRANK none x WITHSCORE", "(nil)")
	l.expect("ZRANK z b bogus", "(error) ERR syntax error")
	l.expect("ZRANK z b WITHSCORE x", "(error) ERR wrong number of arguments for 'zrank' command")
	l.expect("ZRANGE z 0 -1 WITHSCORES",
		`["d" "-1000000000000000000" "a" "1.1" "b" "2" "c" "100000000000000000" "e" "4611686018427387904" "f" "1e+22"]`)
	l.expect("BZPOPMIN none inf", "(error) ERR timeout is out of range")
	l.expect("HELLO 3", "OK")
	l.expect("ZRANK z b WITHSCORE", "[(integer) 2 (double) 2]")
	l.expect("ZSCORE z a", "(double) 1.1")

	// Many members at once get a large set, however many are the same.
	args := []string{"ZADD", "many"}
	for range 129 {
		args = append(args, "1", "m")
	}
	l.do(args...)
	l.expect("OBJECT ENCODING many", `"skiplist"`)
	l.expect("ZADD small 1.1 m", "(integer) 1")
	l.expect("ZSCAN small 0", `["0" ["m" "1.1"]]`)
	l.expect("ZADD many 1.1 m", "(integer) 0")
	l.expect("ZSCAN many 0", `["0" ["m" "1.1000000000000001"]]`)
}

// Every key that a command uses is one that it is locked for.
func TestKeysOfSortedSets(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for _, tc := range []struct{ call, keys string }{
		{"GEORADIUS g 0 0 1 m", `["g"]`},
		{"GEORADIUS g 0 0 1 m STORE a", `["g" "a"]`},
		{"GEORADIUS g 0 0 1 m STORE a WITHDIST store b", `["g" "b"]`},
		{"GEORADIUS g 0 0 1 m STOREDIST STORE STORE b", `["g" "b"]`},
		{"GEORADIUS g 0 0 1 m STORE", `["g"]`},
		{"GEORADIUSBYMEMBER g STORE 1 m STOREDIST a", `["g" "a"]`},
		{"GEOSEARCHSTORE a g FROMLONLAT 0 0 BYRADIUS 1 m", `["a" "g"]`},
		{"ZUNIONSTORE a 2 b c WEIGHTS 1 2", `["a" "b" "c"]`},
		{"ZDIFF 2 b c WITHSCORES", `["b" "c"]`},
		{"ZRANGESTORE a b 0 1", `["a" "b"]`},
		{"BZPOPMIN a b 0", `["a" "b"]`},
		{"BZMPOP 0 2 a b MIN", `["a" "b"]`},
		{"ZMPOP 1 a MIN COUNT 1", `["a"]`},
	} {
		if got := l.do(append([]string{"COMMAND", "GETKEYS"}, strings.Fields(tc.call)...)...); got != tc.keys {
			t.Errorf("%s has the keys %s, want %s", tc.call, got, tc.keys)
		}
	}
}

// The commands of the hot path allocate nothing.
func TestSortedSetsAllocateNothing(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for i := range 1000 {
		for _, key := range []string{"large", "small"} {
			if key == "large" || i < 50 {
				l.do("ZADD", key, "1.5", "member:"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i/26))
			}
		}
	}
	for _, key := range []string{"small", "large"} {
		for _, call := range []string{"ZADD K 1.5 m", "ZADD K 2 m 3 m 4 m", "ZINCRBY K 1 m", "ZSCORE K m", "ZRANK K m", "ZCARD K",
			"ZRANGE K 0 10", "ZRANGEBYSCORE K 0 2 WITHSCORES LIMIT 0 10", "ZCOUNT K 1 2"} {
			args := bytes.Fields([]byte(strings.Replace(call, " K", " "+key, 1)))
			spec := l.table.Resolve(args)
			l.ctx.Spec, l.ctx.Args, l.ctx.NowMs = spec, args, l.now
			l.store.Lock(command.AllPartitions)
			n := testing.AllocsPerRun(100, func() {
				l.w.Reset(l.w.Bytes())
				spec.Run(l.ctx)
			})
			l.store.Unlock(command.AllPartitions)
			if n > 0 {
				t.Errorf("%s: %v allocations", bytes.Join(args, []byte(" ")), n)
			}
		}
	}
}
