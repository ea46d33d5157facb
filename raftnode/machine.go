package raftnode

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"conclave/fsm"
)

// feedEntry is one committed operation as observers receive it. Prev is the
// config index before it: Raft's own entries leave gaps in Index.
type feedEntry struct {
	prev, index uint64
	data        []byte
}

// ringSize is how many operations a voter keeps for observers that were away;
// one that missed more gets the whole state (below 1 MiB).
const ringSize = 4096

// machine is one replica of the state machine. Raft feeds the one it runs on;
// a group's front is fed by that and by the stream from another voter,
// whichever is ahead. A front's state only moves forward.
type machine struct {
	// publish is told of each new state, in order, with the entries that led
	// to it (none after a restore). Called under mu.
	publish func(*fsm.State, []feedEntry)
	fatal   func(error)

	mu    sync.Mutex
	state *fsm.State
	ring  []feedEntry // oldest first; contiguous by prev/index up to state
	more  chan struct{}
}

func newMachine(publish func(*fsm.State, []feedEntry), fatal func(error)) *machine {
	return &machine{publish: publish, fatal: fatal, state: fsm.Empty(), more: make(chan struct{})}
}

// applyLocked applies one entry and remembers it for observers.
func (m *machine) applyLocked(index uint64, data []byte) (fsm.Result, error) {
	e, err := fsm.DecodeEntry(data)
	if err != nil {
		return fsm.Result{}, fmt.Errorf("decode operation at index %d: %w", index, err)
	}
	prev := m.state.Index()
	next, res := m.state.Apply(index, e)
	if res.Diverged {
		return res, fmt.Errorf("state differs from the leader's at index %d", index)
	}
	m.state = next
	m.rememberLocked(feedEntry{prev, index, data})
	return res, nil
}

// rememberLocked keeps entries for observers.
func (m *machine) rememberLocked(es ...feedEntry) {
	if len(m.ring) >= 2*ringSize {
		m.ring = append(m.ring[:0:0], m.ring[len(m.ring)-ringSize:]...)
	}
	m.ring = append(m.ring, es...)
}

// wakeLocked publishes the state and wakes the feeds. applied is how many of
// the youngest entries are new.
func (m *machine) wakeLocked(applied int) {
	m.publish(m.state, m.ring[len(m.ring)-applied:])
	close(m.more)
	m.more = make(chan struct{})
}

// Apply implements raft.FSM; Raft prefers ApplyBatch.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM: one publication for many entries. An
// entry that can't be decoded stops the node: skipping it would diverge.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	m.mu.Lock()
	defer m.mu.Unlock()
	applied := 0
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		res, err := m.applyLocked(l.Index, l.Data)
		if err != nil {
			m.fatal(err)
			// Nothing after a divergence may be applied or acknowledged.
			for ; i < len(logs); i++ {
				out[i] = err
			}
			return out
		}
		out[i] = res
		applied++
	}
	if applied > 0 {
		m.wakeLocked(applied)
	}
	return out
}

// Snapshot implements raft.FSM; a State is immutable, so this is free.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return stateSnapshot{m.state}, nil
}

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	st, err := fsm.Decode(r)
	if err != nil {
		return fmt.Errorf("restore configuration: %w", err)
	}
	m.reset(st)
	return nil
}

func (m *machine) reset(st *fsm.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = st
	m.ring = nil
	m.wakeLocked(0)
}

// adopt takes over the state of another machine of this node if it is newer:
// what the local Raft instance applied, or a former one left.
func (m *machine) adopt(st *fsm.State, entries []feedEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !newer(st, m.state) {
		return
	}
	for len(entries) > 0 && entries[0].prev < m.state.Index() {
		entries = entries[1:]
	}
	if len(entries) > 0 && entries[0].prev == m.state.Index() {
		m.rememberLocked(entries...)
	} else {
		m.ring, entries = nil, nil
	}
	m.state = st
	m.wakeLocked(len(entries))
}

// follow applies one streamed entry on an observer. It returns false if there
// is a gap: the caller asks for the whole state.
func (m *machine) follow(e feedEntry) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.index <= m.state.Index() {
		return true, nil
	}
	if e.prev != m.state.Index() {
		return false, nil
	}
	if _, err := m.applyLocked(e.index, e.data); err != nil {
		return false, err
	}
	m.wakeLocked(1)
	return true, nil
}

// since returns what follows index: entries, or the whole state if the ring
// doesn't reach back that far, and a channel that closes when there is more.
func (m *machine) since(index uint64) (entries []feedEntry, whole *fsm.State, more <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	more = m.more
	if index == m.state.Index() {
		return nil, nil, more
	}
	for i := len(m.ring) - 1; i >= 0 && index < m.state.Index(); i-- {
		if m.ring[i].prev == index {
			return append([]feedEntry(nil), m.ring[i:]...), nil, more
		}
	}
	return nil, m.state, more
}

func (m *machine) current() *fsm.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

type stateSnapshot struct{ state *fsm.State }

// Persist implements raft.FSMSnapshot.
func (s stateSnapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.state.Encode(sink); err != nil {
		return fmt.Errorf("write snapshot: %w", errorsJoinCancel(err, sink))
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s stateSnapshot) Release() {}

func errorsJoinCancel(err error, sink raft.SnapshotSink) error {
	if cerr := sink.Cancel(); cerr != nil {
		return fmt.Errorf("%w (cancel: %v)", err, cerr)
	}
	return err
}

var _ raft.BatchingFSM = (*machine)(nil)
