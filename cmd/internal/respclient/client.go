package respclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Bounds on a reply.
const (
	MaxBulk     = 512 << 20
	MaxElements = 16 << 20
	MaxDepth    = 32
	maxLine     = 64 << 10
)

// Kind is the type of a reply.
type Kind byte

// The kinds of RESP2.
const (
	Simple  Kind = '+'
	Error   Kind = '-'
	Integer Kind = ':'
	Bulk    Kind = '$'
	Array   Kind = '*'
)

// Reply is one reply. An Error is a reply, not a Go error: it may stand inside
// an array.
type Reply struct {
	Kind     Kind
	Null     bool // of a Bulk or an Array
	Text     string
	Int      int64
	Elements []Reply
}

// Err is the reply as an error, or nil if it is none.
func (r Reply) Err() error {
	if r.Kind == Error {
		return errors.New(r.Text)
	}
	return nil
}

// Client is a connection. It is used by one goroutine.
type Client struct {
	conn    net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	timeout time.Duration
}

// Dial connects to address (host:port, or the path of a Unix socket if it
// contains a slash). Each call then takes at most timeout; 0 waits for ever.
func Dial(ctx context.Context, address string, timeout time.Duration) (*Client, error) {
	network := "tcp"
	if bytes.ContainsRune([]byte(address), '/') {
		network = "unix"
	}
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriter(conn), timeout: timeout}, nil
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Do sends one command and reads its reply. After an error the connection is of
// no more use.
func (c *Client) Do(args ...string) (Reply, error) {
	if err := c.Send(args...); err != nil {
		return Reply{}, err
	}
	if err := c.w.Flush(); err != nil {
		return Reply{}, err
	}
	return c.Receive()
}

// Send appends a command to the pipeline; Receive sends what is waiting.
func (c *Client) Send(args ...string) error {
	if c.timeout > 0 {
		if err := c.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.w, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(c.w, "$%d\r\n", len(a))
		c.w.WriteString(a)
		c.w.WriteString("\r\n")
	}
	// A bufio.Writer keeps its first error; Flush returns it.
	if c.w.Available() == 0 {
		return c.w.Flush()
	}
	return nil
}

// Receive reads the next reply.
func (c *Client) Receive() (Reply, error) {
	if c.w.Buffered() > 0 {
		if err := c.w.Flush(); err != nil {
			return Reply{}, err
		}
	}
	return Read(c.r)
}

var (
	errLine  = errors.New("line too long or not ended by CRLF")
	errDepth = errors.New("arrays nested too deeply")
)

// Read reads one reply from r.
func Read(r *bufio.Reader) (Reply, error) {
	elements := 0
	reply, err := read(r, 0, &elements)
	if err != nil && !errors.Is(err, io.EOF) {
		return Reply{}, fmt.Errorf("read reply: %w", err)
	}
	return reply, err
}

func read(r *bufio.Reader, depth int, elements *int) (Reply, error) {
	if depth > MaxDepth {
		return Reply{}, errDepth
	}
	l, err := line(r)
	if err != nil {
		return Reply{}, err
	}
	if l == "" {
		return Reply{}, errors.New("empty line")
	}
	reply := Reply{Kind: Kind(l[0])}
	switch rest := l[1:]; reply.Kind {
	case Simple, Error:
		reply.Text = rest
	case Integer:
		reply.Int, err = strconv.ParseInt(rest, 10, 64)
	case Bulk:
		var n int
		if n, err = length(rest, MaxBulk); err == nil {
			reply.Null = n < 0
			if n >= 0 {
				reply.Text, err = bulk(r, n)
			}
		}
	case Array:
		var n int
		if n, err = length(rest, MaxElements); err != nil {
			break
		}
		reply.Null = n < 0
		for range n {
			if *elements++; *elements > MaxElements {
				return Reply{}, errors.New("too many elements")
			}
			e, err := read(r, depth+1, elements)
			if err != nil {
				return Reply{}, unexpected(err)
			}
			reply.Elements = append(reply.Elements, e)
		}
	default:
		err = fmt.Errorf("unknown type %q", l[0])
	}
	return reply, err
}

// line reads a line without its end.
func line(r *bufio.Reader) (string, error) {
	var l []byte
	for {
		part, err := r.ReadSlice('\n')
		l = append(l, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(l) < maxLine:
			continue
		case errors.Is(err, io.EOF) && len(l) > 0:
			return "", io.ErrUnexpectedEOF
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
		body, ok := bytes.CutSuffix(l, []byte("\r\n"))
		if !ok {
			return "", errLine
		}
		return string(body), nil
	}
}

func length(s string, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < -1 || n > most {
		return 0, fmt.Errorf("invalid length %q", s)
	}
	return n, nil
}

// bulk reads n bytes and CRLF; the buffer grows with what arrives.
func bulk(r *bufio.Reader, n int) (string, error) {
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, int64(n)+2); err != nil {
		return "", unexpected(err)
	}
	body, ok := bytes.CutSuffix(b.Bytes(), []byte("\r\n"))
	if !ok || len(body) != n {
		return "", errors.New("bulk string not ended by CRLF")
	}
	return string(body), nil
}

// unexpected turns the end of the stream inside a reply into an error that says
// so.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
