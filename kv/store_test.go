package kv_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"conclave/kv"
	"conclave/resp/command"
)

func TestEncodingOfStrings(t *testing.T) {
	s := kv.New(kv.Config{})
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	db, key := s.DB(0, now), []byte("k")
	long := fmt.Sprintf("%044d", 7)
	for _, tc := range []struct {
		val  string
		want kv.Encoding
	}{
		{"", kv.Embstr}, {"0", kv.Int}, {"-1", kv.Int}, {"01", kv.Embstr}, {"-0", kv.Embstr}, {"+1", kv.Embstr}, {" 1", kv.Embstr},
		{"9223372036854775807", kv.Int}, {"9223372036854775808", kv.Embstr},
		{"-9223372036854775808", kv.Int}, {"-9223372036854775809", kv.Embstr},
		{"123456789012345678901", kv.Embstr}, {long, kv.Embstr}, {long + "x", kv.Raw},
	} {
		db.SetString(key, []byte(tc.val), kv.NoExpiry)
		e, ok := db.Lookup(key, kv.Quiet)
		if !ok || e.Encoding() != tc.want || string(e.Bytes(nil)) != tc.val || e.Len() != len(tc.val) {
			t.Errorf("%q: %v %q of length %d, want %v", tc.val, e.Encoding(), e.Bytes(nil), e.Len(), tc.want)
		}
		db.SetText(key, []byte(tc.val), kv.NoExpiry)
		if e, _ = db.Lookup(key, kv.Quiet); e.Encoding() == kv.Int {
			t.Errorf("%q: text stored as int", tc.val)
		}
		if v := db.Edit(key, 0); string(v) != tc.val {
			t.Errorf("%q: edited %q", tc.val, v)
		}
		if e, _ = db.Lookup(key, kv.Quiet); e.Encoding() != kv.Raw {
			t.Errorf("%q: edited to %v", tc.val, e.Encoding())
		}
	}
}

func FuzzParseInt(f *testing.F) {
	for _, s := range []string{"", "0", "-0", "1", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "99999999999999999999", "1 "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := strconv.ParseInt(string(b), 10, 64)
		want := err == nil && strconv.FormatInt(n, 10) == string(b)
		if got, ok := kv.ParseInt(b); ok != want || (ok && got != n) {
			t.Errorf("%q: %d %v, want %d %v", b, got, ok, n, want)
		}
	})
}

func TestAccessBits(t *testing.T) {
	s := kv.New(kv.Config{})
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	key := []byte("k")
	look := func(ms int64, a kv.Access) kv.Entry {
		e, ok := s.DB(0, ms).Lookup(key, a)
		if !ok {
			t.Fatal("absent")
		}
		return e
	}
	s.DB(0, now).SetString(key, key, kv.NoExpiry)
	if idle := look(now+5000, kv.Quiet).Idle(); idle != 5 {
		t.Errorf("idle %d", idle)
	}
	look(now+6000, kv.Untouched)
	look(now+7000, kv.ForRead)
	if idle := look(now+9000, kv.Quiet).Idle(); idle != 2 {
		t.Errorf("idle %d after a read", idle)
	}
	s.DB(0, now+9000).SetIdle(key, 1000)
	if idle := look(now+9000, kv.Quiet).Idle(); idle != 1000 {
		t.Errorf("idle %d after SetIdle", idle)
	}

	s.SetLFU(true)
	s.DB(0, now).Delete(key)
	s.DB(0, now).SetString(key, key, kv.NoExpiry)
	if f := look(now, kv.Quiet).Freq(); f != 5 {
		t.Errorf("a new key begins at %d", f)
	}
	for range 10_000 {
		look(now, kv.ForRead)
	}
	f := look(now, kv.Quiet).Freq()
	if f < 10 || f > 100 {
		t.Errorf("frequency %d after 10000 reads", f)
	}
	if g := look(now+3*60_000, kv.Quiet).Freq(); g != f-3 {
		t.Errorf("frequency %d, three minutes later %d", f, g)
	}
	s.DB(0, now).SetFreq(key, 200)
	if f := look(now, kv.Quiet).Freq(); f != 200 {
		t.Errorf("frequency %d after SetFreq", f)
	}
}

