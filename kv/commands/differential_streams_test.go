package commands_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
)

// Random programs over streams: replies, and in the end all that XINFO says, are
// those of redis-server. Nodes are limited by their number of entries alone, since
// those of ours are smaller than Redis's.
func TestStreamProgramsAgainstRedis(t *testing.T) {
	r := startRedis(t, "programs on streams against redis-server", "--hz", "1")
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
		limits.StreamBytes, limits.StreamEntries = 0, []int{100, 4, 10, 0}[seed%4]
		store.SetLimits(limits)
		r.do("CONFIG", "SET", "stream-node-max-bytes", "0", "stream-node-max-entries", fmt.Sprint(limits.StreamEntries))
		l := newLocal(t, commands.Deps{Store: store})
		l.do("HELLO", proto)
		g := streamGenerator{generator: generator{rng: rand.New(rand.NewPCG(seed, 5))}, ms: 1, approx: seed%3 > 0}
		compare := func(i int, args ...string) {
			l.now = time.Now().UnixMilli()
			got, want := timeless(args, l.do(args...)), timeless(args, r.do(args...))
			if !g.approx {
				got, want = nodeCount.ReplaceAllString(got, ""), nodeCount.ReplaceAllString(want, "")
			}
			if got != want {
				t.Fatalf("seed %d, command %d: %s\n  ours: %s\nredis's: %s", seed, i, quoted(args), got, want)
			}
		}
		for i := range 3000 {
			for _, args := range g.commands() {
				compare(i, args...)
			}
		}
		for i, key := range streamKeys {
			compare(i, "XINFO", "STREAM", key, "FULL", "COUNT", "0")
			compare(i, "XINFO", "GROUPS", key)
		}
		compareData(t, l, r)
		l.do("SELECT", "0")
		r.do("SELECT", "0")
		for _, key := range streamKeys {
			travelStream(t, l, r, key)
		}
	}
}

// travelStream sends a stream both ways.
func travelStream(t *testing.T, l *local, r *redis, key string) {
	t.Helper()
	info := func(d doer, key string) string {
		args := []string{"XINFO", "STREAM", key, "FULL", "COUNT", "0"}
		return nodeCount.ReplaceAllString(timeless(args, d.do(args...)), "")
	}
	if l.do("EXISTS", key) == "(integer) 0" {
		return
	}
	want := info(r, key)
	for how, way := range map[string][2]doer{"to redis-server": {l, r}, "from redis-server": {r, l}, "here": {l, l}} {
		if got := way[1].do("RESTORE", "copy of "+key, "0", unquote(t, way[0].do("DUMP", key)), "REPLACE"); got != "OK" {
			t.Errorf("%s, %s: %s", key, how, got)
		}
		if got := info(way[1], "copy of "+key); got != want {
			t.Errorf("%s, %s\n is: %.2000s\nwas: %.2000s", key, how, got, want)
		}
	}
}

var (
	streamKeys = []string{"{s}0", "{s}1", "{s}2", "{s}3"}

	nodeCount = regexp.MustCompile(`"radix-tree-(nodes|keys)" \(integer\) \d+`)
	// Redis's tree has other nodes than ours, 7.0 no active-time, and clocks differ.
	streamNodes   = regexp.MustCompile(`"radix-tree-nodes" \(integer\) \d+ ?`)
	activeTime    = regexp.MustCompile(`"(active-time|inactive)" \(integer\) -?\d+ ?`)
	instant       = regexp.MustCompile(`\(integer\) 1[6-9]\d{11}\b`)
	consumerTimes = regexp.MustCompile(`"(seen|active)-time" \(integer\) -?\d+`)
	consumerIdle  = regexp.MustCompile(`"idle" \(integer\) \d+`)
	pendingIdle   = regexp.MustCompile(`" \(integer\) \d+ \(integer\) (\d+)\]`)
)

// timeless is a reply without what depends on the clock or on Redis's version.
func timeless(args []string, reply string) string {
	reply = streamNodes.ReplaceAllString(reply, "")
	reply = activeTime.ReplaceAllString(reply, "")
	reply = instant.ReplaceAllString(reply, "now")
	reply = consumerIdle.ReplaceAllString(reply, `"idle"`)
	if strings.EqualFold(args[0], "XPENDING") && len(args) > 3 {
		reply = pendingIdle.ReplaceAllString(reply, `" idle $1]`)
	}
	reply = strings.NewReplacer(" ]", "]", " }", "}").Replace(reply)
	return strings.Replace(reply, "Unbalanced XREAD list", "Unbalanced 'xread' list", 1) // 7.0
}

