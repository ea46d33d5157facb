// Package order keeps references in the order of a score, with ranks.
//
// What it is. A [Tree] is a B+tree of [Item]s in an arena: leaves hold the
// items, inner nodes the first item and the size of each subtree. Items of equal
// score are ordered by what they refer to, which the [Forest] is told how to
// compare. Everything takes logarithmic time but for [Forest.Copy], which takes
// none: copies share nodes, which are counted, and whoever changes a shared node
// changes a copy of it.
//
// What it isn't. It doesn't know what an item refers to, and owns none of it. That
// it may be a place in the arena is all that walking makes use of: it has the
// places ahead loaded.
//
// Caveats. A forest, and all trees in it, is guarded by one lock. A Tree is a
// small value that stands for its nodes: it must not be copied but with Copy, and
// is to be freed. What an item refers to must be comparable as long as the item
// is in any tree that is changed.
package order
