package command

import (
	"errors"
	"slices"
	"strconv"

	"conclave/fsm/slot"
)

// ErrKeys says that the keys of a malformed call can't be told.
var ErrKeys = errors.New("invalid arguments specified for command")

// CallFlags are the flags of a key specification in one call of a command: of
// some commands they depend on the options.
func (k *KeySpec) CallFlags(spec *Spec, args [][]byte) KeyFlags {
	if k.Flags&VariableFlags == 0 {
		return k.Flags
	}
	has := func(word string, from int) bool {
		return from < len(args) && slices.ContainsFunc(args[from:], func(a []byte) bool { return EqualFold(a, word) })
	}
	switch spec.Name {
	case "set":
		if !has("get", 3) {
			return OW | Update
		}
		return RW | Access | Update
	case "bitfield":
		if !has("set", 2) && !has("incrby", 2) {
			return RO | Access
		}
		return RW | Access | Update
	}
	return k.Flags
}

// HasKeys reports whether the command can have keys at all.
func (s *Spec) HasKeys() bool { return len(s.Keys) > 0 }

// SimpleKey is the index of the only key of a command that always has exactly
// one, at a fixed place; 0 for every other command.
func (s *Spec) SimpleKey() int { return s.simple }

func simpleKey(s *Spec) int {
	if len(s.Keys) != 1 {
		return 0
	}
	k := &s.Keys[0]
	if k.Find != nil || !k.plain() || k.Last != 0 || k.Begin >= abs(s.Arity) {
		return 0
	}
	return k.Begin
}

// AppendKeys appends the indexes in args of the call's keys. An error means a
// malformed call: it counts as having no keys and reports its own error when
// it runs.
func (s *Spec) AppendKeys(dst []int, args [][]byte) ([]int, error) {
	n := len(dst)
	for i := range s.Keys {
		var err error
		if dst, err = s.Keys[i].Append(dst, args); err != nil {
			return dst[:n], err
		}
	}
	return dst, nil
}

// Append appends the indexes of the keys that this specification finds.
func (k *KeySpec) Append(dst []int, args [][]byte) ([]int, error) {
	if k.Find != nil {
		n := len(dst)
		out, err := k.Find(dst, args)
		if err != nil {
			return dst, err
		}
		for _, i := range out[n:] {
			if i < 1 || i >= len(args) {
				return dst, ErrKeys
			}
		}
		return out, nil
	}
	first := k.first(args)
	if first <= 0 || first >= len(args) {
		if k.Keyword != "" {
			return dst, nil // the word is optional
		}
		return dst, ErrKeys
	}
	step, last := k.step(), 0
	switch {
	case k.NumKeys:
		num, ok := smallInt(args[first])
		if !ok || num < 1 || num > (len(args)-1-first+step-1)/step {
			return dst, ErrKeys
		}
		first++
		last = first + (num-1)*step
	case k.Last >= 0:
		last = first + k.Last
	case k.Last == -1 && k.Limit > 1:
		last = first + (len(args)-first)/k.Limit - 1
	default:
		last = len(args) + k.Last
	}
	if last >= len(args) || last < first {
		return dst, ErrKeys
	}
	for i := first; i <= last; i += step {
		dst = append(dst, i)
	}
	return dst, nil
}

// first is the index where the search of keys begins, 0 if there is none.
func (k *KeySpec) first(args [][]byte) int {
	if k.Keyword == "" {
		return k.Begin
	}
	if k.Begin >= 0 {
		for i := max(k.Begin, 1); i < len(args)-1; i++ {
			if EqualFold(args[i], k.Keyword) {
				return i + 1
			}
		}
		return 0
	}
	for i := len(args) + k.Begin; i >= 1; i-- {
		if EqualFold(args[i], k.Keyword) {
			return i + 1
		}
	}
	return 0
}

func smallInt(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	n, err := strconv.Atoi(string(b))
	return n, err == nil
}

// SlotOf is the hash slot of a key.
func SlotOf(key []byte) int { return slot.Of(key) }
