package kv

import (
	"context"
	"time"

	"conclave/resp/command"
)

// Upkeep runs in small holds: none takes longer than some tens of microseconds.
const (
	upkeepPeriod  = 100 * time.Millisecond
	reapHold      = 128     // records freed under one hold
	compactHold   = 64      // lines looked at, or records moved, under one hold
	trimStep      = 8 << 20 // bytes given back per call of the operating system
	sparse        = 0.85    // share of a chunk in use below which it is emptied
	slackShare    = 8       // compaction is due when 1/8 of the memory is unused,
	slackConstant = 32 << 20
)

func (s *Store) runUpkeep(ctx context.Context) {
	tick := time.NewTicker(upkeepPeriod)
	defer tick.Stop()
	var after int64 // slack that the last compaction left
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.reap(ctx)
		m := s.Memory()
		slack := m.Mapped - m.Live - m.Buried
		if after = min(after, slack); slack-after > m.Mapped/slackShare+slackConstant {
			s.compact(ctx)
			m = s.Memory()
			after = m.Mapped - m.Live - m.Buried
		}
		s.trim(ctx)
	}
}

// Compact frees what memory can be freed without losing data, and gives it back
// to the operating system. It needs no lock and disturbs nobody for longer than
// some tens of microseconds.
func (s *Store) Compact(ctx context.Context) {
	s.reap(ctx)
	s.compact(ctx)
	s.trim(ctx)
}

// reap frees what flushes have left.
func (s *Store) reap(ctx context.Context) {
	for i := range s.parts {
		p := &s.parts[i]
		for p.shard.Buried()+p.members.Buried() > 0 && ctx.Err() == nil {
			p.lock()
			more := p.reap(reapHold)
			p.mu.Unlock()
			if !more {
				break
			}
		}
	}
}

// reap frees up to about n records of what has been given up, and reports whether
// there is more.
func (p *partition) reap(n int) (more bool) {
	more = p.shard.Reap(n)
	more = p.members.Reap(n) || more
	return p.reapStreams(n) || more
}

func (s *Store) trim(ctx context.Context) {
	for ctx.Err() == nil && s.space.Trim(trimStep) > 0 {
	}
}

func (s *Store) compact(ctx context.Context) {
	for i := range s.parts {
		if ctx.Err() != nil {
			return
		}
		s.compactPartition(i)
	}
}

func (s *Store) compactPartition(i int) {
	mask := command.PartitionOf(i)
	p := &s.parts[i]
	s.Lock(mask)
	if !p.shard.BeginCompaction(sparse) {
		s.Unlock(mask)
		return
	}
	budget := compactHold
	for db := range p.dbs {
		g := p.dbs[db].tables.Load()
		if g == nil {
			continue
		}
		for j := range slotsPerPartition {
			t := g.Table(j)
			for b, more := uint32(0), t.Len() > 0; more; more = b != 0 {
				if b = t.Compact(p.shard, b, &budget); budget <= 0 {
					s.Unlock(mask)
					budget = compactHold
					s.Lock(mask)
				}
			}
		}
	}
	p.shard.EndCompaction()
	s.Unlock(mask)
}
