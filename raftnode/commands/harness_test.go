package commands_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode"
	"conclave/raftnode/commands"
	"conclave/resp"
	"conclave/resp/command"
)

// world is a cluster in one place: every operation takes effect at once, for
// all nodes.
type world struct {
	t      testing.TB
	st     *fsm.State
	keys   map[fsm.NodeID]map[int][]string // by node and slot
	health map[fsm.NodeID]raftnode.Health
	log    []string // what was asked of the control plane

	proposing func() error // called before every proposal
	giving    func() error
}

func newWorld(t testing.TB) *world {
	return &world{t: t, st: fsm.Empty(), keys: map[fsm.NodeID]map[int][]string{}, health: map[fsm.NodeID]raftnode.Health{}}
}

func id(name string) fsm.NodeID { return fsm.NodeID(strings.Repeat(name, 40)) }

// record is a node named by one letter: a is 127.0.0.1:7001, b 7002, ...
func record(name string) fsm.Node {
	port := 7000 + uint16(name[0]-'a') + 1
	return fsm.Node{
		ID: id(name), Attempt: 1, Shard: fsm.ShardID(id("s" + name)[:40]), IP: "127.0.0.1", Port: port, BusPort: port + 10000,
		Incarnation: fsm.Incarnation{Count: 1},
	}
}

// add makes a node a member; the first one founds the cluster.
func (w *world) add(name string, slots ...slot.Range) *node {
	r := record(name)
	if len(w.st.Nodes()) == 0 {
		w.must(&fsm.Found{ClusterID: "c", Node: r, Slots: slots})
	} else {
		w.must(&fsm.Join{ClusterID: "c", Node: r, Slots: slots, Via: w.st.Nodes()[0].ID, HelloIndex: w.st.Index()})
		w.must(&fsm.Confirm{ID: r.ID, Attempt: 1})
	}
	return w.node(name)
}

// node makes the commands of a node, member or not.
func (w *world) node(name string) *node {
	n := &node{world: w, id: id(name), endpoint: "ip", meet: func(string, int, int) error { return nil }}
	n.use(commands.Deps{
		Plane: n, Data: n, Timeout: func() time.Duration { return 5 * time.Second }, Endpoint: func() string { return n.endpoint },
	})
	return n
}

func (w *world) apply(op fsm.Op) fsm.Result {
	w.t.Helper()
	// What can't be read back would stop every node of a real cluster.
	e, err := fsm.DecodeEntry((&fsm.Entry{Op: op}).Encode(nil))
	if err != nil {
		w.t.Fatalf("an entry that no node can read: %v", err)
	}
	next, res := w.st.Apply(w.st.Index()+1, e)
	w.st = next
	return res
}

func (w *world) must(op fsm.Op) {
	w.t.Helper()
	if res := w.apply(op); res.Refusal != nil {
		w.t.Fatalf("%s: %v", fsm.Name(op), res.Refusal)
	}
}

// node is one member's control plane, data and commands.
type node struct {
	*world
	id       fsm.NodeID
	endpoint string
	joining  bool
	tls      bool
	asking   bool
	readOnly bool
	meet     func(ip string, port, bus int) error
	resets   []bool
	saveErr  error
	status   raftnode.Status

	table *command.Table
	proto int
}

