package commands_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/resp"
	"conclave/resp/command"
)

// session is a client without a connection.
type session struct {
	db      int
	noTouch bool
	perms   command.Permissions
}

func (s *session) Permissions() command.Permissions { return s.perms }

func (s *session) ID() uint64       { return 1 }
func (s *session) DB() int          { return s.db }
func (s *session) SetDB(n int)      { s.db = n }
func (s *session) NoTouch() bool    { return s.noTouch }
func (s *session) ReadOnly() bool   { return false }
func (s *session) SetReadOnly(bool) {}
func (s *session) SetAsking()       {}
func (s *session) Host() string     { return "127.0.0.1" }
func (s *session) TLS() bool        { return false }

// local runs commands in this process, locked as the server would.
type local struct {
	t       testing.TB
	store   *kv.Store
	table   *command.Table
	session session
	w       resp.Writer
	ctx     *command.Ctx
	now     int64 // 0: the clock
	inExec  bool
}

const testNow = 1_700_000_000_000

func newLocal(t testing.TB, d commands.Deps) *local {
	t.Helper()
	if d.Store == nil {
		d.Store = kv.New(kv.Config{})
	}
	table, err := command.Build(append(commands.Specs(d), command.Specs())...)
	if err != nil {
		t.Fatal(err)
	}
	l := &local{t: t, store: d.Store, table: table, now: testNow}
	l.ctx = command.NewCtx(table, &l.session, &l.w)
	return l
}

// do runs one command and returns its reply as redis-cli would print it.
func (l *local) do(args ...string) string {
	l.t.Helper()
	in := make([][]byte, len(args))
	for i, a := range args {
		in[i] = []byte(a)
	}
	l.w.Reset(nil)
	l.run(in)
	r := bufio.NewReader(bytes.NewReader(l.w.Bytes()))
	text := readReply(l.t, r)
	if n, _ := io.Copy(io.Discard, r); n != 0 {
		l.t.Fatalf("%q: %d bytes behind the reply: %q", args, n, l.w.Bytes())
	}
	return text
}

func (l *local) run(args [][]byte) {
	switch strings.ToLower(string(args[0])) {
	case "select":
		l.session.db, _ = strconv.Atoi(string(args[1]))
		l.w.OK()
		return
	case "hello":
		v, _ := strconv.Atoi(string(args[1]))
		l.w.SetProto(v)
		l.w.OK()
		return
	}
	spec := l.table.Resolve(args)
	switch {
	case spec == nil || spec.Run == nil:
		l.w.Error("ERR unknown command")
		return
	case !spec.ArityOK(len(args)):
		l.w.Error("ERR wrong number of arguments for '" + spec.FullName() + "' command")
		return
	}
	var mask uint64
	keys, err := spec.AppendKeys(nil, args)
	if err == nil {
		for _, i := range keys {
			mask |= command.PartitionOf(command.SlotOf(args[i]))
		}
	}
	if spec.Is(command.WholeStore) && (l.inExec || !spec.Is(command.Detached)) {
		mask = command.AllPartitions
	}
	l.store.Lock(mask)
	defer l.store.Unlock(mask)
	l.ctx.Spec, l.ctx.Args, l.ctx.NowMs, l.ctx.InExec = spec, args, l.now, l.inExec
	spec.Run(l.ctx)
	if l.ctx.TakeWait() != nil { // nobody else is there to end it
		l.w.NullArray()
	}
}

// expect runs a command, given as words, and compares its reply.
func (l *local) expect(line, want string) {
	l.t.Helper()
	if got := l.do(words(l.t, line)...); got != want {
		l.t.Errorf("%s\n got: %s\nwant: %s", line, got, want)
	}
}

// readReply reads one reply of any protocol version as text.
func readReply(t testing.TB, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read reply: %v (%q)", err, line)
	}
	line = strings.TrimSuffix(line, "\r\n")
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest
	case '-':
		return "(error) " + rest
	case ':':
		return "(integer) " + rest
	case '_':
		return "(nil)"
	case ',':
		return "(double) " + rest
	case '#':
		return "(bool) " + rest
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		t.Fatalf("reply %q: %v", line, err)
	}
	if n < 0 {
		return "(nil)"
	}
	switch kind {
	case '$', '=':
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatal(err)
		}
		return strconv.Quote(string(b[:n]))
	case '*', '~':
		return readAggregate(t, r, "[", "]", n)
	case '%':
		return readAggregate(t, r, "{", "}", 2*n)
	}
	t.Fatalf("reply %q", line)
	return ""
}

func readAggregate(t testing.TB, r *bufio.Reader, open, end string, n int) string {
	t.Helper()
	items := make([]string, n)
	for i := range items {
		items[i] = readReply(t, r)
	}
	return open + strings.Join(items, " ") + end
}

// words splits a line; a word in double quotes is a Go string.
func words(t testing.TB, line string) []string {
	t.Helper()
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			w, _ := strconv.Unquote(q)
			out, line = append(out, w), line[len(q):]
			continue
		}
		w, rest, _ := strings.Cut(line, " ")
		out, line = append(out, w), rest
	}
	return out
}

func quoted(args []string) string {
	var b strings.Builder
	for _, a := range args {
		fmt.Fprintf(&b, "%q ", a)
	}
	return b.String()
}
