package commands

import (
	"fmt"
	"strconv"

	"conclave/kv"
)

// Debug shows the inside of a store to DEBUG and MEMORY USAGE. The partitions
// of the keys are locked, for Digest all.
type Debug struct{ Store *kv.Store }

// lookup finds a key without a trace.
func (d Debug) lookup(db int, key []byte, nowMs int64) (kv.Entry, bool) {
	return d.Store.DB(db, nowMs).Lookup(key, kv.Quiet)
}

// Usage estimates the memory that a key and its value take. samples, the
// number of elements to look at, means nothing to the types there are.
func (d Debug) Usage(db int, key []byte, samples int, nowMs int64) (n int64, ok bool) {
	e, ok := d.lookup(db, key, nowMs)
	if !ok {
		return 0, false
	}
	return e.Size(), true
}

// Object describes a key in the words of DEBUG OBJECT.
func (d Debug) Object(db int, key []byte, nowMs int64) (text string, ok bool) {
	e, ok := d.lookup(db, key, nowMs)
	if !ok {
		return "", false
	}
	refs := 1
	if e.Shared() {
		refs = sharedRefs
	}
	// Values have no address. The payload is framed by a type byte and ten
	// bytes of version and checksum.
	return fmt.Sprintf("Value at:0x0 refcount:%d encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d",
		refs, e.Encoding(), len(appendPayload(nil, e, d.Store.Limits()))-11, (nowMs/1000-e.Idle())&0xffffff, e.Idle()), true
}

// DigestValue is the digest of one value, zero if the key is absent.
func (d Debug) DigestValue(db int, key []byte, nowMs int64) [20]byte {
	e, ok := d.lookup(db, key, nowMs)
	if !ok {
		return [20]byte{}
	}
	return e.Digest()
}

// Digest is the digest of all databases, zero if they are empty.
func (d Debug) Digest(nowMs int64) [20]byte { return d.Store.Digest(nowMs) }

// SetActiveExpire switches the active expiry cycle.
func (d Debug) SetActiveExpire(on bool) { d.Store.SetActiveExpire(on) }

// Populate creates keys named prefix:0, prefix:1, ..., each with the value
// value:0, value:1, ..., padded with zero bytes or cut to size, if that isn't 0.
// Keys that are there are left alone. All partitions are locked.
func (d Debug) Populate(db int, n int64, prefix string, size int, nowMs int64) {
	at := d.Store.DB(db, nowMs)
	var key, val []byte
	for i := range n {
		key = append(append(key[:0], prefix...), ':')
		key = strconv.AppendInt(key, i, 10)
		if at.Exists(key) {
			continue
		}
		val = strconv.AppendInt(append(val[:0], "value:"...), i, 10)
		if size > 0 {
			val = append(val, make([]byte, max(size-len(val), 0))...)[:size]
		}
		at.SetString(key, val, kv.NoExpiry)
	}
}
