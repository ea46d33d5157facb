package kv_test

import (
	"fmt"
	"testing"
	"time"

	"conclave/kv"
	"conclave/resp/command"
)

// full is a store of n keys, key i of which was accessed i seconds after the
// first; those with an odd number expire some day, earlier ones later.
func full(n int, p kv.Policy) (s *kv.Store, now int64) {
	s = kv.New(kv.Config{Databases: 2})
	s.SetEviction(kv.Eviction{Policy: p, Samples: 5})
	begin := time.Now().UnixMilli() - int64(n)*1000
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	for i := range n {
		now = begin + int64(i)*1000
		expire := kv.NoExpiry
		if i%2 == 1 {
			expire = begin + int64(10*n-i)*1000
		}
		s.DB(i%3%2, now).SetString(fmt.Append(nil, "key", i), make([]byte, 100), expire)
	}
	return s, now
}

// left are the numbers of the keys that are still there.
func left(s *kv.Store, n int, now int64) (all []int) {
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	for i := range n {
		if s.DB(i%3%2, now).Exists(fmt.Append(nil, "key", i)) {
			all = append(all, i)
		}
	}
	return all
}

func makeRoom(t *testing.T, s *kv.Store, limit int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.Used() > limit && !s.Full(); {
		if s.MakeRoom(); time.Now().After(deadline) {
			t.Fatalf("%d bytes are used, the limit is %d", s.Used(), limit)
		}
	}
}

func TestEvictionChoosesByPolicy(t *testing.T) {
	const n = 10_000
	for p, want := range map[kv.Policy]string{
		kv.AllKeysLRU: "late", kv.AllKeysLFU: "any", kv.AllKeysRandom: "any",
		kv.VolatileLRU: "even, late", kv.VolatileLFU: "even", kv.VolatileRandom: "even", kv.VolatileTTL: "even, early",
	} {
		s, now := full(n, p)
		before := s.Used()
		limit := before * 3 / 4
		s.SetEviction(kv.Eviction{Limit: limit, Policy: p, Samples: 5})
		makeRoom(t, s, limit)
		keys := left(s, n, now)
		if len(keys) < n*7/10 || len(keys) > n*8/10 || s.Evicted() != int64(n-len(keys)) {
			t.Errorf("%s: %d of %d keys are left, %d evicted", want, len(keys), n, s.Evicted())
		}
		var even, first int
		for _, k := range keys {
			if k%2 == 0 {
				even++
			}
			if k < n/2 {
				first++
			}
		}
		switch want {
		case "even", "even, late", "even, early":
			if even != n/2 {
				t.Errorf("policy %v: %d keys without an expiry are left", p, even)
			}
		}
		odd := len(keys) - even
		oddFirst := first - min(even, n/4)
		switch {
		case want == "late" && first > n*3/10, want == "even, late" && oddFirst > odd*3/10,
			want == "even, early" && oddFirst < odd*7/10:
			t.Errorf("policy %v: %d of %d left keys are old", p, first, len(keys))
		}
	}
}

func TestNothingToEvict(t *testing.T) {
	s, _ := full(100, kv.NoEviction)
	limit := s.Used() / 2
	for _, p := range []kv.Policy{kv.NoEviction, kv.VolatileTTL} {
		s.SetEviction(kv.Eviction{Limit: limit, Policy: p, Samples: 5})
		if p == kv.VolatileTTL {
			s.SetEviction(kv.Eviction{Limit: 1, Policy: p, Samples: 5})
		}
		makeRoom(t, s, 1)
		if !s.Full() {
			t.Errorf("policy %v: room for more", p)
		}
	}
	s.SetEviction(kv.Eviction{Limit: 1 << 30, Policy: kv.NoEviction})
	if s.MakeRoom(); s.Full() {
		t.Error("full below the limit")
	}
	s.SetOverhead(1 << 30)
	if s.MakeRoom(); !s.Full() {
		t.Error("what else is in use isn't counted")
	}
}
