package commands

import (
	"math"

	"conclave/kv"
	"conclave/resp/command"
)

// bitfieldOp is one operation of a BITFIELD.
type bitfieldOp struct {
	write, add bool // SET is a write, INCRBY one that adds
	signed     bool
	width      uint // bits, 1 to 64; of an unsigned integer up to 63
	offset     int64
	operand    int64
	overflow   overflow
}

// overflow is what happens to a result that doesn't fit.
type overflow uint8

const (
	wrap overflow = iota
	saturate
	fail
)

const errBitfieldType = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."

// parseBitfield reads the operations. It writes the error if there is one.
func (h *handlers) parseBitfield(c *command.Ctx, ops []bitfieldOp) ([]bitfieldOp, bool) {
	how := wrap
	for i := 2; i < len(c.Args); {
		left := len(c.Args) - i - 1
		if c.Is(i, "overflow") && left >= 1 {
			switch {
			case c.Is(i+1, "wrap"):
				how = wrap
			case c.Is(i+1, "sat"):
				how = saturate
			case c.Is(i+1, "fail"):
				how = fail
			default:
				c.Error("ERR Invalid OVERFLOW type specified")
				return nil, false
			}
			i += 2
			continue
		}
		op := bitfieldOp{overflow: how, add: c.Is(i, "incrby")}
		op.write = op.add || c.Is(i, "set")
		if !(op.write && left >= 3) && !(c.Is(i, "get") && left >= 2) {
			c.Error(command.ErrSyntax)
			return nil, false
		}
		var ok bool
		if op.signed, op.width, ok = parseFieldType(c.Arg(i + 1)); !ok {
			c.Error(errBitfieldType)
			return nil, false
		}
		if op.offset, ok = h.bitOffset(c, c.Arg(i+2), int64(op.width)); !ok {
			return nil, false
		}
		i += 3
		if op.write {
			if op.operand, ok = kv.ParseInt(c.Arg(i)); !ok {
				c.Error(command.ErrNotInteger)
				return nil, false
			}
			i++
		}
		ops = append(ops, op)
	}
	return ops, true
}

// parseFieldType reads "i16" or "u8".
func parseFieldType(b []byte) (signed bool, width uint, ok bool) {
	if len(b) == 0 || (b[0] != 'i' && b[0] != 'u') {
		return false, 0, false
	}
	signed = b[0] == 'i'
	n, ok := kv.ParseInt(b[1:])
	if !ok || n < 1 || n > 64 || (n == 64 && !signed) {
		return false, 0, false
	}
	return signed, uint(n), true
}

func (h *handlers) bitfield(c *command.Ctx, readOnly bool) {
	var room [8]bitfieldOp
	ops, ok := h.parseBitfield(c, room[:0])
	if !ok {
		return
	}
	f := bitfieldValue{db: h.db(c), key: c.Arg(1)}
	how := reading(c)
	for _, op := range ops {
		if op.write {
			how = kv.ForWrite
			f.size = max(f.size, int((op.offset+int64(op.width)-1)>>3)+1)
		}
	}
	if f.size > 0 && readOnly {
		c.Error("ERR BITFIELD_RO only supports the GET subcommand")
		return
	}
	var scratch [20]byte
	if e, found := f.db.Lookup(f.key, how); found {
		if e.Type() != kv.String {
			c.Error(command.ErrWrongType)
			return
		}
		f.bytes = e.Bytes(scratch[:])
		f.longer = len(f.bytes) < f.size
		f.grow = f.size > 0 && (e.Encoding() != kv.Raw || f.longer)
	} else {
		f.longer = f.size > 0
		f.grow = f.longer
	}
	if f.grow {
		f.edit()
	}
	c.Array(len(ops))
	for i := range ops {
		if n, ok := f.run(&ops[i]); ok {
			c.Int(n)
		} else {
			c.Null()
		}
	}
	if f.changed {
		h.notify(c, command.NotifyString, "setbit", f.key)
	}
}

