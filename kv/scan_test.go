package kv_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"conclave/fsm/slot"
	"conclave/kv"
	"conclave/resp/command"
)

const now = 1_700_000_000_000

func set(s *kv.Store, key, val string) {
	mask := kv.MaskOf([]byte(key))
	s.Lock(mask)
	defer s.Unlock(mask)
	s.DB(0, now).SetString([]byte(key), []byte(val), kv.NoExpiry)
}

func del(s *kv.Store, key string) {
	mask := kv.MaskOf([]byte(key))
	s.Lock(mask)
	defer s.Unlock(mask)
	s.DB(0, now).Delete([]byte(key))
}

// A scan returns what stays, however much comes and goes meanwhile.
func TestScanReturnsEveryKeyThatStays(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s := kv.New(kv.Config{})
		name := func(i int) string {
			if seed%2 == 0 { // one slot: its table grows and shrinks a lot
				return fmt.Sprintf("{tag}%d", i)
			}
			return fmt.Sprint("k", i)
		}
		stay := map[string]bool{}
		for i := range 500 {
			stay[name(i)] = true
			set(s, name(i), "v")
		}
		others := 0
		seen := map[string]bool{}
		for cursor, steps := uint64(0), 0; ; steps++ {
			cursor = s.DB(0, now).Scan(cursor, kv.ScanOptions{Slot: kv.AnySlot, Count: 1 + rng.IntN(20)},
				func(e kv.Entry) { seen[string(e.Key())] = true })
			if cursor == 0 {
				break
			}
			if cursor > 1<<53 {
				t.Fatalf("seed %d: cursor %d is no integer to a client that keeps it in a double", seed, cursor)
			}
			if steps > 100_000 {
				t.Fatalf("seed %d: no end after %d steps", seed, steps)
			}
			if rng.IntN(2) == 0 {
				for range rng.IntN(400) {
					set(s, name(1000+others), "v")
					others++
				}
			} else {
				for range rng.IntN(800) {
					if others > 0 {
						others--
						del(s, name(1000+others))
					}
				}
			}
		}
		for k := range stay {
			if !seen[k] {
				t.Errorf("seed %d: %s was there all the time, but never returned", seed, k)
			}
		}
	}
}

func TestScanTakesAnyCursor(t *testing.T) {
	s := kv.New(kv.Config{})
	for i := range 1000 {
		set(s, fmt.Sprintf("{a}%d", i), "v")
		set(s, fmt.Sprint(i), "v")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		cursor := rng.Uint64() >> rng.IntN(64)
		sl := kv.AnySlot
		if rng.IntN(2) == 0 {
			sl = rng.IntN(slot.Count)
		}
		s.DB(0, now).Scan(cursor, kv.ScanOptions{Slot: sl, Count: 3}, func(kv.Entry) {})
	}
}

func TestScanOfOneSlot(t *testing.T) {
	s := kv.New(kv.Config{})
	for i := range 300 {
		set(s, fmt.Sprintf("{a}%d", i), "v")
		set(s, fmt.Sprint(i), "v")
	}
	sl, seen, cursor := slot.Of([]byte("a")), map[string]bool{}, uint64(0)
	for {
		cursor = s.DB(0, now).Scan(cursor, kv.ScanOptions{Slot: sl, Count: 10}, func(e kv.Entry) { seen[string(e.Key())] = true })
		if cursor == 0 {
			break
		}
	}
	if n := s.CountInSlot(sl); len(seen) != n || n < 300 {
		t.Errorf("scanned %d keys of a slot of %d", len(seen), n)
	}
	mask := command.PartitionOf(sl)
	s.Lock(mask)
	defer s.Unlock(mask)
	for _, n := range []int{0, 1, 50, 100_000} {
		got := map[string]bool{}
		s.KeysInSlot(sl, n, func(k []byte) { got[string(k)] = true })
		if want := min(n, len(seen)); len(got) != want {
			t.Errorf("KeysInSlot(%d): %d keys, want %d", n, len(got), want)
		}
	}
	if n := s.FlushSlot(sl); int(n) != len(seen) || s.CountInSlot(sl) != 0 {
		t.Errorf("FlushSlot: %d gone, %d left", n, s.CountInSlot(sl))
	}
}

func TestRandomKeyFindsAll(t *testing.T) {
	s := kv.New(kv.Config{})
	if _, ok := s.DB(0, now).RandomKey(nil, false); ok {
		t.Error("a key in an empty database")
	}
	for i := range 20 {
		set(s, fmt.Sprintf("{t}%d", i), "v")
		set(s, fmt.Sprint("k", i), "v")
	}
	seen := map[string]int{}
	for range 4000 {
		k, ok := s.DB(0, now).RandomKey(nil, false)
		if !ok {
			t.Fatal("no key")
		}
		seen[string(k)]++
	}
	if len(seen) != 40 {
		t.Errorf("%d keys of 40 drawn", len(seen))
	}
}

func TestRandomKeyAmongExpired(t *testing.T) {
	s := kv.New(kv.Config{})
	s.Lock(command.AllPartitions)
	for i := range 50 {
		s.DB(0, now).SetString(fmt.Append(nil, i), []byte("v"), now+1)
	}
	s.Unlock(command.AllPartitions)
	if k, ok := s.DB(0, now+1).RandomKey(nil, false); ok {
		t.Errorf("%q has expired", k)
	}
	if n := s.Stats().Expired; n != 50 {
		t.Errorf("%d of 50 removed on the way", n)
	}
}
