package commands_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/resp"
)

// zsets makes programs on sorted sets, and on sets where those are inputs.
type zsets struct{ generator }

func (g *zsets) key() string { return g.of("z", "{z}") + strconv.Itoa(g.rng.IntN(6)) }

// lexKey is one of those whose members all have the same score.
func (g *zsets) lexKey() string { return "l" + strconv.Itoa(g.rng.IntN(3)) }

func (g *zsets) member() string {
	switch g.rng.IntN(20) {
	case 0:
		return strings.Repeat("long ", 5+g.rng.IntN(12))
	case 1:
		return g.of("", "-1", "007", "\x00\xff", "inf")
	case 2, 3, 4:
		return strconv.Itoa(g.rng.IntN(40) - 10)
	}
	return "m" + strconv.Itoa(g.rng.IntN(60))
}

func (g *zsets) score() string {
	switch g.rng.IntN(24) {
	case 0:
		return g.of("inf", "-inf", "+Inf", "nan", "x", "", " 1", "1 ", "1e400", "-1e400", "1e-400", "0e-400", "1e-310", "0x10", "0x1.8p1", "0x", "1_0",
			"+5", ".5", "5.", "infinity", "1e", "-0.0", "9007199254740993", "9223372036854775807", "1e17", "-1e18", "4611686018427387904", "1e22", "0.1e-7")
	case 1:
		return strconv.FormatFloat(g.rng.NormFloat64()*1e10, 'g', -1, 64)
	case 2:
		return strconv.FormatFloat(g.rng.NormFloat64(), 'e', g.rng.IntN(20), 64)
	case 3, 4, 5:
		return strconv.FormatFloat(float64(g.rng.IntN(80)-20)/4, 'f', -1, 64)
	}
	return strconv.Itoa(g.rng.IntN(40) - 10)
}

func (g *zsets) index() string {
	if g.rng.IntN(30) == 0 {
		return g.of("x", "", "1.5", "9223372036854775807", "-9223372036854775808")
	}
	return strconv.Itoa(g.rng.IntN(60) - 30)
}

func (g *zsets) bound() string {
	switch g.rng.IntN(12) {
	case 0:
		return g.of("-inf", "+inf", "(inf", "(-inf", "", "(", " 3", "3 ", "nan", "x", "1e400")
	case 1, 2, 3:
		return "(" + g.score()
	}
	return g.score()
}

func (g *zsets) lexBound() string {
	switch g.rng.IntN(8) {
	case 0:
		return g.of("", "m", "+x", "-1", "(", "[")
	case 1:
		return g.of("-", "+")
	}
	return g.of("(", "[") + g.member()
}

func (g *zsets) limit() []string {
	if g.rng.IntN(2) == 0 {
		return nil
	}
	return []string{"LIMIT", strconv.Itoa(g.rng.IntN(12) - 2), strconv.Itoa(g.rng.IntN(12) - 2)}
}

func (g *zsets) some(n int, of func() string) (all []string) {
	for range n {
		all = append(all, of())
	}
	return all
}

func (g *zsets) zadd(key string) []string {
	args := []string{"ZADD", key}
	for range g.rng.IntN(6) / 2 {
		args = append(args, g.of("NX", "xx", "GT", "lt", "CH", "INCR"))
	}
	for range 1 + g.rng.IntN(8) {
		args = append(args, g.score(), g.member())
	}
	if g.rng.IntN(40) == 0 {
		args = append(args, "odd")
	}
	return args
}

func (g *zsets) combine() []string {
	name := g.of("ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE")
	args := []string{name}
	if strings.HasSuffix(name, "STORE") {
		args = append(args, g.key())
	}
	n := 1 + g.rng.IntN(3)
	args = append(args, strconv.Itoa(n))
	args = append(args, g.some(n, func() string { return g.of(g.key(), g.key(), g.key(), "s0", "s1", "x") })...)
	for range g.rng.IntN(4) {
		switch g.rng.IntN(4) {
		case 0:
			args = append(append(args, "WEIGHTS"), g.some(n, g.score)...)
		case 1:
			args = append(args, "aggregate", g.of("SUM", "min", "MAX", "MAX", "x"))
		case 2:
			args = append(args, "WITHSCORES")
		default:
			args = append(args, "LIMIT", g.index())
		}
	}
	if g.rng.IntN(40) == 0 {
		args[1] = g.of("0", "-1", "x", "100")
	}
	return args
}

