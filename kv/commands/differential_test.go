package commands_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/kv/commands"
)

// Random programs run here and in redis-server: every reply is equal, and so is
// the digest of what they leave behind.
func TestRandomProgramsAgainstRedis(t *testing.T) {
	r := startRedis(t, "random programs against redis-server", "--proto-max-bulk-len", "1mb", "--hz", "1")
	if r == nil {
		return
	}
	for seed := range uint64(8) {
		r.do("FLUSHALL")
		r.do("SELECT", "0")
		proto := fmt.Sprint(2 + seed%2)
		r.do("HELLO", proto)
		l := newLocal(t, commands.Deps{MaxBulkLen: func() int64 { return 1 << 20 }})
		l.do("HELLO", proto)
		g := generator{rng: rand.New(rand.NewPCG(seed, 3))}
		for i := range 4000 {
			args := g.command()
			l.now = time.Now().UnixMilli()
			got, want := normal(args, l.do(args...)), normal(args, r.do(args...))
			if got != want {
				t.Fatalf("seed %d, command %d: %s\n  ours: %s\nredis's: %s", seed, i, quoted(args), got, want)
			}
		}
		compareData(t, l, r)
	}
}

func compareData(t *testing.T, l *local, r *redis) {
	t.Helper()
	for db := range 2 {
		for _, d := range []doer{l, r} {
			d.do("SELECT", fmt.Sprint(db))
		}
		ours, theirs := keysReply(l.do("KEYS", "*")), keysReply(r.do("KEYS", "*"))
		if !slices.Equal(ours, theirs) {
			t.Errorf("db %d: keys %q, redis's %q", db, ours, theirs)
		}
		if scanned := scanAll(t, r.do, "COUNT", "5"); !slices.Equal(scanned, scanAll(t, l.do, "COUNT", "5")) {
			t.Errorf("db %d: scans differ", db)
		}
	}
	l.store.Lock(^uint64(0))
	defer l.store.Unlock(^uint64(0))
	if ours, theirs := fmt.Sprintf("%x", l.store.Digest(l.now)), r.do("DEBUG", "DIGEST"); ours != theirs {
		t.Errorf("digest %s, redis's %s", ours, theirs)
	}
}

// Replies that may differ, and why.
var allowed = []struct {
	command *regexp.Regexp
	why     string
	normal  func(string) string
}{
	{regexp.MustCompile(`^(KEYS|SCAN) `), "order is arbitrary; cursors are our own",
		func(s string) string { return strings.Join(keysReply(strings.TrimPrefix(s, `["0" `)), " ") }},
	{regexp.MustCompile(`^RANDOMKEY `), "random", func(s string) string { return fmt.Sprint(s == "(nil)") }},
	{regexp.MustCompile(`^(TTL|PTTL|EXPIRETIME|PEXPIRETIME) `), "the clocks are read at different instants",
		func(s string) string {
			var n int64
			if _, err := fmt.Sscanf(s, "(integer) %d", &n); err == nil && n > 0 {
				return "about " + fmt.Sprint((n+500)/100_000)
			}
			return s
		}},
	{regexp.MustCompile(`^OBJECT IDLETIME `), "the clocks are read at different instants; small integers share one in Redis",
		func(s string) string { return strings.TrimRight(s, "0123456789") }},
	{regexp.MustCompile(`^OBJECT REFCOUNT `), "Redis shares a small integer by the way in which it was made, we never do",
		func(s string) string { return strings.Replace(s, "2147483647", "1", 1) }},
}

func normal(args []string, reply string) string {
	line := strings.ToUpper(strings.Join(args, " ")) + " "
	for _, a := range allowed {
		if a.command.MatchString(line) {
			return a.normal(reply)
		}
	}
	return reply
}

// generator makes commands, most of them meaningful.
type generator struct{ rng *rand.Rand }

func (g *generator) of(s ...string) string { return s[g.rng.IntN(len(s))] }

func (g *generator) key() string { return fmt.Sprint(g.of("k", "{t}", "{u}"), g.rng.IntN(12)) }

