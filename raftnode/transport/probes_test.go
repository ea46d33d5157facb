package transport_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// The probes below hold faults of the library that this project works around.
// One that fails after an upgrade says that a workaround may be dropped.

// bare is a Raft server on the library's own transport, without our guards.
type bare struct {
	raft  *raft.Raft
	trans *raft.InmemTransport
	store *raft.InmemStore
	fsm   *list
}

// paced gives time a chance to go on between attempts to install a snapshot.
type paced struct{ *raft.InmemTransport }

func (p paced) InstallSnapshot(id raft.ServerID, a raft.ServerAddress, q *raft.InstallSnapshotRequest, r *raft.InstallSnapshotResponse, data io.Reader) error {
	<-time.After(10 * time.Millisecond)
	return p.InmemTransport.InstallSnapshot(id, a, q, r, data)
}

func bareConfig(name string) *raft.Config {
	c := config(name)
	c.LocalID = raft.ServerID(name)
	return c
}

func startBare(t *testing.T, name string, s *raft.InmemStore, change func(*raft.Config)) *bare {
	t.Helper()
	b := &bare{store: s, fsm: &list{}}
	_, b.trans = raft.NewInmemTransportWithTimeout(raft.ServerAddress(name), time.Second)
	c := bareConfig(name)
	if change != nil {
		change(c)
	}
	r, err := raft.NewRaft(c, b.fsm, s, s, raft.NewInmemSnapshotStore(), paced{b.trans})
	if err != nil {
		t.Fatal(err)
	}
	b.raft = r
	return b
}

func (b *bare) stop(t *testing.T) {
	t.Helper()
	if err := b.raft.Shutdown().Error(); err != nil {
		t.Error(err)
	}
}

func connect(a, b *bare) {
	a.trans.Connect(b.trans.LocalAddr(), b.trans)
	b.trans.Connect(a.trans.LocalAddr(), a.trans)
}

// poll waits in virtual time.
func poll(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatal(what)
}

func bareLeader(t *testing.T, bs ...*bare) *bare {
	t.Helper()
	var l *bare
	poll(t, "no leader", func() bool {
		for _, b := range bs {
			if b.raft.State() == raft.Leader {
				l = b
			}
		}
		return l != nil
	})
	return l
}

func bareApply(t *testing.T, b *bare, op string) {
	t.Helper()
	if err := b.raft.Apply([]byte(op), time.Second).Error(); err != nil {
		t.Fatalf("apply %s: %v", op, err)
	}
}

// VerifyLeader counts the answers of non-voters: with any in the configuration
// a deposed leader is told that it leads. So fences use Barrier.
func TestProbeVerifyLeaderCountsNonvoters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conf raft.Configuration
		var bs []*bare
		for i := range 5 {
			name := fmt.Sprint("n", i)
			suffrage := raft.Voter
			if i >= 3 {
				suffrage = raft.Nonvoter
			}
			conf.Servers = append(conf.Servers, raft.Server{Suffrage: suffrage, ID: raft.ServerID(name), Address: raft.ServerAddress(name)})
			b := startBare(t, name, raft.NewInmemStore(), func(c *raft.Config) {
				if i == 0 { // its lease check comes late, as after a pause of the process
					c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 5*time.Second, 5*time.Second, 5*time.Second
				}
			})
			defer b.stop(t)
			for _, o := range bs {
				connect(o, b)
			}
			bs = append(bs, b)
		}
		if err := bs[0].raft.BootstrapCluster(conf).Error(); err != nil {
			t.Fatal(err)
		}
		// Make the one with the late check lead: the others can't refuse.
		old := bs[0]
		poll(t, "leadership does not move", func() bool {
			if l := bareLeader(t, bs[:3]...); l != old {
				_ = l.raft.LeadershipTransferToServer("n0", "n0").Error() // tried again
			}
			return old.raft.State() == raft.Leader
		})
		bareApply(t, old, "1")
		for _, in := range []*bare{bs[0], bs[3], bs[4]} {
			for _, out := range bs[1:3] {
				in.trans.Disconnect(out.trans.LocalAddr())
				out.trans.Disconnect(in.trans.LocalAddr())
			}
		}
		next := bareLeader(t, bs[1:3]...)
		bareApply(t, next, "2")
		if old.raft.State() != raft.Leader {
			t.Fatal("the old leader stepped down before it could be asked")
		}
		if err := old.raft.VerifyLeader().Error(); err != nil {
			t.Errorf("VerifyLeader of a deposed leader: %v; the fault is gone", err)
		}
	})
}

