package fsm

import (
	"slices"

	"conclave/fsm/slot"
)

const (
	historyLen   = 1024
	historyChunk = 64
	historyText  = 256 // bytes kept of Before and After
)

// history is the ring of the latest changes, in chunks: an append copies the
// last chunk, and states that branch off one another share the rest.
type history struct {
	chunks [][]Change
	n      int
}

func (h history) append(c Change) history {
	last := len(h.chunks) - 1
	if last < 0 || len(h.chunks[last]) == historyChunk {
		drop := 0
		if h.n+1 > historyLen+historyChunk {
			drop = 1
			h.n -= len(h.chunks[0])
		}
		h.chunks = append(slices.Clone(h.chunks[drop:]), []Change{c})
	} else {
		h.chunks = slices.Clone(h.chunks)
		h.chunks[last] = append(slices.Clone(h.chunks[last]), c)
	}
	h.n++
	return h
}

// load appends in place, while a state that nobody else has is being read. It
// reports whether there is room.
func (h *history) load(c Change) bool {
	last := len(h.chunks) - 1
	if last < 0 || len(h.chunks[last]) == historyChunk {
		h.chunks = append(h.chunks, make([]Change, 0, historyChunk))
		last++
	}
	h.chunks[last] = append(h.chunks[last], c)
	h.n++
	return h.n <= historyLen
}

// all lists the last historyLen changes, oldest first.
func (h history) all() []Change {
	out := slices.Concat(h.chunks...)
	return out[max(0, len(out)-historyLen):]
}

// describe is "ranges owner" for the history, cut to a bounded length.
func describe(ranges []slot.Range, owner NodeID) string {
	b := make([]byte, 0, 64)
	for _, r := range ranges {
		if len(b) > historyText-80 {
			b = append(b, "... "...)
			break
		}
		b = append(r.Append(b), ' ')
	}
	if owner == "" {
		owner = "-"
	}
	return string(append(b, owner...))
}