func (g *zsets) ranges() []string {
	switch g.rng.IntN(8) {
	case 0:
		return append(append([]string{"ZRANGEBYSCORE", g.key(), g.bound(), g.bound()}, g.limit()...), g.of("WITHSCORES", "withscores"))
	case 1:
		return append([]string{"ZREVRANGEBYSCORE", g.key(), g.bound(), g.bound()}, g.limit()...)
	case 2:
		return append([]string{g.of("ZRANGEBYLEX", "ZREVRANGEBYLEX"), g.lexKey(), g.lexBound(), g.lexBound()}, g.limit()...)
	case 3:
		return append([]string{g.of("ZREVRANGE", "ZRANGE"), g.key(), g.index(), g.index()}, g.some(g.rng.IntN(2), func() string { return g.of("WITHSCORES", "x", "REV") })...)
	}
	args := []string{"ZRANGE"}
	if g.rng.IntN(3) == 0 {
		args = []string{"ZRANGESTORE", g.key()}
	}
	switch g.rng.IntN(3) {
	case 0:
		args = append(args, g.key(), g.index(), g.index())
	case 1:
		args = append(append(args, g.key(), g.bound(), g.bound(), "BYSCORE"), g.limit()...)
	default:
		// The result of a range of names in another key has one score, too.
		if len(args) == 2 {
			args[1] = g.lexKey()
		}
		args = append(append(args, g.lexKey(), g.lexBound(), g.lexBound(), "BYLEX"), g.limit()...)
	}
	for range g.rng.IntN(3) {
		args = append(args, g.of("REV", "rev", "WITHSCORES", "WITHSCORES", "BYSCORE", "x"))
	}
	return args
}

func (g *zsets) command() []string {
	key := g.key()
	switch g.rng.IntN(36) {
	case 0, 1, 2, 3, 4, 5:
		return g.zadd(key)
	case 6:
		args := []string{"ZADD", g.lexKey()}
		for range 1 + g.rng.IntN(6) {
			args = append(args, "1", g.member())
		}
		return args
	case 7:
		return []string{"ZINCRBY", key, g.score(), g.member()}
	case 8:
		return []string{g.of("ZCARD", "ZPOPMIN", "ZPOPMAX", "TYPE", "EXISTS", "PERSIST"), key}
	case 9, 10:
		if g.rng.IntN(2) == 0 {
			return []string{g.of("ZRANK", "ZREVRANK", "ZSCORE"), key, g.member()}
		}
		return append([]string{g.of("ZMSCORE", "ZREM"), key, g.member()}, g.some(g.rng.IntN(3), g.member)...)
	case 11:
		return []string{g.of("ZPOPMIN", "ZPOPMAX"), key, g.of("0", "1", "2", "3", "100", "-1", "x")}
	case 12:
		return []string{"ZCOUNT", key, g.bound(), g.bound()}
	case 13:
		return []string{"ZLEXCOUNT", g.lexKey(), g.lexBound(), g.lexBound()}
	case 14, 15, 16, 17, 18:
		return g.ranges()
	case 19:
		return []string{"ZREMRANGEBYRANK", key, g.index(), g.index()}
	case 20:
		return []string{"ZREMRANGEBYSCORE", key, g.bound(), g.bound()}
	case 21:
		return []string{"ZREMRANGEBYLEX", g.lexKey(), g.lexBound(), g.lexBound()}
	case 22, 23, 24:
		return g.combine()
	case 25:
		args := []string{g.of("ZMPOP", "BZMPOP")}
		if args[0] == "BZMPOP" {
			args = append(args, g.of("1", "0.5", "x", "-1"))
		}
		args = append(args, "2", key, g.key(), g.of("MIN", "max", "x"))
		return append(args, [][]string{nil, nil, {"COUNT", g.of("1", "2", "10", "0", "x")}, {"COUNT", "1", "COUNT", "2"}, {"COUNT"}}[g.rng.IntN(5)]...)
	case 26:
		return []string{"ZRANDMEMBER", key, g.of("0", "100", "1000", "x", "-9223372036854775808"), g.of("WITHSCORES", "withscores", "x")}
	case 27:
		return []string{"ZRANDMEMBER", g.of("none", "s0"), g.of("1", "x")}
	case 28:
		return []string{"ZSCAN", key, "0", "COUNT", "10000", "MATCH", g.of("*", "m*", "m1?", "[0-9]")}
	case 29:
		return []string{"SADD", g.of("s0", "s1"), g.member(), g.member()}
	case 30:
		return []string{g.of("COPY", "RENAME"), key, g.key()}
	case 31:
		return []string{"OBJECT", "ENCODING", g.of(key, g.lexKey())}
	case 32:
		return []string{g.of("DEL", "UNLINK"), g.of(key, g.lexKey(), "s0")}
	case 33:
		return []string{"SET", "x", "string"}
	case 34:
		return []string{g.of("ZADD", "ZINCRBY", "ZSCORE", "ZRANGE", "ZPOPMIN", "ZREM"), "x", "1", "m"}
	}
	return []string{"ZRANGE", key, "0", "-1", "WITHSCORES"}
}

