package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"conclave/cmd/internal/config"
	"conclave/fsm"
	"conclave/fsm/nodesconf"
	"conclave/fsm/slot"
	"conclave/kv"
	"conclave/raftnode"
	raftcommands "conclave/raftnode/commands"
	"conclave/raftnode/router"
	"conclave/raftnode/store"
	"conclave/resp/command"
	"conclave/resp/commands"
)

// clusterRooms are what cluster mode adds.
type clusterRooms struct {
	*raftnode.Node
	r      *rooms
	meta   *store.DiskMeta
	router *router.Router
}

// newCluster opens the node's record and prepares its control plane.
func (r *rooms) newCluster() (*clusterRooms, error) {
	c := r.cfg.Current()
	meta, err := store.OpenMeta(c.Dir)
	if err != nil {
		return nil, err
	}
	n := &clusterRooms{r: r, meta: meta}
	former, err := n.formerLife(c)
	if err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	n.Node = raftnode.New(raftnode.Config{
		Meta: meta, Stores: store.Disk(c.Dir, r.log.With("sub", "store")), Network: busNetwork{r: r},
		BusAddr: net.JoinHostPort(busHost(c), strconv.Itoa(c.BusPort())),
		Secret:  func() []byte { return []byte(r.cfg.Current().ClusterSecret) },
		Data:    slotData{r.store}, Clock: raftnode.NewSystemClock(),
		Settings: func() raftnode.Settings { return settingsOf(r.cfg.Current()) },
		Log:      r.log.With("sub", "cluster"), Redis: former,
		Export: n.export, Deliver: n.deliver,
	})
	n.router = router.New(routerSource{n.Node, r.cfg})
	r.announceChanges(n.Node)
	return n, nil
}

// Run runs the control plane and closes the node's record after it.
func (n *clusterRooms) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { n.dropShardChannels(ctx) })
	return errors.Join(n.Node.Run(ctx), n.meta.Close())
}

// waitReady waits until the node has a configuration to answer from. A node
// whose cluster has no quorum yet serves CLUSTER commands all the same.
func (n *clusterRooms) waitReady(ctx context.Context, failed <-chan error) error {
	t := time.NewTimer(2 * time.Second)
	defer t.Stop()
	select {
	case <-n.Ready():
		return nil
	case err := <-failed:
		return err
	case <-t.C:
		n.r.log.Warn("the cluster's configuration has not arrived yet; starting without it")
		return nil
	case <-ctx.Done():
		return nil
	}
}

// busHost is the address that the bus listens on: the first bind address.
func busHost(c *config.Config) string {
	if len(c.Bind) == 0 {
		return ""
	}
	switch a := c.Bind[0]; a {
	case "*", "::*", "-::*":
		return ""
	default:
		if a[0] == '-' {
			return a[1:]
		}
		return a
	}
}

func settingsOf(c *config.Config) raftnode.Settings {
	s := raftnode.Settings{
		AnnounceIP: c.ClusterAnnounceIP, Port: uint16(c.Port), TLSPort: uint16(c.TLS.Port), BusPort: uint16(c.BusPort()),
		Hostname: c.ClusterAnnounceHostname, HumanName: c.ClusterAnnounceHumanNodename, Zone: c.AvailabilityZone,
		NoFailover: c.ClusterReplicaNoFailover, NodeTimeout: c.ClusterNodeTimeout,
		RequireCoverage: c.ClusterRequireFullCoverage, ReplicaMigration: c.ClusterAllowReplicaMigration, Voters: c.ClusterRaftVoters,
		VoterReplace: c.ClusterVoterReplaceAfter, Seeds: c.ClusterSeeds, RaftTimeout: c.RaftTimeout,
	}
	if c.ClusterAnnouncePort != 0 {
		s.Port = uint16(c.ClusterAnnouncePort)
	}
	if c.ClusterAnnounceBusPort != 0 {
		s.BusPort = uint16(c.ClusterAnnounceBusPort)
	}
	if c.ClusterAnnounceTLSPort != 0 {
		s.TLSPort = uint16(c.ClusterAnnounceTLSPort)
	}
	return s
}

// announceChanges tells the cluster of directives that others act on. A
// shorter node timeout shortens the lease in hand before anybody hears of it.
func (r *rooms) announceChanges(n *raftnode.Node) {
	r.cfg.OnChange(func(old, c *config.Config) error {
		if c.ClusterNodeTimeout < old.ClusterNodeTimeout {
			n.NodeTimeoutLowered(c.ClusterNodeTimeout)
		}
		return nil
	}, "cluster-node-timeout")
}

