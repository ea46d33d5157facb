//go:build amd64 || arm64

package server

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"conclave/resp"
	"conclave/resp/command"
)

// Sizes of what a loop's connections share.
const (
	loopRead    = 64 << 10 // bytes taken from one connection per turn
	keepOutputs = 1 << 20  // bytes of output buffers between turns
	startOutput = 1 << 10
	// confirmAtMost connections are confirmed at once: what is sent last must
	// not be long after the router was asked.
	confirmAtMost = 64
)

// rawWait is how long a loop that has nothing to do keeps its processor.
const rawWait = 10 * time.Millisecond

// loop serves connections on one thread: it reads from those that are ready,
// runs their commands, and when all have run sends the replies. What may wait
// runs beside it, on a goroutine that has the session meanwhile.
//
// All fields but those of the queue belong to the loop's goroutine.
type loop struct {
	srv  *Server
	set  *loopSet
	poll *poller

	conns   []*loopConn // by descriptor
	ports   []*port     // being accepted from
	dirty   []*loopConn // have run something in this turn
	doomed  []*loopConn // to be closed at the end of the turn
	waiting map[*loopConn]bool
	shared  *resp.Shared
	outputs [][]byte    // free output buffers
	spare   int         // their size
	held    []*loopConn // their replies are held back
	stamps  []command.Stamp
	worker  *worker
	now     time.Time
	ticked  time.Time
	raw     bool // waits may keep the processor
	stopped bool
	doing   []task // taken from the queue,
	done    int    // and how many of them are done

	holding atomic.Bool // held isn't empty
	asleep  atomic.Bool
	mu      sync.Mutex
	// Guarded by mu.
	queue, spareQueue []task
}

// task is what others ask of a loop: to look after a connection, or anything.
type task struct {
	conn *loopConn
	do   func()
}

func newLoop(s *Server, set *loopSet) (*loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	return &loop{
		srv: s, set: set, poll: p, waiting: map[*loopConn]bool{},
		shared: resp.NewShared(loopRead), worker: newWorker(s),
	}, nil
}

// post gives the loop a task. Any goroutine may call it.
func (l *loop) post(t task) {
	l.mu.Lock()
	l.queue = append(l.queue, t)
	l.mu.Unlock()
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.poll.interrupt()
	}
}

// run is the loop. It ends by stop, or when the loop is handed over (handOver):
// then another goroutine runs it.
func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.tasks()
	l.finish()
	var worked time.Time
	for !l.stopped {
		n := l.sleep(l.now.Sub(worked) >= rawWait)
		l.now = time.Now()
		if n > 0 {
			worked = l.now
		}
		for i := range max(n, 0) {
			l.ready(&l.poll.events[i])
		}
		// Replies leave first: while messages go to many others, those who got
		// theirs send what they want next.
		l.finish()
		l.tasks()
		l.finish()
		if l.now.Sub(l.ticked) >= time.Second {
			l.tick()
		}
	}
	l.poll.close()
}

// stop ends the loop, which has no connections any more. A task.
func (l *loop) stop() { l.stopped = true }

// sleep waits for something to do. Right after work it keeps the processor;
// idle, it gives it away, so that a server without load takes none.
func (l *loop) sleep(idle bool) int {
	l.asleep.Store(true)
	defer l.asleep.Store(false)
	l.mu.Lock()
	busy := len(l.queue) > 0
	l.mu.Unlock()
	switch {
	case busy:
		return l.poll.waitRaw(0)
	case l.raw && !idle:
		return l.poll.waitRaw(rawWait)
	case len(l.waiting) > 0 || slices.ContainsFunc(l.ports, func(p *port) bool { return p.resting }):
		return l.poll.wait(200 * time.Millisecond)
	default:
		return l.poll.wait(-1)
	}
}

func (l *loop) ready(ev *syscall.EpollEvent) {
	fd := int(ev.Fd)
	if fd == l.poll.wake {
		l.poll.interrupted()
		return
	}
	if fd < len(l.conns) && l.conns[fd] != nil {
		l.conns[fd].ready(ev.Events)
		return
	}
	for _, p := range l.ports {
		if p.fd == fd {
			p.accept(l)
		}
	}
}

// tasks does what others asked for.
func (l *loop) tasks() {
	if l.done == len(l.doing) {
		l.mu.Lock()
		l.doing, l.done = l.queue, 0
		l.queue, l.spareQueue = l.spareQueue[:0], nil
		l.mu.Unlock()
	}
	for l.done < len(l.doing) {
		t := l.doing[l.done]
		l.doing[l.done] = task{}
		l.done++
		if t.do != nil {
			t.do()
		} else {
			t.conn.attend()
		}
	}
	l.mu.Lock()
	l.spareQueue = l.doing[:0]
	l.mu.Unlock()
	l.doing, l.done = nil, 0
}

// finish ends the turn: the replies leave, and what has ended is closed.
func (l *loop) finish() {
	l.worker.tally.flushCalls()
	l.holdReplies()
	for at := 0; at < len(l.dirty); at += confirmAtMost {
		group := l.dirty[at:min(at+confirmAtMost, len(l.dirty))]
		l.confirm(group)
		for _, c := range group {
			c.finish()
		}
	}
	l.worker.tally.flush()
	clear(l.dirty)
	l.dirty = l.dirty[:0]
	for i, c := range l.doomed {
		c.shut()
		l.doomed[i] = nil
	}
	l.doomed = l.doomed[:0]
}

// confirm asks the router for many connections at once. If it doesn't agree to
// all, each will ask for itself.
func (l *loop) confirm(group []*loopConn) {
	if l.srv.confirmer == nil || len(group) < 2 {
		return
	}
	l.stamps = l.stamps[:0]
	for _, c := range group {
		if s := c.session; s.w.Len() > 0 {
			l.stamps = append(l.stamps, s.stamps...)
		}
	}
	if len(l.stamps) == 0 || !l.srv.confirmer.ConfirmAll(l.stamps) {
		return
	}
	for _, c := range group {
		c.session.stamps = c.session.stamps[:0]
	}
}

// tick does what is due about once a second while there is work.
func (l *loop) tick() {
	l.ticked = l.now
	l.raw = runtime.GOMAXPROCS(0) > len(l.set.loops)
	for _, p := range l.ports {
		p.wake(l)
	}
	for c := range l.waiting {
		c.checkSoftLimit()
	}
	l.finish()
}

// output is an empty buffer for replies.
func (l *loop) output() []byte {
	if n := len(l.outputs); n > 0 {
		b := l.outputs[n-1]
		l.outputs[n-1] = nil
		l.outputs = l.outputs[:n-1]
		l.spare -= cap(b)
		return b
	}
	return make([]byte, 0, startOutput)
}

func (l *loop) reuse(b []byte) {
	if cap(b) > 0 && cap(b) <= keepOutput && l.spare+cap(b) <= keepOutputs {
		l.spare += cap(b)
		l.outputs = append(l.outputs, b[:0])
	}
}

// add takes a new connection.
func (l *loop) add(c *loopConn) {
	for c.fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*loopConn, 64+len(l.conns)/4)...)
	}
	l.conns[c.fd] = c
	c.armed = syscall.EPOLLIN
	if err := l.poll.add(c.fd, c.armed); err != nil {
		l.srv.failures.warn(l.srv.log, "client not accepted", "err", err)
		c.armed = 0
		c.doom()
	}
}
