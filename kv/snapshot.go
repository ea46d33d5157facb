package kv

import (
	"context"
	"errors"
	"strconv"

	"conclave/fsm/slot"
	"conclave/kv/ds"
	"conclave/resp/command"
)

// ErrSnapshot says that a snapshot is under way already.
var ErrSnapshot = errors.New("a snapshot is being taken")

// captureHold is about how many bytes the walk copies under one hold of a lock,
// outputSize how many are collected before they are handed on.
const (
	captureHold = 4 << 10
	outputFull  = 24 << 10
	outputSize  = outputFull + 2*captureHold
)

// Snapshot is the data as of one instant. Commands go on while it is walked:
// what they change is copied first.
type Snapshot struct {
	s    *Store
	done bool
}

// Saved is a key as it was at the snapshot's instant. It is good until the
// visitor returns.
type Saved struct {
	DB, Slot int
	Key      []byte
	Expiry   int64 // Unix ms; 0 = never

	kind   byte
	access uint32
	val    []byte

	scratch []byte // of Flat
}

// Type is the kind of value.
func (v *Saved) Type() Type { return typeOf(v.kind) }

// Encoding is how the value is represented.
func (v *Saved) Encoding() Encoding { return encodingOf(v.kind) }

// Bytes is a string's value. Integers are printed into scratch, which 20 bytes
// suffice for.
func (v *Saved) Bytes(scratch []byte) []byte {
	if v.Encoding() == Int {
		return strconv.AppendInt(scratch[:0], intOf(v.val), 10)
	}
	return v.val
}

// Snapshot fixes the instant: that at which it holds all partitions, at which
// it calls at, if that isn't nil. With slots it covers those alone. No partition
// is locked by the caller. Only one can be under way at a time; it is to be
// walked or closed.
func (s *Store) Snapshot(slots *slot.Set, at func()) (*Snapshot, error) {
	if !s.snapshotting.CompareAndSwap(false, true) {
		return nil, ErrSnapshot
	}
	if slots != nil {
		own := *slots
		slots = &own
	}
	// What takes memory is made before anything is locked.
	var begin [partitions]struct {
		groups []*ds.Group
		want   func(int) bool
		out    ds.Output
	}
	for i := range begin {
		b := &begin[i]
		b.groups, b.out = make([]*ds.Group, s.ndb), ds.NewOutput(outputSize)
		if slots != nil {
			b.want = func(table int) bool { return slots.Contains(table*partitions + i) }
		}
	}
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	for i := range begin {
		b, p := &begin[i], &s.parts[i]
		for db := range b.groups {
			b.groups[db] = p.dbs[db].tables.Load()
		}
		p.shard.BeginCapture(b.groups, b.want, b.out)
	}
	if at != nil {
		at()
	}
	return &Snapshot{s: s}, nil
}

// Walk calls visit for every key, those included whose time had passed but whose
// record was still there, in no particular order, until it fails or ctx is done.
// Each is visited once. No lock is held meanwhile. It can be called once, and
// ends the snapshot.
func (n *Snapshot) Walk(ctx context.Context, visit func(*Saved) error) (err error) {
	if n.done {
		return nil
	}
	n.done = true
	defer n.s.snapshotting.Store(false)
	var left uint64 = command.AllPartitions
	spare := ds.NewOutput(outputSize)
	for left != 0 {
		for i := range n.s.parts {
			if left&(1<<i) == 0 {
				continue
			}
			var more bool
			more, err = n.step(i, &spare, err, visit)
			if !more {
				left &^= 1 << i
			}
			if err == nil {
				err = ctx.Err()
			}
		}
	}
	return err
}

// step captures a part of one partition. After an error the rest still has to be
// marked as captured, but isn't copied any more.
func (n *Snapshot) step(i int, spare *ds.Output, failed error, visit func(*Saved) error) (more bool, err error) {
	p := &n.s.parts[i]
	p.shard.CaptureAhead()
	p.lock()
	if failed != nil {
		p.shard.Discard()
	}
	// What writers have left is handed on before anything is added to it.
	more = true
	if failed != nil || p.shard.Backlog() < outputFull {
		more = p.shard.Capture(captureHold)
	}
	if more && p.shard.Backlog() < outputFull && failed == nil {
		p.mu.Unlock()
		return true, nil
	}
	out := p.shard.Take(*spare)
	p.mu.Unlock()

	if err = failed; err == nil {
		var v Saved
		err = n.s.space.Read(out, func(c *ds.Captured) error {
			v = Saved{scratch: v.scratch, DB: c.Home, Slot: c.Table*partitions + i, Key: c.Key, Expiry: c.Expiry, kind: c.Kind, access: c.Access, val: c.Value}
			return visit(&v)
		})
	}

	p.lock()
	p.shard.Unpin(out)
	if !more {
		p.shard.EndCapture()
	}
	p.mu.Unlock()
	*spare = out
	return more, err
}

// Close ends a snapshot that is not going to be walked. It is harmless after
// Walk.
func (n *Snapshot) Close() {
	_ = n.Walk(context.Background(), func(*Saved) error { return errClosed })
}

var errClosed = errors.New("snapshot closed")
