package raftnode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
)

// The voter manager: one goroutine that lives exactly as long as this node
// leads. It makes Raft's configuration follow the state machine, one change at
// a time, each checked behind a barrier.

// lead runs leadTerm whenever the local Raft instance leads.
func (g *group) lead(ctx context.Context, v *voterRaft) {
	ch := v.raft.LeaderCh()
	leading := v.raft.State() == raft.Leader
	for {
		if !leading {
			select {
			case <-ctx.Done():
				return
			case leading = <-ch:
			}
			continue
		}
		tctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		v.wg.Go(func() {
			defer close(done)
			g.leadTerm(tctx, v)
		})
		select {
		case <-ctx.Done():
		case leading = <-ch: // true here: lost and regained at once, so begin anew
		}
		cancel()
		<-done
		g.n.soft.stopLeading()
		if ctx.Err() != nil {
			return
		}
	}
}

func (g *group) leadTerm(ctx context.Context, v *voterRaft) {
	n := g.n
	for {
		term := v.raft.CurrentTerm()
		if barrier(ctx, v) == nil && v.raft.CurrentTerm() == term {
			v.settled.Store(term)
			break
		}
		if !sleepCtx(ctx, 20*time.Millisecond) {
			return
		}
	}
	n.soft.startLeading(n.cfg.Clock.Mono())
	n.log.Info("leading the configuration", "term", v.raft.CurrentTerm(), "cluster", g.cluster)
	for g.firstEntries(ctx, v) != nil {
		if !sleepCtx(ctx, 50*time.Millisecond) {
			return
		}
	}
	for {
		ch := n.Changed()
		if err := g.manage(ctx, v); err != nil && ctx.Err() == nil {
			n.log.Debug("voter manager", "err", err)
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-t.C:
		case <-ch:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// firstEntries founds a new cluster, or marks one rebuilt from a lost quorum.
func (g *group) firstEntries(ctx context.Context, v *voterRaft) error {
	n := g.n
	st := v.machine.current()
	if st.ClusterID() == "" {
		rec := n.record(g.attempt)
		rec.IP = n.cfg.Settings().AnnounceIP // others' view of it counts only once there are others
		rec.Suffrage, rec.Generation = fsm.Voter, v.gen
		slots, epoch := n.takeoverSlots()
		rec.Epoch = max(epoch, g.epoch)
		if g.epoch != 0 {
			slots = nil // a reset node, not a former Redis node
		}
		res, _, err := n.commit(ctx, g, v, n.entry(&fsm.Found{ClusterID: g.cluster, Node: rec, Slots: slots}).Encode(nil), true)
		if err != nil {
			return err
		}
		if res.Refusal != nil && res.Refusal.Reason != fsm.AlreadyFounded {
			return res.Refusal
		}
	}
	n.mu.Lock()
	settled := n.g != g || n.meta.Membership.Founded && !n.meta.Recovered
	recovered, self := n.meta.Recovered, n.meta.NodeID
	n.mu.Unlock()
	if settled {
		return nil
	}
	if recovered {
		res, _, err := n.commit(ctx, g, v, n.entry(&fsm.Recover{Voter: self}).Encode(nil), true)
		if err != nil {
			return err
		}
		if res.Refusal != nil {
			return res.Refusal
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.g != g {
		return nil
	}
	return n.saveMetaLocked(func(m *metadata) {
		m.Membership.Founded = true
		m.Recovered = false
	})
}

// wantedVoters is the target for a number of confirmed members.
func wantedVoters(members, wish int) int {
	want := 1
	switch {
	case members >= 7:
		want = 5
	case members >= 3:
		want = 3
	}
	if wish > 0 {
		want = min(wish, members)
		if want%2 == 0 {
			want-- // an even number tolerates no more and risks more
		}
	}
	return max(want, 1)
}

// manage takes one look at everybody and at most one membership step.
func (g *group) manage(ctx context.Context, v *voterRaft) error {
	n := g.n
	if n.seal.isSet() {
		return nil
	}
	st := v.machine.current()
	now := n.cfg.Clock.Mono()
	n.soft.keepOnly(st)
	if err := g.judge(ctx, v, st, now); err != nil {
		return err
	}
	return g.stepVoters(ctx, v)
}

// judge commits and clears the fail flag and asks pending and silent members
// whether they are still who the configuration says.
func (g *group) judge(ctx context.Context, v *voterRaft, st *fsm.State, now time.Duration) error {
	n := g.n
	for _, m := range st.Nodes() {
		if m.ID == n.Self() {
			if m.Has(fsm.Failed) {
				if err := g.put(ctx, v, &fsm.SetFail{ID: m.ID, Attempt: m.Attempt}); err != nil {
					return err
				}
			}
			continue
		}
		silent := n.soft.silent(now, m.ID)
		timeout := time.Duration(m.TimeoutMs) * time.Millisecond
		switch {
		case silent >= timeout && !m.Has(fsm.Failed) && !m.Has(fsm.Pending):
			n.log.Warn("node failed", "node", m.ID, "silent", silent)
			if err := g.put(ctx, v, &fsm.SetFail{ID: m.ID, Attempt: m.Attempt, Fail: true}); err != nil {
				return err
			}
		case m.Has(fsm.Failed) && silent < suspectAfter(timeout):
			n.log.Info("node is back", "node", m.ID)
			if err := g.put(ctx, v, &fsm.SetFail{ID: m.ID, Attempt: m.Attempt}); err != nil {
				return err
			}
		}
		if (m.Has(fsm.Pending) && silent > time.Second || silent > 2*time.Second) && n.soft.askDue(now, m.ID) {
			v.wg.Go(func() { g.askAttempt(ctx, v, m) })
		}
	}
	return nil
}

// askAttempt drops a member that says its attempt is dead.
func (g *group) askAttempt(ctx context.Context, v *voterRaft, m *fsm.Node) {
	if g.n.off(guards.Dead) {
		return
	}
	actx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var out attemptReply
	in := &attemptRequest{Cluster: g.cluster, Node: m.ID, Attempt: m.Attempt}
	if me := v.machine.current().Node(g.n.Self()); me != nil && me.IP != "" {
		in.Asker = peerAddr{me.ID, net.JoinHostPort(me.IP, strconv.Itoa(int(me.BusPort)))}
	}
	addr, ok := g.n.addrOf(m.ID)
	if !ok {
		return
	}
	// Whoever answers there: a node that changed its id says so.
	if err := g.n.client.Call(actx, addr, peer.Want{}, methodAttempt, in, &out); err != nil || out.State != "dead" {
		return
	}
	if !g.changing.take(actx) {
		return
	}
	defer g.changing.release()
	if r := v.machine.current().Node(m.ID); r == nil || r.Attempt != m.Attempt {
		return
	}
	g.n.log.Info("dropping a member that left", "node", m.ID, "attempt", m.Attempt)
	if err := g.n.removeServer(v, m.ID); err != nil {
		g.n.log.Debug("remove its Raft server", "node", m.ID, "err", err)
		return
	}
	if err := g.put(actx, v, &fsm.Drop{ID: m.ID, Attempt: m.Attempt}); err != nil {
		g.n.log.Debug("drop", "node", m.ID, "err", err)
	}
}

// put commits an operation of the leader's own; a refusal means that the facts
// changed and the next look decides anew.
func (g *group) put(ctx context.Context, v *voterRaft, op fsm.Op) error {
	res, _, err := g.n.commit(ctx, g, v, g.n.entry(op).Encode(nil), false)
	if err != nil {
		return err
	}
	if res.Refusal != nil {
		return res.Refusal
	}
	return nil
}

// stepVoters makes at most one change of Raft's configuration.
func (g *group) stepVoters(ctx context.Context, v *voterRaft) error {
	n := g.n
	if !g.changing.take(ctx) {
		return ctx.Err()
	}
	defer g.changing.release()
	st, now := v.machine.current(), n.cfg.Clock.Mono()
	servers, err := raftServers(v)
	if err != nil {
		return err
	}
	voters, catching, healthy := 0, 0, 0
	var failed fsm.NodeID
	for id, s := range servers {
		m := st.Node(id)
		switch {
		case m == nil || m.Generation != s.Gen:
			if id == n.Self() && len(servers) == 1 {
				return nil // nobody to hand over to: the last member's record decides elsewhere
			}
			if err := barrier(ctx, v); err != nil {
				return err
			}
			if m := v.machine.current().Node(id); m != nil && m.Generation == s.Gen {
				return nil
			}
			n.log.Info("removing a Raft server that is no member", "node", id, "generation", s.Gen)
			return n.removeServer(v, id)
		case id != n.Self() && n.soft.otherServer(now, id, s.Gen), s.Suffrage != raft.Voter && m.Suffrage == fsm.Observer:
			// It stopped that Raft instance and won't start it again.
			n.log.Info("removing a Raft server that isn't running", "node", id, "generation", s.Gen)
			return n.removeServer(v, id)
		case s.Suffrage == raft.Voter:
			voters++
			if m.Suffrage != fsm.Voter {
				return g.put(ctx, v, &fsm.SetSuffrage{ID: id, Attempt: m.Attempt, Generation: s.Gen, Suffrage: fsm.Voter})
			}
			if silent := n.soft.silent(now, id); id == n.Self() || silent < 2*time.Second {
				healthy++
			} else if silent > n.replaceAfter() && failed == "" {
				failed = id
			}
		default:
			catching++
		}
	}
	for _, m := range st.Nodes() {
		if _, ok := servers[m.ID]; !ok && m.Suffrage != fsm.Observer {
			return g.put(ctx, v, &fsm.SetSuffrage{ID: m.ID, Attempt: m.Attempt, Generation: m.Generation, Suffrage: fsm.Observer})
		}
	}
	for id, s := range servers {
		if s.Suffrage == raft.Voter {
			continue
		}
		if n.soft.caughtUp(now, id, s.Gen, v.raft.CommitIndex()) {
			return g.addVoter(ctx, v, id, s.Gen)
		}
		if n.soft.silent(now, id) > 10*time.Second {
			n.log.Warn("candidate voter doesn't answer", "node", id)
			return n.removeServer(v, id)
		}
	}
	want := wantedVoters(confirmed(st), n.cfg.Settings().Voters)
	switch {
	case catching > 0:
		return nil
	case voters < want:
		pick := g.pickVoter(st, servers, now, "")
		if pick == nil {
			return nil
		}
		return g.promote(ctx, v, pick)
	case failed != "" && healthy > voters/2 && g.pickVoter(st, servers, now, failed) != nil:
		n.log.Warn("replacing a failed voter", "node", failed)
		return n.removeServer(v, failed)
	case voters > want && healthy-1 > (voters-1)/2:
		drop := g.pickDemotion(st, servers, now)
		if drop == "" {
			return nil
		}
		n.log.Info("one voter fewer is enough", "node", drop, "voters", voters, "wanted", want)
		return n.removeServer(v, drop)
	}
	return nil
}

func (n *Node) replaceAfter() time.Duration {
	if d := n.cfg.Settings().VoterReplace; d > 0 {
		return d
	}
	return 60 * time.Second
}

// pickVoter chooses the observer that spreads the votes best: another zone,
// another shard, a replica before a primary; then the smallest id.
func (g *group) pickVoter(st *fsm.State, servers map[fsm.NodeID]server, now time.Duration, without fsm.NodeID) *fsm.Node {
	zones, shards := map[string]bool{}, map[fsm.ShardID]bool{}
	for id := range servers {
		if m := st.Node(id); m != nil && id != without {
			zones[m.Zone], shards[m.Shard] = m.Zone != "", true
		}
	}
	score := func(m *fsm.Node) (s int) {
		if m.Zone != "" && !zones[m.Zone] {
			s += 4
		}
		if !shards[m.Shard] {
			s += 2
		}
		if !m.IsPrimary() {
			s++
		}
		return s
	}
	var best *fsm.Node
	for _, m := range st.Nodes() {
		if _, ok := servers[m.ID]; ok || m.ID == without || m.Has(fsm.Pending) || m.Has(fsm.Failed) {
			continue
		}
		if g.n.soft.silent(now, m.ID) > time.Second && m.ID != g.n.Self() {
			continue
		}
		if best == nil || score(m) > score(best) {
			best = m
		}
	}
	return best
}

// pickDemotion chooses the voter that is missed least: silent ones first, never
// the leader.
func (g *group) pickDemotion(st *fsm.State, servers map[fsm.NodeID]server, now time.Duration) (pick fsm.NodeID) {
	var most time.Duration = -1
	for _, m := range st.Nodes() {
		if s, ok := servers[m.ID]; !ok || s.Suffrage != raft.Voter || m.ID == g.n.Self() {
			continue
		}
		if silent := g.n.soft.silent(now, m.ID); silent > most {
			pick, most = m.ID, silent
		}
	}
	return pick
}

// promote makes an observer a candidate: an empty directory of a new
// generation there, recorded, then a non-voter that catches up.
func (g *group) promote(ctx context.Context, v *voterRaft, m *fsm.Node) error {
	n := g.n
	cctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	// It stops the generation recorded: its removal must be beyond doubt.
	if err := barrier(cctx, v); err != nil {
		return err
	}
	in := &promoteRequest{Cluster: g.cluster, Attempt: m.Attempt, Generation: m.Generation}
	var out promoteReply
	if err := n.call(cctx, m.ID, methodPromote, in, &out); err != nil {
		return fmt.Errorf("promote %s: %w", m.ID, err)
	}
	if out.Generation <= m.Generation {
		return fmt.Errorf("promote %s: generation %d is not in use any more", m.ID, out.Generation)
	}
	n.soft.runs(n.cfg.Clock.Mono(), m.ID, out.Generation)
	if err := g.put(ctx, v, &fsm.SetSuffrage{ID: m.ID, Attempt: m.Attempt, Generation: out.Generation, Suffrage: fsm.Candidate}); err != nil {
		return err
	}
	if err := barrier(ctx, v); err != nil {
		return err
	}
	if r := v.machine.current().Node(m.ID); r == nil || r.Attempt != m.Attempt {
		return errors.New("forgotten meanwhile")
	}
	id := serverID(m.ID, out.Generation)
	return v.raft.AddNonvoter(id, raft.ServerAddress(id), 0, 2*time.Second).Error()
}

// addVoter gives a candidate that caught up its vote.
func (g *group) addVoter(ctx context.Context, v *voterRaft, id fsm.NodeID, gen uint64) error {
	if err := barrier(ctx, v); err != nil {
		return err
	}
	st := v.machine.current()
	m := st.Node(id)
	if m == nil || m.Generation != gen {
		return nil
	}
	n := g.n
	n.savePeers(st) // who can't lead alone must find the others after a crash
	sid := serverID(id, gen)
	if err := v.raft.AddVoter(sid, raft.ServerAddress(sid), 0, 2*time.Second).Error(); err != nil {
		return err
	}
	n.log.Info("voter added", "node", id, "generation", gen)
	return g.put(ctx, v, &fsm.SetSuffrage{ID: id, Attempt: m.Attempt, Generation: gen, Suffrage: fsm.Voter})
}

// addAnyVoter sees to it that some member other than the given one is a voter.
// The caller holds the turn.
func (n *Node) addAnyVoter(ctx context.Context, g *group, v *voterRaft, without fsm.NodeID) error {
	for ctx.Err() == nil {
		done, err := n.stepAnyVoter(ctx, g, v, without)
		if done || err != nil {
			return err
		}
		if !sleepCtx(ctx, 20*time.Millisecond) {
			break
		}
	}
	return ctx.Err()
}

// stepAnyVoter is one step of addAnyVoter.
func (n *Node) stepAnyVoter(ctx context.Context, g *group, v *voterRaft, without fsm.NodeID) (done bool, err error) {
	servers, err := raftServers(v)
	if err != nil {
		return false, err
	}
	if s, ok := servers[without]; !ok || s.Suffrage != raft.Voter {
		return true, nil
	}
	now, catching := n.cfg.Clock.Mono(), false
	for id, s := range servers {
		switch {
		case id == without:
		case s.Suffrage == raft.Voter:
			return true, nil
		case n.soft.caughtUp(now, id, s.Gen, v.raft.CommitIndex()):
			if err := g.addVoter(ctx, v, id, s.Gen); err != nil {
				return false, err
			}
		default:
			catching = true
		}
	}
	if catching {
		return false, nil
	}
	pick := g.pickVoter(v.machine.current(), servers, now, without)
	if pick == nil {
		return false, errors.New("no other member can be reached")
	}
	return false, g.promote(ctx, v, pick)
}

// removeServer takes a node's Raft server away, whatever its generation; none
// there is fine. Removing itself makes this leader step down. The last voter
// stays.
func (n *Node) removeServer(v *voterRaft, id fsm.NodeID) error {
	servers, err := raftServers(v)
	if err != nil {
		return err
	}
	s, ok := servers[id]
	if !ok {
		return nil
	}
	delete(servers, id)
	for _, other := range servers {
		if other.Suffrage == raft.Voter {
			return v.raft.RemoveServer(serverID(id, s.Gen), 0, 2*time.Second).Error()
		}
	}
	return errors.New("it is the last voter")
}
