package commands_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"conclave/kv/commands"
)

// BenchmarkSortedSets runs commands on sets of 100,000 members, as the server
// would, parsing and replies included.
func BenchmarkSortedSets(b *testing.B) {
	const members = 100_000
	rng := rand.New(rand.NewPCG(1, 1))
	l := newLocal(b, commands.Deps{})
	member := func() string { return fmt.Sprintf("element:%012d", rng.IntN(members)) }
	score := func() string { return fmt.Sprint(rng.IntN(members)) }
	for range 3 * members {
		l.do("ZADD", "z", score(), member())
	}
	for range 100 {
		l.do("ZADD", "small", score(), member())
	}
	for _, bm := range []struct {
		name string
		args func() []string
	}{
		{"ZADD of another score", func() []string { return []string{"ZADD", "z", score(), member()} }},
		{"ZADD to a small set", func() []string { return []string{"ZADD", "small", score(), member()} }},
		{"ZINCRBY", func() []string { return []string{"ZINCRBY", "z", "1", member()} }},
		{"ZSCORE", func() []string { return []string{"ZSCORE", "z", member()} }},
		{"ZRANK", func() []string { return []string{"ZRANK", "z", member()} }},
		{"ZRANGE of 100", func() []string { return []string{"ZRANGE", "z", "5000", "5099"} }},
		{"ZRANGEBYSCORE of 100", func() []string { return []string{"ZRANGEBYSCORE", "z", score(), "+inf", "LIMIT", "0", "100"} }},
		{"ZCOUNT", func() []string { return []string{"ZCOUNT", "z", score(), score()} }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			calls := make([][][]byte, 1<<14)
			for i := range calls {
				for _, a := range bm.args() {
					calls[i] = append(calls[i], []byte(a))
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.w.Reset(l.w.Bytes())
				l.run(calls[i%len(calls)])
			}
		})
	}
}
