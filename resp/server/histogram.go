package server

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Sub-buckets per power of two: values are told apart to about 6 %.
const (
	subBits = 4
	subs    = 1 << subBits
	octaves = 31 - subBits // up to 2^30 ns, about a second, as in Redis
)

// Histogram counts durations from a nanosecond to a second. The zero value is
// empty and small; the buckets come with the first value.
type Histogram struct {
	buckets atomic.Pointer[[(octaves + 1) * subs]atomic.Int64]
}

// Record counts one duration.
func (h *Histogram) Record(d time.Duration) {
	b := h.buckets.Load()
	if b == nil {
		b = new([(octaves + 1) * subs]atomic.Int64)
		if !h.buckets.CompareAndSwap(nil, b) {
			b = h.buckets.Load()
		}
		if b == nil { // reset at this moment
			return
		}
	}
	b[bucketOf(d)].Add(1)
}

// Reset empties it.
func (h *Histogram) Reset() { h.buckets.Store(nil) }

func bucketOf(d time.Duration) int {
	v := uint64(min(max(d, 1), 1<<30-1))
	if v < subs {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift<<subBits + int(v>>shift)
}

// upper is the largest value of bucket i.
func upper(i int) time.Duration {
	if i < 2*subs {
		return time.Duration(i)
	}
	shift := i>>subBits - 1
	return time.Duration((i&(subs-1)+subs+1)<<shift - 1)
}

// Count is the number of values.
func (h *Histogram) Count() (n int64) {
	h.each(func(_ time.Duration, c int64) { n += c })
	return n
}

func (h *Histogram) each(visit func(upTo time.Duration, count int64)) {
	b := h.buckets.Load()
	if b == nil {
		return
	}
	for i := range b {
		if c := b[i].Load(); c != 0 {
			visit(upper(i), c)
		}
	}
}

// Percentile is a value that p percent of the values don't exceed.
func (h *Histogram) Percentile(p float64) (d time.Duration) {
	want := int64(float64(h.Count())*p/100 + 0.5)
	var n int64
	h.each(func(upTo time.Duration, c int64) {
		if n < max(want, 1) {
			d = upTo
		}
		n += c
	})
	return d
}

// Bucket is a number of values up to and including a duration.
type Bucket struct {
	UpTo  time.Duration
	Count int64 // of all values up to UpTo
}

// Cumulative is the histogram by powers of two microseconds, as LATENCY
// HISTOGRAM shows it: only steps where the count changes.
func (h *Histogram) Cumulative() (out []Bucket) {
	var n int64
	edge := time.Microsecond
	pending := false
	h.each(func(upTo time.Duration, c int64) {
		if upTo > edge && pending {
			out = append(out, Bucket{UpTo: edge, Count: n})
			pending = false
		}
		for upTo > edge {
			edge *= 2
		}
		n += c
		pending = true
	})
	if pending {
		out = append(out, Bucket{UpTo: edge, Count: n})
	}
	return out
}
