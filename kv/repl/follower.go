package repl

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/resp/command"
)

// Conn is a client's connection, as replication needs it. Sessions of resp/server
// are such; see there for what who may call.
type Conn interface {
	command.Session
	Addr() string
	Context() context.Context
	StartReplica() bool
	Send(b []byte) error
	Unsent() int
	Drained() <-chan struct{}
	Kill()
}

// state is how far a connection is on its way to be a replica.
type state int

const (
	announced state = iota // has said something about itself
	waits                  // for a full synchronisation to begin
	spooling               // for the file it is going to be sent
	loading                // is sent the data
	following              // is sent the stream
)

func (s state) String() string {
	switch s {
	case waits, spooling:
		return "wait_bgsave"
	case loading:
		return "send_bulk"
	}
	return "online"
}

// follower is a replica of this node.
type follower struct {
	conn Conn
	wake chan struct{} // one token: there is something to send
	acks chan struct{} // one token: it has acknowledged something
	// hurry gets a token when somebody waits for what is to be sent.
	hurry chan struct{}

	// Guarded by Node.mu.
	state   state
	ip      string
	port    int
	eof     bool // understands data of which the length isn't known before
	psync   bool // asked with PSYNC
	onlyRDB bool // wants the data, not the stream
	since   time.Time
	slow    time.Time // since when it is behind more than the soft limit

	sendMu sync.Mutex // of who sends a newline, and who begins to send data

	cur    cursor       // of the goroutine that sends
	sent   atomic.Int64 // offset of cur; what is before it has been handed to the socket
	acked  atomic.Int64
	ackAt  atomic.Int64 // Unix ms of the last thing heard from it
	online atomic.Bool
}

