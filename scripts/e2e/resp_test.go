package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// replyError is an error reply, without its dash.
type replyError string

func (e replyError) Error() string { return string(e) }

// conn is a RESP2 connection of one goroutine. After an error that is no
// replyError it is of no more use.
type conn struct {
	c net.Conn
	r *bufio.Reader
	w *bufio.Writer
	// patience bounds each call.
	patience time.Duration
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{c: c, r: bufio.NewReader(c), w: bufio.NewWriter(c), patience: 20 * time.Second}, nil
}

func (c *conn) close() { _ = c.c.Close() }

// do sends a command. Its reply is a string, an int64, nil or a []any; an error
// reply comes as the error, or stands inside the array.
func (c *conn) do(args ...string) (any, error) {
	c.send(args...)
	return c.receive()
}

func (c *conn) send(args ...string) {
	fmt.Fprintf(c.w, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(c.w, "$%d\r\n%s\r\n", len(a), a)
	}
}

func (c *conn) receive() (any, error) {
	if err := c.c.SetDeadline(time.Now().Add(c.patience)); err != nil {
		return nil, err
	}
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	reply, err := c.read()
	if err != nil {
		return nil, err
	}
	if e, ok := reply.(replyError); ok {
		return nil, e
	}
	return reply, nil
}

func (c *conn) read() (any, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("empty reply line")
	}
	rest := line[1:]
	switch line[0] {
	case '+':
		return rest, nil
	case '-':
		return replyError(rest), nil
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return nil, err
		}
		return string(b[:n]), nil
	case '*':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		elements := make([]any, n)
		for i := range elements {
			if elements[i], err = c.read(); err != nil {
				return nil, err
			}
		}
		return elements, nil
	}
	return nil, fmt.Errorf("unknown reply %q", line)
}
