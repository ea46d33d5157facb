package commands_test

import (
	"fmt"
	"strings"
	"testing"

	"conclave/kv/commands"
)

// Commands on small and large hashes and sets, with all that the harness does
// around them; the least that a command takes is that of EXISTS.
func BenchmarkHashesAndSets(b *testing.B) {
	for _, line := range []string{
		"EXISTS none",
		"HSET h field value", "HGET h field", "HINCRBY h n 1", "HGETALL h",
		"HSET large f%d value", "HGET large f%d",
		"SADD ints 7", "SISMEMBER ints 77", "SADD s member", "SADD large-set m%d", "SISMEMBER large-set m%d", "SRANDMEMBER large-set",
		"SPOP popped",
	} {
		b.Run(line, func(b *testing.B) {
			l := newLocal(b, commands.Deps{})
			for i := range 10_000 {
				l.do("HSET", "large", fmt.Sprint("f", i), "v")
				l.do("SADD", "large-set", fmt.Sprint("m", i))
				if i < 10 {
					l.do("HSET", "h", fmt.Sprint("field:", i), "some value")
				}
				if i < 100 {
					l.do("SADD", "ints", fmt.Sprint(i*5))
				}
			}
			if strings.HasPrefix(line, "SPOP") {
				for i := range b.N {
					l.do("SADD", "popped", fmt.Sprint("m", i))
				}
				b.ResetTimer()
			}
			calls := make([][][]byte, 64)
			for i := range calls {
				text := line
				if strings.Contains(line, "%") {
					text = fmt.Sprintf(line, i*150)
				}
				for _, w := range strings.Fields(text) {
					calls[i] = append(calls[i], []byte(w))
				}
			}
			buf := make([]byte, 0, 1<<16)
			b.ReportAllocs()
			for i := range b.N {
				l.w.Reset(buf)
				l.run(calls[i%64])
				l.ctx.TakeEffects()
			}
		})
	}
}
