package raftnode

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/peer"
	"conclave/raftnode/store"
)

// Settings are the directives the control plane reads; they may change while
// the node runs (all but BusPort).
type Settings struct {
	AnnounceIP       string
	Port             uint16 // announced client port
	TLSPort          uint16
	BusPort          uint16 // announced bus port
	Hostname         string
	HumanName        string
	Zone             string
	NoFailover       bool
	Witness          bool
	NodeTimeout      time.Duration
	RequireCoverage  bool
	ReplicaMigration bool          // a primary that gave its last slot away follows the one that took it
	Voters           int           // wished number of voters, 0 = by cluster size
	VoterReplace     time.Duration // a failed voter is replaced after this long
	Seeds            []string      // host:bus-port, tried when no known address answers
	RaftTimeout      time.Duration // heartbeat and election timeout; the lease is 3/5 of it
	SnapshotInterval time.Duration // 0 = 60 s
}

// Config is what a node is made of.
type Config struct {
	Meta    store.Meta
	Stores  store.Factory
	Network peer.Network
	BusAddr string // address to listen on, "host:port"
	Secret  func() []byte
	Data    Data
	Clock   Clock
	// Rand seeds ids and jitter; nil reads the system's.
	Rand     func() uint64
	Settings func() Settings
	Log      *slog.Logger
	// Redis is a former life of this directory: set if it holds a nodes.conf
	// and no metadata.
	Redis *Takeover
	// Export writes the configuration for others to read (nodes.conf); called
	// on its own goroutine, never twice at once.
	Export func(st *fsm.State, self fsm.NodeID) error
	// Deliver takes messages that clients of other nodes have published; nil:
	// none are accepted. It must not block, and may keep neither slice.
	Deliver func(shard bool, channel, message []byte)
	// NewID makes a random 40-character id.
	NewID func() string
	// Guards are rules switched off, in simulations only.
	Guards guards.Set
}

// Takeover is what a Redis node's nodes.conf said of itself and its peers.
type Takeover struct {
	ID      fsm.NodeID
	Shard   fsm.ShardID // "" = none recorded
	Epoch   uint64
	Slots   []slot.Range
	Primary fsm.NodeID            // of a replica
	Peers   map[fsm.NodeID]string // bus addresses of the other nodes
}

// Node is the control plane of one process. New does no I/O; Run owns every
// goroutine. All exported methods may be called from any goroutine.
type Node struct {
	cfg Config
	log *slog.Logger

	id          atomic.Pointer[fsm.NodeID]
	incarnation fsm.Incarnation
	endpoint    *peer.Endpoint
	client      *peer.Client

	// view is the committed configuration this node serves from.
	view    atomic.Pointer[fsm.State]
	changed struct {
		sync.Mutex
		ch chan struct{}
	}

	mu   sync.Mutex
	meta store.Metadata // guarded by mu; saved before it takes effect
	g    *group         // the present membership; nil only before Run

	seal   seal // set while a join is in flight
	moving turn // held while the membership is being replaced
	join   joinState
	// resetting: CLUSTER RESET is leaving the cluster.
	resetting atomic.Bool
	seq       atomic.Uint64
	lease     leaseState
	fences    fenceTable
	soft      softState
	messages  messages
	fatal     chan error
	ready     chan struct{} // closed by onView

	exportMu sync.Mutex
	coverage coverageCache

	ctx context.Context // of Run
	wg  sync.WaitGroup
	rng struct {
		sync.Mutex
		*mrand.Rand
	}
}

// New prepares a node. It does no I/O.
func New(cfg Config) *Node {
	if cfg.Rand == nil {
		cfg.Rand = systemRandom
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return randomID(cfg.Rand) }
	}
	n := &Node{cfg: cfg, log: cfg.Log, fatal: make(chan error, 1), ready: make(chan struct{})}
	n.rng.Rand = mrand.New(mrand.NewPCG(cfg.Rand(), cfg.Rand()))
	n.changed.ch = make(chan struct{})
	n.moving = newTurn()
	n.view.Store(fsm.Empty())
	n.soft.init()
	n.lease.init(cfg.Clock)
	return n
}

func systemRandom() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("random source: " + err.Error()) // never returns an error since Go 1.24
	}
	return binary.LittleEndian.Uint64(b[:])
}

func randomID(r func() uint64) string {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], r())
	binary.LittleEndian.PutUint64(b[8:], r())
	binary.LittleEndian.PutUint64(b[16:], r())
	return hex.EncodeToString(b[:20])
}

// Self is this node's id.
func (n *Node) Self() fsm.NodeID {
	if id := n.id.Load(); id != nil {
		return *id
	}
	return ""
}

