package repl

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"conclave/kv"
	"conclave/resp/command"
)

// Config is what a Node is made of. Store, Disk and Settings are required.
type Config struct {
	Store *kv.Store
	// Disk is who else is fed.
	Disk command.Feed
	// Data replaces the data.
	Data Data
	// Settings are those in force. Called often.
	Settings func() *Settings
	// Publish passes a message on that the primary sent to its subscribers.
	Publish func(shard bool, channel, message []byte)
	// Applied is called after changes of the primary, with nothing locked.
	Applied func()
	// Dial opens a connection to the primary; nil: over TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// RoleChanged is called after the node became a replica, or ceased to be one.
	RoleChanged func(host string, port int)
	// Version is the version of Redis that files claim to come from.
	Version string
	Log     *slog.Logger
}

// Node is one server's part in replication. Make it with New, then call Use and
// Run.
type Node struct {
	cfg   Config
	log   *slog.Logger
	table *command.Table

	// on: the stream is kept. It changes while every partition is locked, as does
	// replica: this node is one.
	on, replica atomic.Bool
	stream      stream
	waiting     atomic.Int32 // calls of WAIT under way
	good        atomic.Int32 // replicas that keep up, as of the last look
	up          atomic.Bool  // the link to the primary

	wake   chan struct{} // one token: replicas wait for data
	roleMu sync.Mutex    // held while the role changes; before everything else

	mu sync.Mutex
	// Guarded by mu.
	id, id2  string
	second   int64 // offset up to which id2 is the same history, -1: none
	peers    map[uint64]*follower
	waits    []chan struct{} // told of acknowledgements
	lonely   time.Time       // since when there are no replicas
	primary  *link           // nil unless this node is a replica
	known    bool            // id and the stream's offset are a place in the primary's history
	selected int             // database that the primary's stream has selected
	stats    syncStats

	background sync.WaitGroup
	ctx        context.Context
	cancel     context.CancelFunc
}

type syncStats struct{ full, partial, refused int64 }

// Data is where the data of a full synchronisation go.
type Data interface {
	// Sources are the functions that are kept with the data. Every partition is
	// locked.
	Sources() [][]byte
	// Replace forgets the data and loads those of an RDB file, of a size if that
	// is known, else 0. Commands have to wait meanwhile. It returns the database
	// that the file says is selected in the stream, and what was read from src
	// behind the file. No partition is locked.
	Replace(ctx context.Context, src io.Reader, size int64) (streamDB int, rest []byte, err error)
}

// New makes a node, which is a primary. The store is not in use yet.
func New(cfg Config) *Node {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	n := &Node{cfg: cfg, log: cfg.Log, id: newID(), second: -1, peers: map[uint64]*follower{}, wake: make(chan struct{}, 1)}
	n.stream.limit = cfg.Settings().BacklogSize
	n.ctx, n.cancel = context.WithCancel(context.Background())
	cfg.Store.Observe(kv.Observer{
		Expired: func(db, _ int, key []byte) { n.del(db, key) },
		Evicted: func(db, _ int, key []byte) { n.del(db, key) },
	})
	return n
}

// Use sets the commands that the primary's stream is made of. It must be called
// once, before Run.
func (n *Node) Use(t *command.Table) { n.table = t }

