package server

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp/command"
)

// A script runs on its session, under the locks of the command that runs it, and
// its calls take the way of any command of a transaction. While it is short it
// disturbs nobody. One that takes long turns its locks into a hold (see
// command.Holder), of which others learn when they want the partitions, and, if
// it runs on an event loop, gives the loop to another goroutine.

// Error texts of scripts' calls, Redis's.
const (
	errScriptUnknown  = "ERR Unknown Redis command called from script"
	errScriptArity    = "ERR Wrong number of args calling Redis command from script"
	errScriptDenied   = "ERR This Redis command is not allowed from script"
	errScriptReadOnly = "ERR Write commands are not allowed from read-only scripts."
	errScriptNotLocal = "ERR Script attempted to access a non local key in a cluster node"
	errScriptSlots    = "ERR Script attempted to access keys that do not hash to the same slot"
	errScriptDown     = "ERR Script attempted to execute a command while the cluster is down"
	errScriptDownRO   = "ERR Script attempted to execute a write command while the cluster is down and readonly"
)

var _ command.Host = (*Session)(nil)

// BeginScript implements [command.Host].
func (s *Session) BeginScript(c *command.Ctx, x *command.Script) string {
	st := &x.State
	*st = command.ScriptState{Slot: -1, Query: s.query, DB: s.DB(), Subjects: s.subjects, Scratch: st.Scratch}
	x.Wrote, x.Counted, x.Unkept, x.Began = false, false, false, s.clock.time()
	if s.srv.cfg.Gate != nil && x.Declared != 0 {
		if text := s.srv.cfg.Gate(x.Declared); text != "" {
			return text
		}
	}
	if s.srv.cfg.Router != nil && s.effects.held != command.AllPartitions {
		st.Keyed = true
		st.Slot = s.query.Slot
		if x.CrossSlot {
			if text := s.widen(x); text != "" {
				return text
			}
		}
	}
	c.NoEffect() // those of its calls are kept
	st.Unit = s.openUnit()
	s.subjects = st.Scratch[:0]
	if s.srv.monitors.n.Load() != 0 {
		// Before its calls, therefore the command has SkipMonitor.
		s.srv.showMonitors(monitorLine(s, c.Args, s.clock.time(), false))
	}
	return ""
}

// EndScript implements [command.Host].
func (s *Session) EndScript(_ *command.Ctx, x *command.Script) {
	st := &x.State
	if st.Unit {
		s.closeUnit()
	}
	s.SetDB(st.DB)
	st.Scratch = s.subjects
	s.query, s.subjects = st.Query, st.Subjects
	if st.Held {
		s.srv.scripts.end(x)
	}
	if st.Widened != 0 {
		s.disclaim(st.Widened)
		s.effects.held &^= st.Widened
		s.srv.cfg.Keyspace.Unlock(st.Widened)
	}
	s.outcomeCounted = x.Counted
}

// widen locks every partition for a script that has run nothing yet.
func (s *Session) widen(x *command.Script) string {
	ks, own := s.srv.cfg.Keyspace, s.effects.held
	s.disclaim(own)
	ks.Unlock(own)
	ks.Lock(command.AllPartitions)
	x.State.Widened = command.AllPartitions &^ own
	s.effects.held = command.AllPartitions
	if s.srv.tracking.on.Load() != 0 {
		s.claim(command.AllPartitions)
	}
	v := s.srv.cfg.Router.Route(&s.query) // the slot may have gone meanwhile
	text := v.Err
	if v.Wait != nil {
		text = errChangingHands
	}
	if text != "" {
		s.effects.held = own
		s.disclaim(x.State.Widened)
		ks.Unlock(x.State.Widened)
	}
	return text
}

// reachAll locks the other partitions for a script that has already run
// something, if they can be had without waiting for long.
func (s *Session) reachAll(x *command.Script) bool {
	holder, rest := s.srv.holder, command.AllPartitions&^s.effects.held
	if rest == 0 {
		return true
	}
	if holder == nil {
		return false
	}
	for until := time.Now().Add(50 * time.Millisecond); ; {
		if holder.TryLock(rest) {
			x.State.Widened |= rest
			if x.State.Held {
				holder.Hold(rest)
			}
			s.effects.held = command.AllPartitions
			if s.srv.tracking.on.Load() != 0 {
				s.claim(rest)
			}
			return true
		}
		if time.Now().After(until) {
			return false
		}
	}
}

