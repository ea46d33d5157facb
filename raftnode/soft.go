package raftnode

import (
	"sync"
	"time"

	"conclave/fsm"
)

// softState is what heartbeats told: never agreed on, lost at a restart.
type softState struct {
	rounds rounds

	mu          sync.Mutex
	ip          string // own address as peers see it
	peers       map[fsm.NodeID]*peerState
	leaderSince time.Duration // clock; when this node began to lead, -1 = it doesn't
	leaderHeard time.Duration // clock; last sign of a leader, minHeard = never
	health      map[fsm.NodeID]Health
}

type peerState struct {
	heard   time.Duration // clock of the leader
	wallMs  int64
	applied uint64
	gen     uint64        // of its Raft directory
	genAt   time.Duration // clock; since when
	offset  int64
	keys    int64
	addr    string
	asked   time.Duration
}

const never = time.Duration(-1 << 62)

func (s *softState) init() {
	s.peers = map[fsm.NodeID]*peerState{}
	s.health = map[fsm.NodeID]Health{}
	s.leaderSince, s.leaderHeard = never, never
}

func (s *softState) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = map[fsm.NodeID]*peerState{}
	s.health = map[fsm.NodeID]Health{}
	s.leaderSince = never
}

// learnIP keeps the first address that somebody else used for this node.
func (s *softState) learnIP(ip string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ip == "" {
		s.ip = ip
	}
}

// seenAs takes the leader's word for this node's address: it may have moved.
func (s *softState) seenAs(ip string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ip != "" {
		s.ip = ip
	}
}

func (s *softState) learnedIP() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ip
}

func (s *softState) peerLocked(id fsm.NodeID) *peerState {
	p := s.peers[id]
	if p == nil {
		p = &peerState{heard: never, asked: never}
		s.peers[id] = p
	}
	return p
}

// heardFrom notes a heartbeat that reached this node.
func (s *softState) heardFrom(now time.Duration, wallMs int64, h *heartbeat, addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peerLocked(h.Node)
	p.heard, p.wallMs = now, wallMs
	if p.gen != h.Generation {
		p.genAt = now
	}
	p.applied, p.gen, p.offset, p.keys = h.RaftApplied, h.Generation, h.Offset, h.Keys
	if addr != "" {
		p.addr = addr
	}
}

// seenAt notes where a node says that it is.
func (s *softState) seenAt(p peerAddr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peerLocked(p.ID).addr = p.Addr
}

func (s *softState) hint(id fsm.NodeID) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[id]
	if p == nil || p.addr == "" {
		return "", false
	}
	return p.addr, true
}

func (s *softState) hinted() (out []peerAddr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.peers {
		if p.addr != "" {
			out = append(out, peerAddr{id, p.addr})
		}
	}
	return out
}

// forget drops what is known of nodes that are no members.
func (s *softState) keepOnly(st *fsm.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.peers {
		if st.Node(id) == nil {
			delete(s.peers, id)
		}
	}
}

// startLeading begins the measurement of silence anew: what a former leader
// heard is not known here.
func (s *softState) startLeading(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaderSince = now
}

func (s *softState) stopLeading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaderSince = never
}

// silent is how long this leader has not heard of a node, counted at most from
// when it began to lead.
func (s *softState) silent(now time.Duration, id fsm.NodeID) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaderSince == never {
		return 0
	}
	since := s.leaderSince
	if p := s.peers[id]; p != nil && p.heard > since {
		since = p.heard
	}
	return now - since
}

// takeWait is how long a failed owner's slots must still wait: it has to have
// been silent for twice its timeout, measured by one leader.
func (s *softState) takeWait(now time.Duration, r *fsm.Node) time.Duration {
	need := 2 * time.Duration(r.TimeoutMs) * time.Millisecond
	return max(0, need-s.silent(now, r.ID))
}

// caughtUp reports what a candidate's heartbeats say of its Raft instance.
func (s *softState) caughtUp(now time.Duration, id fsm.NodeID, gen, commit uint64) bool {
	const lag = 64
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[id]
	return p != nil && s.leaderSince != never && p.heard > s.leaderSince && now-p.heard < 2*time.Second && p.gen == gen && p.applied+lag >= commit && p.applied > 0
}

// runs notes a Raft directory that a node said it opened, until its next
// heartbeat says so too.
func (s *softState) runs(now time.Duration, id fsm.NodeID, gen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peerLocked(id)
	p.gen, p.genAt, p.applied = gen, now, 0
}

// otherServer reports that a node has been running another Raft directory than
// this, or none, for so long that it won't be a matter of messages under way.
func (s *softState) otherServer(now time.Duration, id fsm.NodeID, gen uint64) bool {
	const settle = 2 * time.Second
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[id]
	return p != nil && s.leaderSince != never && p.heard > s.leaderSince && now-p.heard < time.Second &&
		p.gen != gen && now-max(p.genAt, s.leaderSince) > settle
}

// askDue limits how often a silent member is asked about its attempt.
func (s *softState) askDue(now time.Duration, id fsm.NodeID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peerLocked(id)
	if p.asked != never && now-p.asked < time.Second {
		return false
	}
	p.asked = now
	return true
}

func (s *softState) leaderSeen(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaderHeard = max(s.leaderHeard, now)
}

func (s *softState) controlPlaneOK(now, timeout time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaderHeard != never && now-s.leaderHeard < timeout
}

// table is the leader's picture of everybody's health.
func (s *softState) table(now time.Duration, st *fsm.State, self fsm.NodeID, wallMs int64) []peerHealth {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]peerHealth, 0, len(st.Nodes()))
	for _, m := range st.Nodes() {
		h := Health{Connected: true, PongRecvMs: wallMs}
		if m.ID != self {
			timeout := time.Duration(m.TimeoutMs) * time.Millisecond
			h = Health{}
			since := s.leaderSince
			if p := s.peers[m.ID]; p != nil {
				since = max(since, p.heard)
				h.PongRecvMs, h.Offset, h.Keys = p.wallMs, p.offset, p.keys
				h.Connected = p.heard != never && now-p.heard < timeout/2
			}
			h.Suspect = since != never && now-since >= suspectAfter(timeout)
		}
		out = append(out, peerHealth{m.ID, h})
	}
	return out
}

// suspectAfter: "fail?" shows at three quarters of the timeout, so that it is
// seen before "fail" is committed at the whole.
func suspectAfter(timeout time.Duration) time.Duration { return timeout * 3 / 4 }

func (s *softState) setHealth(hs []peerHealth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.health)
	for _, h := range hs {
		s.health[h.Node] = h.Health
	}
}

func (s *softState) healthOf(id fsm.NodeID) (Health, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.health[id]
	return h, ok
}
