package server

import (
	"time"

	"conclave/resp/command"
)

// transaction is the state of MULTI. It is owned by the session's goroutine.
type transaction struct {
	open   bool
	failed bool // a command was refused: EXEC will discard it all
	queue  []queued
	flags  command.Flags // union
	lacks  command.Flags // those of Loading and Stale that one of them hasn't
	waits  bool          // one of the commands may wait
}

// queued is one command that waits for EXEC.
type queued struct {
	spec *command.Spec
	args [][]byte
	// Of the keys: see command.Query. mask is 0 without keys.
	mask    uint64
	slot    int
	cross   bool
	keyed   bool
	channel bool
}

// TransactionSpecs are the commands of transactions.
func (s *Server) TransactionSpecs() []command.Spec {
	const flags = command.NoScript | command.Loading | command.Stale | command.AllowBusy
	return []command.Spec{
		{Name: "multi", Arity: 1, Flags: flags | command.Fast, ACL: command.CatTransaction, Group: "transactions", Since: "1.2.0", Cost: "O(1)",
			Doc: "Begins a transaction: the commands that follow are queued.", Run: multi},
		{Name: "exec", Arity: 1, Flags: flags&^command.AllowBusy | command.SkipSlowlog, ACL: command.CatTransaction, Group: "transactions", Since: "1.2.0", Cost: "Depends on commands in the transaction.",
			Doc: "Runs the queued commands of the transaction.",
			Run: func(*command.Ctx) {}}, // the session runs it itself
		{Name: "discard", Arity: 1, Flags: flags | command.Fast, ACL: command.CatTransaction, Group: "transactions", Since: "2.0.0", Cost: "O(N), when N is the number of queued commands",
			Doc: "Drops the transaction and forgets the watched keys.", Run: discard},
		{Name: "watch", Arity: -2, Flags: flags | command.Fast, ACL: command.CatTransaction, Group: "transactions", Since: "2.2.0", Cost: "O(1) for every key.",
			Doc: "Makes the next transaction fail if one of the keys changes before it runs.", Args: "key [key ...]",
			Keys: []command.KeySpec{{Begin: 1, Last: -1, Step: 1, Flags: command.RO}}, Run: watch},
		{Name: "unwatch", Arity: 1, Flags: flags | command.Fast, ACL: command.CatTransaction, Group: "transactions", Since: "2.2.0", Cost: "O(1)",
			Doc: "Forgets the watched keys.", Run: unwatch},
	}
}

func multi(c *command.Ctx) {
	s := c.Session.(*Session)
	if s.tx.open {
		c.Error("ERR MULTI calls can not be nested")
		return
	}
	s.tx.open = true
	s.queued.Store(0)
	c.OK()
}

func discard(c *command.Ctx) {
	s := c.Session.(*Session)
	if !s.tx.open {
		c.Error("ERR DISCARD without MULTI")
		return
	}
	s.discard()
	c.OK()
}

func watch(c *command.Ctx) {
	s := c.Session.(*Session)
	switch {
	case s.tx.open:
		c.Error("ERR WATCH inside MULTI is not allowed")
		return
	case !s.watch.Touched(): // a set that is dirty already can't get dirtier
		for _, key := range c.Args[1:] {
			s.srv.cfg.Keyspace.Watch(&s.watch, s.DB(), key, c.NowMs)
		}
		s.watching.Store(int32(len(s.watch.Keys)))
	}
	c.OK()
}

func unwatch(c *command.Ctx) {
	c.Session.(*Session).unwatch()
	c.OK()
}

func (s *Session) unwatch() {
	if len(s.watch.Keys) > 0 {
		s.srv.cfg.Keyspace.Unwatch(&s.watch)
	}
	s.watch.Reset()
	s.watching.Store(0)
}

// discard ends the transaction, if there is one, and forgets watched keys.
func (s *Session) discard() {
	s.tx = transaction{}
	s.queued.Store(-1)
	s.queueSize.Store(0)
	s.unwatch()
}

