package kv_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"conclave/kv"
	"conclave/resp/command"
)

func fill(s *kv.Store, n int, expire func(i int) int64) {
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	for i := range n {
		db := s.DB(i%2, time.Now().UnixMilli())
		db.SetString(fmt.Append(nil, "key", i), []byte("v"), expire(i))
	}
}

func TestKeysExpireUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kv.New(kv.Config{Databases: 2})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		fill(s, 4000, func(i int) int64 {
			if i%4 == 0 {
				return kv.NoExpiry
			}
			return time.Now().UnixMilli() + 1000
		})
		time.Sleep(900 * time.Millisecond)
		if n := s.Stats().Expired; n != 0 {
			t.Errorf("%d keys expired early", n)
		}
		if st := s.DBStats(0); st.Keys != 2000 || st.Expires != 1000 || st.AvgTTL < 1 || st.AvgTTL > 1000 {
			t.Errorf("keyspace %+v", st)
		}
		time.Sleep(30 * time.Second)
		st := s.Stats()
		if st.Expired != 3000 || s.DB(0, 0).Len()+s.DB(1, 0).Len() != 1000 {
			t.Errorf("%d of 3000 keys expired, %d and %d left", st.Expired, s.DB(0, 0).Len(), s.DB(1, 0).Len())
		}
		if st.StalePercent <= 0 || st.StalePercent > 100 {
			t.Errorf("%v %% of the keys stale on average", st.StalePercent)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestActiveExpiryCanBeSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kv.New(kv.Config{Databases: 2})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = s.Run(ctx) }()
		s.SetActiveExpire(false)
		fill(s, 100, func(int) int64 { return time.Now().UnixMilli() + 10 })
		time.Sleep(time.Minute)
		if n := s.Stats().Expired; n != 0 {
			t.Errorf("%d keys expired", n)
		}
		s.SetActiveExpire(true)
		time.Sleep(time.Minute)
		if n := s.Stats().Expired; n != 100 {
			t.Errorf("%d keys of 100 expired", n)
		}
	})
}

func TestExpiredKeyIsAbsent(t *testing.T) {
	s := kv.New(kv.Config{})
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	key := []byte("key")
	s.DB(0, now).SetString(key, key, now+5)
	if !s.Exists(0, key, now+4) || s.Exists(0, key, now+5) {
		t.Error("present until its time comes, absent from then on")
	}
	if s.DB(0, now+5).Len() != 1 {
		t.Error("Exists removed it")
	}
	if _, ok := s.DB(0, now+5).Lookup(key, kv.ForRead); ok {
		t.Error("found after its time")
	}
	if st := s.Stats(); st.Expired != 1 || st.Misses != 1 || st.Hits != 0 || s.DB(0, now).Len() != 0 {
		t.Errorf("stats %+v, %d left", st, s.DB(0, now).Len())
	}
	s.DB(0, now).SetString(key, key, now+5)
	if s.DB(0, now+5).Delete(key) {
		t.Error("an expired key was there to delete")
	}
}
