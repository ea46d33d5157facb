package raftnode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"conclave/fsm"
	"conclave/raftnode/peer"
)

// The stream from a voter to an observer, after the handshake. The observer
// sends one u64 (big endian): its config index. The voter sends frames: one
// byte kind, u32 length, payload.
//
//	'S'  the whole state, as fsm.State.Encode writes it
//	'E'  u64 previous config index, u64 index, the encoded entry
//	'P'  u64 term, u64 commit index, the leader's node id (or nothing)
const (
	frameState = 'S'
	frameEntry = 'E'
	framePing  = 'P'

	maxFrame    = 64 << 20 // far above a state of 1,000 nodes
	pingEvery   = 250 * time.Millisecond
	feedTimeout = 2 * time.Second
)

// serveFeed streams to one observer until it goes away.
func (n *Node) serveFeed(ctx context.Context, c *peer.Conn) {
	defer c.Close()
	g := n.group()
	if g == nil {
		return
	}
	v := g.raft()
	if v == nil {
		return
	}
	var b [8]byte
	if err := c.SetReadDeadline(time.Now().Add(feedTimeout)); err != nil {
		return
	}
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return
	}
	index := binary.BigEndian.Uint64(b[:])
	w := bufio.NewWriterSize(c, 64<<10)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	first := true
	for {
		entries, whole, more := g.front.since(index)
		switch {
		case whole != nil && whole.Index() == 0:
			// Nothing replayed yet: nothing to tell.
		case whole != nil:
			var buf bytes.Buffer
			if err := whole.Encode(&buf); err != nil {
				n.log.Error("encode state for an observer", "err", err)
				return
			}
			writeFrame(w, frameState, buf.Bytes())
			index = whole.Index()
		default:
			for _, e := range entries {
				var h [16]byte
				binary.BigEndian.PutUint64(h[:], e.prev)
				binary.BigEndian.PutUint64(h[8:], e.index)
				writeFrame(w, frameEntry, h[:], e.data)
				index = e.index
			}
		}
		if first || len(entries) == 0 && whole == nil {
			var h [16]byte
			binary.BigEndian.PutUint64(h[:], v.raft.CurrentTerm())
			binary.BigEndian.PutUint64(h[8:], v.raft.CommitIndex())
			writeFrame(w, framePing, h[:], []byte(g.leader()))
			first = false
		}
		if err := c.SetWriteDeadline(time.Now().Add(feedTimeout)); err != nil {
			return
		}
		if err := w.Flush(); err != nil {
			return
		}
		if g.raft() != v || g.retired.Load() {
			return
		}
		select {
		case <-more:
		case <-ping.C:
		case <-ctx.Done():
			return
		case <-g.ctx.Done():
			return
		}
	}
}

func writeFrame(w *bufio.Writer, kind byte, parts ...[]byte) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	var h [5]byte
	h[0] = kind
	binary.BigEndian.PutUint32(h[1:], uint32(size))
	w.Write(h[:]) // a failed write shows at Flush
	for _, p := range parts {
		w.Write(p)
	}
}

func readFrame(r *bufio.Reader, buf []byte) (kind byte, payload []byte, err error) {
	var h [5]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	size := int(binary.BigEndian.Uint32(h[1:]))
	if size > maxFrame {
		return 0, nil, fmt.Errorf("frame of %d bytes", size)
	}
	// Grown as bytes arrive: a length alone allocates no more than a chunk.
	buf = buf[:0]
	for len(buf) < size {
		n := min(size-len(buf), 1<<20)
		start := len(buf)
		buf = append(buf, make([]byte, n)...)
		if _, err := io.ReadFull(r, buf[start:]); err != nil {
			return 0, nil, err
		}
	}
	return h[0], buf, nil
}

// observe keeps the front fed by another voter while this node doesn't lead:
// an observer by any, a voter by the leader.
func (g *group) observe(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		if _, leads := g.leads(); leads {
			// Nobody knows earlier what is committed.
			if !sleepCtx(ctx, pingEvery) {
				return
			}
			continue
		}
		addr, id := g.feeder(i)
		if addr == "" {
			if !sleepCtx(ctx, pingEvery) {
				return
			}
			continue
		}
		err := g.followOne(ctx, addr, id)
		if err != nil && ctx.Err() == nil {
			g.n.log.Debug("observer stream ended", "from", addr, "err", err)
		}
		if !sleepCtx(ctx, g.n.jitter(50*time.Millisecond)) {
			return
		}
	}
}