// Incarnation is this process start.
func (n *Node) Incarnation() fsm.Incarnation { return n.incarnation }

// View is the committed configuration as far as this node has it. Immutable.
func (n *Node) View() *fsm.State { return n.view.Load() }

// Changed returns a channel that closes at the next change of the view.
func (n *Node) Changed() <-chan struct{} {
	n.changed.Lock()
	defer n.changed.Unlock()
	return n.changed.ch
}

// Ready closes once the node has a view that lists it.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// publish makes st the view if it is newer, within the same membership.
func (n *Node) publish(g *group, st *fsm.State) {
	n.changed.Lock()
	defer n.changed.Unlock()
	if n.view.Load() == st || g.retired.Load() {
		return
	}
	if st.Index() > 0 && st.ClusterID() != "" && st.ClusterID() != g.cluster {
		n.fail(fmt.Errorf("the log of cluster %s holds the configuration of cluster %s", g.cluster, st.ClusterID()))
		return
	}
	if old := n.view.Load(); old.ClusterID() == st.ClusterID() && !newer(st, old) {
		return
	}
	n.view.Store(st)
	n.onView(st)
	close(n.changed.ch)
	n.changed.ch = make(chan struct{})
}

// newer orders states of one cluster: a history rebuilt after a lost quorum
// comes after everything of the one before.
func newer(a, b *fsm.State) bool {
	if a.RecoveryEpoch() != b.RecoveryEpoch() {
		return a.RecoveryEpoch() > b.RecoveryEpoch()
	}
	return a.Index() > b.Index()
}

