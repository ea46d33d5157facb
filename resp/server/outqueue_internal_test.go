package server

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// What goes into a queue comes out of it, in whatever pieces.
func TestOutQueueKeepsOrder(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		q := outQueue{free: &outChunks{}}
		var want, got []byte
		for range 300 {
			if rng.IntN(2) == 0 {
				b := make([]byte, rng.IntN([]int{10, 2000, 50_000}[rng.IntN(3)]))
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
				want = append(want, b...)
				q.add(b)
				clear(b) // it is the caller's
			} else if b := q.next(); len(b) > 0 {
				n := 1 + rng.IntN(len(b))
				got = append(got, b[:n]...)
				q.took(n)
			}
			if q.size != len(want)-len(got) || (q.size == 0) != (len(q.next()) == 0) {
				t.Fatalf("seed %d: %d bytes wait, want %d", seed, q.size, len(want)-len(got))
			}
		}
		for b := q.next(); len(b) > 0; b = q.next() {
			got = append(got, b...)
			q.took(len(b))
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: other bytes came out", seed)
		}
	}
}
