package repl

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"conclave/kv"
	"conclave/resp/command"
)

// Specs are the commands of replication. In cluster mode there is no REPLICAOF.
func (n *Node) Specs(cluster bool) []command.Spec {
	const flags = command.Admin | command.NoScript
	all := []command.Spec{
		{Name: "sync", Arity: 1, Flags: flags | command.NoAsyncLoading | command.NoMulti | command.Detached, Group: "server", Since: "1.0.0",
			Doc: "Makes the connection that of a replica: it is sent the data, then what changes them.", Run: n.runSync},
		{Name: "psync", Arity: -3, Flags: flags | command.NoAsyncLoading | command.NoMulti | command.Detached, Group: "server", Since: "2.8.0",
			Args: "replicationid offset", Doc: "Makes the connection that of a replica, which goes on at an offset of a history if it can.", Run: n.runPsync},
		{Name: "replconf", Arity: -1, Flags: flags | command.Loading | command.Stale | command.AllowBusy, Group: "server", Since: "3.0.0", Cost: "O(1)",
			Doc: "What replicas and their primary tell each other.", Run: n.runReplconf},
		{Name: "wait", Arity: 3, Flags: command.Blocking | command.Detached, ACL: command.CatConnection, Group: "generic", Since: "3.0.0", Cost: "O(1)",
			Args: "numreplicas timeout", Tips: []string{"request_policy:all_shards", "response_policy:agg_min"},
			Doc: "Waits until what was written has reached so many replicas.", Run: n.runWait},
	}
	if !cluster {
		for _, name := range []string{"replicaof", "slaveof"} {
			since := map[string]string{"replicaof": "5.0.0", "slaveof": "1.0.0"}[name]
			all = append(all, command.Spec{Name: name, Arity: 3, Flags: flags | command.Stale | command.NoAsyncLoading | command.Detached,
				Group: "server", Since: since, Cost: "O(1)", Args: "host port",
				Doc: "Makes this server a replica of another, or, with NO ONE, a primary.", Run: n.runReplicaof})
		}
	}
	return all
}

func (n *Node) runSync(c *command.Ctx) { n.admit(c, "", 0, false) }

func (n *Node) runPsync(c *command.Ctx) {
	offset, ok := kv.ParseInt(c.Arg(2))
	if !ok {
		c.Error(command.ErrNotInteger)
		return
	}
	if len(c.Args) > 3 {
		c.Error("ERR PSYNC FAILOVER is not supported: see CLUSTER FAILOVER")
		return
	}
	n.admit(c, string(c.Arg(1)), offset, true)
}

// admit makes a connection a replica's. offset is that of the first byte that it
// wants, counted from 1.
func (n *Node) admit(c *command.Ctx, id string, offset int64, psync bool) {
	conn, ok := c.Session.(Conn)
	if !ok {
		c.Error("ERR this connection can't be a replica's")
		return
	}
	if n.replica.Load() && !n.up.Load() {
		c.Error("NOMASTERLINK Can't SYNC while not connected with my master")
		return
	}
	f := n.peer(conn)
	n.mu.Lock()
	again := f.state != announced
	n.mu.Unlock()
	if again {
		return // Redis says nothing either
	}
	if !conn.StartReplica() {
		return
	}
	f.ackAt.Store(time.Now().UnixMilli())
	if psync && n.goOn(f, id, offset-1) {
		return
	}
	n.mu.Lock()
	f.psync, f.state, f.since = psync, waits, time.Now()
	if psync && id != "?" {
		n.stats.refused++
	}
	n.mu.Unlock()
	n.log.Info("replica asks for the data", "addr", conn.Addr())
	token(n.wake)
}

// goOn lets a replica go on at an offset of a history, if that is here.
func (n *Node) goOn(f *follower, id string, offset int64) bool {
	n.mu.Lock()
	if !strings.EqualFold(id, n.id) && !(n.id2 != "" && strings.EqualFold(id, n.id2) && offset < n.second) {
		n.mu.Unlock()
		return false
	}
	cur, ok := n.stream.at(offset)
	if !ok {
		n.mu.Unlock()
		return false
	}
	f.cur, f.psync, f.state = cur, true, loading
	f.sent.Store(offset)
	f.acked.Store(offset)
	n.stats.partial++
	answer := []byte("+CONTINUE " + n.id + "\r\n")
	n.mu.Unlock()
	n.log.Info("replica goes on where it was", "addr", f.conn.Addr(), "offset", offset, "missing", n.stream.offset()-offset)
	n.background.Go(func() {
		if n.send(f, answer) {
			n.follow(f)
		}
	})
	return true
}

func (n *Node) runReplconf(c *command.Ctx) {
	if len(c.Args)%2 == 0 {
		c.Error(command.ErrSyntax)
		return
	}
	conn, ok := c.Session.(Conn)
	if !ok {
		c.Error("ERR this connection can't be a replica's")
		return
	}
	for i := 1; i < len(c.Args); i += 2 {
		word, arg := strings.ToLower(string(c.Arg(i))), c.Arg(i+1)
		switch word {
		case "ack":
			if f := n.knownPeer(conn.ID()); f != nil {
				if offset, ok := kv.ParseInt(arg); ok {
					n.heard(f, offset)
				}
			}
			return // there is no reply
		case "getack":
			return
		}
		number, isNumber := kv.ParseInt(arg)
		f := n.peer(conn)
		n.mu.Lock()
		text := f.told(word, string(arg), number, isNumber)
		n.mu.Unlock()
		if text != "" {
			c.Error(text)
			return
		}
	}
	c.OK()
}

