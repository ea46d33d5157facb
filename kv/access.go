package kv

import (
	"math/rand/v2"

	"conclave/kv/ds"
)

// A record's access field has 24 bits. Under an LRU policy (or none) they are
// the second of the last access; under an LFU policy the upper 16 are the
// minute of the last decay and the lower 8 a logarithmic counter. The
// parameters are Redis's defaults.
const (
	accessMask   = 1<<24 - 1
	lfuInit      = 5
	lfuLogFactor = 10
	lfuDecayMin  = 1
)

func newAccess(nowMs int64, lfu bool) uint32 {
	if lfu {
		return lfuMinute(nowMs)<<8 | lfuInit
	}
	return uint32(nowMs/1000) & accessMask
}

func touch(r ds.Record, nowMs int64, lfu bool) {
	if !lfu {
		r.SetAccess(uint32(nowMs/1000) & accessMask)
		return
	}
	r.SetAccess(lfuMinute(nowMs)<<8 | uint32(lfuIncr(freq(r.Access(), nowMs))))
}

func lfuMinute(nowMs int64) uint32 { return uint32(nowMs/60000) & 0xffff }

// lfuIncr adds one with a probability that falls as the counter grows.
func lfuIncr(c uint8) uint8 {
	if c == 255 {
		return c
	}
	base := 0.0
	if c > lfuInit {
		base = float64(c - lfuInit)
	}
	if rand.Float64() < 1/(base*lfuLogFactor+1) {
		c++
	}
	return c
}

// freq is the counter after the decay that is due.
func freq(access uint32, nowMs int64) uint8 {
	c := uint8(access)
	elapsed := (lfuMinute(nowMs) - access>>8) & 0xffff
	if n := elapsed / lfuDecayMin; n < uint32(c) {
		return c - uint8(n)
	}
	return 0
}

// Idle is the seconds since the key was last accessed, in the 24 bits that are
// kept of it; meaningful under an LRU policy only.
func (e Entry) Idle() int64 {
	return int64((uint32(e.now/1000) - e.r.Access()) & accessMask)
}

// Freq is the logarithmic access counter; meaningful under an LFU policy only.
func (e Entry) Freq() uint8 { return freq(e.r.Access(), e.now) }

// Idle is the seconds since the key was last accessed, as of the given time;
// meaningful under an LRU policy only.
func (v *Saved) Idle(nowMs int64) int64 { return int64((uint32(nowMs/1000) - v.access) & accessMask) }

// Freq is the logarithmic access counter, as of the given time; meaningful under
// an LFU policy only.
func (v *Saved) Freq(nowMs int64) uint8 { return freq(v.access, nowMs) }

// SetLFU selects what the access bits of keys mean from now on: LFU counters
// or, by default, times of access. No partition need be locked.
func (s *Store) SetLFU(on bool) { s.lfu.Store(on) }

// LFU reports which of the two it is. No partition need be locked.
func (s *Store) LFU() bool { return s.lfu.Load() }

// SetIdle sets how long ago the key was accessed, in seconds (RESTORE
// IDLETIME). Without effect under an LFU policy or if the key is absent.
func (d DB) SetIdle(key []byte, seconds int64) {
	if at := d.find(key); at.found() && !d.s.LFU() {
		at.SetAccess(uint32(d.now/1000-seconds) & accessMask)
	}
}

// SetFreq sets the key's access counter (RESTORE FREQ). Without effect unless
// the policy is LFU, or if the key is absent.
func (d DB) SetFreq(key []byte, freq uint8) {
	if at := d.find(key); at.found() && d.s.LFU() {
		at.SetAccess(lfuMinute(d.now)<<8 | uint32(freq))
	}
}
