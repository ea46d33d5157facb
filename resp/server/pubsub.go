package server

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"conclave/resp/command"
)

// Topic is a kind of subscription.
type Topic int

// The kinds: a channel, a pattern of channels, a channel of its hash slot.
const (
	Channel Topic = iota
	Pattern
	ShardChannel
	topics
)

// hub knows who is subscribed to what.
//
// Its lock is taken under partitions' locks, and is held while messages are
// pushed: whoever has taken a subscription back gets no message of it any more.
// Under it are taken what Push takes, and nothing else.
type hub struct {
	// listening is the number of subscriptions to channels and patterns; without
	// any, publishing has nothing to do.
	listening atomic.Int64
	sharded   atomic.Int64 // likewise of shard channels
	buffers   sync.Pool    // of *[]byte
	allowed   []bool       // by Spec.Index: what a subscriber may use under RESP2

	mu sync.RWMutex
	// Guarded by mu.
	topics   [topics]map[string]*topic
	patterns []*topic // in the order in which they came
}

// topic is one channel or pattern with its subscribers.
type topic struct {
	kind    Topic
	name    string
	slot    int // of a shard channel
	at      int // its place in hub.patterns
	members []*Session
}

// subscriptions of a session. The map is guarded by the hub's lock and has the
// session's place in each topic's members.
type subscriptions struct {
	in     [topics]map[*topic]int
	counts [topics]atomic.Int32
}

func (h *hub) use(t *command.Table) {
	h.allowed = make([]bool, len(t.All()))
	for _, name := range []string{"subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "ping", "quit", "reset"} {
		if spec := t.Full(name); spec != nil {
			h.allowed[spec.Index()] = true
		}
	}
}

// Subscriptions is how many channels, patterns or shard channels the session is
// subscribed to. Any goroutine may ask.
func (s *Session) Subscriptions(kind Topic) int { return int(s.subs.counts[kind].Load()) }

// Subscribed reports whether there are any. Any goroutine may ask.
func (s *Session) Subscribed() bool {
	c := &s.subs.counts
	return c[Channel].Load() != 0 || c[Pattern].Load() != 0 || c[ShardChannel].Load() != 0
}

// Subscribe subscribes to a channel or pattern and writes the confirmation.
// Owner only; for a shard channel its partition is locked.
func (s *Session) Subscribe(kind Topic, name []byte) {
	s.holdPushes()
	h := &s.srv.hub
	h.mu.Lock()
	h.add(s, kind, name)
	n := s.confirmed(kind)
	h.mu.Unlock()
	confirmSubscription(s, kind, "subscribe", name, n)
}

// Unsubscribe takes one subscription back, whether it is there or not, and
// writes the confirmation. Owner only.
func (s *Session) Unsubscribe(kind Topic, name []byte) {
	h := &s.srv.hub
	h.mu.Lock()
	if t := h.topics[kind][string(name)]; t != nil {
		h.remove(s, t)
	}
	n := s.confirmed(kind)
	h.mu.Unlock()
	s.takePushes()
	confirmSubscription(s, kind, "unsubscribe", name, n)
}

// UnsubscribeAll takes all subscriptions of a kind back and writes the
// confirmations, at least one. Owner only.
func (s *Session) UnsubscribeAll(kind Topic) {
	names := s.subscribedTo(kind)
	for _, name := range names {
		s.Unsubscribe(kind, []byte(name))
	}
	if len(names) == 0 {
		s.takePushes()
		confirmSubscription(s, kind, "unsubscribe", nil, s.confirmed(kind))
	}
}

// dropSubscriptions takes all subscriptions back, silently.
func (s *Session) dropSubscriptions() {
	if !s.Subscribed() {
		return
	}
	h := &s.srv.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind := range s.subs.in {
		for t := range s.subs.in[kind] {
			h.remove(s, t)
		}
	}
}

func (s *Session) subscribedTo(kind Topic) []string {
	h := &s.srv.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	var names []string
	for t := range s.subs.in[kind] {
		names = append(names, t.name)
	}
	slices.Sort(names)
	return names
}

// confirmed is the number that confirmations of a kind tell: channels and
// patterns are counted together.
func (s *Session) confirmed(kind Topic) int {
	if kind == ShardChannel {
		return s.Subscriptions(ShardChannel)
	}
	return s.Subscriptions(Channel) + s.Subscriptions(Pattern)
}

// confirmSubscription writes "subscribe" or "unsubscribe" with the kind's letter
// in front. It is a push, which CLIENT REPLY OFF doesn't suppress.
func confirmSubscription(s *Session, kind Topic, verb string, name []byte, n int) {
	mark := s.w.Len()
	s.w.Push(3)
	s.w.BulkString([topics]string{"", "p", "s"}[kind] + verb)
	if name == nil {
		s.w.Null()
	} else {
		s.w.Bulk(name)
	}
	s.w.Int(int64(n))
	if s.replyOff || s.replySkip > 0 {
		s.pushes.keep(s.w.Bytes()[mark:])
		s.w.Truncate(mark)
	}
}

