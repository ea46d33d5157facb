package persist

import (
	"encoding/binary"
	"hash/crc64"
)

// jones has, for the CRC-64 polynomial of Redis, 0xad93d23594c935a9, what a byte
// with 0 to 7 bytes behind it adds to the sum. hash/crc64 has such tables for
// its own polynomials only, and makes them anew in each call for others. Read
// only.
var jones = jonesTables()

func jonesTables() (t [8][256]uint64) {
	t[0] = *crc64.MakeTable(0x95ac9329ac4bc9b5) // in the order of bits that it wants
	for i := range 256 {
		crc := t[0][i]
		for behind := 1; behind < 8; behind++ {
			crc = t[0][crc&0xff] ^ crc>>8
			t[behind][i] = crc
		}
	}
	return t
}

// Checksum continues Redis's CRC64 over p; it starts with 0. Redis inverts
// neither the initial value nor the result.
func Checksum(crc uint64, p []byte) uint64 {
	for len(p) >= 8 {
		crc ^= binary.LittleEndian.Uint64(p)
		crc = jones[7][crc&0xff] ^ jones[6][crc>>8&0xff] ^ jones[5][crc>>16&0xff] ^ jones[4][crc>>24&0xff] ^
			jones[3][crc>>32&0xff] ^ jones[2][crc>>40&0xff] ^ jones[1][crc>>48&0xff] ^ jones[0][crc>>56]
		p = p[8:]
	}
	for _, c := range p {
		crc = jones[0][byte(crc)^c] ^ crc>>8
	}
	return crc
}
