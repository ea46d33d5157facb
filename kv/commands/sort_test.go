package commands_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"conclave/kv/commands"
	"conclave/resp/command"
)

// Random sorts of lists, sets and sorted sets, by themselves and by other keys.
func TestSortsAgainstRedis(t *testing.T) {
	r := startRedis(t, "SORT against redis-server", "--hz", "1")
	if r == nil {
		return
	}
	for seed := range uint64(6) {
		r.do("FLUSHALL")
		r.do("SELECT", "0")
		proto := fmt.Sprint(2 + seed%2)
		r.do("HELLO", proto)
		l := newLocal(t, commands.Deps{})
		l.do("HELLO", proto)
		g := generator{rng: rand.New(rand.NewPCG(seed, 5))}
		for i := range 3000 {
			args := g.sort()
			l.now = time.Now().UnixMilli()
			// Redis takes nothing for a number after it has met one out of range,
			// until it reads another kind of number.
			r.do("ZADD", "none", "XX", "1.5", "m")
			got, want := l.do(args...), r.do(args...)
			got, want = settledSort(args, got), settledSort(args, want)
			if got != want {
				t.Fatalf("seed %d, command %d: %s\n  ours: %s\nredis's: %s", seed, i, quoted(args), got, want)
			}
		}
		compareData(t, l, r)
	}
}

// settledSort is a reply without what BY leaves to chance: the order of elements
// for which it finds the same text, or of those of a set that isn't sorted.
func settledSort(args []string, reply string) string {
	line := strings.ToUpper(quoted(args))
	switch {
	case !strings.Contains(line, `"BY"`) || reply[0] != '[':
		return reply
	case strings.Contains(line, `"LIMIT"`):
		return "an array"
	}
	return settled(args, reply)
}

func (g *generator) sort() []string {
	id := fmt.Sprint(g.rng.IntN(30))
	number := g.of(id, id, id, fmt.Sprint(g.rng.Int64()), fmt.Sprintf("%.3f", g.rng.NormFloat64()))
	switch g.rng.IntN(12) {
	case 0:
		return []string{"RPUSH", g.of("l", "l2"), g.of(id, number, g.text())}
	case 1:
		return []string{"SADD", g.of("s", "s2"), g.of(id, id, g.text())}
	case 2:
		return []string{"ZADD", g.of("z", "z2"), id, g.of(id, fmt.Sprint(g.rng.IntN(30)))}
	case 3:
		return []string{"SET", "w" + id, number}
	case 4:
		return []string{"HSET", "h" + id, "f", number, "g", g.value()}
	case 5:
		if g.rng.IntN(12) == 0 {
			return []string{"DEL", g.of("l", "s", "z", "l2", "s2", "z2", "w"+id)}
		}
	}
	args := []string{g.of("SORT", "SORT_RO"), g.of("l", "s", "z", "l2", "s2", "z2", "none", "w1")}
	if g.rng.IntN(3) == 0 {
		args = []string{"SORT", g.of("l", "s", "z"), "BY", g.of("w*", "h*->f", "nosort"), "GET", g.of("#", "w*"), g.of("ASC", "DESC"), "STORE", g.of("d", "d2")}
		if g.rng.IntN(2) == 0 && args[3] != "nosort" {
			args = append(args, "LIMIT", g.of("0", "1", "9"), g.of("0", "3", "-1"))
		}
		return args
	}
	for range g.rng.IntN(5) {
		args = append(args, [][]string{{"BY", g.of("w*", "h*->f", "h*->g", "nosort", "#", "w*->f", "*")},
			{"GET", g.of("#", "w*", "h*->g", "none", "h*->", "*")},
			{"LIMIT", g.of("0", "1", "-1", "5", "x"), g.of("3", "-1", "0", "100")}, {"ALPHA"}, {"alpha"},
			{g.of("ASC", "DESC", "desc")}, {g.of("bogus", "BY", "LIMIT")}}[min(6, g.rng.IntN(32)/5)]...)
	}
	return args
}

// text is a value without zero bytes, at which Redis stops comparing.
func (g *generator) text() string { return strings.ReplaceAll(g.value(), "\x00", "0") }

// restricted is a user who may read all keys, or only those that start with a.
type restricted struct{ anyKey bool }

func (restricted) Name() string       { return "u" }
func (restricted) Unrestricted() bool { return false }

func (restricted) Check(*command.Spec, [][]byte) (command.Denial, bool) {
	return command.Denial{}, true
}

func (r restricted) ReadsAnyKey(*command.Spec, [][]byte) bool { return r.anyKey }

func TestSortLooksUpWhatTheUserMayRead(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	l.expect("RPUSH a 2 1", "(integer) 2")
	l.session.perms = restricted{}
	l.expect("SORT a BY w*", "(error) ERR BY option of SORT denied due to insufficient ACL permissions.")
	l.expect("SORT a GET #", "(error) ERR GET option of SORT denied due to insufficient ACL permissions.")
	l.expect("SORT a BY nosort", `["2" "1"]`)
	l.session.perms = restricted{anyKey: true}
	l.expect("SORT_RO a BY w* GET #", `["1" "2"]`)
}
