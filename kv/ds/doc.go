// Package ds holds the store's tables: keys and what belongs to them, in memory
// that the garbage collector doesn't see.
//
// What it is. A [Space] is the memory of all tables. A [Shard] is what one lock
// guards: allocators, and the tables of some [Group]s. A [Table] is a hash table
// of self-describing [Record]s, each with its key, a value, and optionally an
// expiry. Tables grow and shrink by one bucket at a time.
//
// What it isn't. It knows no commands and no types: the kind of a value is a
// byte, its bytes are the caller's. It takes no locks and reads no clock.
//
// Layout. A bucket is one line of 64 bytes:
//
//	0  ten tags of one byte, 0 = free; used ones come first
//	10 ten references of five bytes, in units of eight bytes
//	60 next line of the chain, in units of 64 bytes; the top bit is the version
//
// A record:
//
//	0  kind   1  flags   2  access, 3 bytes   5  length of the key   6  of the value
//	7  [length of the key, 4 bytes] [of the value, 4 bytes] [expiry, 8 bytes]
//	   key, value
//
// Records of more than about 8 KiB have a run of pages of their own and always
// room for an expiry, so that it can be set without moving them.
//
// Snapshots. [Shard.BeginCapture] marks an instant by changing what counts as
// the current version of a bucket. Whoever is the first to change a bucket
// afterwards copies its records to the shard's output; [Shard.Capture] does so
// for those that nobody changes. What comes out is each record as it was at that
// instant, exactly once.
//
// Invariants, verified by [Shard.Check].
//   - A chain's lines are full, except for the last one.
//   - A record's cell has the class that its size asks for.
//   - Outside of a capture, every bucket of a table that has seen the last
//     capture has the table's version.
//
// Caveats. A [Place] and a [Record] are good until the table is changed. Bytes
// given to a table must not lie in the table's own memory.
package ds
