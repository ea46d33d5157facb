package fsm

const (
	codeReplicate Code = iota + 50
	codeDetach
)

var roleOps = []opDef{
	def[Replicate]("roles.replicate", 1),
	def[Detach]("roles.detach", 1),
}

// Replicate makes a node a replica of a primary, in its shard. The node's marks
// are closed; its own replicas follow it to the new primary, and the shard they
// leave empty ends. Already its replica: nothing changes. Refused: NotMember,
// StaleAttempt, UnknownNode, Self, NotPrimary (the target), OwnsSlots.
type Replicate struct {
	Node    NodeID
	Attempt uint64
	Primary NodeID
}

func (*Replicate) opCode() Code { return codeReplicate }

func (o *Replicate) encode(b []byte) []byte {
	return putString(putUint(putString(b, o.Node), o.Attempt), o.Primary)
}

func (o *Replicate) decode(d *decoder) { o.Node, o.Attempt, o.Primary = d.node(), d.uint(), d.node() }

func (o *Replicate) apply(d *draft) *Refusal {
	n, refused := d.member(o.Node, o.Attempt)
	if refused != nil {
		return refused
	}
	if o.Primary == n.ID {
		return refuse(Self, n.ID)
	}
	to, refused := d.target(o.Primary)
	if refused != nil {
		return refused
	}
	if n.Primary == to.ID {
		return nil
	}
	left := d.s.Shard(n.Shard)
	if n.IsPrimary() && d.s.seats[left.handle].slots > 0 {
		return refuse(OwnsSlots, n.ID)
	}
	for _, r := range d.s.Replicas(n.ID) {
		d.follow(r, to)
	}
	d.follow(n, to)
	if n.IsPrimary() {
		d.dropShard(left.ID)
	}
	d.changed(roleText(n), roleText(d.s.Node(n.ID)))
	return nil
}

// follow moves a node without slots into a primary's shard.
func (d *draft) follow(n, to *Node) {
	d.leaveSupport(n)
	d.closeMarks(func(m Mark) bool { return m.Node == n.ID })
	d.editNode(n.ID, func(n *Node) { n.Shard, n.Primary, n.Epoch = to.Shard, to.ID, 0 })
}

func roleText(n *Node) string {
	if n.IsPrimary() {
		return string(n.ID) + " primary"
	}
	return string(n.ID) + " replica of " + string(n.Primary)
}

// Detach makes a replica the empty primary of a new shard, with a fresh config
// epoch. A primary stays what it is. Refused: NotMember, StaleAttempt.
type Detach struct {
	Node    NodeID
	Attempt uint64
	Shard   ShardID // fresh, from the proposer; one is derived if it is "" or taken
}

func (*Detach) opCode() Code { return codeDetach }

func (o *Detach) encode(b []byte) []byte {
	return putString(putUint(putString(b, o.Node), o.Attempt), o.Shard)
}

func (o *Detach) decode(d *decoder) { o.Node, o.Attempt, o.Shard = d.node(), d.uint(), d.shard() }

func (o *Detach) apply(d *draft) *Refusal {
	n, refused := d.member(o.Node, o.Attempt)
	if refused != nil {
		return refused
	}
	if o.Shard != "" && !validID(string(o.Shard)) {
		return refuse(Invalid, n.ID)
	}
	if n.IsPrimary() {
		return nil
	}
	d.detach(n, o.Shard)
	d.changed(roleText(n), roleText(d.s.Node(n.ID)))
	return nil
}
