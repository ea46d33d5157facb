// Package fsm is the cluster's truth: which nodes there are, their roles,
// shards, slots, epochs and open slots, and how one committed operation changes
// that. It is pure: no Raft, clock, randomness, I/O, goroutine, logger or
// map-order dependence. Times and ids arrive inside the entry.
//
// A [State] is immutable: [State.Apply] returns a new one that shares what
// didn't change. A published State is the view the rest of the process reads,
// without a lock; nothing reachable from it may be modified, nor may the slices
// that its methods return.
//
// An [Entry] carries one operation, a pointer to a struct such as [MoveSlots],
// in the format of FORMAT.md. One that doesn't decode stops the node: skipping
// it would make its state differ from the others'. An operation that doesn't
// fit the state is refused ([Refusal]), on every node alike.
package fsm
