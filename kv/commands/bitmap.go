package commands

import (
	"encoding/binary"
	"math/bits"

	"conclave/kv"
	"conclave/resp/command"
)

func (h *handlers) bitmapSpecs() []command.Spec {
	const (
		write = command.Write | command.DenyOOM
		read  = command.ReadOnly
		acl   = command.CatBitmap
	)
	from := keySpec(command.RO | command.Access)
	return []command.Spec{
		{Name: "setbit", Arity: 4, Flags: write, ACL: acl, Keys: keySpec(command.RW | command.Access | command.Update),
			Group: "bitmap", Since: "2.2.0", Cost: "O(1)", Args: "key offset value",
			Doc: "Sets or clears a bit of a string value. Creates the key if it doesn't exist.", Run: h.setbit},
		{Name: "getbit", Arity: 3, Flags: read | command.Fast, ACL: acl, Keys: from,
			Group: "bitmap", Since: "2.2.0", Cost: "O(1)", Args: "key offset",
			Doc: "Returns a bit of a string value.", Run: h.getbit},
		{Name: "bitcount", Arity: -2, Flags: read, ACL: acl, Keys: from,
			Group: "bitmap", Since: "2.6.0", Cost: "O(N)", Args: "key [start end [BYTE | BIT]]",
			Doc: "Counts the set bits of a string value.", Run: h.bitcount},
		{Name: "bitpos", Arity: -3, Flags: read, ACL: acl, Keys: from,
			Group: "bitmap", Since: "2.8.7", Cost: "O(N)", Args: "key bit [start [end [BYTE | BIT]]]",
			Doc: "Finds the first set or clear bit of a string value.", Run: h.bitpos},
		{Name: "bitop", Arity: -4, Flags: write, ACL: acl,
			Keys:  []command.KeySpec{{Begin: 2, Flags: command.OW | command.Update}, {Begin: 3, Last: -1, Flags: command.RO | command.Access}},
			Group: "bitmap", Since: "2.6.0", Cost: "O(N)", Args: "<AND | OR | XOR | NOT> destkey key [key ...]",
			Doc: "Combines string values bit by bit and stores the result.", Run: h.bitop},
		{Name: "bitfield", Arity: -2, Flags: write, ACL: acl,
			Keys:  keySpec(command.RW | command.Access | command.Update | command.VariableFlags),
			Group: "bitmap", Since: "3.2.0", Cost: "O(1) for each subcommand specified",
			Args: "key [(GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>) ...]",
			Doc:  "Reads and writes integers of any width within a string value.", Run: func(c *command.Ctx) { h.bitfield(c, false) }},
		{Name: "bitfield_ro", Arity: -2, Flags: read | command.Fast, ACL: acl, Keys: from,
			Group: "bitmap", Since: "6.0.0", Cost: "O(1) for each subcommand specified",
			Args: "key [GET encoding offset [GET encoding offset ...]]",
			Doc:  "Reads integers of any width within a string value.", Run: func(c *command.Ctx) { h.bitfield(c, true) }},
	}
}

// bitOffset reads the position of a bit; what isn't within the longest value
// gets the error, in which case it returns false. With a width, "#n" is the
// position of the nth integer of this width; the product may wrap, as Redis's.
func (h *handlers) bitOffset(c *command.Ctx, arg []byte, width int64) (int64, bool) {
	factor := int64(1)
	if width > 0 && len(arg) > 0 && arg[0] == '#' {
		arg, factor = arg[1:], width
	}
	n, ok := kv.ParseInt(arg)
	n *= factor
	if !ok || n < 0 || n>>3 >= h.maxBulk() {
		c.Error("ERR bit offset is not an integer or out of range")
		return 0, false
	}
	return n, true
}

func (h *handlers) setbit(c *command.Ctx) {
	offset, ok := h.bitOffset(c, c.Arg(2), 0)
	if !ok {
		return
	}
	on, ok := kv.ParseInt(c.Arg(3))
	if !ok || on&^1 != 0 {
		c.Error("ERR bit is not an integer or out of range")
		return
	}
	db, key := h.db(c), c.Arg(1)
	at, shift := int(offset>>3), 7-uint(offset&7)
	e, found := db.Lookup(key, kv.ForWrite)
	if found && e.Type() != kv.String {
		c.Error(command.ErrWrongType)
		return
	}
	// A bit that stays as it is doesn't disturb those who watch the key.
	if found && e.Encoding() == kv.Raw && at < e.Len() {
		if old := int64(e.Bytes(nil)[at]>>shift) & 1; old == on {
			c.Int(old)
			return
		}
	}
	grows := !found || at >= e.Len()
	v := db.Edit(key, at+1)
	old := int64(v[at]>>shift) & 1
	v[at] = v[at]&^(1<<shift) | byte(on)<<shift
	if grows || old != on {
		h.notify(c, command.NotifyString, "setbit", key)
	}
	c.Int(old)
}

func (h *handlers) getbit(c *command.Ctx) {
	offset, ok := h.bitOffset(c, c.Arg(2), 0)
	if !ok {
		return
	}
	e, ok := h.readString(c, c.Arg(1), func() { c.Int(0) })
	if !ok {
		return
	}
	var scratch [20]byte
	v, at := e.Bytes(scratch[:]), offset>>3
	if at >= int64(len(v)) {
		c.Int(0)
		return
	}
	c.Int(int64(v[at]>>(7-uint(offset&7))) & 1)
}

