package router

import (
	"strconv"

	"conclave/fsm"
	"conclave/resp/command"
)

// Source is what the router asks of the node. Every method is called on the
// hot path and neither blocks nor allocates.
type Source interface {
	View() *fsm.State
	Self() fsm.NodeID
	Incarnation() fsm.Incarnation
	// Fenced is non-nil while a hand-over of the slot is being drained or
	// proposed here; it closes at the end.
	Fenced(slot int) <-chan struct{}
	// Gave reports whether this node itself gave the slot away, after
	// draining it, while it owned it under that stamp.
	Gave(slot int, stamp uint64) bool
	// LeaseValid reads the clock.
	LeaseValid() bool
	// Covered is the part of cluster_state that the view decides: coverage.
	Covered() bool
	Settings() Settings
}

// Settings are the directives that routing depends on.
type Settings struct {
	ReadsWhenDown  bool
	PubSubWhenDown bool
	// Endpoint is cluster-preferred-endpoint-type: ip, hostname or
	// unknown-endpoint.
	Endpoint string
}

// Router implements command.Router.
type Router struct{ src Source }

// New makes a router over a node.
func New(src Source) *Router { return &Router{src} }

var (
	_ command.Router         = (*Router)(nil)
	_ command.BatchConfirmer = (*Router)(nil)
)

// Route implements command.Router.
func (r *Router) Route(q *command.Query) command.Verdict {
	// The fence before the view: it is lifted only after the view that shows
	// the outcome is published, so "not fenced, and the view says mine" means
	// that the slot has not left. The other way round an old view could be
	// trusted after the slot was drained and given away.
	fence := r.src.Fenced(q.Slot)
	st := r.src.View()
	self := r.src.Self()
	owner := st.Owner(q.Slot)
	mine := owner != nil && owner.Primary == self
	// A restart ends a tenure: until the configuration names this process the
	// slot is ours in name only.
	rightful := mine && owner.PrimaryIncarnation == r.src.Incarnation()
	if rightful && !q.CrossSlot && fence == nil && r.src.LeaseValid() && r.src.Covered() {
		if _, open := st.Migrating(self, q.Slot); !open {
			return serve(q.Slot, st, owner)
		}
	}
	return r.slow(q, fence, st, self, owner, rightful)
}

func serve(slot int, st *fsm.State, owner *fsm.Shard) command.Verdict {
	return command.Verdict{Stamp: command.Stamp{Slot: int32(slot), Owner: st.Stamp(slot), Tenure: owner.Tenure}}
}

// slow gathers all facts.
func (r *Router) slow(q *command.Query, fence <-chan struct{}, st *fsm.State, self fsm.NodeID, owner *fsm.Shard, rightful bool) command.Verdict {
	s := r.src.Settings()
	f := Facts{
		Assigned: owner != nil && st.OwnerNode(q.Slot) != nil, CrossSlot: q.CrossSlot, Write: q.Write, Channel: q.Channel,
		Migrate: q.Migrate, Asking: q.Asking, ReadOnly: q.ReadOnly,
		Mine:          owner != nil && owner.Primary == self,
		ReadsWhenDown: s.ReadsWhenDown, PubSubWhenDown: s.PubSubWhenDown, Missing: q.Missing,
	}
	me := st.ShardOf(self)
	f.Primary = me != nil && me.Primary == self && me.PrimaryIncarnation == r.src.Incarnation()
	to, migrating := st.Migrating(self, q.Slot)
	_, f.Importing = st.Importing(self, q.Slot)
	f.Migrating = migrating
	f.Changing = fence != nil
	covered := r.src.Covered()
	f.Down = !covered || (f.Mine || f.Importing && q.Asking) && (!f.Primary || !r.src.LeaseValid())
	if f.Mine && (!rightful || !r.src.LeaseValid()) {
		// Without the right to serve not even reads are: somebody else may
		// own the slot by now.
		f.ReadsWhenDown, f.PubSubWhenDown = false, false
	}
	switch Decide(&f) {
	case Serve:
		return serve(q.Slot, st, owner)
	case ServeImporter:
		// The complement marks what ran on the importer.
		return command.Verdict{Stamp: command.Stamp{Slot: ^int32(q.Slot), Owner: st.Stamp(q.Slot), Tenure: me.Tenure}}
	case ServeReplica:
		return command.Verdict{}
	case Wait:
		return command.Verdict{Wait: fence}
	case Moved:
		return command.Verdict{Err: redirect("MOVED ", q, st.OwnerNode(q.Slot), s.Endpoint)}
	case Ask:
		n := st.Node(to)
		if n == nil {
			return command.Verdict{Err: errNotServed}
		}
		return command.Verdict{Err: redirect("ASK ", q, n, s.Endpoint)}
	case TryAgain:
		return command.Verdict{Err: errTryAgain}
	case CrossSlot:
		return command.Verdict{Err: errCrossSlot}
	case NotServed:
		return command.Verdict{Err: errNotServed}
	case DownReadOnly:
		return command.Verdict{Err: errDownReadOnly}
	}
	return command.Verdict{Err: errDown}
}

