package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"conclave/kv"
	"conclave/kv/persist"
	"conclave/kv/values"
	"conclave/resp/command"
)

// After so many rewrites in a row that failed the next one waits, longer each
// time.
const (
	patience   = 3
	longestLag = time.Hour
)

// openDirectory reads which parts the append-only file has.
func (d *Disk) openDirectory(set *Settings) error {
	dir, err := persist.OpenAOFDirectory(d.files, d.path(set.AppendDir), set.AppendFilename)
	if err != nil {
		return err
	}
	d.dir = dir
	return nil
}

// openAOF begins to write the append-only file, which was loaded or is new: then
// the data there are become its base. Nobody uses the store yet.
func (d *Disk) openAOF(ctx context.Context) error {
	if len(d.dir.Parts()) == 0 {
		if err := d.writeBase(ctx); err != nil {
			return err
		}
	}
	f, size, err := d.dir.Last()
	if err != nil {
		return err
	}
	d.cfg.Store.Lock(command.AllPartitions)
	d.aof.turn(d.newPart(f, size))
	d.cfg.Store.Unlock(command.AllPartitions)
	d.measure(true)
	return nil
}

func (d *Disk) newPart(f persist.File, size int64) *part {
	return &part{persist.NewAOFWriter(f, size, persist.AOFOptions{Checksums: true})}
}

// measure counts the size of all parts. rewritten says that it is that of a file
// that was just rewritten.
func (d *Disk) measure(rewritten bool) {
	var total int64
	for _, p := range d.dir.Parts() {
		n, err := d.dir.Size(p)
		if err != nil {
			d.log.Warn("size of the append-only file", "err", err)
			return
		}
		total += n
	}
	d.aof.size.Store(total)
	if rewritten {
		d.aof.baseSize.Store(total)
	}
}

// writeBase makes the data there are the base of a new append-only file.
func (d *Disk) writeBase(ctx context.Context) error {
	ctx, s, err := d.begin(ctx, rewriteJob)
	if err != nil {
		return err
	}
	defer d.jobs.end(s.job)
	defer s.Close()
	set := d.cfg.Settings()
	return d.dir.Rewrite(set.Preamble, func(f io.Writer) error { return d.writeBaseFile(ctx, f, s, set) })
}

func (d *Disk) writeBaseFile(ctx context.Context, f io.Writer, s *snapshot, set *Settings) error {
	if set.Preamble {
		_, err := d.writeRDB(ctx, f, s, true, set.RewriteIncrementFsync)
		return err
	}
	return d.writeCommands(ctx, f, s, set)
}

// StartRewrite begins to rewrite the append-only file in the background: what is
// fed from one instant on goes to a new part, and the data at that instant become
// the base. No partition is locked by the caller.
func (d *Disk) StartRewrite() error {
	set := d.cfg.Settings()
	d.dirMu.Lock()
	defer d.dirMu.Unlock()
	ctx, cancel := context.WithCancel(d.ctx)
	j, err := d.jobs.begin(rewriteJob, d.keys(), cancel)
	if err != nil {
		cancel()
		return err
	}
	if d.dir == nil {
		err = d.openDirectory(set)
	}
	var f persist.File
	var p persist.Part
	on := d.aof.on.Load()
	anew := !on || d.anew
	switch {
	case err != nil:
	case anew:
		f, p, err = d.dir.BeginAnew()
	default:
		f, err = d.dir.Begin()
	}
	if err != nil {
		d.jobs.end(j)
		d.rewritten(err, time.Now())
		return err
	}
	to := d.newPart(f, 0)
	s, err := d.snapshot(j, func() {
		if on || set.AppendOnly {
			d.aof.turn(to)
		}
	})
	switch {
	case err != nil && !anew:
		// The manifest says that this part follows.
		d.cfg.Store.Lock(command.AllPartitions)
		d.aof.turn(to)
		d.cfg.Store.Unlock(command.AllPartitions)
	case err != nil || !on && !set.AppendOnly:
		err = errors.Join(err, f.Close()) // nothing will be written to it
	}
	if err != nil {
		d.jobs.end(j)
		return err
	}
	d.anew = anew
	d.log.Info("background rewriting of the append-only file started", "keys", s.total)
	d.background.Go(func() {
		defer d.jobs.end(j)
		defer s.Close()
		began := time.Now()
		write := func(f io.Writer) error { return d.writeBaseFile(ctx, f, s, set) }
		d.dirMu.Lock()
		if anew {
			err = d.dir.Replace(set.Preamble, p, write)
		} else {
			err = d.dir.Rewrite(set.Preamble, write)
		}
		if err == nil {
			d.anew = false
			d.measure(true)
		}
		d.dirMu.Unlock()
		d.rewritten(err, began)
	})
	return nil
}

