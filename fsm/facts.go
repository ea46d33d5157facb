package fsm

import (
	"errors"
	"fmt"
)

// Update changes what a node says of itself. Nil fields stay. Refused:
// NotMember, StaleAttempt, Invalid, NoAddress (an empty IP with others around),
// StaleGeneration.
type Update struct {
	ID         NodeID
	Attempt    uint64
	IP         *string
	Port       *uint16
	TLSPort    *uint16
	BusPort    *uint16
	Hostname   *string
	HumanName  *string
	Zone       *string
	TimeoutMs  *uint64
	NoFailover *bool
	Generation *uint64
	Witness    *bool
}

func (*Update) opCode() Code { return codeUpdate }

// field is one optional field: whether it is there, how to write and read it.
type field struct {
	set  bool
	put  func([]byte) []byte
	take func(*decoder)
}

func optional[T any](p **T, put func([]byte, T) []byte, take func(*decoder) T) field {
	return field{
		*p != nil,
		func(b []byte) []byte { return put(b, **p) },
		func(d *decoder) { v := take(d); *p = &v },
	}
}

// fields lists the optional fields in the order of their bits.
func (o *Update) fields() []field {
	text := func(p **string) field {
		return optional(p, putString[string], func(d *decoder) string { return d.string(maxName) })
	}
	port := func(p **uint16) field {
		return optional(p, func(b []byte, v uint16) []byte { return putUint(b, uint64(v)) }, (*decoder).uint16)
	}
	number := func(p **uint64) field { return optional(p, putUint, (*decoder).uint) }
	truth := func(p **bool) field { return optional(p, putBool, (*decoder).bool) }
	return []field{
		text(&o.IP), port(&o.Port), port(&o.TLSPort), port(&o.BusPort), text(&o.Hostname),
		text(&o.HumanName), text(&o.Zone), number(&o.TimeoutMs), truth(&o.NoFailover),
		number(&o.Generation), truth(&o.Witness),
	}
}

func (o *Update) encode(b []byte) []byte {
	b = putUint(putString(b, o.ID), o.Attempt)
	fields := o.fields()
	mask := uint64(0)
	for i, f := range fields {
		if f.set {
			mask |= 1 << i
		}
	}
	b = putUint(b, mask)
	for _, f := range fields {
		if f.set {
			b = f.put(b)
		}
	}
	return b
}

func (o *Update) decode(d *decoder) {
	o.ID, o.Attempt = d.node(), d.uint()
	mask := d.uint()
	fields := o.fields()
	if mask >= 1<<len(fields) {
		d.fail(errors.New("unknown fields"))
		return
	}
	for i, f := range fields {
		if mask&(1<<i) != 0 {
			f.take(d)
		}
	}
}

func (o *Update) apply(d *draft) *Refusal {
	old, refused := d.member(o.ID, o.Attempt)
	if refused != nil {
		return refused
	}
	n := *old
	o.patch(&n)
	switch {
	case !n.valid():
		return refuse(Invalid, n.ID)
	case n.IP == "" && len(d.s.nodes) > 1:
		return refuse(NoAddress, n.ID)
	case n.Generation < old.Generation:
		return refuse(StaleGeneration, n.ID)
	case n == *old:
		return nil
	}
	d.putNode(&n)
	d.changed(factText(old), factText(&n))
	return nil
}

func (o *Update) patch(n *Node) {
	put(&n.IP, o.IP)
	put(&n.Port, o.Port)
	put(&n.TLSPort, o.TLSPort)
	put(&n.BusPort, o.BusPort)
	put(&n.Hostname, o.Hostname)
	put(&n.HumanName, o.HumanName)
	put(&n.Zone, o.Zone)
	put(&n.TimeoutMs, o.TimeoutMs)
	put(&n.Generation, o.Generation)
	putFlag(n, NoFailover, o.NoFailover)
	putFlag(n, Witness, o.Witness)
}

func put[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}

func putFlag(n *Node, f NodeFlags, on *bool) {
	switch {
	case on == nil:
	case *on:
		n.Flags |= f
	default:
		n.Flags &^= f
	}
}

func factText(n *Node) string {
	return fmt.Sprintf("%s %s:%d@%d,%s generation %d", n.ID, n.IP, n.Port, n.BusPort, n.Hostname, n.Generation)
}

