package commands

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"slices"

	"conclave/kv"
	"conclave/resp/command"
)

// bitOperator is a word of BITOP; combine folds the next source into dst. Where
// the source is shorter it counts as continued by zeros; it's never longer.
type bitOperator struct {
	word    string
	combine func(dst, src []byte)
}

func bitOperators() [4]bitOperator {
	return [4]bitOperator{{"and", andBits}, {"or", orBits}, {"xor", xorBits}, {"not", nil}}
}

func (h *handlers) bitop(c *command.Ctx) {
	var op *bitOperator
	ops := bitOperators()
	for i := range ops {
		if c.Is(1, ops[i].word) {
			op = &ops[i]
		}
	}
	switch {
	case op == nil:
		c.Error(command.ErrSyntax)
		return
	case op.combine == nil && len(c.Args) != 4:
		c.Error("ERR BITOP NOT must be called with a single source key.")
		return
	}
	db, how, longest := h.db(c), reading(c), 0
	for _, key := range c.Args[3:] {
		if e, ok := db.Lookup(key, how); ok {
			if e.Type() != kv.String {
				c.Error(command.ErrWrongType)
				return
			}
			longest = max(longest, e.Len())
		}
	}
	if longest == 0 {
		if db.Delete(c.Arg(2)) {
			h.notify(c, command.NotifyGeneric, "del", c.Arg(2))
		}
		c.Int(0)
		return
	}
	// Where the key of the result isn't a source, the result is put together in
	// the store's memory.
	dest := c.Arg(2)
	isSource := slices.ContainsFunc(c.Args[3:], func(key []byte) bool { return bytes.Equal(key, dest) })
	var result []byte
	if isSource {
		result = make([]byte, longest)
	} else {
		result = db.Blank(dest, longest)
	}
	for i, key := range c.Args[3:] {
		var scratch [20]byte
		var src []byte
		if e, ok := db.Lookup(key, kv.Quiet); ok {
			src = e.Bytes(scratch[:])
		}
		switch {
		case i > 0:
			op.combine(result, src)
		case op.combine == nil:
			notBits(result, src)
		default:
			copy(result, src)
		}
	}
	if isSource {
		setRaw(db, dest, result, kv.NoExpiry)
	}
	h.notify(c, command.NotifyString, "set", dest)
	c.Int(int64(longest))
}

// setRaw makes the key a string in the raw encoding, whatever its length: Redis
// leaves one behind where it built the value itself.
func setRaw(db kv.DB, key, val []byte, expiry int64) {
	db.SetText(key, val, expiry)
	if e, ok := db.Lookup(key, kv.Quiet); ok && e.Encoding() != kv.Raw {
		db.Edit(key, len(val))
	}
}

func andBits(dst, src []byte) {
	n := min(len(src), len(dst))
	clear(dst[n:])
	a, b := dst[:n], src[:n]
	for len(a) >= 8 && len(b) >= 8 {
		binary.LittleEndian.PutUint64(a, binary.LittleEndian.Uint64(a)&binary.LittleEndian.Uint64(b))
		a, b = a[8:], b[8:]
	}
	for i, x := range b {
		a[i] &= x
	}
}

func orBits(dst, src []byte) {
	for len(dst) >= 8 && len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)|binary.LittleEndian.Uint64(src))
		dst, src = dst[8:], src[8:]
	}
	for i, x := range src {
		dst[i] |= x
	}
}

func xorBits(dst, src []byte) { subtle.XORBytes(dst, dst, src) }

func notBits(dst, src []byte) {
	for len(dst) >= 8 && len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, ^binary.LittleEndian.Uint64(src))
		dst, src = dst[8:], src[8:]
	}
	for i, x := range src {
		dst[i] = ^x
	}
}
