package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// Memory is a Factory and a Meta that outlive a simulated process: what was
// written stays for whoever opens next. Faults act on all of it.
type Memory struct {
	mu    sync.Mutex
	rec   []byte
	dirs  map[DirInfo]*memDir
	life  uint64 // counts crashes
	fail  error
	stall chan struct{} // not nil: writes wait until it is closed
}

// memDir is one directory as one process sees it. Guarded by Memory.mu: snaps,
// open, dead.
type memDir struct {
	mem   *Memory
	data  *raft.InmemStore
	snaps []memSnap // newest first
	open  bool
	dead  bool // the process has crashed; another handle has the data
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{dirs: map[DirInfo]*memDir{}} }

// Fail makes every write fail with err from now on; nil heals.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Stall makes every write hang until Resume.
func (m *Memory) Stall() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stall == nil {
		m.stall = make(chan struct{})
	}
}

// Resume lets stalled writes go on.
func (m *Memory) Resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stall != nil {
		close(m.stall)
		m.stall = nil
	}
}

// Crash ends the process that used this memory: what it had open is closed for
// it, and writes still hanging fail instead of reaching its successor's data.
func (m *Memory) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life++
	for k, d := range m.dirs {
		if d.open {
			d.dead = true
			m.dirs[k] = &memDir{mem: m, data: d.data, snaps: slices.Clone(d.snaps)}
		}
	}
	if m.stall != nil {
		close(m.stall)
		m.stall = nil
	}
}

var errCrashed = errors.New("the process this store belonged to has ended")

// pass waits out a stall and reports a failure that writes must see.
func (m *Memory) pass() error {
	m.mu.Lock()
	stall := m.stall
	m.mu.Unlock()
	if stall != nil {
		<-stall
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fail
}

// Load implements Meta.
func (m *Memory) Load() (Metadata, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rec == nil {
		return Metadata{}, nil
	}
	return decodeMetadata(m.rec)
}

// Save implements Meta.
func (m *Memory) Save(rec Metadata) error {
	raw, err := encodeMetadata(rec)
	if err != nil {
		return err
	}
	m.mu.Lock()
	life := m.life
	m.mu.Unlock()
	if err := m.pass(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != life {
		return errCrashed
	}
	m.rec = raw
	return nil
}

// Close implements Meta; the data stays.
func (m *Memory) Close() error { return nil }

// Open implements Factory.
func (m *Memory) Open(cluster string, gen uint64) (*Stores, error) {
	key := DirInfo{cluster, gen}
	m.mu.Lock()
	d := m.dirs[key]
	fresh := d == nil
	if fresh {
		d = &memDir{mem: m, data: raft.NewInmemStore()}
		m.dirs[key] = d
	}
	if d.open {
		m.mu.Unlock()
		return nil, fmt.Errorf("open %s/%d: %w", cluster, gen, ErrInUse)
	}
	d.open = true
	m.mu.Unlock()
	g := newGuard(memLog{d}, memStable{d})
	s := &Stores{Log: guardedLog{g}, Stable: guardedStable{g}, Snaps: memSnapStore{d}, Fresh: fresh, guard: g}
	s.close = func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		d.open = false
		return nil
	}
	if err := check(s.Log, s.Snaps); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s/%d: %w", cluster, gen, err), s.Close())
	}
	return s, nil
}

// List implements Factory.
func (m *Memory) List() ([]DirInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]DirInfo, 0, len(m.dirs))
	for k := range m.dirs {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b DirInfo) int {
		if c := bytes.Compare([]byte(a.Cluster), []byte(b.Cluster)); c != 0 {
			return c
		}
		return int(int64(a.Generation) - int64(b.Generation))
	})
	return out, nil
}

// SetAside implements Factory.
func (m *Memory) SetAside(cluster string, gen uint64) error { return m.Remove(cluster, gen) }

// Remove implements Factory.
func (m *Memory) Remove(cluster string, gen uint64) error {
	if err := m.pass(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.dirs, DirInfo{cluster, gen})
	return nil
}

