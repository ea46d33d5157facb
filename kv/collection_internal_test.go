package kv

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"conclave/kv/ds/packed"
)

// Collections against plain Go values: random changes of elements, mixed with
// everything that happens to keys as a whole.

// plain is a collection as Go would have it. A type of collection joins the test
// with an implementation in its own test file, and a line in plainTypes.
type plain interface {
	// step makes a random change, or asks a random question, here and in the
	// store, and complains if the answers differ.
	step(m *plains, d DB, key []byte)
	// elements are the flat form's entries as text, in the flat form's order or,
	// for types that have none, sorted in groups (see sortGroups).
	elements() []string
	clone() plain
}

// plainTypes makes empty ones.
func plainTypes() map[Type]func() plain {
	return map[Type]func() plain{
		List:   func() plain { return &plainList{} },
		Hash:   func() plain { return plainHash{} },
		Stream: func() plain { return &plainStream{} },
		Set:    func() plain { return plainSet{} },
		ZSet:   func() plain { return plainZSet{} },
	}
}

// sortGroups says how many entries of a flat form belong together where their
// order means nothing; 0: the order matters.
var sortGroups = map[Type]int{Set: 1, Hash: 2}

type plains struct {
	*testing.T
	rng  *rand.Rand
	s    *Store
	now  int64
	keys map[modelKey]*plainKey
}

type plainKey struct {
	t Type
	plain
	expire int64
}

func TestCollectionsAgreeWithGo(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := &plains{T: t, rng: rand.New(rand.NewPCG(seed, 2)), s: New(Config{Databases: 2}), now: 1_000_000, keys: map[modelKey]*plainKey{}}
			l := DefaultLimits()
			if seed%2 == 1 { // so that more of them grow out of their records
				l.HashEntries, l.SetEntries, l.IntsetEntries, l.ZSetEntries, l.ListSize, l.StreamEntries = 8, 8, 16, 8, 8, 8
			}
			m.s.SetLimits(l)
			for i := range 1500 {
				if i%500 == 250 {
					m.snapshot()
					continue
				}
				m.s.Lock(^uint64(0))
				m.step()
				m.s.Unlock(^uint64(0))
			}
			m.s.Lock(^uint64(0))
			m.compare()
			m.s.Unlock(^uint64(0))
			m.s.Compact(t.Context())
			checkInvariants(t, m.s)
			m.s.Lock(^uint64(0))
			m.s.FlushAll()
			m.s.Unlock(^uint64(0))
			m.s.Compact(t.Context())
			checkInvariants(t, m.s)
			if n := m.s.Bytes(); n != 0 {
				t.Errorf("an empty store takes %d bytes", n)
			}
		})
	}
}

func (m *plains) key() []byte {
	return fmt.Appendf(nil, "{t%d}%d", m.rng.IntN(3), m.rng.IntN(4))
}

// text is an element: short, long, a number.
func (m *plains) text() []byte {
	switch n := m.rng.IntN(100); {
	case n < 45:
		return fmt.Append(nil, m.rng.IntN(300)-150)
	case n < 95:
		return fmt.Append(nil, "element ", m.rng.IntN(200))
	case n < 98:
		return []byte(strings.Repeat("long", m.rng.IntN(40)))
	}
	return nil
}

