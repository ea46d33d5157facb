package kv_test

import (
	"fmt"
	"slices"
	"testing"

	"conclave/kv"
	"conclave/resp/command"
)

// observed is a store, locked, and what its observer is told.
func observed(t *testing.T) (*kv.Store, *[]string) {
	t.Helper()
	s := kv.New(kv.Config{})
	var told []string
	say := func(event string) func(db, partition int, key []byte) {
		return func(db, partition int, key []byte) {
			if want := command.PartitionOf(command.SlotOf(key)); want != 1<<partition {
				t.Errorf("%s of %q in partition %d, mask should be %x", event, key, partition, want)
			}
			told = append(told, fmt.Sprintf("%s %d:%s", event, db, key))
		}
	}
	s.Observe(kv.Observer{
		Expired: say("expired"), Evicted: say("evicted"), Added: say("added"), Missed: say("missed"), Changed: say("changed"),
		Flushed: func(db int) { told = append(told, fmt.Sprintf("flushed %d", db)) },
	})
	s.Lock(command.AllPartitions)
	t.Cleanup(func() { s.Unlock(command.AllPartitions) })
	return s, &told
}

func TestObserver(t *testing.T) {
	const now = 1_000_000
	k, other := []byte("k"), []byte("other")
	for _, tc := range []struct {
		name   string
		before func(d kv.DB)
		do     func(d kv.DB)
		want   []string
	}{
		{name: "set", do: func(d kv.DB) { d.SetString(k, k, 0) }, want: []string{"added 0:k", "changed 0:k"}},
		{name: "set again", before: func(d kv.DB) { d.SetString(k, k, 0) }, do: func(d kv.DB) { d.SetString(k, other, 0) },
			want: []string{"changed 0:k"}},
		{name: "read of nothing", do: func(d kv.DB) { d.Lookup(k, kv.ForRead) }, want: []string{"missed 0:k"}},
		{name: "write to nothing", do: func(d kv.DB) { d.Lookup(k, kv.ForWrite) }},
		{name: "hash", do: func(d kv.DB) {
			h, _ := d.Hash(k, kv.ForRead)
			h.Set(k, k)
			h.Commit()
		}, want: []string{"missed 0:k", "added 0:k", "changed 0:k"}},
		{name: "expired", before: func(d kv.DB) { d.SetString(k, k, now-1) }, do: func(d kv.DB) { d.Lookup(k, kv.ForRead) },
			want: []string{"expired 0:k", "missed 0:k"}},
		{name: "evicted", before: func(d kv.DB) { d.SetString(k, k, 0) }, do: func(d kv.DB) { d.Evict(k); d.Evict(k) },
			want: []string{"evicted 0:k"}},
		{name: "deleted", before: func(d kv.DB) { d.SetString(k, k, 0) }, do: func(d kv.DB) { d.Delete(k); d.Delete(k) },
			want: []string{"changed 0:k"}},
		{name: "moved", before: func(d kv.DB) { d.SetString(k, k, 0) }, do: func(d kv.DB) { d.Move(k, d.Store().DB(3, now), other) },
			want: []string{"added 3:other", "changed 0:k", "changed 3:other"}},
		{name: "slot flushed", before: func(d kv.DB) { d.SetString(k, k, 0) }, do: func(d kv.DB) { d.Store().FlushSlot(command.SlotOf(k)) },
			want: []string{"changed 0:k"}},
		{name: "flushed", before: func(d kv.DB) { d.SetString(k, k, 0) }, do: func(d kv.DB) { d.Store().FlushDB(2) },
			want: []string{"flushed 2"}},
		{name: "all flushed", do: func(d kv.DB) { d.Store().FlushAll() }, want: []string{"flushed -1"}},
		{name: "swapped", do: func(d kv.DB) { d.Store().SwapDB(1, 2, 0) }, want: []string{"flushed 1", "flushed 2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, told := observed(t)
			d := s.DB(0, now)
			if tc.before != nil {
				tc.before(d)
			}
			*told = nil
			tc.do(d)
			if !slices.Equal(*told, tc.want) {
				t.Errorf("told %q, want %q", *told, tc.want)
			}
		})
	}
}