// peer is what is known of a connection that talks about replication.
func (n *Node) peer(conn Conn) *follower {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f := n.peers[conn.ID()]; f != nil {
		return f
	}
	f := &follower{conn: conn, wake: make(chan struct{}, 1), acks: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
	if host, _, err := net.SplitHostPort(conn.Addr()); err == nil {
		f.ip = host
	}
	n.peers[conn.ID()] = f
	context.AfterFunc(conn.Context(), func() { n.drop(f) })
	return f
}

// known is peer, but nil for a connection that hasn't talked of it before.
func (n *Node) knownPeer(id uint64) *follower {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peers[id]
}

// drop forgets a connection that has ended.
func (n *Node) drop(f *follower) {
	n.mu.Lock()
	was := f.state
	delete(n.peers, f.conn.ID())
	n.mu.Unlock()
	if was != announced {
		n.log.Info("replica gone", "addr", f.conn.Addr())
		n.look(time.Now())
	}
}

// heard notes an acknowledgement.
func (n *Node) heard(f *follower, offset int64) {
	f.ackAt.Store(time.Now().UnixMilli())
	if offset > f.acked.Load() {
		f.acked.Store(offset)
	}
	f.online.Store(true)
	token(f.acks)
	n.mu.Lock()
	for _, w := range n.waits {
		token(w)
	}
	n.mu.Unlock()
}

// send hands bytes to the replica's socket, and waits until it has taken most of
// them. It reports whether the replica is still there.
func (n *Node) send(f *follower, b []byte) bool {
	const unsent = 256 << 10
	if len(b) == 0 {
		return true
	}
	if f.conn.Send(b) != nil {
		f.conn.Kill()
		return false
	}
	for f.conn.Unsent() > unsent {
		stuck := time.NewTimer(n.cfg.Settings().Timeout)
		select {
		case <-f.conn.Drained():
			stuck.Stop()
		case <-stuck.C:
			n.log.Warn("replica disconnected: it doesn't read", "addr", f.conn.Addr())
			f.conn.Kill()
			return false
		case <-f.conn.Context().Done():
			stuck.Stop()
			return false
		case <-n.ctx.Done():
			stuck.Stop()
			return false
		}
	}
	return true
}

// newline keeps a connection alive that waits for data.
func (f *follower) newline(n *Node) {
	f.sendMu.Lock()
	defer f.sendMu.Unlock()
	n.mu.Lock()
	ok := f.state == waits || f.state == spooling
	n.mu.Unlock()
	if ok && f.conn.Unsent() == 0 {
		if f.conn.Send([]byte("\n")) != nil {
			f.conn.Kill()
		}
	}
}

// enter changes the state, once nobody sends newlines any more.
func (n *Node) enter(f *follower, to state) {
	f.sendMu.Lock()
	defer f.sendMu.Unlock()
	n.mu.Lock()
	f.state = to
	n.mu.Unlock()
}

// gatherFor is how long more is gathered before it is sent, unless somebody waits
// for it: a call by itself costs many times what it does among others.
const gatherFor = time.Millisecond

// follow sends the stream from the cursor on, until the connection ends.
func (n *Node) follow(f *follower) {
	f.ackAt.Store(time.Now().UnixMilli())
	n.enter(f, following)
	n.look(time.Now())
	gather := time.NewTimer(gatherFor)
	defer gather.Stop()
	for {
		b := n.stream.next(&f.cur, f.wake)
		if b == nil {
			select {
			case <-f.wake:
			case <-f.conn.Context().Done():
				return
			case <-n.ctx.Done():
				return
			}
			if n.waiting.Load() == 0 {
				gather.Reset(gatherFor)
				select {
				case <-gather.C:
				case <-f.hurry:
					gather.Stop()
				case <-f.conn.Context().Done():
					return
				case <-n.ctx.Done():
					return
				}
			}
			continue
		}
		if !n.send(f, b) {
			return
		}
		f.sent.Store(f.cur.offset())
	}
}

// look counts the replicas that keep up and ends connections of those that don't.
func (n *Node) look(now time.Time) {
	set := n.cfg.Settings()
	end := n.stream.offset()
	var good int32
	var lost []*follower
	n.mu.Lock()
	for _, f := range n.peers {
		if f.state == announced {
			continue
		}
		silent := now.Sub(time.UnixMilli(f.ackAt.Load()))
		if f.state == following && silent <= set.MaxLag+time.Second-1 {
			good++
		}
		var behind int64
		if f.state != waits {
			behind = end - f.sent.Load() + int64(f.conn.Unsent())
		}
		switch {
		case set.OutputSoft <= 0 || behind <= set.OutputSoft:
			f.slow = time.Time{}
		case f.slow.IsZero():
			f.slow = now
		}
		switch {
		case set.OutputHard > 0 && behind > set.OutputHard,
			!f.slow.IsZero() && now.Sub(f.slow) > set.OutputSoftIn,
			f.state == following && f.psync && silent > set.Timeout:
			lost = append(lost, f)
			n.log.Warn("replica disconnected: it doesn't keep up", "addr", f.conn.Addr(), "behind", behind, "silent", silent)
		}
	}
	n.mu.Unlock()
	n.good.Store(good)
	for _, f := range lost {
		f.conn.Kill()
	}
}

// flushFor is how long a role change waits for what was fed before it to be sent.
const flushFor = 100 * time.Millisecond

// flush waits a moment for the replicas that follow to be sent what was fed.
func (n *Node) flush(all []*follower) {
	end := n.stream.offset()
	behind := func(f *follower) bool {
		n.mu.Lock()
		follows := f.state == following
		n.mu.Unlock()
		return follows && (f.sent.Load() < end || f.conn.Unsent() > 0)
	}
	for until := time.Now().Add(flushFor); slices.ContainsFunc(all, behind) && time.Now().Before(until); {
		for _, f := range all {
			token(f.hurry)
		}
		time.Sleep(time.Millisecond)
	}
}

// disconnect ends the connections of all replicas: their history isn't this
// node's any more.
func (n *Node) disconnect() {
	n.mu.Lock()
	var all []*follower
	for _, f := range n.peers {
		if f.state != announced {
			all = append(all, f)
		}
	}
	n.mu.Unlock()
	n.flush(all)
	for _, f := range all {
		f.conn.Kill()
	}
}
