package durable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"conclave/kv"
	"conclave/kv/persist"
	"conclave/resp"
	"conclave/resp/command"
)

// loadAOF loads all parts of the append-only file.
func (d *Disk) loadAOF(ctx context.Context, locked bool) error {
	parts := d.dir.Parts()
	var total int64
	for _, p := range parts {
		n, err := d.dir.Size(p)
		if err != nil {
			return err
		}
		total += n
	}
	d.loading.total.Store(total)
	r := d.newReplayer(locked)
	var before int64
	for i, p := range parts {
		began := time.Now()
		size, err := d.loadPart(ctx, r, p, before, i == len(parts)-1)
		if err != nil {
			return err
		}
		before += size
		d.log.Info("loaded a part of the append-only file", "file", p.Name, "bytes", size, "took", time.Since(began))
	}
	if r.failed > 0 {
		d.log.Warn("commands in the append-only file answered with errors", "number", r.failed, "first", r.firstError)
	}
	return nil
}

// loadPart loads one part. before is the size of those before it.
func (d *Disk) loadPart(ctx context.Context, r *replayer, p persist.Part, before int64, last bool) (size int64, err error) {
	path := d.dir.Path(p)
	f, err := d.files.Open(path)
	if err != nil {
		return 0, fmt.Errorf("load the append-only file: %w", err)
	}
	defer f.Close()
	d.loading.loaded.Store(before)
	src, at, err := d.loadPreamble(ctx, f, r.locked)
	if err != nil {
		return 0, fmt.Errorf("load %s: %w", path, err)
	}
	size, err = r.run(ctx, src, at, func(offset int64) { d.loading.loaded.Store(before + offset) })
	var cut *persist.AOFError
	switch {
	case err == nil:
		return size, nil
	case !errors.As(err, &cut):
		return 0, fmt.Errorf("load %s: %w", path, err)
	}
	torn := errors.Is(err, io.ErrUnexpectedEOF) || cut.Last
	switch {
	case torn && last && d.cfg.Settings().LoadTruncated:
		d.log.Warn("the append-only file ends in the middle of a record, which is cut off", "file", p.Name, "at", cut.Good, "err", err)
		return cut.Good, d.truncate(path, cut.Good)
	case torn && last:
		return 0, fmt.Errorf("load %s: %w. Make a copy of it and run conclave-admin check-aof --fix, or set aof-load-truncated to yes and start again", path, err)
	}
	return 0, fmt.Errorf("load %s: %w. Make a copy of it and run conclave-admin check-aof --fix", path, err)
}

