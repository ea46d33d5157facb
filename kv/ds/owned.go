package ds

import "encoding/binary"

// Owned is the bit of a kind that says that a record's value stands for more
// memory than its bytes: memory of which the shard's [Owner] knows.
const Owned = 0x80

// Owner keeps what the values of owned records stand for. Its methods are called
// with the shard's lock held, and must not change the shard's tables.
type Owner interface {
	// Release gives back what the value of a record stands for, which is being
	// freed.
	Release(r Record)
	// Flatten appends what the value of a record stands for as plain bytes.
	Flatten(dst []byte, r Record) []byte
}

// SetOwner says who owns what records with the kind's bit Owned stand for. It is
// called before there are any.
func (s *Shard) SetOwner(o Owner) { s.owner = o }

// emitOwned captures a record together with what its value stands for.
func (t *Table) emitOwned(s *Shard, r Record) {
	c := &s.capture
	c.flat = s.owner.Flatten(c.flat[:0], r)
	key, expiry := r.Key(), r.Expiry()
	flags, total := shape(len(key), len(c.flat), expiry != 0)
	c.out.reserve(itemHead + itemPin + total)
	out := c.out.buf
	out = binary.LittleEndian.AppendUint32(out, uint32(total))
	out = binary.LittleEndian.AppendUint16(out, uint16(t.group.home))
	out = binary.LittleEndian.AppendUint16(out, uint16(t.index))
	from := len(out)
	out = out[:from+total]
	copied := Record{out[from:]}
	copied.write(r.Kind(), flags, r.Access(), len(key), len(c.flat), expiry)
	copy(copied.Key(), key)
	copy(copied.Value(), c.flat)
	c.out.buf = out
	if cap(c.flat) > outputPart {
		c.flat = nil
	}
}