// add subscribes a session. The lock is held.
func (h *hub) add(s *Session, kind Topic, name []byte) {
	t := h.topics[kind][string(name)]
	if t == nil {
		t = &topic{kind: kind, name: string(name)}
		if h.topics[kind] == nil {
			h.topics[kind] = map[string]*topic{}
		}
		h.topics[kind][t.name] = t
		switch kind {
		case Pattern:
			t.at = len(h.patterns)
			h.patterns = append(h.patterns, t)
		case ShardChannel:
			t.slot = command.SlotOf(name)
		}
	}
	if _, there := s.subs.in[kind][t]; there {
		return
	}
	if s.subs.in[kind] == nil {
		s.subs.in[kind] = map[*topic]int{}
	}
	s.subs.in[kind][t] = len(t.members)
	t.members = append(t.members, s)
	s.subs.counts[kind].Add(1)
	h.count(kind, 1)
}

// remove ends a subscription, if it is there. The lock is held.
func (h *hub) remove(s *Session, t *topic) {
	at, there := s.subs.in[t.kind][t]
	if !there {
		return
	}
	delete(s.subs.in[t.kind], t)
	s.subs.counts[t.kind].Add(-1)
	h.count(t.kind, -1)
	last := len(t.members) - 1
	if at != last {
		t.members[at] = t.members[last]
		t.members[at].subs.in[t.kind][t] = at
	}
	t.members[last] = nil
	t.members = t.members[:last]
	if last > 0 {
		return
	}
	delete(h.topics[t.kind], t.name)
	if t.kind == Pattern {
		h.patterns = slices.Delete(h.patterns, t.at, t.at+1)
		for i := t.at; i < len(h.patterns); i++ {
			h.patterns[i].at = i
		}
	}
}

func (h *hub) count(kind Topic, n int64) {
	if kind == ShardChannel {
		h.sharded.Add(n)
	} else {
		h.listening.Add(n)
	}
}

// Publish sends a message to this node's subscribers of the channel and of
// patterns that match it. It returns how many got it. It may be called with
// partitions locked, never blocks, and keeps neither slice.
func (s *Server) Publish(channel, message []byte) int {
	h := &s.hub
	if h.listening.Load() == 0 {
		return 0
	}
	n := 0
	h.mu.RLock()
	defer h.mu.RUnlock()
	limits := s.limits()
	if t := h.topics[Channel][string(channel)]; t != nil {
		n += h.deliver(limits, t.members, "message", channel, message)
	}
	for _, t := range h.patterns {
		if command.Glob([]byte(t.name), channel, false) {
			n += h.deliver(limits, t.members, "pmessage", []byte(t.name), channel, message)
		}
	}
	return n
}

// PublishShard sends a message to this node's subscribers of a shard channel.
// Otherwise it is like Publish.
func (s *Server) PublishShard(channel, message []byte) int {
	h := &s.hub
	if h.sharded.Load() == 0 {
		return 0
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if t := h.topics[ShardChannel][string(channel)]; t != nil {
		return h.deliver(s.limits(), t.members, "smessage", channel, message)
	}
	return 0
}

// deliver pushes a message, which is encoded once per version of the protocol.
func (h *hub) deliver(limits *Limits, to []*Session, kind string, parts ...[]byte) int {
	buf, _ := h.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	// The two versions differ in the first byte.
	b := appendMessage((*buf)[:0], kind, parts)
	for _, s := range to {
		if s.proto.Load() == 3 {
			b[0] = '>'
		} else {
			b[0] = '*'
		}
		s.Push(b, limits.OutputPubSub)
	}
	if *buf = b; cap(b) <= keepOutput {
		h.buffers.Put(buf)
	}
	return len(to)
}

// appendMessage appends a push of strings, in RESP3.
func appendMessage(b []byte, kind string, parts [][]byte) []byte {
	b = append(b, '>')
	b = strconv.AppendInt(b, int64(len(parts)+1), 10)
	b = append(b, "\r\n$"...)
	b = strconv.AppendInt(b, int64(len(kind)), 10)
	b = append(b, '\r', '\n')
	b = append(b, kind...)
	for _, p := range parts {
		b = append(b, "\r\n$"...)
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(b, '\r', '\n')
		b = append(b, p...)
	}
	return append(b, '\r', '\n')
}

// DropShardChannels ends the subscriptions to shard channels of slots that are
// served here no more, and tells the subscribers.
func (s *Server) DropShardChannels(served func(slot int) bool) {
	h := &s.hub
	if h.sharded.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	limits := s.limits()
	for _, t := range h.topics[ShardChannel] {
		if served(t.slot) {
			continue
		}
		for len(t.members) > 0 {
			x := t.members[len(t.members)-1]
			h.remove(x, t)
			b := appendMessage(nil, "sunsubscribe", [][]byte{[]byte(t.name)})
			b[1] = '3'
			b = append(b, ':')
			b = strconv.AppendInt(b, int64(x.Subscriptions(ShardChannel)), 10)
			b = append(b, '\r', '\n')
			if x.proto.Load() != 3 {
				b[0] = '*'
			}
			x.Push(b, limits.OutputPubSub)
		}
	}
}

// ChannelsMatching lists the channels of a kind, those only that match a pattern
// if there is one, in alphabetical order.
func (s *Server) ChannelsMatching(kind Topic, pattern []byte) []string {
	h := &s.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	var names []string
	for name := range h.topics[kind] {
		if pattern == nil || command.Glob(pattern, []byte(name), false) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Subscribers is the number of subscribers of one channel.
func (s *Server) Subscribers(kind Topic, name []byte) int {
	h := &s.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	if t := h.topics[kind][string(name)]; t != nil {
		return len(t.members)
	}
	return 0
}

// Topics is the number of channels, patterns or shard channels that somebody is
// subscribed to.
func (s *Server) Topics(kind Topic) int {
	h := &s.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.topics[kind])
}
