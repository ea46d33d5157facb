package commands

import (
	"encoding/binary"

	"conclave/kv"
	"conclave/resp/command"
)

const defaultHLLSparse = 3000

func (h *handlers) hyperLogLogSpecs() []command.Spec {
	const acl = command.CatHyperLogLog
	return []command.Spec{
		{Name: "pfadd", Arity: -2, Flags: command.Write | command.DenyOOM | command.Fast, ACL: acl, Keys: keySpec(command.RW | command.Insert),
			Group: "hyperloglog", Since: "2.8.9", Cost: "O(1) to add every element", Args: "key [element [element ...]]",
			Doc: "Adds elements to a HyperLogLog. Creates the key if it doesn't exist.", Run: h.pfadd},
		{Name: "pfcount", Arity: -2, Flags: command.ReadOnly | command.MayReplicate, ACL: acl,
			Keys:  []command.KeySpec{{Begin: 1, Last: -1, Flags: command.RW | command.Access}},
			Group: "hyperloglog", Since: "2.8.9", Cost: "O(1) for a single key whose count is known, O(N) for N keys, with a large constant",
			Args: "key [key ...]",
			Doc:  "Returns the approximate number of different elements that HyperLogLogs have seen together.", Run: h.pfcount},
		{Name: "pfmerge", Arity: -2, Flags: command.Write | command.DenyOOM, ACL: acl,
			Keys: []command.KeySpec{{Begin: 1, Flags: command.RW | command.Access | command.Insert},
				{Begin: 2, Last: -1, Flags: command.RO | command.Access}},
			Group: "hyperloglog", Since: "2.8.9", Cost: "O(N) to merge N HyperLogLogs, with a large constant",
			Args: "destkey [sourcekey [sourcekey ...]]",
			Doc:  "Merges HyperLogLogs into the one stored at a key.", Run: h.pfmerge},
	}
}

const (
	errNotHLL     = "WRONGTYPE Key is not a valid HyperLogLog string value."
	errCorruptHLL = "INVALIDOBJ Corrupted HLL object detected"
)

func (h *handlers) hllSparseMax() int64 {
	if h.HLLSparseMax == nil {
		return defaultHLLSparse
	}
	return h.HLLSparseMax()
}

// lookupHLL finds a HyperLogLog. It's nil if the key is absent; of what isn't
// one it writes the error, in which case it returns false. The value is the
// store's memory.
func lookupHLL(c *command.Ctx, db kv.DB, key []byte, how kv.Access) (hll, bool) {
	e, found := db.Lookup(key, how)
	if !found {
		return nil, true
	}
	if e.Type() != kv.String {
		c.Error(command.ErrWrongType)
		return nil, false
	}
	if e.Encoding() != kv.Int {
		if v := hll(e.Bytes(nil)); v.valid() {
			return v, true
		}
	}
	c.Error(errNotHLL)
	return nil, false
}

func (h *handlers) pfadd(c *command.Ctx) {
	db, key := h.db(c), c.Arg(1)
	v, ok := lookupHLL(c, db, key, kv.ForWrite)
	if !ok {
		return
	}
	if v != nil && v.dense() {
		h.addDense(c, db, v)
		return
	}
	// Most elements of a large set change nothing: the value is copied when one
	// does.
	changed, limit := false, h.hllSparseMax()
	if v == nil {
		v, changed = newHLL(), true
	}
	for _, element := range c.Args[2:] {
		index, rank := hllHash(element)
		old, ok := v.register(index)
		switch {
		case !ok:
			c.Error(errCorruptHLL)
			return
		case old >= rank:
			continue
		case !changed:
			v, changed = append(make(hll, 0, len(v)+64), v...), true
		}
		if v, _, ok = v.raise(hllBegin(), index, rank, limit); !ok {
			c.Error(errCorruptHLL)
			return
		}
	}
	if !changed {
		c.Int(0)
		return
	}
	v.forgetCount()
	setRaw(db, key, v, kv.KeepTTL)
	h.notify(c, command.NotifyString, "pfadd", key)
	c.Int(1)
}

// addDense adds to a value in place, once it turns out that it changes.
func (h *handlers) addDense(c *command.Ctx, db kv.DB, v hll) {
	writable := false
	for _, element := range c.Args[2:] {
		index, rank := hllHash(element)
		if v.denseRegister(index) >= rank {
			continue
		}
		if !writable {
			v, writable = db.Edit(c.Arg(1), len(v)), true
			v.forgetCount()
		}
		v.setDense(index, rank)
	}
	if writable {
		h.notify(c, command.NotifyString, "pfadd", c.Arg(1))
		c.Int(1)
	} else {
		c.Int(0)
	}
}

func (h *handlers) pfcount(c *command.Ctx) {
	db, how := h.db(c), reading(c)
	if len(c.Args) > 2 {
		if regs, _, ok := mergeHLLs(c, db, how); ok {
			var histogram hllHistogram
			for _, r := range regs {
				histogram[r&63]++
			}
			c.Int(histogram.estimate())
		}
		return
	}
	v, ok := lookupHLL(c, db, c.Arg(1), how)
	switch {
	case !ok:
		return
	case v == nil:
		c.Int(0)
		return
	}
	if n, known := v.knownCount(); known {
		c.Int(n)
		return
	}
	histogram, ok := v.histogram()
	if !ok {
		c.Error(errCorruptHLL)
		return
	}
	n := histogram.estimate()
	// The count is kept in the value, so that the next one is at hand. To Redis
	// this is a change of the key, too.
	binary.LittleEndian.PutUint64(db.Edit(c.Arg(1), len(v))[hllCountAt:], uint64(n))
	c.Int(n)
}

// mergeHLLs returns the maximum of each register over the keys of the command,
// and whether one of the values is dense. It writes the error if there is one.
func mergeHLLs(c *command.Ctx, db kv.DB, how kv.Access) (regs *[hllRegisters]byte, dense, ok bool) {
	regs = new([hllRegisters]byte)
	for _, key := range c.Args[1:] {
		v, ok := lookupHLL(c, db, key, how)
		switch {
		case !ok:
			return nil, false, false
		case v == nil:
			continue
		case !v.mergeInto(regs):
			c.Error(errCorruptHLL)
			return nil, false, false
		}
		dense = dense || v.dense()
	}
	return regs, dense, true
}

func (h *handlers) pfmerge(c *command.Ctx) {
	db, key := h.db(c), c.Arg(1)
	regs, dense, ok := mergeHLLs(c, db, reading(c))
	if !ok {
		return
	}
	v, ok := lookupHLL(c, db, key, kv.ForWrite)
	if !ok {
		return
	}
	if v == nil {
		v = newHLL()
	} else {
		v = append(make(hll, 0, len(v)+64), v...)
	}
	if dense {
		v, ok = v.toDense()
	}
	if ok {
		v, ok = v.raiseAll(regs, h.hllSparseMax())
	}
	if !ok {
		c.Error(errCorruptHLL)
		return
	}
	v.forgetCount()
	setRaw(db, key, v, kv.KeepTTL)
	h.notify(c, command.NotifyString, "pfadd", key)
	c.OK()
}