// bitfieldValue is the string that operations work on. It's made writable by
// the first one that changes it, so that a value that stays as it is doesn't
// disturb those who watch the key.
type bitfieldValue struct {
	db       kv.DB
	key      []byte
	bytes    []byte
	size     int // bytes that the writes need
	grow     bool
	longer   bool // the value grows: then every write counts as a change,
	changed  bool // unless it fails
	writable bool
}

func (f *bitfieldValue) edit() {
	f.bytes, f.writable = f.db.Edit(f.key, f.size), true
}

// run does one operation. It returns the reply, and false for null.
func (f *bitfieldValue) run(op *bitfieldOp) (int64, bool) {
	old := op.extend(readBits(f.bytes, op.offset, op.width))
	if !op.write {
		return old, true
	}
	var result int64
	var over bool
	switch {
	case op.signed && op.add:
		result, over = addSigned(old, op.operand, op.width, op.overflow)
	case op.signed:
		result, over = addSigned(op.operand, 0, op.width, op.overflow)
	case op.add:
		result, over = addUnsigned(uint64(old), op.operand, op.width, op.overflow)
	default:
		result, over = addUnsigned(uint64(op.operand), 0, op.width, op.overflow)
	}
	if over && op.overflow == fail {
		return 0, false
	}
	f.changed = f.changed || f.longer || result != old
	if result != old {
		if !f.writable {
			f.edit()
		}
		writeBits(f.bytes, op.offset, op.width, uint64(result))
	}
	if op.add {
		return result, true
	}
	return old, true
}

// extend makes an integer of what was read.
func (op *bitfieldOp) extend(n uint64) int64 {
	if op.signed {
		return int64(n<<(64-op.width)) >> (64 - op.width)
	}
	return int64(n)
}

// addUnsigned adds within a width of at most 63 bits, and reports whether the
// sum didn't fit.
func addUnsigned(n uint64, delta int64, width uint, how overflow) (int64, bool) {
	limit := uint64(1)<<width - 1
	over := n > limit || (delta > 0 && delta > int64(limit-n))
	under := !over && delta < 0 && delta < -int64(n)
	sum := n + uint64(delta)
	switch {
	case how == saturate && over:
		return int64(limit), true
	case how == saturate && under:
		return 0, true
	}
	return int64(sum & limit), over || under
}

// addSigned adds within a width, and reports whether the sum didn't fit.
func addSigned(n, delta int64, width uint, how overflow) (int64, bool) {
	limit := int64(math.MaxInt64) >> (64 - width)
	least := -limit - 1
	over := n > limit || (n >= 0 && delta > limit-n) || (n < 0 && width < 64 && delta > limit-n)
	under := !over && (n < least || (n < 0 && delta < least-n) || (n >= 0 && width < 64 && delta < least-n))
	switch {
	case how == saturate && over:
		return limit, true
	case how == saturate && under:
		return least, true
	}
	sum := uint64(n) + uint64(delta)
	return int64(sum<<(64-width)) >> (64 - width), over || under
}

// readBits reads an integer, the first bit being the highest. Behind the value
// there are zeros.
func readBits(v []byte, offset int64, width uint) uint64 {
	at, skip := offset>>3, uint(offset&7)
	var window [9]byte
	if at < int64(len(v)) {
		copy(window[:], v[at:])
	}
	var n uint64
	for _, b := range window[:8] {
		n = n<<8 | uint64(b)
	}
	n = n<<skip | uint64(window[8])>>(8-skip)
	return n >> (64 - width)
}

// writeBits writes an integer into a value that is long enough.
func writeBits(v []byte, offset int64, width uint, n uint64) {
	for left := width; left > 0; {
		at, skip := offset>>3, uint(offset&7)
		take := min(8-skip, left)
		shift := 8 - skip - take
		mask := byte(1<<take-1) << shift
		left -= take
		v[at] = v[at]&^mask | byte(n>>left)<<shift&mask
		offset += int64(take)
	}
}
