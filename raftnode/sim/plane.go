package sim

import (
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode"
	"conclave/raftnode/internal/guards"
	"conclave/raftnode/router"
	"conclave/resp/command"
)

// plane is a data plane without data: locks, commands that take time, and a
// count of keys per slot.
type plane struct {
	l     *life
	locks [slotsInPlay]chan struct{} // holding a token = holding the slot's partition
	keys  [slotsInPlay]chan int      // a count each, taken while it is read
	held  chan time.Duration         // how long a script holds the next commands up, at each point
}

func newPlane(l *life) *plane {
	p := &plane{l: l, held: make(chan time.Duration, 3)}
	for i := range p.locks {
		p.locks[i] = make(chan struct{}, 1)
		p.keys[i] = make(chan int, 1)
		p.keys[i] <- 0
	}
	return p
}

// KeysInSlot implements raftnode.Data. Now and then a slot has keys.
func (p *plane) KeysInSlot(s int) int {
	if s >= slotsInPlay {
		return 0
	}
	n := <-p.keys[s]
	p.keys[s] <- n
	return n
}

// Keys implements raftnode.Data.
func (p *plane) Keys() (sum int) {
	for s := range p.keys {
		sum += p.KeysInSlot(s)
	}
	return sum
}

// Drain implements raftnode.Data.
func (p *plane) Drain(rs []slot.Range) {
	if p.l.h.w.opt.Guards.Off(guards.Drain) {
		return
	}
	for _, r := range rs {
		for s := int(r.Start); s <= int(r.End) && s < slotsInPlay; s++ {
			p.locks[s] <- struct{}{}
			<-p.locks[s]
		}
	}
}

// Flush implements raftnode.Data.
func (p *plane) Flush() {
	for s := range p.keys {
		<-p.keys[s]
		p.keys[s] <- 0
	}
}

// rights is what the router asks of the node, with the rules of the data plane
// that are switched off.
type rights struct {
	*raftnode.Node
	off guards.Set
}

func (r rights) Incarnation() fsm.Incarnation {
	if sh := r.View().ShardOf(r.Self()); sh != nil && r.off.Off(guards.Incarnation) {
		return sh.PrimaryIncarnation
	}
	return r.Node.Incarnation()
}

func (r rights) Gave(s int, stamp uint64) bool {
	return r.Node.Gave(s, stamp) || r.off.Off(guards.PostStamp)
}

func (rights) Covered() bool { return true } // few slots are in play

func (rights) Settings() router.Settings { return router.Settings{} }

func present() (missing, distinct int) { return 0, 1 }

// route is the check before a command runs.
func (l *life) route(s int) (command.Stamp, bool) {
	v := l.router.Route(&command.Query{Slot: s, Write: true, Missing: present})
	return v.Stamp, v.Err == "" && v.Wait == nil && !l.dead.Load()
}

func (l *life) serves(s int) bool {
	if o := l.node.View().Owner(s); o == nil || o.Primary != l.id() {
		return false // the common case, cheaply
	}
	_, ok := l.route(s)
	return ok
}

// client sends commands to its own process until that ends.
func (p *plane) client(no uint64) {
	l := p.l
	w := l.h.w
	rng := newSource(w.opt.Seed, uint64(time.Since(w.start))+1000*no+uint64(len(l.h.name)))
	select {
	case <-l.node.Ready():
	case <-l.ended:
		return
	}
	for !w.scripted && w.sleep(rng.between(5*time.Millisecond, 60*time.Millisecond), l.ended) && l.stopped() {
		p.command(rng, rng.intn(slotsInPlay))
	}
}

// command runs one, as the server does: check, execute under the partition's
// lock, check again, reply. It may be held up at any point.
func (p *plane) command(rng *source, s int) {
	l := p.l
	w := l.h.w
	p.locks[s] <- struct{}{}
	stamp, ok := l.route(s)
	if !ok {
		<-p.locks[s]
		return
	}
	p.dawdle(rng)
	// It runs at this instant.
	other := w.check.othersServing(l, s)
	if l.dead.Load() {
		<-p.locks[s]
		return
	}
	if n := <-p.keys[s]; rng.chance(0.9) {
		p.keys[s] <- 0
	} else {
		p.keys[s] <- n + 1
	}
	at := time.Since(w.start)
	p.dawdle(rng)
	<-p.locks[s]
	if w.scripted || rng.chance(0.1) {
		p.dawdle(rng)
	}
	if !p.mayReply(stamp) {
		w.count("replies dropped")
		return
	}
	w.count("commands")
	if other != nil {
		w.violate("%s acknowledged a command on slot %d that ran at %.4f, when %s served the slot", l.h.name, s, at.Seconds(), other.h.name)
	}
}

// mayReply is the check after a command, before its reply leaves.
func (p *plane) mayReply(stamp command.Stamp) bool {
	return !p.l.dead.Load() && (p.l.router.Confirm(stamp) || p.l.h.w.opt.Guards.Off(guards.PostCheck))
}

// dawdle holds a command up, mostly not at all.
func (p *plane) dawdle(rng *source) {
	if p.l.h.w.scripted {
		select {
		case d := <-p.held:
			p.l.h.w.sleep(d, p.l.ended)
		default:
		}
	} else if rng.chance(0.01) {
		p.l.h.w.sleep(rng.between(time.Millisecond, 6*time.Second), p.l.ended)
	}
	p.l.stopped()
}
