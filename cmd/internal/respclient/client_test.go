package respclient

import (
	"bufio"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	for _, x := range []struct {
		in   string
		want Reply
	}{
		{"+OK\r\n", Reply{Kind: Simple, Text: "OK"}},
		{"-ERR no\r\n", Reply{Kind: Error, Text: "ERR no"}},
		{":-7\r\n", Reply{Kind: Integer, Int: -7}},
		{"$3\r\na\r\n\r\n", Reply{Kind: Bulk, Text: "a\r\n"}},
		{"$-1\r\n", Reply{Kind: Bulk, Null: true}},
		{"*-1\r\n", Reply{Kind: Array, Null: true}},
		{"*2\r\n:1\r\n*1\r\n$0\r\n\r\n", Reply{Kind: Array, Elements: []Reply{
			{Kind: Integer, Int: 1}, {Kind: Array, Elements: []Reply{{Kind: Bulk}}}}}},
	} {
		for _, r := range []io.Reader{strings.NewReader(x.in), iotest.OneByteReader(strings.NewReader(x.in))} {
			if got, err := Read(bufio.NewReader(r)); err != nil || !reflect.DeepEqual(got, x.want) {
				t.Errorf("%q: %+v, %v", x.in, got, err)
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	for _, x := range []struct{ in, want string }{
		{"", "EOF"},
		{"+OK", "unexpected EOF"},
		{"+OK\n", "not ended by CRLF"},
		{"\r\n", "empty line"},
		{"?\r\n", "unknown type"},
		{"+" + strings.Repeat("a", 2*maxLine), "too long"},
		{":x\r\n", "invalid syntax"},
		{"$-2\r\n", "invalid length"},
		{"$536870913\r\n", "invalid length"},
		{"$536870912\r\nabc", "unexpected EOF"},
		{"$3\r\nabcde", "not ended by CRLF"},
		{"*16777217\r\n", "invalid length"},
		{"*16777216\r\n:1\r\n", "unexpected EOF"},
		{strings.Repeat("*1\r\n", MaxDepth+2), "nested too deeply"},
	} {
		if _, err := Read(bufio.NewReader(strings.NewReader(x.in))); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%.20q: %v", x.in, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("*2\r\n:1\r\n*1\r\n$0\r\n\r\n+x\r\n")
	f.Add("$-1\r\n-ERR\r\n$536870912\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r := bufio.NewReader(strings.NewReader(in))
		for {
			reply, err := Read(r)
			if err != nil {
				return
			}
			_ = reply.Raw()
		}
	})
}
