package fsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"conclave/fsm/slot"
)

// Check reports the first invariant that doesn't hold: a bug or a damaged
// snapshot, never something an operation may cause. It walks the whole state.
func (s *State) Check() error {
	if s.clusterID == "" && (len(s.nodes) > 0 || len(s.shards) > 0 || len(s.tombstones) > 0) {
		return errors.New("members without a cluster")
	}
	for _, check := range []func() error{
		s.checkNodes, s.checkShards, s.checkSlots, s.checkMarks, s.checkTombstones, s.checkRequests,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) checkNodes() error {
	if s.clusterID != "" && (len(s.nodes) == 0 || len(s.nodes) > maxMembers) {
		return fmt.Errorf("%d members", len(s.nodes))
	}
	epochs := map[uint64]NodeID{}
	for i, n := range s.nodes {
		if i > 0 && s.nodes[i-1].ID >= n.ID {
			return fmt.Errorf("node %s out of order", n.ID)
		}
		if !n.valid() || n.JoinIndex > s.index || n.IP == "" && len(s.nodes) > 1 {
			return fmt.Errorf("node %s has a bad record", n.ID)
		}
		if err := s.checkRole(n); err != nil {
			return err
		}
		if !n.IsPrimary() {
			continue
		}
		if other, ok := epochs[n.Epoch]; ok {
			return fmt.Errorf("primaries %s and %s share config epoch %d", other, n.ID, n.Epoch)
		}
		epochs[n.Epoch] = n.ID
		if n.Epoch > s.currentEpoch {
			return fmt.Errorf("node %s has config epoch %d above the current %d", n.ID, n.Epoch, s.currentEpoch)
		}
	}
	return nil
}

func (s *State) checkRole(n *Node) error {
	sh := s.Shard(n.Shard)
	if sh == nil {
		return fmt.Errorf("node %s is in shard %s, which isn't there", n.ID, n.Shard)
	}
	if n.IsPrimary() {
		if sh.Primary != n.ID {
			return fmt.Errorf("node %s is no replica, and %s leads its shard", n.ID, sh.Primary)
		}
		return nil
	}
	p := s.Node(n.Primary)
	switch {
	case p == nil:
		return fmt.Errorf("node %s follows %s, no member", n.ID, n.Primary)
	case !p.IsPrimary():
		return fmt.Errorf("node %s follows %s, a replica", n.ID, n.Primary)
	case p.Shard != n.Shard:
		return fmt.Errorf("node %s and its primary are in different shards", n.ID)
	case n.Epoch != 0:
		return fmt.Errorf("replica %s has a config epoch of its own", n.ID)
	}
	return nil
}

func (s *State) checkShards() error {
	for i, sh := range s.shards {
		if i > 0 && s.shards[i-1].ID >= sh.ID {
			return fmt.Errorf("shard %s out of order", sh.ID)
		}
		if !validID(string(sh.ID)) || sh.Tenure > sh.Epoch {
			return fmt.Errorf("shard %s has a bad record", sh.ID)
		}
		if int(sh.handle) >= len(s.seats) || s.seats[sh.handle].shard != sh || sh.handle == 0 {
			return fmt.Errorf("shard %s has no seat", sh.ID)
		}
		p := s.Node(sh.Primary)
		if s.seats[sh.handle].primary != p {
			return fmt.Errorf("shard %s has a stale primary in its seat", sh.ID)
		}
		if sh.Primary != "" && (p == nil || !p.IsPrimary() || p.Shard != sh.ID) {
			return fmt.Errorf("shard %s has the primary %s, which doesn't lead it", sh.ID, sh.Primary)
		}
		if err := s.checkSupporters(sh, p); err != nil {
			return err
		}
	}
	taken := 0
	for _, seat := range s.seats {
		if seat.shard != nil {
			taken++
		}
	}
	if taken != len(s.shards) || s.seats[0].shard != nil {
		return fmt.Errorf("%d seats for %d shards", taken, len(s.shards))
	}
	return nil
}

func (s *State) checkSupporters(sh *Shard, p *Node) error {
	if p != nil && len(sh.Supporters) == 0 && sh.PrimaryIncarnation != p.Incarnation {
		return fmt.Errorf("shard %s names another incarnation of its primary", sh.ID)
	}
	for i, m := range sh.Supporters {
		if i > 0 && sh.Supporters[i-1].Node >= m.Node {
			return fmt.Errorf("shard %s has unsorted supporters", sh.ID)
		}
		if n := s.Node(m.Node); n == nil || n.IsPrimary() || n.Shard != sh.ID {
			return fmt.Errorf("shard %s has the supporter %s, no replica of it", sh.ID, m.Node)
		}
	}
	return nil
}

func (s *State) checkSlots() error {
	counts := make([]int, len(s.seats))
	for n := range slot.Count {
		h, stamp := s.handle(n), s.Stamp(n)
		if int(h) >= len(s.seats) || h != 0 && s.seats[h].shard == nil {
			return fmt.Errorf("slot %d belongs to no shard that is there", n)
		}
		if stamp > s.index || stamp == 0 && h != 0 {
			return fmt.Errorf("slot %d has the stamp %d at index %d", n, stamp, s.index)
		}
		counts[h]++
	}
	for h, n := range counts {
		if s.seats[h].slots != n {
			return fmt.Errorf("seat %d counts %d slots of %d", h, s.seats[h].slots, n)
		}
	}
	return nil
}

func (s *State) checkMarks() error {
	for _, t := range []*markTable{s.migrating, s.importing} {
		count := 0
		for i, p := range t.pages {
			if !slices.IsSortedFunc(p, compareMarks) {
				return fmt.Errorf("page %d of the marks is unsorted", i)
			}
			for j, m := range p {
				if err := s.checkMark(m, t == s.migrating); err != nil {
					return err
				}
				if int(m.Slot)/pageSlots != i || j > 0 && compareMarks(p[j-1], m) == 0 {
					return fmt.Errorf("mark of slot %d is twice there or on the wrong page", m.Slot)
				}
			}
			count += len(p)
		}
		if count != t.n {
			return fmt.Errorf("%d marks are counted as %d", count, t.n)
		}
	}
	return nil
}

func (s *State) checkMark(m Mark, migrating bool) error {
	n, owner := s.Node(m.Node), s.OwnerNode(int(m.Slot))
	switch {
	case n == nil || s.Node(m.Peer) == nil:
		return fmt.Errorf("mark of slot %d names someone who is no member", m.Slot)
	case !n.IsPrimary():
		return fmt.Errorf("replica %s has a mark on slot %d", n.ID, m.Slot)
	case migrating != (owner == n):
		return fmt.Errorf("slot %d has a mark at %s that contradicts its owner", m.Slot, n.ID)
	}
	return nil
}

func (s *State) checkTombstones() error {
	if len(s.tombstones) > maxTombstones {
		return fmt.Errorf("%d tombstones", len(s.tombstones))
	}
	for i, t := range s.tombstones {
		if i > 0 && s.tombstones[i-1].Node >= t.Node {
			return fmt.Errorf("tombstone of %s out of order", t.Node)
		}
		if s.Node(t.Node) != nil {
			return fmt.Errorf("forgotten node %s is a member", t.Node)
		}
		if t.Index > s.index {
			return fmt.Errorf("tombstone of %s is from the future", t.Node)
		}
	}
	return nil
}

func (s *State) checkRequests() error {
	origins := s.requests.origins()
	if len(origins) != s.requests.n || len(origins) > maxOrigins {
		return fmt.Errorf("%d origins of requests are counted as %d", len(origins), s.requests.n)
	}
	sorted := slices.IsSortedFunc(origins, func(a, b *origin) int { return strings.Compare(string(a.id), string(b.id)) })
	if !sorted {
		return errors.New("origins of requests are unsorted")
	}
	for _, o := range origins {
		if len(o.done) == 0 || len(o.done) > requestsPerOrigin {
			return fmt.Errorf("%d requests are remembered of %s", len(o.done), o.id)
		}
	}
	return nil
}
