package server

import (
	"bytes"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp"
	"conclave/resp/command"
)

// A call that asked to wait (command.Ctx.Block) parks its session: nothing else
// of the client runs, and nothing of the server waits for it. Whoever ends the
// wait leaves the reply with it and wakes the session's goroutine or loop, which
// goes on from there (resume).

// outcome is how a wait ended.
type outcome uint8

const (
	stillWaiting outcome = iota
	answered             // the reply is there
	timeUp
	refused  // text is the reply
	rejected // likewise, and the call has not run
	abandoned
)

// wait is a call that waits. It belongs to the session's owner, apart from what
// is said otherwise.
type wait struct {
	s        *Session
	spec     *command.Spec
	args     [][]byte
	db       int
	ask      command.Wait
	mask     uint64 // of the partitions of all keys
	query    command.Query
	subjects [][]byte
	ticket   command.Ticket
	took     time.Duration // by the call so far
	limited  bool          // it ends by itself

	over atomic.Bool // it has ended: the owner may resume

	mu sync.Mutex // taken under the locks of partitions; its holder may change keys
	// Guarded by mu until over is set; not changed afterwards.
	timer   *time.Timer
	outcome outcome
	text    string
	reply   []byte
	stamp   command.Stamp
	// missed: a key changed while its slot was changing hands.
	missed bool
}

// waker is what drives a session, if it can be told to run it although no
// input has come.
type waker interface{ wake() }

const (
	errUnblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
	// maxWait keeps the end of a wait within what time.Duration can say.
	maxWait = int64(math.MaxInt64 / int64(time.Millisecond))
)

// block makes the session wait as the call under way, whose keys' partitions
// are locked, asked for. It reports whether it does: a call that can't wait is
// answered as if its time were up.
func (s *Session) block(ask *command.Wait, spec *command.Spec, args [][]byte) bool {
	list, c := s.srv.waitList, s.call
	if list == nil || c.InExec || spec.Flags&command.Detached != 0 || len(ask.Keys) == 0 {
		s.timedOut(ask, c)
		return false
	}
	size := 0
	for _, a := range args {
		size += len(a)
	}
	w := &wait{s: s, spec: spec, args: clone(args, size), db: s.DB(), ask: *ask, query: s.query}
	keys := make([][]byte, len(ask.Keys))
	for i, at := range ask.Keys {
		keys[i] = w.args[at]
	}
	s.keys, _ = spec.AppendKeys(s.keys[:0], w.args)
	for _, at := range s.keys {
		w.subjects = append(w.subjects, w.args[at])
		w.mask |= command.PartitionOf(command.SlotOf(w.args[at]))
	}
	w.query.Missing = func() (missing, distinct int) { return s.countMissing(w.subjects) }
	w.took = s.clock.lap()
	if s.srv.monitors.n.Load() != 0 {
		s.srv.feedMonitors(s, spec, args, s.clock.time())
	}
	s.wait = w
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticket = list.Await(w, w.db, keys)
	if w.limited = ask.Until > 0; w.limited {
		left := min(max(ask.Until-c.NowMs, 0), maxWait)
		w.timer = time.AfterFunc(time.Duration(left)*time.Millisecond, func() { w.end(timeUp, "") })
	}
	s.srv.waits.add(w)
	s.SetBlocked(func(withError bool) bool {
		if withError {
			return w.end(refused, errUnblocked)
		}
		return w.end(timeUp, "")
	})
	return true
}

// timedOut replies that the time is up.
func (s *Session) timedOut(ask *command.Wait, c *command.Ctx) {
	if ask.TimedOut != nil {
		ask.TimedOut(c)
	} else {
		c.NullArray()
	}
}

// end ends the wait, unless it has ended. Any goroutine may call it.
func (w *wait) end(o outcome, text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outcome != stillWaiting {
		return false
	}
	w.outcome, w.text = o, text
	w.finish()
	return true
}

// finish lets the session go on. mu is held, and the outcome is set.
func (w *wait) finish() {
	s := w.s
	w.ticket.Withdraw()
	if w.timer != nil {
		w.timer.Stop()
	}
	s.srv.waits.remove(w)
	s.SetBlocked(nil)
	w.over.Store(true)
	if s.waker != nil && w.outcome != abandoned {
		s.waker.wake()
	}
}

