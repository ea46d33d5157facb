package server

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"conclave/resp"
	"conclave/resp/command"
)

// roomEvery is how many commands of a batch run between two looks at the memory
// limit: what they can add in between is little, and a look costs as much as a
// command.
const roomEvery = 16

// flushAt is how much output may collect within a batch.
const flushAt = 64 << 10

// Input is the room for the next bytes from the client.
func (s *Session) Input() []byte { return s.parser.Space() }

// Fed reports that n bytes were put into Input.
func (s *Session) Fed(n int) {
	s.parser.Fed(n)
	s.bytesIn.Add(int64(n))
	s.tally.bytesIn += int64(n)
}

// Process runs every complete command of the input, as one batch, and sends
// the replies. It reports whether the connection goes on.
func (s *Session) Process() bool {
	s.busy.Store(true)
	s.begin(time.Now())
	s.work()
	s.tally.flush()
	ok := s.end()
	s.busy.Store(false)
	return ok
}

// begin starts a batch.
func (s *Session) begin(now time.Time) {
	s.clock.set(now)
	set(&s.active, s.clock.ms())
	s.limits = s.srv.limits()
	s.parser.MaxBulk, s.parser.MaxQuery = s.limits.MaxBulk, int(s.limits.MaxQuery)
	s.stalled = false
}

// work runs the commands that have come. It stops early if the connection is
// to end, if the client doesn't read its replies (stalled), or if a command
// can't run here (leave).
func (s *Session) work() {
	if s.wait != nil && !s.resume() {
		if most := s.parser.MaxQuery; most > 0 && s.parser.Buffered() > most {
			s.malformed(resp.ErrQueryLimit) // it is only read meanwhile, not run
		}
		return
	}
	for s.wait == nil && !s.closing && !s.killed.Load() {
		if s.ahead == 0 {
			s.prepare()
		}
		args, err := s.parser.Next()
		if err != nil {
			s.malformed(err)
			break
		}
		if args == nil {
			break
		}
		s.ahead--
		s.execute(args)
		if s.leave {
			s.parser.Unread()
			break
		}
		if n := s.w.Len(); n > flushAt && !s.relieve(n) {
			break
		}
	}
	s.ahead = 0
	s.commands.Add(s.ran)
	s.ran = 0
}

// relieve sends output in the middle of a batch. It reports whether to go on.
func (s *Session) relieve(n int) bool {
	if s.inline && s.mustHold() {
		s.stalled = true
		return false
	}
	if s.overLimit(n) || !s.flush() {
		return false
	}
	s.stalled = s.mustWait()
	return !s.stalled
}

// end sends the replies of a batch.
func (s *Session) end() bool {
	ok := !s.killed.Load() && !s.overLimit(s.w.Len())
	if s.monitorNext && ok {
		ok = s.beginMonitor()
	}
	ok = ok && s.flush() && !s.closing
	set(&s.inputLen, int64(s.parser.Buffered()))
	set(&s.inputCap, int64(s.parser.Cap()))
	set(&s.active, s.clock.ms())
	return ok
}

// set avoids the cost of a store that changes nothing.
func set(a *atomic.Int64, v int64) {
	if a.Load() != v {
		a.Store(v)
	}
}

// lookAhead is how many commands of a pipeline are prepared before the first
// of them runs.
const lookAhead = 32

// prepare looks at the requests that are next: the store is told of their keys,
// so that memory is on its way to the processor before it is needed.
func (s *Session) prepare() {
	if !s.authed.Load() {
		s.parser.Strict = true
		s.ahead = s.parser.Ahead(1)
		return
	}
	s.parser.Strict = false
	s.ahead = s.parser.Ahead(lookAhead)
	touch := s.srv.toucher
	if s.ahead < 2 || touch == nil {
		return
	}
	n := 0
	for i := range min(s.ahead, lookAhead) {
		spec := s.find(s.parser.Peek(i, 0))
		if spec == nil || spec.SimpleKey() == 0 {
			continue
		}
		if key := s.parser.Peek(i, spec.SimpleKey()); key != nil {
			s.peeks[n] = key
			n++
		}
	}
	if n > 1 {
		touch.Touch(s.DB(), s.peeks[:n])
	}
}

// malformed ends the connection over a request that can't be parsed.
func (s *Session) malformed(err error) {
	s.closing = true
	var p resp.ProtocolError
	if errors.As(err, &p) {
		s.w.Error("ERR " + p.Error())
		s.srv.stats.errorReply("ERR")
		return
	}
	s.srv.failures.warn(s.srv.log, "client disconnected: request too large", "client", s.id, "addr", s.peer.Addr)
	s.srv.stats.queryLimit.Add(1)
}

