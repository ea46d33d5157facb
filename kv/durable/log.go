package durable

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"conclave/kv/persist"
	"conclave/resp/command"
)

const (
	// gatherFor is how long data are gathered before they are written, unless
	// somebody waits for them.
	gatherFor = 10 * time.Millisecond
	// syncPeriod is how often appendfsync everysec makes durable what was written.
	syncPeriod = time.Second
	// longestUnsynced is how old what isn't durable may become with it before
	// replies are held back.
	longestUnsynced = 2 * time.Second
	// retryWrite is how long after a failed write it is tried again.
	retryWrite = 100 * time.Millisecond
)

// appendLog is the append-only file that is being written: units are taken by
// Feed, and a goroutine writes them.
type appendLog struct {
	set func() *Settings

	on      atomic.Bool // changes while every partition is locked
	policy  atomic.Int32
	stalled atomic.Bool  // everysec, but the disk doesn't keep up
	fed     atomic.Int64 // position: bytes taken so far
	durable atomic.Int64 // position up to which they are on disk
	wrote   atomic.Int64 // position up to which they are in the file
	failed  atomic.Bool  // for good

	mu sync.Mutex
	// Guarded by mu.
	chunks   []chunk // to be written before pending
	pending  []byte
	to       *part // where pending belongs
	db       int   // that pending has selected; -1: none
	unix     int64 // the last time stamp
	woken    bool  // the writer knows that there is something to do
	waiting  chan struct{}
	releases []func()

	wake  chan struct{} // one token: there is something to do
	hurry chan struct{} // one token: somebody waits for it

	// For INFO.
	writeFailed atomic.Bool
	writeError  atomic.Pointer[string]
	size        atomic.Int64 // of all parts
	baseSize    atomic.Int64 // when the last base was made
	unsynced    atomic.Int64 // Unix ms since when there are data that aren't durable; 0 = there are none
	syncing     atomic.Bool
	delayed     atomic.Int64
	buffered    atomic.Int64
}

// part is a file that is being written.
type part struct{ *persist.AOFWriter }

// chunk is text for a part.
type chunk struct {
	to   *part
	text []byte
	end  int64 // position behind it
}

func (l *appendLog) init(set func() *Settings) {
	l.set, l.db = set, -1
	l.wake, l.hurry = make(chan struct{}, 1), make(chan struct{}, 1)
}

// Wanted implements [command.Feed].
func (l *appendLog) Wanted() bool { return l.on.Load() }

// Feed implements [command.Feed].
func (l *appendLog) Feed(u *command.Unit) {
	l.mu.Lock()
	l.stamp(u.NowMs)
	from := len(l.pending)
	l.pending = u.Append(l.pending, &l.db)
	l.took(len(l.pending) - from)
	l.mu.Unlock()
}

// del takes the removal of a key that no command removed.
func (l *appendLog) del(db int, key []byte) {
	if !l.on.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	from := len(l.pending)
	l.pending = command.AppendSelect(l.pending, &l.db, db)
	l.pending = command.AppendCall(l.pending, delWord, key)
	l.took(len(l.pending) - from)
}

var delWord = []byte("DEL")

// stamp writes the time, if that is asked for. mu is locked.
func (l *appendLog) stamp(nowMs int64) {
	if l.set().Timestamps && nowMs/1000 > l.unix {
		l.unix = nowMs / 1000
		from := len(l.pending)
		l.pending = persist.AppendTimestamp(l.pending, l.unix)
		l.fed.Add(int64(len(l.pending) - from))
	}
}

// took notes that n bytes were added to pending. mu is locked.
func (l *appendLog) took(n int) {
	l.fed.Add(int64(n))
	if l.unsynced.Load() == 0 {
		l.unsynced.CompareAndSwap(0, time.Now().UnixMilli())
	}
	if !l.woken {
		l.woken = true
		token(l.wake)
	}
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// holding reports whether replies have to wait for the disk.
func (l *appendLog) holding() bool {
	return l.on.Load() && (Fsync(l.policy.Load()) == FsyncAlways || l.stalled.Load())
}

// Hold implements [command.Feed].
func (l *appendLog) Hold() int64 {
	if !l.holding() {
		return 0
	}
	fed := l.fed.Load()
	if fed <= l.durable.Load() && !l.failed.Load() {
		return 0
	}
	token(l.hurry)
	return max(fed, 1)
}

// Released implements [command.Feed].
func (l *appendLog) Released(position int64) bool {
	return !l.failed.Load() && (position <= l.durable.Load() || !l.holding())
}

// Wait implements [command.Feed].
func (l *appendLog) Wait(position int64, done <-chan struct{}) bool {
	for {
		changed := l.changed()
		if l.Released(position) {
			return true
		}
		if l.failed.Load() {
			return false
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}

// changed returns a channel that is closed when something has become durable.
func (l *appendLog) changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		l.waiting = make(chan struct{})
	}
	return l.waiting
}

// OnRelease implements [command.Feed].
func (l *appendLog) OnRelease(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.releases = append(l.releases, f)
}

// release tells those who wait to look again, those included who are told so.
func (l *appendLog) release() {
	l.advance()
	l.mu.Lock()
	releases := l.releases
	l.mu.Unlock()
	for _, f := range releases {
		f()
	}
}

// advance tells those who wait in a goroutine to look again.
func (l *appendLog) advance() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
}

