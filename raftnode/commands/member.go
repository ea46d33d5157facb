package commands

import (
	"net/netip"
	"slices"

	"conclave/fsm"
	"conclave/resp/command"
)

// busOffset is between a node's client port and its bus port, unless it
// announces another.
const busOffset = 10000

func (r *room) meet(c *command.Ctx) {
	if len(c.Args) > 5 {
		c.Error(mismatch(c))
		return
	}
	port, ok := integer(c.Arg(3))
	if !ok {
		c.Error("ERR Invalid base port specified: " + clip(c.Arg(3)))
		return
	}
	bus := port + busOffset
	if len(c.Args) == 5 {
		if bus, ok = integer(c.Arg(4)); !ok {
			c.Error("ERR Invalid bus port specified: " + clip(c.Arg(4)))
			return
		}
	}
	ip, err := netip.ParseAddr(clip(c.Arg(2)))
	valid := func(p int64) bool { return p > 0 && p <= 65535 }
	if err != nil || ip.Zone() != "" || !valid(port) || !valid(bus) {
		c.Error("ERR Invalid node address specified: " + clip(c.Arg(2)) + ":" + clip(c.Arg(3)))
		return
	}
	ctx, cancel := r.context()
	defer cancel()
	r.done(c, r.Plane.Meet(ctx, ip.Unmap().String(), int(port), int(bus)))
}

func (r *room) forget(c *command.Ctx) {
	st, self := r.Plane.View(), r.Plane.Self()
	id := fsm.NodeID(c.Arg(2))
	me := st.Node(self)
	switch {
	case id == self:
		c.Error("ERR I tried hard but I can't forget myself...")
		return
	case me != nil && me.Primary == id:
		c.Error("ERR Can't forget my master!")
		return
	case !isID(c.Arg(2)):
		c.Error(unknownNode(c.Arg(2)))
		return
	case st.Node(id) == nil && slices.ContainsFunc(st.Tombstones(), func(t fsm.Tombstone) bool { return t.Node == id }):
		c.OK() // forgotten already
		return
	}
	ctx, cancel := r.context()
	defer cancel()
	r.done(c, r.Plane.Forget(ctx, id))
}

// isID reports whether b could be a node's id.
func isID(b []byte) bool {
	for _, x := range b {
		if (x < '0' || x > '9') && (x < 'a' || x > 'z') {
			return false
		}
	}
	return len(b) == 40
}

func (r *room) reset(c *command.Ctx) {
	hard := false
	switch {
	case len(c.Args) > 3:
		c.Error(mismatch(c))
		return
	case len(c.Args) == 3 && c.Is(2, "hard"):
		hard = true
	case len(c.Args) == 3 && !c.Is(2, "soft"):
		c.Error(command.ErrSyntax)
		return
	}
	me := r.Plane.View().Node(r.Plane.Self())
	if (me == nil || me.IsPrimary()) && r.Data.Keys() != 0 {
		c.Error("ERR CLUSTER RESET can't be called with master nodes containing keys")
		return
	}
	ctx, cancel := r.context()
	defer cancel()
	r.done(c, r.Plane.Reset(ctx, hard))
}

func (r *room) saveConfig(c *command.Ctx) {
	if err := r.Plane.SaveConfig(); err != nil {
		c.Error("ERR error saving the cluster node config: " + err.Error())
		return
	}
	c.OK()
}

func (r *room) failover(c *command.Ctx) {
	me := r.Plane.View().Node(r.Plane.Self())
	switch {
	case len(c.Args) > 3:
		c.Error(mismatch(c))
	case len(c.Args) == 3 && !c.Is(2, "force") && !c.Is(2, "takeover"):
		c.Error(command.ErrSyntax)
	case me == nil || me.IsPrimary():
		c.Error("ERR You should send CLUSTER FAILOVER to a replica")
	default:
		c.Error("ERR This replica has no data of its master: it can't take over")
	}
}

// done answers a command that succeeded or failed as a whole.
func (r *room) done(c *command.Ctx, err error) {
	if err != nil {
		c.Error(r.errorText(err, c, nil))
		return
	}
	c.OK()
}
