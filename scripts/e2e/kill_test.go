package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/fsm/slot"
)

// Slots from here on belong to nobody at first: the kill test assigns and
// unassigns them in blocks, each with one command.
const (
	firstBlock = 16000
	blockSize  = 16
	blocks     = 24
)

// TestKill kills one of three nodes while the configuration changes, at random
// moments: after its restart all agree, what was acknowledged holds, and no
// command is half done.
func TestKill(t *testing.T) {
	oursOnly(t) // redis-server acknowledges what others don't know yet
	need(t, "redis-cli")
	rounds := 4
	if s := os.Getenv("KILLS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	c := startNodes(t, 3, "--cluster-require-full-coverage", "no")
	for i, n := range c.nodes {
		n.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*5300), strconv.Itoa(i*5300+5299))
		if i > 0 {
			n.do("CLUSTER", "MEET", host, c.nodes[0].portText())
		}
	}
	c.awaitOK()
	k := &killTest{t: t, c: c, spare: newNode(t, clusterArgs("--cluster-require-full-coverage", "no")...), blocks: make([]block, blocks)}
	k.spare.start()
	for round := range rounds {
		k.round(round, rng)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills; acknowledged: %d changes of blocks, %d of single slots, %d joins, %d complete reshards",
		rounds, k.blockChanges.Load(), k.slotChanges.Load(), k.joins.Load(), k.reshards.Load())
}

// block is what must be true of a block's slots; changed by one goroutine.
type block struct {
	// known: every command of this round was answered. One that wasn't may
	// still be carried out, after later ones too.
	known bool
	owner string
}

type killTest struct {
	t      *testing.T
	c      *cluster
	spare  *node
	blocks []block

	blockChanges, slotChanges, joins, reshards atomic.Int64
}

func (k *killTest) round(round int, rng *rand.Rand) {
	t := k.t
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	owners, err := k.c.nodes[0].owners()
	if err != nil {
		t.Fatal(err)
	}
	for i := range k.blocks {
		k.blocks[i] = block{known: true, owner: owners[firstBlock+i*blockSize]}
	}
	// redis-cli refuses to work on a cluster with open or uncovered slots.
	works := []func(stop <-chan struct{}, rng *rand.Rand){k.changeBlocks, k.meet, k.moveSlots}
	if round%2 == 1 {
		k.cover()
		works = []func(stop <-chan struct{}, rng *rand.Rand){k.reshard, k.bumpEpochs}
	}
	for _, work := range works {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		wg.Go(func() { work(stop, own) })
	}
	victim := k.c.nodes[rng.IntN(len(k.c.nodes))]
	<-time.After(time.Duration(rng.IntN(1000)) * time.Millisecond)
	victim.kill()
	<-time.After(time.Duration(rng.IntN(500)) * time.Millisecond)
	restartWhileBusy := rng.IntN(2) == 0
	if restartWhileBusy {
		victim.start()
	}
	close(stop)
	wg.Wait()
	if !restartWhileBusy {
		victim.start()
	}
	k.settle(round, victim)
}

// settle waits until all agree again and checks what they agree on.
func (k *killTest) settle(round int, victim *node) {
	t := k.t
	t.Helper()
	what := fmt.Sprintf("round %d, port %d killed", round, victim.port)
	// The spare is a member everywhere or nowhere.
	id := k.spare.id()
	all := k.c
	within(t, 2*patience, what+": all agree", func() error {
		lines, err := k.c.nodes[0].lines()
		if err != nil {
			return err
		}
		all = k.c
		if _, member := lines[id]; member {
			all = &cluster{t: t, nodes: append(append([]*node(nil), k.c.nodes...), k.spare)}
		} else if own, err := k.spare.lines(); err != nil || len(own) != 1 {
			return fmt.Errorf("the spare node is no member and knows %d nodes, %v", len(own), err)
		}
		return all.agreed()
	})
	all.awaitOK()
	k.checkEpochs(what)
	if round%2 == 0 {
		k.checkBlocks(what)
	}
	// What redis-cli left half done it completes.
	out, _ := cli(t, "", "--cluster", "fix", k.c.nodes[0].addr())
	for _, n := range all.nodes {
		l, err := n.myself()
		if err != nil || len(l.open) > 0 {
			t.Errorf("%s: port %d still has %v, %v; fix printed\n%s", what, n.port, l.open, err, out)
		}
	}
	if len(all.nodes) > len(k.c.nodes) {
		k.c.nodes[0].do("CLUSTER", "FORGET", id)
		eventually(t, "the forgotten node is alone", func() error {
			own, err := k.spare.lines()
			if err == nil && len(own) != 1 {
				err = fmt.Errorf("it knows %d nodes", len(own))
			}
			return err
		})
	}
	k.c.awaitOK()
}

