package main

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"
)

// node answers each connection's requests with the given replies, in order, and
// reports what it was asked.
func node(t *testing.T, replies ...string) (address string, asked <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	requests := make(chan string, len(replies))
	go func() { // ends when the listener or the connection is closed
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for _, reply := range replies {
			request := ""
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			n := int(line[1] - '0')
			for range n {
				_, _ = r.ReadString('\n')
				word, _ := r.ReadString('\n')
				request += strings.TrimSpace(word) + " "
			}
			requests <- strings.TrimSpace(request)
			_, _ = conn.Write([]byte(reply))
		}
	}()
	return l.Addr().String(), requests
}

func TestCall(t *testing.T) {
	for _, x := range []struct {
		name    string
		args    []string
		replies []string
		asked   []string
		status  int
		out     string
	}{
		{"simple", []string{"PING"}, []string{"+PONG\r\n"}, []string{"PING"}, 0, "PONG\n"},
		{"nested", []string{"CLUSTER", "SLOTS"}, []string{"*2\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n"}, []string{"CLUSTER SLOTS"}, 0, "1\na\n\n"},
		{"error", []string{"GET"}, []string{"-ERR no\r\n"}, []string{"GET"}, 1, "ERR no\n"},
		{"error inside", []string{"EXEC"}, []string{"*2\r\n+OK\r\n-ERR no\r\n"}, []string{"EXEC"}, 1, "OK\nERR no\n"},
		{"password", []string{"PING"}, []string{"+OK\r\n", "+PONG\r\n"}, []string{"AUTH secret", "PING"}, 0, "PONG\n"},
		{"wrong password", []string{"PING"}, []string{"-WRONGPASS x\r\n"}, []string{"AUTH secret"}, 1, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			address, asked := node(t, x.replies...)
			args := []string{"call"}
			if strings.Contains(x.name, "password") {
				args = append(args, "-a", "secret")
			}
			var out, errOut bytes.Buffer
			status := dispatch(append(append(args, address), x.args...), &out, &errOut)
			if status != x.status || out.String() != x.out {
				t.Errorf("status %d, out %q, err %q", status, out.String(), errOut.String())
			}
			for _, want := range x.asked {
				if got := <-asked; got != want {
					t.Errorf("asked %q, want %q", got, want)
				}
			}
		})
	}
}

func TestDispatch(t *testing.T) {
	for _, x := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "Usage: conclave-admin SUBCOMMAND"},
		{[]string{"--help"}, 0, "send one command to a node"},
		{[]string{"nosuch"}, 2, `no subcommand "nosuch"`},
		{[]string{"call"}, 2, "Usage: conclave-admin call"},
		{[]string{"call", "127.0.0.1:1", "PING"}, 1, "connection refused"},
		{[]string{"--version"}, 0, "conclave-admin "},
		{[]string{"config"}, 0, "| `port` |"},
		{[]string{"config", "x"}, 2, "Usage: conclave-admin config"},
	} {
		var out bytes.Buffer
		if status := dispatch(x.args, &out, &out); status != x.status || !strings.Contains(out.String(), x.want) {
			t.Errorf("%v: status %d, %q", x.args, status, out.String())
		}
	}
}
