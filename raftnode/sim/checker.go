package sim

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"conclave/fsm"
	"conclave/raftnode"
)

// checker holds what was promised and looks for what must not be.
type checker struct {
	w     *world
	hosts []*host // in their first order: a script may change the world's

	mu       sync.Mutex
	hashes   map[version]uint64
	checked  map[version]bool
	tokens   map[string]promise
	keeps    map[uint16]keep
	nextKeep uint16
	meets    []meet
	leaves   []leave
	forgot   map[membership]forgotten
}

type version struct {
	cluster  string
	recovery uint64
	index    uint64
}

// promise is what was answered about a token.
type promise struct {
	cluster string
	index   uint64
	state   string // "ok", "never", "maybe"
}

type keep struct {
	node fsm.NodeID
	at   time.Duration
}

// meet is a MEET; until is when it can have no effect any more.
type meet struct {
	a, b         string
	aID, bID     fsm.NodeID
	begin, until time.Duration
	ok, open     bool
}

// leave is an attempt to take a node out of its cluster.
type leave struct {
	id           fsm.NodeID
	begin, until time.Duration
	open         bool
}

// forgotten is a FORGET that was answered OK: begun at, and done in every state
// from index on.
type forgotten struct {
	at    time.Duration
	index uint64
}

type membership struct {
	cluster string
	node    fsm.NodeID
	attempt uint64
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, hashes: map[version]uint64{}, checked: map[version]bool{}, tokens: map[string]promise{},
		keeps: map[uint16]keep{}, nextKeep: slotsInPlay, forgot: map[membership]forgotten{},
	}
}

func (c *checker) now() time.Duration { return time.Since(c.w.start) }

// othersServing finds another process that serves a slot in the same cluster
// as l, at this instant.
func (c *checker) othersServing(l *life, s int) *life {
	cluster := l.cluster()
	for _, h := range c.hosts {
		if o := h.now(); o != nil && o != l && o.serves(s) && o.cluster() == cluster {
			return o
		}
	}
	return nil
}

// sample looks at everybody now and then until stop closes.
func (c *checker) sample(stop <-chan struct{}) {
	for c.w.sleep(20*time.Millisecond, stop) {
		for s := range slotsInPlay {
			for _, h := range c.hosts {
				l := h.now()
				if l == nil || !l.serves(s) {
					continue
				}
				if o := c.othersServing(l, s); o != nil {
					c.w.violate("slot %d is served by %s and by %s", s, l.h.name, o.h.name)
					return
				}
			}
		}
	}
}

// watch follows the views that a process publishes.
func (c *checker) watch(l *life) {
	var last *fsm.State
	for {
		ch := l.node.Changed()
		st := l.node.View()
		if st != last && st.Index() > 0 {
			c.view(l, last, st)
			last = st
		}
		select {
		case <-ch:
		case <-l.ended:
			return
		}
	}
}

