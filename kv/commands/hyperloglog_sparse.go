package commands

const (
	hllLongestZero  = 64 // registers that a ZERO can stand for
	hllLongestValue = 4  // and a VAL
	hllLargestValue = 32 // of a VAL
	hllMergeWindow  = 5  // runs looked at to merge neighbours after a change
	hllXZero        = 1 << 6
	hllVal          = 1 << 7
)

// hllRun is one run of the sparse encoding.
type hllRun struct {
	size   int // in bytes
	length int // in registers
	value  byte
}

// hllPlace is where a run begins.
type hllPlace struct {
	at       int // byte
	first    int // register
	previous int // where the run before begins; of the first run: itself
}

func hllBegin() hllPlace { return hllPlace{at: hllHeader, previous: hllHeader} }

// runAt reads the run that begins at a byte; false at the end, or if the run is
// cut off.
func (v hll) runAt(at int) (r hllRun, ok bool) {
	if at >= len(v) {
		return r, false
	}
	b := v[at]
	r.size = 1
	switch {
	case b >= hllVal:
		r.length, r.value = int(b&3)+1, b>>2&31+1
	case b < hllXZero:
		r.length = int(b) + 1
	case at+1 < len(v):
		r.size, r.length = 2, (int(b&63)<<8|int(v[at+1]))+1
	default:
		return r, false
	}
	return r, true
}

// hllFound is a run, its place, and the place from which to look for a register
// behind it: that of the run before, which a change of this one leaves where it
// is.
type hllFound struct {
	hllRun
	hllPlace
	before hllPlace
}

// seek finds the run that a register lies in, beginning at one that doesn't lie
// behind it. It's false if the runs end before.
func (v hll) seek(from hllPlace, index int) (hllFound, bool) {
	p, before := from, hllBegin()
	for {
		r, ok := v.runAt(p.at)
		if !ok || index < p.first+r.length {
			return hllFound{r, p, before}, ok
		}
		before = p
		p = hllPlace{at: p.at + r.size, first: p.first + r.length, previous: p.at}
	}
}

// runs shows the runs that aren't zeros. It's false if they don't stand for
// exactly the registers that there are; those shown lie within them.
func (v hll) runs(show func(first, length int, value byte)) bool {
	at, first := hllHeader, 0
	for at < len(v) {
		r, ok := v.runAt(at)
		if !ok || first+r.length > hllRegisters {
			return false
		}
		if r.value > 0 {
			show(first, r.length, r.value)
		}
		at, first = at+r.size, first+r.length
	}
	return first == hllRegisters
}

// hllRaise is what came of raising a register of a sparse value.
type hllRaise uint8

const (
	hllRaised   hllRaise = iota // or it was that high already
	hllCorrupt                  // the runs end before it
	hllTooLarge                 // the value has to become dense first; it's unchanged
)

// raiseSparse is raise for as long as the value stays sparse.
func (v hll) raiseSparse(from hllPlace, index int, rank byte, limit int64) (hll, hllPlace, hllRaise) {
	if rank > hllLargestValue {
		return v, from, hllTooLarge
	}
	r, ok := v.seek(from, index)
	switch {
	case !ok:
		return nil, from, hllCorrupt
	case r.value >= rank:
		return v, r.before, hllRaised
	}
	// The run is split into what lies before the register, the register, and
	// what lies behind.
	var room [5]byte
	seq := hll(room[:0])
	seq = appendRun(seq, index-r.first, r.value)
	seq = appendRun(seq, 1, rank)
	seq = appendRun(seq, r.first+r.length-1-index, r.value)
	if more := len(seq) - r.size; more > 0 && int64(len(v)+more) > limit {
		return v, from, hllTooLarge
	}
	return replace(v, r.at, r.size, seq).mergeRuns(r.previous), r.before, hllRaised
}

// replace puts seq into the place of size bytes.
func replace(v hll, at, size int, seq []byte) hll {
	n, more := len(v), len(seq)-size
	if more > 0 {
		v = append(v, seq[:more]...)
	}
	copy(v[at+len(seq):], v[at+size:n])
	copy(v[at:], seq)
	return v[:n+more]
}

// appendRun appends registers of one value, at most as many as one run can stand
// for.
func appendRun(b hll, length int, value byte) hll {
	switch {
	case length == 0:
		return b
	case value > 0:
		return append(b, hllVal|(value-1)<<2|byte(length-1))
	}
	return appendZeros(b, length)
}

func appendZeros(b hll, length int) hll {
	if length > hllLongestZero {
		return append(b, hllXZero|byte((length-1)>>8), byte(length-1))
	}
	return append(b, byte(length-1))
}

// mergeRuns makes one run of neighbours with the same value, in the part that a
// change may have touched. Redis looks at just as many runs, so that the bytes
// are the same.
func (v hll) mergeRuns(at int) hll {
	for range hllMergeWindow {
		r, ok := v.runAt(at)
		if !ok {
			break
		}
		next, ok := v.runAt(at + r.size)
		if !ok || r.value == 0 || next.value != r.value || r.length+next.length > hllLongestValue {
			at += r.size
			continue
		}
		v = replace(v, at, r.size+next.size, appendRun(nil, r.length+next.length, r.value))
	}
	return v
}
