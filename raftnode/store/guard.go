package store

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// deleteChunk bounds one deletion's transaction, so that appends wait
// milliseconds for it and not for a whole compaction.
const deleteChunk = 4096

// ErrPoisoned: an earlier write failed, so nothing is written any more.
var ErrPoisoned = errors.New("log takes no writes: an earlier one failed")

// guard stands before a log's writes: it knows how long the running one has
// taken, and lets none through after the first that failed. Reads pass.
type guard struct {
	log    raft.LogStore
	stable raft.StableStore

	failed chan struct{}

	mu      sync.Mutex
	err     error
	running map[uint64]time.Time // when each write in flight began
	next    uint64
}

func newGuard(log raft.LogStore, stable raft.StableStore) *guard {
	return &guard{log: log, stable: stable, failed: make(chan struct{}), running: map[uint64]time.Time{}}
}

// WriteAge is how long the oldest running write has taken; 0 if none runs.
func (g *guard) WriteAge() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var age time.Duration
	for _, began := range g.running {
		age = max(age, time.Since(began))
	}
	return age
}

// Failed closes when a write has failed; the process must not go on.
func (g *guard) Failed() <-chan struct{} { return g.failed }

// Err is the first failure, nil before.
func (g *guard) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// write runs one write.
func (g *guard) write(what string, do func() error) error {
	g.mu.Lock()
	if g.err != nil {
		defer g.mu.Unlock()
		return fmt.Errorf("%w: %w", ErrPoisoned, g.err)
	}
	id := g.next
	g.next++
	g.running[id] = time.Now()
	g.mu.Unlock()

	err := do()

	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.running, id)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", what, err)
	if g.err == nil {
		g.err = err
		close(g.failed)
	}
	return err
}

// guardedLog and guardedStable are a guard's two faces.
type (
	guardedLog    struct{ *guard }
	guardedStable struct{ *guard }
)

// FirstIndex implements raft.LogStore.
func (g guardedLog) FirstIndex() (uint64, error) { return g.log.FirstIndex() }

// LastIndex implements raft.LogStore.
func (g guardedLog) LastIndex() (uint64, error) { return g.log.LastIndex() }

// GetLog implements raft.LogStore.
func (g guardedLog) GetLog(i uint64, l *raft.Log) error { return g.log.GetLog(i, l) }

// StoreLog implements raft.LogStore.
func (g guardedLog) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (g guardedLog) StoreLogs(ls []*raft.Log) error {
	return g.write("store log entries", func() error { return g.log.StoreLogs(ls) })
}

// DeleteRange implements raft.LogStore. Deletion goes on from the end that
// leaves no hole if it is interrupted: a prefix upwards, a suffix downwards.
func (g guardedLog) DeleteRange(lo, hi uint64) error {
	first, err := g.log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := g.log.LastIndex()
	if err != nil {
		return err
	}
	suffix := hi >= last && lo > first
	lo, hi = max(lo, first), min(hi, last)
	for first != 0 && lo <= hi {
		from, to := lo, min(hi, lo+deleteChunk-1)
		if suffix {
			from, to = max(lo, hi-min(hi, deleteChunk-1)), hi
		}
		// Each chunk is a write of its own, also for the age of the running one.
		if err := g.write("delete log entries", func() error { return g.log.DeleteRange(from, to) }); err != nil {
			return err
		}
		if suffix {
			hi = from - 1
		} else {
			lo = to + 1
		}
	}
	return nil
}

// Set implements raft.StableStore.
func (g guardedStable) Set(k, v []byte) error {
	return g.write("store term or vote", func() error { return g.stable.Set(k, v) })
}

// SetUint64 implements raft.StableStore.
func (g guardedStable) SetUint64(k []byte, v uint64) error {
	return g.write("store term or vote", func() error { return g.stable.SetUint64(k, v) })
}

// Get implements raft.StableStore.
func (g guardedStable) Get(k []byte) ([]byte, error) { return g.stable.Get(k) }

// GetUint64 implements raft.StableStore.
func (g guardedStable) GetUint64(k []byte) (uint64, error) { return g.stable.GetUint64(k) }
