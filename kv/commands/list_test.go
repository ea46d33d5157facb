package commands_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/resp/command"
)

// listGenerator makes commands on lists, most of them meaningful.
type listGenerator struct {
	generator
	large bool // lists grow long, and elements large
}

func (g *listGenerator) key() string { return g.of("l1", "l1", "l2", "{l}3", "string") }

func (g *listGenerator) element() string {
	switch n := g.rng.IntN(40); {
	case n < 20:
		return g.of("a", "b", "c", "1", "-2", "300")
	case n < 25:
		return fmt.Sprint(g.rng.IntN(1 << 20))
	case n < 26 && g.large:
		return strings.Repeat("z", 3000+g.rng.IntN(4000))
	case n < 30:
		return strings.Repeat("y", g.rng.IntN(300))
	case n < 31:
		return ""
	}
	return fmt.Sprint("element ", g.rng.IntN(30))
}

func (g *listGenerator) elements() (all []string) {
	n := 1 + g.rng.IntN(4)
	if g.large {
		n = 1 + g.rng.IntN(60)
	}
	for range n {
		all = append(all, g.element())
	}
	return all
}

func (g *listGenerator) end() string { return g.of("LEFT", "RIGHT", "left", "Right") }

func (g *listGenerator) index() string {
	if g.rng.IntN(30) == 0 {
		// The least integer is refused as a rank or count since 7.2.
		return strings.Replace(g.number(), "-9223372036854775808", "-9223372036854775807", 1)
	}
	return fmt.Sprint(g.rng.IntN(30) - 15)
}

func (g *listGenerator) count() string { return g.of("1", "2", "3", "10", "0", "-1", "x") }

func (g *listGenerator) timeout() string {
	return g.of("0.001", "0.001", "0.002", "1e-3", "-1", "x", "nan")
}

func (g *listGenerator) command() []string {
	key := g.key()
	keys := func(words ...string) []string {
		n := 1 + g.rng.IntN(3)
		words = append(words, fmt.Sprint(n))
		for range n {
			words = append(words, g.key())
		}
		return words
	}
	switch g.rng.IntN(30) {
	case 0, 1, 2:
		return append([]string{g.of("LPUSH", "LPUSHX"), key}, g.elements()...)
	case 3, 4, 5:
		return append([]string{g.of("RPUSH", "RPUSHX"), key}, g.elements()...)
	case 6:
		return []string{g.of("LPOP", "RPOP"), key}
	case 7:
		return []string{g.of("LPOP", "RPOP"), key, g.count()}
	case 8:
		return []string{"LLEN", key}
	case 9, 10:
		return []string{"LINDEX", key, g.index()}
	case 11:
		return []string{"LSET", key, g.index(), g.element()}
	case 12, 13:
		return []string{"LINSERT", key, g.of("BEFORE", "after", "after", "x"), g.element(), g.element()}
	case 14:
		return []string{"LREM", key, g.index(), g.element()}
	case 15:
		if g.rng.IntN(4) > 0 {
			return []string{"LTRIM", key, fmt.Sprint(g.rng.IntN(3)), fmt.Sprint(-1 - g.rng.IntN(3))}
		}
		return []string{"LTRIM", key, g.index(), g.index()}
	case 16, 17:
		return []string{"LRANGE", key, g.index(), g.index()}
	case 18, 19:
		args := []string{"LPOS", key, g.element()}
		for _, o := range []string{"RANK", "COUNT", "MAXLEN"} {
			if g.rng.IntN(2) == 0 {
				args = append(args, o, g.index())
			}
		}
		return args
	case 20:
		return []string{"LMOVE", key, g.key(), g.end(), g.end()}
	case 21:
		return []string{"RPOPLPUSH", key, g.key()}
	case 22:
		return append(keys("LMPOP"), g.end())
	case 23:
		return append(keys("LMPOP"), g.end(), "COUNT", g.count())
	case 24:
		return []string{g.of("BLPOP", "BRPOP"), key, g.key(), g.timeout()}
	case 25:
		return []string{"BLMOVE", key, g.key(), g.end(), g.end(), g.timeout()}
	case 26:
		return []string{"BRPOPLPUSH", key, g.key(), g.timeout()}
	case 27:
		return append(keys("BLMPOP", g.timeout()), g.end())
	case 28:
		return []string{g.of("RENAME", "COPY"), key, g.key()}
	}
	switch g.rng.IntN(6) {
	case 0:
		return []string{"DEL", key}
	case 1:
		return []string{"SET", "string", "x"}
	}
	return []string{g.of("TYPE", "EXISTS"), key}
}

// Random programs on lists leave the same here and in redis-server.
func TestListsAgainstRedis(t *testing.T) {
	r := startRedis(t, "lists against redis-server", "--hz", "500")
	if r == nil {
		return
	}
	for seed := range uint64(10) {
		r.do("FLUSHALL")
		r.do("SELECT", "0")
		proto := fmt.Sprint(2 + seed%2)
		r.do("HELLO", proto)
		store := kv.New(kv.Config{})
		if seed%3 == 1 {
			limits := kv.DefaultLimits()
			limits.ListSize = 8
			store.SetLimits(limits)
		}
		l := newLocal(t, commands.Deps{Store: store})
		l.do("HELLO", proto)
		g := listGenerator{generator{rand.New(rand.NewPCG(seed, 17))}, seed%2 == 1}
		for i := range 3000 {
			args := g.command()
			l.now = time.Now().UnixMilli()
			if got, want := l.do(args...), r.do(args...); got != want {
				t.Fatalf("seed %d, command %d: %s\n  ours: %.1000s\nredis's: %.1000s", seed, i, quoted(args), got, want)
			}
		}
		compareData(t, l, r)
	}
}

