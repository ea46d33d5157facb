package slot

import (
	"iter"
	"math/bits"
)

// Set is a set of slots, one bit each; the zero value is empty. It is 2 KiB:
// pass pointers. Slots outside of 0..Count-1 panic, as an index does.
type Set [Count / 64]uint64

// SetOf is the set of the slots in valid ranges.
func SetOf(ranges ...Range) *Set {
	s := new(Set)
	for _, r := range ranges {
		s.AddRange(r)
	}
	return s
}

// Add puts a slot into the set and reports whether it was new.
func (s *Set) Add(slot int) bool {
	w, b := &s[slot>>6], uint64(1)<<(slot&63)
	was := *w&b != 0
	*w |= b
	return !was
}

// Remove takes a slot out of the set and reports whether it was in it.
func (s *Set) Remove(slot int) bool {
	w, b := &s[slot>>6], uint64(1)<<(slot&63)
	was := *w&b != 0
	*w &^= b
	return was
}

// Contains reports whether the slot is in the set.
func (s *Set) Contains(slot int) bool { return s[slot>>6]&(1<<(slot&63)) != 0 }

// AddRange puts the slots of a valid range into the set.
func (s *Set) AddRange(r Range) {
	for n := int(r.Start); n <= int(r.End); n++ {
		s.Add(n)
	}
}

// Len is the number of slots in the set.
func (s *Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether the set has no slot.
func (s *Set) Empty() bool { return *s == Set{} }

// All yields the slots in ascending order.
func (s *Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Ranges is the set as the fewest ascending ranges; nil if it is empty.
func (s *Set) Ranges() []Range {
	var out []Range
	for n := range s.All() {
		if last := len(out) - 1; last >= 0 && int(out[last].End)+1 == n {
			out[last].End = uint16(n)
		} else {
			out = append(out, Range{uint16(n), uint16(n)})
		}
	}
	return out
}
