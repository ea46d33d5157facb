package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Transcripts in testdata: a line "a> GET k; GET l" has client a send commands in
// one piece, the lines behind it are what each client gets then, until the next
// command. "$b" in a command is the id of client b. After "!" stands what
// redis-server 7.0 sends instead of the lines that follow, up to an empty one.
// "a| BLPOP k 0" is a command that blocks; what ends that wait shows the reply.

// talker is one client of a transcript.
type talker struct {
	t    *testing.T
	name string
	conn net.Conn
	in   *bufio.Reader
	id   string
	// blocked: it was when last looked at.
	blocked bool
}

func talkTo(t *testing.T, addr, name string) *talker {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	c := &talker{t: t, name: name, conn: conn, in: bufio.NewReader(conn)}
	c.send("CLIENT SETNAME end")
	c.reply()
	c.send("CLIENT ID")
	c.id = strings.TrimPrefix(c.reply(), ":")
	return c
}

func (c *talker) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
}

func (c *talker) reply() string {
	c.t.Helper()
	s, err := readText(c.in)
	if err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	return s
}

// looksBlocked reports whether the server says that another client is blocked.
func (c *talker) looksBlocked(other *talker) bool {
	c.t.Helper()
	c.send("CLIENT LIST ID " + other.id)
	_, flags, _ := strings.Cut(c.reply(), " flags=")
	flags, _, _ = strings.Cut(flags, " ")
	return strings.Contains(flags, "b")
}

// rest is what comes before the reply to a command that is sent now.
func (c *talker) rest() (got []string) {
	c.t.Helper()
	c.send("CLIENT GETNAME")
	for {
		s := c.reply()
		if s == "end" || strings.HasPrefix(s, "-ERR Can't execute 'client|getname'") {
			return got
		}
		got = append(got, c.name+" "+s)
	}
}

func readText(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	n, err := strconv.Atoi(line[1:])
	kind := line[0]
	switch {
	case strings.IndexByte("$*~>%", kind) < 0 || err != nil:
		return line, nil
	case n < 0:
		return line, nil
	case kind == '$':
		b := make([]byte, n+2)
		_, err := io.ReadFull(in, b)
		return string(b[:n]), err
	case kind == '%':
		n *= 2
	}
	parts := make([]string, n)
	for i := range parts {
		if parts[i], err = readText(in); err != nil {
			return "", err
		}
	}
	open := string(kind)
	if kind == '*' {
		open = ""
	}
	return open + "[" + strings.Join(parts, " ") + "]", nil
}

// step is one command of a transcript with what follows it.
type step struct {
	line         string
	want, theirs []string
}

func readTranscript(t *testing.T, name string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var other bool
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch last := len(steps) - 1; {
		case strings.HasPrefix(line, "#"):
		case line == "":
			other = false
		case line == "!":
			other = true
			steps[last].theirs = []string{}
		case len(line) > 2 && (line[1] == '>' || line[1] == '|') && line[2] == ' ':
			steps, other = append(steps, step{line: line}), false
		case other:
			steps[last].theirs = append(steps[last].theirs, line)
		default:
			steps[last].want = append(steps[last].want, line)
		}
	}
	return steps
}

// play runs a transcript and returns what followed each step.
func play(t *testing.T, addr string, steps []step) (heard [][]string) {
	t.Helper()
	clients := map[string]*talker{}
	for _, name := range []string{"a", "b", "c"} {
		clients[name] = talkTo(t, addr, name)
	}
	witness := talkTo(t, addr, "witness")
	for _, s := range steps {
		who := clients[s.line[:1]]
		line := s.line[3:]
		for name, c := range clients {
			line = strings.ReplaceAll(line, "$"+name, c.id)
		}
		who.send(strings.ReplaceAll(line, "; ", "\r\n"))
		if who.blocked = s.line[1] == '|'; who.blocked {
			eventually(t, s.line+" blocks", func() bool { return witness.looksBlocked(who) })
		}
		all := []*talker{who}
		for _, name := range []string{"a", "b", "c"} {
			if name != who.name {
				all = append(all, clients[name])
			}
		}
		var got []string
		for _, c := range all {
			if c.blocked = c.blocked && witness.looksBlocked(c); !c.blocked {
				got = append(got, c.rest()...)
			}
		}
		for i := range got {
			for name, c := range clients {
				if got[i] == who.name+" :"+c.id && strings.HasSuffix(line, "GETREDIR") {
					got[i] = who.name + " $" + name
				}
			}
			if strings.Contains(got[i], "[server redis version ") {
				got[i] = who.name + " (hello)"
			}
		}
		heard = append(heard, got)
	}
	return heard
}

// compare compares what followed each step with the transcript.
func compare(t *testing.T, steps []step, heard [][]string, theirs bool) {
	t.Helper()
	for i, s := range steps {
		want := s.want
		if theirs && s.theirs != nil {
			want = s.theirs
		}
		if !slices.Equal(heard[i], want) {
			t.Errorf("%s\n got %q\nwant %q", s.line, heard[i], want)
		}
	}
}

func startServer(t *testing.T, cmd *exec.Cmd, port string) string {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "server ready", func() bool { return answers(port) })
	return "127.0.0.1:" + port
}

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	redis, _ := exec.LookPath("redis-server")
	for _, file := range files {
		name := filepath.Base(file)
		steps := readTranscript(t, name)
		for _, threads := range []string{"1", "3"} {
			t.Run(fmt.Sprintf("%s/%s", name, threads), func(t *testing.T) {
				t.Parallel()
				port := freePort(t)
				cmd := process(t, "--port", port, "--bind", "127.0.0.1", "--io-threads", threads)
				compare(t, steps, play(t, startServer(t, cmd, port), steps), false)
			})
		}
		if redis == "" {
			t.Logf("left out, because redis-server is not installed: the comparison of %s with it", name)
			continue
		}
		t.Run(name+"/redis", func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			cmd := exec.Command(redis, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
			compare(t, steps, play(t, startServer(t, cmd, port), steps), true)
		})
	}
}
