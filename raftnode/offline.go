package raftnode

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/raftlog"
	"conclave/raftnode/store"
)

// Report is what a stopped node's directory says.
type Report struct {
	Meta      store.Metadata
	Voter     bool
	LastIndex uint64
	LastTerm  uint64
	Snapshot  uint64 // index of the newest snapshot, 0 = none
	// State is the configuration after every entry in the log, committed or
	// not: what Recover would make the truth.
	State *fsm.State
	// Uncertain counts the entries whose commitment the directory alone can't
	// prove: all after the newest snapshot.
	Uncertain int
	Voters    []fsm.NodeID // of the latest configuration in the log
}

// Inspect reads a stopped node's directory. It changes nothing.
func Inspect(meta store.Meta, f store.Factory) (*Report, error) {
	m, err := meta.Load()
	if err != nil {
		return nil, err
	}
	r := &Report{Meta: m, State: fsm.Empty()}
	if m.Membership.ClusterID == "" || m.Membership.Generation == 0 {
		return r, nil
	}
	s, err := f.Open(m.Membership.ClusterID, m.Membership.Generation)
	if err != nil {
		return nil, err
	}
	r.Voter = true
	return r, errors.Join(r.read(s), s.Close())
}

// read replays snapshot and log into r.
func (r *Report) read(s *store.Stores) error {
	m := newMachine(func(*fsm.State, []feedEntry) {}, func(error) {})
	snaps, err := s.Snaps.List()
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	if len(snaps) > 0 {
		_, rc, err := s.Snaps.Open(snaps[0].ID)
		if err != nil {
			return fmt.Errorf("open snapshot %s: %w", snaps[0].ID, err)
		}
		if err := m.Restore(rc); err != nil {
			return err
		}
		r.Snapshot, r.LastIndex, r.LastTerm = snaps[0].Index, snaps[0].Index, snaps[0].Term
		r.setVoters(snaps[0].Configuration)
	}
	first, err := s.Log.FirstIndex()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	last, err := s.Log.LastIndex()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	for i := max(first, r.Snapshot+1); i != 0 && i <= last; i++ {
		var l raft.Log
		if err := s.Log.GetLog(i, &l); err != nil {
			return fmt.Errorf("read log entry %d: %w", i, err)
		}
		r.LastIndex, r.LastTerm = l.Index, l.Term
		r.Uncertain++
		switch l.Type {
		case raft.LogCommand:
			e, err := fsm.DecodeEntry(l.Data)
			if err != nil {
				return fmt.Errorf("log entry %d: %w", i, err)
			}
			m.state, _ = m.state.Apply(l.Index, e)
		case raft.LogConfiguration:
			r.setVoters(raft.DecodeConfiguration(l.Data))
		}
	}
	r.State = m.state
	return nil
}

func (r *Report) setVoters(c raft.Configuration) {
	r.Voters = nil
	for _, s := range c.Servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		if id, _, ok := parseServer(s.ID); ok {
			r.Voters = append(r.Voters, id)
		}
	}
}

// ErrNoVoter: the directory holds no Raft log to recover from.
var ErrNoVoter = errors.New("this node was no voter: recover one that was")

// Recover rebuilds a group whose quorum is lost from one stopped survivor: it
// becomes the only voter, everything in its log becomes committed, and its
// next start raises the recovery epoch, so that other survivors follow instead
// of resurrecting what they had. An operator's explicit decision, never
// automatic: entries that only lost voters had are gone.
func Recover(meta store.Meta, f store.Factory, log *slog.Logger) (*Report, error) {
	r, err := Inspect(meta, f)
	if err != nil {
		return nil, err
	}
	if !r.Voter {
		return nil, ErrNoVoter
	}
	ms := r.Meta.Membership
	s, err := f.Open(ms.ClusterID, ms.Generation)
	if err != nil {
		return nil, err
	}
	conf := raft.DefaultConfig()
	conf.LocalID = serverID(r.Meta.NodeID, ms.Generation)
	conf.Logger = raftlog.New(log)
	_, trans := raft.NewInmemTransport(raft.ServerAddress(conf.LocalID))
	alone := raft.Configuration{Servers: []raft.Server{{ID: conf.LocalID, Address: raft.ServerAddress(conf.LocalID)}}}
	m := newMachine(func(*fsm.State, []feedEntry) {}, func(error) {})
	err = raft.RecoverCluster(conf, m, s.Log, s.Stable, s.Snaps, trans, alone)
	err = errors.Join(err, trans.Close(), s.Close())
	if err != nil {
		return nil, fmt.Errorf("recover %s/%d: %w", ms.ClusterID, ms.Generation, err)
	}
	md := r.Meta.Clone()
	md.Recovered, md.Intent = true, nil
	if err := meta.Save(md); err != nil {
		return nil, err
	}
	return r, nil
}
