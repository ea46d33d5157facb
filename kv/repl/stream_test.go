package repl

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"conclave/resp/command"
)

// TestStreamKeepsTheBacklog compares the stream with a model that forgets nothing.
func TestStreamKeepsTheBacklog(t *testing.T) {
	const limit = 200 << 10
	r := rand.New(rand.NewPCG(1, 2))
	s := stream{limit: limit}
	const begin = 1000
	s.begin(begin)
	var all []byte
	db := -1
	for range 3000 {
		args := [][]byte{[]byte("SET"), []byte("k"), []byte(strings.Repeat("v", r.IntN(900)))}
		switch r.IntN(3) {
		case 0:
			var u command.Unit
			for range r.IntN(3) {
				u.Add(r.IntN(2), args...)
			}
			s.feed(&u)
			all = u.Append(all, &db)
		case 1:
			n := r.IntN(2)
			s.call(n, args...)
			all = command.AppendCall(command.AppendSelect(all, &db, n), args...)
		default:
			raw := command.AppendCall(nil, args...)
			s.append(raw, db)
			all = append(all, raw...)
		}
	}
	end := s.offset()
	if end != begin+int64(len(all)) {
		t.Fatalf("offset %d after %d bytes", end, len(all))
	}
	for _, back := range []int64{0, 1, 1000, limit - 1, limit} {
		cur, ok := s.at(end - back)
		if !ok {
			t.Errorf("%d bytes before the end aren't there", back)
			continue
		}
		var got []byte
		for b := s.next(&cur, make(chan struct{}, 1)); b != nil; b = s.next(&cur, make(chan struct{}, 1)) {
			got = append(got, b...)
		}
		if !bytes.Equal(got, all[int64(len(all))-back:]) {
			t.Errorf("the last %d bytes are wrong", back)
		}
	}
	for _, offset := range []int64{-1, 0, begin, end - 3*limit, end + 1} {
		if _, ok := s.at(offset); ok {
			t.Errorf("offset %d is there", offset)
		}
	}
	if _, _, _, length := s.backlog(); length < limit || length > limit+2*blockSize {
		t.Errorf("the backlog has %d bytes, want about %d", length, limit)
	}
	s.stop()
	if _, ok := s.at(end); ok {
		t.Error("a stream that isn't kept has a place")
	}
}

// TestCursorsFollow has readers that wait get everything, beyond the backlog too.
func TestCursorsFollow(t *testing.T) {
	s := stream{limit: 1}
	s.begin(0)
	const calls = 5000
	word := []byte(strings.Repeat("x", 100))
	want := calls * len(command.AppendCall(nil, word))
	var readers sync.WaitGroup
	for range 3 {
		cur := s.tail()
		readers.Go(func() {
			wake := make(chan struct{}, 1)
			for n := 0; n < want; {
				if b := s.next(&cur, wake); b != nil {
					n += len(b)
					continue
				}
				<-wake
			}
		})
	}
	for range calls {
		s.call(-1, word)
	}
	readers.Wait()
}

func BenchmarkFeed(b *testing.B) {
	s := stream{limit: 1 << 20}
	s.begin(0)
	var u command.Unit
	u.Add(0, []byte("SET"), []byte("key:000000000001"), []byte("value"))
	for b.Loop() {
		s.feed(&u)
	}
}
