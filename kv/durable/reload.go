package durable

import (
	"errors"
	"fmt"
	"io"
	"time"

	"conclave/kv"
	"conclave/kv/persist"
	"conclave/kv/values"
)

// Reload writes the data to the RDB file, unless noSave is set, forgets them,
// unless noFlush is, and loads the file. Every partition is locked by the caller,
// all the time.
func (d *Disk) Reload(noSave, noFlush bool) error {
	ctx := d.ctx
	set := d.cfg.Settings()
	if !noSave {
		began := time.Now()
		dirty := d.dirty()
		var size int64
		err := persist.ReplaceFile(d.files, d.path(set.Filename), func(f io.Writer) (err error) {
			size, err = d.writeLocked(f)
			return err
		})
		d.saved(err, time.Since(began), dirty, size)
		if err != nil {
			return err
		}
	}
	if !noFlush {
		d.clear()
	}
	n, err := d.loadRDBFile(ctx, d.path(set.Filename), true, true)
	if err != nil {
		return err
	}
	d.savedDirty.Store(d.dirty())
	d.log.Info("reloaded", "keys", n.keys, "expired", n.expired)
	return nil
}

// ReloadAOF writes what was fed to the append-only file, forgets the data and
// loads the file. Every partition is locked by the caller, all the time.
func (d *Disk) ReloadAOF() error {
	if !d.aof.on.Load() {
		return errors.New("there is no append-only file")
	}
	if err := d.aof.written(d.ctx); err != nil {
		return err
	}
	d.dirMu.Lock()
	defer d.dirMu.Unlock()
	if d.anew {
		return errors.New("the append-only file has no base yet")
	}
	d.clear()
	if err := d.loadAOF(d.ctx, true); err != nil {
		return err
	}
	d.savedDirty.Store(d.dirty())
	d.log.Info("the append-only file was loaded again")
	return nil
}

// clear forgets the data. Every partition is locked.
func (d *Disk) clear() {
	d.cfg.Store.FlushAll()
	if d.cfg.Libraries != nil {
		d.cfg.Libraries.Clear()
	}
}

// writeLocked writes the data to f while every partition is locked.
func (d *Disk) writeLocked(f io.Writer) (size int64, err error) {
	set := d.cfg.Settings()
	var sources [][]byte
	if d.cfg.Libraries != nil {
		sources = d.cfg.Libraries.Sources()
	}
	w := d.beginRDB(f, sources, false)
	nowMs := time.Now().UnixMilli()
	for n := range d.cfg.Store.Databases() {
		d.cfg.Store.DB(n, nowMs).Each(true, func(k kv.Entry) {
			if err != nil {
				return
			}
			e := persist.Entry{DB: n, Key: k.Key(), ExpireMs: k.Expiry(), Idle: persist.NoIdle, Freq: persist.NoFreq, Value: values.Of(k)}
			switch {
			case e.Value == nil:
				err = fmt.Errorf("the key %.128q has a type that can't be saved", k.Key())
				return
			case set.Freq:
				e.Freq = int(k.Freq())
			case set.Idle:
				e.Idle = k.Idle()
			}
			w.Entry(&e)
		})
	}
	if err != nil {
		return 0, err
	}
	err = w.Close()
	return w.Bytes(), err
}
