package e2e

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"conclave/fsm/slot"
)

// subscriber is a connection whose lines are read one by one.
type subscriber struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (n *node) subscriber(command string) *subscriber {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.addr())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { conn.Close() })
	s := &subscriber{n.t, conn, bufio.NewReader(conn)}
	fmt.Fprintf(conn, "%s\r\n", command)
	word, name, _ := strings.Cut(command, " ")
	s.expect(strings.ToLower(word), name, ":1")
	return s
}

// next is one message, its parts joined by spaces.
func (s *subscriber) next() (string, error) {
	s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	var parts []string
	for left := 1; left > 0; left-- {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimSpace(line)
		switch line[0] {
		case '*':
			fmt.Sscan(line[1:], &left)
			left++
		case '$':
			text, err := s.in.ReadString('\n')
			if err != nil {
				return "", err
			}
			parts = append(parts, strings.TrimSpace(text))
		default:
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, " "), nil
}

func (s *subscriber) expect(parts ...string) {
	s.t.Helper()
	want := strings.Join(parts, " ")
	if got, err := s.next(); err != nil || got != want {
		s.t.Errorf("got %q, want %q (%v)", got, want, err)
	}
}

func TestMessagesCrossTheCluster(t *testing.T) {
	c := startCluster(t, 3)
	a, b := c.nodes[0].subscriber("SUBSCRIBE news"), c.nodes[1].subscriber("PSUBSCRIBE n*")
	for i := range 100 {
		if n := c.nodes[2].int("PUBLISH", "news", fmt.Sprint(i)); n != 0 {
			t.Errorf("%d subscribers on a node without any", n)
		}
	}
	for i := range 100 {
		a.expect("message", "news", fmt.Sprint(i))
		b.expect("pmessage", "n*", "news", fmt.Sprint(i))
	}

	// A node that is away holds nobody up, and gets messages again later.
	c.nodes[1].kill()
	for i := range 100 {
		c.nodes[2].int("PUBLISH", "news", fmt.Sprint(i))
		a.expect("message", "news", fmt.Sprint(i))
	}
	c.nodes[1].start()
	c.awaitOK()
	b = c.nodes[1].subscriber("SUBSCRIBE more")
	heard := make(chan string, 1)
	go func() {
		got, _ := b.next()
		heard <- got
	}()
	eventually(t, "messages reach a node that is back", func() error {
		c.nodes[2].int("PUBLISH", "more", "again")
		select {
		case got := <-heard:
			if got != "message more again" {
				t.Errorf("got %q", got)
			}
			return nil
		default:
			return fmt.Errorf("nothing yet")
		}
	})
}

func TestShardChannelsMove(t *testing.T) {
	c := startCluster(t, 2)
	channel := []byte("news")
	s := slot.Of(channel)
	from := c.owner(s)
	to := c.other(from)
	sub := from.subscriber("SSUBSCRIBE news")
	if n := from.int("SPUBLISH", "news", "1"); n != 1 {
		t.Errorf("%d subscribers, want 1", n)
	}
	sub.expect("smessage", "news", "1")
	if _, err := to.try("SPUBLISH", "news", "2"); err == nil || !strings.HasPrefix(err.Error(), "MOVED ") {
		t.Errorf("on a node without the slot: %v", err)
	}
	for _, n := range []*node{to, from} {
		n.do("CLUSTER", "SETSLOT", fmt.Sprint(s), "NODE", to.id())
	}
	sub.expect("sunsubscribe", "news", ":0")
	again := to.subscriber("SSUBSCRIBE news")
	to.int("SPUBLISH", "news", "3")
	again.expect("smessage", "news", "3")
}
