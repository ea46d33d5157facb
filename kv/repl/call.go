package repl

import (
	"bytes"
	"fmt"
)

// maxArgs bounds the arguments of a call.
const maxArgs = 1 << 20

// parseCall reads the call that b begins with and returns its length; 0 if it
// isn't complete. A line that isn't an array is a call of its words, perhaps none.
// The arguments lie in b.
func parseCall(b []byte, longest int) (args [][]byte, n int, err error) {
	line, n := cutLine(b)
	if n == 0 {
		if len(b) > 64<<10 {
			return nil, 0, fmt.Errorf("a line of more than %d bytes", len(b))
		}
		return nil, 0, nil
	}
	if len(line) == 0 || line[0] != '*' {
		return bytes.Fields(line), n, nil
	}
	count, ok := parseLength(line[1:], maxArgs)
	if !ok {
		return nil, 0, fmt.Errorf("number of arguments %.20q", line[1:])
	}
	// Each takes five bytes or more: what is made room for has been sent.
	args = make([][]byte, 0, min(count, len(b)/5+1))
	for range count {
		line, m := cutLine(b[n:])
		if m == 0 {
			return nil, 0, nil
		}
		if len(line) == 0 || line[0] != '$' {
			return nil, 0, fmt.Errorf("%.20q in place of an argument", line)
		}
		size, ok := parseLength(line[1:], longest)
		if !ok {
			return nil, 0, fmt.Errorf("length of an argument %.20q", line[1:])
		}
		n += m
		if len(b)-n < size+2 {
			return nil, 0, nil
		}
		args = append(args, b[n:n+size:n+size])
		n += size + 2
	}
	return args, n, nil
}

// cutLine is the line that b begins with, and its length with its end.
func cutLine(b []byte) (line []byte, n int) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, 0
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), i + 1
}

func parseLength(b []byte, most int) (n int, ok bool) {
	if len(b) == 0 || len(b) > 12 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= most
}
