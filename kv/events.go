package kv

// Observer is told what happens to keys. Every function may be nil; those that
// aren't are called with the key's partition locked, by whoever holds it, on the
// path of every such event: they must be quick, must not block, and must not use
// the store. The key is good until they return.
//
// partition is the index of the key's partition, which a caller that locked it
// can be recognised by.
type Observer struct {
	// Expired: the key was removed because its time had passed. There is no
	// Changed for it.
	Expired func(db, partition int, key []byte)
	// Evicted: the key was removed for its memory. There is no Changed for it.
	Evicted func(db, partition int, key []byte)
	// Added: a key that was absent is there now; its value isn't yet. Also called
	// for the name that a key is moved or copied to.
	Added func(db, partition int, key []byte)
	// Missed: a command that reads looked for a key that is absent.
	Missed func(db, partition int, key []byte)
	// Changed: the key was given a value or an expiry, or was removed, by a
	// command or with its slot. It is called at the end of the change.
	Changed func(db, partition int, key []byte)
	// Flushed: a database was emptied, or exchanged for another, as a whole; db is
	// its number, or AllDatabases. Every partition is locked.
	Flushed func(db int)
}

// AllDatabases stands for the number of a database where all are meant.
const AllDatabases = -1

// keyEvent is one of an Observer's functions.
type keyEvent = func(db, partition int, key []byte)

// events are the functions of all observers, by event.
type events struct {
	expired, evicted, added, missed, changed []keyEvent
	flushed                                  []func(db int)
}

// Observe adds an observer. It must not be called once the store is in use:
// observers are looked at without a lock. They are told in the order in which
// they were added.
func (s *Store) Observe(o Observer) {
	e := &s.events
	add := func(to *[]keyEvent, f keyEvent) {
		if f != nil {
			*to = append(*to, f)
		}
	}
	add(&e.expired, o.Expired)
	add(&e.evicted, o.Evicted)
	add(&e.added, o.Added)
	add(&e.missed, o.Missed)
	add(&e.changed, o.Changed)
	if o.Flushed != nil {
		e.flushed = append(e.flushed, o.Flushed)
	}
}

func (d DB) tell(to []keyEvent, p *partition, key []byte) {
	for _, f := range to {
		f(d.n, p.index, key)
	}
}

func (d DB) missed(p *partition, key []byte, a Access) {
	if a&discreet == 0 {
		d.tell(d.s.events.missed, p, key)
	}
}

func (s *Store) tellFlushed(db int) {
	for _, f := range s.events.flushed {
		f(db)
	}
}

// Evict removes a key for its memory and reports whether it was there.
func (d DB) Evict(key []byte) bool {
	var at place
	d.live(&at, key)
	if !at.found() {
		return false
	}
	at.unlink()
	d.tell(d.s.events.evicted, at.part, key)
	if at.part.watching.Load() != 0 {
		d.touchWatchers(at.part, key)
	}
	at.release()
	return true
}
