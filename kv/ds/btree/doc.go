// Package btree keeps ordered maps with keys of 128 bits and values of a fixed
// size, up to 40 bytes, in an arena: what a stream's IDs lead to.
//
// What it is. A [Tree] is a B+tree whose leaves hold keys and values, inner nodes a
// lower bound of each subtree's keys. A leaf begins small and grows; where keys
// come in ascending order nodes end up full. All operations take logarithmic
// time.
//
// Caveats. A Tree is a small value that stands for its nodes: it must not be
// copied except to move it, and is to be freed. A [Forest] says where nodes come
// from and how large the values of all its trees are; both are guarded by the
// heap's lock. Values that are returned lie in the arena, may be written to, and
// are good until the tree gets or loses a key.
package btree