// CallScripted implements [command.Host].
func (s *Session) CallScripted(x *command.Script, inner *command.Ctx, args [][]byte) string {
	spec := s.srv.table.Resolve(args)
	text := s.scriptRefusal(x, spec, args)
	if text != "" {
		s.srv.stats.rejected(spec)
		s.srv.stats.errorReply(errorCode(text))
		return text
	}
	inner.Spec, inner.Args, inner.InExec, inner.NowMs = spec, args, true, s.call.NowMs
	s.clockScript()
	mark := inner.Len()
	switch {
	case spec.Flags&(command.Write|command.MayReplicate) == 0:
		spec.Run(inner)
	case x.Unkept:
		inner.Keep(false)
		spec.Run(inner)
		inner.TakeEffects()
	default:
		s.run(inner, spec.Run)
	}
	if s.srv.tracking.on.Load() != 0 {
		s.remember(spec, args)
	}
	if w := inner.TakeWait(); w != nil {
		s.timedOut(w, inner)
	}
	s.settleScripted(spec, args, inner.Bytes()[mark:])
	return ""
}

// scriptRefusal is why a call of a script isn't run, or "".
func (s *Session) scriptRefusal(x *command.Script, spec *command.Spec, args [][]byte) string {
	switch {
	case spec == nil || spec.Run == nil && len(args) > 1:
		return errScriptUnknown
	case spec.Run == nil || !spec.ArityOK(len(args)):
		return errScriptArity
	case spec.Flags&command.NoScript != 0 && !s.scriptMayDebug(spec) || spec.Flags&(command.Detached|command.WholeStore) == command.Detached:
		return errScriptDenied
	case x.ReadOnly && spec.Flags&(command.Write|command.MayReplicate) != 0:
		return errScriptReadOnly
	}
	if why := s.denied(spec, args, "lua"); why != "" {
		return "NOPERM ACL failure in script: " + why
	}
	if s.srv.cfg.Gate != nil && !x.Wrote {
		flags := spec.Flags
		if x.AllowOOM {
			flags &^= command.DenyOOM
		}
		if text := s.srv.cfg.Gate(flags); text != "" {
			return text
		}
	}
	x.Wrote = x.Wrote || spec.Flags&command.Write != 0
	if spec.Flags&command.WholeStore != 0 && !s.reachAll(x) {
		return errChangingHands
	}
	return s.reach(x, spec, args)
}

// scriptMayDebug reports whether scripts may call DEBUG, and this is it.
func (s *Session) scriptMayDebug(spec *command.Spec) bool {
	allow := s.srv.cfg.AllowProtected
	return spec.Name == "debug" && s.srv.scripts.debug.Load() && allow != nil && allow(s.peer.Loopback)
}

// AllowScriptsDebug lets scripts call DEBUG, or not.
func (s *Server) AllowScriptsDebug(on bool) { s.scripts.debug.Store(on) }

// reach finds the keys of a script's call, and why it may not use them, if so.
func (s *Session) reach(x *command.Script, spec *command.Spec, args [][]byte) string {
	router := s.srv.cfg.Router
	if router == nil && s.effects.held == command.AllPartitions {
		return ""
	}
	mask, keyed := s.locate(spec, args)
	if !keyed {
		return ""
	}
	if router == nil {
		if mask&^s.effects.held != 0 { // EXEC locked what was queued, not more
			return errScriptNotLocal
		}
		return ""
	}
	v := router.Route(&s.query)
	st := &x.State
	switch {
	case v.Wait != nil:
		return errChangingHands
	case strings.HasPrefix(v.Err, "CLUSTERDOWN"):
		if strings.Contains(v.Err, "read") {
			return errScriptDownRO
		}
		return errScriptDown
	case v.Err != "":
		return errScriptNotLocal
	case mask&^s.effects.held != 0, !x.CrossSlot && (st.Keyed || x.Strict) && st.Slot >= 0 && st.Slot != s.query.Slot:
		return errScriptSlots
	}
	if st.Slot < 0 {
		st.Slot = s.query.Slot
	}
	s.granted = v.Stamp
	s.stamp()
	return ""
}

// clockScript counts the time up to here as the script's own.
func (s *Session) clockScript() { s.scriptTook += s.clock.lap() }