// What OBJECT ENCODING says follows list-max-listpack-size, as of Redis 7.2.
func TestListEncodings(t *testing.T) {
	large := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		size int
		run  string
		want string
	}{
		{-2, "RPUSH l a", "listpack"},
		{-2, "RPUSH l " + large, "listpack"},
		{-2, "RPUSH l " + large + " " + large, "quicklist"},
		{-1, "RPUSH l " + large, "quicklist"},
		{-2, "RPUSH l " + large + ";LPUSH l " + large, "quicklist"},
		{-2, "RPUSH l " + large + " " + large + ";LSET l 0 a", "quicklist"},
		{-2, "RPUSH l " + large + " " + large + ";LSET l 0 a;LSET l 1 b", "listpack"},
		{-2, "RPUSH l " + large + " " + large + " c;LPOP l 2", "listpack"},
		{-2, "RPUSH l " + large + " " + large + " c;LREM l 0 " + large, "listpack"},
		{-2, "RPUSH l " + large + " " + large + " c;LTRIM l 2 2", "listpack"},
		{3, "RPUSH l a b c", "listpack"},
		{3, "RPUSH l a b c d", "quicklist"},
		{3, "RPUSH l a b c d;RPOP l;RPOP l", "quicklist"},
		{3, "RPUSH l a b c d;RPOP l 3", "listpack"},
		{3, "RPUSH l a b c;LINSERT l BEFORE b x", "quicklist"},
		{3, "RPUSH l a b c;LINSERT l BEFORE nothing x", "quicklist"},
		{3, "RPUSH l a b c;LMOVE l l LEFT RIGHT", "listpack"},
		{0, "RPUSH l a", "listpack"},
		{0, "RPUSH l a b", "quicklist"},
		{-9, "RPUSH l " + large + " " + large, "listpack"},
	} {
		store := kv.New(kv.Config{})
		limits := kv.DefaultLimits()
		limits.ListSize = tt.size
		store.SetLimits(limits)
		l := newLocal(t, commands.Deps{Store: store})
		for _, line := range strings.Split(tt.run, ";") {
			l.do(strings.Fields(line)...)
		}
		if got := l.do("OBJECT", "ENCODING", "l"); got != fmt.Sprintf("%q", tt.want) {
			t.Errorf("%d: %.60s: %s, want %s", tt.size, tt.run, got, tt.want)
		}
	}
}

// Elements survive the ways from a record to a chain and back.
func TestListsGrowAndShrink(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	var want []string
	for i := range 5000 {
		e := fmt.Sprint("element ", i)
		l.do("RPUSH", "l", e)
		want = append(want, e)
	}
	for len(want) > 0 {
		n := min(len(want), 37)
		if got := l.do("LPOP", "l", fmt.Sprint(n)); got != list(want[:n]) {
			t.Fatalf("%d left: %s", len(want), got)
		}
		want = want[n:]
		if k := len(want); k > 0 {
			at := k / 2
			if got := l.do("LINDEX", "l", fmt.Sprint(at)); got != fmt.Sprintf("%q", want[at]) {
				t.Fatalf("%d left, element %d: %s", k, at, got)
			}
			l.do("LINSERT", "l", "BEFORE", want[at], "new")
			want = slices.Insert(want, at, "new")
			l.do("LREM", "l", "-1", "new")
			want = slices.Delete(want, at, at+1)
		}
	}
	l.expect("EXISTS l", "(integer) 0")
}

// list is a reply of strings as the tests print it.
func list(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, " ") + "]"
}

// The commands of queues and stacks leave no garbage behind.
func TestListCommandsDoNotAllocate(t *testing.T) {
	l := newLocal(t, commands.Deps{})
	for i := range 3000 {
		l.do("RPUSH", "long", fmt.Sprint("element ", i))
	}
	for i := range 60 {
		l.do("RPUSH", "short", fmt.Sprint("element ", i))
	}
	l.ctx.Keep(false)
	var buf []byte
	for _, line := range []string{
		"LPUSH K x", "RPUSH K y -7", "LPOP K", "RPOP K", "LPOP K 2", "RPOP K 1", "LLEN K", "LINDEX K 1", "LRANGE K 0 20", "LSET K 0 a",
		"LINSERT K BEFORE a b", "LTRIM K 0 -1", "LPOS K a", "LMOVE K K LEFT RIGHT", "RPOPLPUSH K K", "BLPOP K 0", "BLMOVE K K LEFT RIGHT 0",
	} {
		for _, key := range []string{"long", "short"} {
			var args [][]byte
			for _, w := range strings.Fields(strings.ReplaceAll(line, "K", key)) {
				args = append(args, []byte(w))
			}
			spec := l.table.Resolve(args)
			l.ctx.Spec, l.ctx.Args, l.ctx.NowMs = spec, args, l.now
			l.store.Lock(command.AllPartitions)
			n := testing.AllocsPerRun(20, func() {
				l.w.Reset(buf)
				spec.Run(l.ctx)
				buf = l.w.Bytes()
			})
			l.store.Unlock(command.AllPartitions)
			if n > 0 {
				t.Errorf("%s: %v allocations", strings.ReplaceAll(line, "K", key), n)
			}
		}
	}
}
