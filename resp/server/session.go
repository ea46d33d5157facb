package server

import (
	"context"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp"
	"conclave/resp/command"
)

// Peer is what is known of a connection when it begins.
type Peer struct {
	Addr     string // "127.0.0.1:50000"; "/path/of/socket:0" for unix sockets
	Local    string // likewise, this end
	Host     string // Local without the port; empty for unix sockets
	FD       int    // shown by CLIENT LIST; -1 if unknown
	Unix     bool
	Loopback bool // the peer is on this machine
	TLS      bool
}

// Session is one client connection without its socket. The goroutine that
// calls Input, Fed and Process owns it; methods that other goroutines may call
// say so.
type Session struct {
	srv   *Server
	id    uint64
	peer  Peer
	born  time.Time
	out   io.WriteCloser
	front front // out, if it is an event loop's; else nil

	parser resp.Parser
	w      resp.Writer
	call   *command.Ctx

	// Routing of the command under way.
	keys     []int
	query    command.Query
	subjects [][]byte // the keys themselves, for Query.Missing
	granted  command.Stamp
	stamps   []command.Stamp
	clock    clock
	limits   *Limits // read once per batch

	effects effects
	perms   command.Permissions // of the user; nil: everything
	tx      transaction
	watch   command.Watch
	seen    [16]byte // the last command's name as it was sent,
	seenLen int      // its length,
	seenAs  *command.Spec
	redact  []int // arguments that logs must not show
	*worker       // of its own, or of its event loop
	ran     int64 // commands of this batch
	ahead   int   // requests that prepare has looked at

	// inline is set while the session runs on an event loop: nothing may wait
	// there. A command that would is put back, and leave is set.
	inline, leave bool
	// stalled: requests are left undone until the client has read some output.
	stalled bool
	wait    *wait // a call that waits; no other runs meanwhile
	// Of a script that has run: how long, with its calls, up to the last one, and
	// whether its error was counted already.
	scriptTook     time.Duration
	outcomeCounted bool
	waker          waker // out, if it is one
	// cleared: the event loop has seen to it that the replies may leave.
	cleared bool

	// asking holds for the next command; fresh is set by the command that set
	// it.
	asking, askingFresh bool
	replyOff            bool
	replySkip           int // replies still to be dropped, the current one included
	closing             bool
	monitorNext         bool // MONITOR begins once its reply is on its way
	// pushable: the session may be sent what answers no request, behind its
	// replies; holding: it is held back now, see pushes.
	pushable, holding bool

	// For everybody.
	db        atomic.Int32
	proto     atomic.Int32
	readOnly  atomic.Bool
	noTouch   atomic.Bool
	noEvict   atomic.Bool
	authed    atomic.Bool
	monitor   atomic.Bool
	busy      atomic.Bool
	killed    atomic.Bool
	queued    atomic.Int32 // -1 outside MULTI
	watching  atomic.Int32
	queueSize atomic.Int64
	lastCmd   atomic.Pointer[command.Spec]
	unblock   atomic.Pointer[func(withError bool) bool]
	drained   atomic.Pointer[chan struct{}] // of a replica's connection; else nil
	active    atomic.Int64                  // Unix ms of the last interaction
	bytesIn   atomic.Int64
	bytesOut  atomic.Int64
	commands  atomic.Int64
	inputLen  atomic.Int64
	inputCap  atomic.Int64
	outputCap atomic.Int64

	mu     sync.Mutex // guards the rest of this group
	ctx    context.Context
	cancel context.CancelFunc
	name   string
	user   string
	lib    string
	libVer string

	outMu  sync.Mutex // held while writing to out
	pushes pushes
	subs   subscriptions
	track  tracker
}

// NewSession registers a connection. out takes the replies; closing it must
// make the pump stop and call Close.
func (s *Server) NewSession(p Peer, out io.WriteCloser) *Session {
	x := &Session{srv: s, id: s.nextID.Add(1), peer: p, born: time.Now(), out: out, user: defaultUser}
	if x.front, _ = out.(front); x.front == nil {
		x.worker = newWorker(s)
		x.pushes.init()
	}
	x.waker, _ = out.(waker)
	x.call = command.NewCtx(s.table, x, &x.w)
	x.query.Missing = x.missing
	x.clock.set(x.born)
	x.limits = s.limits()
	x.active.Store(x.born.UnixMilli())
	x.queued.Store(-1)
	x.proto.Store(2)
	x.authed.Store(!s.PasswordNeeded())
	x.perms = s.permissions(defaultUser)
	s.mu.Lock()
	s.sessions[x.id] = x
	s.mu.Unlock()
	s.stats.connections.Add(1)
	return x
}