func (d *Disk) truncate(path string, size int64) error {
	f, err := d.files.Append(path)
	if err != nil {
		return fmt.Errorf("cut %s off: %w", path, err)
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// loadPreamble loads the RDB file that a part may begin with, and returns what
// follows and where that begins.
func (d *Disk) loadPreamble(ctx context.Context, f io.Reader, locked bool) (rest io.Reader, at int64, err error) {
	const magic = "REDIS"
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	src := io.MultiReader(bytes.NewReader(head[:n]), f)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, err
	}
	if string(head[:n]) != magic {
		return src, 0, nil
	}
	l := d.newLoader(ctx, locked, false)
	sum, err := l.read(src)
	if err == nil && l.err.Load() != nil {
		err = *l.err.Load()
	}
	d.loadedKeys.Store(l.keys.Load())
	return io.MultiReader(bytes.NewReader(sum.Rest), f), sum.Bytes, err
}

// whileLoading is the time as commands see it that are replayed: nothing has
// expired. When a key expired the file says.
const whileLoading = 1

// replayer runs the commands of an append-only file.
type replayer struct {
	d          *Disk
	locked     bool // by the caller
	c          *command.Ctx
	w          resp.Writer
	session    replaySession
	specs      [replayGroup]*command.Spec
	keys       [replayGroup][]byte
	failed     int
	firstError string
}

func (d *Disk) newReplayer(locked bool) *replayer {
	r := &replayer{d: d, locked: locked}
	r.c = command.NewCtx(d.table, &r.session, &r.w)
	r.c.Keep(false)
	r.c.InExec = true
	r.c.Obey = true // a stream's XCLAIM names times that are later than ours
	return r
}

// replayAhead is how many batches are read before they are run.
const replayAhead = 8

// run runs the commands of one part, which begins at the given offset of its
// file, and returns where it ends. One goroutine reads, this one runs.
func (r *replayer) run(ctx context.Context, src io.Reader, at int64, progress func(int64)) (end int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type read struct {
		persist.AOFBatch
		err error
	}
	batches := make(chan read, replayAhead)
	go func() { // ends with the file, or when run returns
		defer close(batches)
		in := persist.NewAOFReader(src, at)
		in.MaxString = r.d.cfg.Settings().MaxString
		in.Progress = progress
		for {
			b, err := in.Next()
			select {
			case batches <- read{b, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	r.session.db = 0
	end = at
	for b := range batches {
		switch {
		case errors.Is(b.err, io.EOF):
			return end, nil
		case b.err != nil:
			return end, b.err
		}
		if err := r.batch(b.Commands); err != nil {
			return end, err
		}
		end = b.End
	}
	return end, ctx.Err()
}

// batch runs commands.
func (r *replayer) batch(calls [][][]byte) error {
	if !r.locked {
		r.d.cfg.Store.Lock(command.AllPartitions)
		defer r.d.cfg.Store.Unlock(command.AllPartitions)
	}
	for len(calls) > 0 {
		n := min(len(calls), replayGroup)
		r.lookUp(calls[:n])
		for i, args := range calls[:n] {
			if err := r.call(r.specs[i], args); err != nil {
				return err
			}
		}
		calls = calls[n:]
	}
	return nil
}

// replayGroup is how many commands are looked at before the first of them runs:
// the memory of their keys is on its way then.
const replayGroup = 32

// lookUp finds the commands of a group, and tells the store of their keys.
func (r *replayer) lookUp(calls [][][]byte) {
	n := 0
	for i, args := range calls {
		spec := r.d.table.Resolve(args)
		r.specs[i] = spec
		if spec != nil && spec.SimpleKey() > 0 && spec.SimpleKey() < len(args) {
			r.keys[n] = args[spec.SimpleKey()]
			n++
		}
	}
	if n > 1 {
		r.d.cfg.Store.Touch(r.session.db, r.keys[:n])
	}
}

func (r *replayer) call(spec *command.Spec, args [][]byte) error {
	c := r.c
	switch {
	case command.EqualFold(args[0], "multi"), command.EqualFold(args[0], "exec"):
		return nil // batches hold whole transactions, and nothing runs beside them
	case command.EqualFold(args[0], "select") && len(args) == 2:
		n, ok := kv.ParseInt(args[1])
		if !ok || n < 0 || n >= int64(r.d.cfg.Store.Databases()) {
			return fmt.Errorf("the append-only file selects database %.20q, but there are only %d", args[1], r.d.cfg.Store.Databases())
		}
		r.session.db = int(n)
		return nil
	}
	if spec == nil || spec.Run == nil {
		return fmt.Errorf("unknown command %.128q in the append-only file", args[0])
	}
	if !spec.ArityOK(len(args)) {
		return fmt.Errorf("wrong number of arguments for %.128q in the append-only file", args[0])
	}
	c.Spec, c.Args = spec, args
	if c.NowMs = whileLoading; relative(spec.Name) {
		c.NowMs = time.Now().UnixMilli()
	}
	spec.Run(c)
	c.TakeWait()
	c.TakeEffects()
	if b := r.w.Bytes(); len(b) > 0 && b[0] == '-' {
		if r.failed++; r.failed == 1 {
			r.firstError = fmt.Sprintf("%.128q: %.128s", args[0], b)
		}
	}
	r.w.Truncate(0)
	return nil
}

// relative reports whether a command counts from now: servers don't write such
// commands, but people do.
func relative(name string) bool {
	switch name {
	case "expire", "pexpire", "setex", "psetex":
		return true
	}
	return false
}

// replaySession is the client of replayed commands.
type replaySession struct{ db int }

func (s *replaySession) ID() uint64       { return 0 }
func (s *replaySession) DB() int          { return s.db }
func (s *replaySession) SetDB(n int)      { s.db = n }
func (s *replaySession) NoTouch() bool    { return true }
func (s *replaySession) ReadOnly() bool   { return false }
func (s *replaySession) SetReadOnly(bool) {}
func (s *replaySession) SetAsking()       {}
func (s *replaySession) Host() string     { return "" }
func (s *replaySession) TLS() bool        { return false }
