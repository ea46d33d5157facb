package repl

import (
	"context"
	"time"

	"conclave/resp/command"
)

// Address is where a primary is.
type Address struct {
	Host string
	Port int
}

// Master is the primary that this node is a replica of; nil: it is one itself.
func (n *Node) Master() *Address {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.primary == nil {
		return nil
	}
	return &Address{n.primary.host, n.primary.port}
}

// Follow makes this node a replica. It returns at once: the data come later. If
// this node was a primary whose history the other one knows, they stay. No
// partition is locked by the caller.
func (n *Node) Follow(host string, port int) {
	n.roleMu.Lock()
	defer n.roleMu.Unlock()
	n.endLink()
	ctx, cancel := context.WithCancel(n.ctx)
	l := &link{n: n, host: host, port: port, cancel: cancel, done: make(chan struct{}), state: stateConnect, down: time.Now()}
	n.cfg.Store.Lock(command.AllPartitions)
	was := n.replica.Swap(true)
	n.mu.Lock()
	if !was {
		n.known = n.on.Load()
	}
	n.primary = l
	n.mu.Unlock()
	n.cfg.Store.SetPassive(true)
	n.cfg.Store.Unlock(command.AllPartitions)
	n.log.Info("replica of another server now", "primary", l.address())
	n.disconnect()
	n.changed(host, port)
	n.background.Go(func() {
		defer close(l.done)
		l.run(ctx)
	})
}

// Promote makes this node a primary, with the data it has. Its old history is
// remembered: those who had the same primary can go on here.
func (n *Node) Promote() {
	n.roleMu.Lock()
	defer n.roleMu.Unlock()
	if !n.replica.Load() {
		return
	}
	n.endLink()
	n.cfg.Store.Lock(command.AllPartitions)
	n.mu.Lock()
	n.id2, n.second, n.id = n.id, n.stream.offset()+1, newID()
	n.primary = nil
	n.lonely = time.Time{}
	n.mu.Unlock()
	n.stream.reselect()
	n.replica.Store(false)
	n.cfg.Store.SetPassive(false)
	n.cfg.Store.Unlock(command.AllPartitions)
	n.log.Info("primary now, at its own request")
	n.disconnect()
	n.changed("", 0)
}

func (n *Node) changed(host string, port int) {
	if n.cfg.RoleChanged != nil {
		n.cfg.RoleChanged(host, port)
	}
}

// endLink ends the link to the primary, if there is one. roleMu is locked.
func (n *Node) endLink() {
	n.mu.Lock()
	l := n.primary
	n.mu.Unlock()
	if l != nil {
		l.stop()
	}
}
