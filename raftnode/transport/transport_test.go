package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/peer"
	"conclave/raftnode/peer/memnet"
	"conclave/raftnode/store"
	"conclave/raftnode/transport"
)

const cluster = "cccccccccccccccccccccccccccccccccccccccc"

// list is a state machine that remembers its commands.
type list struct {
	mu  sync.Mutex
	ops []string
}

func (l *list) Apply(e *raft.Log) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, string(e.Data))
	return nil
}

func (l *list) Snapshot() (raft.FSMSnapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return listSnapshot(strings.Join(l.ops, "\n")), nil
}

func (l *list) Restore(r io.ReadCloser) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = strings.Split(string(b), "\n")
	return r.Close()
}

func (l *list) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.ops, " ")
}

type listSnapshot string

func (s listSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := io.WriteString(sink, string(s)); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (listSnapshot) Release() {}

// member is one Raft server on a simulated host.
type member struct {
	name     string
	mem      *store.Memory
	endpoint *peer.Endpoint
	running  atomic.Bool
	cancel   context.CancelFunc
	served   chan error

	fsm    *list
	stores *store.Stores
	trans  *transport.Transport
	raft   *raft.Raft
}

func nodeID(name string) fsm.NodeID      { return fsm.NodeID(strings.Repeat(name, 40)) }
func serverID(name string) raft.ServerID { return raft.ServerID(transport.Address(nodeID(name), 1)) }

// newMember makes a host whose endpoint runs until end.
func newMember(t *testing.T, net *memnet.Net, name string) *member {
	t.Helper()
	m := &member{name: name, mem: store.NewMemory(), served: make(chan error, 1)}
	m.endpoint = peer.New(peer.Config{
		Self: func() peer.Identity {
			id := peer.Identity{ClusterID: cluster, Node: nodeID(name)}
			if m.running.Load() {
				id.Generation = 1
			}
			return id
		},
		Network: net.Host(name), Log: slog.New(slog.DiscardHandler),
	})
	ln, err := net.Host(name).Listen(":1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() { m.served <- m.endpoint.Serve(ctx, ln) }()
	return m
}

// config has timeouts of 100 ms.
func config(name string) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = serverID(name), hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 100*time.Millisecond, 100*time.Millisecond, 60*time.Millisecond
	c.CommitTimeout = 20 * time.Millisecond
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = time.Hour, 1<<40, 5
	return c
}

// start runs Raft over what the memory holds.
func (m *member) start(t *testing.T) {
	t.Helper()
	s, err := m.mem.Open(cluster, 1)
	if err != nil {
		t.Fatal(err)
	}
	m.stores, m.fsm = s, &list{}
	conf := config(m.name)
	m.trans = transport.New(transport.Config{
		Endpoint: m.endpoint, Self: string(serverID(m.name)), Want: cluster,
		Resolve: func(id fsm.NodeID, _ uint64) (string, bool) { return string(id[:1]) + ":1", true },
		Stalled: func() bool { return s.WriteAge() > 2*conf.HeartbeatTimeout },
		Entries: s.Log,
	})
	m.raft, err = raft.NewRaft(conf, m.fsm, s.Log, s.Stable, s.Snaps, m.trans)
	if err != nil {
		t.Fatal(err)
	}
	m.running.Store(true)
}

// stop ends Raft.
func (m *member) stop(t *testing.T) {
	t.Helper()
	if !m.running.Swap(false) {
		return
	}
	m.mem.Resume()
	if err := errors.Join(m.raft.Shutdown().Error(), m.trans.Close(), m.stores.Close()); err != nil {
		t.Errorf("stop %s: %v", m.name, err)
	}
}

func (m *member) end(t *testing.T) {
	t.Helper()
	m.stop(t)
	m.cancel()
	if err := <-m.served; err != nil {
		t.Errorf("serve %s: %v", m.name, err)
	}
}

func servers(names ...string) raft.Configuration {
	var c raft.Configuration
	for _, n := range names {
		c.Servers = append(c.Servers, raft.Server{ID: serverID(n), Address: raft.ServerAddress(serverID(n))})
	}
	return c
}

// trio runs three members, bootstrapped.
func trio(t *testing.T, f func(t *testing.T, net *memnet.Net, ms []*member)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		seed := uint64(0)
		net := memnet.New(func() uint64 { seed += 0x9e3779b97f4a7c15; return seed })
		var ms []*member
		for _, name := range []string{"a", "b", "c"} {
			m := newMember(t, net, name)
			defer m.end(t)
			m.start(t)
			ms = append(ms, m)
		}
		if err := ms[0].raft.BootstrapCluster(servers("a", "b", "c")).Error(); err != nil {
			t.Fatal(err)
		}
		f(t, net, ms)
	})
}

