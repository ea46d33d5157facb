package command

// Query is what routing needs to know of one command, or of a transaction (the
// union of its commands).
type Query struct {
	Slot      int  // slot of the first key, 0..16383
	CrossSlot bool // a further key lies in another slot
	Write     bool
	Channel   bool // the keys are shard channels (SPUBLISH, SSUBSCRIBE)
	Migrate   bool // the command is MIGRATE
	Asking    bool // ASKING was sent before, or the command implies it
	ReadOnly  bool // READONLY was sent on this connection
	TLS       bool
	// Missing counts, under the locks of the keys' partitions, the distinct
	// keys and how many of them are absent (a logically expired key is). It is
	// called only for slots that are migrating or importing here.
	Missing func() (missing, distinct int)
}

// Stamp identifies the right under which a command ran: the slot's ownership
// stamp and the tenure of this node at execution.
type Stamp struct {
	Slot   int32
	Owner  uint64
	Tenure uint64
}

// Verdict is a router's answer. Exactly one case holds: Err is set (an error
// text without the dash: MOVED, ASK, TRYAGAIN, CROSSSLOT, CLUSTERDOWN), or Wait
// is set (the slot is changing hands: release the locks, wait for the channel,
// bounded by the server, and ask again), or the command may run.
type Verdict struct {
	Err   string
	Wait  <-chan struct{}
	Stamp Stamp
}

// Router decides where a command runs. Implemented by the control plane; nil
// outside cluster mode. Both methods are called on the hot path, concurrently,
// and neither blocks nor allocates when the answer is "here".
type Router interface {
	// Route is called with the partitions of the command's keys locked, so
	// that a slot that is given away sees no command start after its owner
	// drained it.
	Route(q *Query) Verdict
	// Confirm is called after execution and before the reply leaves: it
	// reports whether what ran under s may be acknowledged. False means
	// outcome unknown: the replies are dropped and the connection is closed.
	Confirm(s Stamp) bool
}

// Keyspace is what the server asks of the local data.
type Keyspace interface {
	// Lock locks the partitions in the mask (bit i = partition i), in
	// ascending order; AllPartitions locks everything. Not reentrant.
	Lock(mask uint64)
	Unlock(mask uint64)
	// Exists reports whether the key is present and not expired at nowMs. It
	// neither deletes nor refreshes it. The key's partition is locked.
	Exists(db int, key []byte, nowMs int64) bool
	// Watch makes every later change of the key mark w. The key's partition
	// is locked.
	Watch(w *Watch, db int, key []byte, nowMs int64)
	// Unwatch forgets w. Partitions may be locked by the caller, or none.
	Unwatch(w *Watch)
	// Dirty reports whether a watched key changed or expired since Watch. The
	// watched keys' partitions are locked (see Watch.Mask).
	Dirty(w *Watch, nowMs int64) bool
}

// Toucher is what a [Keyspace] may also be: Touch brings what belongs to the
// keys into the processor's caches. It changes nothing, promises nothing, and
// is called without locks.
type Toucher interface {
	Touch(db int, keys [][]byte)
}

// BatchConfirmer is what a [Router] may also be: ConfirmAll reports whether
// Confirm would say yes to all of them at this moment.
type BatchConfirmer interface {
	ConfirmAll(s []Stamp) bool
}

// AllPartitions is the mask of the whole store.
const AllPartitions = ^uint64(0)

// Partitions is their number; slot s lies in partition s mod Partitions, in
// every database, with and without cluster mode.
const Partitions = 64

// PartitionOf is the mask of the partition of one slot.
func PartitionOf(slot int) uint64 { return 1 << (uint(slot) % Partitions) }
