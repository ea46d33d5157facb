package raftnode

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"conclave/fsm"
	"conclave/raftnode/peer"
)

// Messages that clients publish go to every node of the cluster, or of a shard,
// at best once: one that can't be sent soon is dropped and counted. After the
// handshake the sender sends frames as the feed's are, one per message: kind,
// u32 length, and as payload the channel's length u32, the channel, the message.
const (
	frameChannel = 'C'
	frameShard   = 'S' // of a shard channel

	maxQueued       = 32 << 20 // bytes that wait for one node
	messageIdle     = time.Minute
	messageTimeout  = 5 * time.Second
	messageRetry    = 200 * time.Millisecond
	messageOverhead = 9 // bytes of a frame beside channel and message
)

// messages are the links to other nodes that carry messages. A link has a
// goroutine that sends what is queued and ends when nothing has been for a while,
// or when Run ends.
type messages struct {
	dropped atomic.Uint64

	mu    sync.Mutex
	ctx   context.Context // of Run; nil: nothing is sent
	links map[fsm.NodeID]*messageLink
	wg    sync.WaitGroup
}

// messageLink is what waits for one node. Guarded by the mutex of messages: all
// but wake.
type messageLink struct {
	queue [][]byte // frames, shared between links
	size  int
	wake  chan struct{}
}

// begin lets messages be sent until end.
func (m *messages) begin(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ctx, m.links = ctx, map[fsm.NodeID]*messageLink{}
}

// end waits for the links, whose context has ended.
func (m *messages) end() {
	m.mu.Lock()
	m.ctx = nil
	m.mu.Unlock()
	m.wg.Wait()
}

// Publish sends a message to the other nodes of the cluster, or of this node's
// shard, whose Config.Deliver is called with it. It never blocks, and keeps
// neither slice.
func (n *Node) Publish(shard bool, channel, message []byte) {
	st := n.View()
	self := st.Node(n.Self())
	if self == nil || len(st.Nodes()) < 2 {
		return
	}
	var frame []byte
	for _, to := range st.Nodes() {
		if to.ID == self.ID || shard && to.Shard != self.Shard {
			continue
		}
		if frame == nil {
			if messageOverhead+len(channel)+len(message) > maxFrame {
				n.messages.dropped.Add(1)
				return
			}
			frame = appendMessage(nil, shard, channel, message)
		}
		n.messages.queue(n, to.ID, frame)
	}
}

func appendMessage(b []byte, shard bool, channel, message []byte) []byte {
	kind := byte(frameChannel)
	if shard {
		kind = frameShard
	}
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(channel)+len(message)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(channel)))
	return append(append(b, channel...), message...)
}

// parseMessage takes the payload of a frame apart.
func parseMessage(p []byte) (channel, message []byte, err error) {
	if len(p) < 4 || uint64(binary.BigEndian.Uint32(p)) > uint64(len(p)-4) {
		return nil, nil, errors.New("malformed message frame")
	}
	size := 4 + int(binary.BigEndian.Uint32(p))
	return p[4:size], p[size:], nil
}

// queue adds a frame to a link. A frame is taken whatever its size if nothing
// else waits.
func (m *messages) queue(n *Node, to fsm.NodeID, frame []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx == nil {
		return
	}
	l := m.links[to]
	if l == nil {
		l = &messageLink{wake: make(chan struct{}, 1)}
		m.links[to] = l
		ctx := m.ctx
		m.wg.Go(func() { n.sendMessages(ctx, to, l) })
	}
	if l.size > 0 && l.size+len(frame) > maxQueued {
		m.dropped.Add(1)
		return
	}
	l.queue = append(l.queue, frame)
	l.size += len(frame)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take is what waits.
func (m *messages) take(l *messageLink) [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := l.queue
	l.queue, l.size = nil, 0
	return q
}

// retire removes a link on which nothing waits.
func (m *messages) retire(to fsm.NodeID, l *messageLink) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(l.queue) > 0 {
		return false
	}
	delete(m.links, to)
	return true
}

// sendMessages is the goroutine of a link.
func (n *Node) sendMessages(ctx context.Context, to fsm.NodeID, l *messageLink) {
	m := &n.messages
	var c *peer.Conn
	hangUp := func() {
		if c != nil {
			c.Close()
			c = nil
		}
	}
	defer hangUp()
	idle := time.NewTimer(messageIdle)
	defer idle.Stop()
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		case <-idle.C:
			if m.retire(to, l) {
				return
			}
		}
		idle.Reset(messageIdle)
		if c != nil && !n.stillSame(c) {
			hangUp()
		}
		if c == nil {
			var err error
			if c, err = n.dialMessages(ctx, to); err != nil {
				m.dropped.Add(uint64(len(m.take(l))))
				if !sleepCtx(ctx, n.jitter(messageRetry)) {
					return
				}
				continue
			}
		}
		q := m.take(l)
		if !send(c, q) {
			m.dropped.Add(uint64(len(q))) // some of them may have arrived
			hangUp()
			continue
		}
		n.endpoint.Count(uint64(len(q)), 0)
	}
}

// stillSame reports whether a connection was opened by the member that this node
// is now.
func (n *Node) stillSame(c *peer.Conn) bool {
	return c.Local.ClusterID == n.identity().ClusterID
}

func (n *Node) dialMessages(ctx context.Context, to fsm.NodeID) (*peer.Conn, error) {
	addr, ok := n.addrOf(to)
	if !ok {
		return nil, errors.New("no address")
	}
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	c, err := n.endpoint.Dial(ctx, addr, peer.KindMessages, peer.Want{ClusterID: n.identity().ClusterID, Node: to})
	if err != nil {
		n.log.Debug("messages can't be sent", "to", to, "err", err)
	}
	return c, err
}

func send(c net.Conn, frames [][]byte) bool {
	w := bufio.NewWriterSize(c, 64<<10)
	for _, f := range frames {
		c.SetWriteDeadline(time.Now().Add(messageTimeout)) // a failure shows when writing,
		w.Write(f)                                         // and that one at Flush
	}
	return w.Flush() == nil
}

// serveMessages delivers what one node sends until it goes away.
func (n *Node) serveMessages(ctx context.Context, c *peer.Conn) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	r := bufio.NewReaderSize(c, 64<<10)
	var buf []byte
	for {
		c.SetReadDeadline(time.Now().Add(2 * messageIdle)) // a failure shows when reading
		kind, p, err := readFrame(r, buf)
		if err != nil {
			return
		}
		if buf = p; cap(buf) > 1<<20 {
			buf = nil
		}
		channel, message, err := parseMessage(p)
		if err != nil || kind != frameChannel && kind != frameShard {
			n.log.Warn("message link dropped", "node", c.Remote.Node, "err", err)
			return
		}
		if n.View().Node(c.Remote.Node) == nil || n.identity().ClusterID != c.Remote.ClusterID {
			return // one of us has left the cluster
		}
		n.endpoint.Count(0, 1)
		n.cfg.Deliver(kind == frameShard, channel, message)
	}
}
