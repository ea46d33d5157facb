package command

// Holder is what a [Keyspace] may also be: a call that takes long can keep its
// partitions to itself in a way that those who want them learn of. Lock waits
// until a hold ends; Unlock ends it, for whoever made it.
type Holder interface {
	// LockFree is Lock, unless a partition is held: then nothing is locked, and
	// the channel is closed when the hold ends.
	LockFree(mask uint64) (held <-chan struct{})
	// Hold turns locks that the caller has into a hold.
	Hold(mask uint64)
	// TryLock is Lock if it can be had at once. Partitions may be locked.
	TryLock(mask uint64) bool
}
