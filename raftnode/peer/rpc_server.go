package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxRunning bounds the handlers of one connection; more are answered busy.
	maxRunning = 256
	// serverIdle closes a connection without requests; callers do so earlier.
	serverIdle = 30 * time.Second
	// frameTime bounds the arrival of one frame, and the writing of one.
	frameTime = 10 * time.Second
)

// RemoteError is an error as it travels: a code for programs, a text for people.
type RemoteError struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

func (e *RemoteError) Error() string { return e.Text }

// Errorf makes an error that reaches the caller as a *RemoteError with this
// code. Other errors of a handler travel with code "error".
func Errorf(code, format string, args ...any) error {
	return &RemoteError{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Codes that the RPC layer itself answers; nothing was executed then, and Call
// wraps them in ErrNotSent.
const (
	CodeBusy    = "busy"
	CodeCluster = "cluster" // the caller is of another cluster
	CodeMethod  = "method"  // unknown to this version
	CodeBad     = "bad"     // the arguments don't parse
)

// Method is one entry of the RPC table.
type Method struct {
	Name string
	// AnyCluster lets nodes of other clusters call it.
	AnyCluster bool
	// New makes the arguments that the body is decoded into.
	New func() any
	// Handle runs on its own goroutine; ctx ends with the caller's patience,
	// the connection or the server.
	Handle func(ctx context.Context, from Identity, in any) (out any, err error)
}

// NewMethod makes an entry from a typed function.
func NewMethod[In, Out any](name string, anyCluster bool, run func(context.Context, Identity, *In) (*Out, error)) Method {
	return Method{
		Name: name, AnyCluster: anyCluster,
		New: func() any { return new(In) },
		Handle: func(ctx context.Context, from Identity, in any) (any, error) {
			out, err := run(ctx, from, in.(*In))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// Server answers RPCs. The endpoint's Serve owns its goroutines.
type Server struct {
	endpoint *Endpoint
	methods  map[string]Method
}

// NewServer serves a table of methods on an endpoint. Two of one name are an
// error.
func NewServer(e *Endpoint, table []Method) (*Server, error) {
	s := &Server{endpoint: e, methods: make(map[string]Method, len(table))}
	for _, m := range table {
		if _, twice := s.methods[m.Name]; twice || m.Name == "" || len(m.Name) > 255 {
			return nil, fmt.Errorf("RPC table: method %q is no usable name or there twice", m.Name)
		}
		s.methods[m.Name] = m
	}
	e.Handle(KindRPC, s.serve)
	return s, nil
}

// serving is one connection's state on the server.
type serving struct {
	*Server
	c       *Conn
	running atomic.Int64
	wg      sync.WaitGroup
	wmu     sync.Mutex // one answer is written at a time
}

func (s *Server) serve(ctx context.Context, c *Conn) {
	ctx, cancel := context.WithCancel(ctx)
	v := &serving{Server: s, c: c}
	defer v.wg.Wait()
	defer cancel()
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		if err := v.await(r); err != nil {
			return
		}
		raw, err := readFrame(r)
		if err != nil {
			return
		}
		req, err := parseRequest(raw)
		if err != nil {
			s.endpoint.cfg.Log.Warn("bus connection dropped", "node", c.Remote.Node, "err", err)
			return
		}
		s.endpoint.received.Add(1)
		if v.running.Load() >= maxRunning {
			v.refuse(req.id, CodeBusy, "too many requests at once")
			continue
		}
		v.running.Add(1)
		v.wg.Go(func() {
			defer v.running.Add(-1)
			v.run(ctx, req)
		})
	}
}

// await returns when the first byte of a frame is there. The connection of a
// caller that waits for an answer isn't idle.
func (v *serving) await(r *bufio.Reader) error {
	for {
		if err := v.c.SetReadDeadline(time.Now().Add(serverIdle)); err != nil {
			return err
		}
		_, err := r.Peek(1)
		if err == nil {
			return v.c.SetReadDeadline(time.Now().Add(frameTime))
		}
		if !isTimeout(err) || v.running.Load() == 0 {
			return err
		}
	}
}

func (v *serving) run(ctx context.Context, req request) {
	// The caller must not believe that it spoke to who we were.
	if !v.c.told(v.endpoint.cfg.Self()) {
		v.answer(answer{id: req.id, outcome: outcomeReconnect})
		return
	}
	m, ok := v.methods[req.method]
	if !ok {
		v.refuse(req.id, CodeMethod, "unknown method "+req.method)
		return
	}
	if !m.AnyCluster && v.c.Remote.ClusterID != v.c.Local.ClusterID {
		v.refuse(req.id, CodeCluster, ErrWrongCluster.Error())
		return
	}
	if !m.AnyCluster && v.c.Remote.Recovery < v.c.Local.Recovery {
		v.refuse(req.id, CodeCluster, ErrOldHistory.Error())
		return
	}
	in := m.New()
	if err := json.Unmarshal(req.body, in); err != nil {
		v.refuse(req.id, CodeBad, fmt.Sprintf("arguments of %s: %v", req.method, err))
		return
	}
	if req.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, req.timeout)
		defer cancel()
	}
	out, err := m.Handle(ctx, v.c.Remote, in)
	if err != nil {
		var remote *RemoteError
		if !errors.As(err, &remote) {
			remote = &RemoteError{Code: "error", Text: err.Error()}
		}
		v.answerJSON(req.id, outcomeError, remote)
		return
	}
	v.answerJSON(req.id, outcomeOK, out)
}

func (v *serving) refuse(id uint64, code, text string) {
	v.answerJSON(id, outcomeNotRun, &RemoteError{Code: code, Text: text})
}

func (v *serving) answerJSON(id uint64, o outcome, body any) {
	raw, err := json.Marshal(body)
	if err == nil && len(raw) > MaxBody {
		err = fmt.Errorf("answer of %d bytes: the limit is %d", len(raw), MaxBody)
	}
	if err != nil { // the method has run; only its answer is lost
		o = outcomeError
		raw, _ = json.Marshal(&RemoteError{Code: "unknown", Text: err.Error()})
	}
	v.answer(answer{id: id, outcome: o, body: raw})
}

func (v *serving) answer(a answer) {
	raw := a.append(nil)
	v.wmu.Lock()
	defer v.wmu.Unlock()
	if v.c.SetWriteDeadline(time.Now().Add(frameTime)) == nil {
		if _, err := v.c.Write(raw); err == nil {
			v.endpoint.sent.Add(1)
			return
		}
	}
	v.c.Close() // the stream may be torn
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
