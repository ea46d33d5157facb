package resp_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"conclave/resp"
)

// parse feeds in, cut into pieces of the given size, and returns the requests
// and the error that ended it.
func parse(p *resp.Parser, in []byte, piece int) (got [][]string, err error) {
	for len(in) > 0 {
		n := min(piece, len(in))
		p.Feed(in[:n])
		in = in[n:]
		for {
			args, err := p.Next()
			if err != nil {
				return got, err
			}
			if args == nil {
				break
			}
			cmd := make([]string, len(args))
			for i, a := range args {
				cmd[i] = string(a)
			}
			got = append(got, cmd)
		}
	}
	return got, nil
}

func TestParser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		strict   bool
		want     [][]string
		err      string
	}{
		{name: "array", in: "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", want: [][]string{{"GET", "a"}}},
		{name: "pipeline", in: "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPONG\r\n", want: [][]string{{"PING"}, {"PONG"}}},
		{name: "empty argument", in: "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", want: [][]string{{"GET", ""}}},
		{name: "binary", in: "*1\r\n$4\r\n\r\n\x00*\r\n", want: [][]string{{"\r\n\x00*"}}},
		{name: "no and null arrays are ignored", in: "*0\r\n*-1\r\n*-5\r\nPING\r\n", want: [][]string{{"PING"}}},
		{name: "a bulk's terminator isn't looked at", in: "*1\r\n$4\r\nPINGxxPING\r\n", want: [][]string{{"PING"}, {"PING"}}},
		{name: "inline", in: "SET  a\tb \r\nPING\n", want: [][]string{{"SET", "a", "b"}, {"PING"}}},
		{name: "empty lines", in: "\r\n  \r\n\nPING\r\n", want: [][]string{{"PING"}}},
		{name: "double quotes", in: `a "b c" "\x41\n\t\"\q\x4" d"e f"` + "\r\n", want: [][]string{{"a", "b c", "A\n\t\"qx4", "de f"}}},
		{name: "single quotes", in: `a 'b\'c' '\n\x41' ''` + "\r\n", want: [][]string{{"a", "b'c", `\n\x41`, ""}}},
		{name: "unclosed quote", in: "set a 'b\r\n", err: "unbalanced quotes in request"},
		{name: "text after quote", in: "set \"a\"b\r\n", err: "unbalanced quotes in request"},
		{name: "count not a number", in: "*1a\r\n", err: "invalid multibulk length"},
		{name: "count empty", in: "*\r\n", err: "invalid multibulk length"},
		{name: "count with zero in front", in: "*01\r\n", err: "invalid multibulk length"},
		{name: "count with plus", in: "*+1\r\n", err: "invalid multibulk length"},
		{name: "count too large", in: "*1048577\r\n", err: "invalid multibulk length"},
		{name: "count overflows", in: "*9223372036854775808\r\n$1\r\na", err: "invalid multibulk length"},
		{name: "no carriage return", in: "*1\n$4\r\nPING\r\n", err: "invalid multibulk length"},
		{name: "not a bulk", in: "*1\r\n+a\r\n", err: "expected '$', got '+'"},
		{name: "bulk negative", in: "*1\r\n$-1\r\n", err: "invalid bulk length"},
		{name: "bulk overflows", in: "*1\r\n$9223372036854775807\r\n", err: "invalid bulk length"},
		{name: "bulk over the limit", in: "*1\r\n$1025\r\n", err: "invalid bulk length"},
		{name: "bulk at the limit waits", in: "*1\r\n$1024\r\nabc"},
		{name: "bulk without a length", in: "*1\r\n$\r\n", err: "invalid bulk length"},
		{name: "inline too long", in: strings.Repeat("x", 70000), err: "too big inline request"},
		{name: "inline too long, complete", in: strings.Repeat("x", 70000) + "\r\n", err: "too big inline request"},
		{name: "count too long", in: "*" + strings.Repeat("1", 70000), err: "too big mbulk count string"},
		{name: "length too long", in: "*1\r\n$" + strings.Repeat("1", 70000), err: "too big bulk count string"},
		{name: "strict allows ten", in: "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10), strict: true, want: [][]string{strings.Split("aaaaaaaaaa", "")}},
		{name: "strict count", in: "*11\r\n", strict: true, err: "unauthenticated multibulk length"},
		{name: "good before bad", in: "PING\r\n*1\r\n$-1\r\n", want: [][]string{{"PING"}}, err: "invalid bulk length"},
	} {
		for _, piece := range []int{1, 2, 3, 7, 1 << 20} {
			if piece < 3 && len(tt.in) > 1000 {
				continue
			}
			p := &resp.Parser{MaxBulk: 1024, Strict: tt.strict}
			got, err := parse(p, []byte(tt.in), piece)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s in pieces of %d: got %q, want %q", tt.name, piece, got, tt.want)
			}
			want := "<nil>"
			if tt.err != "" {
				want = "Protocol error: " + tt.err
			}
			if fmt.Sprint(err) != want {
				t.Errorf("%s in pieces of %d: error %v, want %s", tt.name, piece, err, want)
			}
		}
	}
}

