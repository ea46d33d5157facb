package commands

import (
	"context"
	"time"

	"conclave/fsm"
	"conclave/fsm/slot"
	"conclave/raftnode"
	"conclave/resp/command"
)

// ControlPlane is what the commands ask of the node. Implemented by
// *raftnode.Node.
type ControlPlane interface {
	View() *fsm.State
	Self() fsm.NodeID
	Status() raftnode.Status
	Health(fsm.NodeID) raftnode.Health
	// ClusterOK is cluster_state.
	ClusterOK() bool

	// Propose commits an operation and returns when the own view shows it. A
	// refusal of the state machine is in the Result, with a nil error.
	Propose(ctx context.Context, op fsm.Op) (fsm.Result, error)
	// GiveSlots brings slots under another primary ("" = under none); each
	// present owner gives its own. With checkKeys an owner that still holds
	// keys in one refuses.
	GiveSlots(ctx context.Context, slots []slot.Range, to fsm.NodeID, checkKeys bool) error
	Meet(ctx context.Context, ip string, port, busPort int) error
	Forget(ctx context.Context, id fsm.NodeID) error
	Reset(ctx context.Context, hard bool) error
	SaveConfig() error
}

// Data is what the commands ask of the local data. None but GetKeysInSlot
// locks anything.
type Data interface {
	// Keys counts all keys.
	Keys() int
	// CountKeysInSlot counts the keys of database 0 in a slot, expired ones
	// included.
	CountKeysInSlot(slot int) int
	// GetKeysInSlot visits up to n of them. locked says that the caller holds
	// the slot's partition already.
	GetKeysInSlot(slot, n int, locked bool, visit func(key []byte))
}

// Deps is what the commands need of other rooms.
type Deps struct {
	Plane ControlPlane // nil: cluster mode is off, and the commands say so
	Data  Data

	// Timeout bounds the wait for a decision: cluster-node-timeout.
	Timeout func() time.Duration
	// Endpoint is cluster-preferred-endpoint-type: ip, hostname or
	// unknown-endpoint.
	Endpoint func() string
}

// Specs lists the families of this package.
func Specs(d Deps) [][]command.Spec {
	r := &room{Deps: d}
	families := [][]command.Spec{{r.container()}, r.connectionSpecs()}
	if d.Plane == nil {
		for _, family := range families {
			disable(family)
		}
	}
	return families
}

// InfoSections are the sections of INFO about the cluster.
func InfoSections(d Deps) []command.InfoSection {
	on := "cluster_enabled:0\r\n"
	if d.Plane != nil {
		on = "cluster_enabled:1\r\n"
	}
	return []command.InfoSection{{Name: "cluster", Write: func(b []byte) []byte { return append(b, on...) }}}
}

// disable makes commands say that cluster mode is off. There is nothing to
// wait for or to lock then.
func disable(family []command.Spec) {
	for i := range family {
		s := &family[i]
		disable(s.Sub)
		s.Flags &^= command.Detached | command.WholeStore
		s.Batch, s.BatchName = nil, ""
		if s.Run != nil {
			s.Run = func(c *command.Ctx) { c.Error("ERR This instance has cluster support disabled") }
		}
	}
}

// room binds the handlers to what they depend on.
type room struct {
	Deps
	pictures pictureCache
}

// context bounds one command's wait.
func (r *room) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), r.Timeout())
}