// view checks one published view.
func (c *checker) view(l *life, last, st *fsm.State) {
	if l.dead.Load() {
		return
	}
	v := version{st.ClusterID(), st.RecoveryEpoch(), st.Index()}
	if last != nil && last.ClusterID() == st.ClusterID() && last.RecoveryEpoch() == st.RecoveryEpoch() {
		if st.Index() <= last.Index() || st.CurrentEpoch() < last.CurrentEpoch() {
			c.w.violate("%s: view went back from index %d epoch %d to %d, %d", l.h.name, last.Index(), last.CurrentEpoch(), st.Index(), st.CurrentEpoch())
			return
		}
		for _, sh := range st.Shards() {
			if old := last.Shard(sh.ID); old != nil && (sh.Epoch < old.Epoch || sh.Tenure < old.Tenure) && old.Primary == sh.Primary && memberSince(last, sh.Primary) == memberSince(st, sh.Primary) {
				c.w.violate("%s: shard %s went back from epoch %d to %d", l.h.name, sh.ID, old.Epoch, sh.Epoch)
			}
		}
	}
	if v.index%4 == 0 {
		c.same(l, v, st)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range st.Nodes() {
		f, ok := c.forgot[membership{st.ClusterID(), m.ID, m.Attempt}]
		if ok && st.Index() >= f.index {
			c.w.violate("%s: view %d shows %s under an attempt forgotten at %.4f", l.h.name, st.Index(), c.w.hostOf(m.ID), f.at.Seconds())
		}
	}
	if last != nil && last.ClusterID() == st.ClusterID() {
		c.comebacks(l, last, st)
	}
}

func memberSince(st *fsm.State, id fsm.NodeID) uint64 {
	if m := st.Node(id); m != nil {
		return m.JoinIndex
	}
	return 0
}

// comebacks looks for members that were forgotten and came back although
// nobody sent MEET since.
func (c *checker) comebacks(l *life, last, st *fsm.State) {
	for _, m := range st.Nodes() {
		t := tombstoneOf(last, m.ID)
		if t == nil || last.Node(m.ID) != nil || t.Index == 0 {
			continue
		}
		var at time.Duration
		for k, when := range c.forgot {
			if k.cluster == st.ClusterID() && k.node == m.ID {
				at = max(at, when.at)
			}
		}
		if at == 0 {
			continue // the FORGET was never answered
		}
		invited := false
		for _, mt := range c.meets {
			if (mt.open || mt.until >= at) && (mt.aID == m.ID || mt.bID == m.ID || mt.a == c.w.hostOf(m.ID) || mt.b == c.w.hostOf(m.ID)) {
				invited = true
			}
		}
		if !invited {
			c.w.violate("%s: view %d has %s again, forgotten at %.4f and not met since", l.h.name, st.Index(), c.w.hostOf(m.ID), at.Seconds())
		}
	}
}

func tombstoneOf(st *fsm.State, id fsm.NodeID) *fsm.Tombstone {
	for _, t := range st.Tombstones() {
		if t.Node == id {
			return &t
		}
	}
	return nil
}

// same checks a state's invariants, and that it equals that of others.
func (c *checker) same(l *life, v version, st *fsm.State) {
	hash := st.Hash()
	c.mu.Lock()
	was, seen := c.hashes[v]
	c.hashes[v] = hash
	c.mu.Unlock()
	if seen {
		if was != hash {
			c.w.violate("%s: state of cluster %.6s at index %d differs from another node's", l.h.name, v.cluster, v.index)
		}
		return
	}
	if err := st.Check(); err != nil {
		c.w.violate("%s: view %d: %v", l.h.name, v.index, err)
	}
}

// found reports whether a state's history has a token.
func found(st *fsm.State, text string) (k int) {
	for _, ch := range st.History() {
		if strings.Contains(ch.After, text) && !strings.Contains(ch.Before, text) {
			k++
		}
	}
	return k
}

// token notes what was answered about one, and checks that the asked node sees
// what it acknowledged.
func (c *checker) token(text string, st *fsm.State, res fsm.Result, err error) {
	p := promise{cluster: st.ClusterID(), index: res.Index, state: "maybe"}
	var refusal *fsm.Refusal
	switch {
	case err == nil:
		p.state = "ok"
		if st.Index() < res.Index { // it has left that cluster meanwhile
			p.state = "maybe"
		} else if found(st, text) == 0 {
			p.state = "maybe"
			if st.Index() == res.Index {
				c.w.violate("%s acknowledged, and not in the view that acknowledged it", text)
			}
		}
	case errors.As(err, &refusal), errors.Is(err, raftnode.ErrNoLeader), errors.Is(err, raftnode.ErrJoining):
		p.state = "never"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens[text] = p
}

func (c *checker) reserve() uint16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextKeep++
	return c.nextKeep
}

func (c *checker) kept(s uint16, id fsm.NodeID, start time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keeps[s] = keep{id, start.Sub(c.w.start)}
}

// meeting notes that a MEET has begun; the function it returns, its end.
func (c *checker) meeting(a, b *host) func(l *life, other fsm.NodeID, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.meets)
	m := meet{a: a.name, b: b.name, begin: c.now(), open: true}
	if l := a.now(); l != nil {
		m.aID = l.id()
	}
	if l := b.now(); l != nil {
		m.bID = l.id()
	}
	c.meets = append(c.meets, m)
	return func(l *life, other fsm.NodeID, err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		m := &c.meets[i]
		m.open, m.until = false, c.now()
		m.ok = err == nil && !l.dead.Load() && other != "" && l.id() == m.aID
		if m.ok {
			if st := l.node.View(); st.Node(other) == nil && !c.leftSince(other, m.begin) && !c.leftSince(m.aID, m.begin) && b.now() != nil && b.now().id() == other {
				c.w.violate("%s answered OK to MEET %s, and its view doesn't have it", l.h.name, b.name)
			}
		}
	}
}

// forgetting notes a FORGET.
func (c *checker) forgetting(st *fsm.State, id fsm.NodeID) func(l *life, err error) {
	done := c.leaving(id)
	begin := c.now()
	r := st.Node(id)
	return func(l *life, err error) {
		done()
		now := l.node.View()
		if err != nil || r == nil || l.dead.Load() || now.ClusterID() != st.ClusterID() {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forgot[membership{st.ClusterID(), id, r.Attempt}] = forgotten{begin, now.Index()}
	}
}

// leaving notes that somebody tries to take a node out of its cluster.
func (c *checker) leaving(id fsm.NodeID) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.leaves)
	c.leaves = append(c.leaves, leave{id: id, begin: c.now(), open: true})
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leaves[i].open, c.leaves[i].until = false, c.now()
	}
}

// leftSince reports whether anybody tried to take a node out of its cluster
// after an instant. A RESET or FORGET may go on for a while after its answer.
func (c *checker) leftSince(id fsm.NodeID, at time.Duration) bool {
	for _, l := range c.leaves {
		if l.id == id && (l.open || l.until+10*time.Second >= at) {
			return true
		}
	}
	return false
}

// String is a version in a message.
func (v version) String() string {
	return fmt.Sprintf("%.6s/%d@%d", v.cluster, v.recovery, v.index)
}
