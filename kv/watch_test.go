package kv_test

import (
	"testing"

	"conclave/kv"
	"conclave/resp/command"
)

func TestWatch(t *testing.T) {
	key, other := []byte("key"), []byte("other")
	for _, tc := range []struct {
		name   string
		before func(kv.DB) // before WATCH
		after  func(kv.DB)
		at     int64 // when EXEC looks
		want   bool
	}{
		{name: "nothing", after: func(kv.DB) {}},
		{name: "read", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.Lookup(key, kv.ForRead) }},
		{name: "another key", after: func(d kv.DB) { d.SetString(other, key, 0) }},
		{name: "set", after: func(d kv.DB) { d.SetString(key, key, 0) }, want: true},
		{name: "set to the same", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.SetString(key, key, 0) }, want: true},
		{name: "set and deleted again", after: func(d kv.DB) { d.SetString(key, key, 0); d.Delete(key) }, want: true},
		{name: "delete of nothing", after: func(d kv.DB) { d.Delete(key) }},
		{name: "expiry", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.SetExpiry(key, now+100) }, want: true},
		{name: "edited", after: func(d kv.DB) { d.Edit(key, 3) }, want: true},
		{name: "counted", after: func(d kv.DB) { d.SetInt(key, 3) }, want: true},
		{name: "moved away", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.Move(key, d, other) }, want: true},
		{name: "moved here", before: func(d kv.DB) { d.SetString(other, key, 0) }, after: func(d kv.DB) { d.Move(other, d, key) }, want: true},
		{name: "copied here", before: func(d kv.DB) { d.SetString(other, key, 0) }, after: func(d kv.DB) { d.Copy(other, d, key) }, want: true},
		{name: "copied from", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.Copy(key, d, other) }},
		{name: "flush of an absent key", after: func(d kv.DB) { d.Store().FlushAll() }},
		{name: "flush", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.Store().FlushDB(0) }, want: true},
		{name: "flush of another database", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.Store().FlushDB(1) }},
		{name: "slot flushed", before: func(d kv.DB) { d.SetString(key, key, 0) },
			after: func(d kv.DB) {
				for sl := range 16384 {
					d.Store().FlushSlot(sl)
				}
			}, want: true},
		{name: "swap without the key", after: func(d kv.DB) { d.Store().SwapDB(0, 1, 0) }},
		{name: "swap", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.Store().SwapDB(0, 1, 0) }, want: true},
		{name: "swapped in", before: func(d kv.DB) { d.Store().DB(1, now).SetString(key, key, 0) },
			after: func(d kv.DB) { d.Store().SwapDB(1, 0, 0) }, want: true},
		{name: "swap of others", before: func(d kv.DB) { d.SetString(key, key, 0) }, after: func(d kv.DB) { d.Store().SwapDB(2, 1, 0) }},
		{name: "not expired yet", before: func(d kv.DB) { d.SetString(key, key, now+10) }, after: func(kv.DB) {}, at: now + 9},
		{name: "expired since", before: func(d kv.DB) { d.SetString(key, key, now+10) }, after: func(kv.DB) {}, at: now + 10, want: true},
		{name: "expired and removed since", before: func(d kv.DB) { d.SetString(key, key, now+10) },
			after: func(d kv.DB) { d.Store().DB(0, now+10).Lookup(key, kv.ForRead) }, at: now + 10, want: true},
		{name: "expired before", before: func(d kv.DB) { d.SetString(key, key, now-1) }, after: func(kv.DB) {}},
		{name: "expired before and removed", before: func(d kv.DB) { d.SetString(key, key, now-1) }, after: func(d kv.DB) { d.Lookup(key, kv.ForRead) }},
		{name: "expired before and set again", before: func(d kv.DB) { d.SetString(key, key, now-1) },
			after: func(d kv.DB) { d.Lookup(key, kv.ForRead); d.SetString(key, key, 0) }, want: true},
		{name: "expired before and flushed", before: func(d kv.DB) { d.SetString(key, key, now-1) }, after: func(d kv.DB) { d.Store().FlushDB(0) }},
		{name: "expired before and swapped out", before: func(d kv.DB) { d.SetString(key, key, now-1) }, after: func(d kv.DB) { d.Store().SwapDB(0, 1, now) }},
		{name: "expired one swapped in", before: func(d kv.DB) { d.Store().DB(1, now).SetString(key, key, now-1) },
			after: func(d kv.DB) { d.Store().SwapDB(0, 1, now) }},
		{name: "expired before, another expired one swapped in", before: func(d kv.DB) {
			d.SetString(key, key, now-1)
			d.Store().DB(1, now).SetString(key, other, now-1)
		}, after: func(d kv.DB) { d.Store().SwapDB(0, 1, now) }},
		{name: "expired before, a live one swapped in", before: func(d kv.DB) {
			d.SetString(key, key, now-1)
			d.Store().DB(1, now).SetString(key, other, 0)
		}, after: func(d kv.DB) { d.Store().SwapDB(0, 1, now) }, want: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := kv.New(kv.Config{})
			s.Lock(command.AllPartitions)
			defer s.Unlock(command.AllPartitions)
			db := s.DB(0, now)
			if tc.before != nil {
				tc.before(db)
			}
			var w command.Watch
			s.Watch(&w, 0, key, now)
			s.Watch(&w, 0, key, now)
			if len(w.Keys) != 1 {
				t.Fatalf("watched twice: %v", w.Keys)
			}
			tc.after(db)
			if got := s.Dirty(&w, max(tc.at, now)); got != tc.want {
				t.Errorf("dirty: %v, want %v", got, tc.want)
			}
			s.Unwatch(&w)
			w.Reset()
			db.SetString(key, other, 0)
			if w.Touched() {
				t.Error("touched after Unwatch")
			}
		})
	}
}
