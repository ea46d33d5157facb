package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"conclave/fsm/slot"
	"conclave/kv"
	"conclave/kv/persist"
	"conclave/kv/values"
	"conclave/resp/command"
)

// progress is how far loading is.
type progress struct {
	on     atomic.Bool
	began  atomic.Int64 // Unix seconds
	total  atomic.Int64 // bytes
	loaded atomic.Int64
	memory atomic.Int64 // used when the file was written, as it says; 0 = unknown
	done   atomic.Int64 // keys
}

func (p *progress) begin(total int64) {
	p.began.Store(time.Now().Unix())
	p.total.Store(total)
	p.loaded.Store(0)
	p.done.Store(0)
	p.memory.Store(0)
	p.on.Store(true)
}

// Loading reports whether data are being loaded: commands on keys have to wait.
func (d *Disk) Loading() bool { return d.loading.on.Load() }

// BeginLoading makes Loading true before Load is called.
func (d *Disk) BeginLoading() { d.loading.begin(0) }

// Load brings what was kept into the store, which is empty. It is called once,
// before Run and before the store is used by others. An error means that the
// server must not go on: it would take damaged data for all there are.
func (d *Disk) Load(ctx context.Context) error {
	began := time.Now()
	d.loading.begin(0)
	defer d.loading.on.Store(false)
	reporting, stop := context.WithCancel(ctx)
	var report sync.WaitGroup
	report.Go(func() { d.reportLoading(reporting) })
	defer report.Wait()
	defer stop()
	set := d.cfg.Settings()
	d.aof.policy.Store(int32(set.Fsync))
	if set.AppendOnly {
		if err := d.openDirectory(set); err != nil {
			return err
		}
		if err := d.dir.Upgrade(d.path(set.AppendFilename)); err != nil {
			return err
		}
	}
	if d.dir != nil && !d.dir.Empty() {
		if err := d.loadAOF(ctx, false); err != nil {
			return err
		}
	} else {
		// Also where there is to be an append-only file and isn't one yet: the
		// data are its base, not lost.
		n, err := d.loadRDBFile(ctx, d.path(set.Filename), false, true)
		if err != nil {
			return err
		}
		if n.found {
			d.log.Info("loaded", "keys", n.keys, "expired", n.expired, "bytes", n.bytes, "took", time.Since(began))
		}
	}
	d.savedDirty.Store(d.dirty())
	if d.dir != nil {
		return d.openAOF(ctx)
	}
	return nil
}

// reportPeriod is how often a long load says how far it is.
const reportPeriod = 5 * time.Second

// reportLoading writes into the log how far loading is, until ctx ends.
func (d *Disk) reportLoading(ctx context.Context) {
	tick := time.NewTicker(reportPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			total, done := d.loading.total.Load(), d.loading.loaded.Load()
			d.log.Info("loading", "percent", 100*done/max(total, 1), "bytes", done, "of", total)
		}
	}
}

// loaded is what came of reading a file.
type loaded struct {
	found         bool
	keys, expired int64
	bytes         int64
}

// loadRDBFile loads a file; one that isn't there has no keys. With locked the
// caller holds every partition.
func (d *Disk) loadRDBFile(ctx context.Context, path string, locked, skipExpired bool) (n loaded, err error) {
	info, err := d.files.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, fmt.Errorf("load %s: %w", path, err)
	}
	d.loading.total.Store(info.Size())
	f, err := d.files.Open(path)
	if err != nil {
		return n, fmt.Errorf("load %s: %w", path, err)
	}
	defer f.Close()
	l := d.newLoader(ctx, locked, skipExpired)
	n = loaded{found: true}
	sum, err := l.read(f)
	if err == nil && l.err.Load() != nil {
		err = *l.err.Load()
	}
	n.keys, n.expired, n.bytes = l.keys.Load(), l.expired, sum.Bytes
	d.loadedKeys.Store(n.keys)
	d.expiredKeys.Store(n.expired)
	if err != nil {
		return n, fmt.Errorf("load %s: %w", path, err)
	}
	return n, nil
}

// A file is decoded by one goroutine, and its keys are put into the store by
// others, each of which has a share of the partitions. Keys are handed on in
// batches.
const (
	loadBatch = 128 // keys
	loadAhead = 8   // batches per worker
)

