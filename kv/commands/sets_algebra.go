package commands

import (
	"math"
	"slices"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

// algebraSpecs are the commands on several sets.
func (h *handlers) algebraSpecs() []command.Spec {
	const (
		acl   = command.CatSet
		total = "O(N) where N is the number of members of all sets"
		cross = "O(N*M) where N is the size of the smallest set and M the number of sets"
	)
	unordered := []string{"nondeterministic_output_order"}
	reading := []command.KeySpec{{Begin: 1, Last: -1, Flags: command.RO | command.Access}}
	storing := func(dest command.KeyFlags) []command.KeySpec {
		return []command.KeySpec{{Begin: 1, Flags: dest | command.Update}, {Begin: 2, Last: -1, Flags: command.RO | command.Access}}
	}
	return []command.Spec{
		{Name: "sdiff", Arity: -2, Flags: command.ReadOnly, ACL: acl, Keys: reading, Tips: unordered,
			Group: "set", Since: "1.0.0", Cost: total, Args: "key [key ...]",
			Doc: "Returns the members of the first set that are in none of the others.", Run: func(c *command.Ctx) { h.replySets(c, difference) }},
		{Name: "sdiffstore", Arity: -3, Flags: command.Write | command.DenyOOM, ACL: acl, Keys: storing(command.OW),
			Group: "set", Since: "1.0.0", Cost: total, Args: "destination key [key ...]",
			Doc: "Stores the members of the first set that are in none of the others.", Run: func(c *command.Ctx) { h.storeSets(c, difference, "sdiffstore") }},
		{Name: "sinter", Arity: -2, Flags: command.ReadOnly, ACL: acl, Keys: reading, Tips: unordered,
			Group: "set", Since: "1.0.0", Cost: cross, Args: "key [key ...]",
			Doc: "Returns the members that are in all of several sets.", Run: func(c *command.Ctx) { h.replySets(c, intersection) }},
		{Name: "sintercard", Arity: -3, Flags: command.ReadOnly, ACL: acl,
			Keys:  []command.KeySpec{{Begin: 1, NumKeys: true, Flags: command.RO | command.Access}},
			Group: "set", Since: "7.0.0", Cost: cross, Args: "numkeys key [key ...] [LIMIT limit]",
			Doc: "Returns the number of members that are in all of several sets.", Run: h.sintercard},
		{Name: "sinterstore", Arity: -3, Flags: command.Write | command.DenyOOM, ACL: acl, Keys: storing(command.RW),
			Group: "set", Since: "1.0.0", Cost: cross, Args: "destination key [key ...]",
			Doc: "Stores the members that are in all of several sets.", Run: func(c *command.Ctx) { h.storeSets(c, intersection, "sinterstore") }},
		{Name: "sunion", Arity: -2, Flags: command.ReadOnly, ACL: acl, Keys: reading, Tips: unordered,
			Group: "set", Since: "1.0.0", Cost: total, Args: "key [key ...]",
			Doc: "Returns the members that are in any of several sets.", Run: func(c *command.Ctx) { h.replySets(c, union) }},
		{Name: "sunionstore", Arity: -3, Flags: command.Write | command.DenyOOM, ACL: acl, Keys: storing(command.OW),
			Group: "set", Since: "1.0.0", Cost: total, Args: "destination key [key ...]",
			Doc: "Stores the members that are in any of several sets.", Run: func(c *command.Ctx) { h.storeSets(c, union, "sunionstore") }},
	}
}

// operand is one of several sets.
type operand struct {
	kv.SetKey
	size int
}

// algebra calls emit for the members of a combination of sets, each once, until
// it returns false.
type algebra func(sets []operand, emit func(packed.Value) bool)

// operands opens sets; ok is false if the error has been replied.
func (h *handlers) operands(c *command.Ctx, keys [][]byte) (sets []operand, ok bool) {
	db, how := h.db(c), reading(c)
	sets = make([]operand, len(keys))
	for i, key := range keys {
		if sets[i].SetKey, ok = db.Set(key, how); !ok {
			c.Error(command.ErrWrongType)
			return nil, false
		}
	}
	// A later lookup may have removed an expired key, and moved those before.
	for i, key := range keys {
		sets[i].SetKey, _ = db.Set(key, kv.Quiet)
		if sets[i].Exists() {
			sets[i].size = sets[i].Len()
		}
	}
	return sets, true
}

func (h *handlers) replySets(c *command.Ctx, f algebra) {
	sets, ok := h.operands(c, c.Args[1:])
	if !ok {
		return
	}
	var out scanned
	f(sets, func(v packed.Value) bool {
		out.value(v)
		return true
	})
	c.Set(out.n)
	c.Raw(out.Bytes())
}

func (h *handlers) storeSets(c *command.Ctx, f algebra, event string) {
	sets, ok := h.operands(c, c.Args[2:])
	if !ok {
		return
	}
	var list packed.List
	n := int64(0)
	f(sets, func(v packed.Value) bool {
		n++
		if v.Bytes != nil {
			list = list.Append(v.Bytes)
		} else {
			list = list.AppendInt(v.Int)
		}
		return true
	})
	h.storeFlat(c, c.Arg(1), kv.Set, list, command.NotifySet, event)
	c.Int(n)
}

// storeFlat makes the destination of a command a collection, or removes it if
// there are no elements, and tells of either.
func (h *handlers) storeFlat(c *command.Ctx, key []byte, t kv.Type, flat packed.List, class command.Class, event string) {
	db := h.db(c)
	if len(flat) > 0 {
		db.SetFlat(key, t, flat, kv.NoExpiry)
		h.notify(c, class, event, key)
	} else if db.Delete(key) {
		h.notify(c, command.NotifyGeneric, "del", key)
	}
}

func (h *handlers) sintercard(c *command.Ctx) {
	n, ok := kv.ParseInt(c.Arg(1))
	switch {
	case !ok || n < 1:
		c.Error("ERR numkeys should be greater than 0")
		return
	case n > int64(len(c.Args)-2):
		c.Error("ERR Number of keys can't be greater than number of args")
		return
	}
	limit := int64(math.MaxInt64)
	for i := 2 + int(n); i < len(c.Args); i += 2 {
		if !c.Is(i, "limit") || i+1 == len(c.Args) {
			c.Error(command.ErrSyntax)
			return
		}
		if limit, ok = kv.ParseInt(c.Arg(i + 1)); !ok || limit < 0 {
			c.Error("ERR LIMIT can't be negative")
			return
		}
		if limit == 0 {
			limit = math.MaxInt64
		}
	}
	sets, ok := h.operands(c, c.Args[2:2+n])
	if !ok {
		return
	}
	found := int64(0)
	intersection(sets, func(packed.Value) bool {
		found++
		return found < limit
	})
	c.Int(found)
}

// intersection looks the members of the smallest set up in the others.
func intersection(sets []operand, emit func(packed.Value) bool) {
	slices.SortStableFunc(sets, func(a, b operand) int { return a.size - b.size })
	if sets[0].size == 0 {
		return
	}
	sets[0].Each(func(v packed.Value) bool {
		for i := range sets[1:] {
			if !sets[1+i].HasValue(v) {
				return true
			}
		}
		return emit(v)
	})
}

// fewSets is up to how many sets a member is looked up in all of them.
const fewSets = 4

func union(sets []operand, emit func(packed.Value) bool) {
	var seen map[string]struct{}
	if len(sets) > fewSets {
		seen = map[string]struct{}{}
	}
	var text []byte
	more := true
	for i := range sets {
		if sets[i].size == 0 {
			continue
		}
		sets[i].Each(func(v packed.Value) bool {
			if seen != nil {
				text = v.Append(text[:0])
				if _, again := seen[string(text)]; again {
					return true
				}
				seen[string(text)] = struct{}{}
			} else if anyHas(sets[:i], v) {
				return true
			}
			more = emit(v)
			return more
		})
		if !more {
			return
		}
	}
}

func anyHas(sets []operand, v packed.Value) bool {
	for i := range sets {
		if sets[i].size > 0 && sets[i].HasValue(v) {
			return true
		}
	}
	return false
}

// difference looks the members of the first set up in the others, or, where that
// is less work, in one table of the others' members.
func difference(sets []operand, emit func(packed.Value) bool) {
	first, others := &sets[0], sets[1:]
	if first.size == 0 {
		return
	}
	total := 0
	for i := range others {
		total += others[i].size
	}
	var gone map[string]struct{}
	if len(others) > fewSets && total < first.size*len(others)/2 {
		gone = make(map[string]struct{}, total)
		union(others, func(v packed.Value) bool {
			gone[string(v.Append(nil))] = struct{}{}
			return true
		})
	}
	var text []byte
	first.Each(func(v packed.Value) bool {
		if gone == nil {
			if anyHas(others, v) {
				return true
			}
		} else {
			text = v.Append(text[:0])
			if _, there := gone[string(text)]; there {
				return true
			}
		}
		return emit(v)
	})
}