// formerLife reads a nodes.conf that Redis left in a directory without a
// record of ours: the node goes on under its old id, with its old slots.
func (n *clusterRooms) formerLife(c *config.Config) (*raftnode.Takeover, error) {
	m, err := n.meta.Load()
	if err != nil || m.NodeID != "" {
		return nil, err
	}
	path := filepath.Join(c.Dir, c.ClusterConfigFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	f, err := nodesconf.Parse(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s was not written by this server and can't be taken over: %w", path, err)
	}
	t := &raftnode.Takeover{Peers: make(map[fsm.NodeID]string)}
	for _, x := range f.Nodes {
		if x.Myself {
			t.ID, t.Shard, t.Slots, t.Primary = x.ID, x.Shard, x.Slots, x.Primary
			if x.Primary == "" { // what stands beside a replica is its primary's
				t.Epoch = x.Epoch
			}
			continue
		}
		if x.IP != "" && x.BusPort != 0 {
			t.Peers[x.ID] = net.JoinHostPort(x.IP, strconv.Itoa(int(x.BusPort)))
		}
	}
	n.r.log.Info("taking over a node of a Redis Cluster", "file", path, "node", t.ID, "peers", len(t.Peers))
	return t, nil
}

// export writes nodes.conf for others to read; nothing here reads it again.
func (n *clusterRooms) export(st *fsm.State, self fsm.NodeID) error {
	c := n.r.cfg.Current()
	return replaceFile(filepath.Join(c.Dir, c.ClusterConfigFile), nodesconf.Write(st, self))
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// slotData shows the store to the control plane.
type slotData struct{ store *kv.Store }

func (d slotData) KeysInSlot(s int) int { return d.store.CountInSlot(s) }

func (d slotData) Keys() (n int) {
	for db := range d.store.Databases() {
		n += int(d.store.DBStats(db).Keys)
	}
	return n
}

// Drain passes through the partitions of the slots once: what was routed
// before has ended then, because routing and running share one hold.
func (d slotData) Drain(slots []slot.Range) {
	var mask uint64
	for _, r := range slots {
		for s := int(r.Start); s <= int(r.End) && mask != command.AllPartitions; s++ {
			mask |= command.PartitionOf(s)
		}
	}
	for ; mask != 0; mask &= mask - 1 {
		one := mask & -mask
		d.store.Lock(one)
		d.store.Unlock(one)
	}
}

func (d slotData) Flush() {
	d.store.Lock(command.AllPartitions)
	defer d.store.Unlock(command.AllPartitions)
	d.store.FlushAll()
}

// keyData shows it to the CLUSTER commands.
type keyData struct{ slotData }

func (d keyData) CountKeysInSlot(s int) int { return d.store.CountInSlot(s) }

func (d keyData) GetKeysInSlot(s, n int, locked bool, visit func(key []byte)) {
	if !locked {
		d.store.Lock(command.PartitionOf(s))
		defer d.store.Unlock(command.PartitionOf(s))
	}
	d.store.KeysInSlot(s, n, visit)
}

// routerSource is the node as the router sees it.
type routerSource struct {
	*raftnode.Node
	cfg *config.Store
}

func (s routerSource) Settings() router.Settings {
	c := s.cfg.Current()
	return router.Settings{
		ReadsWhenDown: c.ClusterAllowReadsWhenDown, PubSubWhenDown: c.ClusterAllowPubsubshardWhenDown,
		Endpoint: c.ClusterPreferredEndpointType,
	}
}

// clusterFamilies are the CLUSTER commands; outside cluster mode they answer
// that there is no cluster.
func clusterFamilies(r *rooms) [][]command.Spec {
	d := raftcommands.Deps{
		Data:     keyData{slotData{r.store}},
		Endpoint: func() string { return r.cfg.Current().ClusterPreferredEndpointType },
		Timeout:  func() time.Duration { return r.cfg.Current().ClusterNodeTimeout },
	}
	if r.node != nil {
		d.Plane = r.node.Node
	}
	return raftcommands.Specs(d)
}

// replication is this node's part for INFO, ROLE and HELLO. Until data is
// replicated a replica's link is down.
func (n *clusterRooms) replication() commands.Replication {
	rep := commands.Replication{ID: n.r.server.RunID(), SecondOffset: -1}
	st := n.View()
	me := st.Node(n.Self())
	if me == nil || me.IsPrimary() {
		return rep
	}
	rep.Replica = true
	rep.Master = commands.MasterLink{State: "connect", LastIO: -1, DownSeconds: -1, Priority: 100}
	if p := st.Node(me.Primary); p != nil {
		rep.Master.Host, rep.Master.Port = p.IP, int(p.Port)
	}
	return rep
}

func (n *clusterRooms) infoSections() []command.InfoSection { return nil }
