package kv

import (
	"runtime"

	"conclave/fsm/slot"
	"conclave/kv/ds"
)

// ahead is how many keys are looked up at the same time.
const ahead = 32

// Touch loads what a lookup of the keys will need into the processor's caches:
// first the buckets of all of them, then the records, so that the misses happen
// side by side. It only reads memory: no partition need be locked, and nothing
// changes if keys come and go meanwhile. The last keys of a long list are the
// least likely to be still there when they are needed.
func (s *Store) Touch(db int, keys [][]byte) {
	var tables [ahead]*ds.Table
	var shards [ahead]*ds.Shard
	var hashes [ahead]uint64
	for len(keys) > 0 {
		n := min(len(keys), ahead)
		var sum byte
		for i, key := range keys[:n] {
			sl := slot.Of(key)
			p := &s.parts[sl%partitions]
			tables[i], shards[i] = p.dbs[db].table(sl), p.shard
			if tables[i] != nil {
				hashes[i] = s.space.Hash(key)
				sum += tables[i].LookAhead(shards[i], hashes[i])
			}
		}
		for i := range n {
			if tables[i] != nil {
				sum += tables[i].LookFurther(shards[i], hashes[i])
			}
		}
		runtime.KeepAlive(sum)
		keys = keys[n:]
	}
}
