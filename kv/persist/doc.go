// Package persist reads and writes Redis's formats: values as they stand in an
// RDB file, in the payload of DUMP and RESTORE and in full synchronisation; RDB
// files; and append-only files in several parts with their manifest. FORMAT.md
// describes the bytes.
//
// It knows no store. Values go in and come out as a [Value]; who calls decides
// what to do with a type that the store doesn't hold.
//
// Values: [ParseDump], [Encoding.AppendDump]. Files: [RDBReader], [RDBWriter],
// [ReplaceFile]. Append-only file: [AOFDirectory] keeps the parts, [AOFReader]
// and [AOFWriter] their commands; a base part is an RDB file, possibly with
// commands behind it.
//
// Invariants:
//   - What is accepted is complete and consistent: every nested length, count
//     and back reference was checked before a value was handed out, whatever the
//     checksum says; no set, hash or sorted set has an element twice, no score
//     is NaN, the entries of a stream ascend, each pending entry has one owner.
//   - Memory is bounded by what the input can justify, never by a length it
//     merely claims: raw lengths are checked against the bytes that are there,
//     decompressed ones against the best ratio LZF can reach and the caller's
//     limit, and buffers grow with what was decoded. One byte of a payload may
//     justify 88 decompressed ones, and a packed element of two bytes a slice of
//     24.
//   - Encoding never fails and writes the oldest version that can hold the
//     value, unless a newer one is asked for.
//   - A reader ends with an error that says where the input is whole up to.
//
// Caveat: decoded values share memory with what they were read from, which is
// never written again: to keep a few bytes of a file, copy them.
package persist
