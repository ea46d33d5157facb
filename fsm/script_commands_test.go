package fsm_test

import (
	"fmt"
	"strconv"
	"strings"

	"conclave/fsm"
	"conclave/fsm/slot"
)

// op builds the operation of a script's command. What isn't said is as it
// stands: the current attempt, tenure and shard epoch; a joiner's attempt is 1
// and its shard "s" and its id.
func (r *script) op(name string, a args) fsm.Op {
	for _, family := range []func(string, args) fsm.Op{r.memberOp, r.slotOp, r.otherOp} {
		if op := family(name, a); op != nil {
			return op
		}
	}
	return nil
}

func (r *script) attempt(a args, id fsm.NodeID) uint64 {
	var now uint64
	if n := r.s.Node(id); n != nil {
		now = n.Attempt
	}
	return r.number(a, "attempt", now)
}

func (r *script) record(a args) fsm.Node {
	id := a.node(0)
	n := fsm.Node{
		ID: id, Attempt: r.number(a, "attempt", 1), Epoch: r.number(a, "epoch", 0),
		Shard: fsm.ShardID("s" + id), Primary: fsm.NodeID(a.named["primary"]),
		IP: "10.0.0.1", Port: 7000, BusPort: 17000,
		Incarnation: fsm.Incarnation{Count: r.number(a, "life", 1)},
	}
	if ip, ok := a.named["ip"]; ok {
		n.IP = ip
	}
	if shard, ok := a.named["shard"]; ok {
		n.Shard = fsm.ShardID(shard)
	}
	return n
}

func (r *script) memberOp(name string, a args) fsm.Op {
	id := a.node(0)
	at := r.attempt(a, id)
	switch name {
	case "found":
		return &fsm.Found{ClusterID: "c1", Node: r.record(a), Slots: r.ranges(a.named["slots"]), CurrentEpoch: r.number(a, "current", 0)}
	case "join":
		o := &fsm.Join{
			ClusterID: "c1", Node: r.record(a), Slots: r.ranges(a.named["slots"]), Via: fsm.NodeID(a.named["via"]),
			HelloIndex: r.number(a, "hello", r.index), CurrentEpoch: r.number(a, "current", 0), Adopt: a.has("adopt"),
		}
		if c, ok := a.named["cluster"]; ok {
			o.ClusterID = c
		}
		return o
	case "confirm":
		return &fsm.Confirm{ID: id, Attempt: at}
	case "drop":
		return &fsm.Drop{ID: id, Attempt: at}
	case "forget":
		o := &fsm.Forget{ID: id, Attempt: r.number(a, "attempt", 0), By: fsm.NodeID(a.named["by"]), Take: a.has("take")}
		if sh := r.s.ShardOf(id); sh != nil {
			o.ShardEpoch = r.number(a, "shard-epoch", sh.Epoch)
		}
		return o
	case "start":
		return &fsm.Start{ID: id, Attempt: at, Incarnation: fsm.Incarnation{Count: r.number(a, "life", 1), Random: r.number(a, "random", 0)}}
	case "fail", "alive":
		return &fsm.SetFail{ID: id, Attempt: at, Fail: name == "fail"}
	case "suffrage":
		kind := map[string]fsm.Suffrage{"voter": fsm.Voter, "candidate": fsm.Candidate}[a.word(1)]
		return &fsm.SetSuffrage{ID: id, Attempt: at, Generation: r.number(a, "generation", 0), Suffrage: kind}
	case "update":
		return r.update(a, id, at)
	}
	return nil
}

func (r *script) update(a args, id fsm.NodeID, at uint64) fsm.Op {
	o := &fsm.Update{ID: id, Attempt: at}
	for name, p := range map[string]**string{"ip": &o.IP, "hostname": &o.Hostname, "human": &o.HumanName, "zone": &o.Zone} {
		if v, ok := a.named[name]; ok {
			*p = &v
		}
	}
	if v := uint16(r.number(a, "port", 0)); v != 0 {
		o.Port = &v
	}
	if v := r.number(a, "generation", 0); v != 0 {
		o.Generation = &v
	}
	if v, ok := a.named["nofailover"]; ok {
		on := v == "yes"
		o.NoFailover = &on
	}
	return o
}

func (r *script) slotOp(name string, a args) fsm.Op {
	id := a.node(0)
	var tenure, epoch uint64
	if sh := r.s.ShardOf(id); sh != nil {
		tenure, epoch = sh.Tenure, sh.Epoch
	}
	tenure, epoch = r.number(a, "tenure", tenure), r.number(a, "shard-epoch", epoch)
	slots := r.ranges(a.named["slots"])
	to := fsm.NodeID(a.named["to"])
	switch name {
	case "assign":
		return &fsm.AssignSlots{Node: id, Attempt: r.attempt(a, id), Slots: slots}
	case "unassign":
		return &fsm.UnassignSlots{Node: id, Tenure: tenure, Slots: slots, By: fsm.NodeID(a.named["by"])}
	case "move":
		o := &fsm.MoveSlots{From: id, Tenure: tenure, To: to, Slots: slots}
		if v, ok := a.named["stamps"]; ok {
			for text := range strings.SplitSeq(v, ",") {
				n, err := strconv.ParseUint(text, 10, 64)
				if err != nil {
					r.t.Fatal(err)
				}
				o.Stamps = append(o.Stamps, n)
			}
		}
		return o
	case "take":
		return &fsm.TakeSlots{From: id, ShardEpoch: epoch, To: to, Slots: slots}
	}
	return nil
}