// queue checks a command for the transaction and keeps a copy of it.
func (s *Session) queue(spec *command.Spec, args [][]byte) {
	mask, keyed := s.locate(spec, args)
	flags := spec.CallFlags(args)
	if s.srv.pause.on.Load() && !s.waitPause(flags, keyed, mask) {
		return
	}
	if text, _ := s.enter(keyed, mask, spec.Flags); text != "" {
		if text != gone {
			s.reject(spec, text)
		}
		return
	}
	if mask != 0 {
		s.srv.cfg.Keyspace.Unlock(mask)
	}
	if !s.tx.failed && !s.watch.Touched() { // otherwise EXEC will run nothing
		size := 0
		for _, a := range args {
			size += len(a)
		}
		if max := s.parser.MaxQuery; max > 0 && s.queueSize.Add(int64(size+64)) > int64(max) {
			s.srv.failures.warn(s.srv.log, "client disconnected: transaction too large", "client", s.id, "addr", s.peer.Addr)
			s.srv.stats.queryLimit.Add(1)
			s.CloseWithoutReply()
			return
		}
		s.tx.queue = append(s.tx.queue, queued{
			spec: spec, args: clone(args, size),
			mask: mask, slot: s.query.Slot, cross: s.query.CrossSlot, keyed: keyed,
			channel: s.query.Channel,
		})
		s.tx.flags |= flags
		s.tx.lacks |= (command.Loading | command.Stale) &^ flags
		s.tx.waits = s.tx.waits || s.srv.slow[spec.Index()]
	}
	s.queued.Add(1)
	s.w.Simple("QUEUED")
}

// clone copies arguments of size bytes in all out of the request buffer.
func clone(args [][]byte, size int) [][]byte {
	text := make([]byte, 0, size)
	out := make([][]byte, len(args))
	for i, a := range args {
		n := len(text)
		text = append(text, a...)
		out[i] = text[n:len(text):len(text)]
	}
	return out
}

// execTransaction is EXEC: it routes the queued commands as one query, and
// runs them with the partitions of all their keys locked.
func (s *Session) execTransaction(spec *command.Spec, args [][]byte) {
	if !s.tx.open {
		s.w.Error("ERR EXEC without MULTI")
		s.account(spec, args, s.w.Len()-len("-ERR EXEC without MULTI\r\n"), 1)
		return
	}
	mask, keyed := s.gather()
	if s.srv.pause.on.Load() && !s.waitPause(s.tx.flags, keyed, mask) {
		return
	}
	if text := s.enterExec(keyed, mask); text != "" {
		return
	}
	// Watched keys are looked at under their locks, which are held on while
	// the commands run: nobody can change them in between.
	mark := s.w.Len()
	locked := mask | s.watch.Mask()
	if keyed {
		s.stamp()
	}
	switch {
	case s.tx.failed:
		s.w.Error("EXECABORT Transaction discarded because of previous errors.")
		s.unlock(locked)
		s.discard()
	case len(s.watch.Keys) > 0 && s.srv.cfg.Keyspace.Dirty(&s.watch, s.clock.ms()):
		s.w.NullArray()
		s.unlock(locked)
		s.discard()
	default:
		queue := s.tx.queue
		s.unwatch()
		s.effects.held = locked
		s.openUnit()
		s.runQueue(queue, locked)
		s.closeUnit()
		s.unlock(locked)
		s.discard()
	}
	s.account(spec, args, mark, 1)
}

// gather makes one query of the queued commands and returns the partitions
// they need. What MIGRATE and RESTORE-ASKING may do by themselves they may not
// inside EXEC, as in Redis: the exemption would hold for the others too.
func (s *Session) gather() (mask uint64, keyed bool) {
	q := &s.query
	*q = command.Query{Missing: q.Missing, ReadOnly: s.readOnly.Load(), TLS: s.peer.TLS, Asking: s.asking, Channel: true}
	s.subjects = s.subjects[:0]
	for i := range s.tx.queue {
		c := &s.tx.queue[i]
		if s.wantsAll(c.spec, c.keyed) {
			mask = command.AllPartitions
		}
		if !c.keyed {
			continue
		}
		if !keyed {
			q.Slot = c.slot
		}
		keyed = true
		mask |= c.mask
		q.CrossSlot = q.CrossSlot || c.cross || c.slot != q.Slot
		q.Write = q.Write || c.spec.Flags&command.Write != 0
		q.Channel = q.Channel && c.channel
		s.keys, _ = c.spec.AppendKeys(s.keys[:0], c.args)
		for _, k := range s.keys {
			s.subjects = append(s.subjects, c.args[k])
		}
	}
	q.Channel = q.Channel && keyed
	return mask, keyed
}

