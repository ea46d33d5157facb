package kv_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"conclave/fsm/slot"
	"conclave/kv"
	"conclave/resp/command"
)

func contents(t *testing.T, n *kv.Snapshot) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := n.Walk(t.Context(), func(v *kv.Saved) error {
		if v.Slot != slot.Of(v.Key) {
			t.Errorf("%s in slot %d", v.Key, v.Slot)
		}
		key := fmt.Sprintf("%d/%s", v.DB, v.Key)
		if _, twice := got[key]; twice {
			t.Errorf("%s twice", key)
		}
		got[key] = fmt.Sprintf("%s %s until %d", v.Encoding(), v.Bytes(make([]byte, 20)), v.Expiry)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return got
}

// What happens after the instant isn't in the snapshot, whatever it is.
func TestSnapshotIsOfOneInstant(t *testing.T) {
	s := kv.New(kv.Config{Databases: 3})
	big := strings.Repeat("big", 10_000)
	want := map[string]string{}
	s.Lock(command.AllPartitions)
	for i := range 3000 {
		db, key, val, expiry, enc := i%2, fmt.Sprint("key", i), fmt.Sprint("val", i), int64(0), "embstr"
		switch i % 10 {
		case 0:
			val, enc = fmt.Sprint(i), "int"
		case 1:
			val, enc = big, "raw"
		}
		if i%7 == 0 {
			expiry = now + int64(i)
		}
		s.DB(db, now).SetString([]byte(key), []byte(val), expiry)
		want[fmt.Sprintf("%d/%s", db, key)] = fmt.Sprintf("%s %s until %d", enc, val, expiry)
	}
	s.Unlock(command.AllPartitions)

	disturb := map[string]func(db kv.DB, i int){
		"nothing":   func(kv.DB, int) {},
		"overwrite": func(db kv.DB, i int) { db.SetString(fmt.Append(nil, "key", i), []byte("new"), kv.NoExpiry) },
		"edit":      func(db kv.DB, i int) { clear(db.Edit(fmt.Append(nil, "key", i), 9)) },
		"delete":    func(db kv.DB, i int) { db.Delete(fmt.Append(nil, "key", i)) },
		"insert":    func(db kv.DB, i int) { db.SetString(fmt.Append(nil, "more", i), []byte("new"), kv.NoExpiry) },
		"expire":    func(db kv.DB, i int) { db.SetExpiry(fmt.Append(nil, "key", i), now+7) },
		"rename":    func(db kv.DB, i int) { db.Move(fmt.Append(nil, "key", i), db, fmt.Append(nil, "moved", i)) },
		"swap":      func(db kv.DB, i int) { db.Store().SwapDB(i%3, (i+1)%3, 0) },
		"flush db":  func(db kv.DB, i int) { db.Store().FlushDB(i % 3) },
		"flush all": func(db kv.DB, _ int) { db.Store().FlushAll() },
		"flush slot": func(db kv.DB, i int) {
			db.Store().FlushSlot(slot.Of(fmt.Append(nil, "key", i)))
		},
	}
	for name, f := range disturb {
		n, err := s.Snapshot(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Snapshot(nil, nil); !errors.Is(err, kv.ErrSnapshot) {
			t.Errorf("a second snapshot: %v", err)
		}
		// Before the walk and in the midst of it.
		var steps int
		got := map[string]string{}
		act := func(count int) {
			s.Lock(command.AllPartitions)
			defer s.Unlock(command.AllPartitions)
			for range count {
				f(s.DB(steps%2, now), steps)
				steps++
			}
		}
		act(500)
		err = n.Walk(t.Context(), func(v *kv.Saved) error {
			got[fmt.Sprintf("%d/%s", v.DB, v.Key)] = fmt.Sprintf("%s %s until %d", v.Encoding(), v.Bytes(make([]byte, 20)), v.Expiry)
			if len(got)%300 == 0 {
				act(200)
			}
			return nil
		})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v; %d keys, want %d, or others", name, err, len(got), len(want))
		}
		// What there is now is what the next one is compared with.
		n, err = s.Snapshot(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		want = contents(t, n)
		if len(want) == 0 {
			for i := range 300 {
				set(s, fmt.Sprint("key", i), "again")
				want[fmt.Sprint("0/key", i)] = "embstr again until 0"
			}
		}
	}
}

// Accounts whose sum never changes while money is moved between them.
func TestSnapshotAmongWriters(t *testing.T) {
	const accounts, initial = 400, 1000
	s := kv.New(kv.Config{})
	key := func(i int) []byte { return fmt.Append(nil, "account:", i) }
	for i := range accounts {
		set(s, string(key(i)), fmt.Sprint(initial))
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	for g := range 3 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for !stop.Load() {
				a, b, n := key(rng.IntN(accounts)), key(rng.IntN(accounts)), rng.Int64N(100)
				mask := kv.MaskOf(a) | kv.MaskOf(b)
				s.Lock(mask)
				db := s.DB(0, now)
				for _, move := range []struct {
					key []byte
					by  int64
				}{{a, -n}, {b, n}} {
					e, _ := db.Lookup(move.key, kv.ForWrite)
					v, _ := e.Int()
					db.SetInt(move.key, v+move.by)
				}
				s.Unlock(mask)
			}
		})
	}
	for range 20 {
		n, err := s.Snapshot(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		sum, count := int64(0), 0
		err = n.Walk(t.Context(), func(v *kv.Saved) error {
			i, ok := kv.ParseInt(v.Bytes(make([]byte, 20)))
			if !ok {
				t.Errorf("%s is %q", v.Key, v.Bytes(nil))
			}
			sum += i
			count++
			return nil
		})
		if err != nil || sum != accounts*initial || count != accounts {
			t.Errorf("%v; sum %d of %d accounts", err, sum, count)
		}
	}
	stop.Store(true)
	wg.Wait()
}

func TestSnapshotOfSomeSlots(t *testing.T) {
	s := kv.New(kv.Config{})
	for i := range 2000 {
		set(s, fmt.Sprint("k", i), "v")
	}
	slots := slot.SetOf(slot.Range{Start: 100, End: 4000})
	want := 0
	for i := range 2000 {
		if slots.Contains(slot.Of(fmt.Append(nil, "k", i))) {
			want++
		}
	}
	for range 3 {
		called := false
		n, err := s.Snapshot(slots, func() { called = true })
		if err != nil || !called {
			t.Fatal(err, called)
		}
		for i := range 2000 {
			del(s, fmt.Sprint("k", i))
			set(s, fmt.Sprint("k", i), "v")
		}
		if got := contents(t, n); len(got) != want {
			t.Errorf("%d keys, want %d", len(got), want)
		}
	}
}

func TestSnapshotGivenUp(t *testing.T) {
	s := kv.New(kv.Config{})
	for i := range 5000 {
		set(s, fmt.Sprint("k", i), "v")
	}
	ctx, cancel := context.WithCancel(t.Context())
	boom := errors.New("boom")
	for name, end := range map[string]func(*kv.Snapshot) error{
		"closed": func(n *kv.Snapshot) error { n.Close(); return nil },
		"failed": func(n *kv.Snapshot) error {
			calls := 0
			err := n.Walk(t.Context(), func(*kv.Saved) error {
				if calls++; calls == 10 {
					return boom
				}
				return nil
			})
			if !errors.Is(err, boom) || calls != 10 {
				return fmt.Errorf("%w after %d calls", err, calls)
			}
			return nil
		},
		"cancelled": func(n *kv.Snapshot) error {
			err := n.Walk(ctx, func(*kv.Saved) error { cancel(); return nil })
			if !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		},
	} {
		n, err := s.Snapshot(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := end(n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n, err = s.Snapshot(nil, nil); err != nil {
			t.Fatalf("after one was %s: %v", name, err)
		}
		if got := contents(t, n); len(got) != 5000 {
			t.Errorf("after one was %s: %d keys", name, len(got))
		}
	}
}

func TestMemoryComesBack(t *testing.T) {
	s := kv.New(kv.Config{})
	const n = 100_000
	for i := range n {
		set(s, fmt.Sprintf("{%d}%d", i%300, i), fmt.Sprintf("%064d", i)+"x")
	}
	full := s.Memory() // of which every partition's first chunks are some 5 MB
	for i := range n {
		if i%10 != 0 {
			del(s, fmt.Sprintf("{%d}%d", i%300, i))
		}
	}
	s.Compact(t.Context())
	m := s.Memory()
	if m.Live > full.Live/6 || m.Mapped > full.Mapped/2 || m.Unused != 0 {
		t.Errorf("a tenth of the keys is left; memory %+v, was %+v", m, full)
	}
	for i := 0; i < n; i += 10 {
		if !s.Exists(0, fmt.Appendf(nil, "{%d}%d", i%300, i), now) {
			t.Fatalf("key %d is gone", i)
		}
	}
	s.Lock(command.AllPartitions)
	s.FlushAll()
	s.Unlock(command.AllPartitions)
	s.Compact(t.Context())
	if m := s.Memory(); m.Live != 0 || m.Buried != 0 || m.Mapped > 1<<20 {
		t.Errorf("memory after flushing: %+v", m)
	}
}

// Writers may leave all there is to the walk, in one partition.
func TestSnapshotAfterEverythingHasChanged(t *testing.T) {
	s := kv.New(kv.Config{Databases: 1})
	const keys = 20_000
	name := func(i int) []byte { return fmt.Append(nil, "{one slot}", i) }
	mask := kv.MaskOf(name(0))
	set := func(i int, val string) {
		s.Lock(mask)
		s.DB(0, now).SetString(name(i), []byte(val), kv.NoExpiry)
		s.Unlock(mask)
	}
	want := map[string]string{}
	for i := range keys {
		val := strings.Repeat("old", i%50+20)
		set(i, val)
		want["0/"+string(name(i))] = fmt.Sprintf("%s %s until 0", map[bool]string{false: "embstr", true: "raw"}[len(val) > 44], val)
	}
	n, err := s.Snapshot(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		set(i, "new")
	}
	if got := contents(t, n); !maps.Equal(got, want) {
		t.Errorf("%d keys, want %d as they were", len(got), len(want))
	}
}
