package values

import (
	"conclave/kv/ds/packed"
	"conclave/kv/persist"
)

func hashOf(flat packed.List) persist.Hash {
	all := texts(flat)
	h := make(persist.Hash, len(all)/2)
	for i := range h {
		h[i] = persist.HashField{Name: all[2*i], Value: all[2*i+1]}
	}
	return h
}

func flatHash(h persist.Hash) (flat packed.List) {
	for _, f := range h {
		flat = flat.Append(f.Name).Append(f.Value)
	}
	return flat
}
