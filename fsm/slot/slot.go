package slot

import "bytes"

// Count is the number of hash slots of a cluster.
const Count = 16384

// Of is the slot of a key: CRC16 of the key, or of its hash tag (the bytes
// between the first '{' and the first '}' after it, if there are any), modulo
// Count.
func Of(key []byte) int {
	if open := bytes.IndexByte(key, '{'); open >= 0 {
		if n := bytes.IndexByte(key[open+1:], '}'); n > 0 {
			key = key[open+1 : open+1+n]
		}
	}
	return int(crc16(key)) & (Count - 1)
}

// crc16 takes eight bytes per step, each from a table of its own; the tail goes
// byte by byte.
func crc16(b []byte) uint16 {
	t := &crcTables
	var crc uint16
	for len(b) >= 8 {
		crc = t[7][b[0]^byte(crc>>8)] ^ t[6][b[1]^byte(crc)] ^ t[5][b[2]] ^ t[4][b[3]] ^
			t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
		b = b[8:]
	}
	for _, c := range b {
		crc = crc<<8 ^ t[0][byte(crc>>8)^c]
	}
	return crc
}

// crcTables is CRC-16/XMODEM (polynomial 0x1021, no reflection, zero start):
// table k holds the effect of a byte that k further bytes follow.
var crcTables = makeCRCTables()

func makeCRCTables() (t [8][256]uint16) {
	for i := range 256 {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		t[0][i] = crc
	}
	for k := 1; k < len(t); k++ {
		for i, crc := range t[k-1] {
			t[k][i] = crc<<8 ^ t[0][crc>>8]
		}
	}
	return t
}
