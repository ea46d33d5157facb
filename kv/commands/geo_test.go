package commands_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"conclave/kv/commands"
)

// places makes programs on positions.
type places struct{ generator }

func (g *places) key() string { return "geo" + strconv.Itoa(g.rng.IntN(3)) }

func (g *places) member() string { return "p" + strconv.Itoa(g.rng.IntN(150)) }

// position is random: Redis leaves it open which of several members at the same
// distance come first.
func (g *places) position() []string {
	p := []string{
		strconv.FormatFloat((g.rng.Float64()-0.5)*360, 'f', 6+g.rng.IntN(12), 64),
		strconv.FormatFloat((g.rng.Float64()-0.5)*168, 'f', 6+g.rng.IntN(12), 64),
	}
	switch g.rng.IntN(25) {
	case 0:
		p[0] = g.of("180", "-180", "0", "181", "x", "179.9999999", "13.361389")
	case 1:
		p[1] = g.of("85.05112878", "-85.05112878", "0", "86", "-90", "85")
	}
	return p
}

func (g *places) length() string {
	switch g.rng.IntN(12) {
	case 0:
		return g.of("0", "-1", "x", "1e9", "inf", "0.0001", "20037726", "1e300")
	case 1, 2, 3:
		return strconv.FormatFloat(g.rng.Float64()*2e7, 'f', 3, 64)
	}
	return strconv.Itoa(g.rng.IntN(5_000))
}

func (g *places) unit() string { return g.of("m", "km", "KM", "km", "km", "ft", "mi", "mi", "x") }

func (g *places) shape() (args []string) {
	switch g.rng.IntN(20) {
	case 0:
	case 1, 2, 3, 4, 5, 6, 7:
		args = append(args, "FROMMEMBER", g.member())
	default:
		args = append(append(args, "fromlonlat"), g.position()...)
	}
	switch g.rng.IntN(20) {
	case 0:
	case 1, 2, 3, 4, 5, 6, 7:
		args = append(args, "BYBOX", g.length(), g.length(), g.unit())
	default:
		args = append(args, "byradius", g.length(), g.unit())
	}
	return args
}

func (g *places) options() (args []string) {
	for range g.rng.IntN(4) {
		switch g.rng.IntN(8) {
		case 0, 1:
			args = append(args, g.of("WITHDIST", "withhash", "WITHCOORD"))
		case 2, 3:
			args = append(args, g.of("ASC", "desc"))
		case 4:
			args = append(args, "COUNT", g.of("1", "3", "10", "1000", "0", "x"))
		case 5:
			args = append(args, "COUNT", g.of("1", "3", "10"), "ANY")
		case 6:
			args = append(args, g.of("ANY", "x", "STOREDIST", "COUNT"))
		}
	}
	return args
}

func (g *places) store() []string {
	switch g.rng.IntN(6) {
	case 0:
		return []string{"STORE", "stored"}
	case 1:
		return []string{"STOREDIST", "distances"}
	}
	return nil
}

func (g *places) command() []string {
	join := func(args []string, more ...[]string) []string {
		for _, m := range more {
			args = append(args, m...)
		}
		return args
	}
	switch g.rng.IntN(16) {
	case 0, 1, 2:
		args := []string{"GEOADD", g.key()}
		for range g.rng.IntN(4) / 3 {
			args = append(args, g.of("NX", "XX", "CH", "ch"))
		}
		for range 1 + g.rng.IntN(20) {
			args = append(append(args, g.position()...), g.member())
		}
		return args
	case 3:
		return []string{"GEODIST", g.key(), g.member(), g.member()}
	case 4:
		return []string{"GEODIST", g.key(), g.member(), g.member(), g.unit()}
	case 5:
		return []string{"GEOPOS", g.key(), g.member(), g.member()}
	case 6:
		return []string{"GEOHASH", g.key(), g.member(), g.member()}
	case 7, 8:
		return join([]string{g.of("GEORADIUS", "georadius_ro"), g.key()}, g.position(), []string{g.length(), g.unit()}, g.options(), g.store())
	case 9:
		return join([]string{g.of("GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"), g.of(g.key(), "none"), g.member(), g.length(), g.unit()}, g.options(), g.store())
	case 10:
		return join([]string{"GEOSEARCHSTORE", "stored", g.of(g.key(), "none")}, g.shape(), g.options())
	case 11:
		return []string{"ZSCORE", g.key(), g.member()}
	case 12:
		return []string{g.of("ZCARD", "GEOPOS", "GEOHASH"), g.of(g.key(), "none")}
	}
	return join([]string{g.of("GEOSEARCH", "geosearch"), g.of(g.key(), g.key(), "none")}, g.shape(), g.options())
}

func TestGeoAgainstRedis(t *testing.T) {
	r := startRedis(t, "positions against redis-server")
	if r == nil {
		return
	}
	for seed := range uint64(8) {
		r.do("FLUSHALL")
		r.do("SELECT", "0")
		proto := fmt.Sprint(2 + seed%2)
		r.do("HELLO", proto)
		l := newLocal(t, commands.Deps{})
		l.do("HELLO", proto)
		g := places{generator{rng: rand.New(rand.NewPCG(seed, 9))}}
		for i := range 3000 {
			args := g.command()
			got, want := l.do(args...), r.do(args...)
			if got != want && sameDoubles(got) != sameDoubles(want) {
				t.Fatalf("seed %d, command %d: %s\n  ours: %s\nredis's: %s", seed, i, quoted(args), got, want)
			}
		}
		// A word that STOREDIST happens to stand before is a key, too.
		for _, key := range []string{"stored", "distances", "asc", "desc", "ASC", "WITHDIST", "withhash", "WITHCOORD", "COUNT", "STOREDIST", "STORE", "ANY", "x"} {
			ours, theirs := l.do("ZRANGE", key, "0", "-1", "WITHSCORES"), r.do("ZRANGE", key, "0", "-1", "WITHSCORES")
			if ours, theirs := nearly(ours), nearly(theirs); ours != theirs {
				t.Errorf("%s\n  ours: %s\nredis's: %s", key, ours, theirs)
			}
			l.do("DEL", key)
			r.do("DEL", key)
		}
		compareData(t, l, r)
	}
}

// nearly prints numbers with 13 digits. The last ones of distances depend on the C
// library's sines: ours are the nearest numbers, of glibc's one in some hundreds
// isn't, and which depends on the processor.
func nearly(reply string) string {
	return quotedNumber.ReplaceAllStringFunc(reply, func(s string) string {
		f, err := strconv.ParseFloat(strings.Trim(strings.TrimPrefix(s, "(double) "), `"`), 64)
		if err != nil {
			return s
		}
		return strconv.FormatFloat(f, 'g', 13, 64)
	})
}
