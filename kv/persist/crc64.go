package persist

import "hash/crc64"

// jones is the CRC-64 polynomial of Redis, 0xad93d23594c935a9, in the bit order
// that hash/crc64 wants. The table is read only.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// Checksum continues Redis's CRC64 over p; it starts with 0. Redis inverts
// neither the initial value nor the result, hash/crc64 does both.
func Checksum(crc uint64, p []byte) uint64 { return ^crc64.Update(^crc, jones, p) }
