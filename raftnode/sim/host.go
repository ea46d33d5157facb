package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode"
	"conclave/raftnode/peer"
	"conclave/raftnode/router"
	"conclave/raftnode/store"
)

const busPort = 7

// host is a machine: its disks and settings outlive its processes.
type host struct {
	w    *world
	name string
	rng  *source

	// The record and the logs are on different disks: only the latter stall.
	meta, logs *store.Memory
	rate       float64 // of its clock
	announces  bool    // knows its own address from its configuration

	timeout atomic.Int64 // cluster-node-timeout
	faulty  atomic.Bool  // a disk has failed
	wall    atomic.Int64 // ms its wall clock is ahead

	mu   sync.Mutex
	life *life // nil while no process runs
	wg   sync.WaitGroup
}

// life is one process.
type life struct {
	h      *host
	no     int
	node   *raftnode.Node
	router *router.Router
	plane  *plane
	born   time.Time
	// clock is its monotonic clock; a script may change the rate.
	clock struct {
		sync.Mutex
		rate   float64
		offset time.Duration
	}
	cancel context.CancelFunc
	ended  chan struct{} // Run has returned
	dead   atomic.Bool   // crashed: nothing it does counts any more
	frozen atomic.Int64  // ns since the world's start until which the process is stopped
	meta   atomic.Pointer[store.Metadata]
}

func newHost(w *world, i int) *host {
	h := &host{
		w: w, name: fmt.Sprintf("h%d", i), rng: newSource(w.opt.Seed, 100+uint64(i)),
		meta: store.NewMemory(), logs: store.NewMemory(),
	}
	h.rate = 0.99 + 0.02*float64(h.rng.intn(1001))/1000
	h.announces = h.rng.chance(0.5)
	h.timeout.Store(int64(w.nodeTimeout))
	return h
}

// now is the running process, or nil.
func (h *host) now() *life {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life
}

func (h *host) settings() raftnode.Settings {
	s := raftnode.Settings{
		Port: busPort, BusPort: busPort, NodeTimeout: time.Duration(h.timeout.Load()),
		RequireCoverage: true, RaftTimeout: h.w.raftTimeout, VoterReplace: 5 * time.Second,
	}
	if h.announces {
		s.AnnounceIP = h.name
	}
	return s
}

// boot starts a process, unless one runs.
func (h *host) boot() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life != nil {
		return
	}
	l := &life{h: h, born: time.Now(), ended: make(chan struct{})}
	l.clock.rate = h.rate
	l.plane = newPlane(l)
	log := slog.New(slog.DiscardHandler)
	if h.w.opt.Logs != nil {
		log = slog.New(slog.NewTextHandler(lineWriter{h}, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: noTime}))
	}
	l.node = raftnode.New(raftnode.Config{
		Meta: tapMeta{h.meta, l}, Stores: tapStores{h.logs, l}, Network: tapNet{h.w.net.Host(h.name), l},
		BusAddr: net.JoinHostPort(h.name, strconv.Itoa(busPort)), Secret: func() []byte { return nil },
		Data: l.plane, Clock: l, Rand: h.rng.Uint64, Settings: h.settings, Log: log, Guards: h.w.opt.Guards,
	})
	l.router = router.New(rights{l.node, h.w.opt.Guards})
	h.life = l
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	h.wg.Go(func() {
		err := l.node.Run(ctx)
		close(l.ended)
		if !l.dead.Load() && ctx.Err() == nil {
			// A disk failed: the process is gone as by a crash, and comes back.
			if h.w.tracef("%s stopped: %v", h.name, err); !h.faulty.Load() {
				h.w.violate("%s stopped without a fault of its disk: %v", h.name, err)
			}
			h.crash()
		}
	})
	h.wg.Go(func() { h.w.check.watch(l) })
	for i := range 2 {
		h.wg.Go(func() { l.plane.client(uint64(i)) })
	}
}

