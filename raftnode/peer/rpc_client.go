package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// clientIdle closes a connection that carries no call.
const clientIdle = 10 * time.Second

// Client calls methods of other nodes. Calls to one address with one wish
// share one connection, so at most a few exist per peer.
type Client struct {
	endpoint *Endpoint

	mu     sync.Mutex
	links  map[linkKey]*link  // that take new calls
	open   map[*link]struct{} // whose reader runs
	closed bool
	wg     sync.WaitGroup
}

type linkKey struct {
	addr string
	want Want
}

// link is one connection with the calls that wait on it. Guarded by the
// client's mutex: calls, retired, conn, err, heard, timer.
type link struct {
	key     linkKey
	ready   chan struct{} // closed when dialled, well or not
	conn    *Conn
	err     error
	calls   map[uint64]chan result
	nextID  uint64
	retired bool   // takes no new calls; closes with its last one
	heard   uint64 // answers received
	timer   *time.Timer
	wmu     sync.Mutex // one request is written at a time
}

type result struct {
	answer answer
	err    error
}

// NewClient makes a client on an endpoint.
func NewClient(e *Endpoint) *Client {
	return &Client{endpoint: e, links: map[linkKey]*link{}, open: map[*link]struct{}{}}
}

// Close ends all calls and waits for the client's goroutines.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	var conns []*Conn
	for l := range c.open {
		conns = append(conns, l.conn)
	}
	c.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
	}
	c.wg.Wait()
	return nil
}

// Call runs a method at whoever want describes behind addr. in is sent as
// JSON, out (a pointer, or nil) receives the result. Errors:
//   - wrapping ErrNotSent: certainly not executed; a refused connection is a
//     *RefusedError, a refused request a *RemoteError in it;
//   - a *RemoteError alone: the method ran and answered that;
//   - anything else, ctx's error included: it may have been executed.
func (c *Client) Call(ctx context.Context, addr string, want Want, method string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%w: arguments of %s: %w", ErrNotSent, method, err)
	}
	if len(body) > MaxBody {
		return fmt.Errorf("%w: arguments of %s take %d bytes, the limit is %d", ErrNotSent, method, len(body), MaxBody)
	}
	for try := 0; ; try++ {
		a, err := c.once(ctx, linkKey{addr, want}, method, body)
		if errors.Is(err, errTryFresh) && try == 0 {
			continue
		}
		if err != nil {
			return err
		}
		switch a.outcome {
		case outcomeOK:
			if out == nil {
				return nil
			}
			if err := json.Unmarshal(a.body, out); err != nil {
				return fmt.Errorf("answer of %s: %w", method, err)
			}
			return nil
		case outcomeError, outcomeNotRun:
			remote := &RemoteError{}
			if err := json.Unmarshal(a.body, remote); err != nil {
				return fmt.Errorf("answer of %s: %w", method, err)
			}
			if a.outcome == outcomeNotRun {
				return fmt.Errorf("%w: %w", ErrNotSent, remote)
			}
			return remote
		}
		return fmt.Errorf("answer of %s: unknown outcome code %d", method, a.outcome)
	}
}

// errTryFresh: not executed, and a fresh connection may do better.
var errTryFresh = fmt.Errorf("%w: the connection was out of date", ErrNotSent)

// once makes one attempt. Its errors are Call's.
func (c *Client) once(ctx context.Context, key linkKey, method string, body []byte) (answer, error) {
	l, err := c.link(ctx, key)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	id, ch, heard, err := c.begin(l)
	if err != nil {
		return answer{}, err
	}
	defer c.end(l, id)
	req := request{id: id, method: method, body: body}
	if d, ok := ctx.Deadline(); ok {
		req.timeout = max(time.Until(d), time.Millisecond)
	}
	raw, err := req.append(nil)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if n, err := l.write(ctx, raw); err != nil {
		l.conn.Close() // what was sent of the frame makes the rest unreadable
		if n < len(raw) {
			if ctx.Err() != nil {
				return answer{}, fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
			}
			return answer{}, errTryFresh
		}
		return answer{}, fmt.Errorf("send %s: %w", method, err)
	}
	c.endpoint.sent.Add(1)
	select {
	case r := <-ch:
		if r.err == nil && r.answer.outcome == outcomeReconnect {
			c.retire(l)
			return answer{}, errTryFresh
		}
		return r.answer, r.err
	case <-ctx.Done():
		// Silence since the request left: don't put others on this connection.
		c.mu.Lock()
		if l.heard == heard {
			c.retireLocked(l)
		}
		c.mu.Unlock()
		return answer{}, fmt.Errorf("call %s: %w", method, ctx.Err())
	}
}

