package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"conclave/kv"
	"conclave/kv/persist"
	"conclave/kv/values"
)

// retrySave is how long a failed automatic snapshot is not tried again.
const retrySave = 5 * time.Second

// syncEvery is how much is written before it is made durable, so that little is
// left to do at the end.
const syncEvery = 4 << 20

// path is where a file of the given name lies.
func (d *Disk) path(name string) string { return filepath.Join(d.cfg.Settings().Dir, name) }

// snapshot is the data at one instant, about to be written.
type snapshot struct {
	*kv.Snapshot
	*job
	dirty   int64 // the store's count of changes
	sources [][]byte
}

// begin takes a snapshot as a job. No partition is locked by the caller.
func (d *Disk) begin(ctx context.Context, kind jobKind) (context.Context, *snapshot, error) {
	ctx, cancel := context.WithCancel(ctx)
	j, err := d.jobs.begin(kind, d.keys(), cancel)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	s, err := d.snapshot(j, nil)
	if err != nil {
		d.jobs.end(j)
		return nil, nil, err
	}
	return ctx, s, nil
}

// snapshot takes one for a job. at, if not nil, is called at its instant, with
// every partition locked.
func (d *Disk) snapshot(j *job, at func()) (*snapshot, error) {
	s := &snapshot{job: j}
	var err error
	s.Snapshot, err = d.cfg.Store.Snapshot(nil, func() {
		s.dirty = d.dirty()
		if d.cfg.Libraries != nil {
			s.sources = d.cfg.Libraries.Sources()
		}
		if at != nil {
			at()
		}
	})
	return s, err
}

// Save writes a snapshot and returns when it is durable. No partition is locked
// by the caller.
func (d *Disk) Save(ctx context.Context) error {
	ctx, s, err := d.begin(ctx, saveJob)
	if err != nil {
		return err
	}
	return d.save(ctx, s)
}

// StartSave begins to write a snapshot in the background. No partition is locked
// by the caller.
func (d *Disk) StartSave() error {
	ctx, s, err := d.begin(d.ctx, saveJob)
	if err != nil {
		return err
	}
	d.log.Info("background saving started", "keys", s.total)
	d.background.Go(func() { _ = d.save(ctx, s) })
	return nil
}

// save writes the file and ends the job.
func (d *Disk) save(ctx context.Context, s *snapshot) error {
	defer d.jobs.end(s.job)
	set := d.cfg.Settings()
	var size int64
	err := persist.ReplaceFile(d.files, d.path(set.Filename), func(f io.Writer) error {
		var err error
		size, err = d.writeRDB(ctx, f, s, false, set.IncrementalFsync)
		return err
	})
	s.Close()
	d.saved(err, time.Since(s.began), s.dirty, size)
	return err
}

// saved notes how a snapshot ended that was taken when the store had counted so
// many changes.
func (d *Disk) saved(err error, took time.Duration, dirty, size int64) {
	switch {
	case errors.Is(err, context.Canceled):
		d.log.Warn("saving was stopped")
	case err != nil:
		d.saveFailed.Store(true)
		d.saveTook.Store(int64(took / time.Second))
		d.log.Error("saving failed", "err", err)
	default:
		d.saveFailed.Store(false)
		d.saveTook.Store(int64(took / time.Second))
		d.savedDirty.Store(dirty)
		d.lastSave.Store(time.Now().Unix())
		d.saves.Add(1)
		d.log.Info("saved", "took", took, "bytes", size)
	}
}

// writeRDB writes a snapshot to f, which is made durable from time to time if it
// can be and sync is set.
func (d *Disk) writeRDB(ctx context.Context, f io.Writer, s *snapshot, base, sync bool) (size int64, err error) {
	set := d.cfg.Settings()
	if file, ok := f.(persist.File); ok && sync {
		f = &steadySync{File: file}
	}
	w := d.beginRDB(f, s.sources, base)
	now := time.Now()
	var scratch values.Scratch
	var e persist.Entry
	err = s.Walk(ctx, func(v *kv.Saved) error {
		e = persist.Entry{DB: v.DB, Key: v.Key, ExpireMs: v.Expiry, Idle: persist.NoIdle, Freq: persist.NoFreq, Value: scratch.OfSaved(v)}
		if e.Value == nil {
			return fmt.Errorf("the key %.128q has a type that can't be saved", v.Key)
		}
		switch {
		case set.Freq:
			e.Freq = int(v.Freq(now.UnixMilli()))
		case set.Idle:
			e.Idle = v.Idle(now.UnixMilli())
		}
		w.Entry(&e)
		s.done.Add(1)
		if set.SaveDelay > 0 {
			if err := pause(ctx, set.SaveDelay); err != nil {
				return err
			}
		}
		return w.Err()
	})
	if err != nil {
		return 0, err
	}
	err = w.Close()
	return w.Bytes(), err
}