// turn makes what is fed from now on go to another part, or, if it is nil,
// nowhere. Every partition is locked.
func (l *appendLog) turn(to *part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut()
	l.to, l.db, l.unix = to, -1, 0
	l.on.Store(to != nil)
	l.woken = true
	token(l.wake)
	token(l.hurry)
}

// cut makes a chunk of what is pending. mu is locked.
func (l *appendLog) cut() {
	if l.to != nil {
		l.chunks = append(l.chunks, chunk{l.to, l.pending, l.fed.Load()})
	}
	l.pending = nil
}

// take returns what is to be written, in order. spare is a buffer for what comes
// next.
func (l *appendLog) take(spare []byte) []chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = false
	l.cut()
	l.pending = spare
	chunks := l.chunks
	l.chunks = nil
	return chunks
}

// writer is the goroutine that writes.
type writer struct {
	*appendLog
	d      *Disk
	now    *part
	begun  time.Time // of the last write
	reach  int64     // position up to which data were handed to parts
	synced time.Time // when the last fsync began
	toSync bool      // something was written since
	queue  []chunk   // taken, to be written
	spare  []byte
	done   chan syncDone // of the fsync beside, if there is one
	err    error         // of the last write
}

type syncDone struct {
	position int64
	began    time.Time
	err      error
}

// run writes until ctx ends; then what was fed before is made durable. An error
// is final: the data can't be kept any more.
func (w *writer) run(ctx context.Context) error {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return w.fail(w.finish())
		case <-w.hurry:
			err = w.write()
		case <-w.wake:
			err = w.gather(ctx)
		case <-tick.C:
			err = w.tick()
		case s := <-w.done:
			err = w.finished(s)
		}
		if err != nil {
			return w.fail(err)
		}
	}
}

func (w *writer) fail(err error) error {
	if err != nil {
		w.failed.Store(true)
		w.release()
	}
	return err
}

// gather waits a little for more, unless somebody is in a hurry.
func (w *writer) gather(ctx context.Context) error {
	if left := gatherFor - time.Since(w.begun); left > 0 {
		t := time.NewTimer(left)
		defer t.Stop()
		select {
		case <-t.C:
		case <-w.hurry:
		case <-ctx.Done():
		}
	}
	return w.write()
}

// write writes what was fed, and, if that is the policy, makes it durable.
func (w *writer) write() error {
	w.begun = time.Now()
	w.queue = append(w.queue, w.take(w.spare)...)
	w.spare = nil
	for len(w.queue) > 0 {
		c := w.queue[0]
		if c.to != w.now {
			if err := w.change(c.to); err != nil {
				return err
			}
			if c.to != w.now {
				return nil // the part before has to be ended first, and can't be yet
			}
		}
		if len(c.text) > 0 {
			w.spare = c.to.Gather(c.text)
		}
		w.reach = c.end
		w.queue[0] = chunk{}
		w.queue = w.queue[1:]
	}
	w.queue = nil
	return w.flush()
}

// change ends the part that is being written and goes on with another, unless
// the disk is full.
func (w *writer) change(to *part) error {
	if w.now != nil {
		if err := w.flush(); err != nil || w.err != nil {
			return err
		}
		if err := w.join(); err != nil {
			return err
		}
		if err := w.sync(); err != nil {
			return err
		}
		if err := w.now.Close(); err != nil {
			w.d.log.Warn("append-only file not closed", "err", err)
		}
	}
	w.now = to
	return nil
}

// flush writes what is gathered. A full disk is not an error but noted in w.err,
// unless somebody's reply depends on it.
func (w *writer) flush() error {
	if w.now == nil {
		w.durable.Store(w.reach)
		w.wrote.Store(w.reach)
		w.advance()
		return nil
	}
	before, some := w.now.Size(), w.now.Buffered() > 0
	err := w.now.Flush()
	w.size.Add(w.now.Size() - before)
	w.buffered.Store(int64(w.now.Buffered()))
	w.toSync = w.toSync || some && err == nil
	always := Fsync(w.policy.Load()) == FsyncAlways
	switch {
	case errors.Is(err, persist.ErrAOFBroken), err != nil && always:
		return err
	case err != nil:
		if w.err == nil {
			w.d.log.Error("the append-only file can't be written; trying again", "err", err)
		}
		w.err = err
		text := cause(err)
		w.writeError.Store(&text)
		w.writeFailed.Store(true)
		return nil
	}
	if w.err != nil {
		w.d.log.Info("the append-only file can be written again")
		w.err = nil
		w.writeFailed.Store(false)
	}
	w.wrote.Store(w.reach)
	if always {
		if err := w.join(); err != nil {
			return err
		}
		return w.sync()
	}
	if w.stalled.Load() && Fsync(w.policy.Load()) == FsyncNo {
		w.stalled.Store(false)
		w.release()
	}
	w.advance()
	return nil
}

