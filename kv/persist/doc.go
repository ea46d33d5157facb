// Package persist reads and writes values in Redis's serialised format: the
// body of an object as it stands in an RDB file, and the payload of DUMP and
// RESTORE, which is one such object with a version and a checksum behind it.
// FORMAT.md describes the bytes.
//
// It knows no store. Values go in and come out as a [Value]; who calls decides
// what to do with a type that the store doesn't hold.
//
// Invariants:
//   - What [ParseDump] accepts is complete: no byte of the payload is left over,
//     every nested length was checked before a value was built.
//   - Memory is bounded by what the payload can justify, never by a length it
//     merely claims: raw lengths are checked against the bytes that are there,
//     decompressed ones against the best ratio LZF can reach and the caller's
//     limit, and buffers grow with what was decoded.
//   - Encoding never fails and always writes the oldest version that can hold
//     the value.
//
// Caveat: a decoded [String] may share memory with the payload it came from.
package persist