// feeder picks whom to follow. A voter follows the leader; an observer a random
// voter of its view, or, while none is known and every fourth time, the saved
// peers (voters stand first) and the seeds in turn.
func (g *group) feeder(i int) (string, fsm.NodeID) {
	n := g.n
	if g.votes() {
		id := g.leader()
		if id == "" || id == n.Self() {
			return "", ""
		}
		addr, _ := n.addrOf(id)
		return addr, id
	}
	var all []peerAddr
	for _, m := range n.View().Nodes() {
		if m.Suffrage == fsm.Voter && m.ID != n.Self() {
			if a, ok := n.addrOf(m.ID); ok {
				all = append(all, peerAddr{m.ID, a})
			}
		}
	}
	known := len(all) > 0 && i%4 != 3
	if !known {
		n.mu.Lock()
		for _, p := range n.meta.Membership.Peers {
			if p.ID != n.meta.NodeID {
				all = append(all, peerAddr{p.ID, p.Addr})
			}
		}
		n.mu.Unlock()
		all = append(all, n.soft.hinted()...)
		for _, s := range n.cfg.Settings().Seeds {
			all = append(all, peerAddr{"", s})
		}
	}
	if len(all) == 0 {
		return "", ""
	}
	if !known {
		p := all[i%len(all)]
		return p.Addr, p.ID
	}
	n.rng.Lock()
	defer n.rng.Unlock()
	p := all[n.rng.IntN(len(all))]
	return p.Addr, p.ID
}

// votes reports whether this node is a full voter, not one that catches up.
func (g *group) votes() bool {
	v := g.raft()
	r := g.n.View().Node(g.n.Self())
	return v != nil && r != nil && r.Suffrage == fsm.Voter && r.Generation == v.gen
}

var errGap = errors.New("gap in the stream")

// followOne follows one voter until the stream breaks or Raft takes over.
func (g *group) followOne(ctx context.Context, addr string, id fsm.NodeID) error {
	dctx, cancel := context.WithTimeout(ctx, feedTimeout)
	c, err := g.n.endpoint.Dial(dctx, addr, peer.KindStream, peer.Want{ClusterID: g.cluster, Node: id})
	cancel()
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })
	defer stop()
	from := g.front.current().Index()
	if c.Remote.Recovery > g.front.current().RecoveryEpoch() {
		from = 0 // what was applied here may not be part of the rebuilt history
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], from)
	if _, err := c.Write(b[:]); err != nil {
		return err
	}
	r := bufio.NewReaderSize(c, 64<<10)
	var buf []byte
	for {
		if _, leads := g.leads(); leads || g.votes() && g.leader() != id {
			return nil
		}
		if err := c.SetReadDeadline(time.Now().Add(feedTimeout)); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err // its deadline may just have been replaced by ours
		}
		kind, p, err := readFrame(r, buf)
		if err != nil {
			return err
		}
		buf = p
		if err := g.takeFrame(kind, p); err != nil {
			return err
		}
	}
}

func (g *group) takeFrame(kind byte, p []byte) error {
	n := g.n
	switch kind {
	case frameState:
		st, err := fsm.Decode(bytes.NewReader(p))
		if err != nil {
			return fmt.Errorf("decode streamed state: %w", err)
		}
		if st.ClusterID() != g.cluster {
			return fmt.Errorf("streamed state of cluster %s", st.ClusterID())
		}
		g.front.adopt(st, nil)
	case frameEntry:
		if len(p) < 16 {
			return errors.New("short entry frame")
		}
		e := feedEntry{binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:]), bytes.Clone(p[16:])}
		ok, err := g.front.follow(e)
		if err != nil {
			n.fail(err)
			return err
		}
		if !ok {
			return errGap
		}
	case framePing:
		if len(p) < 16 {
			return errors.New("short ping frame")
		}
		g.mu.Lock()
		g.feedTerm, g.feedCommit = binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:])
		g.feedLeader = fsm.NodeID(p[16:])
		g.feedHeard = n.cfg.Clock.Mono()
		g.mu.Unlock()
	default:
		return fmt.Errorf("frame of unknown kind %q", kind)
	}
	return nil
}

// sleepCtx waits; false if ctx ended first.
func sleepCtx(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// hostOf is the host part of a remote address; "" for pipes.
func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return h
}