var quotedNumber = regexp.MustCompile(`"[-+.0-9a-z]+"|\(double\) [^\s\]]+`)

// sameDoubles prints all numbers alike: 7.0 prints doubles with 17 digits, 7.2 with
// as few as possible.
func sameDoubles(reply string) string {
	return quotedNumber.ReplaceAllStringFunc(reply, func(s string) string {
		text := strings.Trim(strings.TrimPrefix(s, "(double) "), `"`)
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return "<" + string(resp.AppendDouble(nil, f)) + ">"
		}
		return s
	})
}

var replyWord = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|<[^>]*>`)

// scanOrder makes the reply of ZSCAN comparable: the order is arbitrary.
func scanOrder(reply string) string {
	cursor, rest, ok := strings.Cut(strings.TrimSuffix(reply, "]]"), " [")
	if !ok {
		return reply
	}
	pairs := slices.Collect(slices.Chunk(replyWord.FindAllString(rest, -1), 2))
	slices.SortFunc(pairs, slices.Compare)
	return cursor + fmt.Sprint(pairs)
}

func TestSortedSetsAgainstRedis(t *testing.T) {
	r := startRedis(t, "sorted sets against redis-server", "--zset-max-listpack-entries", "20", "--zset-max-listpack-value", "40")
	if r == nil {
		return
	}
	for seed := range uint64(8) {
		r.do("FLUSHALL")
		r.do("SELECT", "0")
		proto := fmt.Sprint(2 + seed%2)
		r.do("HELLO", proto)
		store := kv.New(kv.Config{})
		limits := kv.DefaultLimits()
		limits.ZSetEntries, limits.ZSetValue = 20, 40
		store.SetLimits(limits)
		l := newLocal(t, commands.Deps{Store: store})
		l.do("HELLO", proto)
		g := zsets{generator{rng: rand.New(rand.NewPCG(seed, 7))}}
		for i := range 6000 {
			args := g.command()
			if strings.HasPrefix(args[0], "BZ") && l.do("EXISTS", args[3]) == "(integer) 0" && l.do("EXISTS", args[4]) == "(integer) 0" {
				continue // it would wait
			}
			l.now = time.Now().UnixMilli()
			got, want := sameDoubles(l.do(args...)), sameDoubles(r.do(args...))
			if args[0] == "ZSCAN" {
				got, want = scanOrder(got), scanOrder(want)
			}
			if got != want {
				t.Fatalf("seed %d, command %d: %s\n  ours: %s\nredis's: %s", seed, i, quoted(args), got, want)
			}
		}
		compareData(t, l, r)
	}
}
