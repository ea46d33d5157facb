package server_test

import (
	"strings"
	"testing"

	"conclave/resp/command"
	"conclave/resp/server"
)

// recorder keeps the text of what it is fed.
type recorder struct {
	text []byte
	db   int
	off  bool
}

func (r *recorder) Wanted() bool                     { return !r.off }
func (r *recorder) Feed(u *command.Unit)             { r.text = u.Append(r.text, &r.db) }
func (r *recorder) Hold() int64                      { return 0 }
func (r *recorder) Released(int64) bool              { return true }
func (r *recorder) Wait(int64, <-chan struct{}) bool { return true }
func (r *recorder) OnRelease(func())                 {}

// words are the commands in the text, their arguments without lengths.
func (r *recorder) words() string {
	var out []string
	for _, line := range strings.Split(string(r.text), "\r\n") {
		switch {
		case line == "" || line[0] == '$':
		case line[0] == '*':
			out = append(out, ";")
		default:
			out = append(out, line)
		}
	}
	return strings.TrimSpace(strings.Join(out, " "))
}

func TestEffects(t *testing.T) {
	t.Parallel()
	feed := &recorder{db: -1}
	f := start(t, func(c *server.Config) { c.Feed = feed })
	c := f.connect()
	for _, tt := range []struct{ in, want string }{
		{"set a 1", "; SELECT 0 ; set a 1"},
		{"get a", ""},
		{"ping", ""},
		{"incr a\nset b 2", "; incr a ; set b 2"},
		{"multi\nset a 1\nget a\nexec", "; set a 1"},
		{"multi\nset a 1\nset b 1\nexec", "; MULTI ; set a 1 ; set b 1 ; EXEC"},
		{"multi\nget a\nexec", ""},
		{"multi\nset a 1\ndiscard", ""},
		{"multi\nset a 1\ndetached\nset b 2\nexec", "; set a 1 ; set b 2"},
	} {
		feed.text = nil
		c.send(tt.in)
		if got := feed.words(); got != tt.want {
			t.Errorf("%q: fed %q, want %q", tt.in, got, tt.want)
		}
	}
	feed.off, feed.text = true, nil
	c.send("set a 3\nmulti\nset a 4\nset b 4\nexec")
	if len(feed.text) > 0 {
		t.Errorf("fed %q although nobody wants it", feed.text)
	}
}

func TestUnitSelects(t *testing.T) {
	t.Parallel()
	var u command.Unit
	b := func(words ...string) (out [][]byte) {
		for _, w := range words {
			out = append(out, []byte(w))
		}
		return out
	}
	r := &recorder{db: 3}
	u.Add(3, b("DEL", "a")...)
	r.Feed(&u)
	u.Reset()
	u.Add(1, b("DEL", "a")...)
	u.Add(2, b("DEL", "b")...)
	r.Feed(&u)
	u.Reset()
	r.Feed(&u)
	if want := "; DEL a ; SELECT 1 ; MULTI ; DEL a ; SELECT 2 ; DEL b ; EXEC"; r.words() != want || r.db != 2 {
		t.Errorf("got %q, database %d; want %q", r.words(), r.db, want)
	}
}
