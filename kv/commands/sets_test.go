package commands_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"conclave/kv/commands"
)

// Removing an expired key moves others of its slot: of several keys of a call,
// too.
func TestSetsNextToExpiredKeys(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for i := range 200 {
		key := func(n int) string { return fmt.Sprint("{t}", i%7, ":", n) }
		for n := 11; n >= 0; n-- {
			l.do("SADD", key(n), fmt.Sprint(n), "a")
			if n%2 == 1 {
				l.do("PEXPIRE", key(n), "5")
			}
		}
		l.now += 5
		l.do("SREM", key(0), "a")
		if got := l.do("SMOVE", key(0), key(1), "0"); got != "(integer) 1" {
			t.Fatalf("moved: %s", got)
		}
		if got := l.do("SMEMBERS", key(1)); got != `["0"]` {
			t.Fatalf("%s: %s", key(1), got)
		}
		gone, left := l.do("EXISTS", key(0)), l.do("EXISTS", key(1), key(2), key(4), key(6), key(8), key(10))
		if gone != "(integer) 0" || left != "(integer) 6" {
			t.Fatalf("of the source %s, of others %s are left", gone, left)
		}
		keys := keysReply(l.do("KEYS", "{t}*"))
		slices.Sort(keys)
		if n := len(slices.Compact(keys)); n != 6 || len(keys) != n {
			t.Fatalf("keys %q", keys)
		}
		if got := l.do("SUNION", key(2), key(3), key(4), key(5), key(6), key(7)); strings.Count(got, `"`) != 8 {
			t.Fatalf("union: %s", got)
		}
		if got := l.do("SINTERSTORE", key(9), key(8), key(10)); got != "(integer) 1" {
			t.Fatalf("intersection: %s", got)
		}
		for n := range 12 {
			l.do("DEL", key(n))
		}
	}
}

// A large part of a set is taken in calls of bounded length.
func TestPopsOfManyMembers(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for i := range 5000 {
		l.do("SADD", "s", fmt.Sprint("m", i))
	}
	l.ctx.TakeEffects()
	l.do("SPOP", "s", "3000")
	effects, _ := l.ctx.TakeEffects()
	seen := map[string]bool{}
	for _, e := range effects {
		if len(e) > 1026 || string(e[0]) != "SREM" || string(e[1]) != "s" {
			t.Errorf("%d words: %q", len(e), e[:2])
		}
		for _, m := range e[2:] {
			seen[string(m)] = true
		}
	}
	if len(seen) != 3000 || l.do("SCARD", "s") != "(integer) 2000" {
		t.Errorf("%d taken, %s left", len(seen), l.do("SCARD", "s"))
	}
	for m := range seen {
		if l.do("SISMEMBER", "s", m) != "(integer) 0" {
			t.Fatalf("%s is still there", m)
		}
	}
}
