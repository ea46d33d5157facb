package kv

import (
	"math/bits"

	"conclave/resp/command"
)

var _ command.ChangeCounter = (*Store)(nil)

// Changes implements [command.ChangeCounter].
func (s *Store) Changes(mask uint64) (n int64) {
	for ; mask != 0; mask &= mask - 1 {
		n += s.parts[bits.TrailingZeros64(mask)].counters.dirty.Load()
	}
	return n
}
