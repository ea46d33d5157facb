package fsm

import (
	"cmp"
	"slices"
	"strings"
)

const (
	requestsPerOrigin = 64
	maxOrigins        = 4096
	originBuckets     = 64
)

// requestTable remembers the results, refusals too, of the last requests of
// each origin, so that a proposal that is sent again is answered again and not
// applied again. Published parts aren't modified.
type requestTable struct {
	buckets *[originBuckets][]*origin // each by id
	n       int
}

type origin struct {
	id   NodeID
	last uint64     // config index of its latest request; the smallest gives way
	done []*settled // in the order of application
	// A request of evictedBy up to evicted was forgotten, if it ever was.
	evictedBy Incarnation
	evicted   uint64
}

type settled struct {
	incarnation Incarnation
	seq         uint64
	result      Result
}

// bucket spreads ids without depending on anything but their bytes.
func bucket(id NodeID) int {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return int(h>>16^h) % originBuckets
}

func (t requestTable) find(id NodeID) (b, i int, ok bool) {
	b = bucket(id)
	if t.buckets == nil {
		return b, 0, false
	}
	i, ok = slices.BinarySearchFunc(t.buckets[b], id, func(o *origin, id NodeID) int {
		return strings.Compare(string(o.id), string(id))
	})
	return b, i, ok
}

func (t requestTable) lookup(r Request) (Result, bool) {
	b, i, ok := t.find(r.Origin)
	if !ok || r.Seq == 0 {
		return Result{}, false
	}
	for _, s := range t.buckets[b][i].done {
		if s.seq == r.Seq && s.incarnation == r.Incarnation {
			return s.result, true
		}
	}
	return Result{}, false
}

// expired reports whether the request may have been applied and forgotten:
// applying it could do it a second time.
func (t requestTable) expired(r Request) bool {
	b, i, ok := t.find(r.Origin)
	if !ok || r.Seq == 0 {
		return false
	}
	o := t.buckets[b][i]
	return r.Incarnation == o.evictedBy && r.Seq <= o.evicted
}

func (t requestTable) remember(r Request, index uint64, res Result) requestTable {
	if r.Seq == 0 {
		return t
	}
	if _, _, ok := t.find(r.Origin); !ok && t.n >= maxOrigins {
		t = t.evict()
	}
	b, i, ok := t.find(r.Origin)
	next := &origin{id: r.Origin}
	buckets := new([originBuckets][]*origin)
	if t.buckets != nil {
		*buckets = *t.buckets
	}
	buckets[b] = slices.Clone(buckets[b])
	if ok {
		*next = *buckets[b][i]
		buckets[b][i] = next
	} else {
		buckets[b] = slices.Insert(buckets[b], i, next)
		t.n++
	}
	if len(next.done) >= requestsPerOrigin {
		old := next.done[0]
		if old.incarnation == next.evictedBy {
			next.evicted = max(next.evicted, old.seq)
		} else {
			next.evictedBy, next.evicted = old.incarnation, old.seq
		}
		next.done = next.done[1:]
	}
	next.done = append(slices.Clone(next.done), &settled{r.Incarnation, r.Seq, res})
	next.last = index
	t.buckets = buckets
	return t
}

// evict drops the origin that was silent for the longest.
func (t requestTable) evict() requestTable {
	oldest := slices.MinFunc(t.origins(), func(a, b *origin) int {
		return cmp.Or(cmp.Compare(a.last, b.last), strings.Compare(string(a.id), string(b.id)))
	})
	b, i, _ := t.find(oldest.id)
	buckets := *t.buckets
	buckets[b] = slices.Delete(slices.Clone(buckets[b]), i, i+1)
	return requestTable{&buckets, t.n - 1}
}

// origins lists the table by id.
func (t requestTable) origins() []*origin {
	if t.buckets == nil {
		return nil
	}
	out := slices.Concat(t.buckets[:]...)
	slices.SortFunc(out, func(a, b *origin) int { return strings.Compare(string(a.id), string(b.id)) })
	return out
}