// rewritten notes how a rewrite ended.
func (d *Disk) rewritten(err error, began time.Time) {
	took := time.Since(began)
	switch {
	case errors.Is(err, context.Canceled):
		d.log.Warn("rewriting of the append-only file was stopped")
		return
	case err != nil:
		d.rewriteFailed.Store(true)
		d.rewriteFailures.Add(1)
		d.log.Error("rewriting of the append-only file failed", "err", err)
	default:
		d.rewriteFailed.Store(false)
		d.rewriteFailures.Store(0)
		d.log.Info("append-only file rewritten", "took", took)
	}
	d.rewrites.Add(1)
	d.rewriteTook.Store(int64(took / time.Second))
	d.lastRewrite.Store(time.Now().UnixMilli())
}

// rewriting reports whether the append-only file is being rewritten.
func (d *Disk) rewriting() bool {
	now, _ := d.jobs.state()
	return now != nil && now.kind == rewriteJob
}

// rewriteDue reports whether the file should be rewritten: it has grown too
// much, or there is no base for what is being written.
func (d *Disk) rewriteDue(now time.Time) bool {
	set := d.cfg.Settings()
	if !d.aof.on.Load() && !set.AppendOnly {
		return false
	}
	if n := d.rewriteFailures.Load(); n > 0 {
		lag := time.Second
		if n > patience {
			lag = min(time.Minute<<min(n-patience, 10), longestLag)
		}
		if now.Sub(time.UnixMilli(d.lastRewrite.Load())) < lag {
			return false
		}
	}
	d.dirMu.Lock()
	anew := d.anew
	d.dirMu.Unlock()
	if anew || !d.aof.on.Load() {
		return true
	}
	size, base := d.aof.size.Load(), max(d.aof.baseSize.Load(), 1)
	return set.RewritePercentage > 0 && size > set.RewriteMinSize && (size-base)*100/base >= int64(set.RewritePercentage)
}

// Switch follows appendonly, after Settings changed. No partition is locked by
// the caller.
func (d *Disk) Switch() error {
	d.aof.policy.Store(int32(d.cfg.Settings().Fsync))
	d.aof.release() // they may not have to wait any more
	switch on := d.cfg.Settings().AppendOnly; {
	case on == d.aof.on.Load():
		return nil
	case on:
		err := d.StartRewrite()
		if errors.Is(err, ErrSaving) || errors.Is(err, ErrRewriting) || errors.Is(err, kv.ErrSnapshot) {
			return nil // it begins when the snapshot under way is done
		}
		return err
	}
	d.jobs.stop(rewriteJob)
	d.cfg.Store.Lock(command.AllPartitions)
	d.aof.turn(nil)
	d.cfg.Store.Unlock(command.AllPartitions)
	d.aof.release() // nobody has to wait any more
	d.dirMu.Lock()
	d.anew = false
	d.dirMu.Unlock()
	d.log.Info("the append-only file is not written any more")
	return nil
}

// writeCommands writes a snapshot as the commands that make it.
func (d *Disk) writeCommands(ctx context.Context, f io.Writer, s *snapshot, set *Settings) error {
	if file, ok := f.(persist.File); ok && set.RewriteIncrementFsync {
		f = &steadySync{File: file}
	}
	const full = 64 << 10
	b := make([]byte, 0, full+full/4)
	for _, code := range s.sources {
		b = command.AppendCall(b, []byte("FUNCTION"), []byte("LOAD"), []byte("REPLACE"), code)
	}
	db := -1
	var payload []byte
	var scratch [20]byte
	err := s.Walk(ctx, func(v *kv.Saved) error {
		b = command.AppendSelect(b, &db, v.DB)
		if v.Type() == kv.String {
			b = appendSet(b, v.Key, v.Bytes(scratch[:]), v.Expiry)
		} else {
			value := values.OfSaved(v)
			if value == nil {
				return fmt.Errorf("the key %.128q has a type that can't be saved", v.Key)
			}
			payload = set.Encoding.AppendDump(payload[:0], value)
			b = command.AppendCall(b, []byte("RESTORE"), v.Key, strconv.AppendInt(nil, v.Expiry, 10), payload, []byte("REPLACE"), []byte("ABSTTL"))
		}
		s.done.Add(1)
		if len(b) < full {
			return nil
		}
		_, err := f.Write(b)
		b = b[:0]
		return err
	})
	if err == nil && len(b) > 0 {
		_, err = f.Write(b)
	}
	return err
}

func appendSet(b, key, value []byte, expiry int64) []byte {
	if expiry == kv.NoExpiry {
		return command.AppendCall(b, []byte("SET"), key, value)
	}
	return command.AppendCall(b, []byte("SET"), key, value, []byte("PXAT"), strconv.AppendInt(nil, expiry, 10))
}