// leader waits for one of these to lead.
func leader(t *testing.T, ms ...*member) *member {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, m := range ms {
			if m.running.Load() && m.raft.State() == raft.Leader {
				return m
			}
		}
	}
	t.Fatal("no leader within a minute")
	return nil
}

func others(ms []*member, but *member) []*member {
	var out []*member
	for _, m := range ms {
		if m != but {
			out = append(out, m)
		}
	}
	return out
}

func apply(t *testing.T, m *member, op string) {
	t.Helper()
	if err := m.raft.Apply([]byte(op), time.Second).Error(); err != nil {
		t.Fatalf("apply %s at %s: %v", op, m.name, err)
	}
}

// agree waits until all have applied the same.
func agree(t *testing.T, want string, ms ...*member) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		same := 0
		for _, m := range ms {
			if m.fsm.String() == want {
				same++
			}
		}
		if same == len(ms) {
			return
		}
	}
	for _, m := range ms {
		t.Errorf("%s (%v, last %d, applied %d): %s", m.name, m.raft.State(), m.raft.LastIndex(), m.raft.AppliedIndex(), m.fsm)
	}
	t.Fatalf("want %s", want)
}

func isolate(net *memnet.Net, m *member, ms []*member) {
	for _, o := range others(ms, m) {
		net.Cut(m.name, o.name)
		net.Cut(o.name, m.name)
	}
}

func TestRaftOverTheBus(t *testing.T) {
	trio(t, func(t *testing.T, net *memnet.Net, ms []*member) {
		l := leader(t, ms...)
		apply(t, l, "1")
		agree(t, "1", ms...)
		if addr, id := others(ms, l)[0].raft.LeaderWithID(); id != serverID(l.name) || string(addr) != string(id) {
			t.Errorf("follower shows leader %q at %q", id, addr)
		}
		isolate(net, l, ms)
		next := leader(t, others(ms, l)...)
		apply(t, next, "2")
		net.HealAll()
		agree(t, "1 2", ms...)

		// A restart over the same stores.
		f := others(ms, next)[0]
		f.stop(t)
		apply(t, next, "3")
		f.start(t)
		agree(t, "1 2 3", ms...)
		if sent, received := next.endpoint.Counters(); sent == 0 || received == 0 {
			t.Errorf("%d messages sent, %d received", sent, received)
		}
	})
}

func TestStalledLeaderIsReplaced(t *testing.T) {
	trio(t, func(t *testing.T, _ *memnet.Net, ms []*member) {
		l := leader(t, ms...)
		apply(t, l, "1")
		l.mem.Stall()
		stuck := l.raft.Apply([]byte("stuck"), time.Second)
		at := time.Now()
		next := leader(t, others(ms, l)...)
		apply(t, next, "2")
		if d := time.Since(at); d > time.Second {
			t.Errorf("a new leader committed only after %v", d)
		}
		l.mem.Resume()
		agree(t, "1 2", ms...)
		if err := stuck.Error(); err == nil {
			t.Error("the stuck entry is said to be committed")
		}
	})
}

// The leader can't have what a deposed one left at the end of a log.
func TestStaleTailIsReportedOnceAndCutCures(t *testing.T) {
	for _, tail := range []uint64{80, 53} { // the snapshot ends at 52 or later
		t.Run(fmt.Sprint(tail), func(t *testing.T) { staleTail(t, tail) })
	}
}

