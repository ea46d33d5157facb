package kv

import (
	"crypto/sha1"
	"encoding/binary"
)

// Digest is Redis's order-independent fingerprint of data (DEBUG DIGEST): equal
// data sets have equal digests, here and in redis-server.
type Digest [sha1.Size]byte

func (d *Digest) xor(b []byte) {
	h := sha1.Sum(b)
	for i := range d {
		d[i] ^= h[i]
	}
}

// mix depends on the order of what is mixed.
func (d *Digest) mix(b []byte) {
	d.xor(b)
	*d = sha1.Sum(d[:])
}

func (d *Digest) mixUint32(n uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	d.mix(b[:])
}

func (d *Digest) addEntry(e Entry) {
	d.mixUint32(uint32(e.Type()))
	var scratch [20]byte
	d.mix(e.Bytes(scratch[:]))
	if e.Expiry() != NoExpiry {
		d.xor([]byte("!!expire!!"))
	}
}

// Digest is the fingerprint of the entry's value (DEBUG DIGEST-VALUE).
func (e Entry) Digest() Digest {
	var d Digest
	d.addEntry(e)
	return d
}

// Digest is the fingerprint of all keys, expired ones excepted. All partitions
// are locked.
func (s *Store) Digest(nowMs int64) Digest {
	var all Digest
	for n := range s.ndb {
		db := s.DB(n, nowMs)
		if db.Len() == 0 {
			continue
		}
		all.mixUint32(uint32(n))
		db.Each(true, func(e Entry) {
			var d Digest
			d.mix(e.Key())
			d.addEntry(e)
			all.xor(d[:])
		})
	}
	return all
}
