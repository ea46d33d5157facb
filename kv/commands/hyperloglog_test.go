package commands_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"conclave/kv/commands"
)

// A HyperLogLog has the bytes and the count that Redis gives it, on the way
// from empty over sparse to dense.
func TestHyperLogLogAgainstRedis(t *testing.T) {
	r := startRedis(t, "HyperLogLogs against redis-server")
	if r == nil {
		return
	}
	for seed, limit := range []int64{3000, 3000, 0, 18, 200, 20000} {
		r.do("FLUSHALL")
		if got := r.do("CONFIG", "SET", "hll-sparse-max-bytes", fmt.Sprint(limit)); got != "OK" {
			t.Fatal(got)
		}
		l := newLocal(t, commands.Deps{HLLSparseMax: func() int64 { return limit }})
		rng := rand.New(rand.NewPCG(uint64(seed), 5))
		both := func(args ...string) {
			t.Helper()
			if got, want := l.do(args...), r.do(args...); got != want {
				t.Fatalf("limit %d: %.300s\n  ours: %.3000s\nredis's: %.3000s", limit, quoted(args), got, want)
			}
		}
		for batch := range 60 {
			key := fmt.Sprint("h", rng.IntN(3))
			args := []string{"PFADD", key}
			for range 1 + rng.IntN(1+batch*batch/2) {
				element := make([]byte, rng.IntN(20))
				for i := range element {
					element[i] = byte(rng.Uint32())
				}
				args = append(args, string(element))
			}
			both(args...)
			both("GET", key)
			both("PFCOUNT", key)
			both("PFCOUNT", "h0", "h1", "h2", "none")
			both("PFMERGE", "merged", fmt.Sprint("h", rng.IntN(3)), "none")
			both("GET", "merged")
			both("PFMERGE", fmt.Sprint("fresh", batch), "h0", "h1", "h2")
			both("GET", fmt.Sprint("fresh", batch))
			both("PFCOUNT", "merged")
			carry(t, l, r, key)
			carry(t, r, l, key)
			both("GET", key)
			if rng.IntN(20) == 0 {
				both("DEL", "merged")
			}
		}
	}
}

// carry replaces a key by what DUMP makes of it elsewhere.
func carry(t *testing.T, from, to doer, key string) {
	t.Helper()
	payload, err := strconv.Unquote(from.do("DUMP", key))
	if err != nil {
		t.Fatal(err)
	}
	if got := to.do("RESTORE", key, "0", payload, "REPLACE"); got != "OK" {
		t.Fatalf("%q: %s", payload, got)
	}
}

// Registers at random, also such that no elements lead to.
func TestEstimatesAgainstRedis(t *testing.T) {
	r := startRedis(t, "estimates of HyperLogLogs against redis-server")
	if r == nil {
		return
	}
	l := newLocal(t, commands.Deps{})
	rng := rand.New(rand.NewPCG(2, 5))
	for i := range 400 {
		v := append([]byte("HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"), make([]byte, 12288)...)
		most, density := 1+rng.IntN(64), rng.Float64()
		for j := range 16384 {
			if rng.Float64() > density {
				continue
			}
			bits := rng.IntN(most) << (j * 6 % 8)
			v[16+j*6/8] |= byte(bits)
			if bits > 255 {
				v[17+j*6/8] |= byte(bits >> 8)
			}
		}
		if i == 0 {
			copy(v[16:], bytes.Repeat([]byte{255}, 12288))
		}
		for _, args := range [][]string{{"SET", "k", string(v)}, {"PFCOUNT", "k", "k"}, {"PFCOUNT", "k"}, {"GET", "k"}} {
			if got, want := l.do(args...), r.do(args...); got != want {
				t.Fatalf("%d: %.30q\n  ours: %.300s\nredis's: %.300s", i, args, got, want)
			}
		}
	}
}

// The error of the estimate is that of 16384 registers.
func TestEstimateError(t *testing.T) {
	t.Parallel()
	l := newLocal(t, commands.Deps{})
	for n := 1; n <= 100_000; n++ {
		l.w.Reset(l.w.Bytes())
		l.run([][]byte{[]byte("PFADD"), []byte("h"), fmt.Append(nil, "element:", n)})
		if s := fmt.Sprint(n); strings.Trim(s[1:], "0") != "" || s[0] != '1' {
			continue
		}
		var got int
		if _, err := fmt.Sscanf(l.do("PFCOUNT", "h"), "(integer) %d", &got); err != nil {
			t.Fatal(err)
		}
		if d := math.Abs(float64(got - n)); d > math.Ceil(6*1.04/128*float64(n)) {
			t.Errorf("%d of %d elements", got, n)
		}
	}
}

// A value that was tampered with yields an error or a number, never a crash,
// and stays a value that can be asked again.
func TestTamperedHyperLogLogs(t *testing.T) {
	t.Parallel()
	l := newLocal(t, commands.Deps{})
	rng := rand.New(rand.NewPCG(3, 5))
	for range 1000 {
		l.do("DEL", "h", "to")
		args := []string{"PFADD", "h"}
		for range rng.IntN(100) {
			args = append(args, fmt.Sprint(rng.Uint32()))
		}
		l.do(args...)
		var size int64
		if _, err := fmt.Sscanf(l.do("STRLEN", "h"), "(integer) %d", &size); err != nil {
			t.Fatal(err)
		}
		for range 1 + rng.IntN(3) {
			l.do("SETRANGE", "h", fmt.Sprint(16+rng.Int64N(size-15)), string([]byte{byte(rng.Uint32())}))
		}
		for _, line := range []string{"PFADD h a b c d e f g h i j", "PFCOUNT h", "PFMERGE to h", "PFCOUNT to h", "PFADD to x", "PFCOUNT to"} {
			got := l.do(words(t, line)...)
			if strings.HasPrefix(got, "(error)") && got != "(error) INVALIDOBJ Corrupted HLL object detected" {
				t.Fatalf("%s: %s", line, got)
			}
		}
	}
}

// hyperLogLog makes commands on HyperLogLogs, and now and then on other strings.
func (g *generator) hyperLogLog(other string) []string {
	key := func() string { return g.of("h0", "h1", "h2", "h3", "h4", other) }
	switch g.rng.IntN(5) {
	case 0:
		return []string{"PFCOUNT", key()}
	case 1:
		return []string{"PFCOUNT", key(), key()}
	case 2:
		return []string{"PFMERGE", key(), key(), key()}[:2+g.rng.IntN(2)]
	}
	a := []string{"PFADD", key()}
	for range g.rng.IntN(6) {
		a = append(a, g.value())
	}
	return a
}

func BenchmarkHyperLogLog(b *testing.B) {
	l := newLocal(b, commands.Deps{})
	for i := range 200_000 {
		l.do("PFADD", "dense", fmt.Sprint(i))
		if i < 800 {
			l.do("PFADD", "sparse", fmt.Sprint(i))
		}
	}
	for _, line := range []string{"PFADD dense 4711", "PFADD sparse 471", "PFCOUNT dense", "PFCOUNT dense sparse", "PFMERGE to dense", "PFMERGE to2 sparse"} {
		b.Run(line, func(b *testing.B) {
			var in [][]byte
			for _, w := range words(b, line) {
				in = append(in, []byte(w))
			}
			b.ReportAllocs()
			for b.Loop() {
				l.w.Reset(l.w.Bytes())
				l.run(in)
			}
		})
	}
}
