package kv

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"conclave/resp/command"
)

// blocked are the calls that wait for keys, and the keys that they may look at
// again. A partition in which nobody waits knows that by one load.
type blocked struct {
	ready atomic.Int64 // keys that changed and haven't been looked at since

	mu sync.Mutex // taken last; a leaf
	// Guarded by mu.
	queues  map[watchKey]*waitQueue
	changed []watchKey // in the order in which they changed
	last    uint64     // number given to a call
}

// waitQueue are the calls that wait for one key, in the order in which they came.
type waitQueue struct {
	key         watchKey
	first, last *waitPlace
	ready       bool // it is in blocked.changed
}

// waitPlace is a call's place in one queue.
type waitPlace struct {
	queue      *waitQueue // nil once it has been given up
	prev, next *waitPlace
	ticket     *waitTicket
}

// waitTicket implements [command.Ticket].
type waitTicket struct {
	s      *Store
	call   any
	number uint64
	places []waitPlace
}

var _ command.WaitList = (*Store)(nil)

// Await implements [command.WaitList].
func (s *Store) Await(call any, db int, keys [][]byte) command.Ticket {
	b := &s.blocked
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	t := &waitTicket{s: s, call: call, number: b.last, places: make([]waitPlace, len(keys))}
	for i, key := range keys {
		q := b.queues[watchKey{db, string(key)}]
		if q == nil {
			q = &waitQueue{key: watchKey{db, string(key)}}
			b.queues[q.key] = q
			s.parts[bits.TrailingZeros64(MaskOf(key))].blocking.Add(1)
		}
		if q.last != nil && q.last.ticket == t {
			continue // the key was named twice
		}
		p := &t.places[i]
		*p = waitPlace{queue: q, prev: q.last, ticket: t}
		if q.last != nil {
			q.last.next = p
		} else {
			q.first = p
		}
		q.last = p
	}
	return t
}

// Withdraw implements [command.Ticket].
func (t *waitTicket) Withdraw() {
	b := &t.s.blocked
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range t.places {
		p := &t.places[i]
		q := p.queue
		if q == nil {
			continue
		}
		if p.prev != nil {
			p.prev.next = p.next
		} else {
			q.first = p.next
		}
		if p.next != nil {
			p.next.prev = p.prev
		} else {
			q.last = p.prev
		}
		if q.first == nil {
			delete(b.queues, q.key)
			t.s.parts[bits.TrailingZeros64(MaskOf([]byte(q.key.key)))].blocking.Add(-1)
		}
		*p = waitPlace{}
	}
}

// Ready implements [command.WaitList].
func (s *Store) Ready() *atomic.Int64 { return &s.blocked.ready }

// NextReady implements [command.WaitList].
func (s *Store) NextReady() (db int, key []byte, ok bool) {
	b := &s.blocked
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.changed) == 0 {
		b.changed = nil
		return 0, nil, false
	}
	k := b.changed[0]
	b.changed = b.changed[1:]
	if q := b.queues[k]; q != nil {
		q.ready = false
	}
	return k.db, []byte(k.key), true
}

// Expire implements [command.Expirer].
func (s *Store) Expire(db int, key []byte, nowMs int64) {
	var at place
	s.DB(db, nowMs).live(&at, key)
}

// Looked implements [command.WaitList].
func (s *Store) Looked() { s.blocked.ready.Add(-1) }

// Waiting implements [command.WaitList].
func (s *Store) Waiting(dst []command.Waiting, db int, key []byte, after uint64, n int) []command.Waiting {
	b := &s.blocked
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[watchKey{db, string(key)}]
	if q == nil {
		return dst
	}
	for p := q.first; p != nil && n > 0; p = p.next {
		if p.ticket.number > after {
			dst = append(dst, command.Waiting{Call: p.ticket.call, Number: p.ticket.number})
			n--
		}
	}
	return dst
}

// AwaitedKeys implements [command.WaitList].
func (s *Store) AwaitedKeys() int {
	s.blocked.mu.Lock()
	defer s.blocked.mu.Unlock()
	return len(s.blocked.queues)
}

// markReady notes that a key has changed. Its partition is locked.
func (s *Store) markReady(db int, key []byte) {
	b := &s.blocked
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark(b.queues[watchKey{db, string(key)}])
}

// waitObserver notes what is no change of one key by a command.
func (s *Store) waitObserver() Observer {
	removed := func(db, partition int, key []byte) {
		if s.parts[partition].blocking.Load() != 0 {
			s.markReady(db, key)
		}
	}
	return Observer{Expired: removed, Evicted: removed, Flushed: s.markAllReady}
}

func (b *blocked) mark(q *waitQueue) {
	if q != nil && !q.ready {
		q.ready = true
		b.changed = append(b.changed, q.key)
		b.ready.Add(1)
	}
}

// markAllReady notes that a database, or all, changed as a whole. Its partitions are
// locked.
func (s *Store) markAllReady(db int) {
	b := &s.blocked
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []*waitQueue
	for k, q := range b.queues {
		if k.db == db || db == AllDatabases {
			all = append(all, q)
		}
	}
	// Whoever came first is looked at first.
	slices.SortFunc(all, func(x, y *waitQueue) int {
		if x.first.ticket.number < y.first.ticket.number {
			return -1
		}
		return 1
	})
	for _, q := range all {
		b.mark(q)
	}
}