const (
	errNotServed    = "CLUSTERDOWN Hash slot not served"
	errCrossSlot    = "CROSSSLOT Keys in request don't hash to the same slot"
	errDown         = "CLUSTERDOWN The cluster is down"
	errDownReadOnly = "CLUSTERDOWN The cluster is down and only accepts read commands"
	errTryAgain     = "TRYAGAIN Multiple keys request during rehashing of slot"
)

// redirect is "MOVED 5061 127.0.0.1:7001". An unknown endpoint is left empty:
// the client keeps the host it is connected to. A missing host name is "?".
func redirect(word string, q *command.Query, n *fsm.Node, endpoint string) string {
	b := make([]byte, 0, 64)
	b = append(b, word...)
	b = strconv.AppendInt(b, int64(q.Slot), 10)
	b = append(b, ' ')
	switch endpoint {
	case "hostname":
		if n.Hostname == "" {
			b = append(b, '?')
		} else {
			b = append(b, n.Hostname...)
		}
	case "unknown-endpoint":
	default:
		b = append(b, n.IP...)
	}
	b = append(b, ':')
	port := n.Port
	if q.TLS && n.TLSPort != 0 {
		port = n.TLSPort
	}
	return string(strconv.AppendUint(b, uint64(port), 10))
}

// Confirm implements command.Router: the check after execution. The process may
// have been frozen since it was routed; what ran may be acknowledged only if
// the right to serve still holds, in the same tenure, and the slot has not been
// taken meanwhile. A slot that this node gave away itself was drained first.
func (r *Router) Confirm(s command.Stamp) bool {
	if s == (command.Stamp{}) {
		return true // ran as a replica
	}
	return r.holds(r.src.View(), r.src.Self(), s) && r.src.LeaseValid()
}

// ConfirmAll implements command.BatchConfirmer. It reads the clock once.
func (r *Router) ConfirmAll(all []command.Stamp) bool {
	st, self, served := r.src.View(), r.src.Self(), false
	for i, s := range all {
		if s == (command.Stamp{}) || i > 0 && s == all[i-1] {
			continue
		}
		if !r.holds(st, self, s) {
			return false
		}
		served = true
	}
	return !served || r.src.LeaseValid()
}

// holds reports whether a view gives this node the right that the stamp stands
// for, or records that it gave it away in order.
func (r *Router) holds(st *fsm.State, self fsm.NodeID, s command.Stamp) bool {
	slot, importing := int(s.Slot), false
	if s.Slot < 0 {
		slot, importing = int(^s.Slot), true
	}
	sh := st.Owner(slot)
	mine := sh != nil && sh.Primary == self
	if !mine {
		sh = st.ShardOf(self)
	}
	if sh == nil || sh.Primary != self || sh.Tenure != s.Tenure || sh.PrimaryIncarnation != r.src.Incarnation() {
		return false
	}
	if st.Stamp(slot) != s.Owner {
		// The slot changed hands since: fine if this node gave it, or if it
		// came to the importer.
		if importing && !mine || !importing && !r.src.Gave(slot, s.Owner) {
			return false
		}
	}
	return true
}