// A one-node cluster that is added to another with its log ends with another
// state, and nobody is told. So a joiner starts with an empty directory.
func TestProbeAbsorbedLogDiverges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alone := func(name string, ops ...string) *bare {
			b := startBare(t, name, raft.NewInmemStore(), nil)
			conf := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(name), Address: b.trans.LocalAddr()}}}
			if err := b.raft.BootstrapCluster(conf).Error(); err != nil {
				t.Fatal(err)
			}
			bareLeader(t, b)
			for _, op := range ops {
				bareApply(t, b, op)
			}
			return b
		}
		a, b := alone("a", "A0", "A1", "A2"), alone("b", "B0", "B1")
		defer a.stop(t)
		defer b.stop(t)
		connect(a, b)
		if err := a.raft.AddVoter("b", "b", 0, time.Second).Error(); err != nil {
			t.Fatalf("AddVoter: %v", err)
		}
		bareApply(t, bareLeader(t, a, b), "Z")
		time.Sleep(time.Second)
		if a.fsm.String() == b.fsm.String() {
			t.Errorf("both hold %s; the fault is gone", a.fsm)
		}
	})
}

// tracked is a log that knows what was committed.
type tracked struct {
	*raft.InmemStore
	committed uint64
}

func (s *tracked) StageCommitIndex(i uint64) error { s.committed = i; return nil }
func (s *tracked) GetCommitIndex() (uint64, error) { return s.committed, nil }

// With RestoreCommittedLogs NewRaft fills the state machine's queue before
// anyone reads it, and hangs when the log is longer. So it stays off.
func TestProbeRestoreCommittedLogsHangs(t *testing.T) {
	restored := func(n uint64) bool {
		s := &tracked{InmemStore: raft.NewInmemStore(), committed: n}
		conf := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}})
		log := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: conf}}
		for i := uint64(2); i <= n; i++ {
			log = append(log, &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: []byte("x")})
		}
		if err := s.StoreLogs(log); err != nil {
			t.Fatal(err)
		}
		if err := s.SetUint64([]byte("CurrentTerm"), 1); err != nil {
			t.Fatal(err)
		}
		_, trans := raft.NewInmemTransport("a")
		c := raft.DefaultConfig()
		c.LocalID, c.Logger, c.RestoreCommittedLogs = "a", hclog.NewNullLogger(), true
		done := make(chan *raft.Raft, 1)
		go func() { // hangs for good in the case this is about
			r, err := raft.NewRaft(c, &list{}, s, s, raft.NewInmemSnapshotStore(), trans)
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		select {
		case r := <-done:
			if err := r.Shutdown().Error(); err != nil {
				t.Error(err)
			}
			return true
		case <-time.After(500 * time.Millisecond):
			return false
		}
	}
	if restored(8300) {
		t.Error("NewRaft returned; the fault is gone")
	}
}

// A follower with entries of a dead term past a snapshot's end installs that
// snapshot for ever and applies nothing after it. So Transport reports it.
func TestProbeStaleTailLoopsOnInstallSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{
			{ID: "a", Address: "a"}, {ID: "b", Address: "b"}, {ID: "c", Address: "c"},
		}})
		var bs []*bare
		for i, name := range []string{"a", "b", "c"} {
			s := raft.NewInmemStore()
			log := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: conf}}
			term := uint64(3)
			if i < 2 {
				log = append(log, &raft.Log{Index: 2, Term: 3, Type: raft.LogNoop})
			} else {
				term = 2
				for k := uint64(2); k <= 80; k++ {
					log = append(log, &raft.Log{Index: k, Term: 2, Type: raft.LogCommand, Data: []byte("stale")})
				}
			}
			if err := s.StoreLogs(log); err != nil {
				t.Fatal(err)
			}
			if err := s.SetUint64([]byte("CurrentTerm"), term); err != nil {
				t.Fatal(err)
			}
			b := startBare(t, name, s, nil)
			defer b.stop(t)
			bs = append(bs, b)
		}
		connect(bs[0], bs[1])
		l := bareLeader(t, bs[:2]...)
		for range 50 {
			bareApply(t, l, "x")
		}
		for _, b := range bs[:2] {
			poll(t, "a follower is behind", func() bool { return b.raft.AppliedIndex() >= l.raft.CommitIndex() })
			if err := b.raft.Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
		connect(bs[0], bs[2])
		connect(bs[1], bs[2])
		l = bareLeader(t, bs...)
		bareApply(t, l, "y")
		time.Sleep(10 * time.Second)
		if done, all := bs[2].raft.AppliedIndex(), l.raft.AppliedIndex(); done == all {
			t.Errorf("the follower applied up to %d; the fault is gone", done)
		}
	})
}
