package repl

import (
	"bytes"
	"testing"

	"conclave/resp/command"
)

func TestParseCall(t *testing.T) {
	whole := "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
	for n := range len(whole) {
		if _, used, err := parseCall([]byte(whole[:n]), 100); used != 0 || err != nil {
			t.Errorf("the first %d bytes: used %d, error %v", n, used, err)
		}
	}
	args, used, err := parseCall([]byte(whole+"*1"), 100)
	if err != nil || used != len(whole) || len(args) != 2 || string(args[0]) != "GET" || string(args[1]) != "k" {
		t.Errorf("got %q, %d, %v", args, used, err)
	}
	for _, bad := range []string{"*x\r\n", "*-1\r\n", "*2000000\r\n", "*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*1\r\n$101\r\n"} {
		if _, _, err := parseCall([]byte(bad), 100); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if args, used, err := parseCall([]byte("\nPING\r\n"), 100); err != nil || used != 1 || len(args) != 0 {
		t.Errorf("an empty line: %q, %d, %v", args, used, err)
	}
}

// FuzzParseCall: what was taken is written again as it was, if it was an array.
func FuzzParseCall(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"))
	f.Add([]byte("PING\r\n"))
	f.Add([]byte("*1\r\n$0\r\n\r\n*0\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		args, n, err := parseCall(b, 1<<10)
		if err != nil || n == 0 {
			return
		}
		if n > len(b) {
			t.Fatalf("%d of %d bytes taken", n, len(b))
		}
		text := command.AppendCall(nil, args...)
		again, m, err := parseCall(text, max(1<<10, len(b))) // words of a line may be longer
		if err != nil || m != len(text) || len(again) != len(args) {
			t.Fatalf("%q: %q, %d, %v", text, again, m, err)
		}
		for i := range args {
			if !bytes.Equal(args[i], again[i]) {
				t.Fatalf("argument %d: %q, want %q", i, again[i], args[i])
			}
		}
	})
}