// settleScripted accounts for a script's call.
func (s *Session) settleScripted(spec *command.Spec, args [][]byte, reply []byte) {
	took := s.clock.lap()
	s.scriptTook += took
	failed := len(reply) > 0 && reply[0] == '-'
	if failed {
		s.srv.stats.errorReply(replyCode(reply[1:]))
	}
	s.tally.add(spec, took, failed, 1)
	s.srv.observe(s, spec, args, took)
	if s.srv.monitors.n.Load() != 0 {
		if spec.Flags&(command.Admin|command.SkipMonitor) == 0 {
			s.srv.showMonitors(monitorLine(s, args, s.clock.time(), true))
		}
	}
}

// scripts are the scripts that take long.
type scripts struct {
	n     atomic.Int32 // of them
	debug atomic.Bool  // scripts may call DEBUG

	mu sync.Mutex // a leaf
	// Guarded by mu.
	running map[*command.Script]longScript
}

// longScript is what others may know of a script that takes long.
type longScript struct {
	began    time.Time
	function bool
	whole    bool // it has every partition
}

func (a *scripts) begin(x *command.Script, whole bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == nil {
		a.running = map[*command.Script]longScript{}
	}
	a.running[x] = longScript{began: x.Began, function: x.Function, whole: whole}
	a.n.Store(int32(len(a.running)))
}

func (a *scripts) end(x *command.Script) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.running, x)
	a.n.Store(int32(len(a.running)))
}

// oldest is the script that has run longest, of those that have every partition
// if whole is set.
func (a *scripts) oldest(whole bool) (l longScript, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.running {
		if whole && !r.whole {
			continue
		}
		if !ok || r.began.Before(l.began) {
			l, ok = r, true
		}
	}
	return l, ok
}

// HoldScript implements [command.Host].
func (s *Session) HoldScript(x *command.Script) {
	if x.State.Held || s.srv.holder == nil || s.effects.held == 0 {
		return
	}
	x.State.Held = true
	s.srv.scripts.begin(x, s.effects.held == command.AllPartitions)
	s.srv.holder.Hold(s.effects.held)
	if f, ok := s.front.(interface{ handOver() }); ok && s.inline {
		f.handOver()
	}
}

// busyText is the answer to whoever can't wait for a script any longer.
func busyText(function bool) string {
	if function {
		return "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
	}
	return "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
}

// busy is why a command is refused while a script has the whole store for longer
// than busy-reply-threshold, or "".
func (s *Session) busyWith(spec *command.Spec) string {
	limit := s.limits.BusyReplyThreshold
	if limit <= 0 || spec.Flags&command.AllowBusy != 0 {
		return ""
	}
	l, ok := s.srv.scripts.oldest(true)
	if !ok || time.Since(l.began) < limit {
		return ""
	}
	return busyText(l.function)
}

// outlast waits for the end of a hold, with nothing locked, but not longer than
// busy-reply-threshold: then it returns the answer to the client.
func (s *Session) outlast(held <-chan struct{}, flags command.Flags) string {
	if !s.flush() {
		return gone
	}
	left := time.Duration(math.MaxInt64)
	l, ok := s.srv.scripts.oldest(false)
	if limit := s.limits.BusyReplyThreshold; limit > 0 && ok && flags&command.AllowBusy == 0 {
		left = limit - time.Since(l.began)
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-held:
	case <-s.Context().Done():
		return gone
	case <-t.C:
		select {
		case <-held:
		default:
			return busyText(l.function)
		}
	}
	s.clock.set(time.Now())
	return ""
}

// wantsAll reports whether a command wants every partition locked.
func (s *Session) wantsAll(spec *command.Spec, keyed bool) bool {
	return spec.Flags&command.WholeStore != 0 || spec.Flags&command.Scripting != 0 && (s.srv.cfg.Router == nil || !keyed)
}

// lock locks partitions for a command. Where a script has them it waits, or says
// why it doesn't, with nothing locked.
func (s *Session) lock(mask uint64, flags command.Flags) string {
	holder := s.srv.holder
	if mask == 0 {
		return ""
	}
	if holder == nil {
		s.srv.cfg.Keyspace.Lock(mask)
		return ""
	}
	for {
		held := holder.LockFree(mask)
		if held == nil {
			return ""
		}
		if s.inline {
			s.leave = true
			return gone
		}
		if text := s.outlast(held, flags); text != "" {
			return text
		}
	}
}