// write sends one frame; n is how much of it left.
func (l *link) write(ctx context.Context, raw []byte) (n int, err error) {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	deadline := time.Now().Add(frameTime)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := l.conn.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	return l.conn.Write(raw)
}

// link finds or dials the connection for a key.
func (c *Client) link(ctx context.Context, key linkKey) (*link, error) {
	for {
		self := c.endpoint.cfg.Self() // before the lock: it takes its owner's
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, ErrClosed
		}
		l := c.links[key]
		if l != nil && l.conn != nil && !l.conn.told(self) {
			c.retireLocked(l)
			l = nil
		}
		if l == nil {
			l = &link{key: key, ready: make(chan struct{}), calls: map[uint64]chan result{}}
			c.links[key] = l
			c.mu.Unlock()
			c.dial(ctx, l)
			return l, l.err
		}
		c.mu.Unlock()
		select {
		case <-l.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if l.err == nil {
			return l, nil
		}
		// The one who dialled may only have lost patience.
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !errors.Is(l.err, context.Canceled) && !errors.Is(l.err, context.DeadlineExceeded) {
			return nil, l.err
		}
	}
}

// dial connects a link that its caller has put in the table.
func (c *Client) dial(ctx context.Context, l *link) {
	conn, err := c.endpoint.Dial(ctx, l.key.addr, KindRPC, l.key.want)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.closed {
		conn.Close()
		err = ErrClosed
	}
	l.conn, l.err = conn, err
	if err != nil {
		c.dropLocked(l)
	} else {
		l.timer = time.AfterFunc(clientIdle, func() { c.idle(l) })
		c.open[l] = struct{}{}
		c.wg.Go(func() { c.read(l) })
	}
	close(l.ready)
}

// begin registers a call on a link.
func (c *Client) begin(l *link) (id uint64, ch chan result, heard uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.retired {
		return 0, nil, 0, errTryFresh
	}
	l.nextID++
	ch = make(chan result, 1)
	l.calls[l.nextID] = ch
	l.timer.Stop()
	return l.nextID, ch, l.heard, nil
}

func (c *Client) end(l *link, id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(l.calls, id)
	if len(l.calls) > 0 {
		return
	}
	if l.retired {
		l.conn.Close()
	} else {
		l.timer.Reset(clientIdle)
	}
}

func (c *Client) idle(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(l.calls) == 0 {
		c.retireLocked(l)
	}
}

func (c *Client) retire(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retireLocked(l)
}

// retireLocked takes a link out of use; it closes when its calls have ended.
func (c *Client) retireLocked(l *link) {
	l.retired = true
	c.dropLocked(l)
	if len(l.calls) == 0 {
		l.conn.Close()
	}
}

func (c *Client) dropLocked(l *link) {
	if c.links[l.key] == l {
		delete(c.links, l.key)
	}
}

// read hands answers to their callers until the connection breaks; then all
// calls still waiting have an unknown outcome.
func (c *Client) read(l *link) {
	r := bufio.NewReader(l.conn)
	var err error
	for {
		var raw []byte
		if raw, err = readFrame(r); err != nil {
			break
		}
		var a answer
		if a, err = parseAnswer(raw); err != nil {
			break
		}
		c.endpoint.received.Add(1)
		c.mu.Lock()
		l.heard++
		ch := l.calls[a.id]
		delete(l.calls, a.id)
		c.mu.Unlock()
		if ch != nil {
			ch <- result{answer: a}
		}
	}
	l.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	l.retired = true
	l.timer.Stop()
	c.dropLocked(l)
	delete(c.open, l)
	for id, ch := range l.calls {
		ch <- result{err: fmt.Errorf("connection to %s lost: %w", l.key.addr, err)}
		delete(l.calls, id)
	}
}
