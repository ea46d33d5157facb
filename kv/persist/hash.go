package persist

// Hash is the value of a hash key: fields of different names in any order.
type Hash []HashField

// HashField is one field of a [Hash].
type HashField struct{ Name, Value []byte }

func (h Hash) layout(e *Encoding) byte {
	if len(h) > e.HashMaxListpackEntries {
		return typeHash
	}
	for _, f := range h {
		if len(f.Name) > e.HashMaxListpackValue || len(f.Value) > e.HashMaxListpackValue {
			return typeHash
		}
	}
	return typeHashListpack
}

func (h Hash) encode(w *encoder, kind byte) {
	if kind == typeHashListpack {
		w.writePack(func(add func([]byte)) {
			for _, f := range h {
				add(f.Name)
				add(f.Value)
			}
		})
		return
	}
	w.length(uint64(len(h)))
	for _, f := range h {
		w.string(f.Name)
		w.string(f.Value)
	}
}

func (d *decoder) hash(kind byte) (Value, error) {
	var h Hash
	var err error
	if kind == typeHash {
		h, err = d.hashFields()
	} else {
		h, err = d.packedHash(kind)
	}
	if err != nil {
		return nil, err
	}
	if len(h) == 0 {
		return nil, errEmpty
	}
	if !distinct(len(h), func(i int) []byte { return h[i].Name }) {
		return nil, malformed("a hash with a field twice")
	}
	return h, nil
}

func (d *decoder) hashFields() (Hash, error) {
	n, err := d.size()
	if err != nil {
		return nil, err
	}
	h := make(Hash, 0, few(n))
	for range n {
		var f HashField
		if f.Name, err = d.string(); err != nil {
			return nil, err
		}
		if f.Value, err = d.string(); err != nil {
			return nil, err
		}
		h = append(h, f)
	}
	return h, nil
}

func (d *decoder) packedHash(kind byte) (Hash, error) {
	p, err := d.string()
	if err != nil {
		return nil, err
	}
	var s [][]byte
	switch kind {
	case typeHashZipmap:
		s, err = zipmapStrings(p)
	case typeHashZiplist:
		s, err = d.packedStrings(packedZiplist(p))
	default:
		s, err = d.packedStrings(packedListpack(p))
	}
	if err != nil {
		return nil, err
	}
	if len(s)%2 != 0 {
		return nil, malformed("a hash with a field without value")
	}
	h := make(Hash, len(s)/2)
	for i := range h {
		h[i] = HashField{Name: s[2*i], Value: s[2*i+1]}
	}
	return h, nil
}
