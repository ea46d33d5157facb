package commands

import (
	"strconv"

	"conclave/fsm"
	"conclave/resp/command"
)

// nodes is CLUSTER NODES.
func (r *room) nodes(c *command.Ctx) {
	p := r.pictures.of(r.Plane.View())
	b := make([]byte, 0, 160*len(p.st.Nodes()))
	for _, n := range p.st.Nodes() {
		b = append(r.appendNode(b, p, n, c.Session.TLS()), '\n')
	}
	c.Verbatim("txt", string(b))
}

// replicas is CLUSTER REPLICAS and SLAVES.
func (r *room) replicas(c *command.Ctx) {
	st := r.Plane.View()
	n := st.Node(fsm.NodeID(c.Arg(2)))
	switch {
	case n == nil:
		c.Error(unknownNode(c.Arg(2)))
		return
	case !n.IsPrimary():
		c.Error("ERR The specified node is not a master")
		return
	}
	p := r.pictures.of(st)
	c.Array(len(p.replicas[n.ID]))
	for _, m := range p.replicas[n.ID] {
		c.Bulk(r.appendNode(nil, p, m, c.Session.TLS()))
	}
}

// appendNode appends a node's line of CLUSTER NODES, without its end.
func (r *room) appendNode(b []byte, p *picture, n *fsm.Node, tls bool) []byte {
	myself := n.ID == r.Plane.Self()
	health := r.Plane.Health(n.ID)
	b = append(b, n.ID...)
	b = append(b, ' ')
	b = appendAddress(b, n, tls)
	b = append(b, ' ')
	b = appendFlags(b, n, myself, health.Suspect)
	b = append(b, ' ')
	if n.IsPrimary() {
		b = append(b, '-')
	} else {
		b = append(b, n.Primary...)
	}
	b = append(b, " 0 "...) // no ping is ever outstanding: nodes report to the leader
	if myself {
		b = append(b, '0')
	} else {
		b = strconv.AppendInt(b, health.PongRecvMs, 10)
	}
	b = append(b, ' ')
	b = strconv.AppendUint(b, p.st.EpochOf(n.ID), 10)
	if myself || health.Connected {
		b = append(b, " connected"...)
	} else {
		b = append(b, " disconnected"...)
	}
	b = append(b, p.text[n.ID]...)
	if myself {
		b = appendOpen(b, p.st, n.ID)
	}
	return b
}

// appendAddress appends "ip:port@bus-port[,hostname]".
func appendAddress(b []byte, n *fsm.Node, tls bool) []byte {
	b = append(b, n.IP...)
	b = append(b, ':')
	b = strconv.AppendUint(b, uint64(port(n, tls)), 10)
	b = append(b, '@')
	b = strconv.AppendUint(b, uint64(n.BusPort), 10)
	if n.Hostname != "" {
		b = append(b, ',')
		b = append(b, n.Hostname...)
	}
	return b
}

// appendFlags appends the flags in Redis's order. A node never shows itself as
// failed.
func appendFlags(b []byte, n *fsm.Node, myself, suspect bool) []byte {
	if myself {
		b = append(b, "myself,"...)
	}
	if n.IsPrimary() {
		b = append(b, "master"...)
	} else {
		b = append(b, "slave"...)
	}
	switch {
	case myself:
	case n.Has(fsm.Failed):
		b = append(b, ",fail"...)
	case suspect:
		b = append(b, ",fail?"...)
	}
	if n.Has(fsm.NoFailover) {
		b = append(b, ",nofailover"...)
	}
	return b
}

// appendOpen appends the open slots of a node, ascending; one that is open both
// ways shows as migrating.
func appendOpen(b []byte, st *fsm.State, id fsm.NodeID) []byte {
	out, in := st.Marks(id)
	for len(out) > 0 || len(in) > 0 {
		if len(out) > 0 && (len(in) == 0 || out[0].Slot <= in[0].Slot) {
			if len(in) > 0 && in[0].Slot == out[0].Slot {
				in = in[1:]
			}
			b = appendMark(b, out[0], "->-")
			out = out[1:]
			continue
		}
		b = appendMark(b, in[0], "-<-")
		in = in[1:]
	}
	return b
}

func appendMark(b []byte, m fsm.Mark, arrow string) []byte {
	b = append(b, " ["...)
	b = strconv.AppendUint(b, uint64(m.Slot), 10)
	b = append(b, arrow...)
	b = append(b, m.Peer...)
	return append(b, ']')
}

// port is the port for clients that connect with or without TLS; the other one
// if the node listens on that alone.
func port(n *fsm.Node, tls bool) uint16 {
	if tls && n.TLSPort != 0 || n.Port == 0 {
		return n.TLSPort
	}
	return n.Port
}
