package transport_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"conclave/fsm"
	"conclave/raftnode/peer"
	"conclave/raftnode/store"
	"conclave/raftnode/transport"
)

// The whole stack as a process has it: sockets, a secret, files; and again
// after a restart.
func TestRaftOverTCPAndDisk(t *testing.T) {
	names := []string{"a", "b", "c"}
	dirs := map[string]string{}
	for _, n := range names {
		dirs[n] = t.TempDir()
	}
	for life := range 2 {
		addrs := map[fsm.NodeID]string{}
		lns := map[string]func() error{} // serves until the context ends
		ctx, cancel := context.WithCancel(t.Context())
		var endpoints []*peer.Endpoint
		for _, n := range names {
			e := peer.New(peer.Config{
				Self: func() peer.Identity {
					return peer.Identity{ClusterID: cluster, Node: nodeID(n), Generation: 1}
				},
				Secret:  func() []byte { return []byte("secret") },
				Network: peer.TCP{}, Log: slog.New(slog.DiscardHandler),
			})
			ln, err := peer.TCP{}.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addrs[nodeID(n)] = ln.Addr().String()
			endpoints = append(endpoints, e)
			lns[n] = func() error { return e.Serve(ctx, ln) }
		}
		served := make(chan error, len(names))
		var rs []*raft.Raft
		var fsms []*list
		var closers []func() error
		for i, n := range names {
			go func() { served <- lns[n]() }()
			s, err := store.Disk(dirs[n], slog.New(slog.DiscardHandler)).Open(cluster, 1)
			if err != nil {
				t.Fatal(err)
			}
			tr := transport.New(transport.Config{
				Endpoint: endpoints[i], Self: string(serverID(n)), Want: cluster, Entries: s.Log,
				Resolve: func(id fsm.NodeID, _ uint64) (string, bool) { a, ok := addrs[id]; return a, ok },
			})
			if life == 0 {
				if err := raft.BootstrapCluster(config(n), s.Log, s.Stable, s.Snaps, tr, servers(names...)); err != nil {
					t.Fatal(err)
				}
			}
			f := &list{}
			r, err := raft.NewRaft(config(n), f, s.Log, s.Stable, s.Snaps, tr)
			if err != nil {
				t.Fatal(err)
			}
			rs, fsms = append(rs, r), append(fsms, f)
			closers = append(closers, func() error { return errors.Join(r.Shutdown().Error(), tr.Close(), s.Close()) })
		}
		until(t, "nobody takes an entry", func() bool {
			for _, r := range rs {
				if r.State() == raft.Leader && r.Apply([]byte("x"), time.Second).Error() == nil {
					return true
				}
			}
			return false
		})
		// On a loaded machine an entry whose outcome was unknown may be there too.
		until(t, "members differ", func() bool {
			a := fsms[0].String()
			return len(strings.Fields(a)) > life && a == fsms[1].String() && a == fsms[2].String()
		})
		for i, r := range rs {
			if life == 0 && i == 0 {
				if err := r.Snapshot().Error(); err != nil {
					t.Error(err)
				}
			}
		}
		for _, c := range closers {
			if err := c(); err != nil {
				t.Error(err)
			}
		}
		cancel()
		for range names {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	}
}

// until polls in real time.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}