// waitView blocks until cond holds for the view or ctx ends.
func (n *Node) waitView(ctx context.Context, cond func(*fsm.State) bool) error {
	for {
		ch := n.Changed()
		if cond(n.View()) {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *Node) jitter(d time.Duration) time.Duration {
	n.rng.Lock()
	defer n.rng.Unlock()
	return d/2 + time.Duration(n.rng.Int64N(int64(d)))
}

// fail stops the node for good: what it would do next could diverge or lose.
func (n *Node) fail(err error) {
	select {
	case n.fatal <- err:
	default:
	}
}

// group returns the present membership.
func (n *Node) group() *group {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.g
}

// saveMeta changes the durable record; nothing takes effect before it is on
// disk. The caller holds n.mu.
func (n *Node) saveMetaLocked(change func(*store.Metadata)) error {
	m := n.meta.Clone()
	change(&m)
	if err := n.cfg.Meta.Save(m); err != nil {
		err = fmt.Errorf("save node record: %w", err)
		n.fail(err)
		return err
	}
	n.meta = m
	return nil
}

// Run starts the control plane and returns when ctx ends or the node must not
// go on. It has released everything it opened when it returns.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	n.ctx = ctx
	// Every goroutine sees the context end before anything is waited for.
	defer n.wg.Wait()
	defer cancel()

	if err := n.openMeta(); err != nil {
		return err
	}
	n.endpoint = peer.New(peer.Config{
		Self: n.identity, Secret: n.cfg.Secret, Network: n.cfg.Network,
		Log: n.log.With("sub", "bus"), Admit: n.admit,
	})
	n.client = peer.NewClient(n.endpoint)
	defer n.client.Close()
	if err := n.register(); err != nil {
		return err
	}

	g, err := n.firstGroup()
	if err != nil {
		return err
	}
	// Whatever runs now may still replace the membership; once the context has
	// ended it starts nothing in a new one.
	defer func() {
		cancel()
		n.group().stop()
	}()
	ln, err := n.cfg.Network.Listen(n.cfg.BusAddr)
	if err != nil {
		return fmt.Errorf("listen on the cluster bus %s: %w", n.cfg.BusAddr, err)
	}
	n.wg.Go(func() {
		if err := n.endpoint.Serve(ctx, ln); err != nil && ctx.Err() == nil {
			n.fail(fmt.Errorf("cluster bus: %w", err))
		}
	})
	if err := g.start(); err != nil {
		return err
	}
	n.messages.begin(ctx)
	defer func() {
		cancel()
		n.messages.end()
	}()
	n.wg.Go(func() { n.announceLoop(ctx) })
	n.wg.Go(func() { n.heartbeatLoop(ctx) })
	n.wg.Go(func() { n.exportLoop(ctx) })
	n.wg.Go(func() { n.resumeJoin(ctx) })

	select {
	case <-ctx.Done():
		n.handLeadershipOver()
		return nil
	case err := <-n.fatal:
		return err
	}
}

// openMeta loads or creates the node's identity and burns a new incarnation.
func (n *Node) openMeta() error {
	m, err := n.cfg.Meta.Load()
	if err != nil {
		return fmt.Errorf("load node record: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.meta = m
	err = n.saveMetaLocked(func(m *store.Metadata) {
		if m.NodeID == "" {
			m.NodeID = fsm.NodeID(n.cfg.NewID())
			m.ShardID = fsm.ShardID(n.cfg.NewID())
			if t := n.cfg.Redis; t != nil {
				m.NodeID = t.ID
				if t.Shard != "" {
					m.ShardID = t.Shard
				}
			}
		}
		m.IncarnationCount++
	})
	if err != nil {
		return err
	}
	n.incarnation = fsm.Incarnation{Count: n.meta.IncarnationCount, Random: n.cfg.Rand()}
	id := n.meta.NodeID
	n.id.Store(&id)
	return nil
}

// identity is what the handshake tells the other side.
func (n *Node) identity() peer.Identity {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := peer.Identity{
		ClusterID: n.meta.Membership.ClusterID, Recovery: n.meta.Membership.Recovery,
		Node: n.meta.NodeID, Attempt: n.meta.Membership.Attempt, Incarnation: n.incarnation,
	}
	if n.g != nil {
		id.Generation = n.g.generation()
	}
	return id
}

// admit decides whether a connection of a kind may be opened by a node.
func (n *Node) admit(kind peer.Kind, remote peer.Identity, want peer.Want) error {
	if kind == peer.KindRPC {
		return nil // each method decides: strangers may say hello
	}
	me := n.identity()
	if remote.ClusterID != me.ClusterID {
		return peer.ErrWrongCluster
	}
	// After a lost quorum was rebuilt, survivors of the former history must
	// not take part in the new one; they may follow it.
	if kind == peer.KindRaft && remote.Recovery != me.Recovery && !n.off(guards.History) {
		return peer.ErrOldHistory
	}
	return nil
}

// bus address helpers

// addrOf is where a member's bus answers: as it last called us, or as the
// configuration or the saved peer list has it.
func (n *Node) addrOf(id fsm.NodeID) (string, bool) {
	if r := n.View().Node(id); r != nil && r.IP != "" && r.BusPort != 0 {
		// Nobody leads: the node may have moved and called from elsewhere.
		if hint, ok := n.soft.hint(id); ok && !n.soft.controlPlaneOK(n.cfg.Clock.Mono(), 2*time.Second) {
			return hint, true
		}
		return net.JoinHostPort(r.IP, strconv.Itoa(int(r.BusPort))), true
	}
	if hint, ok := n.soft.hint(id); ok {
		return hint, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.meta.Membership.Peers {
		if p.ID == id {
			return p.Addr, true
		}
	}
	return "", false
}

// call runs one RPC against a member of our cluster.
func (n *Node) call(ctx context.Context, to fsm.NodeID, method string, in, out any) error {
	addr, ok := n.addrOf(to)
	if !ok {
		return fmt.Errorf("%w: no address of node %s", peer.ErrNotSent, to)
	}
	return n.client.Call(ctx, addr, peer.Want{Node: to}, method, in, out)
}

// record is this node's own description for the configuration.
func (n *Node) record(attempt uint64) fsm.Node {
	s := n.cfg.Settings()
	n.mu.Lock()
	defer n.mu.Unlock()
	r := fsm.Node{
		ID: n.meta.NodeID, Attempt: attempt, Incarnation: n.incarnation,
		IP: s.AnnounceIP, Port: s.Port, TLSPort: s.TLSPort, BusPort: s.BusPort,
		Hostname: s.Hostname, HumanName: s.HumanName, Zone: s.Zone,
		TimeoutMs: uint64(s.NodeTimeout.Milliseconds()), Shard: n.meta.ShardID,
	}
	if s.NoFailover {
		r.Flags |= fsm.NoFailover
	}
	if s.Witness {
		r.Flags |= fsm.Witness
	}
	if r.IP == "" {
		r.IP = n.soft.learnedIP()
	}
	return r
}

// peersOf lists the bus addresses of a state's members, voters first.
func peersOf(st *fsm.State) []peerAddr {
	var voters, others []peerAddr
	for _, m := range st.Nodes() {
		if m.IP == "" || m.BusPort == 0 {
			continue
		}
		p := peerAddr{m.ID, net.JoinHostPort(m.IP, strconv.Itoa(int(m.BusPort)))}
		if m.Suffrage == fsm.Voter {
			voters = append(voters, p)
		} else {
			others = append(others, p)
		}
	}
	return append(voters, others...)
}

// errNotSent reports that an RPC certainly had no effect.
func notSent(err error) bool { return errors.Is(err, peer.ErrNotSent) }