func (r *script) otherOp(name string, a args) fsm.Op {
	id := a.node(0)
	n := uint16(r.number(a, "slot", 0))
	switch name {
	case "migrating":
		return &fsm.SetMigrating{Slot: n, Node: id, To: fsm.NodeID(a.named["to"])}
	case "importing":
		return &fsm.SetImporting{Slot: n, Node: id, From: fsm.NodeID(a.named["of"])}
	case "stable":
		return &fsm.SetStable{Slot: n, Node: id}
	case "bump":
		return &fsm.BumpEpoch{Node: id}
	case "set-epoch":
		return &fsm.SetEpoch{Node: id, Epoch: r.number(a, "epoch", 0)}
	case "replicate":
		return &fsm.Replicate{Node: id, Attempt: r.attempt(a, id), Primary: fsm.NodeID(a.named["of"])}
	case "detach":
		return &fsm.Detach{Node: id, Attempt: r.attempt(a, id), Shard: fsm.ShardID(a.named["shard"])}
	case "raise-level":
		return &fsm.RaiseLevel{Level: uint32(r.number(a, "level", 1))}
	case "recover":
		return &fsm.Recover{Voter: id}
	case "noop":
		return &fsm.Noop{}
	}
	return nil
}

// show prints a part of the state.
func (r *script) show(a args) string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	s := r.s
	switch a.word(0) {
	case "nodes":
		add("index %d epoch %d level %d recovery %d size %d assigned %d", s.Index(), s.CurrentEpoch(), s.Level(), s.RecoveryEpoch(), s.Size(), s.Assigned())
		for _, n := range s.Nodes() {
			add("%s", nodeLine(s, n))
		}
	case "node":
		n := s.Node(a.node(1))
		add("%s %s:%d hostname=%q human=%q zone=%q generation=%d %s", n.ID, n.IP, n.Port, n.Hostname, n.HumanName, n.Zone, n.Generation, n.Suffrage)
	case "shards":
		for _, sh := range s.Shards() {
			add("%s primary=%s/%d epoch=%d tenure=%d slots=%d", short(sh.ID), sh.Primary, sh.PrimaryIncarnation.Count, sh.Epoch, sh.Tenure, s.CountSlots(sh.ID))
		}
	case "stamps":
		for _, rg := range r.ranges(a.words[1:]...) {
			add("%s stamp %d", rg, s.Stamp(int(rg.Start)))
		}
	case "marks":
		for _, n := range s.Nodes() {
			out, in := s.Marks(n.ID)
			for _, m := range out {
				add("%d %s -> %s", m.Slot, m.Node, m.Peer)
			}
			for _, m := range in {
				add("%d %s <- %s", m.Slot, m.Node, m.Peer)
			}
		}
	case "tombstones":
		for _, t := range s.Tombstones() {
			add("%s attempt %d index %d", t.Node, t.Attempt, t.Index)
		}
	case "history":
		for _, c := range s.History() {
			add("%d %s %s: %q -> %q", c.Index, c.Origin, c.Op, c.Before, c.After)
		}
	default:
		r.t.Fatalf("show %q?", a.words)
	}
	if len(lines) == 0 {
		return "none"
	}
	return strings.Join(lines, "\n")
}

func nodeLine(s *fsm.State, n *fsm.Node) string {
	role := "primary"
	if !n.IsPrimary() {
		role = "replica of " + string(n.Primary)
	}
	for _, f := range []struct {
		flag fsm.NodeFlags
		name string
	}{{fsm.Pending, "pending"}, {fsm.Failed, "fail"}, {fsm.NoFailover, "nofailover"}} {
		if n.Has(f.flag) {
			role += " " + f.name
		}
	}
	text := fmt.Sprintf("%s.%d %s %s shard=%s epoch=%d", n.ID, n.Attempt, n.Suffrage, role, short(n.Shard), s.EpochOf(n.ID))
	if n.IsPrimary() && s.CountSlots(n.Shard) > 0 {
		text += " slots=" + slot.Format(s.SlotsOf(n.Shard))
	}
	return text
}

// short replaces a derived shard id, which says nothing to a reader.
func short(id fsm.ShardID) string {
	if len(id) == 40 {
		return "(new)"
	}
	return string(id)
}
