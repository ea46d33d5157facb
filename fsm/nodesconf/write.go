package nodesconf

import (
	"fmt"
	"strconv"

	"conclave/fsm"
)

// Write is the file of one member, as redis-server 7.2 writes it.
func Write(view *fsm.State, self fsm.NodeID) []byte {
	var b []byte
	for _, n := range view.Nodes() {
		b = appendNode(b, view, n, n.ID == self)
	}
	return fmt.Appendf(b, "vars currentEpoch %d lastVoteEpoch 0\n", view.CurrentEpoch())
}

func appendNode(b []byte, view *fsm.State, n *fsm.Node, myself bool) []byte {
	b = append(b, n.ID...)
	b = append(b, ' ')
	b = appendAddress(b, n)
	b = append(b, ' ')
	b = appendFlags(b, n, myself)
	b = append(b, ' ')
	if n.IsPrimary() {
		b = append(b, '-')
	} else {
		b = append(b, n.Primary...)
	}
	b = append(b, " 0 0 "...)
	b = strconv.AppendUint(b, view.EpochOf(n.ID), 10)
	if n.Has(fsm.Failed) && !myself {
		b = append(b, " disconnected"...)
	} else {
		b = append(b, " connected"...)
	}
	if n.IsPrimary() {
		for _, r := range view.SlotsOf(n.Shard) {
			b = r.Append(append(b, ' '))
		}
	}
	if myself {
		b = appendOpen(b, view, n.ID)
	}
	return append(b, '\n')
}

// appendAddress writes the address and what follows it by name. The port that
// stands in the address isn't repeated.
func appendAddress(b []byte, n *fsm.Node) []byte {
	port := n.Port
	if port == 0 {
		port = n.TLSPort
	}
	b = fmt.Appendf(b, "%s:%d@%d,%s", n.IP, port, n.BusPort, n.Hostname)
	if n.Port == 0 && n.TLSPort != 0 {
		b = append(b, ",tcp-port=0"...)
	} else {
		b = fmt.Appendf(b, ",tls-port=%d", n.TLSPort)
	}
	if n.HumanName != "" {
		b = append(append(b, ",nodename="...), n.HumanName...)
	}
	return append(append(b, ",shard-id="...), n.Shard...)
}

func appendFlags(b []byte, n *fsm.Node, myself bool) []byte {
	if myself {
		b = append(b, "myself,"...)
	}
	if n.IsPrimary() {
		b = append(b, "master"...)
	} else {
		b = append(b, "slave"...)
	}
	if n.Has(fsm.Failed) && !myself {
		b = append(b, ",fail"...)
	}
	if n.Has(fsm.NoFailover) {
		b = append(b, ",nofailover"...)
	}
	return b
}

// appendOpen writes the open slots, ascending; where a slot is open both ways
// only the outward mark shows.
func appendOpen(b []byte, view *fsm.State, id fsm.NodeID) []byte {
	out, in := view.Marks(id)
	for len(out) > 0 || len(in) > 0 {
		if len(in) == 0 || len(out) > 0 && out[0].Slot <= in[0].Slot {
			b = fmt.Appendf(b, " [%d->-%s]", out[0].Slot, out[0].Peer)
			if len(in) > 0 && in[0].Slot == out[0].Slot {
				in = in[1:]
			}
			out = out[1:]
			continue
		}
		b = fmt.Appendf(b, " [%d-<-%s]", in[0].Slot, in[0].Peer)
		in = in[1:]
	}
	return b
}
