package repl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"conclave/kv"
	"conclave/resp/command"
)

// ROLE's words for the state of a link.
const (
	stateConnect    = "connect"
	stateConnecting = "connecting"
	stateHandshake  = "handshake"
	stateSync       = "sync"
	stateConnected  = "connected"
)

// reconnectAfter is how long after a link broke it is made again.
const reconnectAfter = time.Second

// link is a replica's connection to its primary, made again whenever it breaks.
type link struct {
	n      *Node
	host   string
	port   int
	cancel context.CancelFunc
	done   chan struct{}

	mu sync.Mutex
	// Guarded by mu.
	state  string
	down   time.Time // since when the link is down; zero if it is up
	lastIO time.Time

	// Of the connection there is.
	writeMu sync.Mutex
	conn    net.Conn
	r       *bufio.Reader
}

func (l *link) address() string { return net.JoinHostPort(l.host, strconv.Itoa(l.port)) }

// stop ends the link and waits for it.
func (l *link) stop() {
	l.cancel()
	<-l.done
}

func (l *link) enter(state string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.state
	l.state = state
	switch {
	case state == stateConnected:
		l.down = time.Time{}
	case was == stateConnected:
		l.down = time.Now()
	}
	l.n.up.Store(state == stateConnected)
}

// run keeps the link up until ctx ends.
func (l *link) run(ctx context.Context) {
	for {
		err := l.connect(ctx)
		l.enter(stateConnect)
		if ctx.Err() != nil {
			return
		}
		l.n.log.Warn("no link to the primary", "primary", l.address(), "err", err)
		t := time.NewTimer(reconnectAfter)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// connect makes a link and uses it until it breaks.
func (l *link) connect(ctx context.Context) error {
	set := l.n.cfg.Settings()
	l.enter(stateConnecting)
	dctx, cancel := context.WithTimeout(ctx, set.Timeout)
	conn, err := l.n.cfg.Dial(dctx, l.address())
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	l.conn, l.r = conn, bufio.NewReaderSize(&timedReader{l}, 64<<10)
	l.enter(stateHandshake)
	if err := l.handshake(set); err != nil {
		return err
	}
	full, err := l.psync(ctx)
	if err != nil {
		return err
	}
	if full != nil {
		l.enter(stateSync)
		if err := l.receive(ctx, full); err != nil {
			return fmt.Errorf("full synchronisation: %w", err)
		}
	}
	l.enter(stateConnected)
	return l.follow(ctx)
}

// timedReader reads from the primary, which has to say something from time to
// time.
type timedReader struct{ l *link }

func (r *timedReader) Read(b []byte) (int, error) {
	now := time.Now()
	if err := r.l.conn.SetReadDeadline(now.Add(r.l.n.cfg.Settings().Timeout)); err != nil {
		return 0, err
	}
	n, err := r.l.conn.Read(b)
	r.l.mu.Lock()
	r.l.lastIO = time.Now()
	r.l.mu.Unlock()
	return n, err
}

// write sends bytes to the primary.
func (l *link) write(b []byte) error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(l.n.cfg.Settings().Timeout)); err != nil {
		return err
	}
	_, err := l.conn.Write(b)
	return err
}

// ask sends a call and returns the line that answers it.
func (l *link) ask(args ...string) (string, error) {
	words := make([][]byte, len(args))
	for i, a := range args {
		words[i] = []byte(a)
	}
	if err := l.write(command.AppendCall(nil, words...)); err != nil {
		return "", err
	}
	return l.line()
}

// line reads a line that isn't empty: empty ones say that the primary lives.
func (l *link) line() (string, error) {
	for {
		b, err := l.r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if b = bytes.TrimRight(b, "\r\n"); len(b) > 0 {
			return string(b), nil
		}
	}
}

// handshake makes this node known to the primary.
func (l *link) handshake(set *Settings) error {
	reply, err := l.ask("PING")
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(reply, "+"), strings.HasPrefix(reply, "-NOAUTH"), strings.HasPrefix(reply, "-NOPERM"), strings.HasPrefix(reply, "-ERR operation not permitted"):
	default:
		return fmt.Errorf("PING: %s", reply)
	}
	if set.Password != "" {
		args := []string{"AUTH", set.Password}
		if set.User != "" {
			args = []string{"AUTH", set.User, set.Password}
		}
		if reply, err = l.ask(args...); err != nil {
			return err
		}
		if reply[0] == '-' {
			return fmt.Errorf("AUTH: %s", reply)
		}
	}
	// What a primary doesn't know it answers with an error, which is no harm.
	calls := [][]string{{"REPLCONF", "listening-port", strconv.Itoa(set.Port)}}
	if set.AnnounceIP != "" {
		calls = append(calls, []string{"REPLCONF", "ip-address", set.AnnounceIP})
	}
	calls = append(calls, []string{"REPLCONF", "capa", "eof", "capa", "psync2"})
	for _, call := range calls {
		if reply, err = l.ask(call...); err != nil {
			return err
		}
		if reply[0] == '-' {
			l.n.log.Info("the primary doesn't take all of the handshake", "call", call[1], "reply", reply)
		}
	}
	return nil
}

