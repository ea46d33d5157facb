package commands_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
)

// Random programs over hashes and sets, with few keys so that they grow, and
// with small limits in half of them so that representations change.
func TestHashAndSetProgramsAgainstRedis(t *testing.T) {
	r := startRedis(t, "programs on hashes and sets against redis-server", "--hz", "1")
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
		if seed%4 > 1 {
			limits.HashEntries, limits.IntsetEntries, limits.SetEntries = 12, 12, 8
		}
		store.SetLimits(limits)
		r.do("CONFIG", "SET", "hash-max-listpack-entries", fmt.Sprint(limits.HashEntries), "set-max-intset-entries", fmt.Sprint(limits.IntsetEntries))
		l := newLocal(t, commands.Deps{Store: store})
		l.do("HELLO", proto)
		g := generator{rng: rand.New(rand.NewPCG(seed, 4))}
		for i := range 5000 {
			args := g.hashOrSet()
			l.now = time.Now().UnixMilli()
			got, want := settled(args, l.do(args...)), settled(args, r.do(args...))
			if got != want {
				t.Fatalf("seed %d, command %d: %s\n  ours: %s\nredis's: %s", seed, i, quoted(args), got, want)
			}
		}
		compareData(t, l, r)
	}
}

// anyOrder are the commands whose replies have no order.
var anyOrder = regexp.MustCompile(`^(HKEYS|HVALS|HGETALL|SMEMBERS|SINTER|SUNION|SDIFF|HRANDFIELD|SRANDMEMBER|SPOP|HSCAN|SSCAN|SORT|SORT_RO)\b`)

// settled is a reply without the order of its elements, where that is arbitrary.
func settled(args []string, reply string) string {
	if !anyOrder.MatchString(args[0]) || len(reply) == 0 || !strings.ContainsRune("[{", rune(reply[0])) {
		return reply
	}
	all := quotedWord.FindAllString(reply, -1)
	slices.Sort(all)
	return reply[:1] + strings.Join(all, " ")
}

var quotedWord = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\[|\]`)

func (g *generator) member() string {
	switch g.rng.IntN(20) {
	case 0:
		return g.value()
	case 1:
		return strings.Repeat(g.of("x", "yz"), g.rng.IntN(50))
	case 2, 3, 4:
		return fmt.Sprint("member:", g.rng.IntN(60))
	case 5:
		return fmt.Sprint(g.rng.Int64())
	}
	return fmt.Sprint(g.rng.IntN(80) - 20)
}

func (g *generator) members(n int) (m []string) {
	for range 1 + g.rng.IntN(n) {
		m = append(m, g.member())
	}
	return m
}

func (g *generator) hashOrSet() []string {
	if g.rng.IntN(60) == 0 {
		key, to := g.of("h1", "s1", "s2"), g.of("h2", "s3", "n")
		return [][]string{{"SET", g.of("n", "h3"), "v"}, {"DEL", key}, {"COPY", key, to}, {"RENAME", key, to}, {"TYPE", key},
			{"EXISTS", key, to}, {"SCAN", "0", "COUNT", "1000", "TYPE", g.of("hash", "set", "zset", "string", "bogus")}}[g.rng.IntN(6)]
	}
	if g.rng.IntN(2) == 0 {
		return g.hash()
	}
	return g.set()
}

func (g *generator) hash() []string {
	key := g.of("h1", "h1", "h2", "h3", "n")
	if g.rng.IntN(50) == 0 {
		key = "s1"
	}
	with := func(a ...string) []string { return a }
	switch g.rng.IntN(16) {
	case 0, 1, 2, 3:
		args := with(g.of("HSET", "HMSET"), key)
		for range 1 + g.rng.IntN(4) {
			args = append(args, g.member(), g.value())
		}
		if g.rng.IntN(20) == 0 {
			args = args[:len(args)-1]
		}
		return args
	case 4:
		return with("HSETNX", key, g.member(), g.value())
	case 5, 6:
		return append(with(g.of("HDEL", "HMGET"), key), g.members(6)...)
	case 7:
		return with(g.of("HGET", "HEXISTS", "HSTRLEN"), key, g.member())
	case 8:
		return with(g.of("HLEN", "HKEYS", "HVALS", "HGETALL"), key)
	case 9, 10:
		return with("HINCRBY", key, g.member(), g.number())
	case 11:
		return with("HINCRBYFLOAT", key, g.member(), g.float())
	case 12:
		return with("HSCAN", key, "0", "COUNT", "100000", "MATCH", g.of("*", "m*", "?", "[0-9]*", "*1", ""))
	case 13:
		return append(with("HSCAN", key, g.of("0", "0", "x")), [][]string{{"COUNT", "0"}, {"MATCH"}, {"TYPE", "hash"}, {"COUNT", "x"}, nil}[g.rng.IntN(4)]...)
	case 14:
		return append(with("HRANDFIELD", key, g.of("100000", "0", "x", "4611686018427387904", "-9223372036854775808")),
			[][]string{nil, {"WITHVALUES"}, {"bogus"}, {"withvalues", "x"}}[g.rng.IntN(4)]...)
	}
	return with("HRANDFIELD", "none", g.of("-3", "1"))
}

func (g *generator) set() []string {
	key := g.of("s1", "s1", "s2", "s3", "n")
	if g.rng.IntN(50) == 0 {
		key = "h1"
	}
	with := func(a ...string) []string { return a }
	keys := func() (k []string) {
		for range 1 + g.rng.IntN(g.rng.IntN(8)+1) {
			k = append(k, g.of("s1", "s2", "s3", "none", "s2", "s1", "s3", "s1", "s2", "n"))
		}
		return k
	}
	switch g.rng.IntN(16) {
	case 0, 1, 2, 3:
		return append(with("SADD", key), g.members(8)...)
	case 4, 5, 6:
		return append(with(g.of("SREM", "SMISMEMBER"), key), g.members(8)...)
	case 7:
		return with("SISMEMBER", key, g.member())
	case 8:
		return with(g.of("SCARD", "SMEMBERS"), key)
	case 9:
		return with("SMOVE", key, g.of("s1", "s2", "s3", "n", "h1"), g.member())
	case 10, 11:
		return append(with(g.of("SINTER", "SUNION", "SDIFF")), keys()...)
	case 12:
		return append(with(g.of("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"), g.of("s3", "s4", "n")), keys()...)
	case 13:
		k := keys()
		args := append(with("SINTERCARD", g.of(fmt.Sprint(len(k)), fmt.Sprint(len(k)), fmt.Sprint(len(k)), "0", "9", "x")), k...)
		return append(args, [][]string{nil, {"LIMIT", "3"}, {"LIMIT", "0"}, {"LIMIT"}, {"LIMIT", "-1"}, {"limit", "2", "LIMIT", "1"}, {"x"}}[g.rng.IntN(7)]...)
	case 14:
		return append(with("SSCAN", key, g.of("0", "0", "x")), [][]string{{"COUNT", "100000"}, {"MATCH", "*1*", "count", "100000"}, {"MATCH"}, {"COUNT", "-1"}}[g.rng.IntN(4)]...)
	}
	return with(g.of("SRANDMEMBER", "SPOP"), g.of("s4", "none", key), g.of("100000", "0", "x", "-9223372036854775808"))
}
