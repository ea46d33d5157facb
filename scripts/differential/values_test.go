package differential

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// keys of a kind are few, so that commands meet; now and then one of another
// kind is taken.
func keys(prefix string, n int) value {
	return func(g *generator) string {
		switch {
		case g.one(40):
			return g.of("s", "l", "h", "m", "z", "geo", "x", "bits", "hll", "n") + strconv.Itoa(g.rng.IntN(2))
		case g.one(40):
			return "none"
		}
		return prefix + strconv.Itoa(g.rng.IntN(n))
	}
}

func constant(s ...string) value { return func(g *generator) string { return g.of(s...) } }

// usual is mostly one value, sometimes an unusual one.
func usual(v value, n int, unusual ...string) value {
	return func(g *generator) string {
		if g.one(n) {
			return g.of(unusual...)
		}
		return v(g)
	}
}

func between(from, to int) value {
	return func(g *generator) string { return strconv.Itoa(from + g.rng.IntN(to-from)) }
}

func anyString(g *generator) string {
	switch g.rng.IntN(14) {
	case 0:
		return ""
	case 1:
		return strings.Repeat(g.of("a", "bc", "\x00"), g.rng.IntN(100))
	case 2:
		return double(g)
	case 3, 4:
		return integer(g)
	case 5:
		return g.of("\x00\xff\r\n", "\xc3\xa9", "{tag}", "-0", "007", "1.0", " 1", "3 ")
	case 6:
		if g.one(10) {
			return strings.Repeat("long value ", g.rng.IntN(1500))
		}
	case 7:
		b := make([]byte, g.rng.IntN(24))
		for i := range b {
			b[i] = "abAB01"[g.rng.IntN(6)]
		}
		return string(b)
	}
	return fmt.Sprint("value:", g.rng.IntN(60))
}

// text has no NUL, at which strcoll takes a string to end when Redis sorts it.
func text(g *generator) string { return strings.ReplaceAll(anyString(g), "\x00", "0") }

