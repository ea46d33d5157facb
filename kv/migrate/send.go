package migrate

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// What a transfer may fail with, besides a [TargetError]. Keys that were
// confirmed before are at the target; of the others nobody knows.
var (
	ErrConnect = errors.New("error or timeout connecting to the client")
	ErrWrite   = errors.New("error or timeout writing to target instance")
	ErrRead    = errors.New("error or timeout reading to target instance") // sic, Redis's words
)

// TargetError is the first error that the target answered, without the dash.
// The transfer went on after it: keys that the target took are confirmed.
type TargetError string

// Error is the reply as MIGRATE passes it on.
func (e TargetError) Error() string { return "Target instance replied with error: " + string(e) }

// Request is one transfer.
type Request struct {
	Host string // name or address
	Port int
	DB   int64
	// Auth holds the arguments of an AUTH that goes first, if there are any.
	Auth    [][]byte
	Timeout time.Duration // of each step
	// Body holds Keys commands, each written by [AppendRestore].
	Body []byte
	Keys int
}

// Send carries out a transfer. It calls confirmed(i), on the caller's goroutine
// and in ascending order, for each command of the body that the target
// acknowledged, also if it returns an error in the end.
//
// A transfer whose connection breaks before the first key was answered is tried
// once more on a new connection, because a cached one is often found closed. A
// step that timed out is not: the target may still be at it.
func (p *Pool) Send(ctx context.Context, r Request, confirmed func(i int)) error {
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	t := &transfer{Request: r, pool: p, confirmed: confirmed}
	if !p.begin(t, abort) {
		return ErrConnect
	}
	defer p.end(t)
	err := t.attempt(ctx)
	if t.retry && ctx.Err() == nil {
		err = t.attempt(ctx)
	}
	return err
}

// transfer is the state of one call of Send.
type transfer struct {
	Request
	pool      *Pool
	confirmed func(i int)
	answered  int   // replies to the body's commands that were read
	retry     bool  // the last attempt is worth another
	refused   error // the target's first error
}

func (t *transfer) attempt(ctx context.Context) error {
	t.retry = false
	c, err := t.connect(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	err = t.exchange(c)
	// Bytes that nobody asked for would be taken for the next answers.
	if !stop() || (err != nil && t.refused == nil) || t.answered < t.Keys || c.r.Buffered() > 0 {
		c.Close()
		return err
	}
	c.db = t.DB
	if t.refused != nil {
		c.db = -1
	}
	t.pool.put(c)
	return err
}

// connect returns a cached connection or opens one.
func (t *transfer) connect(ctx context.Context) (*conn, error) {
	target := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	if c := t.pool.take(target); c != nil {
		return c, nil
	}
	if t.Host == "" { // Go would take it for this machine
		return nil, ErrConnect
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	nc, err := t.pool.dial(ctx, "tcp", target)
	if err == nil {
		return &conn{Conn: nc, target: target, r: bufio.NewReaderSize(nc, replyLimit), db: -1}, nil
	}
	// Redis doesn't wait to see how connecting ends: a refused connection is an
	// error of its first write, and only names that don't resolve and hosts
	// that don't answer are errors of connecting.
	if dns := new(net.DNSError); timedOut(err) || errors.As(err, &dns) || ctx.Err() != nil {
		return nil, ErrConnect
	}
	return nil, ErrWrite
}

// exchange writes everything and reads all replies.
func (t *transfer) exchange(c *conn) error {
	auth, sel := len(t.Auth) > 0, c.db != t.DB
	var head []byte
	if auth {
		head = appendCommand(head, append([][]byte{[]byte("AUTH")}, t.Auth...)...)
	}
	if sel {
		head = appendCommand(head, []byte("SELECT"), strconv.AppendInt(nil, t.DB, 10))
	}

	// The writer ends by itself: every write has a deadline, and a reader that
	// gives up closes the connection. Who gives up first knows the reason; the
	// other one only finds the connection closed.
	var first struct {
		sync.Once
		cause error
		err   error
	}
	fail := func(cause, err error) {
		first.Do(func() {
			first.cause, first.err = cause, err
			c.Close()
		})
	}
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		if err := t.write(c, head, t.Body); err != nil {
			fail(err, ErrWrite)
		}
	}()
	if err := t.read(c, auth, sel); err != nil {
		kind := ErrRead
		select {
		case <-wrote:
		default:
			// Nothing was answered because not everything was asked.
			if timedOut(err) {
				kind = ErrWrite
			}
		}
		fail(err, kind)
	}
	<-wrote
	if t.refused != nil || first.err == nil {
		return t.refused
	}
	t.retry = t.answered == 0 && !timedOut(first.cause) &&
		!errors.Is(first.cause, errReply) && !errors.Is(first.cause, bufio.ErrBufferFull)
	return first.err
}

// pieceSize is how much is written in one step.
const pieceSize = 64 << 10

func (t *transfer) write(c *conn, head, body []byte) error {
	n := min(len(body), pieceSize)
	piece, body := append(head, body[:n]...), body[n:]
	for len(piece) > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(t.Timeout)); err != nil {
			return err
		}
		if _, err := c.Write(piece); err != nil {
			return err
		}
		// The target's time to answer begins when it has the question. If the
		// connection is gone, the reader will say so.
		_ = c.SetReadDeadline(time.Now().Add(t.Timeout))
		n := min(len(body), pieceSize)
		piece, body = body[:n], body[n:]
	}
	return nil
}

// read reads the replies and confirms keys. An error reply is kept in refused;
// the error it returns is that of the connection.
func (t *transfer) read(c *conn, auth, sel bool) error {
	var preamble TargetError // the reply to AUTH or else to SELECT, if an error
	for _, sent := range []bool{auth, sel} {
		if !sent {
			continue
		}
		e, err := t.reply(c)
		if err != nil {
			return err
		}
		if preamble == "" {
			preamble = e
		}
	}
	for i := range t.Keys {
		e, err := t.reply(c)
		if err != nil {
			return err
		}
		t.answered++
		// After a refused SELECT a RESTORE may well have worked, elsewhere than
		// it should: such a key isn't confirmed.
		if preamble != "" {
			e = preamble
		}
		switch {
		case e == "":
			t.confirmed(i)
		case t.refused == nil:
			t.refused = e
		}
	}
	return nil
}

// reply reads one reply, a simple string or an error; anything else is not what
// the commands sent here are answered with, and the target not to be trusted.
func (t *transfer) reply(c *conn) (TargetError, error) {
	if err := c.SetReadDeadline(time.Now().Add(t.Timeout)); err != nil {
		return "", err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	n := len(line) - 1
	if n > 0 && line[n-1] == '\r' {
		n--
	}
	switch line = line[:n]; {
	case len(line) > 0 && line[0] == '+':
		return "", nil
	case len(line) > 1 && line[0] == '-':
		return TargetError(line[1:]), nil
	}
	return "", errReply
}

var errReply = errors.New("not a reply to RESTORE")

func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
