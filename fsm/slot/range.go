package slot

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is the slots from Start to End, both included.
type Range struct {
	Start, End uint16
}

// Valid reports whether the range is not inverted and within Count.
func (r Range) Valid() bool { return r.Start <= r.End && r.End < Count }

// Len is the number of slots in a valid range.
func (r Range) Len() int { return int(r.End) - int(r.Start) + 1 }

// Contains reports whether the slot lies in the range.
func (r Range) Contains(slot int) bool { return int(r.Start) <= slot && slot <= int(r.End) }

// String is "a-b", or "a" for a single slot, as CLUSTER NODES shows it.
func (r Range) String() string { return string(r.Append(nil)) }

// Append appends what String returns.
func (r Range) Append(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(r.Start), 10)
	if r.End != r.Start {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(r.End), 10)
	}
	return b
}

// Parse reads "a" or "a-b".
func Parse(s string) (Range, error) {
	first, last, two := strings.Cut(s, "-")
	start, ok := parseSlot(first)
	end := start
	if ok && two {
		end, ok = parseSlot(last)
	}
	if r := (Range{start, end}); ok && r.Valid() {
		return r, nil
	}
	return Range{}, fmt.Errorf("invalid slot range %q", s)
}

func parseSlot(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n < Count
}

// Ranges compresses slots, in any order and with repeats, to the fewest
// ascending ranges. Slots outside of 0..Count-1 are left out.
func Ranges(slots []int) []Range {
	var s Set
	for _, n := range slots {
		if uint(n) < Count {
			s.Add(n)
		}
	}
	return s.Ranges()
}

// Format joins ranges with spaces.
func Format(ranges []Range) string {
	var b []byte
	for i, r := range ranges {
		if i > 0 {
			b = append(b, ' ')
		}
		b = r.Append(b)
	}
	return string(b)
}