// enterExec is enter for a transaction: refused, it is discarded. A redirect
// is a plain error, a refusal by the state of the node an EXECABORT.
func (s *Session) enterExec(keyed bool, mask uint64) string {
	locked := mask | s.watch.Mask()
	text, gated := s.enter(keyed, locked, (s.tx.flags|s.srv.exec.Flags)&^s.tx.lacks)
	switch {
	case text == "" || text == gone:
	case gated:
		s.reject(s.srv.exec, text)
	default:
		s.discard()
		s.rejectPlain(s.srv.exec, text)
	}
	return text
}

// runQueue runs the commands of a transaction. Commands that wait, and groups that run as one, run with the locks given up;
// afterwards the slots may be elsewhere, and then the keyed commands behind
// them answer with the redirect instead of running.
func (s *Session) runQueue(queue []queued, locked uint64) {
	s.w.Array(len(queue))
	s.call.InExec = true
	s.call.NowMs = s.clock.ms()
	refused := "" // why keyed commands can't run any more
	for i := 0; i < len(queue); {
		c := &queue[i]
		n := batchOf(queue[i:])
		switch {
		case c.keyed && refused != "":
			s.rejectPlain(c.spec, refused)
		case s.denied(c.spec, c.args, "multi") != "":
			s.rejectPlain(c.spec, errRulesChanged)
		case n > 0 || c.spec.Flags&(command.Detached|command.WholeStore) == command.Detached:
			s.closeUnit()
			s.unlock(locked)
			s.effects.held = 0
			if n > 0 {
				s.runBatch(queue[i : i+n])
			} else {
				s.invoke(c.spec, c.args)
				n = 1
			}
			refused = s.reenter(queue[i+n:], locked)
			s.effects.held = locked
			s.openUnit()
			i += n
			continue
		default:
			s.invoke(c.spec, c.args)
		}
		i++
	}
	s.call.InExec = false
}

// reenter takes the locks again and asks whether the rest may still run here.
func (s *Session) reenter(rest []queued, locked uint64) (refused string) {
	keyed := false
	for i := range rest {
		keyed = keyed || rest[i].keyed
	}
	s.clock.set(time.Now())
	s.call.NowMs = s.clock.ms()
	if locked != 0 {
		s.srv.cfg.Keyspace.Lock(locked)
	}
	if !keyed || s.srv.cfg.Router == nil {
		return ""
	}
	v := s.srv.cfg.Router.Route(&s.query)
	switch {
	case v.Wait != nil: // can't be waited for here: half of it has run
		return errChangingHands
	case v.Err == "":
		s.granted = v.Stamp
		s.stamp()
	}
	return v.Err
}

// errRulesChanged answers a command that was allowed when it was queued.
const errRulesChanged = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand"

// batchOf is the number of commands at the head of the queue that run as one;
// 0 if the first is not of that kind.
func batchOf(queue []queued) int {
	if queue[0].spec.Batch == nil {
		return 0
	}
	n := 1
	for n < len(queue) && queue[n].spec.Batch != nil && queue[n].spec.BatchName == queue[0].spec.BatchName {
		n++
	}
	return n
}

func (s *Session) runBatch(group []queued) {
	cs := make([]*command.Ctx, len(group))
	for i := range group {
		c := command.NewCtx(s.srv.table, s, &s.w)
		c.Spec, c.Args, c.InExec, c.NowMs = group[i].spec, group[i].args, true, s.call.NowMs
		cs[i] = c
	}
	mark := s.w.Len()
	group[0].spec.Batch(cs)
	for i := range group {
		// The time of the whole is the first one's.
		s.account(group[i].spec, group[i].args, mark, 1)
		mark = s.w.Len()
	}
}

func (s *Session) unlock(mask uint64) {
	if mask != 0 {
		s.srv.cfg.Keyspace.Unlock(mask)
	}
}
