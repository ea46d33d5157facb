package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/peer"
	"conclave/raftnode/raftlog"
)

// rpcTimeout bounds one RPC: a half-dead peer holds a replication goroutine as
// long. Snapshots get more, by their size.
const rpcTimeout = 2 * time.Second

// ErrStalled: our own disk hangs, so we don't keep others quiet.
var ErrStalled = errors.New("own disk stalled: append withheld")

// ErrStaleTail is what a leader is told whose snapshot conflicts with our log.
var ErrStaleTail = errors.New("the snapshot conflicts with an uncommitted tail, which is being cut")

// Config is what a Transport is made of. Endpoint, Self, Want and Resolve are
// required.
type Config struct {
	Endpoint *peer.Endpoint
	Self     string // own Raft server id, "<node id>.<generation>"
	Want     string // the cluster
	// Resolve finds a node's bus address when it is dialled.
	Resolve func(id fsm.NodeID, generation uint64) (addr string, ok bool)
	// Stalled reports that the running write to the own log takes too long.
	Stalled func() bool
	// Entries is the own log, looked at when a snapshot arrives. nil leaves
	// the guards against conflicting tails off.
	Entries raft.LogStore
	Log     *slog.Logger
}

// Transport implements raft.Transport for one Raft instance.
type Transport struct {
	*raft.NetworkTransport // carries the RPCs, pre-vote included
	cfg                    Config
	stream                 *stream
	consume                chan raft.RPC
	stale                  chan uint64
	unhandle               func()
	close                  sync.Once
	ctx                    context.Context
	cancel                 context.CancelFunc
	wg                     sync.WaitGroup
}

// Without pre-vote a returning node would depose every leader it meets, and
// the library doesn't complain when it is missing.
var (
	_ raft.Transport   = (*Transport)(nil)
	_ raft.WithPreVote = (*Transport)(nil)
	_ raft.WithClose   = (*Transport)(nil)
)

// New starts a transport. Raft's Shutdown closes it; closing it again does no
// harm, and must be done if Raft was never started.
func New(cfg Config) *Transport {
	if cfg.Stalled == nil {
		cfg.Stalled = func() bool { return false }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Transport{cfg: cfg, consume: make(chan raft.RPC), stale: make(chan uint64, 1)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.stream = &stream{
		endpoint: cfg.Endpoint, cluster: cfg.Want, self: raft.ServerAddress(cfg.Self),
		resolve: cfg.Resolve, accept: make(chan net.Conn), conns: map[*raftConn]struct{}{},
	}
	t.stream.ctx, t.stream.cancel = context.WithCancel(t.ctx)
	t.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  t.stream,
		MaxPool: 3,
		// Pipelining off: it would feed followers past AppendEntries below.
		MaxRPCsInFlight:         1,
		Timeout:                 rpcTimeout,
		MsgpackUseNewTimeFormat: true,
		Logger:                  raftlog.New(quiet(cfg.Log)).Named("net"),
	})
	t.wg.Go(t.forward)
	t.unhandle = cfg.Endpoint.Handle(peer.KindRaft, func(ctx context.Context, c *peer.Conn) {
		t.stream.serve(ctx, c)
	})
	return t
}

// Close ends the transport and waits for its goroutines.
func (t *Transport) Close() error {
	t.close.Do(func() {
		t.unhandle()
		t.cancel()
		_ = t.NetworkTransport.Close() // always nil
		t.CloseStreams()               // pooled connections
	})
	t.wg.Wait()
	t.stream.wg.Wait()
	return nil
}

// Consumer implements raft.Transport.
func (t *Transport) Consumer() <-chan raft.RPC { return t.consume }

// SetHeartbeatHandler implements raft.Transport by ignoring the fast path
// (raft #695; drop when a release has the fix).
func (t *Transport) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntries implements raft.Transport.
func (t *Transport) AppendEntries(id raft.ServerID, a raft.ServerAddress, q *raft.AppendEntriesRequest, p *raft.AppendEntriesResponse) error {
	if t.cfg.Stalled() {
		return ErrStalled
	}
	return t.counted(t.NetworkTransport.AppendEntries(id, a, q, p))
}

// RequestVote implements raft.Transport.
func (t *Transport) RequestVote(id raft.ServerID, a raft.ServerAddress, q *raft.RequestVoteRequest, p *raft.RequestVoteResponse) error {
	return t.counted(t.NetworkTransport.RequestVote(id, a, q, p))
}

// RequestPreVote implements raft.WithPreVote.
func (t *Transport) RequestPreVote(id raft.ServerID, a raft.ServerAddress, q *raft.RequestPreVoteRequest, p *raft.RequestPreVoteResponse) error {
	return t.counted(t.NetworkTransport.RequestPreVote(id, a, q, p))
}

// counted counts an RPC that had an answer.
func (t *Transport) counted(err error) error {
	if err == nil {
		t.cfg.Endpoint.Count(1, 1)
	}
	return err
}

// Inject puts an RPC before the local Raft as if a peer had sent it; the answer
// is dropped.
func (t *Transport) Inject(command any) {
	t.wg.Go(func() {
		t.deliver(raft.RPC{Command: command, Reader: noData{}, RespChan: make(chan raft.RPCResponse, 1)})
	})
}

type noData struct{}

func (noData) Read([]byte) (int, error) { return 0, io.EOF }

// deliver hands an RPC to Raft; false if the transport ended first.
func (t *Transport) deliver(rpc raft.RPC) bool {
	select {
	case t.consume <- rpc:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// forward brings RPCs from the network to Raft, past the guards.
func (t *Transport) forward() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			t.cfg.Endpoint.Count(1, 1)
			if q, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok && t.cfg.Entries != nil {
				t.install(q, rpc)
				continue
			}
			if !t.deliver(rpc) {
				return
			}
		case <-t.ctx.Done():
			return
		}
	}
}
