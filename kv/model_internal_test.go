package kv

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// The store against a map: random operations, in few slots so that tables grow
// and shrink, with a clock that moves.

type modelKey struct {
	db  int
	key string
}

type modelValue struct {
	val    string
	expire int64
}

type model struct {
	t    *testing.T
	rng  *rand.Rand
	s    *Store
	now  int64
	keys map[modelKey]modelValue
}

func TestStoreAgreesWithAMap(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 1)), s: New(Config{Databases: 3}),
				now: 1_000_000, keys: map[modelKey]modelValue{}}
			m.s.Lock(^uint64(0))
			for range 4000 {
				m.step()
			}
			m.compare()
			m.s.Unlock(^uint64(0))
			checkInvariants(t, m.s)
		})
	}
}

func (m *model) key() []byte {
	if m.rng.IntN(2) == 0 {
		return fmt.Appendf(nil, "{t%d}%d", m.rng.IntN(2), m.rng.IntN(200))
	}
	return fmt.Appendf(nil, "k%d", m.rng.IntN(100))
}

func (m *model) value() []byte {
	switch m.rng.IntN(4) {
	case 0:
		return fmt.Append(nil, m.rng.IntN(20000)-10000)
	case 1:
		return bytes.Repeat([]byte{'x'}, m.rng.IntN(200))
	}
	return fmt.Append(nil, "v", m.rng.IntN(1000))
}

// get is what the model holds, expired keys being gone.
func (m *model) get(k modelKey) (modelValue, bool) {
	v, ok := m.keys[k]
	if ok && v.expire != 0 && v.expire <= m.now {
		delete(m.keys, k)
		return modelValue{}, false
	}
	return v, ok
}

func (m *model) step() {
	n := m.rng.IntN(3)
	db := m.s.DB(n, m.now)
	key := m.key()
	k := modelKey{n, string(key)}
	old, had := m.get(k)
	switch op := m.rng.IntN(100); {
	case op < 30:
		val, expire := m.value(), int64(0)
		switch m.rng.IntN(3) {
		case 0:
			expire = m.now + m.rng.Int64N(300) + 1
			m.keys[k] = modelValue{string(val), expire}
		case 1:
			expire = KeepTTL
			m.keys[k] = modelValue{string(val), old.expire}
		default:
			m.keys[k] = modelValue{string(val), 0}
		}
		db.SetString(key, val, expire)
	case op < 50:
		m.expect(db.Delete(key) == had, "delete %q", key)
		delete(m.keys, k)
	case op < 60:
		size := m.rng.IntN(80)
		v := db.Edit(key, size)
		val := []byte(old.val)
		if len(val) < size {
			val = append(val, make([]byte, size-len(val))...)
		}
		m.expect(bytes.Equal(v, val), "edit %q: %q, want %q", key, v, val)
		if len(v) > 0 {
			v[len(v)/2], val[len(v)/2] = '!', '!'
		}
		m.keys[k] = modelValue{string(val), old.expire}
	case op < 70:
		at := m.rng.Int64N(2) * (m.now + m.rng.Int64N(500) + 1)
		m.expect(db.SetExpiry(key, at) == had, "expire %q", key)
		if had {
			m.keys[k] = modelValue{old.val, at}
		}
	case op < 80:
		m.relocate(db, k, old, had)
	case op < 82:
		m.wholeStore(n)
	case op < 85:
		m.now += m.rng.Int64N(40)
	case op < 90:
		m.activeExpire()
	default:
		e, ok := db.Lookup(key, ForRead)
		m.expect(ok == had, "lookup %q: %v", key, ok)
		if ok {
			m.expect(string(e.AppendBytes(nil)) == old.val && e.Expiry() == old.expire && e.Len() == len(old.val),
				"lookup %q: %q expires %d, want %v", key, e.AppendBytes(nil), e.Expiry(), old)
		}
	}
}

func (m *model) relocate(db DB, k modelKey, old modelValue, had bool) {
	name, n := m.key(), m.rng.IntN(3)
	to := modelKey{n, string(name)}
	if to == k {
		return
	}
	if m.rng.IntN(2) == 0 {
		m.expect(db.Move([]byte(k.key), m.s.DB(n, m.now), name) == had, "move %q", k.key)
		delete(m.keys, k)
	} else {
		m.expect(db.Copy([]byte(k.key), m.s.DB(n, m.now), name) == had, "copy %q", k.key)
	}
	if had {
		m.keys[to] = old
	}
}

func (m *model) wholeStore(n int) {
	switch m.rng.IntN(8) {
	case 0:
		m.s.FlushDB(n)
		maps.DeleteFunc(m.keys, func(k modelKey, _ modelValue) bool { return k.db == n })
	case 1:
		m.s.SwapDB(0, n, 0)
		swapped := map[modelKey]modelValue{}
		for k, v := range m.keys {
			switch k.db {
			case 0:
				k.db = n
			case n:
				k.db = 0
			}
			swapped[k] = v
		}
		m.keys = swapped
	case 2:
		sl := m.s.DB(0, 0).place(m.key()).slot
		m.s.FlushSlot(sl)
		maps.DeleteFunc(m.keys, func(k modelKey, _ modelValue) bool { return m.s.DB(0, 0).place([]byte(k.key)).slot == sl })
	}
}

// activeExpire runs the cycle's step, which changes nothing that can be seen.
func (m *model) activeExpire() {
	p, db := m.rng.IntN(partitions), m.rng.IntN(3)
	m.s.parts[p].mu.Unlock() // expireSample locks it itself
	m.s.expireSample(p, db, m.now)
	m.s.parts[p].mu.Lock()
}

// compare holds the whole store against the model, by Each and by Scan.
func (m *model) compare() {
	for n := range 3 {
		var want, each, scan []string
		for k := range maps.Clone(m.keys) {
			if v, ok := m.get(k); ok && k.db == n {
				want = append(want, k.key+"="+v.val)
			}
		}
		db := m.s.DB(n, m.now)
		add := func(dst *[]string) func(Entry) {
			return func(e Entry) {
				if !e.Expired() {
					*dst = append(*dst, string(e.Key())+"="+string(e.AppendBytes(nil)))
				}
			}
		}
		db.Each(true, add(&each))
		for cursor := uint64(0); ; {
			cursor = db.Scan(cursor, ScanOptions{Slot: AnySlot, Count: 7, Locked: true}, add(&scan))
			if cursor == 0 {
				break
			}
		}
		slices.Sort(want)
		slices.Sort(each)
		slices.Sort(scan)
		m.expect(slices.Equal(want, each), "Each of db %d: %v, want %v", n, each, want)
		m.expect(slices.Equal(want, scan), "Scan of db %d: %v, want %v", n, scan, want)
	}
}

func (m *model) expect(ok bool, format string, args ...any) {
	m.t.Helper()
	if !ok {
		m.t.Fatalf(format, args...)
	}
}
