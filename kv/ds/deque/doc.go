// Package deque keeps long lists of values in an arena: a chain of nodes, each a
// packed list of at most 4 KiB. Both ends are reached at once, the middle by
// stepping over nodes from the nearer end.
//
// Caveats. [Nodes], and all lists made of them, are guarded by one lock. A [List]
// is a small value that stands for its nodes: it must not be copied, and is to be
// freed. Values that are shown lie in the arena and are good until the list is
// changed; values given to a list must not lie in it.
package deque
