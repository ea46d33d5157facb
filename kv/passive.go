package kv

// SetPassive is for a copy of another server's data: keys stay, though their
// time has passed, until that server says that they are gone. Who reads doesn't
// see them; who writes removes them. No key is given up for its memory. No
// partition need be locked.
func (s *Store) SetPassive(on bool) { s.passive.Store(on) }

// HoldExpired keeps keys whose time has passed until then, in ms, as in a copy:
// nothing is to change meanwhile (CLIENT PAUSE). No partition need be locked.
func (s *Store) HoldExpired(untilMs int64) { s.heldUntil.Store(untilMs) }

// keepsExpired reports whether keys stay although their time has passed.
func (s *Store) keepsExpired(nowMs int64) bool {
	return s.passive.Load() || s.heldUntil.Load() > nowMs
}

// Passive reports whether the store is a copy.
func (s *Store) Passive() bool { return s.passive.Load() }

// look is live for a command that says what it is going to do: where expired
// keys are kept, one that only reads leaves a key whose time has passed where it is.
func (d DB) look(at *place, key []byte, a Access) {
	d.findAt(at, key)
	if !at.found() || !expired(at.Expiry(), d.now) {
		return
	}
	if a&count != 0 && d.s.keepsExpired(d.now) {
		hidden := *at
		*at = place{part: hidden.part, keys: hidden.keys, table: hidden.table, slot: hidden.slot, hash: hidden.hash}
		return
	}
	d.expire(at)
}
