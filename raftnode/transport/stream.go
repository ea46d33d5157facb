package transport

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/peer"
)

// stream is a raft.StreamLayer over an endpoint's Raft connections.
type stream struct {
	endpoint *peer.Endpoint
	cluster  string
	self     raft.ServerAddress
	resolve  func(fsm.NodeID, uint64) (string, bool)

	accept chan net.Conn
	ctx    context.Context // ends with the stream
	cancel context.CancelFunc

	mu     sync.Mutex
	conns  map[*raftConn]struct{}
	closed bool
	wg     sync.WaitGroup // accepted connections the library still has
}

var _ raft.StreamLayer = (*stream)(nil)

// raftConn is a connection that ends with the stream. The library closes the
// accepted ones as its last act on them.
type raftConn struct {
	*peer.Conn
	owner    *stream
	accepted bool
	once     sync.Once
	freed    chan struct{} // closed by Close
}

// Close implements net.Conn.
func (c *raftConn) Close() error {
	c.once.Do(func() {
		c.owner.forget(c)
		close(c.freed)
		if c.accepted {
			c.owner.wg.Done()
		}
	})
	return c.Conn.Close()
}

// track adds a connection; nil if the stream has ended.
func (s *stream) track(c *peer.Conn, accepted bool) *raftConn {
	rc := &raftConn{Conn: c, owner: s, accepted: accepted, freed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.conns[rc] = struct{}{}
	if accepted {
		s.wg.Add(1)
	}
	return rc
}

func (s *stream) forget(c *raftConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// serve is the endpoint's handler: it hands the connection to Accept and
// returns when the library is through with it.
func (s *stream) serve(ctx context.Context, c *peer.Conn) {
	_, gen, _ := ParseAddress(s.self)
	if c.Remote.ClusterID != s.cluster || c.Want.ClusterID != s.cluster || c.Want.Generation != gen {
		return
	}
	rc := s.track(c, true)
	if rc == nil {
		return
	}
	select {
	case s.accept <- rc:
		<-rc.freed
	case <-s.ctx.Done():
		rc.Close()
	case <-ctx.Done():
		rc.Close()
	}
}

// Accept implements net.Listener.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.accept:
		return c, nil
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: it ends all connections, dialled ones too.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	all := make([]*raftConn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	s.cancel()
	for _, c := range all {
		c.Conn.Close()
	}
	return nil
}

// Addr implements net.Listener: what followers show as the leader's address.
func (s *stream) Addr() net.Addr { return name(s.self) }

// Dial implements raft.StreamLayer.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id, gen, ok := ParseAddress(address)
	if !ok {
		return nil, fmt.Errorf("raft address %q is no node id and generation", address)
	}
	addr, ok := s.resolve(id, gen)
	if !ok {
		return nil, fmt.Errorf("no bus address of node %s is known", id)
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	c, err := s.endpoint.Dial(ctx, addr, peer.KindRaft, peer.Want{ClusterID: s.cluster, Node: id, Generation: gen})
	if err != nil {
		return nil, err
	}
	rc := s.track(c, false)
	if rc == nil {
		c.Close()
		return nil, net.ErrClosed
	}
	return rc, nil
}