// told takes what a replica says of itself. Node.mu is locked.
func (f *follower) told(word, arg string, number int64, isNumber bool) (text string) {
	switch word {
	case "listening-port":
		if !isNumber {
			return command.ErrNotInteger
		}
		f.port = int(min(max(number, 0), math.MaxUint16))
	case "ip-address":
		if len(arg) >= 256 {
			return fmt.Sprintf("ERR REPLCONF ip-address provided by replica instance is too long: %d bytes", len(arg))
		}
		f.ip = arg
	case "capa":
		f.eof = f.eof || strings.EqualFold(arg, "eof")
	case "rdb-only":
		if !isNumber {
			return command.ErrNotInteger
		}
		f.onlyRDB = number == 1
	case "rdb-filter-only":
		if arg != "" {
			return "ERR Unsupported rdb-filter-only option: " + arg
		}
	case "version":
	default:
		return "ERR Unrecognized REPLCONF option: " + word
	}
	return ""
}

var getAck = [][]byte{[]byte("REPLCONF"), []byte("GETACK"), []byte("*")}

// runWait waits for everything that was fed before, which includes what the
// client has written.
func (n *Node) runWait(c *command.Ctx) {
	replicas, ok := kv.ParseInt(c.Arg(1))
	if !ok || replicas > math.MaxInt32 || replicas < math.MinInt32 {
		c.Error(command.ErrNotInteger)
		return
	}
	ms, ok := kv.ParseInt(c.Arg(2))
	switch {
	case !ok:
		c.Error("ERR timeout is not an integer or out of range")
		return
	case ms < 0:
		c.Error("ERR timeout is negative")
		return
	}
	if n.replica.Load() {
		c.Error("ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.")
		return
	}
	position := n.stream.offset()
	have := n.reached(position)
	if have >= replicas || c.InExec {
		c.Int(have)
		return
	}
	if have = n.await(c, position, replicas, ms); have < 0 {
		c.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
		return
	}
	c.Int(have)
}

// await is -1 if the wait was ended with an error. Zero ms is no timeout.
func (n *Node) await(c *command.Ctx, position, replicas, ms int64) int64 {
	var over <-chan time.Time
	if ms > 0 {
		t := time.NewTimer(time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond)
		defer t.Stop()
		over = t.C
	}
	var gone <-chan struct{}
	if conn, ok := c.Session.(Conn); ok {
		gone = conn.Context().Done()
	}
	unblocked := make(chan struct{}, 1)
	failed := false
	if s, ok := c.Session.(interface {
		SetBlocked(func(withError bool) bool)
	}); ok {
		s.SetBlocked(func(withError bool) bool {
			failed = withError
			token(unblocked)
			return true
		})
		defer s.SetBlocked(nil)
	}
	told := make(chan struct{}, 1)
	n.mu.Lock()
	n.waits = append(n.waits, told)
	n.mu.Unlock()
	defer n.unwait(told)
	n.waiting.Add(1)
	defer n.waiting.Add(-1)
	n.stream.call(-1, getAck...)
	n.mu.Lock()
	for _, f := range n.peers {
		token(f.hurry)
	}
	n.mu.Unlock()
	for {
		if have := n.reached(position); have >= replicas {
			return have
		}
		select {
		case <-told:
		case <-over:
			return n.reached(position)
		case <-gone:
			return 0
		case <-n.ctx.Done():
			return n.reached(position)
		case <-unblocked:
			if failed {
				return -1
			}
			return n.reached(position)
		}
	}
}

func (n *Node) unwait(c chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, w := range n.waits {
		if w == c {
			n.waits = append(n.waits[:i], n.waits[i+1:]...)
			return
		}
	}
}

// reached counts the replicas that have acknowledged a position.
func (n *Node) reached(position int64) (have int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.peers {
		if f.state == following && f.online.Load() && f.acked.Load() >= position {
			have++
		}
	}
	return have
}

func (n *Node) runReplicaof(c *command.Ctx) {
	if conn, ok := c.Session.(Conn); ok {
		if f := n.knownPeer(conn.ID()); f != nil {
			n.mu.Lock()
			is := f.state != announced
			n.mu.Unlock()
			if is {
				c.Error("ERR Command is not valid when client is a replica.")
				return
			}
		}
	}
	if command.EqualFold(c.Arg(1), "no") && command.EqualFold(c.Arg(2), "one") {
		n.Promote()
		c.OK()
		return
	}
	port, err := strconv.Atoi(string(c.Arg(2)))
	if err != nil || port < 0 || port > math.MaxUint16 {
		c.Error("ERR Invalid master port")
		return
	}
	host := string(c.Arg(1))
	if at := n.Master(); at != nil && strings.EqualFold(at.Host, host) && at.Port == port {
		c.Simple("OK Already connected to specified master")
		return
	}
	n.Follow(host, port)
	c.OK()
}
