// Package packed stores short lists of short values in one piece of memory.
//
// What it is. A [List] is bytes: entries one behind the other, each with its
// length before and after it, so that it can be walked both ways. Integers that
// fit into 64 bits, in their canonical form, take one to nine bytes. There is no
// header: an empty list has no bytes, and counting is walking.
//
// Layout of an entry:
//
//	0x00-0x3f          a string of 0 to 63 bytes follows
//	0x40-0x7f          an integer, 0 to 63
//	0x80 0x81 0x82 0x83  an integer of 1, 2, 4, 8 bytes follows, signed, little-endian
//	0x84 0x85          a string follows, its length before it in 1 or 4 bytes
//
// and then its length so far, in groups of seven bits, the lowest group last;
// all but the first byte of it have the top bit set.
//
// Caveats. Positions are byte offsets; a change makes those behind it invalid.
// Lists that come from elsewhere must pass [List.Valid] before anything else is
// done with them.
package packed