func (g *generator) number() string {
	switch g.rng.IntN(12) {
	case 0:
		return g.of("9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "", " 1", "1.5", "-0", "007")
	case 1:
		return fmt.Sprint(g.rng.Int64())
	}
	return fmt.Sprint(g.rng.IntN(400) - 100)
}

// seconds are mostly so far away that nothing expires during the test, or past.
func (g *generator) seconds(factor, base int64) string {
	switch g.rng.IntN(10) {
	case 0:
		return g.of("0", "-1", "x", "9223372036854775807", "-9223372036854775808", "9223372036854775")
	case 1:
		return fmt.Sprint(-1000 * factor)
	}
	return fmt.Sprint((base + 100_000 + g.rng.Int64N(20)*200_000) * factor)
}

func (g *generator) value() string {
	switch g.rng.IntN(8) {
	case 0:
		return ""
	case 1:
		return strings.Repeat(g.of("a", "bc"), g.rng.IntN(60))
	case 2:
		return g.float()
	case 3, 4:
		return g.number()
	case 5:
		return "\x00\xff\r\n"
	}
	return fmt.Sprint("value:", g.rng.IntN(100))
}

func (g *generator) float() string {
	switch g.rng.IntN(8) {
	case 0:
		return g.of("inf", "-inf", "nan", "0x1.8p3", "1e400", "1e-400", "-1e300", ".5", "5.", "+3", "1e5000", "e5", "1e", "0x", "-0")
	case 1:
		return fmt.Sprintf("%.*e", g.rng.IntN(20), g.rng.NormFloat64())
	case 2:
		return fmt.Sprint(g.rng.NormFloat64() * 1e10)
	}
	return fmt.Sprintf("%.*f", g.rng.IntN(8), g.rng.NormFloat64()*100)
}

func (g *generator) expiry() []string {
	const epoch = 4_000_000_000
	switch g.rng.IntN(4) {
	case 0:
		return []string{"EX", g.seconds(1, 0)}
	case 1:
		return []string{"px", g.seconds(1000, 0)}
	case 2:
		return []string{"EXAT", g.seconds(1, epoch)}
	}
	return []string{"PXAT", g.seconds(1000, epoch)}
}

func (g *generator) setOptions() (o []string) {
	for range g.rng.IntN(4) {
		switch g.rng.IntN(6) {
		case 0, 1:
			o = append(o, g.of("NX", "xx", "GET"))
		case 2:
			o = append(o, g.of("KEEPTTL", "PERSIST", "bogus", "EX"))
		default:
			o = append(o, g.expiry()...)
		}
	}
	return o
}

func (g *generator) command() []string {
	key, join := g.key(), func(a []string, b ...string) []string { return append(a, b...) }
	switch g.rng.IntN(45) {
	case 0, 1, 2, 3, 4:
		return join([]string{"SET", key, g.value()}, g.setOptions()...)
	case 5:
		return []string{g.of("GET", "GETDEL", "STRLEN", "TYPE", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST", "INCR", "DECR"), key}
	case 6:
		return []string{g.of("GET", "STRLEN", "TTL", "EXPIRETIME", "INCR", "DECR", "PERSIST"), key}
	case 7:
		return []string{g.of("INCRBY", "DECRBY"), key, g.number()}
	case 8, 9, 10:
		return []string{"INCRBYFLOAT", key, g.float()}
	case 11:
		return []string{g.of("APPEND", "GETSET", "SETNX"), key, g.value()}
	case 12:
		return []string{g.of("GETRANGE", "SUBSTR"), key, g.number(), g.number()}
	case 13:
		return []string{"SETRANGE", key, g.number(), g.value()}
	case 14:
		return []string{"SETEX", key, g.seconds(1, 0), g.value()}
	case 15:
		return []string{"PSETEX", key, g.seconds(1000, 0), g.value()}
	case 16:
		if g.rng.IntN(2) == 0 {
			return []string{"GETEX", key, g.of("PERSIST", "EX", "NX")}
		}
		return join([]string{"GETEX", key}, g.expiry()...)
	case 17:
		return []string{g.of("MSET", "MSETNX"), key, g.value(), g.key(), g.value()}
	case 18:
		return []string{g.of("MGET", "DEL", "EXISTS", "TOUCH", "UNLINK", "mset"), key, g.key(), g.key()}
	case 19, 20:
		return join([]string{"LCS", key, g.key()}, [][]string{nil, {"LEN"}, {"IDX"}, {"idx", "WITHMATCHLEN"},
			{"IDX", "MINMATCHLEN", g.number()}, {"IDX", "LEN"}, {"bogus"}}[g.rng.IntN(7)]...)
	case 21:
		return []string{"EXPIRE", key, g.seconds(1, 0)}
	case 22:
		return []string{"EXPIRE", key, g.seconds(1, 0), g.of("NX", "XX", "gt", "LT")}
	case 23:
		return []string{"PEXPIREAT", key, g.seconds(1000, 4_000_000_000), g.of("NX", "XX", "GT", "LT"), g.of("NX", "XX", "GT", "LT")}
	case 24:
		return []string{"EXPIREAT", key, g.seconds(1, 4_000_000_000)}
	case 25:
		return []string{"PEXPIRE", key, g.seconds(1000, 0)}
	case 26:
		return join([]string{"COPY", key, g.key()}, [][]string{nil, {"REPLACE"}, {"DB", g.of("0", "1", "1", "16", "x")},
			{"DB", "1", "REPLACE"}, {"bogus"}}[g.rng.IntN(5)]...)
	case 27:
		return []string{g.of("RENAME", "RENAMENX"), key, g.key()}
	case 28:
		return []string{"MOVE", key, g.of("0", "1", "1", "2", "-1", "x")}
	case 29:
		return []string{"OBJECT", g.of("ENCODING", "ENCODING", "REFCOUNT", "IDLETIME", "FREQ"), key}
	case 30:
		return []string{"KEYS", g.of("*", "k*", "{t}*", "?[0-5]", "{u}1?", key)}
	case 31:
		return []string{"SCAN", "0", "COUNT", "100000", "MATCH", g.of("*", "k*", "{t}*", key)}
	case 32:
		return []string{g.of("RANDOMKEY", "DBSIZE")}
	case 33:
		return []string{"SELECT", g.of("0", "0", "0", "1")}
	case 34:
		if g.rng.IntN(20) == 0 {
			return []string{g.of("FLUSHDB", "FLUSHALL", "flushdb"), g.of("ASYNC", "SYNC", "bogus")}
		}
		return []string{"SWAPDB", g.of("0", "0", "x"), g.of("1", "1", "77")}
	case 35, 36, 37, 38, 39:
		return g.bits(key)
	case 40, 41:
		return g.hyperLogLog(key)
	}
	return []string{"GET", key}
}

// What COMMAND INFO says of these commands is what redis-server says, but for
// where it isn't (and why).
func TestCommandInfoAgainstRedis(t *testing.T) {
	r := startRedis(t, "COMMAND INFO against redis-server")
	if r == nil {
		return
	}
	l := newLocal(t, commands.Deps{})
	for _, spec := range l.table.Commands() {
		if spec.Name == "command" {
			continue
		}
		got, want := l.do("COMMAND", "INFO", spec.Name), r.do("COMMAND", "INFO", spec.Name)
		if got, want := infoWords(got), infoWords(since72(spec.Name, want)); got != want {
			t.Errorf("%s\n  ours: %s\nredis's: %s", spec.Name, got, want)
		}
	}
}

// since72 is what 7.2 says in place of 7.0, which is what is installed: commands
// that block may be called by scripts, and ZRANK has an option.
func since72(name, info string) string {
	switch {
	case strings.Contains(info, "blocking"):
		return strings.Replace(info, " noscript", "", 1)
	case name == "zrank" || name == "zrevrank":
		return strings.Replace(info, "(integer) 3", "(integer) -3", 1)
	}
	return info
}

// notes are prose about key specifications, which Redis has for some.
var notes = regexp.MustCompile(`"notes" "[^"]*" `)

// infoWords ignores the order of subcommands, flags and the like.
func infoWords(reply string) string {
	w := strings.Fields(strings.NewReplacer("[", " ", "]", " ").Replace(notes.ReplaceAllString(reply, "")))
	if slices.Contains(w, "blocking") {
		// Since 7.2 scripts may call what blocks.
		w = slices.DeleteFunc(w, func(s string) bool { return s == "noscript" })
	}
	slices.Sort(w)
	return strings.Join(w, " ")
}
