package kv

import (
	"slices"

	"conclave/resp/command"
)

type watchKey struct {
	db  int
	key string
}

type watcher struct {
	w *command.Watch
	// expired: the time of the record had passed already when WATCH was called,
	// or when SWAPDB put it there. Its removal then changes nothing.
	expired bool
}

// Watch implements [command.Keyspace]: the key is added to w.Keys, once.
func (s *Store) Watch(w *command.Watch, db int, key []byte, nowMs int64) {
	for i := range w.Keys {
		if w.Keys[i].DB == db && w.Keys[i].Key == string(key) {
			return
		}
	}
	at := s.DB(db, nowMs).find(key)
	k := watchKey{db, string(key)}
	gone := at.found() && expired(at.Expiry(), nowMs)
	w.Keys = append(w.Keys, command.WatchedKey{DB: db, Key: k.key})

	at.part.watchMu.Lock()
	defer at.part.watchMu.Unlock()
	at.part.watches[k] = append(at.part.watches[k], watcher{w, gone})
	at.part.watching.Store(int32(len(at.part.watches)))
}

// Unwatch implements [command.Keyspace]. It leaves w.Keys to the caller.
func (s *Store) Unwatch(w *command.Watch) {
	for i := range w.Keys {
		k := watchKey{w.Keys[i].DB, w.Keys[i].Key}
		s.DB(k.db, 0).place([]byte(k.key)).part.unwatch(k, w)
	}
}

func (p *partition) unwatch(k watchKey, w *command.Watch) {
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	ws := slices.DeleteFunc(p.watches[k], func(x watcher) bool { return x.w == w })
	if len(ws) == 0 {
		delete(p.watches, k)
	} else {
		p.watches[k] = ws
	}
	p.watching.Store(int32(len(p.watches)))
}

// Dirty implements [command.Keyspace].
func (s *Store) Dirty(w *command.Watch, nowMs int64) bool {
	if w.Touched() {
		return true
	}
	for i := range w.Keys {
		k := &w.Keys[i]
		at := s.DB(k.DB, nowMs).find([]byte(k.Key))
		if at.found() && expired(at.Expiry(), nowMs) && !at.part.watchedExpired(watchKey{k.DB, k.Key}, w) {
			return true
		}
	}
	return false
}

// watchedExpired reports whether the time of the key's record had passed already
// when w began to watch it, or when SWAPDB put the record there.
func (p *partition) watchedExpired(k watchKey, w *command.Watch) bool {
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	for _, x := range p.watches[k] {
		if x.w == w {
			return x.expired
		}
	}
	return false
}

// changed is called after every change of a key, with its partition locked.
func (d DB) changed(p *partition, key []byte) {
	p.counters.dirty.Add(1)
	if p.watching.Load() != 0 {
		d.touchWatchers(p, key)
	}
	if p.blocking.Load() != 0 {
		d.s.markReady(d.n, key)
	}
	d.tell(d.s.events.changed, p, key)
}

func (d DB) touchWatchers(p *partition, key []byte) {
	at := d.find(key)
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	ws := p.watches[watchKey{d.n, string(key)}]
	for i := range ws {
		if ws[i].expired && !at.found() {
			ws[i].expired = false // expired before, removed now: no change
			continue
		}
		ws[i].w.Touch()
	}
}

// touchFlushed marks the watchers of the keys of a database, in one locked
// partition, before it is emptied.
func (s *Store) touchFlushed(p *partition, db int) {
	s.touchDB(p, db, func(x *watcher, old, _ place) bool {
		if !old.found() {
			return false
		}
		changed := !x.expired
		x.expired = false
		return changed
	}, db)
}

// touchSwapped is touchFlushed for a database that takes over the keys of
// another. Where there was no key or an expired one, an expired one is no change.
func (s *Store) touchSwapped(p *partition, db, with int, nowMs int64) {
	s.touchDB(p, db, func(x *watcher, old, new place) bool {
		switch {
		case !old.found() && !new.found():
			return false
		case x.expired && !new.found():
			x.expired = false // expired before, removed now
			return false
		case (x.expired || !old.found()) && expired(new.Expiry(), nowMs):
			x.expired = true
			return false
		}
		return true
	}, with)
}

// touchDB asks about every watcher of a key of a database, given the key there
// and in the other one, whether the key changes for it.
func (s *Store) touchDB(p *partition, db int, changes func(x *watcher, old, new place) bool, other int) {
	if p.watching.Load() == 0 {
		return
	}
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	for k, ws := range p.watches {
		if k.db != db {
			continue
		}
		old, new := s.DB(db, 0).find([]byte(k.key)), s.DB(other, 0).find([]byte(k.key))
		for i := range ws {
			if changes(&ws[i], old, new) {
				ws[i].w.Touch()
			}
		}
	}
}