func (n *node) use(d commands.Deps) {
	table, err := command.Build(commands.Specs(d)...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.table = table
}

func (n *node) View() *fsm.State { return n.st }
func (n *node) Self() fsm.NodeID { return n.id }
func (n *node) ClusterOK() bool  { return n.st.Assigned() == slot.Count }

func (n *node) Status() raftnode.Status {
	s := n.status
	s.Joining = n.joining
	return s
}

func (n *node) Health(of fsm.NodeID) raftnode.Health {
	if h, ok := n.health[of]; ok {
		return h
	}
	return raftnode.Health{Connected: true, PongRecvMs: 1000}
}

func (n *node) Propose(_ context.Context, op fsm.Op) (fsm.Result, error) {
	n.log = append(n.log, describe(op))
	if n.proposing != nil {
		if err := n.proposing(); err != nil {
			return fsm.Result{}, err
		}
	}
	n.joining = false
	return n.apply(op), nil
}

func describe(op fsm.Op) string {
	b, ok := op.(*fsm.Batch)
	if !ok {
		return fsm.Name(op)
	}
	var names []string
	for _, o := range b.Ops {
		names = append(names, fsm.Name(o))
	}
	return "[" + strings.Join(names, " ") + "]"
}

func (n *node) GiveSlots(_ context.Context, slots []slot.Range, to fsm.NodeID, checkKeys bool) error {
	who := "nobody"
	if to != "" {
		who = string(to[:1])
	}
	check := ""
	if checkKeys {
		check = ", checked"
	}
	n.log = append(n.log, "give "+slot.Format(slots)+" to "+who+check)
	if n.giving != nil {
		if err := n.giving(); err != nil {
			return err
		}
	}
	for s := range slot.SetOf(slots...).All() {
		owner := n.st.OwnerNode(s)
		if checkKeys && owner != nil && len(n.keys[owner.ID][s]) > 0 {
			return raftnode.ErrKeysInSlot
		}
		one := []slot.Range{{Start: uint16(s), End: uint16(s)}}
		var op fsm.Op
		switch {
		case owner == nil:
			op = &fsm.AssignSlots{Node: to, Attempt: 1, Slots: one}
		case to == "":
			op = &fsm.UnassignSlots{Node: owner.ID, Tenure: n.st.ShardOf(owner.ID).Tenure, Slots: one, By: n.id}
		default:
			op = &fsm.MoveSlots{From: owner.ID, Tenure: n.st.ShardOf(owner.ID).Tenure, To: to, Slots: one}
		}
		if res := n.apply(op); res.Refusal != nil {
			return res.Refusal
		}
	}
	return nil
}

func (n *node) Meet(_ context.Context, ip string, port, bus int) error { return n.meet(ip, port, bus) }

func (n *node) Forget(_ context.Context, of fsm.NodeID) error {
	if res := n.apply(&fsm.Forget{ID: of, By: n.id}); res.Refusal != nil {
		return res.Refusal
	}
	return nil
}

func (n *node) Reset(_ context.Context, hard bool) error {
	n.resets = append(n.resets, hard)
	return nil
}

func (n *node) SaveConfig() error { return n.saveErr }

func (n *node) put(s int, keys ...string) {
	if n.keys[n.id] == nil {
		n.keys[n.id] = map[int][]string{}
	}
	n.keys[n.id][s] = keys
}

func (n *node) Keys() (total int) {
	for _, keys := range n.keys[n.id] {
		total += len(keys)
	}
	return total
}

func (n *node) CountKeysInSlot(s int) int { return len(n.keys[n.id][s]) }

func (n *node) GetKeysInSlot(s, most int, _ bool, visit func(key []byte)) {
	for _, k := range n.keys[n.id][s][:most] {
		visit([]byte(k))
	}
}

// session is a client's connection.
type session struct {
	command.Session
	n *node
}

func (s session) TLS() bool          { return s.n.tls }
func (s session) SetAsking()         { s.n.asking = true }
func (s session) SetReadOnly(v bool) { s.n.readOnly = v }

// ctx prepares a call; the error is what the server answers instead.
func (n *node) ctx(line string, w *resp.Writer) (*command.Ctx, string) {
	var args [][]byte
	for _, f := range strings.Fields(line) {
		args = append(args, []byte(f))
	}
	spec := n.table.Resolve(args)
	switch {
	case spec == nil || spec.Run == nil:
		return nil, "-no such command·"
	case !spec.ArityOK(len(args)):
		return nil, "-arity·"
	}
	c := command.NewCtx(n.table, session{n: n}, w)
	c.Spec, c.Args = spec, args
	return c, ""
}

// do runs one command and returns the reply with dots for line ends and
// letters for ids.
func (n *node) do(line string) string {
	var w resp.Writer
	w.SetProto(n.proto)
	c, text := n.ctx(line, &w)
	if c == nil {
		return text
	}
	c.Spec.Run(c)
	return dots(w.Bytes())
}

// exec runs commands as EXEC does those that share a batch.
func (n *node) exec(lines ...string) string {
	var w resp.Writer
	var cs []*command.Ctx
	for _, l := range lines {
		c, text := n.ctx(l, &w)
		if c == nil {
			n.t.Fatal(text)
		}
		c.InExec = true
		cs = append(cs, c)
	}
	cs[0].Spec.Batch(cs)
	return dots(w.Bytes())
}

func dots(b []byte) string {
	s := strings.NewReplacer("\r\n", "·", "\n", "¬").Replace(string(b))
	for c := 'a'; c <= 'h'; c++ {
		s = strings.ReplaceAll(s, string(id(string(c))), "<"+string(c)+">")
	}
	return s
}

// expand writes ids for the letters in a command.
func expand(line string) string {
	for c := 'a'; c <= 'h'; c++ {
		line = strings.ReplaceAll(line, "<"+string(c)+">", string(id(string(c))))
	}
	return line
}

func rng(first, last uint16) slot.Range { return slot.Range{Start: first, End: last} }