// execute takes one request through the checks, in the order that Redis has
// them, and runs, queues or rejects it.
func (s *Session) execute(args [][]byte) {
	mark := s.w.Len()
	spec := s.find(args[0])
	if spec != nil && len(spec.Sub) > 0 && len(args) > 1 {
		if sub := s.srv.table.Subcommand(spec, args[1]); sub != nil {
			spec = sub
		}
	}
	if text := s.refusal(spec, args); text != "" {
		s.reject(spec, text)
	} else {
		if s.inline && s.mayWait(spec) {
			s.leave = true
			return
		}
		if s.lastCmd.Load() != spec {
			s.lastCmd.Store(spec)
		}
		if s.ran%roomEvery == 0 {
			if s.srv.cfg.MakeRoom != nil {
				s.srv.cfg.MakeRoom()
			}
			if s.srv.tracking.on.Load() != 0 {
				s.srv.limitTracking(100)
			}
		}
		switch {
		case spec == s.srv.exec:
			s.execTransaction(spec, args)
		case s.tx.open && !s.srv.urgent[spec.Index()]:
			s.queue(spec, args)
		default:
			s.perform(spec, args)
		}
	}
	if s.leave {
		return
	}
	if s.wait == nil {
		s.afterCommand(mark)
	}
	if s.pushable {
		s.takePushes()
	}
	if s.srv.ready.Load() != 0 {
		s.srv.ServeReady()
	}
}

// mayWait reports whether a command can't run on an event loop, because it may
// wait for something or take long. A pause and a slot that changes hands are
// noticed later, in waitPause and enter.
func (s *Session) mayWait(spec *command.Spec) bool {
	switch {
	case spec == s.srv.exec:
		return s.tx.waits
	case s.tx.open && !s.srv.urgent[spec.Index()]:
		return false // it is only queued
	}
	return s.srv.slow[spec.Index()]
}

// find looks a command up, remembering the last one.
func (s *Session) find(name []byte) *command.Spec {
	if string(name) == string(s.seen[:s.seenLen]) && s.seenAs != nil {
		return s.seenAs
	}
	spec := s.srv.table.Lookup(name)
	if spec != nil && len(name) <= len(s.seen) {
		s.seenLen, s.seenAs = copy(s.seen[:], name), spec
	}
	return spec
}

// refusal is why a request can't be run before its keys are looked at, or "".
func (s *Session) refusal(spec *command.Spec, args [][]byte) string {
	if spec == nil {
		return s.unknown(args)
	}
	if len(spec.Sub) > 0 && len(args) > 1 {
		return "ERR unknown subcommand '" + clip(args[1], 128) + "'. Try " + strings.ToUpper(spec.Name) + " HELP."
	}
	if spec.Run == nil || !spec.ArityOK(len(args)) {
		return wrongArity(spec)
	}
	if spec.Flags&(command.Protected|command.NoMulti) != 0 || !s.authed.Load() || s.pushable || s.srv.scripts.n.Load() != 0 {
		if text := s.forbidden(spec); text != "" {
			return text
		}
	}
	if s.perms != nil && !s.perms.Unrestricted() {
		if why := s.denied(spec, args, s.refusalContext()); why != "" {
			return "NOPERM " + why
		}
	}
	return ""
}

func (s *Session) forbidden(spec *command.Spec) string {
	if spec.Is(command.Protected) {
		if allow := s.srv.cfg.AllowProtected; allow == nil || !allow(s.peer.Loopback) {
			return errProtected(spec)
		}
	}
	switch {
	case !s.authed.Load() && !spec.Is(command.NoAuth):
		return "NOAUTH Authentication required."
	case s.tx.open && spec.Is(command.NoMulti):
		return "ERR Command not allowed inside a transaction"
	case s.srv.scripts.n.Load() != 0 && s.busyWith(spec) != "":
		return s.busyWith(spec)
	case s.pushable && s.w.Proto() == 2 && !s.srv.hub.allowed[spec.Index()] && s.Subscribed():
		return "ERR Can't execute '" + spec.FullName() + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
	}
	return ""
}

// unknown is the error for a command that doesn't exist. Browsers that were
// tricked into talking to this port are cut off, as in Redis.
func (s *Session) unknown(args [][]byte) string {
	if command.EqualFold(args[0], "post") || command.EqualFold(args[0], "host:") {
		s.srv.failures.warn(s.srv.log, "client disconnected: it speaks HTTP; possible cross-protocol scripting attack", "client", s.id, "addr", s.peer.Addr)
		s.CloseWithoutReply()
	}
	var b strings.Builder
	for _, a := range args[1:] {
		if b.Len() >= 128 {
			break
		}
		b.WriteString("'" + clip(a, 128-b.Len()) + "' ")
	}
	return "ERR unknown command '" + clip(args[0], 128) + "', with args beginning with: " + b.String()
}

