package differential

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// reply is one reply of any protocol version.
type reply struct {
	kind  byte // as on the wire
	text  string
	null  bool
	elems []reply
}

func (r reply) String() string {
	switch {
	case r.null:
		return string(r.kind) + "null"
	case r.elems != nil:
		parts := make([]string, len(r.elems))
		for i, e := range r.elems {
			parts[i] = e.String()
		}
		return string(r.kind) + "[" + strings.Join(parts, " ") + "]"
	case r.kind == '$':
		return strconv.QuoteToASCII(r.text)
	}
	return string(r.kind) + r.text
}

// server is a process with one connection to it.
type server struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

// patience bounds the time in which a server must take or answer a batch.
const patience = 30 * time.Second

func startServer(t *testing.T, path string, options ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	args := append(options, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(),
		"--enable-debug-command", "yes", "--proto-max-bulk-len", "1mb")
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return &server{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// send sends a batch; receive takes its replies.
func (s *server) send(batch [][]string) error {
	s.out = s.out[:0]
	for _, args := range batch {
		s.out = fmt.Appendf(s.out, "*%d\r\n", len(args))
		for _, a := range args {
			s.out = fmt.Appendf(s.out, "$%d\r\n%s\r\n", len(a), a)
		}
	}
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.out)
	return err
}

func (s *server) receive(n int) ([]reply, error) {
	replies := make([]reply, n)
	for i := range replies {
		var err error
		if replies[i], err = s.read(); err != nil {
			return replies[:i], err
		}
	}
	return replies, nil
}

func (s *server) read() (reply, error) {
	line, err := s.in.ReadString('\n')
	if err != nil {
		return reply{}, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	r := reply{kind: line[0], text: line[1:]}
	if strings.IndexByte("$*~>%=", r.kind) < 0 {
		r.null = r.kind == '_'
		return r, nil
	}
	n, err := strconv.Atoi(r.text)
	if err != nil {
		return reply{}, fmt.Errorf("reply %q", line)
	}
	r.text = ""
	switch {
	case n < 0:
		r.null = true
	case r.kind == '$' || r.kind == '=':
		b := make([]byte, n+2)
		if _, err := io.ReadFull(s.in, b); err != nil {
			return reply{}, err
		}
		r.text = string(b[:n])
	default:
		if r.kind == '%' {
			n *= 2
		}
		r.elems = make([]reply, n)
		for i := range r.elems {
			if r.elems[i], err = s.read(); err != nil {
				return reply{}, err
			}
		}
	}
	return r, nil
}
