package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"conclave/kv"
	"conclave/kv/persist"
	"conclave/kv/values"
	"conclave/resp/command"
)

// retrySync is how long after a snapshot couldn't be taken it is tried again.
const retrySync = 50 * time.Millisecond

// syncReplicas gives the data to those who wait for them, several at once.
func (n *Node) syncReplicas() {
	for {
		wait := n.dueIn(time.Now())
		if wait < 0 {
			select {
			case <-n.wake:
			case <-n.ctx.Done():
				return
			}
			continue
		}
		if wait == 0 {
			err := n.fullSync(n.ctx)
			if err == nil {
				continue
			}
			if !errors.Is(err, kv.ErrSnapshot) {
				n.log.Error("full synchronisation failed", "err", err)
			}
			wait = retrySync
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-n.wake:
		case <-n.ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// dueIn is when the next full synchronisation begins: those that come soon are to
// be part of it. It is negative if nobody waits.
func (n *Node) dueIn(now time.Time) time.Duration {
	set := n.cfg.Settings()
	n.mu.Lock()
	defer n.mu.Unlock()
	waiting, oldest, files := 0, now, false
	for _, f := range n.peers {
		if f.state == waits {
			waiting++
			files = files || !f.eof
			if f.since.Before(oldest) {
				oldest = f.since
			}
		}
	}
	switch {
	case waiting == 0:
		return -1
	case files || !set.Diskless || set.DelayMax > 0 && waiting >= set.DelayMax:
		return 0
	}
	return max(0, set.Delay-now.Sub(oldest))
}

// point is the place in the history that data belong to.
type point struct {
	id       string
	offset   int64
	selected int
	sources  [][]byte
}

// fullSync takes the data at one instant and sends them to all who wait.
func (n *Node) fullSync(ctx context.Context) error {
	set := n.cfg.Settings()
	var p point
	var direct, spooled []*follower
	snap, err := n.cfg.Store.Snapshot(nil, func() {
		n.keep()
		if !n.replica.Load() {
			n.stream.reselect()
		}
		cur := n.stream.tail()
		n.mu.Lock()
		defer n.mu.Unlock()
		p.id, p.offset = n.id, cur.offset()
		if n.replica.Load() {
			p.selected = n.selected
		}
		for _, f := range n.peers {
			if f.state != waits {
				continue
			}
			f.cur = cur
			f.sent.Store(p.offset)
			if f.eof && set.Diskless {
				direct = append(direct, f)
			} else {
				f.state = spooling
				spooled = append(spooled, f)
			}
		}
		p.sources = n.cfg.Data.Sources()
	})
	if err != nil {
		return err
	}
	defer snap.Close()
	began := time.Now()
	var mark string
	var file *os.File
	if len(direct) > 0 {
		mark = newID()
	}
	if len(spooled) > 0 {
		if file, err = os.CreateTemp(set.Dir, "temp-sync-*.rdb"); err != nil {
			n.kill(spooled)
			return fmt.Errorf("file for replicas: %w", err)
		}
		_ = os.Remove(file.Name()) // it is used through the descriptor alone
	}
	out := &fanout{n: n, to: direct, file: file}
	for _, f := range direct {
		n.enter(f, loading)
		n.send(f, p.answer(f))
		n.send(f, []byte("$EOF:"+mark+"\r\n"))
	}
	for _, f := range spooled {
		f.sendMu.Lock()
		n.send(f, p.answer(f))
		f.sendMu.Unlock()
	}
	n.mu.Lock()
	n.stats.full += int64(len(direct) + len(spooled))
	n.mu.Unlock()
	size, err := n.writeRDB(ctx, out, snap, &p, set)
	if err != nil {
		n.kill(direct)
		n.kill(spooled)
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		return err
	}
	for _, f := range direct {
		n.background.Go(func() { n.afterData(f, mark) })
	}
	if file != nil {
		n.background.Go(func() { n.sendFile(spooled, file, size) })
	}
	n.log.Info("data for replicas written", "replicas", len(direct)+len(spooled), "bytes", size, "took", time.Since(began))
	return nil
}

func (n *Node) kill(all []*follower) {
	for _, f := range all {
		f.conn.Kill()
	}
}

// answer is what a replica is told before the data.
func (p *point) answer(f *follower) []byte {
	if !f.psync {
		return nil
	}
	return fmt.Appendf(nil, "+FULLRESYNC %s %d\r\n", p.id, p.offset)
}

// afterData ends data whose length wasn't told. What follows them would be taken
// for more of them until the replica has said that it has all.
func (n *Node) afterData(f *follower, mark string) {
	for len(f.acks) > 0 {
		<-f.acks
	}
	if !n.send(f, []byte(mark)) || f.onlyRDB {
		return
	}
	select {
	case <-f.acks:
	case <-f.conn.Context().Done():
		return
	case <-n.ctx.Done():
		return
	}
	n.log.Info("replica has the data", "addr", f.conn.Addr())
	n.follow(f)
}

// sendFile sends data of a known length to each replica, then the stream.
func (n *Node) sendFile(to []*follower, file *os.File, size int64) {
	done := make(chan struct{}, len(to))
	for _, f := range to {
		n.background.Go(func() {
			ok := n.sendData(f, io.NewSectionReader(file, 0, size), size)
			done <- struct{}{}
			if ok && !f.onlyRDB {
				n.log.Info("replica was sent the data", "addr", f.conn.Addr())
				n.follow(f)
			}
		})
	}
	for range to {
		<-done
	}
	_ = file.Close() // nothing of it is needed any more
}

func (n *Node) sendData(f *follower, src io.Reader, size int64) bool {
	n.enter(f, loading)
	if !n.send(f, fmt.Appendf(nil, "$%d\r\n", size)) {
		return false
	}
	b := make([]byte, 64<<10)
	for {
		m, err := src.Read(b)
		if m > 0 && !n.send(f, b[:m]) {
			return false
		}
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			n.log.Error("data for replicas can't be read", "err", err)
			f.conn.Kill()
			return false
		}
	}
}

// fanout is a writer to several replicas and a file.
type fanout struct {
	n    *Node
	to   []*follower
	file *os.File
}

var errNobody = errors.New("no replica is left that the data were for")

func (w *fanout) Write(b []byte) (int, error) {
	some := w.file != nil
	for _, f := range w.to {
		if f.conn.Context().Err() == nil && w.n.send(f, b) {
			some = true
		}
	}
	if !some {
		return 0, errNobody
	}
	if w.file != nil {
		return w.file.Write(b)
	}
	return len(b), nil
}

// writeRDB writes a snapshot.
func (n *Node) writeRDB(ctx context.Context, out io.Writer, snap *kv.Snapshot, p *point, set *Settings) (int64, error) {
	w := persist.NewRDBWriter(out, set.Encoding, set.Checksum)
	now := time.Now()
	store := n.cfg.Store
	w.Info(persist.RDBInfo{
		ServerVersion: n.cfg.Version, Created: now, UsedMemory: uint64(max(0, store.Bytes())),
		Replication: &persist.RDBReplication{ID: p.id, Offset: p.offset, StreamDB: p.selected},
	})
	for _, code := range p.sources {
		w.Function(code)
	}
	for db := range store.Databases() {
		if s := store.DBStats(db); s.Keys > 0 {
			w.Database(db, uint64(s.Keys), uint64(max(0, s.Expires)))
		}
	}
	err := snap.Walk(ctx, func(v *kv.Saved) error {
		e := persist.Entry{DB: v.DB, Key: v.Key, ExpireMs: v.Expiry, Idle: persist.NoIdle, Freq: persist.NoFreq, Value: values.OfSaved(v)}
		if e.Value == nil {
			return fmt.Errorf("the key %.128q has a type that can't be sent", v.Key)
		}
		switch {
		case set.Freq:
			e.Freq = int(v.Freq(now.UnixMilli()))
		case set.Idle:
			e.Idle = v.Idle(now.UnixMilli())
		}
		w.Entry(&e)
		return w.Err()
	})
	if err != nil {
		return 0, err
	}
	err = w.Close()
	return w.Bytes(), err
}

var _ command.Feed = (*Node)(nil)
