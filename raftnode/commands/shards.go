package commands

import (
	"conclave/fsm"
	"conclave/resp/command"
)

// shards is CLUSTER SHARDS. Clients read it by position: slots come first, and
// the primary comes first among the nodes.
func (r *room) shards(c *command.Ctx) {
	p := r.pictures.of(r.Plane.View())
	endpoint := r.Endpoint()
	c.Array(len(p.st.Shards()))
	for _, sh := range p.st.Shards() {
		c.Map(2)
		c.BulkString("slots")
		slots := p.slots[sh.Primary]
		c.Array(2 * len(slots))
		for _, s := range slots {
			c.Int(int64(s.Start))
			c.Int(int64(s.End))
		}
		c.BulkString("nodes")
		c.Array(len(p.members[sh.ID]))
		for _, n := range p.members[sh.ID] {
			r.writeShardNode(c, n, endpoint)
		}
	}
}

func (r *room) writeShardNode(c *command.Ctx, n *fsm.Node, endpoint string) {
	fields := 6
	for _, there := range []bool{n.Port != 0, n.TLSPort != 0, n.Hostname != ""} {
		if there {
			fields++
		}
	}
	text := func(name, value string) {
		c.BulkString(name)
		c.BulkString(value)
	}
	number := func(name string, value int64) {
		c.BulkString(name)
		c.Int(value)
	}
	c.Map(fields)
	text("id", string(n.ID))
	if n.Port != 0 {
		number("port", int64(n.Port))
	}
	if n.TLSPort != 0 {
		number("tls-port", int64(n.TLSPort))
	}
	text("ip", n.IP)
	switch endpoint {
	case "hostname":
		text("endpoint", hostname(n))
	case "unknown-endpoint":
		text("endpoint", "") // null in SLOTS, not here
	default:
		text("endpoint", n.IP)
	}
	if n.Hostname != "" {
		text("hostname", n.Hostname)
	}
	role := "master"
	if !n.IsPrimary() {
		role = "replica"
	}
	text("role", role)
	offset := r.Plane.Health(n.ID).Offset
	number("replication-offset", offset)
	switch {
	case n.Has(fsm.Failed) && n.ID != r.Plane.Self():
		text("health", "fail")
	case !n.IsPrimary() && offset == 0: // it has received nothing
		text("health", "loading")
	default:
		text("health", "online")
	}
}
