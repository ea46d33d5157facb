package commands

import (
	"conclave/fsm"
	"conclave/resp"
	"conclave/resp/command"
)

// slotsKind is what a reply of CLUSTER SLOTS depends on beside the view, as
// long as no replica shows.
type slotsKind struct {
	proto    int
	tls      bool
	endpoint string
}

// slots is CLUSTER SLOTS. Every client asks for it, at every redirect: without
// replicas the reply is rendered once per view.
func (r *room) slots(c *command.Ctx) {
	p := r.pictures.of(r.Plane.View())
	kind := slotsKind{c.Proto(), c.Session.TLS(), r.Endpoint()}
	shown := r.shownReplicas(p)
	if len(shown) > 0 {
		writeSlots(c.Writer, p, kind, shown)
		return
	}
	if b, ok := p.replies.Load(kind); ok {
		c.Raw(b.([]byte))
		return
	}
	var w resp.Writer
	w.SetProto(kind.proto)
	writeSlots(&w, p, kind, nil)
	p.replies.Store(kind, w.Bytes())
	c.Raw(w.Bytes())
}

// shownReplicas are those that are worth knowing: they live and have data.
func (r *room) shownReplicas(p *picture) map[fsm.NodeID][]*fsm.Node {
	var shown map[fsm.NodeID][]*fsm.Node
	for id, all := range p.replicas {
		for _, n := range all {
			if n.Has(fsm.Failed) || r.Plane.Health(n.ID).Offset == 0 {
				continue
			}
			if shown == nil {
				shown = map[fsm.NodeID][]*fsm.Node{}
			}
			shown[id] = append(shown[id], n)
		}
	}
	return shown
}

func writeSlots(w *resp.Writer, p *picture, kind slotsKind, replicas map[fsm.NodeID][]*fsm.Node) {
	w.Array(len(p.runs))
	for _, run := range p.runs {
		more := replicas[run.owner.ID]
		w.Array(3 + len(more))
		w.Int(int64(run.Start))
		w.Int(int64(run.End))
		writeSlotsNode(w, run.owner, kind)
		for _, n := range more {
			writeSlotsNode(w, n, kind)
		}
	}
}

func writeSlotsNode(w *resp.Writer, n *fsm.Node, kind slotsKind) {
	w.Array(4)
	switch kind.endpoint {
	case "hostname":
		w.BulkString(hostname(n))
	case "unknown-endpoint":
		w.Null()
	default:
		w.BulkString(n.IP)
	}
	w.Int(int64(port(n, kind.tls)))
	w.BulkString(string(n.ID))

	// Metadata: what the endpoint doesn't tell.
	var pairs [][2]string
	if kind.endpoint == "hostname" || kind.endpoint == "unknown-endpoint" {
		pairs = append(pairs, [2]string{"ip", n.IP})
	}
	if kind.endpoint != "hostname" && n.Hostname != "" {
		pairs = append(pairs, [2]string{"hostname", n.Hostname})
	}
	w.Map(len(pairs))
	for _, p := range pairs {
		w.BulkString(p[0])
		w.BulkString(p[1])
	}
}

// hostname is a node's hostname, or what stands for one that has none.
func hostname(n *fsm.Node) string {
	if n.Hostname == "" {
		return "?"
	}
	return n.Hostname
}