func (m *plains) step() {
	db, key := m.rng.IntN(2), m.key()
	d, k := m.s.DB(db, m.now), modelKey{db, string(key)}
	now := m.keys[k]
	if now != nil && now.expire != 0 && now.expire <= m.now {
		delete(m.keys, k)
		now = nil
	}
	other := modelKey{m.rng.IntN(2), string(m.key())}
	to := m.s.DB(other.db, m.now)
	switch n := m.rng.IntN(400); {
	case n == 0:
		if d.Delete(key) != (now != nil) {
			m.Errorf("delete %v", k)
		}
		delete(m.keys, k)
	case n == 1:
		d.SetString(key, []byte("x"), NoExpiry)
		d.Delete(key)
		delete(m.keys, k)
	case n == 2 && now != nil:
		now.expire = m.now + int64(m.rng.IntN(50))
		d.SetExpiry(key, now.expire)
	case n == 3 && k != other:
		if d.Copy(key, to, []byte(other.key)) != (now != nil) {
			m.Errorf("copy %v", k)
		}
		if now != nil {
			m.keys[other] = &plainKey{now.t, now.clone(), now.expire}
		}
	case n == 4 && k != other:
		if d.Move(key, to, []byte(other.key)) != (now != nil) {
			m.Errorf("move %v", k)
		}
		if now != nil {
			m.keys[other] = now
			delete(m.keys, k)
		}
	case n == 5 && m.rng.IntN(5) == 0:
		m.s.FlushDB(db)
		maps.DeleteFunc(m.keys, func(k modelKey, _ *plainKey) bool { return k.db == db })
	case n == 6:
		m.s.SwapDB(0, 1, 0)
		swapped := map[modelKey]*plainKey{}
		for k, v := range m.keys {
			swapped[modelKey{1 - k.db, k.key}] = v
		}
		m.keys = swapped
	case n == 7 && now != nil:
		e, _ := d.Lookup(key, Quiet)
		flat := e.AppendFlat(nil)
		d.SetFlat(key, now.t, flat, now.expire)
	case n == 8:
		m.now += 10
	case n == 9:
		m.compare()
	default:
		if now == nil {
			types := slices.Sorted(maps.Keys(plainTypes()))
			t := types[m.rng.IntN(len(types))]
			now = &plainKey{t, plainTypes()[t](), 0}
			m.keys[k] = now
		}
		for range 1 + m.rng.IntN(8) {
			now.step(m, d, key)
			if len(now.elements()) == 0 {
				delete(m.keys, k)
				break
			}
		}
	}
}

// compare looks at everything.
func (m *plains) compare() {
	m.Helper()
	for k, v := range m.keys {
		if v.expire != 0 && v.expire <= m.now {
			delete(m.keys, k)
		}
	}
	n := 0
	for db := range 2 {
		m.s.DB(db, m.now).Each(true, func(e Entry) {
			n++
			m.check(modelKey{db, string(e.Key())}, e.Type(), e.AppendFlat(nil), m.keys)
			if want := m.keys[modelKey{db, string(e.Key())}]; want != nil && e.Expiry() != want.expire {
				m.Errorf("%q expires at %d, want %d", e.Key(), e.Expiry(), want.expire)
			}
		})
	}
	if n != len(m.keys) {
		m.Errorf("%d keys, want %d", n, len(m.keys))
	}
}

func (m *plains) check(k modelKey, t Type, flat packed.List, keys map[modelKey]*plainKey) {
	m.Helper()
	want := keys[k]
	if want == nil {
		m.Errorf("%v is there", k)
		return
	}
	if got := elementsOf(t, flat); t != want.t || !slices.Equal(got, want.elements()) {
		m.Errorf("%v is %v %.300q, want %v %.300q", k, t, got, want.t, want.elements())
	}
}

func elementsOf(t Type, flat packed.List) (all []string) {
	if len(flat) > 0 && !flat.Valid() {
		return []string{"not valid"}
	}
	for pos := 0; pos < len(flat); {
		var v packed.Value
		v, pos = flat.At(pos)
		all = append(all, string(v.Append(nil)))
	}
	return sortElements(all, sortGroups[t])
}

// sortElements sorts groups of n by their first.
func sortElements(all []string, n int) []string {
	if n == 0 {
		return all
	}
	groups := slices.Collect(slices.Chunk(all, n))
	slices.SortFunc(groups, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return slices.Concat(groups...)
}

// snapshot takes one, and changes keys while it is walked.
func (m *plains) snapshot() {
	want := map[modelKey]*plainKey{}
	n, err := m.s.Snapshot(nil, func() {
		for k, v := range m.keys {
			want[k] = &plainKey{v.t, v.clone(), v.expire}
		}
	})
	if err != nil {
		m.Fatal(err)
	}
	for range 30 {
		m.s.Lock(^uint64(0))
		m.step()
		m.s.Unlock(^uint64(0))
	}
	seen := 0
	err = n.Walk(context.Background(), func(v *Saved) error {
		k := modelKey{v.DB, string(v.Key)}
		if w := want[k]; w != nil && w.expire != 0 && w.expire <= m.now {
			delete(want, k) // it may have been removed before the snapshot
			return nil
		}
		seen++
		m.check(k, v.Type(), v.Flat(), want)
		m.s.Lock(^uint64(0))
		m.step()
		m.s.Unlock(^uint64(0))
		return nil
	})
	if err != nil {
		m.Error(err)
	}
	for k, w := range want {
		if w.expire != 0 && w.expire <= m.now {
			delete(want, k)
		}
	}
	if seen < len(want) {
		m.Errorf("the snapshot has %d keys, want %d", seen, len(want))
	}
}
