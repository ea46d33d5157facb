package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"conclave/resp/command"
)

// Sources are the functions that are kept with the data. Every partition is
// locked.
func (d *Disk) Sources() [][]byte {
	if d.cfg.Libraries == nil {
		return nil
	}
	return d.cfg.Libraries.Sources()
}

// Replace forgets the data and loads others, those of an RDB file of a size if
// that is known, else 0. Commands have to wait meanwhile. It returns the database
// that the file says is selected in the stream it belongs to, and what was read
// from src behind the file. After an error some of the data are there. No
// partition is locked by the caller.
//
// The append-only file ends where the old data do: it is begun anew with the new
// ones.
func (d *Disk) Replace(ctx context.Context, src io.Reader, size int64) (streamDB int, rest []byte, err error) {
	began := time.Now()
	d.loading.begin(size)
	defer d.loading.on.Store(false)
	d.cfg.Store.Lock(command.AllPartitions)
	d.clear()
	if d.aof.on.Load() {
		d.aof.turn(nil)
	}
	d.cfg.Store.Unlock(command.AllPartitions)
	d.aof.release()
	l := d.newLoader(ctx, false, false)
	sum, err := l.read(src)
	if err == nil && l.err.Load() != nil {
		err = *l.err.Load()
	}
	if err != nil {
		return 0, nil, fmt.Errorf("load data: %w", err)
	}
	d.loadedKeys.Store(l.keys.Load())
	d.log.Info("data replaced", "keys", l.keys.Load(), "bytes", sum.Bytes, "took", time.Since(began))
	if d.cfg.Settings().AppendOnly {
		// Without it now, it begins when what is being written is done.
		if err := d.StartRewrite(); err != nil && !errors.Is(err, ErrSaving) && !errors.Is(err, ErrRewriting) {
			d.log.Warn("the append-only file isn't begun anew yet", "err", err)
		}
	}
	return l.streamDB, sum.Rest, nil
}