// start is where a full synchronisation begins.
type start struct {
	id     string
	offset int64
}

// psync asks to go on where this node is; if that isn't possible it returns where
// the data begin that follow.
func (l *link) psync(ctx context.Context) (*start, error) {
	n := l.n
	id, offset := "?", "-1"
	n.mu.Lock()
	if n.known {
		id, offset = n.id, strconv.FormatInt(n.stream.offset()+1, 10)
	}
	n.mu.Unlock()
	reply, err := l.ask("PSYNC", id, offset)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(reply)
	switch words[0] {
	case "+FULLRESYNC":
		if len(words) != 3 || len(words[1]) != len(n.id) {
			return nil, fmt.Errorf("PSYNC: %.128s", reply)
		}
		at, ok := kv.ParseInt([]byte(words[2]))
		if !ok || at < 0 {
			return nil, fmt.Errorf("PSYNC: %.128s", reply)
		}
		return &start{words[1], at}, nil
	case "+CONTINUE":
		if id == "?" {
			return nil, errors.New("PSYNC: the primary goes on with nothing")
		}
		if len(words) > 1 && len(words[1]) == len(id) && words[1] != id {
			n.renamed(words[1])
		}
		n.log.Info("going on with the primary", "primary", l.address(), "offset", offset)
		return nil, nil
	}
	return nil, fmt.Errorf("PSYNC: %.128s", reply)
}

// renamed: the primary goes on with this node's history under another id.
func (n *Node) renamed(id string) {
	n.cfg.Store.Lock(command.AllPartitions)
	n.mu.Lock()
	n.id2, n.second, n.id = n.id, n.stream.offset()+1, id
	n.mu.Unlock()
	n.cfg.Store.Unlock(command.AllPartitions)
	n.disconnect()
}

// receive takes the data of a full synchronisation.
func (l *link) receive(ctx context.Context, at *start) error {
	n := l.n
	head, err := l.line()
	if err != nil {
		return err
	}
	if head[0] == '-' {
		return fmt.Errorf("the primary says: %.128s", head)
	}
	mark, marked := strings.CutPrefix(head, "$EOF:")
	var size int
	if !marked {
		mark = ""
		var ok bool
		if size, ok = parseLength([]byte(strings.TrimPrefix(head, "$")), 1<<40); !ok || head[0] != '$' {
			return fmt.Errorf("%.40q in place of the data", head)
		}
	} else if len(mark) != markLen {
		return fmt.Errorf("%.60q in place of the data", head)
	}
	stop := l.keepAlive(ctx)
	defer stop()
	src, length, closeFile, err := l.source(mark, size)
	if err != nil {
		return err
	}
	defer closeFile()

	n.mu.Lock()
	n.known = false // until all is there
	n.mu.Unlock()
	n.disconnect()
	n.cfg.Store.Lock(command.AllPartitions)
	n.on.Store(false)
	n.stream.stop()
	n.cfg.Store.Unlock(command.AllPartitions)
	began := time.Now()
	db, rest, err := n.cfg.Data.Replace(ctx, src, length)
	if err != nil {
		return err
	}
	if marked && length == 0 {
		if err := checkMark(io.MultiReader(bytes.NewReader(rest), l.r), mark); err != nil {
			return err
		}
	}
	n.cfg.Store.Lock(command.AllPartitions)
	n.mu.Lock()
	n.id, n.id2, n.second, n.known, n.selected = at.id, "", -1, true, db
	n.mu.Unlock()
	n.stream.begin(at.offset)
	n.on.Store(true)
	n.cfg.Store.Unlock(command.AllPartitions)
	n.log.Info("has the primary's data", "primary", l.address(), "offset", at.offset, "loading", time.Since(began))
	return nil
}

// keepAlive tells the primary from time to time that this node lives, until stop.
func (l *link) keepAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = l.write([]byte("\n")) // a broken link is noticed by who reads
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