// write runs one write, unless the process has crashed meanwhile. Memory's lock
// makes the two exclude each other.
func (d *memDir) write(do func() error) error {
	if err := d.mem.pass(); err != nil {
		return err
	}
	d.mem.mu.Lock()
	defer d.mem.mu.Unlock()
	if d.dead {
		return errCrashed
	}
	return do()
}

// memLog and memStable put writes behind the faults.
type (
	memLog    struct{ *memDir }
	memStable struct{ *memDir }
)

func (l memLog) FirstIndex() (uint64, error)          { return l.data.FirstIndex() }
func (l memLog) LastIndex() (uint64, error)           { return l.data.LastIndex() }
func (l memLog) GetLog(i uint64, out *raft.Log) error { return l.data.GetLog(i, out) }
func (l memLog) StoreLog(e *raft.Log) error           { return l.StoreLogs([]*raft.Log{e}) }
func (l memLog) StoreLogs(es []*raft.Log) error {
	return l.write(func() error { return l.data.StoreLogs(es) })
}

func (l memLog) DeleteRange(lo, hi uint64) error {
	return l.write(func() error { return l.data.DeleteRange(lo, hi) })
}

func (s memStable) Get(k []byte) ([]byte, error) { return s.data.Get(k) }
func (s memStable) Set(k, v []byte) error {
	return s.write(func() error { return s.data.Set(k, v) })
}
func (s memStable) GetUint64(k []byte) (uint64, error) { return s.data.GetUint64(k) }
func (s memStable) SetUint64(k []byte, v uint64) error {
	return s.write(func() error { return s.data.SetUint64(k, v) })
}

// memSnap is a finished snapshot.
type memSnap struct {
	meta raft.SnapshotMeta
	data []byte
}

// memSnapStore is a raft.SnapshotStore on a memDir. Unlike the library's, a
// snapshot exists only once its sink is closed.
type memSnapStore struct{ *memDir }

// Create implements raft.SnapshotStore.
func (s memSnapStore) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if err := s.write(func() error { return nil }); err != nil {
		return nil, err
	}
	return &memSink{dir: s.memDir, snap: memSnap{meta: raft.SnapshotMeta{
		Version: v, ID: fmt.Sprintf("%d-%d", term, index), Index: index, Term: term,
		Configuration: c, ConfigurationIndex: ci,
	}}}, nil
}

// List implements raft.SnapshotStore.
func (s memSnapStore) List() ([]*raft.SnapshotMeta, error) {
	s.mem.mu.Lock()
	defer s.mem.mu.Unlock()
	out := make([]*raft.SnapshotMeta, len(s.snaps))
	for i := range s.snaps {
		meta := s.snaps[i].meta
		out[i] = &meta
	}
	return out, nil
}

// Open implements raft.SnapshotStore.
func (s memSnapStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mem.mu.Lock()
	defer s.mem.mu.Unlock()
	for _, snap := range s.snaps {
		if snap.meta.ID == id {
			meta := snap.meta
			return &meta, io.NopCloser(bytes.NewReader(snap.data)), nil
		}
	}
	return nil, nil, fmt.Errorf("no snapshot %s", id)
}

// memSink is a snapshot being written.
type memSink struct {
	dir  *memDir
	snap memSnap
	done bool
}

func (k *memSink) ID() string { return k.snap.meta.ID }

func (k *memSink) Write(p []byte) (int, error) {
	k.snap.data = append(k.snap.data, p...)
	return len(p), nil
}

// Cancel implements raft.SnapshotSink.
func (k *memSink) Cancel() error {
	k.done = true
	return nil
}

// Close implements raft.SnapshotSink.
func (k *memSink) Close() error {
	if k.done {
		return nil
	}
	k.done = true
	k.snap.meta.Size = int64(len(k.snap.data))
	return k.dir.write(func() error {
		all := slices.DeleteFunc(k.dir.snaps, func(s memSnap) bool { return s.meta.ID == k.snap.meta.ID })
		all = append(all, k.snap)
		slices.SortStableFunc(all, func(a, b memSnap) int {
			if a.meta.Term != b.meta.Term {
				return int(int64(b.meta.Term) - int64(a.meta.Term))
			}
			return int(int64(b.meta.Index) - int64(a.meta.Index))
		})
		k.dir.snaps = all[:min(len(all), keepSnaps)]
		return nil
	})
}
