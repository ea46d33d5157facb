package repl

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"conclave/kv"
	"conclave/resp"
	"conclave/resp/command"
)

// applyAtMost is how much of the stream is applied under one hold of the locks,
// unless a transaction is longer.
const applyAtMost = 32 << 10

// follow applies the primary's stream until the link breaks.
func (l *link) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var acks sync.WaitGroup
	defer acks.Wait()
	defer cancel()
	acks.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			_ = l.ack() // a broken link is noticed by who reads
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	a := l.n.newApplier()
	a.ack = l.ack
	buf := make([]byte, 0, 64<<10)
	for {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		m, err := l.r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+m]
		if m > 0 {
			used, bad := a.take(buf)
			if bad != nil {
				return fmt.Errorf("the primary's stream: %w", bad)
			}
			if buf = buf[:copy(buf, buf[used:])]; cap(buf) > 1<<20 && len(buf) == 0 {
				buf = make([]byte, 0, 64<<10)
			}
		}
		if err != nil {
			return err
		}
	}
}

// ack tells the primary how far this node is.
func (l *link) ack() error {
	offset := strconv.AppendInt(nil, l.n.stream.offset(), 10)
	return l.write(command.AppendCall(nil, []byte("REPLCONF"), []byte("ACK"), offset))
}

// applier runs the calls of a primary's stream.
type applier struct {
	n       *Node
	ack     func() error
	c       *command.Ctx
	w       resp.Writer
	session streamSession
	unit    command.Unit
	calls   [][][]byte
	failed  int
}

func (n *Node) newApplier() *applier {
	a := &applier{n: n}
	n.mu.Lock()
	a.session.db = n.selected
	n.mu.Unlock()
	a.c = command.NewCtx(n.table, &a.session, &a.w)
	a.c.Keep(false)
	a.c.InExec, a.c.Obey = true, true
	return a
}

// take applies the whole calls of b, transactions only if they are whole too, and
// returns how much of b that was.
func (a *applier) take(b []byte) (used int, err error) {
	longest := a.n.cfg.Settings().MaxString
	at, multi := 0, false
	asked := false
	a.calls = a.calls[:0]
	for at < len(b) {
		args, size, err := parseCall(b[at:], longest)
		if err != nil {
			return used, err
		}
		if size == 0 {
			break
		}
		at += size
		if len(args) > 0 {
			switch {
			case command.EqualFold(args[0], "multi"):
				multi = true
			case command.EqualFold(args[0], "exec"):
				multi = false
			case command.EqualFold(args[0], "replconf"):
				asked = asked || len(args) > 1 && command.EqualFold(args[1], "getack")
			default:
				a.calls = append(a.calls, args)
			}
		}
		if multi || at-used < applyAtMost && at < len(b) {
			continue
		}
		if err := a.apply(b[used:at]); err != nil {
			return used, err
		}
		used = at
	}
	if !multi && at > used {
		if err := a.apply(b[used:at]); err != nil {
			return used, err
		}
		used = at
	}
	if asked {
		return used, a.ack()
	}
	return used, nil
}

// apply runs the calls that have been gathered. raw is their text.
func (a *applier) apply(raw []byte) error {
	n := a.n
	n.cfg.Store.Lock(command.AllPartitions)
	kept := n.cfg.Disk.Wanted()
	a.c.NowMs = 0
	for _, args := range a.calls {
		if err := a.run(args, kept); err != nil {
			n.cfg.Store.Unlock(command.AllPartitions)
			return err
		}
	}
	n.mu.Lock()
	n.selected = a.session.db
	n.mu.Unlock()
	n.stream.append(raw, a.session.db)
	if a.unit.Len() > 0 {
		a.unit.NowMs = time.Now().UnixMilli()
		n.cfg.Disk.Feed(&a.unit)
		a.unit.Reset()
	}
	n.cfg.Store.Unlock(command.AllPartitions)
	clear(a.calls)
	a.calls = a.calls[:0]
	if n.cfg.Applied != nil {
		n.cfg.Applied()
	}
	return nil
}

// noClock is the time as calls of the primary see it: nothing has expired. When a
// key expired the primary says.
const noClock = 1

// run runs a call. Every partition is locked.
func (a *applier) run(args [][]byte, kept bool) error {
	n := a.n
	switch word := args[0]; {
	case command.EqualFold(word, "ping"):
		return nil
	case command.EqualFold(word, "select") && len(args) == 2:
		db, ok := kv.ParseInt(args[1])
		if !ok || db < 0 || db >= int64(n.cfg.Store.Databases()) {
			return fmt.Errorf("it selects database %.20q, but there are only %d", args[1], n.cfg.Store.Databases())
		}
		a.session.db = int(db)
		return nil
	case len(args) == 3 && (command.EqualFold(word, "publish") || command.EqualFold(word, "spublish")):
		if n.cfg.Publish != nil {
			n.cfg.Publish(len(word) == len("spublish"), args[1], args[2])
		}
		return nil
	}
	spec := n.table.Resolve(args)
	// A primary sends what changes data and never waits. Nothing else has a place
	// here.
	if spec == nil || spec.Run == nil || !spec.ArityOK(len(args)) || spec.Flags&command.Write == 0 || spec.Flags&(command.Detached|command.Protected) != 0 {
		return fmt.Errorf("it has a call of %.128q, which can't be applied", args[0])
	}
	c := a.c
	c.Spec, c.Args = spec, args
	if c.NowMs = noClock; relative(spec.Name) {
		c.NowMs = time.Now().UnixMilli()
	}
	spec.Run(c)
	c.TakeWait()
	c.TakeEffects()
	if b := a.w.Bytes(); len(b) > 0 && b[0] == '-' {
		if a.failed++; a.failed == 1 {
			n.log.Warn("a call of the primary failed here", "call", string(args[0]), "reply", string(b[:min(len(b), 128)]))
		}
	}
	a.w.Truncate(0)
	if kept {
		a.unit.Add(a.session.db, args...)
	}
	return nil
}

// relative reports whether a command counts from now: old primaries send such.
func relative(name string) bool {
	switch name {
	case "expire", "pexpire", "setex", "psetex":
		return true
	}
	return false
}

// streamSession is the client of applied calls.
type streamSession struct{ db int }

func (s *streamSession) ID() uint64       { return 0 }
func (s *streamSession) DB() int          { return s.db }
func (s *streamSession) SetDB(n int)      { s.db = n }
func (s *streamSession) NoTouch() bool    { return true }
func (s *streamSession) ReadOnly() bool   { return false }
func (s *streamSession) SetReadOnly(bool) {}
func (s *streamSession) SetAsking()       {}
func (s *streamSession) Host() string     { return "" }
func (s *streamSession) TLS() bool        { return false }