// resume ends the call that waited with its reply. It reports whether the
// session goes on.
func (s *Session) resume() bool {
	w := s.wait
	if !w.over.Load() {
		return false
	}
	s.wait = nil
	s.takeOver()
	mark := s.w.Len()
	c := s.call
	c.Spec, c.Args, c.InExec, c.NowMs = w.spec, w.args, false, s.clock.ms()
	switch w.outcome {
	case answered:
		s.w.Raw(w.reply)
		if s.srv.cfg.Router != nil {
			s.granted = w.stamp
			s.stamp()
		}
	case timeUp:
		s.timedOut(&w.ask, c)
	case rejected:
		s.rejectPlain(w.spec, w.text)
		s.afterCommand(mark)
		return true
	default:
		s.w.Error(w.text)
	}
	s.settle(w.spec, w.args, mark, 1, w.took+s.clock.lap())
	s.afterCommand(mark)
	return true
}

// parked reports whether a call waits, or has waited and not been resumed.
func (s *Session) parked() bool { return s.wait != nil }

// waits are the calls that wait, and those who look after them.
type waits struct {
	n, limited atomic.Int64

	mu sync.Mutex // a leaf
	// Guarded by mu.
	all map[*wait]bool

	// serving is held while calls are looked at, by whoever does so; no
	// partition's lock is held when it is taken. So the replies of a command that
	// changed a key leave after the calls that wait for the key were looked at.
	serving sync.Mutex
	// Guarded by serving.
	postponed []readyKey // a script that takes long has the partition
	batch     []command.Waiting
	reply     resp.Writer
}

type readyKey struct {
	db  int
	key []byte
}

func (a *waits) add(w *wait) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[*wait]bool{}
	}
	a.all[w] = true
	a.n.Add(1)
	if w.limited {
		a.limited.Add(1)
	}
}

func (a *waits) remove(w *wait) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, w)
	a.n.Add(-1)
	if w.limited {
		a.limited.Add(-1)
	}
}

// snapshot is the calls that wait now.
func (a *waits) snapshot() []*wait {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*wait, 0, len(a.all))
	for w := range a.all {
		all = append(all, w)
	}
	return all
}

// BlockedFigures are INFO's figures of clients that wait.
type BlockedFigures struct {
	Clients, Limited  int64 // that wait for keys: all, and those for a limited time
	Paused            int64 // that CLIENT PAUSE holds back
	Keys, RemovalKeys int   // for which they wait, also for their removal
}

// BlockedFigures are those of the moment.
func (s *Server) BlockedFigures() BlockedFigures {
	f := BlockedFigures{Clients: s.waits.n.Load(), Limited: s.waits.limited.Load(), Paused: s.pause.held.Load()}
	if f.Clients == 0 {
		return f
	}
	f.Keys = s.waitList.AwaitedKeys()
	removals := map[command.WatchedKey]bool{}
	for _, w := range s.waits.snapshot() {
		if w.ask.Removal {
			for _, i := range w.ask.Keys {
				removals[command.WatchedKey{DB: w.db, Key: string(w.args[i])}] = true
			}
		}
	}
	f.RemovalKeys = len(removals)
	return f
}

// EndWaits ends the waits of all clients with an error, because the node has
// become another kind of node. No partition is locked.
func (s *Server) EndWaits(text string) {
	for _, w := range s.waits.snapshot() {
		w.end(refused, text)
	}
}

// firstWaiting is how many calls are looked at first when a key is ready: mostly
// what has come is enough for fewer.
const firstWaiting = 8

// ServeReady lets calls that wait look at keys that have changed, until there is
// nothing left that one of them could take. Sessions do so after each command;
// whoever changes keys otherwise may. No partition is locked.
func (s *Server) ServeReady() {
	if s.scripts.n.Load() != 0 {
		return // they are looked at when it has ended; an event loop must not wait
	}
	a := &s.waits
	a.serving.Lock()
	defer a.serving.Unlock()
	again := a.postponed
	a.postponed = nil
	for {
		var k readyKey
		if len(again) > 0 {
			k, again = again[0], again[1:]
		} else {
			var ok bool
			if k.db, k.key, ok = s.waitList.NextReady(); !ok {
				return
			}
		}
		if !s.serveKey(k.db, k.key) {
			a.postponed = append(append(a.postponed, k), again...)
			return
		}
		s.waitList.Looked()
	}
}

// lockFree locks partitions, unless somebody holds one for long: such as a script,
// whose session looks at what is ready at its end.
func (s *Server) lockFree(mask uint64) bool {
	if s.holder != nil {
		return s.holder.LockFree(mask) == nil
	}
	s.cfg.Keyspace.Lock(mask)
	return true
}

// serveKey has the calls that wait for a key look at it, first come, first
// served. It reports whether they could.
func (s *Server) serveKey(db int, key []byte) bool {
	a := &s.waits
	after, absent := uint64(0), false
	for n := firstWaiting; ; n *= 4 {
		a.batch = s.waitList.Waiting(a.batch[:0], db, key, after, n)
		for _, x := range a.batch {
			w := x.Call.(*wait)
			if absent && !w.ask.Removal {
				continue
			}
			if !s.lockFree(w.mask) {
				return false
			}
			absent = !s.serve(w, db, key)
			s.cfg.Keyspace.Unlock(w.mask)
		}
		if len(a.batch) < n {
			clear(a.batch)
			return true
		}
		after = a.batch[n-1].Number
	}
}

