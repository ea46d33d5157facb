package main

import (
	"fmt"

	"conclave/cmd/internal/config"
	"conclave/kv"
	"conclave/resp/command"
)

// observeKeys has what happens to keys told to those who listen: subscribers of
// keyspace events, and clients that cache what they read.
func (r *rooms) observeKeys() error {
	s := r.server
	r.store.Observe(kv.Observer{
		Expired: func(db, partition int, key []byte) {
			s.Notify(db, command.NotifyExpired, "expired", key)
			s.Invalidate(partition, key)
		},
		Evicted: func(db, partition int, key []byte) {
			s.Notify(db, command.NotifyEvicted, "evicted", key)
			s.Invalidate(partition, key)
		},
		Added:   func(db, _ int, key []byte) { s.Notify(db, command.NotifyNew, "new", key) },
		Missed:  func(db, _ int, key []byte) { s.Notify(db, command.NotifyMiss, "keymiss", key) },
		Changed: func(_, partition int, key []byte) { s.Invalidate(partition, key) },
		Flushed: func(int) { s.InvalidateAll() },
	})
	follow := func(_, c *config.Config) error {
		classes, ok := command.ParseClasses(c.KeyEvents)
		if !ok {
			return fmt.Errorf("key events %q", c.KeyEvents)
		}
		s.SetKeyEvents(classes)
		return nil
	}
	r.cfg.OnChange(follow, "notify-keyspace-events")
	return follow(nil, r.cfg.Current())
}
