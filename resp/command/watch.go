package command

import "sync/atomic"

// Watch is the set of keys one session watches for its next transaction.
type Watch struct {
	dirty atomic.Bool
	Keys  []WatchedKey // owned by the session's goroutine
}

// WatchedKey is one key under WATCH.
type WatchedKey struct {
	DB  int
	Key string
}

// Touch marks the set: a watched key changed. Called by the store under the
// key's partition lock.
func (w *Watch) Touch() { w.dirty.Store(true) }

// Touched reports whether Touch was called since the last Reset.
func (w *Watch) Touched() bool { return w.dirty.Load() }

// Reset empties the set; the store must have forgotten it before (Unwatch).
func (w *Watch) Reset() {
	w.dirty.Store(false)
	w.Keys = w.Keys[:0]
}

// Mask is the partitions of the watched keys.
func (w *Watch) Mask() uint64 {
	var mask uint64
	for i := range w.Keys {
		mask |= PartitionOf(SlotOf([]byte(w.Keys[i].Key)))
	}
	return mask
}
