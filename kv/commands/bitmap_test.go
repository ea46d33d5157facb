package commands_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"conclave/kv/commands"
	"conclave/resp/command"
)

// Redis 7.2 looks at the arguments before the key; 7.0 didn't, so that the
// scripts can't say it.
func TestBitRangesAreCheckedWithoutAKey(t *testing.T) {
	t.Parallel()
	l := newLocal(t, commands.Deps{})
	l.do("SET", "s", "x")
	for _, key := range []string{"none", "s"} {
		l.expect("BITCOUNT "+key+" 0", "(error) ERR syntax error")
		l.expect("BITCOUNT "+key+" 0 1 bogus", "(error) ERR syntax error")
		l.expect("BITCOUNT "+key+" -1 -2 bogus", "(error) ERR syntax error")
		l.expect("BITCOUNT "+key+" x 1", "(error) ERR value is not an integer or out of range")
		l.expect("BITPOS "+key+" 0 1 x", "(error) ERR value is not an integer or out of range")
		l.expect("BITPOS "+key+" 0 1 x bogus", "(error) ERR syntax error")
		l.expect("BITPOS "+key+" 0 1 1 bit 5", "(error) ERR syntax error")
	}
}

// Who watches a key isn't told of bits that were set to what they were.
func TestUnchangedBitsDoNotDisturbWatchers(t *testing.T) {
	t.Parallel()
	l := newLocal(t, commands.Deps{})
	l.expect("SETBIT b 7 1", "(integer) 0")
	l.do("PFADD", "h", "x")
	l.do("PFCOUNT", "h")
	for _, tt := range []struct {
		line    string
		changes bool
	}{
		{"SETBIT b 7 1", false},
		{"SETBIT b 6 0", false},
		{"SETBIT b 8 0", true}, // it grows
		{"BITFIELD b GET u8 0", false},
		{"BITFIELD b SET u8 0 1", false},
		{"BITFIELD b OVERFLOW FAIL INCRBY u8 0 255", false},
		{"BITFIELD b INCRBY u8 0 1", true},
		{"BITOP NOT none none2", false},
		{"BITOP NOT b b", true},
		{"PFADD h x", false},
		{"PFCOUNT h", false},
		{"PFADD h y", true},
		{"PFCOUNT h", true}, // the count is kept in the value
		{"PFMERGE h", true},
	} {
		var w command.Watch
		l.store.Lock(command.AllPartitions)
		for _, key := range []string{"b", "h"} {
			l.store.Watch(&w, 0, []byte(key), l.now)
		}
		l.store.Unlock(command.AllPartitions)
		l.do(words(t, tt.line)...)
		l.store.Lock(command.AllPartitions)
		if l.store.Dirty(&w, l.now) != tt.changes {
			t.Errorf("%s: changed is %v", tt.line, !tt.changes)
		}
		l.store.Unwatch(&w)
		l.store.Unlock(command.AllPartitions)
	}
}

// Counting and finding bits agree with looking at one after the other.
func TestBitRangesBitByBit(t *testing.T) {
	t.Parallel()
	l := newLocal(t, commands.Deps{})
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		v := bytes.Repeat([]byte{[]byte{0, 255, 1, 128}[rng.IntN(4)]}, 1+rng.IntN(60))
		if rng.IntN(2) == 0 {
			v[rng.IntN(len(v))] = byte(rng.Uint32())
		}
		l.do("SET", "k", "x"+string(v))
		l.do("SET", "k", string(v))
		n := 8 * len(v)
		first := rng.IntN(n)
		last := first + rng.IntN(n-first)
		count, pos := 0, [2]int{-1, -1}
		for i := last; i >= first; i-- {
			bit := int(v[i/8]>>(7-i%8)) & 1
			count, pos[bit] = count+bit, i
		}
		for _, tt := range []struct{ line, want string }{
			{fmt.Sprintf("BITCOUNT k %d %d BIT", first, last), fmt.Sprint("(integer) ", count)},
			{fmt.Sprintf("BITPOS k 0 %d %d BIT", first, last-n), fmt.Sprint("(integer) ", pos[0])},
			{fmt.Sprintf("BITPOS k 1 %d %d BIT", first-n, last), fmt.Sprint("(integer) ", pos[1])},
		} {
			if got := l.do(words(t, tt.line)...); got != tt.want {
				t.Fatalf("%x: %s\n got: %s\nwant: %s", v, tt.line, got, tt.want)
			}
		}
	}
}

// bits makes commands on bitmaps.
func (g *generator) bits(key string) []string {
	offset := func() string {
		if g.rng.IntN(30) == 0 {
			return g.of("-1", "x", "8388608", "8388607", "#3", "")
		}
		return fmt.Sprint(g.rng.IntN(500))
	}
	switch g.rng.IntN(7) {
	case 0:
		return []string{"SETBIT", key, offset(), g.of("0", "1", "1", "1", "2", "x")}
	case 1:
		return []string{"GETBIT", key, offset()}
	case 2:
		return []string{"BITCOUNT", key}
	case 3:
		// Always valid: 7.0 says nothing of a malformed range if the key is absent.
		return []string{"BITCOUNT", key, fmt.Sprint(g.rng.IntN(300) - 150), fmt.Sprint(g.rng.IntN(300) - 150), g.of("BIT", "byte")}
	case 4:
		a := []string{"BITPOS", key, g.of("0", "1"), fmt.Sprint(g.rng.IntN(300) - 150), fmt.Sprint(g.rng.IntN(300) - 150), g.of("BIT", "byte")}
		return a[:3+g.rng.IntN(4)]
	case 5:
		return append([]string{"BITOP", g.of("AND", "or", "XOR", "NOT", "bogus"), key, g.key()}, [][]string{nil, nil, {g.key()}, {g.key(), g.key()}}[g.rng.IntN(4)]...)
	}
	a := []string{g.of("BITFIELD", "BITFIELD", "BITFIELD", "BITFIELD_RO"), key}
	for range g.rng.IntN(5) {
		width := fmt.Sprint(g.of("i", "u"), 1+g.rng.IntN(64))
		at := fmt.Sprint(g.of("", "", "#"), g.rng.IntN(80))
		n := fmt.Sprint(int64(g.rng.Uint64()) >> g.rng.IntN(64))
		switch g.rng.IntN(5) {
		case 0:
			a = append(a, "OVERFLOW", g.of("WRAP", "SAT", "fail", "SAT", "FAIL"))
		case 1:
			a = append(a, "SET", width, at, n)
		case 2, 3:
			a = append(a, "INCRBY", width, at, n)
		default:
			a = append(a, "GET", width, at)
		}
	}
	return a
}

func BenchmarkBits(b *testing.B) {
	l := newLocal(b, commands.Deps{})
	l.do("SETBIT", "large", fmt.Sprint(64<<20*8-1), "1")
	l.do("SETBIT", "small", fmt.Sprint(1<<20*8-1), "1")
	l.do("SETBIT", "small2", fmt.Sprint(1<<20*8-1), "1")
	for _, line := range []string{
		"SETBIT large 12345 1", "GETBIT large 12345", "BITCOUNT small", "BITPOS small 1", "BITOP AND r small small2",
		"BITOP XOR r small small2", "BITFIELD large INCRBY u8 100 1",
	} {
		b.Run(line, func(b *testing.B) {
			var in [][]byte
			for _, w := range words(b, line) {
				in = append(in, []byte(w))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.w.Reset(l.w.Bytes())
				if in[0][0] == 'S' {
					in[3][0] = '0' + byte(i&1)
				}
				l.run(in)
			}
		})
	}
}
