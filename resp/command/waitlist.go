package command

import "sync/atomic"

// WaitList is what a [Keyspace] may also be: it knows which calls wait for which
// keys, and which of those keys have changed since they were looked at. A
// keyspace that isn't one lets nobody wait: Block is then answered as if the time
// were up.
//
// Its methods may be called by any goroutine, with or without partitions locked,
// unless they say otherwise.
type WaitList interface {
	// Await puts a call behind those that wait for the keys already. The keys'
	// partitions are locked.
	Await(call any, db int, keys [][]byte) Ticket
	// Ready counts the keys that have changed and whose calls haven't been looked
	// at yet, or are being looked at: between NextReady and Looked. It costs one
	// load to see that there is nothing to do.
	Ready() *atomic.Int64
	// NextReady takes the key that became ready first. Looked must follow.
	NextReady() (db int, key []byte, ok bool)
	// Looked says that the calls that wait for the key have been looked at.
	Looked()
	// Waiting appends the next calls, at most n, that wait for a key, in the order
	// in which they came, behind the one with the number after; 0 = from the
	// first on.
	Waiting(dst []Waiting, db int, key []byte, after uint64, n int) []Waiting
	// AwaitedKeys is the number of keys for which calls wait.
	AwaitedKeys() int
}

// Expirer is what a [Keyspace] may also be: Expire removes a key whose time has
// passed, as a lookup by a command would. The key's partition is locked.
type Expirer interface {
	Expire(db int, key []byte, nowMs int64)
}

// Waiting is a call that waits for a key.
type Waiting struct {
	Call   any    // as given to Await
	Number uint64 // > 0, in order of arrival
}

// Ticket is a call's place in a [WaitList].
type Ticket interface {
	// Withdraw gives it up. It may be called more than once.
	Withdraw()
}