// Close ends the session: it forgets what it watched and stops its helpers.
// The pump calls it once, after the last Process.
func (s *Session) Close() {
	s.killed.Store(true)
	s.endContext()
	if s.wait != nil {
		s.wait.end(abandoned, "")
	}
	s.discard()
	s.tally.flush()
	s.StopMonitor()
	s.dropSubscriptions()
	s.StopTracking()
	s.pushes.stop()
	s.srv.mu.Lock()
	delete(s.srv.sessions, s.id)
	s.srv.mu.Unlock()
}

// Kill ends the connection as soon as possible. Any goroutine may call it.
func (s *Session) Kill() {
	if s.killed.Swap(true) {
		return
	}
	s.endContext()
	s.out.Close()
}

// endContext ends the context if anybody has asked for it. killed is set.
func (s *Session) endContext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// CloseAfterReply ends the connection once the replies so far are sent; the
// rest of the input is dropped.
func (s *Session) CloseAfterReply() { s.closing = true }

// CloseWithoutReply ends the connection, sending nothing more, not even the
// reply of the command under way.
func (s *Session) CloseWithoutReply() {
	s.closing = true
	s.replyOff = true
}

// SetBlocked says that a command waits for something to happen to a key, and
// what ends its wait from outside (CLIENT UNBLOCK); nil = it waits no more.
func (s *Session) SetBlocked(unblock func(withError bool) bool) {
	if unblock == nil {
		s.unblock.Store(nil)
		return
	}
	s.unblock.Store(&unblock)
}

// Blocked reports whether a command waits.
func (s *Session) Blocked() bool { return s.unblock.Load() != nil }

// Unblock ends the wait of a blocked command, as if its time were up or with
// an error. It reports whether there was one.
func (s *Session) Unblock(withError bool) bool {
	f := s.unblock.Load()
	return f != nil && (*f)(withError)
}

// Server is the server the session belongs to.
func (s *Session) Server() *Server { return s.srv }

// Context ends with the connection. Commands that wait (Detached) use it.
func (s *Session) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
		if s.killed.Load() {
			s.cancel()
		}
	}
	return s.ctx
}

// ID is the number of the connection; any goroutine may ask, as for
// everything below unless it says otherwise.
func (s *Session) ID() uint64 { return s.id }

// Peer is what was known of the connection when it began.
func (s *Session) Peer() Peer { return s.peer }

// Addr is the client's address as CLIENT LIST shows it.
func (s *Session) Addr() string { return s.peer.Addr }

// LocalAddr is this end of the connection.
func (s *Session) LocalAddr() string { return s.peer.Local }

// Host is the local address without a port; empty for unix sockets.
func (s *Session) Host() string { return s.peer.Host }

// FD is the file descriptor, or -1.
func (s *Session) FD() int { return s.peer.FD }

// TLS reports whether the connection is encrypted.
func (s *Session) TLS() bool { return s.peer.TLS }

// Unix reports whether the client came through the unix socket.
func (s *Session) Unix() bool { return s.peer.Unix }

// Created is when the connection began.
func (s *Session) Created() time.Time { return s.born }

// LastActive is when the client last sent something or was sent something.
func (s *Session) LastActive() time.Time { return time.UnixMilli(s.active.Load()) }

// DB is the selected database.
func (s *Session) DB() int { return int(s.db.Load()) }

// SetDB selects a database.
func (s *Session) SetDB(n int) { s.db.Store(int32(n)) }

// Proto is the protocol version, 2 or 3. To change it, commands set that of
// their Writer.
func (s *Session) Proto() int { return int(s.proto.Load()) }

// NoTouch is set by CLIENT NO-TOUCH ON.
func (s *Session) NoTouch() bool { return s.noTouch.Load() }

// SetNoTouch sets it.
func (s *Session) SetNoTouch(v bool) { s.noTouch.Store(v) }

// NoEvict is set by CLIENT NO-EVICT ON.
func (s *Session) NoEvict() bool { return s.noEvict.Load() }

// SetNoEvict sets it.
func (s *Session) SetNoEvict(v bool) { s.noEvict.Store(v) }

// ReadOnly is set by READONLY.
func (s *Session) ReadOnly() bool { return s.readOnly.Load() }

// SetReadOnly sets it.
func (s *Session) SetReadOnly(v bool) { s.readOnly.Store(v) }

// SetAsking lets the next command, or the next transaction, use a slot that is
// being imported. Owner only.
func (s *Session) SetAsking() { s.asking, s.askingFresh = true, true }

// Authenticated reports whether the connection may use commands.
func (s *Session) Authenticated() bool { return s.authed.Load() }

// Authenticate checks a password and, if it is right, makes the session that
// user's.
func (s *Session) Authenticate(user string, password []byte) bool {
	a := s.srv.cfg.Auth
	ok := a != nil && a.Authenticate(user, password) || a == nil && user == defaultUser
	if ok {
		s.SetUser(user)
	}
	return ok
}

