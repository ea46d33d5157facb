package server

import (
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"conclave/resp/command"
)

// InvalidateChannel is where invalidations are published for clients that speak
// RESP2.
const InvalidateChannel = "__redis__:invalidate"

// TrackingOptions are those of CLIENT TRACKING ON.
type TrackingOptions struct {
	Broadcast     bool
	Prefixes      []string // of Broadcast; none means every key
	OptIn, OptOut bool
	NoLoop        bool
	Redirect      uint64 // the session that gets the invalidations; 0: the same
}

// tracking remembers what clients cache, so that they can be told when it
// changes.
//
// mu is taken under partitions' locks, and a shard's lock last. Invalidations are
// pushed with none of them but the partitions'.
type tracking struct {
	on       atomic.Int32 // sessions that track; without any, nothing is done
	prefixed atomic.Int32 // number of prefixes
	items    atomic.Int64 // pairs of key and session in all shards
	keys     atomic.Int64
	shards   [command.Partitions]trackingShard

	mu       sync.Mutex
	prefixes map[string][]*Session // guarded by mu; slices are replaced, never changed
}

// trackingShard is the keys of one partition.
type trackingShard struct {
	// current is the session that runs a command with the partition locked.
	// Guarded by that lock.
	current *Session

	mu   sync.Mutex
	keys map[string][]uint64 // the sessions that may have the key in their cache
}

// tracker is one session's part. What isn't atomic belongs to its owner.
type tracker struct {
	on, broadcast, broken atomic.Bool
	optIn, optOut, noLoop atomic.Bool
	caching               atomic.Bool // CLIENT CACHING was called
	redirect              atomic.Uint64
	prefixes              []string
	claimed               uint64
	changed               []string // by the command under way; for clients in broadcasting mode
}

// StartTracking switches tracking on, or changes its options; the error is the
// reply's text, or "". Owner only.
func (s *Session) StartTracking(o TrackingOptions) string {
	k, t := &s.track, &s.srv.tracking
	on := k.on.Load()
	if len(o.Prefixes) > 0 && !o.Broadcast {
		return "ERR PREFIX option requires BCAST mode to be enabled"
	}
	if on && k.broadcast.Load() != o.Broadcast {
		return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	}
	if o.Broadcast && (o.OptIn || o.OptOut) {
		return "ERR OPTIN and OPTOUT are not compatible with BCAST"
	}
	if o.OptIn && o.OptOut {
		return "ERR You can't specify both OPTIN mode and OPTOUT mode"
	}
	if on && (o.OptIn && k.optOut.Load() || o.OptOut && k.optIn.Load()) {
		return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	}
	if o.Broadcast {
		if len(o.Prefixes) == 0 {
			o.Prefixes = []string{""}
		}
		if text := overlapping(k.prefixes, o.Prefixes); text != "" {
			return text
		}
	}
	k.optIn.Store(o.OptIn)
	k.optOut.Store(o.OptOut)
	k.noLoop.Store(o.NoLoop)
	k.redirect.Store(o.Redirect)
	k.broken.Store(false)
	k.broadcast.Store(o.Broadcast)
	s.holdPushes()
	if o.Broadcast {
		t.mu.Lock()
		for _, p := range o.Prefixes {
			k.prefixes = append(k.prefixes, p)
			slices.Sort(k.prefixes)
			if t.prefixes == nil {
				t.prefixes = map[string][]*Session{}
			}
			t.prefixes[p] = append(slices.Clone(t.prefixes[p]), s)
		}
		t.prefixed.Store(int32(len(t.prefixes)))
		t.mu.Unlock()
	}
	if !on {
		t.mu.Lock()
		k.on.Store(true)
		t.on.Add(1)
		t.mu.Unlock()
	}
	return ""
}

// overlapping is the error of prefixes that would each tell of the same key.
func overlapping(old, added []string) string {
	clash := func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
	for i, p := range added {
		for _, q := range old {
			if clash(p, q) {
				return "ERR Prefix '" + p + "' overlaps with an existing prefix '" + q + "'. Prefixes for a single client must not overlap."
			}
		}
		for _, q := range added[i+1:] {
			if clash(p, q) {
				return "ERR Prefix '" + p + "' overlaps with another provided prefix '" + q + "'. Prefixes for a single client must not overlap."
			}
		}
	}
	return ""
}

// StopTracking switches tracking off. Owner only.
func (s *Session) StopTracking() {
	k, t := &s.track, &s.srv.tracking
	if !k.on.Swap(false) {
		return
	}
	if k.broadcast.Swap(false) {
		t.mu.Lock()
		for _, p := range k.prefixes {
			left := slices.DeleteFunc(slices.Clone(t.prefixes[p]), func(x *Session) bool { return x == s })
			if t.prefixes[p] = left; len(left) == 0 {
				delete(t.prefixes, p)
			}
		}
		t.prefixed.Store(int32(len(t.prefixes)))
		t.mu.Unlock()
	}
	k.prefixes = nil
	for _, flag := range []*atomic.Bool{&k.broken, &k.optIn, &k.optOut, &k.noLoop, &k.caching} {
		flag.Store(false)
	}
	k.redirect.Store(0)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.on.Add(-1) == 0 {
		t.forget()
	}
}

