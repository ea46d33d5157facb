package kv

import (
	"crypto/sha1"
	"encoding/binary"

	"conclave/kv/ds/packed"
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
	if e.Type() == String {
		var scratch [20]byte
		d.mix(e.Bytes(scratch[:]))
	} else {
		d.addFlat(e.Type(), e.AppendFlat(nil))
	}
	if e.Expiry() != NoExpiry {
		d.xor([]byte("!!expire!!"))
	}
}

// addFlat adds the elements of a collection: in their order if it has one.
func (d *Digest) addFlat(t Type, flat packed.List) {
	if t == Stream {
		d.addStream(flat)
		return
	}
	var buf []byte
	next := func(pos int) (text []byte, after int) {
		v, after := flat.At(pos)
		buf = v.Append(buf[:0])
		return buf, after
	}
	for pos := 0; pos < len(flat); {
		var text []byte
		switch t {
		case List:
			text, pos = next(pos)
			d.mix(text)
		case Set:
			text, pos = next(pos)
			d.xor(text)
		case Hash:
			var each Digest
			text, pos = next(pos)
			each.mix(text)
			text, pos = next(pos)
			each.mix(text)
			d.xor(each[:])
		case ZSet:
			var each Digest
			text, pos = next(pos)
			each.mix(text)
			var v packed.Value
			v, pos = flat.At(pos)
			buf = AppendScoreDigits(buf[:0], ScoreOf(v))
			each.mix(buf)
			d.xor(each[:])
		}
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
