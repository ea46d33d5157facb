package commands_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"conclave/kv/commands"
)

// Removing an expired key moves others of its slot, and those of the same call are
// changed where they are then.
func TestElementsMoveToExpiredKeys(t *testing.T) {
	for _, tc := range []struct{ add, move []string }{
		{[]string{"SADD", "", "1"}, []string{"SMOVE", "", "", "1"}},
		{[]string{"RPUSH", "", "1"}, []string{"LMOVE", "", "", "LEFT", "LEFT"}},
	} {
		l := newLocal(t, commands.Deps{})
		for i := range 100 {
			key := func(n int) string { return fmt.Sprint("{t}", i%7, ":", n) }
			for n := 11; n >= 0; n-- {
				tc.add[1] = key(n)
				l.do(tc.add...)
				if n%2 == 1 {
					l.do("PEXPIRE", key(n), "5")
				}
			}
			l.now += 5
			tc.move[1], tc.move[2] = key(0), key(1)
			if got := l.do(tc.move...); strings.HasPrefix(got, "(error)") {
				t.Fatalf("%q: %s", tc.move, got)
			}
			keys := keysReply(l.do("KEYS", "{t}*"))
			want := []string{key(1), key(10), key(2), key(4), key(6), key(8)}
			if !slices.Equal(keys, want) {
				t.Fatalf("after %q the keys are %q, want %q", tc.move, keys, want)
			}
			for n := range 12 {
				l.do("DEL", key(n))
			}
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