// SetUser makes the session that user's, without asking for a password.
func (s *Session) SetUser(user string) {
	s.mu.Lock()
	s.user = user
	s.mu.Unlock()
	s.perms = s.srv.permissions(user)
	s.authed.Store(true)
}

// User is the user the session belongs to.
func (s *Session) User() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user
}

// Name is what CLIENT SETNAME set.
func (s *Session) Name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name
}

// SetName sets it; empty removes it.
func (s *Session) SetName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
}

// Lib is what CLIENT SETINFO said of the client's library.
func (s *Session) Lib() (name, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lib, s.libVer
}

// SetLibName sets the library's name.
func (s *Session) SetLibName(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lib = v
}

// SetLibVersion sets the library's version.
func (s *Session) SetLibVersion(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.libVer = v
}

// InMulti reports whether a transaction is being queued.
func (s *Session) InMulti() bool { return s.queued.Load() >= 0 }

// QueueLen is the number of queued commands, -1 outside MULTI.
func (s *Session) QueueLen() int { return int(s.queued.Load()) }

// QueueBytes is the memory of the queued commands' arguments.
func (s *Session) QueueBytes() int64 { return s.queueSize.Load() }

// Watching is the number of watched keys.
func (s *Session) Watching() int { return int(s.watching.Load()) }

// WatchDirty reports whether a watched key changed: EXEC will fail.
func (s *Session) WatchDirty() bool { return s.watch.Touched() }

// Killed reports whether the connection is being closed.
func (s *Session) Killed() bool { return s.killed.Load() }

// Monitoring reports whether the session is a MONITOR.
func (s *Session) Monitoring() bool { return s.monitor.Load() }

// LastCommand is the last command that began, or nil.
func (s *Session) LastCommand() *command.Spec { return s.lastCmd.Load() }

// Commands is the number of commands the session has run.
func (s *Session) Commands() int64 { return s.commands.Load() }

// BytesIn is what the client has sent.
func (s *Session) BytesIn() int64 { return s.bytesIn.Load() }

// BytesOut is what the client was sent.
func (s *Session) BytesOut() int64 { return s.bytesOut.Load() }

// QueryBuffer is the number of bytes that wait for the rest of their request,
// and the buffer's size.
func (s *Session) QueryBuffer() (used, size int64) { return s.inputLen.Load(), s.inputCap.Load() }

// OutputBuffer is the number of bytes that wait to be sent out of band, and
// the size of the buffers for output.
func (s *Session) OutputBuffer() (used, size int64) {
	n := s.pushes.size()
	if s.front != nil {
		n += int64(s.front.backlog())
	}
	return n, s.outputCap.Load() + n
}

// RefreshLimits has the limits hold for the command under way that were changed
// by it.
func (s *Session) RefreshLimits() { s.limits = s.srv.limits() }

// NoteRequest has QueryBuffer count the command under way, too.
func (s *Session) NoteRequest(args [][]byte) {
	n := s.parser.Buffered() + len("*\r\n") + len(strconv.Itoa(len(args)))
	for _, a := range args {
		n += len("$\r\n\r\n") + len(strconv.Itoa(len(a))) + len(a)
	}
	s.inputLen.Store(int64(n))
}

// Redact hides an argument of the command under way from SLOWLOG and MONITOR.
// Owner only.
func (s *Session) Redact(arg int) { s.redact = append(s.redact, arg) }

// ReplyMode is one of CLIENT REPLY's.
type ReplyMode int

// The modes of CLIENT REPLY.
const (
	ReplyOn ReplyMode = iota
	ReplyOff
	ReplySkip
)

// SetReplyMode does what CLIENT REPLY says. Owner only.
func (s *Session) SetReplyMode(m ReplyMode) {
	switch m {
	case ReplyOn:
		s.replyOff, s.replySkip = false, 0
	case ReplyOff:
		s.replyOff = true
	case ReplySkip:
		if !s.replyOff {
			s.replySkip = 2 // this one's and the next one's
		}
	}
}

// ResetState makes the session like a new one (RESET): no transaction, no
// watched keys, database 0, RESP2, default user. Owner only.
func (s *Session) ResetState() {
	s.discard()
	s.StopMonitor()
	s.dropSubscriptions()
	s.StopTracking()
	s.takePushes()
	s.SetDB(0)
	s.asking, s.askingFresh = false, false
	s.readOnly.Store(false)
	s.noTouch.Store(false)
	s.noEvict.Store(false)
	s.SetReplyMode(ReplyOn)
	s.w.SetProto(2)
	s.SetName("")
	s.mu.Lock()
	s.user = defaultUser
	s.mu.Unlock()
	s.perms = s.srv.permissions(defaultUser)
	s.authed.Store(!s.srv.PasswordNeeded())
}
