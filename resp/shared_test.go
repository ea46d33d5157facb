package resp_test

import (
	"reflect"
	"strings"
	"testing"

	"conclave/resp"
)

// parseShared feeds in to p in pieces, borrowing m for each, and reads
// requests as an event loop does: looking ahead, leaving some for later, and
// taking one back now and then.
func parseShared(p *resp.Parser, m *resp.Shared, in []byte, piece int) (got [][]string, err error) {
	take := func(most int) error {
		for range most {
			if n := p.Ahead(3); n > 0 && (p.PeekLen(n-1) < 1 || p.Peek(n-1, 0) == nil || p.Peek(n-1, p.PeekLen(n-1)) != nil) {
				panic("a request without arguments")
			}
			args, err := p.Next()
			if args == nil {
				return err
			}
			if len(got)%3 == 1 {
				p.Unread()
				if args, err = p.Next(); err != nil {
					return err
				}
			}
			words := make([]string, len(args))
			for i, a := range args {
				words[i] = string(a)
			}
			got = append(got, words)
		}
		return nil
	}
	for i := 0; len(in) > 0; i++ {
		p.Borrow(m)
		n := copy(p.Space()[:1:1], in)
		if piece > 1 {
			n = copy(p.Space(), in[:min(piece, len(in))])
		}
		p.Fed(n)
		in = in[n:]
		if i%4 != 3 {
			err = take(2)
		}
		p.GiveBack(m)
		if err != nil {
			return got, err
		}
	}
	for {
		before := len(got)
		if err := take(1); err != nil || len(got) == before {
			return got, err
		}
	}
}

func TestSharedMemory(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	for range 20 {
		in.WriteString("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$700\r\n" + strings.Repeat("v", 700) + "\r\nping\r\n*0\r\n")
		in.WriteString("*2\r\n$3\r\nGET\r\n$9000\r\n" + strings.Repeat("k", 9000) + "\r\n")
		in.WriteString("*80\r\n" + strings.Repeat("$1\r\na\r\n", 80))
	}
	want, err := parse(&resp.Parser{}, []byte(in.String()), in.Len())
	if err != nil || len(want) != 80 {
		t.Fatal(len(want), err)
	}
	m := resp.NewShared(4 << 10)
	for _, piece := range []int{1, 7, 300, 5000, 100000} {
		got, err := parseShared(&resp.Parser{}, m, []byte(in.String()), piece)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("pieces of %d: %d requests, %v", piece, len(got), err)
		}
	}
}

// A parser that has given everything back is small, and doesn't keep the
// shared memory from the next one.
func TestSharedMemoryIsGivenBack(t *testing.T) {
	m := resp.NewShared(4 << 10)
	a, b := &resp.Parser{}, &resp.Parser{}
	for range 3 {
		a.Borrow(m)
		a.Feed([]byte("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI"))
		a.Next()
		a.GiveBack(m)
		b.Borrow(m)
		if cap(b.Space()) < 4<<10 {
			t.Fatal("the shared memory isn't free")
		}
		b.Feed([]byte("garbage garbage garbage garbage garbage\r\n"))
		b.Next()
		b.GiveBack(m)
		if b.Cap() != 0 || b.Buffered() != 0 {
			t.Errorf("an idle parser keeps %d bytes", b.Cap())
		}
		a.Borrow(m)
		a.Feed([]byte("NG\r\n"))
		if args, err := a.Next(); err != nil || len(args) != 1 || string(args[0]) != "PING" {
			t.Fatalf("%q, %v", args, err)
		}
		a.GiveBack(m)
	}
	if n := testing.AllocsPerRun(100, func() {
		a.Borrow(m)
		a.Feed([]byte("*1\r\n$4\r\nPING\r\n"))
		a.Next()
		a.GiveBack(m)
	}); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}