// crash ends the process between two instructions.
func (h *host) crash() {
	h.mu.Lock()
	l := h.life
	h.life = nil
	h.mu.Unlock()
	if l == nil {
		return
	}
	l.dead.Store(true)
	h.w.net.Crash(h.name)
	h.meta.Crash()
	h.logs.Crash()
	l.cancel()
}

// halt ends the process in order.
func (h *host) halt() {
	h.mu.Lock()
	l := h.life
	h.life = nil
	h.mu.Unlock()
	if l == nil {
		return
	}
	h.logs.Resume()
	l.cancel()
	<-l.ended
	l.dead.Store(true)
}

// stopped waits while the process is frozen; false if it is dead.
func (l *life) stopped() bool {
	for {
		left := time.Duration(l.frozen.Load()) - time.Since(l.h.w.start)
		if l.dead.Load() {
			return false
		}
		if left <= 0 {
			return true
		}
		if !l.h.w.sleep(left, l.ended) {
			return false
		}
	}
}

// Mono implements raftnode.Clock.
func (l *life) Mono() time.Duration {
	l.clock.Lock()
	defer l.clock.Unlock()
	return time.Hour + l.clock.offset + time.Duration(float64(time.Since(l.born))*l.clock.rate)
}

// WallMs implements raftnode.Clock.
func (l *life) WallMs() int64 { return time.Now().UnixMilli() + l.h.wall.Load() }

// cluster is the one this node belongs to by its own durable word, which may
// be newer than its view.
func (l *life) cluster() string {
	if m := l.meta.Load(); m != nil {
		return m.Membership.ClusterID
	}
	return ""
}

var errDead = errors.New("the process has crashed")

// tapMeta, tapStores and tapNet are what a process sees of its host: nothing
// once it has crashed.
type tapMeta struct {
	*store.Memory
	l *life
}

func (m tapMeta) Save(rec store.Metadata) error {
	if m.l.dead.Load() {
		return errDead
	}
	if err := m.Memory.Save(rec); err != nil {
		return err
	}
	m.l.meta.Store(&rec)
	return nil
}

type tapStores struct {
	*store.Memory
	l *life
}

func (s tapStores) Open(cluster string, gen uint64) (*store.Stores, error) {
	if s.l.dead.Load() {
		return nil, errDead
	}
	st, err := s.Memory.Open(cluster, gen)
	if err == nil {
		st.Stable = tapStable{st.Stable, s.l}
	}
	return st, err
}

// tapStable crashes the process when term or vote can't be saved, as the
// library does by a panic. What a crashed process saves is lost.
type tapStable struct {
	raft.StableStore
	l *life
}

func (s tapStable) Set(k, v []byte) error { return s.saved(s.StableStore.Set(k, v)) }

func (s tapStable) SetUint64(k []byte, v uint64) error {
	return s.saved(s.StableStore.SetUint64(k, v))
}

func (s tapStable) saved(err error) error {
	if err != nil && !s.l.dead.Load() {
		s.l.h.w.tracef("%s stopped by Raft: %v", s.l.h.name, err)
		s.l.h.crash()
	}
	return nil
}

func (s tapStores) SetAside(cluster string, gen uint64) error {
	if s.l.dead.Load() {
		return errDead
	}
	return s.Memory.SetAside(cluster, gen)
}

type tapNet struct {
	peer.Network
	l *life
}

func (n tapNet) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if n.l.dead.Load() {
		return nil, errDead
	}
	return n.Network.Dial(ctx, addr)
}

// Listen waits for the port that a process which is being ended still holds.
func (n tapNet) Listen(addr string) (net.Listener, error) {
	if n.l.dead.Load() {
		return nil, errDead
	}
	return n.Network.Listen(addr)
}

// id is the node's id, "" before it has one.
func (l *life) id() fsm.NodeID { return l.node.Self() }

// lineWriter puts a node's log into the trace.
type lineWriter struct{ h *host }

func (w lineWriter) Write(p []byte) (int, error) {
	w.h.w.tracef("  %s %s", w.h.name, p[:len(p)-1])
	return len(p), nil
}

func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