// clip is the first n bytes of b, up to a zero byte as C prints strings.
func clip(b []byte, n int) string {
	b = b[:min(len(b), n)]
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

func wrongArity(spec *command.Spec) string {
	return "ERR wrong number of arguments for '" + spec.FullName() + "' command"
}

func errProtected(spec *command.Spec) string {
	name := spec.Name
	if spec.Container() != nil {
		name = spec.Container().Name
	}
	name = strings.ToUpper(name)
	return "ERR " + name + ` command not allowed. If the enable-` + strings.ToLower(name) + `-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`
}

// reject answers a request that isn't run. Inside MULTI the transaction is
// lost; EXEC itself is discarded with the reason.
func (s *Session) reject(spec *command.Spec, text string) {
	if spec != nil && spec == s.srv.exec {
		if s.tx.open {
			s.discard()
		}
		text = "EXECABORT Transaction discarded because of: " + strings.TrimPrefix(text, "ERR ")
	} else if s.tx.open {
		s.tx.failed = true
	}
	s.rejectPlain(spec, text)
}

func (s *Session) rejectPlain(spec *command.Spec, text string) {
	s.w.Error(text)
	s.srv.stats.rejected(spec)
	s.srv.stats.errorReply(errorCode(text))
}

func errorCode(text string) string {
	if i := strings.IndexByte(text, ' '); i > 0 {
		return text[:i]
	}
	return text
}

// perform routes, locks and runs a command outside a transaction.
func (s *Session) perform(spec *command.Spec, args [][]byte) {
	mask, keyed := s.locate(spec, args)
	if s.srv.pause.on.Load() && !s.waitPause(spec.CallFlags(args), keyed, mask) {
		return
	}
	if spec.Flags&(command.WholeStore|command.Scripting) != 0 && spec.Flags&command.Detached == 0 && s.wantsAll(spec, keyed) {
		mask = command.AllPartitions
	}
	if text, _ := s.enter(keyed, mask, spec.Flags); text != "" {
		if text != gone {
			s.reject(spec, text)
		}
		return
	}
	if keyed {
		s.stamp()
	}
	detached := mask == 0 || spec.Flags&command.Detached != 0
	if detached && mask != 0 {
		s.srv.cfg.Keyspace.Unlock(mask)
	}
	s.call.InExec = false
	s.call.NowMs = s.clock.ms()
	s.effects.held = mask
	if detached {
		s.effects.held = 0
	}
	s.invoke(spec, args)
	if !detached {
		s.srv.cfg.Keyspace.Unlock(mask)
	}
}

// invoke runs a command and accounts for it. Locks are the caller's business.
func (s *Session) invoke(spec *command.Spec, args [][]byte) {
	c := s.call
	c.Spec, c.Args = spec, args
	tracked := s.prepareTracking()
	mark := s.w.Len()
	if spec.Flags&(command.Write|command.MayReplicate) == 0 {
		spec.Run(c)
	} else {
		s.run(c, spec.Run)
	}
	if tracked {
		s.remember(spec, args)
	}
	if s.track.claimed != 0 {
		s.disclaim(command.AllPartitions)
	}
	if w := c.TakeWait(); w != nil && s.block(w, spec, args) {
		return
	}
	s.account(spec, args, mark, 1)
}

// account counts a call that began at the clock's last reading and has just
// ended.
func (s *Session) account(spec *command.Spec, args [][]byte, mark, calls int) {
	s.settle(spec, args, mark, calls, s.scriptTook+s.clock.lap())
	s.scriptTook = 0
	if s.srv.monitors.n.Load() != 0 {
		s.srv.feedMonitors(s, spec, args, s.clock.time())
	}
	if len(s.redact) > 0 {
		s.redact = s.redact[:0]
	}
}

// settle is account for a call that has been shown to monitors.
func (s *Session) settle(spec *command.Spec, args [][]byte, mark, calls int, took time.Duration) {
	if s.proto.Load() != int32(s.w.Proto()) {
		s.proto.Store(int32(s.w.Proto()))
	}
	failed := false
	if b := s.w.Bytes(); len(b) > mark && b[mark] == '-' {
		failed = true
		if !s.outcomeCounted {
			s.srv.stats.errorReply(replyCode(b[mark+1:]))
		}
	}
	s.outcomeCounted = false
	s.tally.add(spec, took, failed, calls)
	s.ran += int64(calls)
	s.srv.observe(s, spec, args, took)
}

// replyCode is the first word of an error reply.
func replyCode(b []byte) string {
	for i, c := range b {
		if c == ' ' || c == '\r' {
			return string(b[:i])
		}
		if i == 32 {
			break
		}
	}
	return "ERR"
}

// afterCommand settles what holds for one command: ASKING and CLIENT REPLY.
func (s *Session) afterCommand(mark int) {
	if s.askingFresh {
		s.askingFresh = false
	} else if s.asking && !s.tx.open {
		s.asking = false
	}
	s.settleTracking()
	if s.replyOff {
		s.w.Truncate(mark)
	} else if s.replySkip > 0 {
		s.replySkip--
		s.w.Truncate(mark)
	}
}