func newID() string {
	var b [20]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Wanted implements [command.Feed].
func (n *Node) Wanted() bool { return n.on.Load() || n.cfg.Disk.Wanted() }

// Feed implements [command.Feed]. What a replica's own clients write isn't part
// of the history.
func (n *Node) Feed(u *command.Unit) {
	if n.cfg.Disk.Wanted() {
		n.cfg.Disk.Feed(u)
	}
	if n.on.Load() && !n.replica.Load() {
		n.stream.feed(u)
	}
}

// Hold implements [command.Feed], as do the others: replies wait for the disk.
func (n *Node) Hold() int64 { return n.cfg.Disk.Hold() }

// Released implements [command.Feed].
func (n *Node) Released(position int64) bool { return n.cfg.Disk.Released(position) }

// Wait implements [command.Feed].
func (n *Node) Wait(position int64, done <-chan struct{}) bool {
	return n.cfg.Disk.Wait(position, done)
}

// OnRelease implements [command.Feed].
func (n *Node) OnRelease(f func()) { n.cfg.Disk.OnRelease(f) }

var delWord = []byte("DEL")

// del takes the removal of a key that no command removed.
func (n *Node) del(db int, key []byte) {
	if n.on.Load() && !n.replica.Load() {
		n.stream.call(db, delWord, key)
	}
}

// Published takes a message that a client has published: replicas have
// subscribers too.
func (n *Node) Published(shard bool, channel, message []byte) {
	if !n.on.Load() || n.replica.Load() {
		return
	}
	word := "PUBLISH"
	if shard {
		word = "SPUBLISH"
	}
	n.stream.call(-1, []byte(word), channel, message)
}

// keep begins to keep the stream, if it isn't, in a new history. Every partition
// is locked.
func (n *Node) keep() {
	if n.on.Load() {
		return
	}
	n.mu.Lock()
	if !n.replica.Load() {
		n.id, n.id2, n.second = newID(), "", -1
	}
	n.mu.Unlock()
	n.stream.begin(n.stream.offset())
	n.on.Store(true)
}

// Refusal is the text of the error for a command that replication forbids now, or
// "". It never blocks.
func (n *Node) Refusal(f command.Flags) string {
	set := n.cfg.Settings()
	if !n.replica.Load() {
		if f&command.Write != 0 && set.MinReplicas > 0 && set.MaxLag > 0 && int(n.good.Load()) < set.MinReplicas {
			return "NOREPLICAS Not enough good replicas to write."
		}
		return ""
	}
	if f&command.Write != 0 && set.ReadOnly {
		return "READONLY You can't write against a read only replica."
	}
	if f&command.Stale == 0 && !set.ServeStale && !n.up.Load() {
		return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	}
	return ""
}

// ChangeID begins a new history (DEBUG CHANGE-REPL-ID).
func (n *Node) ChangeID() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id, n.id2, n.second = newID(), "", -1
}

// Reconfigured takes over what changed in Settings.
func (n *Node) Reconfigured() {
	n.stream.resize(n.cfg.Settings().BacklogSize)
	n.look(time.Now())
}

// Run sends data to replicas and looks after them until ctx ends. Then it ends
// everything that the node has begun.
func (n *Node) Run(ctx context.Context) error {
	defer n.background.Wait()
	defer n.cancel()
	n.background.Go(func() { n.syncReplicas() })
	const period = 100 * time.Millisecond
	tick := time.NewTicker(period)
	defer tick.Stop()
	var pinged time.Time
	for {
		select {
		case <-ctx.Done():
			n.mu.Lock()
			l := n.primary
			n.mu.Unlock()
			if l != nil {
				l.stop()
			}
			return nil
		case now := <-tick.C:
			set := n.cfg.Settings()
			n.look(now)
			if now.Sub(pinged) >= set.PingPeriod {
				pinged = now
				n.ping()
			}
			n.forget(now, set)
		}
	}
}

var pingWord = []byte("PING")

// ping tells replicas that this node lives: through the stream, or, those that
// wait for data, beside it.
func (n *Node) ping() {
	n.mu.Lock()
	var some bool
	var waiting []*follower
	for _, f := range n.peers {
		switch f.state {
		case waits, spooling:
			waiting = append(waiting, f)
		}
		some = some || f.state != announced
	}
	n.mu.Unlock()
	if some && !n.replica.Load() {
		n.stream.call(-1, pingWord)
	}
	for _, f := range waiting {
		f.newline(n)
	}
}

// forget gives the backlog up when nobody has come for it for long.
func (n *Node) forget(now time.Time, set *Settings) {
	n.mu.Lock()
	none := true
	for _, f := range n.peers {
		none = none && f.state == announced
	}
	switch {
	case !none || n.replica.Load():
		n.lonely = time.Time{}
	case n.lonely.IsZero():
		n.lonely = now
	}
	due := n.on.Load() && set.BacklogTTL > 0 && !n.lonely.IsZero() && now.Sub(n.lonely) >= set.BacklogTTL
	n.mu.Unlock()
	if !due {
		return
	}
	n.cfg.Store.Lock(command.AllPartitions)
	defer n.cfg.Store.Unlock(command.AllPartitions)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.peers {
		if f.state != announced {
			return
		}
	}
	if n.replica.Load() {
		return
	}
	n.id, n.id2, n.second = newID(), "", -1
	n.on.Store(false)
	n.stream.stop()
	n.log.Info("the replication backlog is given up: no replicas for long")
}