// Start records a new incarnation of a member. If the node is a primary its
// tenure ends: the shard's epoch rises and a new tenure begins for the new
// incarnation. A shard with supporters is left to the leader's decision
// instead: until then nobody leads it who lives. The same incarnation again
// changes nothing. Refused: NotMember, StaleAttempt, StaleIncarnation (Count
// not above the recorded one).
type Start struct {
	ID          NodeID
	Attempt     uint64
	Incarnation Incarnation
}

func (*Start) opCode() Code { return codeStart }

func (o *Start) encode(b []byte) []byte {
	return putIncarnation(putUint(putString(b, o.ID), o.Attempt), o.Incarnation)
}

func (o *Start) decode(d *decoder) {
	o.ID, o.Attempt, o.Incarnation = d.node(), d.uint(), d.incarnation()
}

func (o *Start) apply(d *draft) *Refusal {
	n, refused := d.member(o.ID, o.Attempt)
	switch {
	case refused != nil:
		return refused
	case n.Incarnation == o.Incarnation:
		return nil
	case o.Incarnation.Count <= n.Incarnation.Count:
		return refuse(StaleIncarnation, n.ID)
	}
	d.editNode(n.ID, func(n *Node) { n.Incarnation = o.Incarnation })
	if sh := d.s.Shard(n.Shard); sh.Primary == n.ID && len(sh.Supporters) == 0 {
		d.editShard(sh.ID, func(sh *Shard) {
			sh.PrimaryIncarnation, sh.Tenure = o.Incarnation, sh.Epoch
		})
	}
	d.changed(startText(n), startText(d.s.Node(n.ID)))
	return nil
}

func startText(n *Node) string { return fmt.Sprintf("%s start %d", n.ID, n.Incarnation.Count) }

// SetFail commits or clears the fail flag. Refused: NotMember, StaleAttempt.
type SetFail struct {
	ID      NodeID
	Attempt uint64
	Fail    bool
}

func (*SetFail) opCode() Code { return codeSetFail }

func (o *SetFail) encode(b []byte) []byte {
	return putBool(putUint(putString(b, o.ID), o.Attempt), o.Fail)
}

func (o *SetFail) decode(d *decoder) { o.ID, o.Attempt, o.Fail = d.node(), d.uint(), d.bool() }

func (o *SetFail) apply(d *draft) *Refusal {
	n, refused := d.member(o.ID, o.Attempt)
	if refused != nil || n.Has(Failed) == o.Fail {
		return refused
	}
	d.editNode(n.ID, func(n *Node) { putFlag(n, Failed, &o.Fail) })
	d.changed(failText(n), failText(d.s.Node(n.ID)))
	return nil
}

func failText(n *Node) string {
	if n.Has(Failed) {
		return string(n.ID) + " fail"
	}
	return string(n.ID) + " ok"
}

// SetSuffrage records a step of the voter manager, after Raft committed it.
// Generation 0 leaves the recorded one. Refused: NotMember, StaleAttempt,
// StaleGeneration, Invalid.
type SetSuffrage struct {
	ID         NodeID
	Attempt    uint64
	Generation uint64
	Suffrage   Suffrage
}

func (*SetSuffrage) opCode() Code { return codeSetSuffrage }

func (o *SetSuffrage) encode(b []byte) []byte {
	b = putUint(putUint(putString(b, o.ID), o.Attempt), o.Generation)
	return putUint(b, uint64(o.Suffrage))
}

func (o *SetSuffrage) decode(d *decoder) {
	o.ID, o.Attempt, o.Generation = d.node(), d.uint(), d.uint()
	o.Suffrage = Suffrage(d.upTo(uint64(Voter)))
}

func (o *SetSuffrage) apply(d *draft) *Refusal {
	n, refused := d.member(o.ID, o.Attempt)
	if refused != nil {
		return refused
	}
	generation := o.Generation
	if generation == 0 {
		generation = n.Generation
	}
	switch {
	case o.Suffrage > Voter:
		return refuse(Invalid, n.ID)
	case generation < n.Generation:
		return refuse(StaleGeneration, n.ID)
	case generation == n.Generation && o.Suffrage == n.Suffrage:
		return nil
	}
	d.editNode(n.ID, func(n *Node) { n.Generation, n.Suffrage = generation, o.Suffrage })
	d.changed(suffrageText(n), suffrageText(d.s.Node(n.ID)))
	return nil
}

func suffrageText(n *Node) string {
	return fmt.Sprintf("%s.%d %s", n.ID, n.Generation, n.Suffrage)
}

// String is the suffrage in words.
func (s Suffrage) String() string {
	switch s {
	case Voter:
		return "voter"
	case Candidate:
		return "candidate"
	default:
		return "observer"
	}
}