// streamGenerator makes commands on streams. ms is about the time that the newest
// IDs have.
//
// With approx, trimming may be approximate, but isn't both exact and by ID: that can
// leave Redis with a node without entries, which we free, and what is trimmed later
// depends on it.
type streamGenerator struct {
	generator
	ms     int
	approx bool
}

func (g *streamGenerator) stream() string {
	if g.rng.IntN(200) == 0 {
		return g.of("text", "none")
	}
	return g.of(streamKeys...)
}

// id is an ID about where entries are.
func (g *streamGenerator) id() string {
	switch g.rng.IntN(40) {
	case 0:
		return g.of("0", "0-0", "18446744073709551615", "18446744073709551615-18446744073709551615", "x", "", "1-x", "-1", "-", "+", "$", ">", "*", "007-1", "+5", "5-+5", "1-*")
	case 1, 2:
		return fmt.Sprint(g.rng.IntN(g.ms + 1))
	case 3, 4, 5, 6, 7, 8:
		return fmt.Sprint(max(0, g.ms-g.rng.IntN(30)), "-", g.rng.IntN(4))
	}
	return fmt.Sprint(g.rng.IntN(g.ms+1), "-", g.rng.IntN(3))
}

func (g *streamGenerator) edge() string {
	switch g.rng.IntN(6) {
	case 0:
		return g.of("-", "+", "(-", "(+", "(0", "(18446744073709551615-18446744073709551615")
	case 1:
		return "(" + g.id()
	}
	return g.id()
}

func (g *streamGenerator) group() string    { return g.of("g1", "g2", "g2", "g3") }
func (g *streamGenerator) consumer() string { return g.of("alice", "bob", "carol", "dave", "eve") }

func (g *streamGenerator) small() string {
	if g.rng.IntN(30) == 0 {
		return g.number()
	}
	return fmt.Sprint(g.rng.IntN(20))
}

func (g *streamGenerator) trim() []string {
	approx := g.approx && g.rng.IntN(3) > 0
	o := []string{g.of("MAXLEN", "maxlen"), fmt.Sprint(g.rng.IntN(150))}
	if approx == g.approx && g.rng.IntN(2) == 0 {
		o = []string{"MINID", fmt.Sprint(max(0, g.ms-g.rng.IntN(100)))}
		if g.rng.IntN(4) == 0 {
			o[1] = g.id()
		}
	}
	switch {
	case !approx && g.rng.IntN(2) == 0:
		o = []string{o[0], "=", o[1]}
	case approx:
		o = []string{o[0], "~", o[1]}
		if g.rng.IntN(3) == 0 {
			o = append(o, "LIMIT", g.small())
		}
	}
	if g.rng.IntN(60) == 0 {
		o = append(o, g.of("LIMIT", "bogus", "MAXLEN", "~"), g.small())
	}
	return o
}

func (g *streamGenerator) add() []string {
	args := []string{"XADD", g.stream()}
	if g.rng.IntN(12) == 0 {
		args = append(args, g.trim()...)
	}
	if g.rng.IntN(30) == 0 {
		args = append(args, "NOMKSTREAM")
	}
	g.ms += g.rng.IntN(3)
	switch g.rng.IntN(12) {
	case 0:
		args = append(args, g.id())
		if id := &args[len(args)-1]; *id == "*" || g.approx && len(*id) > 15 { // ours makes a node for such a leap
			*id = "1-*"
		}
	case 1, 2, 3:
		args = append(args, fmt.Sprint(g.ms, "-*"))
	default:
		args = append(args, fmt.Sprint(g.ms, "-", g.rng.IntN(4)))
	}
	for i := range 1 + g.rng.IntN(3) {
		args = append(args, fmt.Sprint("field", i), g.value())
	}
	if g.rng.IntN(20) == 0 {
		args = append(args, g.value(), g.value())
	}
	if g.rng.IntN(200) == 0 {
		args = args[:len(args)-1]
	}
	return args
}

func (g *streamGenerator) ids(args ...string) []string {
	for range 1 + g.rng.IntN(10) {
		args = append(args, g.id())
	}
	return args
}

func (g *streamGenerator) count(args ...string) []string {
	if g.rng.IntN(2) == 0 {
		args = append(args, "COUNT", g.small())
	}
	return args
}

// read names up to three streams.
func (g *streamGenerator) read(args []string, id func() string) []string {
	args = append(g.count(args...), "STREAMS")
	n := 1 + g.rng.IntN(3)
	for range n {
		args = append(args, g.stream())
	}
	for range n {
		args = append(args, id())
	}
	if g.rng.IntN(200) == 0 {
		args = args[:len(args)-1]
	}
	return args
}

