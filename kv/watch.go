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
	// expired: the key's time had passed already when WATCH was called. Its
	// removal then changes nothing.
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
	w.Keys = append(w.Keys, command.WatchedKey{DB: db, Key: k.key, Expired: gone})

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
		if k.Expired {
			continue
		}
		if at := s.DB(k.DB, nowMs).find([]byte(k.Key)); at.found() && expired(at.Expiry(), nowMs) {
			return true
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

// touchDB marks the watchers of those keys of database a, in one locked
// partition, that exist in a or in b. It is called before the databases are
// emptied or swapped.
func (s *Store) touchDB(p *partition, a, b int) {
	if p.watching.Load() == 0 {
		return
	}
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	for k, ws := range p.watches {
		if k.db != a {
			continue
		}
		inA, inB := s.DB(a, 0).find([]byte(k.key)), s.DB(b, 0).find([]byte(k.key))
		if !inA.found() && !inB.found() {
			continue
		}
		for i := range ws {
			ws[i].w.Touch()
		}
	}
}
