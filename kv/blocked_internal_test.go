package kv

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"conclave/resp/command"
)

// waitModel is who waits, as a plain list.
type waitModel struct {
	number uint64
	db     int
	keys   []string
	ticket command.Ticket
}

// Calls that come and go, and keys that change, against plain Go values.
func TestWaitListAgreesWithGo(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 5))
		s := New(Config{Databases: 2})
		var waiting []waitModel
		var ready []watchKey
		awaited := func(db int, key string) bool {
			return slices.ContainsFunc(waiting, func(w waitModel) bool { return w.db == db && slices.Contains(w.keys, key) })
		}
		mark := func(db int, key string) {
			if k := (watchKey{db, key}); awaited(db, key) && !slices.Contains(ready, k) {
				ready = append(ready, k)
			}
		}
		key := func() string { return fmt.Sprint("k", rng.IntN(5)) }
		s.Lock(command.AllPartitions)
		for i := range 4000 {
			switch db := rng.IntN(2); rng.IntN(12) {
			case 0, 1, 2:
				w := waitModel{number: uint64(i), db: db}
				var keys [][]byte
				for range 1 + rng.IntN(3) {
					k := key()
					keys, w.keys = append(keys, []byte(k)), append(w.keys, k)
				}
				w.ticket = s.Await(w.number, db, keys)
				waiting = append(waiting, w)
			case 3, 4, 5:
				if n := len(waiting); n > 0 {
					j := rng.IntN(n)
					waiting[j].ticket.Withdraw()
					waiting[j].ticket.Withdraw()
					gone := waiting[j]
					waiting = slices.Delete(waiting, j, j+1)
					// A key for which nobody waits any more is looked at in vain;
					// when it is awaited again it may become ready once more.
					for _, k := range gone.keys {
						if !awaited(gone.db, k) {
							ready = drain(t, s, ready)
							break
						}
					}
				}
			case 6, 7:
				k := key()
				s.DB(db, 1000).SetInt([]byte(k), 1)
				mark(db, k)
			case 8:
				k := key()
				if s.DB(db, 1000).Delete([]byte(k)) {
					mark(db, k)
				}
			case 9:
				k := key()
				s.DB(db, 1000).SetString([]byte(k), []byte("x"), 1)
				mark(db, k)
				s.DB(db, 1000).Lookup([]byte(k), Quiet) // it expires
			case 10:
				if rng.IntN(4) == 0 {
					s.FlushDB(db)
					ready = drain(t, s, nil)
				}
			default:
				ready = drain(t, s, ready)
			}
			k := key()
			var want []uint64
			for _, w := range waiting {
				if w.db == 0 && slices.Contains(w.keys, k) {
					want = append(want, w.number)
				}
			}
			if got := callsFor(s, 0, k, 1+rng.IntN(4)); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: %v wait for %s, want %v", seed, i, got, k, want)
			}
		}
		for _, w := range waiting {
			w.ticket.Withdraw()
		}
		drain(t, s, nil)
		if n := s.AwaitedKeys(); n != 0 || s.Ready().Load() != 0 {
			t.Errorf("%d keys are awaited by nobody, %d are ready", n, s.Ready().Load())
		}
		for i := range s.parts {
			if n := s.parts[i].blocking.Load(); n != 0 {
				t.Errorf("partition %d counts %d awaited keys", i, n)
			}
		}
		s.Unlock(command.AllPartitions)
	}
}

// drain takes all ready keys; those of want are among them, in that order.
func drain(t *testing.T, s *Store, want []watchKey) []watchKey {
	t.Helper()
	var got []watchKey
	for {
		n := s.Ready().Load()
		db, key, ok := s.NextReady()
		if !ok {
			if n != 0 {
				t.Fatalf("%d keys are ready, but none is there", n)
			}
			break
		}
		s.Looked()
		got = append(got, watchKey{db, string(key)})
	}
	if want != nil && !slices.Equal(got, want) {
		t.Fatalf("ready were %v, want %v", got, want)
	}
	return nil
}

// callsFor asks for the calls that wait for a key, n at a time.
func callsFor(s *Store, db int, key string, n int) (all []uint64) {
	after := uint64(0)
	for {
		some := s.Waiting(nil, db, []byte(key), after, n)
		for _, w := range some {
			all = append(all, w.Call.(uint64))
			after = w.Number
		}
		if len(some) < n {
			return all
		}
	}
}
