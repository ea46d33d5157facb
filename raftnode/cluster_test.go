package raftnode_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode"
	"conclave/raftnode/peer"
	"conclave/raftnode/store"
)

// noKeys is an empty data plane.
type noKeys struct{}

func (noKeys) KeysInSlot(int) int { return 0 }
func (noKeys) Keys() int          { return 0 }
func (noKeys) Drain([]slot.Range) {}
func (noKeys) Flush()             {}

type member struct {
	*raftnode.Node
	port int
	mem  *store.Memory
	stop func()
}

// startMember runs one node on loopback; its memory survives a restart.
func startMember(t *testing.T, port int, mem *store.Memory, change ...func(*raftnode.Config)) *member {
	t.Helper()
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("n", port)
	cfg := raftnode.Config{
		Meta: mem, Stores: mem, Network: peer.TCP{}, BusAddr: fmt.Sprintf("127.0.0.1:%d", port),
		Secret: func() []byte { return nil }, Data: noKeys{}, Clock: raftnode.NewSystemClock(), Log: log,
		Settings: func() raftnode.Settings {
			return raftnode.Settings{
				Port: uint16(port), BusPort: uint16(port), NodeTimeout: 5 * time.Second,
				RequireCoverage: true, RaftTimeout: 300 * time.Millisecond,
			}
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	n := raftnode.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	m := &member{Node: n, port: port, mem: mem}
	stopped := false
	m.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("node %d: %v", port, err)
		}
	}
	t.Cleanup(m.stop)
	return m
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func freePorts(t *testing.T, k int) []int {
	t.Helper()
	out := make([]int, k)
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, p, _ := net.SplitHostPort(l.Addr().String())
		out[i], _ = strconv.Atoi(p)
	}
	return out
}

func TestThreeNodesMeetAndMoveSlots(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ports := freePorts(t, 3)
	var ms []*member
	for _, p := range ports {
		ms = append(ms, startMember(t, p, store.NewMemory()))
	}
	for _, m := range ms {
		<-m.Ready()
	}
	for i, m := range ms {
		r := m.View().Node(m.Self())
		op := &fsm.AssignSlots{Node: r.ID, Attempt: r.Attempt, Slots: []slot.Range{{Start: uint16(i * 5000), End: uint16(i*5000 + 4999)}}}
		if res, err := m.Propose(ctx, op); err != nil || res.Refusal != nil {
			t.Fatal(res, err)
		}
	}
	for _, m := range ms[1:] {
		start := time.Now()
		if err := m.Meet(ctx, "127.0.0.1", ports[0], ports[0]); err != nil {
			t.Fatal(err)
		}
		t.Log("meet took", time.Since(start))
		if len(m.View().Nodes()) < 2 {
			t.Fatal("MEET answered before its own view shows the join")
		}
	}
	eventually(t, "three voters", func() bool {
		for _, m := range ms {
			if s := m.Status(); s.Voters != 3 || m.View().Assigned() != 15000 || !m.LeaseValid() {
				return false
			}
		}
		return true
	})
	if err := ms[0].GiveSlots(ctx, []slot.Range{{Start: 5000, End: 5009}}, ms[2].Self(), true); err != nil {
		t.Fatal(err)
	}
	if o := ms[0].View().OwnerNode(5000); o.ID != ms[2].Self() {
		t.Fatalf("slot 5000 is owned by %s", o.ID)
	}
	for i := range ms {
		ms[i].stop()
	}
	for i := range ms {
		ms[i] = startMember(t, ms[i].port, ms[i].mem)
	}
	eventually(t, "everybody serves again after a restart of all", func() bool {
		for _, m := range ms {
			r := m.View().Node(m.Self())
			if r == nil || r.Incarnation != m.Incarnation() || !m.LeaseValid() {
				return false
			}
		}
		return true
	})
	if err := ms[1].Forget(ctx, ms[0].Self()); err == nil {
		t.Fatal("forgot a living owner")
	}
	if err := ms[1].GiveSlots(ctx, []slot.Range{{Start: 0, End: 4999}}, ms[1].Self(), true); err != nil {
		t.Fatal(err)
	}
	if err := ms[1].Forget(ctx, ms[0].Self()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the forgotten node is alone", func() bool { return len(ms[0].View().Nodes()) == 1 })
	if err := ms[1].Forget(ctx, ms[0].Self()); err != nil {
		t.Fatal("second FORGET:", err)
	}
}

// A leader that asks a node to vote may have taken its vote away before the
// node knows. Were the old Raft directory named then, it would be counted as a
// voter while the node puts it aside: with another voter gone, nobody could
// ever be elected.
func TestAskedToVoteNamesNoRecordedGeneration(t *testing.T) {
	m := startMember(t, freePorts(t, 1)[0], store.NewMemory())
	<-m.Ready()
	for _, c := range []struct{ recorded, want uint64 }{
		{0, 1}, // runs already, and nobody noted it
		{1, 2},
		{1, 2}, // the same question again
		{2, 3},
		{9, 10}, // the cluster remembers more than this directory
	} {
		got, err := m.AskToVote(t.Context(), c.recorded)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := m.mem.Load()
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want || rec.Membership.Generation != got || rec.Generation < got {
			t.Errorf("with generation %d recorded: %d, and on disk %d of %d; want %d",
				c.recorded, got, rec.Membership.Generation, rec.Generation, c.want)
		}
	}
}
