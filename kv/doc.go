// Package kv is the local data: the keys this node holds, in numbered
// databases, divided by hash slot.
//
// What it is. A [Store] has [command.Partitions] partitions; slot s lies in
// partition s mod 64, in every database, with and without cluster mode. A
// partition is a mutex and, per database, one hash table per slot, so that
// counting, listing, scanning and dropping one slot costs as much as that slot
// holds. [DB] is one database at one instant: the handle through which commands
// read and write. [Entry] is one key seen under its partition's lock.
//
// What it isn't. It knows no command, no reply, no client and no cluster: the
// router decides who owns a slot, kv/commands decides what a command means.
//
// Invariants.
//   - A key has at most one record per database, in the table of its slot.
//   - Every change of a key marks the sessions that watch it, before the
//     partition is unlocked; so do expiry, FLUSHDB, FLUSHALL and SWAPDB.
//   - A key whose expiry has passed is absent to every caller, whether or not
//     its record is still there. "Passed" is decided by the caller's clock,
//     which is read once per command.
//   - SCAN returns every key that is present from its first to its last call.
//     A table grows and shrinks one bucket at a time (linear hashing); the
//     cursor is a position in the bit-reversed space of hash values, of which a
//     bucket always covers one contiguous interval.
//
// Locking. Every method needs the partitions of its keys locked ([Store.Lock])
// unless it says otherwise. Locks are taken in ascending order of partition,
// and the lock of the watch lists is taken last. Nothing else is locked here.
//
// Caveats. Bytes that an Entry or a callback shows are the store's own: they
// are valid until the partition is unlocked or the key is changed, whichever
// comes first, and are not to be written to, except through [DB.Edit]. They lie
// outside the garbage collector's sight (kv/ds): keeping one past that is a use
// of freed memory. Nor may they be given back to the store as a key or a value.
// Under the build tag "invariants" freed memory is poisoned.
package kv
