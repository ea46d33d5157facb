package kv_test

import (
	"fmt"
	"testing"

	"conclave/kv"
	"conclave/resp/command"
)

// What GET, SET, INCR, EXPIRE and DEL do to the store allocates nothing.
func TestHotOperationsDontAllocate(t *testing.T) {
	s := kv.New(kv.Config{})
	keys := make([][]byte, 1000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%d", i)
		set(s, string(keys[i]), "0123456789abcdef")
	}
	val, longer := []byte("fedcba9876543210"), make([]byte, 100)
	i := 0
	for name, op := range map[string]func(db kv.DB, key []byte){
		"get": func(db kv.DB, key []byte) {
			var dst [64]byte
			if e, ok := db.Lookup(key, kv.ForRead); !ok || len(e.AppendBytes(dst[:0])) == 0 {
				t.Errorf("%s is gone", key)
			}
		},
		"set":         func(db kv.DB, key []byte) { db.SetString(key, val, kv.NoExpiry) },
		"set, longer": func(db kv.DB, key []byte) { db.SetString(key, longer[:i%100], now+1000) },
		"incr":        func(db kv.DB, key []byte) { db.SetInt(key, int64(i)) },
		"expire":      func(db kv.DB, key []byte) { db.SetExpiry(key, now+1000) },
		"del and set": func(db kv.DB, key []byte) {
			db.Delete(key)
			db.SetString(key, val, kv.NoExpiry)
		},
		"touch": func(kv.DB, []byte) { s.Touch(0, keys[:16]) },
	} {
		if n := testing.AllocsPerRun(2000, func() {
			i++
			key := keys[i%len(keys)]
			mask := kv.MaskOf(key)
			s.Lock(mask)
			op(s.DB(0, now), key)
			s.Unlock(mask)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Values of all sizes survive being overwritten, extended and cut in place or
// elsewhere, with and without expiry.
func TestValuesOfAllSizes(t *testing.T) {
	s := kv.New(kv.Config{})
	s.Lock(command.AllPartitions)
	defer s.Unlock(command.AllPartitions)
	db, want := s.DB(0, now), map[string]string{}
	fill := func(n int, c byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = c + byte(i%7)
		}
		return b
	}
	sizes := []int{0, 1, 20, 255, 256, 1000, 8000, 8150, 8190, 20_000, 1 << 20}
	for _, a := range sizes {
		for _, b := range sizes {
			key := fmt.Sprint("from ", a, " to ", b)
			db.SetText([]byte(key), fill(a, 'a'), kv.NoExpiry)
			if a%2 == 0 {
				db.SetExpiry([]byte(key), now+500)
			}
			v := db.Edit([]byte(key), b)
			want[key] = string(fill(a, 'a')) + string(make([]byte, max(0, b-a)))
			if len(v) != max(a, b) {
				t.Fatalf("%s: %d bytes", key, len(v))
			}
			if b%2 == 0 {
				db.SetText([]byte(key), fill(b, 'b'), kv.KeepTTL)
				want[key] = string(fill(b, 'b'))
			}
		}
	}
	for key, val := range want {
		e, ok := db.Lookup([]byte(key), kv.Quiet)
		if !ok || string(e.Bytes(nil)) != val {
			t.Errorf("%s: not what was written", key)
		}
	}
	if n := s.FlushAll(); int(n) != len(want) || s.Bytes() != 0 {
		t.Errorf("%d flushed, %d bytes left", n, s.Bytes())
	}
}
