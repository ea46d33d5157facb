package values

import (
	"conclave/kv/ds/packed"
	"conclave/kv/persist"
)

func listOf(flat packed.List) persist.List { return texts(flat) }

func flatList(l persist.List) (flat packed.List) {
	for _, v := range l {
		flat = flat.Append(v)
	}
	return flat
}
