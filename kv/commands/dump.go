package commands

import (
	"errors"
	"math"
	"slices"
	"strconv"

	"conclave/kv"
	"conclave/kv/persist"
	"conclave/kv/values"
	"conclave/resp/command"
)

func (h *handlers) dumpSpecs() []command.Spec {
	const restoreArgs = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"
	const restoreCost = "O(1) to create the key and O(N*M) to rebuild the value, N being the number of elements and M their average size"
	into := keySpec(command.OW | command.Update)
	return []command.Spec{
		{Name: "dump", Arity: 2, Flags: command.ReadOnly, ACL: command.CatKeyspace, Keys: keySpec(command.RO | command.Access),
			Group: "generic", Since: "2.6.0", Cost: "O(1) to find the key and O(N*M) to serialize the value, N being the number of elements and M their average size",
			Args: "key", Tips: []string{"nondeterministic_output"},
			Doc: "Returns a serialized representation of the value stored at a key.", Run: h.dump},
		{Name: "restore", Arity: -4, Flags: command.Write | command.DenyOOM, ACL: command.CatKeyspace | command.CatDangerous, Keys: into,
			Group: "generic", Since: "2.6.0", Cost: restoreCost, Args: restoreArgs,
			Doc: "Creates a key from the serialized representation of a value.", Run: h.restore},
		{Name: "restore-asking", Arity: -4, Flags: command.Write | command.DenyOOM | command.Asking, ACL: command.CatKeyspace | command.CatDangerous, Keys: into,
			Group: "server", Since: "3.0.0", Cost: restoreCost, Args: restoreArgs,
			Doc: "Creates a key in a slot that this node is importing; used between nodes.", Run: h.restore},
	}
}

func (h *handlers) dump(c *command.Ctx) {
	e, ok := h.db(c).Lookup(c.Arg(1), reading(c))
	if !ok {
		c.Null()
		return
	}
	c.Bulk(appendPayload(nil, e, h.Store.Limits()))
}

// appendPayload serialises a value, packed only as far as the limits in effect
// allow: readers keep what comes packed.
func appendPayload(b []byte, e kv.Entry, l *kv.Limits) []byte {
	enc := persist.DefaultEncoding()
	enc.HashMaxListpackEntries, enc.HashMaxListpackValue = l.HashEntries, l.HashValue
	enc.SetMaxIntsetEntries, enc.SetMaxListpackEntries, enc.SetMaxListpackValue = l.IntsetEntries, l.SetEntries, l.SetValue
	enc.SortedSetMaxListpackEntries, enc.SortedSetMaxListpackValue = l.ZSetEntries, l.ZSetValue
	enc.ListMaxListpackSize, enc.StreamNodeMaxBytes, enc.StreamNodeMaxEntries = l.ListSize, l.StreamBytes, l.StreamEntries
	return enc.AppendDump(b, values.Of(e))
}

// restoreOptions are the arguments of RESTORE behind the payload.
type restoreOptions struct {
	replace, absolute bool
	idle, freq        int64 // -1: not given
}

func (h *handlers) restore(c *command.Ctx) {
	o, msg := parseRestore(c.Args[4:])
	if msg != "" {
		c.Error(msg)
		return
	}
	db, key := h.db(c), c.Arg(1)
	_, exists := db.Lookup(key, kv.ForWrite)
	if exists && !o.replace {
		c.Error("BUSYKEY Target key name already exists.")
		return
	}
	ttl, ok := kv.ParseInt(c.Arg(2))
	switch {
	case !ok:
		c.Error(command.ErrNotInteger)
		return
	case ttl < 0:
		c.Error("ERR Invalid TTL value, must be >= 0")
		return
	}
	v, err := persist.ParseDump(c.Arg(3), int(min(h.maxBulk(), math.MaxInt)))
	switch {
	case errors.Is(err, persist.ErrChecksum):
		c.Error("ERR DUMP payload version or checksum are wrong")
		return
	case err != nil:
		c.Error("ERR Bad data format")
		return
	}
	expiry := kv.NoExpiry
	if ttl > 0 {
		expiry = ttl
		if !o.absolute {
			// Redis lets the sum overflow, which makes the key one that expired
			// long ago. A clock that is ahead of the source's must not lose keys.
			expiry = c.NowMs + min(ttl, math.MaxInt64-c.NowMs)
		}
		if expiry <= c.NowMs {
			if db.Delete(key) {
				keepDelete(c, key)
				h.notify(c, command.NotifyGeneric, "del", key)
			}
			c.OK()
			return
		}
	}
	if !values.Put(db, key, v, expiry) {
		c.Error("ERR Bad data format")
		return
	}
	h.notify(c, command.NotifyGeneric, "restore", key)
	if o.idle >= 0 {
		db.SetIdle(key, o.idle)
	}
	if o.freq >= 0 {
		db.SetFreq(key, uint8(o.freq))
	}
	if expiry != kv.NoExpiry && !o.absolute && c.Kept() {
		effect := append(slices.Clone(c.Args), []byte("ABSTTL"))
		effect[2] = strconv.AppendInt(nil, expiry, 10)
		c.Rewrite(effect...)
	}
	c.OK()
}

// longestIdle is what fits the bits that are kept of an idle time, in seconds.
const longestIdle = 1<<24 - 1

func parseRestore(args [][]byte) (o restoreOptions, msg string) {
	o.idle, o.freq = -1, -1
	for ; len(args) > 0; args = args[1:] {
		word := func(w string) bool { return command.EqualFold(args[0], w) }
		switch {
		case word("replace"):
			o.replace = true
		case word("absttl"):
			o.absolute = true
		case word("idletime") && len(args) > 1 && o.freq < 0:
			n, ok := kv.ParseInt(args[1])
			if !ok {
				return o, command.ErrNotInteger
			}
			if n < 0 {
				return o, "ERR Invalid IDLETIME value, must be >= 0"
			}
			o.idle = min(n, longestIdle)
			args = args[1:]
		case word("freq") && len(args) > 1 && o.idle < 0:
			n, ok := kv.ParseInt(args[1])
			if !ok {
				return o, command.ErrNotInteger
			}
			if n < 0 || n > 255 {
				return o, "ERR Invalid FREQ value, must be >= 0 and <= 255"
			}
			o.freq = n
			args = args[1:]
		default:
			return o, command.ErrSyntax
		}
	}
	return o, ""
}
