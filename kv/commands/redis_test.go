package commands_test

import (
	"bufio"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// redis is a connection to a real redis-server.
type redis struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	buf  []byte
}

// startRedis starts a redis-server that ends with the test; nil if none is
// installed, and then says what is left out.
func startRedis(t testing.TB, without string, options ...string) *redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Logf("left out, because redis-server is not installed: %s", without)
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	args := append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(),
		"--enable-debug-command", "yes"}, options...)
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return &redis{t: t, conn: conn, r: bufio.NewReader(conn)}
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (c *redis) do(args ...string) string {
	c.t.Helper()
	c.buf = c.buf[:0]
	c.buf = append(c.buf, '*')
	c.buf = strconv.AppendInt(c.buf, int64(len(args)), 10)
	c.buf = append(c.buf, "\r\n"...)
	for _, a := range args {
		c.buf = append(c.buf, '$')
		c.buf = strconv.AppendInt(c.buf, int64(len(a)), 10)
		c.buf = append(c.buf, "\r\n"...)
		c.buf = append(c.buf, a...)
		c.buf = append(c.buf, "\r\n"...)
	}
	if err := c.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(c.buf); err != nil {
		c.t.Fatal(err)
	}
	reply := readReply(c.t, c.r)
	if args[0] == "HELLO" && reply[0] != '(' {
		return "OK" // as the stand-in in this process says
	}
	return reply
}

// ready waits until the server takes keys; one in cluster mode is given all
// slots.
func (c *redis) ready(cluster bool) {
	c.t.Helper()
	if !cluster {
		return
	}
	c.do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	for deadline := time.Now().Add(20 * time.Second); c.do("EXISTS", "a") != "(integer) 0"; {
		if time.Now().After(deadline) {
			c.t.Fatal("the cluster doesn't get ready")
		}
		<-time.After(20 * time.Millisecond)
	}
}
