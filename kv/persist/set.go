package persist

// Set is the value of a set key: different strings in any order.
type Set [][]byte

func (s Set) layout(e *Encoding) byte {
	if len(s) <= e.SetMaxIntsetEntries && s.areNumbers() {
		return typeSetIntset
	}
	if e.Version >= since(typeSetListpack) && len(s) <= e.SetMaxListpackEntries && noneLonger(s, e.SetMaxListpackValue) {
		return typeSetListpack
	}
	return typeSet
}

func (s Set) areNumbers() bool {
	for _, p := range s {
		if _, ok := canonicalInt64(p); !ok {
			return false
		}
	}
	return true
}

func noneLonger(s [][]byte, most int) bool {
	for _, p := range s {
		if len(p) > most {
			return false
		}
	}
	return true
}

func (s Set) encode(w *encoder, kind byte) {
	switch kind {
	case typeSetIntset:
		numbers := make([]int64, len(s))
		for i, p := range s {
			numbers[i], _ = canonicalInt64(p)
		}
		w.pack = appendIntset(w.pack[:0], numbers)
		w.string(w.pack)
	case typeSetListpack:
		w.writePack(func(add func([]byte)) {
			for _, p := range s {
				add(p)
			}
		})
	default:
		w.length(uint64(len(s)))
		for _, p := range s {
			w.string(p)
		}
	}
}

func (d *decoder) set(kind byte) (Value, error) {
	var s Set
	if kind == typeSet {
		n, err := d.size()
		if err != nil {
			return nil, err
		}
		s = make(Set, 0, few(n))
		for range n {
			p, err := d.string()
			if err != nil {
				return nil, err
			}
			s = append(s, p)
		}
	} else {
		p, err := d.string()
		if err != nil {
			return nil, err
		}
		if kind == typeSetIntset {
			s, err = d.intset(p)
		} else {
			s, err = d.packedStrings(packedListpack(p))
		}
		if err != nil {
			return nil, err
		}
	}
	if len(s) == 0 {
		return nil, errEmpty
	}
	if kind != typeSetIntset && !distinct(len(s), func(i int) []byte { return s[i] }) {
		return nil, malformed("a set with a member twice")
	}
	return s, nil
}
