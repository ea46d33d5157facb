package values

import (
	"conclave/kv"
	"conclave/kv/ds/packed"
	"conclave/kv/persist"
)

// Of is a key's value. It may share memory with the store: it is good as long as
// the entry.
func Of(e kv.Entry) persist.Value {
	if e.Type() == kv.String {
		return persist.String(e.Bytes(make([]byte, 0, 20)))
	}
	return fromFlat(e.Type(), e.AppendFlat(nil))
}

// OfSaved is a saved key's value, good until the visitor returns.
func OfSaved(v *kv.Saved) persist.Value { return new(Scratch).OfSaved(v) }

// Scratch is what the values of saved keys are made in, one after another, so
// that strings take no memory of their own.
type Scratch struct {
	text   persist.String
	digits [20]byte
}

// OfSaved is a saved key's value, good until the next one, or until the visitor
// returns. A string is a *[persist.String].
func (s *Scratch) OfSaved(v *kv.Saved) persist.Value {
	if v.Type() == kv.String {
		s.text = v.Bytes(s.digits[:0])
		return &s.text
	}
	return fromFlat(v.Type(), v.Flat())
}

func fromFlat(t kv.Type, flat packed.List) persist.Value {
	switch t {
	case kv.Hash:
		return hashOf(flat)
	case kv.Stream:
		return streamOf(flat)
	case kv.List:
		return listOf(flat)
	case kv.Set:
		return setOf(flat)
	case kv.ZSet:
		return sortedSetOf(flat)
	}
	return nil
}

// Put makes the key hold a value, whatever it held before. It reports whether the
// store has such values; without elements it has not.
func Put(db kv.DB, key []byte, v persist.Value, expiry int64) bool {
	switch v := v.(type) {
	case persist.String:
		db.SetString(key, v, expiry)
		return true
	case persist.Hash:
		return putFlat(db, key, kv.Hash, flatHash(v), expiry)
	case *persist.Stream:
		return putFlat(db, key, kv.Stream, flatStream(v), expiry)
	case persist.List:
		return putFlat(db, key, kv.List, flatList(v), expiry)
	case persist.Set:
		return putFlat(db, key, kv.Set, flatSet(v), expiry)
	case persist.SortedSet:
		return putFlat(db, key, kv.ZSet, flatSortedSet(v), expiry)
	}
	return false
}

func putFlat(db kv.DB, key []byte, t kv.Type, flat packed.List, expiry int64) bool {
	if len(flat) == 0 {
		return false
	}
	db.SetFlat(key, t, flat, expiry)
	return true
}

// texts are the entries of a flat form as bytes of their own.
func texts(flat packed.List) [][]byte {
	out := make([][]byte, 0, flat.Count())
	buf := make([]byte, 0, 2*len(flat))
	for pos := 0; pos < len(flat); {
		var v packed.Value
		v, pos = flat.At(pos)
		from := len(buf)
		buf = v.Append(buf)
		out = append(out, buf[from:len(buf):len(buf)])
	}
	return out
}