func integer(g *generator) string {
	switch g.rng.IntN(24) {
	case 0:
		return g.of("9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "", " 1", "1.5", "-0", "007", "+1", "4294967296", "-2147483649")
	case 1:
		return strconv.FormatInt(g.rng.Int64()>>g.rng.IntN(64), 10)
	}
	return strconv.Itoa(g.rng.IntN(400) - 100)
}

func double(g *generator) string {
	switch g.rng.IntN(10) {
	case 0:
		return g.of("inf", "-inf", "nan", "0x1.8p3", "1e400", "1e-400", "-1e300", ".5", "5.", "+3", "1e5000", "e5", "1e", "0x", "-0", "infinity", "1_0", " 1", "1 ", "")
	case 1:
		return fmt.Sprintf("%.*e", g.rng.IntN(20), g.rng.NormFloat64())
	case 2:
		return fmt.Sprint(g.rng.NormFloat64() * 1e10)
	case 3:
		return strconv.Itoa(g.rng.IntN(100) - 30)
	case 4:
		return g.of("9007199254740993", "9223372036854775807", "1e17", "-1e18", "4611686018427387904", "1e22", "0.1e-7", "3.0e3", "1e-310")
	}
	return fmt.Sprintf("%.*f", g.rng.IntN(8), g.rng.NormFloat64()*100)
}

func member(g *generator) string {
	switch g.rng.IntN(24) {
	case 0:
		return text(g)
	case 1:
		return strings.Repeat("long ", 5+g.rng.IntN(12))
	case 2, 3, 4, 5, 6:
		return "m" + strconv.Itoa(g.rng.IntN(40))
	case 7:
		return strconv.FormatInt(g.rng.Int64()>>g.rng.IntN(64), 10)
	}
	return strconv.Itoa(g.rng.IntN(60) - 20)
}

// score is never -0: Redis loses its sign where a set is packed, ours too, but when
// a set is packed again isn't the same (see the allowance of SORT).
func score(g *generator) string {
	switch g.rng.IntN(16) {
	case 0:
		if s := double(g); !strings.HasPrefix(s, "-0") {
			return s
		}
	case 1:
		return strconv.FormatFloat(g.rng.NormFloat64()*1e10, 'g', -1, 64)
	case 2, 3:
		return strconv.FormatFloat(float64(g.rng.IntN(80)-20)/4, 'f', -1, 64)
	case 4:
		return g.of("inf", "-inf", "0", "1e15", "0.1", "1e-5")
	}
	return strconv.Itoa(g.rng.IntN(30) - 10)
}

func scoreBound(g *generator) string {
	if g.one(6) {
		return g.of("-inf", "+inf", "(5", "(-inf", "(", "x", "(x")
	}
	return g.of("", "", "(") + score(g)
}

func lexBound(g *generator) string {
	if g.one(4) {
		return g.of("-", "+", "-", "+", "x", "[", "(")
	}
	return g.of("[", "(") + member(g)
}

func index(g *generator) string {
	switch {
	case g.one(30):
		return g.of("x", "", "1.5", "9223372036854775807", "-9223372036854775808", "4294967296")
	case g.one(4):
		return g.of("0", "-1")
	}
	return strconv.Itoa(g.rng.IntN(60) - 30)
}

// Expiries are so far away that nothing expires while a program runs, or past.
func seconds(factor, base int64) value {
	return func(g *generator) string {
		switch g.rng.IntN(16) {
		case 0:
			return g.of("0", "-1", "x", "9223372036854775807", "-9223372036854775808", "9223372036854775", "9223372036854775000")
		case 1:
			return fmt.Sprint(-1000 * factor)
		}
		return fmt.Sprint((base + 100_000 + g.rng.Int64N(20)*200_000) * factor)
	}
}

const farEpoch = 4_000_000_000

func streamID(g *generator) string {
	switch g.rng.IntN(12) {
	case 0:
		return g.of("0", "0-0", "0-1", "18446744073709551615-18446744073709551615", "x", "", "1-x", "-1", "5-")
	case 1:
		return strconv.Itoa(g.rng.IntN(g.ms + 2))
	}
	return fmt.Sprint(g.rng.IntN(g.ms+2), "-", g.rng.IntN(4))
}

// newID is mostly larger than those before. With the clock's (*) both servers
// would have different ones.
func newID(g *generator) string {
	g.ms += g.rng.IntN(3)
	switch g.rng.IntN(8) {
	case 0:
		if id := streamID(g); len(id) < 15 {
			return id
		}
	case 1, 2:
		return fmt.Sprint(g.ms, "-*")
	}
	return fmt.Sprint(g.ms, "-", g.rng.IntN(4))
}

// freshID is above all that a stream had: before 7.2 XSETID takes smaller ones than
// that of the last entry deleted, too, and then all that follows differs.
func freshID(g *generator) string {
	g.ms += 5
	return fmt.Sprint(g.ms, "-", g.rng.IntN(4))
}

func streamEdge(g *generator) string {
	switch g.rng.IntN(4) {
	case 0, 1:
		return g.of("-", "+")
	case 2:
		return g.of("", "(") + streamID(g)
	}
	return streamID(g)
}

func longitude(g *generator) string {
	if g.one(20) {
		return g.of("180", "-180", "181", "0", "x", "inf", "nan", "1e-9")
	}
	return strconv.FormatFloat(around(g.rng, 13.3, 180), 'f', g.rng.IntN(16), 64)
}

func latitude(g *generator) string {
	if g.one(20) {
		return g.of("85.05112878", "-85.05112878", "86", "0", "x", "-inf", "nan", "-1e-9")
	}
	return strconv.FormatFloat(around(g.rng, 40.2, 85), 'f', g.rng.IntN(16), 64)
}

// around is mostly near a place, and within ±limit.
func around(rng *rand.Rand, place, limit float64) float64 {
	if rng.IntN(3) == 0 {
		return (rng.Float64()*2 - 1) * limit
	}
	return place + rng.NormFloat64()*2
}

func radius(g *generator) string {
	if g.one(20) {
		return g.of("0", "-1", "x", "inf", "1e300", "nan")
	}
	return strconv.FormatFloat(g.rng.ExpFloat64()*float64([]int{10, 1000, 100000, 5000000}[g.rng.IntN(4)]), 'f', g.rng.IntN(4), 64)
}

func globPattern(g *generator) string {
	return g.of("*", "*", "m*", "?", "[0-9]*", "*1", "", "[^m]*", "value:?", "\\*", "h[a-c", "*[*", "z?", "s*")
}

// values are what a pattern's {names} stand for.
func values() map[string]value {
	count := usual(between(0, 12), 20, "-1", "x", "9223372036854775807", "-9223372036854775808", "100000")
	return map[string]value{
		"s": keys("s", 8), "n": keys("n", 4), "l": keys("l", 4), "h": keys("h", 4), "m": keys("m", 5), "z": keys("z", 5), "geo": keys("geo", 3),
		"x": keys("x", 3), "y": constant("y0", "y1", "y2"), "bits": keys("bits", 4), "hll": keys("hll", 4),
		"any": func(g *generator) string {
			return g.of("s", "s", "l", "h", "m", "z", "geo", "x", "bits", "hll", "n") + strconv.Itoa(g.rng.IntN(5))
		},
		"string": anyString, "text": text, "t": constant("t0", "t1", "t2"), "int": integer, "float": double, "member": member, "score": score, "index": index,
		"scorebound": scoreBound, "lexbound": lexBound, "count": count, "limit": usual(between(-2, 10), 20, "x", "100000"),
		"cursor": usual(constant("0"), 20, "x", "1.5", ""), "glob": globPattern, "rank": usual(between(-3, 4), 20, "x", "-9223372036854775808"),
		"numkeys": usual(constant("2"), 12, "1", "0", "3", "-1", "x"), "one": usual(constant("1"), 12, "2", "0", "-1", "x"),
		"seconds": seconds(1, 0), "millis": seconds(1000, 0), "at": seconds(1, farEpoch), "msat": seconds(1000, farEpoch),
		"offset": usual(between(0, 700), 20, "-1", "x", "4294967295", "4294967296", "9223372036854775807", "8000"),
		"bit":    usual(between(0, 2), 30, "2", "-1", "x"), "byte": index,
		"fieldtype": func(g *generator) string {
			if g.one(30) {
				return g.of("u64", "i65", "u0", "i0", "x", "", "i", "u-1")
			}
			return g.of("u", "i") + strconv.Itoa(1+g.rng.IntN(63))
		},
		"fieldoffset": func(g *generator) string {
			return g.of("", "#") + usual(between(0, 60), 30, "-1", "x", "4294967295")(g)
		},
		"db": usual(constant("0", "1"), 20, "16", "-1", "x"), "weight": double,
		"id": streamID, "newid": newID, "freshid": freshID, "edge": streamEdge, "group": constant("g1", "g2", "g2", "g3"), "consumer": constant("alice", "bob", "carol", "dave"),
		"idle": constant("0", "0", "0", "10000000", "-1", "x"), "lon": longitude, "lat": latitude, "radius": radius,
		"place": func(g *generator) string { return "p" + strconv.Itoa(g.rng.IntN(100)) }, "unit": usual(constant("m", "km", "KM", "ft", "mi"), 20, "x", ""),
		"element": func(g *generator) string { return "e" + strconv.Itoa(g.rng.IntN(20000)) },
		"by":      constant("s*", "h*->m1", "h*->f", "nosort", "none*", "s*->", "->x", "*"),
		"get":     constant("#", "s*", "h*->m1", "h*->1", "none*", "*"),
		"junk":    constant("", "x", "long enough for a frame", "\x00\x01a\x0a\x00\x01\x02\x03\x04\x05\x06\x07\x08"),
		"type":    constant("string", "list", "set", "zset", "hash", "stream", "bogus"),
		"big":     constant("100000"), "negative": constant("-1", "-5", "-100"), "neither": constant("absent", "{absent}"),
	}
}