// beginRDB writes what stands before the keys of a file.
func (d *Disk) beginRDB(f io.Writer, sources [][]byte, base bool) *persist.RDBWriter {
	set := d.cfg.Settings()
	w := persist.NewRDBWriter(f, set.Encoding, set.Checksum)
	w.Info(persist.RDBInfo{
		ServerVersion: d.cfg.Version, Created: time.Now(), UsedMemory: uint64(max(0, d.cfg.Store.Bytes())), Base: base,
	})
	for _, code := range sources {
		w.Function(code)
	}
	for db := range d.cfg.Store.Databases() {
		if n := d.cfg.Store.DBStats(db); n.Keys > 0 {
			w.Database(db, uint64(n.Keys), uint64(max(0, n.Expires)))
		}
	}
	return w
}

// steadySync makes durable what was written, a part at a time.
type steadySync struct {
	persist.File
	n int
}

func (s *steadySync) Write(b []byte) (int, error) {
	n, err := s.File.Write(b)
	if s.n += n; err == nil && s.n >= syncEvery {
		s.n = 0
		err = s.Sync()
	}
	return n, err
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// due begins what is due.
func (d *Disk) due(now time.Time) {
	if d.shuttingDown.Load() || d.loading.on.Load() {
		return
	}
	current, scheduled := d.jobs.state()
	if current != nil {
		return
	}
	switch {
	case scheduled[rewriteJob], d.rewriteDue(now):
		if err := d.StartRewrite(); err != nil && !errors.Is(err, kv.ErrSnapshot) {
			d.log.Error("rewriting of the append-only file failed", "err", err)
		}
	case scheduled[saveJob], d.saveDue(now):
		d.try(now)
	}
}

// try begins a snapshot that nobody waits for.
func (d *Disk) try(now time.Time) {
	d.lastTry.Store(now.UnixMilli())
	if err := d.StartSave(); err != nil && !errors.Is(err, kv.ErrSnapshot) {
		d.log.Error("saving failed", "err", err)
	}
}

// saveDue reports whether a save point was reached.
func (d *Disk) saveDue(now time.Time) bool {
	changes, age := d.Changes(), now.Sub(time.Unix(d.lastSave.Load(), 0))
	if d.saveFailed.Load() && now.Sub(time.UnixMilli(d.lastTry.Load())) < retrySave {
		return false
	}
	for _, p := range d.cfg.Settings().SavePoints {
		if changes >= p.Changes && age > p.After {
			return true
		}
	}
	return false
}

// Refusal is why commands that write are refused, or "": the disk doesn't take
// what they would change. Called for every command.
func (d *Disk) Refusal() string {
	if d.aof.writeFailed.Load() && d.aof.on.Load() {
		return "MISCONF Errors writing to the AOF file: " + d.aof.trouble()
	}
	if !d.saveFailed.Load() {
		return ""
	}
	if set := d.cfg.Settings(); !set.StopWrites || len(set.SavePoints) == 0 {
		return ""
	}
	return errMisconf
}

const errMisconf = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
	"Commands that may modify the data set are disabled, because this instance is configured to report errors during writes " +
	"if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."

// Shutdown ends what runs in the background and, with save, writes a snapshot.
// No commands run any more that change the data.
func (d *Disk) Shutdown(save bool) error {
	d.shuttingDown.Store(true)
	d.jobs.stop(saveJob)
	d.jobs.stop(rewriteJob)
	if !save {
		return nil
	}
	d.log.Info("saving before the end")
	return d.Save(context.Background())
}

// Resume takes a Shutdown back that failed.
func (d *Disk) Resume() { d.shuttingDown.Store(false) }
