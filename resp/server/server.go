package server

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp/command"
)

// Config is what a server is made of. Keyspace is required, the rest may be
// left out.
type Config struct {
	Keyspace command.Keyspace
	// Router is nil outside cluster mode: then every slot is here.
	Router command.Router
	// Feed takes the effects of what is run; nil = nobody wants them.
	Feed command.Feed
	// Limits returns the limits in force; nil = DefaultLimits. Called often.
	Limits func() *Limits
	// Auth is nil if there is no password.
	Auth Authenticator
	// Gate returns the error text for a command that the state of the node
	// forbids (OOM, LOADING, READONLY, MASTERDOWN), or "". For EXEC the flags
	// are the union of the queued commands'. It is called for every command
	// after it was routed, with partitions locked, and must not block.
	Gate func(command.Flags) string
	// MakeRoom is called before commands, with nothing locked: it keeps the
	// memory for data within its limit. Nil: there is none.
	MakeRoom func()
	// AllowProtected reports whether a client may use commands flagged
	// Protected (enable-debug-command); nil = nobody.
	AllowProtected func(local bool) bool
	// OnPause is told until when CLIENT PAUSE holds commands back; it must not
	// block. Nil: nobody is.
	OnPause func(until time.Time)
	// OnShutdown is called once, from a goroutine of its own, when SHUTDOWN
	// was accepted.
	OnShutdown func()
	// ParkTimeout bounds how long a command waits for a slot that is changing
	// hands; 0 = 5 s.
	ParkTimeout time.Duration
	// IOThreads is the number of event loops that serve TCP connections, where
	// the platform has them; 0 = half of the processors, at least one and at
	// most eight.
	IOThreads int
	Log       *slog.Logger
}

// Authenticator checks passwords (requirepass; ACL later).
type Authenticator interface {
	// PasswordNeeded reports whether a new connection must authenticate.
	PasswordNeeded() bool
	// Authenticate checks a user's password.
	Authenticate(user string, password []byte) bool
}

const defaultUser = "default"

// Server runs commands for its sessions. Make it with New, give it its
// commands with Use, then call Serve for each listener.
type Server struct {
	cfg     Config
	limits  func() *Limits
	log     *slog.Logger
	table   *command.Table
	exec    *command.Spec
	urgent  []bool // by Spec.Index: runs at once inside MULTI
	slow    []bool // by Spec.Index: may wait, or take long
	toucher command.Toucher
	counter command.ChangeCounter
	// waitList is the keyspace, if it is one, and ready its count.
	waitList command.WaitList
	holder   command.Holder // the keyspace, if it is one
	scripts  scripts
	ready    *atomic.Int64
	waits    waits
	// confirmer is the router, if it is one.
	confirmer command.BatchConfirmer
	loops     loops
	started   time.Time
	runID     string

	nextID   atomic.Uint64
	pause    pause
	monitors monitors
	hub      hub
	tracking tracking
	events   atomic.Uint32 // command.Class: the keyspace events that are told
	resting  atomic.Bool   // see PauseHousekeeping
	slowlog  Slowlog
	latency  Latency
	stats    Stats
	shutdown sync.Once
	failures logGate
	refused  func(Refusal)

	mu       sync.Mutex
	sessions map[uint64]*Session
	serving  int // calls of Serve under way; the first runs the housekeeper
}

// New makes a server. It starts nothing.
func New(cfg Config) *Server {
	if cfg.Limits == nil {
		l := DefaultLimits()
		cfg.Limits = func() *Limits { return l }
	}
	if cfg.ParkTimeout == 0 {
		cfg.ParkTimeout = 5 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	var id [20]byte
	rand.Read(id[:]) // never fails
	s := &Server{
		cfg:      cfg,
		limits:   cfg.Limits,
		log:      cfg.Log,
		started:  time.Now(),
		runID:    hex.EncodeToString(id[:]),
		sessions: map[uint64]*Session{},
	}
	s.toucher, _ = cfg.Keyspace.(command.Toucher)
	s.counter, _ = cfg.Keyspace.(command.ChangeCounter)
	if cfg.Feed != nil {
		cfg.Feed.OnRelease(s.releaseReplies)
	}
	s.ready = new(atomic.Int64)
	s.holder, _ = cfg.Keyspace.(command.Holder)
	if s.waitList, _ = cfg.Keyspace.(command.WaitList); s.waitList != nil {
		s.ready = s.waitList.Ready()
	}
	s.confirmer, _ = cfg.Router.(command.BatchConfirmer)
	s.stats.start = s.started
	s.stats.Reset()
	return s
}

// Use sets the command table, which may hold commands that were built with
// this server. It must be called once, before the first session.
func (s *Server) Use(t *command.Table) {
	s.table = t
	s.exec = t.Full("exec")
	s.urgent = make([]bool, len(t.All()))
	for _, name := range []string{"exec", "discard", "multi", "watch", "quit", "reset"} {
		if spec := t.Full(name); spec != nil {
			s.urgent[spec.Index()] = true
		}
	}
	s.hub.use(t)
	s.slow = make([]bool, len(t.All()))
	for i, spec := range t.All() {
		keyless := len(spec.Keys) == 0 && spec.Flags&(command.Fast|command.PubSub) == 0
		s.slow[i] = spec != s.exec && (keyless || spec.Flags&command.Detached != 0 || spec.Batch != nil)
	}
	s.stats.use(t)
}

// Table is the command table.
func (s *Server) Table() *command.Table { return s.table }

// Limits are the limits in force.
func (s *Server) Limits() *Limits { return s.limits() }

// PasswordNeeded reports whether the default user has a password.
func (s *Server) PasswordNeeded() bool { return s.cfg.Auth != nil && s.cfg.Auth.PasswordNeeded() }

// StartTime is when the server was made.
func (s *Server) StartTime() time.Time { return s.started }

// RunID is 40 random hexadecimal digits, new for every process.
func (s *Server) RunID() string { return s.runID }

// Stats are the counters of INFO.
func (s *Server) Stats() *Stats { return &s.stats }

// Slowlog is the log of slow commands.
func (s *Server) Slowlog() *Slowlog { return &s.slowlog }

// Latency is the record of latency events.
func (s *Server) Latency() *Latency { return &s.latency }

// ResetStats sets the counters to zero (CONFIG RESETSTAT).
func (s *Server) ResetStats() { s.stats.Reset() }

// Sessions are the sessions there are now, oldest first.
func (s *Server) Sessions() []*Session {
	s.mu.Lock()
	all := make([]*Session, 0, len(s.sessions))
	for _, x := range s.sessions {
		all = append(all, x)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *Session) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return all
}

// Session is the session of that id, or nil.
func (s *Server) Session(id uint64) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// SessionCount is the number of sessions.
func (s *Server) SessionCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// RequestShutdown asks the process to end in order. It returns at once.
func (s *Server) RequestShutdown() {
	if s.cfg.OnShutdown != nil {
		s.shutdown.Do(func() { go s.cfg.OnShutdown() })
	}
}
