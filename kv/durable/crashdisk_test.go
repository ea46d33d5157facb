package durable_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"conclave/kv/persist"
)

// crashDisk is a file system in memory that remembers every operation, so that
// what a crash may leave after any of them can be made of it. It can be told to
// fail.
type crashDisk struct {
	mu    sync.Mutex
	files map[string]*inode
	log   []diskOp
	// room is how many more bytes fit; negative: any number.
	room int64
	// fail, if not nil, is asked before each operation.
	fail func(op diskOp) error
}

type inode struct{ data []byte }

type opKind int

const (
	opCreate opKind = iota
	opWrite
	opTruncate
	opSync
	opRename
	opRemove
	opSyncDir
)

// diskOp is one operation. Of opWrite, n is the offset; of opTruncate, the size.
type diskOp struct {
	kind opKind
	path string // of opSyncDir the directory
	to   string // of opRename
	file *inode
	n    int64
	data []byte
}

func newCrashDisk() *crashDisk { return &crashDisk{files: map[string]*inode{}, room: -1} }

// ops is how many operations there were.
func (d *crashDisk) ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// does notes an operation, or says why it fails. mu is locked.
func (d *crashDisk) does(op diskOp) error {
	if d.fail != nil {
		if err := d.fail(op); err != nil {
			return err
		}
	}
	d.log = append(d.log, op)
	return nil
}

func notThere(path string) error { return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist} }

func (d *crashDisk) Create(path string) (persist.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &inode{}
	if err := d.does(diskOp{kind: opCreate, path: path, file: f}); err != nil {
		return nil, err
	}
	d.files[path] = f
	return &handle{d, f}, nil
}

func (d *crashDisk) Append(path string) (persist.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[path]
	if f == nil {
		return nil, notThere(path)
	}
	return &handle{d, f}, nil
}

func (d *crashDisk) Open(path string) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[path]
	if f == nil {
		return nil, notThere(path)
	}
	return io.NopCloser(bytes.NewReader(bytes.Clone(f.data))), nil
}

func (d *crashDisk) Stat(path string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[path]
	if f == nil {
		return nil, notThere(path)
	}
	return fileInfo(len(f.data)), nil
}

func (d *crashDisk) List(dir string) (names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path := range d.files {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	return names, nil
}

func (d *crashDisk) MakeDirectory(string) error { return nil }

func (d *crashDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[from]
	if f == nil {
		return notThere(from)
	}
	if err := d.does(diskOp{kind: opRename, path: from, to: to}); err != nil {
		return err
	}
	d.files[to] = f
	delete(d.files, from)
	return nil
}

func (d *crashDisk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[path]
	if f == nil {
		return notThere(path)
	}
	if err := d.does(diskOp{kind: opRemove, path: path}); err != nil {
		return err
	}
	if d.room >= 0 {
		d.room += int64(len(f.data))
	}
	delete(d.files, path)
	return nil
}

func (d *crashDisk) SyncDirectory(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.does(diskOp{kind: opSyncDir, path: filepath.Clean(path)})
}

type handle struct {
	d *crashDisk
	f *inode
}

func (h *handle) Write(b []byte) (n int, err error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.d.room >= 0 && int64(len(b)) > h.d.room {
		b, err = b[:h.d.room], syscall.ENOSPC
	}
	op := diskOp{kind: opWrite, file: h.f, n: int64(len(h.f.data)), data: bytes.Clone(b)}
	if err := h.d.does(op); err != nil {
		return 0, err
	}
	if h.d.room >= 0 {
		h.d.room -= int64(len(b))
	}
	h.f.data = append(h.f.data, b...)
	return len(b), err
}

func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return h.d.does(diskOp{kind: opSync, file: h.f})
}

func (h *handle) Truncate(n int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.does(diskOp{kind: opTruncate, file: h.f, n: n}); err != nil {
		return err
	}
	if h.d.room >= 0 {
		h.d.room += int64(len(h.f.data)) - n
	}
	h.f.data = resized(h.f.data, n)
	return nil
}

func (h *handle) Close() error { return nil }

func resized(b []byte, n int64) []byte {
	for int64(len(b)) < n {
		b = append(b, 0)
	}
	return b[:n:n]
}

type fileInfo int64

func (i fileInfo) Name() string     { return "" }
func (i fileInfo) Size() int64      { return int64(i) }
func (fileInfo) Mode() fs.FileMode  { return 0 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }

// after is what a crash may leave of the first n operations. Of a file's data
// everything is there that was made durable; of the writes since then a part, in
// order, of which the last may be torn or have holes where blocks didn't make it.
// Of the names everything is there that was made durable, and of the changes
// since then the first few.
func (d *crashDisk) after(n int, r *rand.Rand) *crashDisk {
	d.mu.Lock()
	log := d.log[:n]
	d.mu.Unlock()
	image := newCrashDisk()

	copies := map[*inode]*inode{}
	of := func(f *inode) *inode {
		if copies[f] == nil {
			copies[f] = &inode{}
		}
		return copies[f]
	}
	durable := map[*inode]int{} // index of the last fsync
	for i, op := range log {
		if op.kind == opSync {
			durable[op.file] = i
		}
	}
	cut := map[*inode]bool{} // nothing more of it is there
	for i, op := range log {
		if op.kind != opWrite && op.kind != opTruncate || cut[op.file] {
			continue
		}
		at, synced := durable[op.file]
		f := of(op.file)
		switch lost := !synced || i > at; {
		case !lost || r.IntN(3) > 0:
			apply(f, op, op.data)
		case r.IntN(2) == 0 && len(op.data) > 0: // torn
			apply(f, op, op.data[:r.IntN(len(op.data))])
			cut[op.file] = true
		case r.IntN(2) == 0 && len(op.data) > 0: // the size made it, a block did not
			data := bytes.Clone(op.data)
			from := r.IntN(len(data))
			clear(data[from:min(len(data), from+1+r.IntN(4096))])
			apply(f, op, data)
			cut[op.file] = true
		default:
			cut[op.file] = true
		}
	}

	// Names: each directory goes its own way.
	last := map[string]int{}
	for i, op := range log {
		if op.kind == opSyncDir {
			last[op.path] = i
		}
	}
	over := map[string]bool{}
	for i, op := range log {
		if op.kind != opCreate && op.kind != opRename && op.kind != opRemove {
			continue
		}
		dir := filepath.Dir(op.path)
		at, synced := last[dir]
		if over[dir] {
			continue
		}
		if (!synced || i > at) && r.IntN(3) == 0 {
			over[dir] = true
			continue
		}
		switch op.kind {
		case opCreate:
			image.files[op.path] = of(op.file)
		case opRename:
			image.files[op.to] = image.files[op.path]
			delete(image.files, op.path)
		case opRemove:
			delete(image.files, op.path)
		}
	}
	return image
}

func apply(f *inode, op diskOp, data []byte) {
	if op.kind == opTruncate {
		f.data = resized(f.data, op.n)
		return
	}
	f.data = resized(f.data, op.n)
	f.data = append(f.data, data...)
}

var errDisk = errors.New("the disk failed")