// checkEpochs: no two primaries share one.
func (k *killTest) checkEpochs(what string) {
	k.t.Helper()
	lines, err := k.c.nodes[0].lines()
	if err != nil {
		k.t.Fatal(err)
	}
	seen := make(map[string]string)
	for id, l := range lines {
		if other, twice := seen[l.epoch]; twice && l.epoch != "0" && l.is("master") {
			k.t.Errorf("%s: %s and %s both have epoch %s", what, id, other, l.epoch)
		}
		if l.is("master") {
			seen[l.epoch] = id
		}
	}
}

// checkBlocks: each belongs to one node or to nobody, as acknowledged last.
func (k *killTest) checkBlocks(what string) {
	k.t.Helper()
	owners, err := k.c.nodes[0].owners()
	if err != nil {
		k.t.Fatal(err)
	}
	for i, b := range k.blocks {
		first := firstBlock + i*blockSize
		for s := first; s < first+blockSize; s++ {
			if owners[s] != owners[first] {
				k.t.Errorf("%s: slots %d and %d belong to %q and %q: a command is half done", what, first, s, owners[first], owners[s])
				break
			}
		}
		if b.known && owners[first] != b.owner {
			k.t.Errorf("%s: the block at %d belongs to %q, acknowledged was %q", what, first, owners[first], b.owner)
		}
	}
}

// owners is who owns each assigned slot, as a node sees it.
func (n *node) owners() (map[int]string, error) {
	lines, err := n.lines()
	if err != nil {
		return nil, err
	}
	owners := make(map[int]string)
	for id, l := range lines {
		for _, text := range l.slots {
			first, last, isRange := strings.Cut(text, "-")
			if !isRange {
				last = first
			}
			from, err := strconv.Atoi(first)
			if err != nil {
				return nil, err
			}
			to, err := strconv.Atoi(last)
			if err != nil {
				return nil, err
			}
			for s := from; s <= to; s++ {
				owners[s] = id
			}
		}
	}
	return owners, nil
}

// admin is a goroutine's own connections to the nodes, which may be down.
type admin map[string]*conn

func (a admin) do(n *node, args ...string) (any, error) {
	c := a[n.addr()]
	if c == nil {
		var err error
		if c, err = dial(n.addr()); err != nil {
			return nil, err
		}
		a[n.addr()] = c
	}
	reply, err := c.do(args...)
	var refused replyError
	if err != nil && !errors.As(err, &refused) {
		c.close()
		delete(a, n.addr())
	}
	return reply, err
}

