package commands

import (
	"encoding/binary"

	"conclave/kv"
	"conclave/resp/command"
)

// bitOperator is a word of BITOP; combine folds the next source into dst. Where
// the source is shorter it counts as continued by zeros.
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
		db.Delete(c.Arg(2))
		c.Int(0)
		return
	}
	// The result is put together elsewhere: its key may be one of the sources.
	result := make([]byte, longest)
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
	setRaw(db, c.Arg(2), result, kv.NoExpiry)
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
	eachWord(dst[:n], src[:n], func(a, b uint64) uint64 { return a & b })
}

func orBits(dst, src []byte) {
	n := min(len(src), len(dst))
	eachWord(dst[:n], src[:n], func(a, b uint64) uint64 { return a | b })
}

func xorBits(dst, src []byte) {
	n := min(len(src), len(dst))
	eachWord(dst[:n], src[:n], func(a, b uint64) uint64 { return a ^ b })
}

func notBits(dst, src []byte) {
	eachWord(dst, src, func(_, b uint64) uint64 { return ^b })
}

// eachWord replaces dst by f of dst and src, which are of the same length,
// eight bytes at a time. It's small enough to be compiled together with f.
func eachWord(dst, src []byte, f func(a, b uint64) uint64) {
	for len(dst) >= 8 && len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, f(binary.LittleEndian.Uint64(dst), binary.LittleEndian.Uint64(src)))
		dst, src = dst[8:], src[8:]
	}
	for i := range src {
		dst[i] = byte(f(uint64(dst[i]), uint64(src[i])))
	}
}