func staleTail(t *testing.T, tail uint64) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(func() uint64 { return 0 })
		ms := withStaleTail(t, net, tail)
		for _, m := range ms {
			defer m.end(t)
		}
		c := ms[2]
		c.start(t)
		from := <-c.trans.StaleTail()
		last := c.raft.LastIndex()
		c.running.Store(false)
		if err := c.raft.Shutdown().Error(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.trans.Close(), c.stores.Log.DeleteRange(from, last), c.stores.Close()); err != nil {
			t.Fatal(err)
		}
		c.start(t)
		l := leader(t, ms...)
		apply(t, l, "y")
		agree(t, l.fsm.String(), ms...)
	})
}

// withStaleTail makes two members that have snapshotted and compacted, and a
// stopped third with entries of a dead term up to tail.
func withStaleTail(t *testing.T, net *memnet.Net, tail uint64) []*member {
	t.Helper()
	var ms []*member
	for i, name := range []string{"a", "b", "c"} {
		m := newMember(t, net, name)
		ms = append(ms, m)
		s, err := m.mem.Open(cluster, 1)
		if err != nil {
			t.Fatal(err)
		}
		conf := raft.EncodeConfiguration(servers("a", "b", "c"))
		log := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: conf}}
		term := uint64(3)
		if i < 2 {
			log = append(log, &raft.Log{Index: 2, Term: 3, Type: raft.LogNoop})
		} else {
			term = 2
			for k := uint64(2); k <= tail; k++ {
				log = append(log, &raft.Log{Index: k, Term: 2, Type: raft.LogCommand, Data: []byte("stale")})
			}
		}
		if err := errors.Join(s.Log.StoreLogs(log), s.Stable.SetUint64([]byte("CurrentTerm"), term), s.Close()); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			m.start(t)
		}
	}
	l := leader(t, ms[:2]...)
	for k := range 50 {
		apply(t, l, fmt.Sprint(k))
	}
	agree(t, l.fsm.String(), ms[:2]...)
	for _, m := range ms[:2] {
		if err := m.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
	}
	return ms
}

// What an installed snapshot superseded must not be there to be sent to others.
func TestEntriesFromBeforeAnInstalledSnapshotAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(func() uint64 { return 0 })
		ms := withStaleTail(t, net, 20)
		for _, m := range ms {
			defer m.end(t)
		}
		c := ms[2]
		c.start(t)
		l := leader(t, ms...)
		apply(t, l, "y")
		agree(t, l.fsm.String(), ms...)
		first, err := c.stores.Log.FirstIndex()
		if err != nil || first <= 20 {
			t.Errorf("log begins at %d, %v", first, err)
		}
		select {
		case from := <-c.trans.StaleTail():
			t.Errorf("tail from %d reported", from)
		default:
		}
	})
}

func TestForeignGenerationIsRefused(t *testing.T) {
	trio(t, func(t *testing.T, _ *memnet.Net, ms []*member) {
		leader(t, ms...)
		_, err := ms[0].endpoint.Dial(t.Context(), "b:1", peer.KindRaft, peer.Want{ClusterID: cluster, Node: nodeID("b"), Generation: 2})
		if !errors.Is(err, peer.ErrOldGeneration) {
			t.Errorf("dial: %v", err)
		}
		// Nor does one get in that wants any generation.
		c, err := ms[0].endpoint.Dial(t.Context(), "b:1", peer.KindRaft, peer.Want{ClusterID: cluster})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
	})
}

func TestInjectedTimeoutElectsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(func() uint64 { return 0 })
		m := newMember(t, net, "a")
		defer m.end(t)
		m.start(t)
		if err := m.raft.BootstrapCluster(servers("a")).Error(); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		m.trans.Inject(&raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(serverID("a")), Addr: []byte(serverID("a"))}})
		leader(t, m)
		if d := time.Since(at); d > 50*time.Millisecond {
			t.Errorf("after %v", d)
		}
	})
}

func TestAddress(t *testing.T) {
	id, gen, ok := transport.ParseAddress(transport.Address("n1", 12))
	if id != "n1" || gen != 12 || !ok {
		t.Errorf("%q %d %v", id, gen, ok)
	}
	for _, bad := range []raft.ServerAddress{"", "n1", ".1", "n1.", "n1.x", "n1.-1"} {
		if _, _, ok := transport.ParseAddress(bad); ok {
			t.Errorf("%q parses", bad)
		}
	}
}
