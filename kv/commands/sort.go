package commands

import (
	"bytes"
	"slices"

	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

func (h *handlers) sortSpecs() []command.Spec {
	const (
		acl   = command.CatSet | command.CatSortedSet | command.CatList | command.CatDangerous
		cost  = "O(N+M*log(M)) where N is the number of elements and M the number of those returned"
		args  = "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA]"
		named = command.RO | command.Access
	)
	// What BY and GET name depends on the elements: it isn't known beforehand.
	source := []command.KeySpec{{Begin: 1, Flags: named}, {Flags: named, Find: noKeys}}
	return []command.Spec{
		{Name: "sort", Arity: -2, Flags: command.Write | command.DenyOOM | command.Scripting, ACL: acl,
			Keys:  append(slices.Clone(source), command.KeySpec{Flags: command.OW | command.Update, Find: sortDestination}),
			Group: "generic", Since: "1.0.0", Cost: cost, Args: args + " [STORE destination]",
			Doc: "Sorts the elements of a list, a set or a sorted set, and returns or stores them.", Run: h.sort},
		{Name: "sort_ro", Arity: -2, Flags: command.ReadOnly | command.Scripting, ACL: acl, Keys: source,
			Group: "generic", Since: "7.0.0", Cost: cost, Args: args,
			Doc: "Returns the sorted elements of a list, a set or a sorted set.", Run: h.sort},
	}
}

// sortDestination finds the key behind STORE, the last one if there are several.
func sortDestination(dst []int, args [][]byte) ([]int, error) {
	at := 0
	for i := 2; i < len(args); i++ {
		word := func(w string) bool { return command.EqualFold(args[i], w) }
		switch {
		case word("limit"):
			i += 2
		case word("get"), word("by"):
			i++
		case word("store") && i+1 < len(args):
			i++
			at = i
		}
	}
	if at == 0 {
		return dst, nil
	}
	return append(dst, at), nil
}

// sortOptions are the arguments of SORT behind the key.
type sortOptions struct {
	by            []byte
	get           [][]byte
	store         []byte
	desc, alpha   bool
	unsorted      bool // BY something that is the same for all
	offset, count int64
}

// parseSort reads them; ok is false if the error has been replied.
func (h *handlers) parseSort(c *command.Ctx) (o sortOptions, ok bool) {
	o.count = -1
	for i := 2; i < len(c.Args); i++ {
		left := len(c.Args) - 1 - i
		switch {
		case c.Is(i, "asc"):
			o.desc = false
		case c.Is(i, "desc"):
			o.desc = true
		case c.Is(i, "alpha"):
			o.alpha = true
		case c.Is(i, "limit") && left >= 2:
			var ok2 bool
			o.offset, ok = kv.ParseInt(c.Arg(i + 1))
			o.count, ok2 = kv.ParseInt(c.Arg(i + 2))
			if !ok || !ok2 {
				c.Error(command.ErrNotInteger)
				return o, false
			}
			i += 2
		case c.Is(i, "store") && left >= 1 && c.Spec.Is(command.Write):
			i++
			o.store = c.Arg(i)
		case c.Is(i, "by") && left >= 1:
			i++
			o.by = c.Arg(i)
			if bytes.IndexByte(o.by, '*') < 0 {
				o.unsorted = true
			} else if !h.mayLookUp(c, "BY") {
				return o, false
			}
		case c.Is(i, "get") && left >= 1:
			if !h.mayLookUp(c, "GET") {
				return o, false
			}
			i++
			o.get = append(o.get, c.Arg(i))
		default:
			c.Error(command.ErrSyntax)
			return o, false
		}
	}
	return o, true
}

// mayLookUp reports whether SORT may read keys that it doesn't name, or replies
// why it may not.
func (h *handlers) mayLookUp(c *command.Ctx, option string) bool {
	switch {
	case h.Cluster:
		c.Error("ERR " + option + " option of SORT denied in Cluster mode.")
	case !c.ReadsAnyKey():
		c.Error("ERR " + option + " option of SORT denied due to insufficient ACL permissions.")
	default:
		return true
	}
	return false
}

// window is the range of a result of n elements that LIMIT leaves.
func (o *sortOptions) window(n int) (from, to int) {
	from = int(min(max(o.offset, 0), int64(n)))
	if o.count < 0 {
		return from, n
	}
	return from, from + int(min(o.count, int64(n-from)))
}

func (h *handlers) sort(c *command.Ctx) {
	o, ok := h.parseSort(c)
	if !ok {
		return
	}
	t := kv.List
	if e, found := h.db(c).Lookup(c.Arg(1), reading(c)); found {
		if t = e.Type(); t != kv.List && t != kv.Set && t != kv.ZSet {
			c.Error(command.ErrWrongType)
			return
		}
	}
	if o.unsorted && t == kv.Set && (o.store != nil || c.InExec) {
		// A set has no order that a copy of it would have, too.
		o.unsorted, o.alpha, o.by = false, true, nil
	}
	elements := h.elements(c, t, &o)
	if !o.unsorted {
		if !h.sortElements(c, &o, elements, t == kv.List) {
			c.Error("ERR One or more scores can't be converted into double")
			return
		}
		from, to := o.window(len(elements))
		elements = elements[from:to]
	}
	if o.store != nil {
		h.storeSorted(c, &o, elements)
		return
	}
	h.replySorted(c, &o, elements)
}

func (h *handlers) replySorted(c *command.Ctx, o *sortOptions, elements [][]byte) {
	if len(o.get) == 0 {
		c.Array(len(elements))
		for _, e := range elements {
			c.Bulk(e)
		}
		return
	}
	c.Array(len(elements) * len(o.get))
	p := h.patterns(c)
	for _, e := range elements {
		for _, g := range o.get {
			if v, ok := p.lookup(g, e); ok {
				c.Bulk(v)
			} else {
				c.Null()
			}
		}
	}
}

func (h *handlers) storeSorted(c *command.Ctx, o *sortOptions, elements [][]byte) {
	var list packed.List
	n := len(elements)
	if len(o.get) == 0 {
		for _, e := range elements {
			list = list.Append(e)
		}
	} else {
		n *= len(o.get)
		p := h.patterns(c)
		for _, e := range elements {
			for _, g := range o.get {
				v, _ := p.lookup(g, e) // what is absent is stored as empty
				list = list.Append(v)
			}
		}
	}
	h.storeFlat(c, o.store, kv.List, list, command.NotifyList, "sortstore")
	c.Int(int64(n))
}