func TestParserStrictBulk(t *testing.T) {
	t.Parallel()
	p := &resp.Parser{Strict: true}
	if _, err := parse(p, []byte("*1\r\n$16385\r\n"), 100); fmt.Sprint(err) != "Protocol error: unauthenticated bulk length" {
		t.Errorf("got %v", err)
	}
}

// A length that is only announced reserves nothing.
func TestParserAnnouncedLengths(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"*1\r\n$536870912\r\nabc", "*1048576\r\n$1\r\na\r\n"} {
		p := &resp.Parser{}
		if _, err := parse(p, []byte(in), 1000); err != nil {
			t.Fatal(err)
		}
		if p.Cap() > 4096 {
			t.Errorf("%.20q: buffer of %d bytes", in, p.Cap())
		}
	}
}

func TestParserQueryLimit(t *testing.T) {
	t.Parallel()
	p := &resp.Parser{MaxQuery: 10000}
	in := "*2\r\n$20000\r\n" + strings.Repeat("x", 20000)
	if _, err := parse(p, []byte(in), 1000); !errors.Is(err, resp.ErrQueryLimit) {
		t.Errorf("got %v", err)
	}
}

func TestParserGivesLargeBufferBack(t *testing.T) {
	t.Parallel()
	p := &resp.Parser{}
	in := "*1\r\n$3000000\r\n" + strings.Repeat("x", 3000000) + "\r\n"
	if got, err := parse(p, []byte(in), 16<<10); len(got) != 1 || err != nil {
		t.Fatal(len(got), err)
	}
	p.Space()
	if p.Cap() > 128<<10 {
		t.Errorf("an idle connection keeps %d bytes", p.Cap())
	}
}

// A request in many small pieces costs time in proportion to its length: this
// would take minutes if every piece meant parsing from the start.
func TestParserManyPieces(t *testing.T) {
	t.Parallel()
	const n = 300000
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", n)
	for range n {
		b.WriteString("$1\r\na\r\n")
	}
	p := &resp.Parser{}
	got, err := parse(p, b.Bytes(), 64)
	if err != nil || len(got) != 1 || len(got[0]) != n {
		t.Fatal(len(got), err)
	}
}

func TestParserDoesNotAllocate(t *testing.T) {
	in := []byte(strings.Repeat("*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$5\r\nvalue\r\n", 16))
	p := &resp.Parser{}
	run := func() {
		p.Feed(in)
		for {
			if args, err := p.Next(); args == nil || err != nil {
				return
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
}

func BenchmarkParser(b *testing.B) {
	in := []byte(strings.Repeat("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$16\r\nxxxxxxxxxxxxxxxx\r\n", 16))
	p := &resp.Parser{}
	b.ReportAllocs()
	for b.Loop() {
		p.Feed(in)
		for {
			if args, _ := p.Next(); args == nil {
				break
			}
		}
	}
}