// forget empties the table: nobody is interested any more.
func (t *tracking) forget() {
	for i := range t.shards {
		h := &t.shards[i]
		h.mu.Lock()
		t.keys.Add(-int64(len(h.keys)))
		for _, ids := range h.keys {
			t.items.Add(-int64(len(ids)))
		}
		h.keys = nil
		h.mu.Unlock()
	}
}

// Tracking reports whether the session tracks, and how. Owner only.
func (s *Session) Tracking() (o TrackingOptions, on bool) {
	k := &s.track
	return TrackingOptions{
		Broadcast: k.broadcast.Load(), Prefixes: k.prefixes,
		OptIn: k.optIn.Load(), OptOut: k.optOut.Load(), NoLoop: k.noLoop.Load(), Redirect: k.redirect.Load(),
	}, k.on.Load()
}

// TrackingFlags is what CLIENT LIST tells: whether the session tracks, by
// broadcast, and to whom it redirects, who may be gone. Any goroutine may ask.
func (s *Session) TrackingFlags() (on, broadcast, broken bool, redirect uint64) {
	k := &s.track
	return k.on.Load(), k.broadcast.Load(), k.broken.Load(), k.redirect.Load()
}

// SetCaching makes the next command, or transaction, an exception from OPTIN or
// OPTOUT. Owner only.
func (s *Session) SetCaching() { s.track.caching.Store(true) }

// Caching reports whether it is one. Owner only.
func (s *Session) Caching() bool { return s.track.caching.Load() }

// TrackingFigures are INFO's: sessions that track, keys in the table, pairs of
// key and session, and prefixes.
func (s *Server) TrackingFigures() (clients, keys, items, prefixes int64) {
	t := &s.tracking
	return int64(t.on.Load()), t.keys.Load(), t.items.Load(), int64(t.prefixed.Load())
}

// prepareTracking does what is due before a command runs, and reports whether
// somebody tracks.
func (s *Session) prepareTracking() bool {
	if s.pushable {
		s.holdPushes()
		s.takePushes() // of keys that were evicted to make room, say
	}
	t := &s.srv.tracking
	if t.on.Load() == 0 {
		return false
	}
	s.claim(s.effects.held)
	return true
}

// claim says that the session runs a command with these partitions locked, in
// addition to those that it has claimed already.
func (s *Session) claim(mask uint64) {
	s.track.claimed |= mask
	s.srv.tracking.setCurrent(mask, s)
}

// disclaim takes that back, before the partitions are unlocked. Those that were
// not claimed don't matter.
func (s *Session) disclaim(mask uint64) {
	mask &= s.track.claimed
	s.track.claimed &^= mask
	s.srv.tracking.setCurrent(mask, nil)
}

func (t *tracking) setCurrent(mask uint64, s *Session) {
	for ; mask != 0; mask &= mask - 1 {
		t.shards[bits.TrailingZeros64(mask)].current = s
	}
}

// remember enters the keys that the session has read, before they can change
// again, if it tracks by default.
func (s *Session) remember(spec *command.Spec, args [][]byte) {
	k, t := &s.track, &s.srv.tracking
	if !k.on.Load() || k.broadcast.Load() || spec.Flags&command.ReadOnly == 0 || spec.Flags&command.PubSub != 0 {
		return
	}
	if k.optIn.Load() && !k.caching.Load() || k.optOut.Load() && k.caching.Load() {
		return
	}
	if i := spec.SimpleKey(); i > 0 {
		t.enter(args[i], s.id)
	} else {
		keys, err := spec.AppendKeys(nil, args)
		if err != nil {
			return
		}
		for _, i := range keys {
			t.enter(args[i], s.id)
		}
	}
	s.srv.limitTracking(100)
}

func (t *tracking) shardOf(key []byte) *trackingShard {
	return &t.shards[command.SlotOf(key)%command.Partitions]
}

func (t *tracking) enter(key []byte, id uint64) {
	h := t.shardOf(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	ids, there := h.keys[string(key)]
	if slices.Contains(ids, id) {
		return
	}
	if !there {
		t.keys.Add(1)
		if h.keys == nil {
			h.keys = map[string][]uint64{}
		}
	}
	t.items.Add(1)
	h.keys[string(key)] = append(ids, id)
}

// take removes a key and returns who read it.
func (t *tracking) take(h *trackingShard, key []byte) []uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids, there := h.keys[string(key)]
	if there {
		delete(h.keys, string(key))
		t.keys.Add(-1)
		t.items.Add(-int64(len(ids)))
	}
	return ids
}

// limitTracking brings the table down to its size, by at most so many keys:
// clients are told to forget some, as if those had changed.
func (s *Server) limitTracking(atMost int) {
	t := &s.tracking
	most := int64(s.limits().TrackingKeys)
	if most <= 0 {
		return
	}
	for range atMost {
		if t.keys.Load() <= most {
			return
		}
		key, ids := t.takeAny()
		for _, id := range ids {
			s.invalidateFor(id, nil, []byte(key))
		}
	}
}

// takeAny removes some key.
func (t *tracking) takeAny() (string, []uint64) {
	from := int(t.items.Load()) // as good as any
	for i := range t.shards {
		h := &t.shards[(from+i)%len(t.shards)]
		h.mu.Lock()
		for key, ids := range h.keys {
			delete(h.keys, key)
			t.keys.Add(-1)
			t.items.Add(-int64(len(ids)))
			h.mu.Unlock()
			return key, ids
		}
		h.mu.Unlock()
	}
	return "", nil
}