// loader puts the keys of an RDB file into the store.
type loader struct {
	d           *Disk
	ctx         context.Context
	locked      bool
	skipExpired bool
	nowMs       int64
	workers     []chan []persist.Entry
	pending     [][]persist.Entry // per worker
	done        sync.WaitGroup
	keys        atomic.Int64
	expired     int64
	streamDB    int                   // that the file says is selected
	err         atomic.Pointer[error] // of a worker, the first
}

func (d *Disk) newLoader(ctx context.Context, locked, skipExpired bool) *loader {
	n := max(1, min(4, runtime.GOMAXPROCS(0)-1))
	l := &loader{d: d, ctx: ctx, locked: locked, skipExpired: skipExpired, nowMs: time.Now().UnixMilli(), pending: make([][]persist.Entry, n)}
	for range n {
		l.workers = append(l.workers, make(chan []persist.Entry, loadAhead))
	}
	return l
}

// read reads one file and returns when all its keys are in the store.
func (l *loader) read(src io.Reader) (persist.RDBSummary, error) {
	for _, w := range l.workers {
		l.done.Go(func() { l.put(w) })
	}
	set := l.d.cfg.Settings()
	p := &l.d.loading
	start := p.loaded.Load()
	r := persist.RDBReader{
		MaxString: set.MaxString, NoChecksum: !set.Checksum,
		Entry:    l.entry,
		Progress: func(offset int64) { p.loaded.Store(start + offset) },
		Aux: func(name, value []byte) error {
			switch string(name) {
			case "used-mem":
				n, _ := kv.ParseInt(value)
				p.memory.Store(n)
			case "repl-stream-db":
				if n, ok := kv.ParseInt(value); ok && n >= 0 && n < int64(l.d.cfg.Store.Databases()) {
					l.streamDB = int(n)
				}
			}
			return nil
		},
		Function: func(code []byte) error {
			if l.d.cfg.Libraries == nil {
				return errors.New("the file has functions, which this server can't hold")
			}
			return l.d.cfg.Libraries.Restore(code)
		},
	}
	sum, err := r.Read(src)
	for i, w := range l.workers {
		if len(l.pending[i]) > 0 && err == nil {
			w <- l.pending[i]
		}
		close(w)
	}
	l.done.Wait()
	return sum, err
}

func (l *loader) entry(e persist.Entry) error {
	if e.DB >= l.d.cfg.Store.Databases() {
		return fmt.Errorf("the file has keys in database %d, but there are only %d", e.DB, l.d.cfg.Store.Databases())
	}
	if l.skipExpired && e.ExpireMs != persist.NoExpiry && e.ExpireMs <= l.nowMs {
		l.expired++
		return nil
	}
	if delay := l.d.cfg.Settings().LoadDelay; delay > 0 {
		if err := pause(l.ctx, delay); err != nil {
			return err
		}
	}
	w := slot.Of(e.Key) % command.Partitions % len(l.workers)
	if l.pending[w] == nil {
		l.pending[w] = make([]persist.Entry, 0, loadBatch)
	}
	if l.pending[w] = append(l.pending[w], e); len(l.pending[w]) < loadBatch {
		return nil
	}
	l.workers[w] <- l.pending[w]
	l.pending[w] = nil
	if err := l.err.Load(); err != nil {
		return *err
	}
	return l.ctx.Err()
}

// put is a worker.
func (l *loader) put(batches <-chan []persist.Entry) {
	store := l.d.cfg.Store
	for batch := range batches {
		for i := range batch {
			e := &batch[i]
			mask := kv.MaskOf(e.Key)
			if !l.locked {
				store.Lock(mask)
			}
			// Nothing has expired while data are loaded.
			db := store.DB(e.DB, l.nowMs)
			ok := values.Put(db, e.Key, e.Value, e.ExpireMs)
			if ok && e.Idle != persist.NoIdle {
				db.SetIdle(e.Key, e.Idle)
			}
			if ok && e.Freq != persist.NoFreq {
				db.SetFreq(e.Key, uint8(e.Freq))
			}
			if !l.locked {
				store.Unlock(mask)
			}
			if !ok {
				err := fmt.Errorf("the key %.128q has a value of a type that this server can't hold", e.Key)
				l.err.CompareAndSwap(nil, &err)
			}
		}
		l.keys.Add(int64(len(batch)))
		l.d.loading.done.Add(int64(len(batch)))
	}
}