// bitRange is the arguments of BITCOUNT and BITPOS that select a part.
type bitRange struct {
	start, end int64
	endless    bool // no end was given
	inBits     bool // the unit is bits, not bytes
}

// parseBitRange reads [start [end [BYTE | BIT]]]. It writes the error if there
// is one, the one that Redis finds first.
func parseBitRange(c *command.Ctx, args [][]byte) (r bitRange, ok bool) {
	r = bitRange{end: -1, endless: len(args) < 2}
	if len(args) > 3 {
		c.Error(command.ErrSyntax)
		return r, false
	}
	unitOK := true
	if len(args) == 3 {
		r.inBits = command.EqualFold(args[2], "bit")
		unitOK = r.inBits || command.EqualFold(args[2], "byte")
	}
	number := func(i int, n *int64) bool {
		if i < len(args) {
			*n, ok = kv.ParseInt(args[i])
			return ok
		}
		return true
	}
	if !number(0, &r.start) {
		c.Error(command.ErrNotInteger)
		return r, false
	}
	// BITCOUNT looks at the unit last, BITPOS before the end.
	if !unitOK && c.Spec.Name == "bitpos" {
		c.Error(command.ErrSyntax)
		return r, false
	}
	switch {
	case !number(1, &r.end):
		c.Error(command.ErrNotInteger)
	case !unitOK:
		c.Error(command.ErrSyntax)
	default:
		return r, true
	}
	return r, false
}

// within applies the range to a value of size bytes: it returns the first and
// the last bit selected, and false if there are none.
func (r bitRange) within(size int) (first, last int64, ok bool) {
	n, scale := int64(size), int64(8)
	if r.inBits {
		n, scale = n*8, 1
	}
	start, end := r.start, r.end
	if start < 0 {
		start = max(n+start, 0)
	}
	if end < 0 {
		end = max(n+end, 0)
	}
	end = min(end, n-1)
	if start > end {
		return 0, 0, false
	}
	return start * scale, end*scale + scale - 1, true
}

func (h *handlers) bitcount(c *command.Ctx) {
	// An end can't be left out here.
	if len(c.Args) == 3 {
		c.Error(command.ErrSyntax)
		return
	}
	r, ok := parseBitRange(c, c.Args[2:])
	if !ok {
		return
	}
	e, ok := h.readString(c, c.Arg(1), func() { c.Int(0) })
	if !ok {
		return
	}
	// Behind the end even where both are before the beginning.
	if r.start < 0 && r.end < 0 && r.start > r.end {
		c.Int(0)
		return
	}
	var scratch [20]byte
	v := e.Bytes(scratch[:])
	first, last, ok := r.within(len(v))
	if !ok {
		c.Int(0)
		return
	}
	n := popcount(v[first>>3 : last>>3+1])
	n -= bits.OnesCount8(v[first>>3] &^ (0xff >> (first & 7)))
	n -= bits.OnesCount8(v[last>>3] & (0x7f >> (last & 7)))
	c.Int(int64(n))
}

func popcount(b []byte) (n int) {
	for ; len(b) >= 32; b = b[32:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b)) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[8:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[16:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[24:]))
	}
	for ; len(b) >= 8; b = b[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b))
	}
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

func (h *handlers) bitpos(c *command.Ctx) {
	bit, ok := kv.ParseInt(c.Arg(2))
	switch {
	case !ok:
		c.Error(command.ErrNotInteger)
		return
	case bit&^1 != 0:
		c.Error("ERR The bit argument must be 1 or 0.")
		return
	}
	r, ok := parseBitRange(c, c.Args[3:])
	if !ok {
		return
	}
	// A key that isn't there is zeros without end.
	e, ok := h.readString(c, c.Arg(1), func() { c.Int(-bit) })
	if !ok {
		return
	}
	var scratch [20]byte
	v := e.Bytes(scratch[:])
	first, last, ok := r.within(len(v))
	if !ok {
		c.Int(-1)
		return
	}
	pos := bitPosition(v, bit == 1, first, last)
	if pos < 0 && bit == 0 && r.endless {
		pos = int64(len(v)) * 8 // the zeros behind the value
	}
	c.Int(pos)
}

// bitPosition finds the first bit with this value from first to last; -1 if
// there is none.
func bitPosition(v []byte, set bool, first, last int64) int64 {
	var flip uint64
	if !set {
		flip = ^uint64(0)
	}
	edge := func(at int64) uint64 { return (uint64(v[at]) ^ flip) << 56 }
	at, end := first>>3, last>>3
	found := func(word uint64) int64 {
		if pos := at*8 + int64(bits.LeadingZeros64(word)); pos <= last {
			return pos
		}
		return -1
	}
	if word := edge(at) << (first & 7) >> (first & 7); word != 0 {
		return found(word)
	}
	at++
	for ; at+32 <= end; at += 32 {
		block := v[at : at+32 : at+32]
		if (binary.LittleEndian.Uint64(block)^flip)|(binary.LittleEndian.Uint64(block[8:])^flip)|
			(binary.LittleEndian.Uint64(block[16:])^flip)|(binary.LittleEndian.Uint64(block[24:])^flip) != 0 {
			break
		}
	}
	for ; at+8 <= end; at += 8 {
		if word := binary.BigEndian.Uint64(v[at:]) ^ flip; word != 0 {
			return found(word)
		}
	}
	for ; at <= end; at++ {
		if word := edge(at); word != 0 {
			return found(word)
		}
	}
	return -1
}