func (a admin) close() {
	for _, c := range a {
		c.close()
	}
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// changeBlocks assigns and unassigns blocks, one command each.
func (k *killTest) changeBlocks(stop <-chan struct{}, rng *rand.Rand) {
	a := make(admin)
	defer a.close()
	ids := make(map[*node]string)
	for !stopped(stop) {
		i := rng.IntN(len(k.blocks))
		n := k.c.nodes[rng.IntN(len(k.c.nodes))]
		if ids[n] == "" {
			id, err := a.do(n, "CLUSTER", "MYID")
			if err != nil {
				continue
			}
			ids[n] = id.(string)
		}
		b := &k.blocks[i]
		want, verb := ids[n], "ADDSLOTSRANGE"
		if b.known && b.owner != "" || !b.known && rng.IntN(2) == 0 {
			want, verb = "", "DELSLOTSRANGE"
		}
		first := firstBlock + i*blockSize
		_, err := a.do(n, "CLUSTER", verb, strconv.Itoa(first), strconv.Itoa(first+blockSize-1))
		var refused replyError
		switch {
		case err == nil:
			b.owner = want
			k.blockChanges.Add(1)
		case errors.As(err, &refused) && (strings.Contains(err.Error(), "already busy") || strings.Contains(err.Error(), "already unassigned")):
			// As it was.
		default:
			b.known = false
		}
	}
}

// moveSlots carries slots between nodes, as redis-cli does, one of them at a
// time and without looking back.
func (k *killTest) moveSlots(stop <-chan struct{}, rng *rand.Rand) {
	a := make(admin)
	defer a.close()
	for !stopped(stop) {
		s := strconv.Itoa(rng.IntN(100) + 1000)
		from, to := k.c.nodes[rng.IntN(3)], k.c.nodes[rng.IntN(3)]
		if from == to {
			continue
		}
		fromID, err1 := a.do(from, "CLUSTER", "MYID")
		toID, err2 := a.do(to, "CLUSTER", "MYID")
		if err1 != nil || err2 != nil {
			continue
		}
		if _, err := a.do(to, "CLUSTER", "SETSLOT", s, "IMPORTING", fromID.(string)); err != nil {
			continue
		}
		_, _ = a.do(from, "CLUSTER", "SETSLOT", s, "MIGRATING", toID.(string)) // only its owner takes it
		for _, n := range []*node{to, from} {
			if _, err := a.do(n, "CLUSTER", "SETSLOT", s, "NODE", toID.(string)); err == nil {
				k.slotChanges.Add(1)
			}
		}
	}
}

// meet lets the spare node join and leave.
func (k *killTest) meet(stop <-chan struct{}, rng *rand.Rand) {
	a := make(admin)
	defer a.close()
	for !stopped(stop) {
		n := k.c.nodes[rng.IntN(3)]
		if _, err := a.do(k.spare, "CLUSTER", "MEET", host, n.portText()); err != nil {
			continue
		}
		k.joins.Add(1)
		id, err := a.do(k.spare, "CLUSTER", "MYID")
		if err != nil || rng.IntN(3) == 0 {
			continue
		}
		_, _ = a.do(k.c.nodes[rng.IntN(3)], "CLUSTER", "FORGET", id.(string)) // any outcome is one
	}
}

// cover gives every slot an owner.
func (k *killTest) cover() {
	k.t.Helper()
	n := k.c.nodes[0]
	owners, err := n.owners()
	if err != nil {
		k.t.Fatal(err)
	}
	args := []string{"CLUSTER", "ADDSLOTS"}
	for s := range slot.Count {
		if owners[s] == "" {
			args = append(args, strconv.Itoa(s))
		}
	}
	if len(args) > 2 {
		n.do(args...)
	}
	for i := range k.blocks {
		k.blocks[i].known = false // now, or moved by redis-cli later
	}
}

func (k *killTest) bumpEpochs(stop <-chan struct{}, rng *rand.Rand) {
	a := make(admin)
	defer a.close()
	for !stopped(stop) {
		_, _ = a.do(k.c.nodes[rng.IntN(3)], "CLUSTER", "BUMPEPOCH") // any outcome is one
	}
}

// reshard runs redis-cli, which gives up when the node dies.
func (k *killTest) reshard(stop <-chan struct{}, rng *rand.Rand) {
	a := make(admin)
	defer a.close()
	for !stopped(stop) {
		from, to := k.c.nodes[rng.IntN(3)], k.c.nodes[rng.IntN(3)]
		fromID, err1 := a.do(from, "CLUSTER", "MYID")
		toID, err2 := a.do(to, "CLUSTER", "MYID")
		if from == to || err1 != nil || err2 != nil {
			continue
		}
		cmd := exec.Command("redis-cli", "--cluster", "reshard", from.addr(), "--cluster-from", fromID.(string),
			"--cluster-to", toID.(string), "--cluster-slots", "20", "--cluster-yes")
		if err := cmd.Start(); err != nil {
			k.t.Error(err)
			return
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			if err == nil {
				k.reshards.Add(1)
			}
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill() // a node that died may leave it waiting
			<-done
		}
	}
}