func TestStatsAndReset(t *testing.T) {
	s := kv.New(kv.Config{})
	set(s, "a", "1")
	set(s, "b", "1")
	s.Lock(command.AllPartitions)
	db := s.DB(0, now)
	db.Lookup([]byte("a"), kv.ForRead)
	db.Lookup([]byte("a"), kv.Untouched)
	db.Lookup([]byte("a"), kv.ForWrite)
	db.Lookup([]byte("c"), kv.ForRead)
	db.Lookup([]byte("c"), kv.Quiet)
	s.Unlock(command.AllPartitions)
	if got, want := s.Stats(), (kv.Stats{Hits: 2, Misses: 1, Dirty: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	s.ResetStats()
	if got, want := s.Stats(), (kv.Stats{Dirty: 2}); got != want {
		t.Errorf("%+v after reset, want %+v", got, want)
	}
	if s.Bytes() <= 0 {
		t.Errorf("%d bytes", s.Bytes())
	}
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	if n := s.FlushAll(); n != 2 || s.Bytes() != 0 {
		t.Errorf("%d flushed, %d bytes left", n, s.Bytes())
	}
}

// Several sessions at once, each under the rules of locking.
func TestConcurrentUse(t *testing.T) {
	s := kv.New(kv.Config{Databases: 2})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var w command.Watch
			for i := range 3000 {
				key := fmt.Append(nil, "key", (i*7+g)%200)
				mask := kv.MaskOf(key)
				s.Lock(mask)
				db := s.DB(i%2, now+int64(i))
				switch i % 5 {
				case 0:
					db.SetString(key, key, now+int64(i)+50)
				case 1:
					db.Lookup(key, kv.ForRead)
				case 2:
					db.Delete(key)
				case 3:
					s.Watch(&w, i%2, key, now)
				}
				s.Unlock(mask)
				if i%50 == 0 {
					s.Unwatch(&w)
					w.Reset()
				}
				switch i % 500 {
				case 10:
					db.Scan(0, kv.ScanOptions{Slot: kv.AnySlot, Count: 1000}, func(kv.Entry) {})
				case 11:
					db.RandomKey(nil, false)
				case 12:
					s.Lock(command.AllPartitions)
					s.SwapDB(0, 1, 0)
					s.Unlock(command.AllPartitions)
				case 13:
					s.Lock(command.AllPartitions)
					s.FlushDB(0)
					s.Unlock(command.AllPartitions)
				case 14:
					db.Each(false, func(kv.Entry) {})
				case 15:
					s.Stats()
					s.Bytes()
					s.CountInSlot(i)
				}
			}
			s.Unwatch(&w)
		})
	}
	wg.Wait()
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	s := kv.New(kv.Config{})
	key, val, out := []byte("some:key"), []byte("some value"), make([]byte, 0, 64)
	set(s, string(key), string(val))
	n := []byte("n")
	mask := kv.MaskOf(key)
	for name, f := range map[string]func(){
		"get": func() {
			e, _ := s.DB(0, now).Lookup(key, kv.ForRead)
			out = e.AppendBytes(out[:0])
		},
		"overwrite": func() { s.DB(0, now).SetString(key, val, kv.NoExpiry) },
		"count":     func() { s.DB(0, now).SetInt(n, 12345) },
	} {
		got := testing.AllocsPerRun(100, func() {
			s.Lock(mask)
			f()
			s.Unlock(mask)
		})
		if got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := kv.New(kv.Config{})
	keys := make([][]byte, 100_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%012d", i)
		set(s, string(keys[i]), "0123456789abcdef")
	}
	b.ReportAllocs()
	var out []byte
	for i := 0; b.Loop(); i++ {
		key := keys[i*7919%len(keys)]
		mask := kv.MaskOf(key)
		s.Lock(mask)
		e, _ := s.DB(0, now).Lookup(key, kv.ForRead)
		out = e.AppendBytes(out[:0])
		s.Unlock(mask)
	}
}
