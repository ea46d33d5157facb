package kv

import (
	"conclave/fsm/slot"
	"conclave/kv/ds"
)

// ahead is how many keys are looked up at the same time.
const ahead = 32

// Touch brings what a lookup of the keys will need into the processor's caches,
// for all of them side by side. It only reads memory: no partition need be
// locked, and nothing changes if keys come and go meanwhile. The last keys of a long list are the
// least likely to be still there when they are needed.
func (s *Store) Touch(db int, keys [][]byte) {
	var batch [ahead]ds.Ahead
	for len(keys) > 0 {
		n := min(len(keys), ahead)
		for i, key := range keys[:n] {
			sl := slot.Of(key)
			p := &s.parts[sl%partitions]
			batch[i] = ds.Ahead{Table: p.dbs[db].table(sl), Shard: p.shard, Hash: s.space.Hash(key)}
		}
		ds.LookAhead(batch[:n])
		keys = keys[n:]
	}
}
