package resp_test

import (
	"fmt"
	"reflect"
	"testing"

	"conclave/resp"
)

// However the input is cut, the requests and the error are the same.
func FuzzParser(f *testing.F) {
	for _, s := range []string{
		"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "PING\r\nset a \"b\\x41\"\r\n", "*1\r\n$9223372036854775807\r\n",
		"*9223372036854775807\r\n$1\r\na", "*-1\r\n*0\r\n*1\r\n$0\r\n\r\n", "*1\r\n$-2\r\n", "'a\\''b\n",
	} {
		f.Add([]byte(s), uint16(3), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, strict bool) {
		whole, wholeErr := parse(&resp.Parser{MaxBulk: 1 << 16, Strict: strict}, in, len(in)+1)
		p := &resp.Parser{MaxBulk: 1 << 16, Strict: strict}
		at := int(cut) % (len(in) + 1)
		first, err := parse(p, in[:at], len(in)+1)
		if err == nil {
			var rest [][]string
			rest, err = parse(p, in[at:], len(in)+1)
			first = append(first, rest...)
		}
		if !reflect.DeepEqual(whole, first) || fmt.Sprint(wholeErr) != fmt.Sprint(err) {
			t.Fatalf("whole: %q, %v; cut at %d: %q, %v", whole, wholeErr, at, first, err)
		}
		bytewise, err := parse(&resp.Parser{MaxBulk: 1 << 16, Strict: strict}, in, 1)
		if !reflect.DeepEqual(whole, bytewise) || fmt.Sprint(wholeErr) != fmt.Sprint(err) {
			t.Fatalf("whole: %q, %v; bytewise: %q, %v", whole, wholeErr, bytewise, err)
		}
		m := resp.NewShared(1 << 10)
		borrowed, err := parseShared(&resp.Parser{MaxBulk: 1 << 16, Strict: strict}, m, in, int(cut)%97+1)
		if !reflect.DeepEqual(whole, borrowed) || fmt.Sprint(wholeErr) != fmt.Sprint(err) {
			t.Fatalf("whole: %q, %v; in shared memory: %q, %v", whole, wholeErr, borrowed, err)
		}
		for _, cmd := range whole {
			if len(cmd) == 0 {
				t.Fatal("a request without arguments")
			}
		}
	})
}

// Words quoted as redis-cli quotes them come back as they were.
func FuzzInline(f *testing.F) {
	f.Add([]byte("a b"), []byte("\"\\\x00\n"))
	f.Add([]byte("'"), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		line := append(quote(nil, a), ' ')
		line = append(quote(line, b), '\r', '\n')
		got, err := parse(&resp.Parser{}, line, len(line))
		if len(line) > resp.MaxInline {
			return
		}
		want := [][]string{{string(a), string(b)}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q gave %q, %v", line, got, err)
		}
	})
}

func quote(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		default:
			dst = fmt.Appendf(dst, `\x%02x`, c)
		}
	}
	return append(dst, '"')
}
