// Package arena is memory outside the garbage collector's sight, addressed by
// [Ref] instead of by pointer.
//
// What it is. An [Arena] is one range of addresses, handed out in chunks of
// 16 KiB and in runs of chunks. A [Heap] cuts chunks into cells of some fifty
// sizes; what is larger than a cell gets a run of its own, of which only the
// pages in use are resident. An arena is safe for concurrent use; a heap belongs
// to whoever holds its owner's lock, and is usually one of many on one arena.
//
// Memory comes back: a chunk without live cells and a run that is freed return
// to the arena, and [Arena.Trim] gives their pages to the operating system.
// Chunks with few live cells can be emptied: [Heap.Evacuate] takes them out of
// use for new cells, and the owner moves what [Heap.Evacuating] says lies in
// them.
//
// Two builds. On Linux an arena is one mapping, reserved without being backed.
// Elsewhere, and under the build tag "invariants", every run is an ordinary Go
// slice of its own: accesses are visible to the race detector, those beyond a
// run or into a freed one panic, and under the tag freed cells are poisoned and
// a second free of a cell, or one of the wrong size, panics.
//
// Caveats. Cells come with whatever was in them before. Slices that an arena
// returns keep neither it nor the cell alive: they are good until the cell is
// freed.
package arena
