package commands

import (
	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/resp/command"
)

// texts are copies of elements: what BY and GET look up may move what lies in the
// store.
type texts struct {
	all   [][]byte
	chunk []byte
}

func (t *texts) add(v packed.Value) {
	if n := v.Len(); cap(t.chunk)-len(t.chunk) < n {
		t.chunk = make([]byte, 0, max(n, min(4096, 2*cap(t.chunk)), 64))
	}
	from := len(t.chunk)
	t.chunk = v.Append(t.chunk)
	t.all = append(t.all, t.chunk[from:len(t.chunk):len(t.chunk)])
}

// elements are those of the key that is the command's first argument: all, or if
// they needn't be sorted, those that are asked for, in their order.
func (h *handlers) elements(c *command.Ctx, t kv.Type, o *sortOptions) [][]byte {
	var out texts
	switch t {
	case kv.List:
		k, _ := h.db(c).List(c.Arg(1), kv.Quiet)
		h.listElements(&k, o, &out)
	case kv.Set:
		k, _ := h.db(c).Set(c.Arg(1), kv.Quiet)
		skip, n := 0, k.Len()
		if o.unsorted {
			skip, n = o.window(n)
			n -= skip
		}
		k.Each(func(v packed.Value) bool {
			if skip > 0 {
				skip--
				return true
			}
			if n == 0 {
				return false
			}
			n--
			out.add(v)
			return true
		})
	case kv.ZSet:
		k, _ := h.db(c).ZSet(c.Arg(1), kv.Quiet)
		size := k.Len()
		from, to := 0, size
		if o.unsorted {
			if from, to = o.window(size); o.desc {
				from, to = size-to, size-from
			}
		}
		k.Range(from, to, o.unsorted && o.desc, func(m packed.Value, _ float64) bool {
			out.add(m)
			return true
		})
	}
	return out.all
}

func (h *handlers) listElements(k *kv.ListKey, o *sortOptions, out *texts) {
	size := k.Len()
	from, to := 0, size
	if o.unsorted {
		from, to = o.window(size)
	}
	n := to - from
	if n == 0 {
		return
	}
	visit := func(v packed.Value) bool {
		out.add(v)
		n--
		return n > 0
	}
	if o.unsorted && o.desc {
		k.EachBack(size-1-from, visit)
	} else {
		k.Each(from, visit)
	}
}
