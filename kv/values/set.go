package values

import (
	"conclave/kv/ds/packed"
	"conclave/kv/persist"
)

func setOf(flat packed.List) persist.Set { return texts(flat) }

func flatSet(s persist.Set) (flat packed.List) {
	for _, m := range s {
		flat = flat.Append(m)
	}
	return flat
}
