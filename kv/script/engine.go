package script

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Config is what an engine is made of.
type Config struct {
	// MaxMemory is how much one run may have the heap grow by, in bytes; 0 =
	// 256 MiB.
	MaxMemory int64
	// Cluster is set in cluster mode.
	Cluster bool
	// MaxBulkLen bounds the sources in a payload of FUNCTION RESTORE; nil = 512
	// MiB.
	MaxBulkLen func() int64
	// Log takes what scripts log, with a level of LogDebug to LogWarning; nil =
	// nobody does.
	Log func(level int, text string)
}

// Script is a script in the cache.
type Script struct {
	sha    string
	source string
	flags  Flags
	proto  *lua.FunctionProto
}

// Engine has the scripts, the libraries and the states that run them. It is safe
// for concurrent use.
type Engine struct {
	cfg     Config
	stopped atomic.Bool

	mu sync.Mutex
	// Guarded by mu.
	bySource  map[string]*Script
	bySHA     map[string]*Script
	size      int64 // of the sources
	libraries map[string]*Library
	functions map[string]*Function
	edition   uint64   // of the libraries
	idle      []*state // the one used last at the end
	long      map[*longRun]bool
}

// keepStates is how many idle states are kept: one per run that goes on beside
// others.
const keepStates = 16

// New makes an engine. It starts nothing.
func New(c Config) *Engine {
	if c.MaxMemory <= 0 {
		c.MaxMemory = 256 << 20
	}
	if c.MaxBulkLen == nil {
		c.MaxBulkLen = func() int64 { return 512 << 20 }
	}
	return &Engine{
		cfg: c, bySource: map[string]*Script{}, bySHA: map[string]*Script{},
		libraries: map[string]*Library{}, functions: map[string]*Function{}, long: map[*longRun]bool{},
	}
}

// SetStopped ends the runs under way, and those that follow until it is taken back.
func (e *Engine) SetStopped(v bool) { e.stopped.Store(v) }

// state takes an idle state, or makes one. The one that was used last comes
// first: where runs don't overlap, all of them see the same.
func (e *Engine) state() *state {
	e.mu.Lock()
	n := len(e.idle)
	if n == 0 {
		e.mu.Unlock()
		return newState(e)
	}
	st := e.idle[n-1]
	e.idle[n-1] = nil
	e.idle = e.idle[:n-1]
	e.mu.Unlock()
	return st
}

// giveBack takes a state back after a run.
func (e *Engine) giveBack(st *state) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.idle) < keepStates {
		e.idle = append(e.idle, st)
	}
}

// sha1Hex is the name of a script.
func sha1Hex(source []byte) string {
	sum := sha1.Sum(source)
	return hex.EncodeToString(sum[:])
}

// cached is the script of that source, or nil.
func (e *Engine) cached(source []byte) *Script {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bySource[string(source)]
}

// find is the script of that name, or nil.
func (e *Engine) find(sha []byte) *Script {
	if len(sha) != 2*sha1.Size {
		return nil
	}
	var lower [2 * sha1.Size]byte
	for i, c := range sha {
		if c >= 'A' && c <= 'F' {
			c |= 0x20
		}
		lower[i] = c
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bySHA[string(lower[:])]
}

// load compiles a script into the cache.
func (e *Engine) load(source []byte) (*Script, error) {
	if s := e.cached(source); s != nil {
		return s, nil
	}
	flags, program, err := shebang(string(source))
	if err != nil {
		return nil, err
	}
	proto, err := compile(program, "user_script")
	if err != nil {
		return nil, fmt.Errorf("Error compiling script (new function): %w", err)
	}
	s := &Script{sha: sha1Hex(source), source: string(source), flags: flags, proto: proto}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old := e.bySource[s.source]; old != nil {
		return old, nil
	}
	e.bySource[s.source], e.bySHA[s.sha] = s, s
	e.size += int64(len(s.source) + len(s.sha))
	return s, nil
}

// flush empties the cache of scripts. States forget them as well, with everything
// else.
func (e *Engine) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.bySource)
	clear(e.bySHA)
	e.size = 0
	e.idle = nil
}

// Info are the figures of INFO.
type Info struct {
	Scripts, Libraries, Functions int
	// Bytes of the sources.
	ScriptBytes, LibraryBytes int64
}

// Info returns the figures of INFO.
func (e *Engine) Info() Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := Info{Scripts: len(e.bySHA), Libraries: len(e.libraries), Functions: len(e.functions), ScriptBytes: e.size}
	for _, lib := range e.libraries {
		i.LibraryBytes += int64(len(lib.source))
	}
	return i
}

// longRun is a run that takes long, as others see it.
type longRun struct {
	name     string
	function bool
	args     []string
	began    time.Time
	killed   atomic.Bool
	wrote    atomic.Bool
}

func (r *longRun) duration() time.Duration { return time.Since(r.began) }

// running is the run that has gone on longest, of those that take long; nil if
// there is none.
func (e *Engine) running() *longRun {
	e.mu.Lock()
	defer e.mu.Unlock()
	var oldest *longRun
	for r := range e.long {
		if oldest == nil || r.began.Before(oldest.began) {
			oldest = r
		}
	}
	return oldest
}

// isLong is called by a run once it has taken long.
func (st *state) isLong() {
	r := &longRun{name: st.name, function: st.run.Function, began: st.budget.began}
	r.wrote.Store(st.run.Wrote)
	for _, a := range st.outer.Args {
		r.args = append(r.args, string(a))
	}
	st.long = r
	st.budget.kill = &r.killed
	st.e.mu.Lock()
	st.e.long[r] = true
	st.e.mu.Unlock()
	st.host.HoldScript(&st.run)
}

func (st *state) ended() {
	if st.long == nil {
		return
	}
	st.e.mu.Lock()
	delete(st.e.long, st.long)
	st.e.mu.Unlock()
	st.long = nil
}

// busyWith is the answer where a script of the other kind runs.
func busyWith(function bool) string {
	if function {
		return "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
	}
	return "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
}

// Busy is the error for whoever can't have what a script that takes long has; ""
// if there is none.
func (e *Engine) Busy() string {
	if r := e.running(); r != nil {
		return busyWith(r.function)
	}
	return ""
}

// kill ends the run that has gone on longest. It returns the text of an error.
func (e *Engine) kill(function bool) string {
	r := e.running()
	switch {
	case r == nil:
		return "NOTBUSY No scripts in execution right now."
	case r.wrote.Load():
		return "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
	case r.function != function:
		return busyWith(r.function)
	}
	r.killed.Store(true)
	return ""
}

// source is how Redis names a chunk where it says on which line it failed.
func source(name string) string {
	if strings.HasPrefix(name, "[") {
		return name
	}
	return "@" + name
}

// finalText is the error that a run ended with, as the client sees it. counted
// tells that the server has counted it.
func (st *state) finalText(err error, name string) (text string, counted bool) {
	switch v := errorValue(err).(type) {
	case *lua.LTable:
		s, ok := toText(v.RawGetString("err"))
		if !ok {
			s = "ERR unknown error"
		}
		text = s
		counted = lua.LVAsBool(v.RawGetString("ignore_error_stats_update"))
	default:
		text = "ERR " + show(v)
	}
	if st.budget.cause != "" {
		text, counted = "ERR "+st.budget.cause, false
	}
	text = strings.TrimRight(text, "\r\n")
	if st.errLine > 0 {
		text += fmt.Sprintf(" script: %s, on %s:%d.", name, source(st.errSource), st.errLine)
	}
	return text, counted
}