// serve has a call look at a key, with the partitions of all of its keys locked.
// It reports whether the key is there afterwards.
func (s *Server) serve(w *wait, db int, key []byte) (there bool) {
	ks := s.cfg.Keyspace
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().UnixMilli()
	if there = ks.Exists(db, key, now); !there {
		if e, ok := ks.(command.Expirer); ok {
			e.Expire(db, key, now)
		}
	}
	if w.outcome != stillWaiting || w.s.killed.Load() || !there && !w.ask.Removal {
		return there
	}
	if why := w.s.denied(w.spec, w.args, "toplevel"); why != "" {
		w.reject("NOPERM " + why)
		return there
	}
	redirect := ""
	if s.cfg.Router != nil {
		v := s.cfg.Router.Route(&w.query)
		switch {
		case v.Wait != nil:
			w.missed = true // recheck comes back to it
			return there
		case v.Err != "" && (there || leftHere(v.Err)):
			w.reject(v.Err)
			return there
		}
		w.stamp, redirect = v.Stamp, v.Err
	}
	if s.cfg.Gate != nil {
		if text := s.cfg.Gate(w.spec.Flags); text != "" {
			w.reject(text)
			return there
		}
	}
	if !w.try(key, now, &s.waits.reply) {
		return ks.Exists(db, key, now)
	}
	if redirect != "" {
		// What there was to say is that the key has gone, and it went elsewhere.
		w.reject(redirect)
		return false
	}
	w.reply = bytes.Clone(s.waits.reply.Bytes())
	w.outcome = answered
	w.finish()
	return ks.Exists(db, key, now)
}

// reject is end for the holder of mu.
func (w *wait) reject(text string) {
	w.outcome, w.text = rejected, text
	w.finish()
}

// try runs Retry, with the partitions locked, and reports what it reports.
func (w *wait) try(key []byte, now int64, reply *resp.Writer) (done bool) {
	s := w.s
	buf := reply.Bytes()
	if cap(buf) > keepOutput {
		buf = nil
	}
	reply.Reset(buf)
	reply.SetProto(s.Proto())
	c := command.NewCtx(s.srv.table, s, reply)
	c.Spec, c.Args, c.NowMs = w.spec, w.args, now
	s.effects.held = w.mask
	tracked := s.srv.tracking.on.Load() != 0
	if tracked {
		s.claim(w.mask)
	}
	s.holdForAnswer()
	s.run(c, func(c *command.Ctx) { done = w.ask.Retry(c, key) })
	if tracked {
		if done {
			s.remember(w.spec, w.args)
		}
		s.disclaim(w.mask)
		s.settleTracking()
	}
	if !done {
		s.stopHolding()
	}
	return done
}

// leftHere reports whether an error of the router says that the slot is not
// served here any more; ASK and TRYAGAIN are about keys.
func leftHere(text string) bool {
	switch errorCode(text) {
	case "ASK", "TRYAGAIN":
		return false
	}
	return true
}

// recheckPeriod is how often the router is asked about calls that wait. With
// many of them it is less often.
const (
	recheckPeriod = 100 * time.Millisecond
	recheckMany   = 1000
)

// recheck sends calls away that wait for keys of a slot that is not served here
// any more, and looks at keys that nobody else has looked at.
func (s *Server) recheck(turn int) {
	if s.waitList == nil {
		return
	}
	if n := s.waits.n.Load(); s.cfg.Router != nil && n > 0 && (n < recheckMany || turn%10 == 0) {
		for _, w := range s.waits.snapshot() {
			s.reroute(w)
		}
	}
	if s.ready.Load() != 0 {
		s.ServeReady()
	}
}

// reroute asks the router about one call.
func (s *Server) reroute(w *wait) {
	if !s.lockFree(w.mask) {
		return // later
	}
	v := s.cfg.Router.Route(&w.query)
	s.cfg.Keyspace.Unlock(w.mask)
	switch {
	case v.Wait != nil:
	case v.Err == "" && w.takeMissed():
		s.waits.serving.Lock()
		defer s.waits.serving.Unlock()
		for _, i := range w.ask.Keys {
			if !s.serveKey(w.db, w.args[i]) {
				w.setMissed()
				return
			}
		}
	case v.Err != "" && leftHere(v.Err):
		w.end(rejected, v.Err)
	}
}

func (w *wait) setMissed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missed = true
}

func (w *wait) takeMissed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	missed := w.missed
	w.missed = false
	return missed
}