// sync makes durable what was written.
func (w *writer) sync() error {
	if w.toSync {
		began := time.Now()
		if err := w.now.Sync(); err != nil {
			return err
		}
		w.synced, w.toSync = began, false
	}
	w.reached(w.wrote.Load(), time.Now())
	return nil
}

// reached notes that everything before a position is durable, what came after
// was written since a time.
func (w *writer) reached(position int64, since time.Time) {
	w.durable.Store(position)
	if position == w.fed.Load() {
		w.unsynced.Store(0)
	} else {
		w.unsynced.Store(since.UnixMilli())
	}
	if held := w.holding(); w.stalled.Swap(false) || held {
		w.release()
		return
	}
	w.advance()
}

// trouble is why the file couldn't be written, in the system's words.
func (l *appendLog) trouble() string {
	if text := l.writeError.Load(); text != nil {
		return *text
	}
	return "unknown"
}

func cause(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	text := err.Error()
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

// tick does what is due from time to time.
func (w *writer) tick() error {
	now := time.Now()
	if w.err != nil && now.Sub(w.begun) >= retryWrite {
		if err := w.write(); err != nil {
			return err
		}
	}
	w.policy.Store(int32(w.set().Fsync))
	if Fsync(w.policy.Load()) != FsyncEverySecond {
		if Fsync(w.policy.Load()) == FsyncAlways && w.toSync {
			return w.flush()
		}
		w.advance()
		return nil
	}
	if w.toSync && w.done == nil && now.Sub(w.synced) >= syncPeriod && !(w.set().NoFsyncOnRewrite && w.d.rewriting()) {
		w.beside(now)
	}
	return nil
}

// beside makes durable what was written, while more is written.
func (w *writer) beside(now time.Time) {
	w.done = make(chan syncDone, 1)
	w.synced, w.toSync = now, false
	w.syncing.Store(true)
	file, done, position := w.now, w.done, w.wrote.Load()
	w.d.background.Go(func() {
		err := file.Sync()
		done <- syncDone{position, now, err}
	})
}

// finished takes the result of beside.
func (w *writer) finished(s syncDone) error {
	w.done = nil
	w.syncing.Store(false)
	if s.err != nil {
		return s.err
	}
	if s.position > w.durable.Load() {
		w.reached(s.position, s.began)
	}
	return nil
}

// join waits for the fsync beside.
func (w *writer) join() error {
	if w.done == nil {
		return nil
	}
	return w.finished(<-w.done)
}

// finish writes and makes durable everything.
func (w *writer) finish() error {
	err := w.write()
	if err == nil {
		err = w.err
	}
	if err == nil {
		err = w.join()
	}
	if err == nil && w.now != nil {
		err = w.sync()
	}
	if w.now != nil {
		err = errors.Join(err, w.now.Close())
		w.now = nil
	}
	return err
}

// written waits until everything that was fed is in the file.
func (l *appendLog) written(ctx context.Context) error {
	position := l.fed.Load()
	for {
		changed := l.changed()
		switch {
		case l.failed.Load():
			return persist.ErrAOFBroken
		case l.wrote.Load() >= position:
			return nil
		}
		token(l.hurry)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mostWaiting is how much may wait to be written before replies are held back.
const mostWaiting = 64 << 20

// watchStall holds replies back while the disk doesn't keep up: what could be lost
// would become too much. It reports whether that begins now.
func (l *appendLog) watchStall(now time.Time) bool {
	if !l.on.Load() || l.stalled.Load() || Fsync(l.policy.Load()) == FsyncAlways {
		return false
	}
	since := l.unsynced.Load()
	old := since != 0 && Fsync(l.policy.Load()) == FsyncEverySecond && now.Sub(time.UnixMilli(since)) > longestUnsynced
	if !old && l.waitingBytes() < mostWaiting {
		return false
	}
	l.stalled.Store(true)
	l.delayed.Add(1)
	return true
}

// waitingBytes is how much was fed and isn't written.
func (l *appendLog) waitingBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.buffered.Load() + int64(len(l.pending))
	for _, c := range l.chunks {
		n += int64(len(c.text))
	}
	return n
}