func (g *streamGenerator) claimOptions() (o []string) {
	for range g.rng.IntN(3) {
		switch g.rng.IntN(7) {
		case 0:
			o = append(o, "IDLE", g.of("0", "100000000", "-5", "x"))
		case 1:
			o = append(o, "TIME", g.of("0", "1500000000000", "99999999999999", "-5"))
		case 2:
			o = append(o, "RETRYCOUNT", g.small())
		case 3:
			o = append(o, "FORCE")
		case 4:
			o = append(o, "JUSTID")
		case 5:
			o = append(o, "LASTID", g.id())
		default:
			o = append(o, g.of("FORCE", "justid", "bogus"))
		}
	}
	return o
}

// commands are one or two commands. Before 7.2 consumers are only made where they
// get something; so they are made first.
func (g *streamGenerator) commands() [][]string {
	one := func(args ...string) [][]string { return [][]string{args} }
	key, group, consumer := g.stream(), g.group(), g.consumer()
	idle := g.of("0", "0", "0", "10000000", "-1", "x")
	create := []string{"XGROUP", "CREATECONSUMER", key, group, consumer}
	switch g.rng.IntN(48) {
	case 0:
		return one(append([]string{"XTRIM", key}, g.trim()...)...)
	case 1, 2, 3:
		return one(g.ids("XDEL", key)...)
	case 4:
		return one(g.of("XLEN", "TYPE", "EXISTS"), key)
	case 5, 6:
		return one(g.count("XRANGE", key, g.edge(), g.edge())...)
	case 7, 8:
		return one(g.count("XREVRANGE", key, g.edge(), g.edge())...)
	case 9, 10:
		return one(g.read([]string{"XREAD"}, g.id)...)
	case 11, 12, 13, 14, 15, 16:
		args := []string{"XREADGROUP", "GROUP", group, consumer}
		if g.rng.IntN(5) == 0 {
			args = append(args, "NOACK")
		}
		args = append(append(g.count(args...), "STREAMS"), key, ">")
		return [][]string{create, args}
	case 17, 18:
		return [][]string{create, append(append(g.count("XREADGROUP", "GROUP", group, consumer), "STREAMS"), key, g.id())}
	case 19, 20, 21, 22:
		return one(g.ids("XACK", key, group)...)
	case 23:
		return one("XGROUP", "CREATE", key, group, g.of("0", "$", g.id()), "MKSTREAM")
	case 24:
		return one("XGROUP", "CREATE", key, group, g.id(), "ENTRIESREAD", g.small())
	case 25:
		if g.rng.IntN(8) > 0 {
			return one(create...)
		}
		return one("XGROUP", "DESTROY", key, group)
	case 26:
		return one("XGROUP", "DELCONSUMER", key, group, consumer)
	case 27:
		return one([][]string{{"XGROUP", "SETID", key, group, g.of("0", "$", g.id())}, {"XGROUP", "SETID", key, group, g.id(), "ENTRIESREAD", g.small()}}[g.rng.IntN(2)]...)
	case 28, 29, 30:
		return [][]string{create, append(g.ids("XCLAIM", key, group, consumer, idle), g.claimOptions()...)}
	case 31, 32:
		args := g.count("XAUTOCLAIM", key, group, consumer, idle, g.edge())
		if g.rng.IntN(3) == 0 {
			args = append(args, "JUSTID")
		}
		return [][]string{create, args}
	case 33:
		return one("XPENDING", key, group)
	case 34, 35:
		args := []string{"XPENDING", key, group, "-", "+", g.small()}
		if g.rng.IntN(2) == 0 {
			args = []string{"XPENDING", key, group, "IDLE", idle, g.edge(), g.edge(), g.small()}
		}
		if g.rng.IntN(2) == 0 {
			args = append(args, consumer)
		}
		return one(args...)
	case 36:
		return one("XINFO", "STREAM", key, "FULL", "COUNT", g.small())
	case 37:
		return one("XINFO", g.of("STREAM", "GROUPS"), key)
	case 38:
		return one("XINFO", "CONSUMERS", key, group)
	case 39:
		switch g.rng.IntN(12) {
		case 0:
			return one("DEL", key)
		case 1:
			return one("COPY", key, g.stream(), "REPLACE")
		case 2:
			return one("RENAME", key, g.of(streamKeys...))
		case 3:
			return one("SET", "text", "x")
		case 4, 5:
			g.ms += 5
			return one("XSETID", key, fmt.Sprint(g.ms, "-5"), "ENTRIESADDED", fmt.Sprint(g.rng.IntN(3000)), "MAXDELETEDID", g.id())
		case 6:
			g.ms += 5
			return one("XSETID", key, fmt.Sprint(g.ms))
		}
	}
	return one(g.add()...)
}
