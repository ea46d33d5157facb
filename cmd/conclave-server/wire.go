package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"conclave/cmd/internal/config"
	"conclave/cmd/internal/version"
	"conclave/kv"
	kvcommands "conclave/kv/commands"
	"conclave/kv/durable"
	"conclave/kv/migrate"
	"conclave/kv/repl"
	"conclave/kv/script"
	"conclave/resp/acl"
	"conclave/resp/command"
	"conclave/resp/commands"
	"conclave/resp/server"
)

// rooms are what one node is built of. This file is the only one that knows
// all of them: they are made bottom-up and stopped top-down.
type rooms struct {
	cfg     *config.Store
	log     *slog.Logger
	store   *kv.Store
	server  *server.Server
	node    *clusterRooms // nil outside cluster mode
	migrate *migrate.Pool
	scripts *script.Engine
	disk    *durable.Disk
	tls     *encryption
	repl    *repl.Node
	loaded  atomic.Bool // the data are all there

	settings     atomic.Pointer[durable.Settings]
	replSettings atomic.Pointer[repl.Settings]
	limits       atomic.Pointer[server.Limits]
	users        atomic.Pointer[acl.Users]
	stop         context.CancelFunc
}

// run builds the node, serves until ctx ends or a client shuts it down, and takes
// it down again. ready is called once clients can connect; they are told to wait
// until the data are loaded.
func run(ctx context.Context, cfg *config.Store, log *slog.Logger, ready func()) error {
	asked := ctx.Done()
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	r := &rooms{cfg: cfg, log: log, stop: stop, migrate: migrate.New(nil)}
	defer r.migrate.Close()
	c := cfg.Current()

	r.store = kv.New(kv.Config{Databases: c.Databases})
	r.followConfig()
	r.newScripts()
	r.newDisk()
	defer r.disk.Close()
	var err error
	if r.tls, err = r.newEncryption(); err != nil {
		return err
	}
	r.newReplication()
	if c.ClusterEnabled {
		node, err := r.newCluster()
		if err != nil {
			return err
		}
		r.node = node
	}
	if err := r.newServer(); err != nil {
		return err
	}
	listeners, err := r.listen()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer closeAll(listeners)
	failed := make(chan error, len(listeners)+4)
	start := func(ctx context.Context, what string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	// The control plane outlives the clients: what they are still being
	// answered needs its view.
	cctx, stopCluster := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCluster()
	if r.node != nil {
		start(cctx, "control plane", r.node.Run)
		if err := r.node.waitReady(ctx, failed); err != nil {
			stop()
			return err
		}
	}
	var clients sync.WaitGroup
	defer clients.Wait()
	for _, l := range listeners {
		clients.Go(func() {
			if err := r.server.Serve(ctx, l); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("listener %s: %w", l.Addr(), err)
			}
		})
	}
	ready()
	// What clients are still being answered may have to be on disk first: that
	// goes on until there are none any more.
	dctx, stopDisk := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDisk()
	var keeping sync.WaitGroup
	start(ctx, "load", func(ctx context.Context) error {
		if err := r.load(ctx); err != nil {
			return err
		}
		keeping.Go(func() {
			if err := r.disk.Run(dctx); err != nil {
				failed <- fmt.Errorf("the data can't be kept: %w", err)
			}
		})
		start(ctx, "expiry", r.store.Run)
		start(ctx, "replication", r.repl.Run)
		r.followPrimary()
		if r.node != nil {
			start(ctx, "stray keys", r.node.reportStrays)
		}
		start(ctx, "memory", r.watchMemory)
		log.Info("Ready to accept connections", "port", c.Port, "cluster", c.ClusterEnabled, "version", version.Version)
		return nil
	})

	err = r.untilAsked(ctx, asked, failed)
	stop()
	r.scripts.SetStopped(true)
	r.migrate.Close() // or a client in MIGRATE would be waited for
	clients.Wait()
	stopDisk()
	keeping.Wait()
	select {
	case late := <-failed:
		err = errors.Join(err, late)
	default:
	}
	return err
}

// untilAsked returns when the server is to end: because it was asked to, by a
// signal, which is followed unless data would be lost, or by a client, or because
// something failed.
func (r *rooms) untilAsked(ctx context.Context, asked <-chan struct{}, failed <-chan error) error {
	for {
		select {
		case <-asked:
			r.scripts.SetStopped(true) // one that never ends would be waited for
			if r.prepareShutdown(false, false, false) == nil {
				return nil
			}
			r.scripts.SetStopped(false)
			asked = nil
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		}
	}
}

// newServer makes the RESP server and its command table.
func (r *rooms) newServer() error {
	cfg := server.Config{
		Keyspace: r.store, Limits: r.limits.Load, Auth: (*access)(r), AllowProtected: r.allowProtected,
		OnPause:   func(until time.Time) { r.store.HoldExpired(until.UnixMilli()) },
		IOThreads: r.cfg.Current().IOThreads, OnShutdown: r.stop, Log: r.log.With("sub", "clients"), Gate: r.gate, MakeRoom: r.store.MakeRoom, Feed: r.repl,
	}
	if r.node != nil {
		cfg.Router = r.node.router
		cfg.ParkTimeout = r.cfg.Current().ClusterNodeTimeout
	}
	r.server = server.New(cfg)
	if err := r.observeKeys(); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		exe = ""
	}
	c := r.cfg.Current()
	deps := commands.Deps{
		Server: r.server, Directives: r.cfg, Log: r.log, Version: version.Version,
		ConfigFile: r.cfg.File(), Executable: exe, Cluster: c.ClusterEnabled, Databases: c.Databases,
		Users: r.users.Load, ACL: r.aclFiles(),
		Dataset: r.dataset, ResetStats: r.store.ResetStats, Store: kvcommands.Debug{Store: r.store},
		Sections: []command.InfoSection{{Name: "keyspace", Write: r.keyspaceInfo}, {Name: "persistence", Write: r.disk.AppendInfo}},
		Shutdown: r.shutdownByClient, Reload: func(o commands.ReloadOptions) error { return r.disk.Reload(o.NoSave, o.NoFlush) }, LoadAOF: r.disk.ReloadAOF,
	}
	families := kvcommands.Specs(kvcommands.Deps{
		Store: r.store, Cluster: c.ClusterEnabled,
		MaxBulkLen:   func() int64 { return r.cfg.Current().ProtoMaxBulkLen },
		HLLSparseMax: func() int64 { return r.cfg.Current().HLLSparseMaxBytes }, Migrate: r.migrate,
		Notifier: r.server,
	})
	families = append(families, command.Specs(), r.server.TransactionSpecs(), r.disk.Specs(), r.scripts.Specs())
	deps.Replication, deps.Forward, deps.ChangeReplID = r.replication, r.repl.Published, r.repl.ChangeID
	families = append(families, r.repl.Specs(c.ClusterEnabled))
	if r.node != nil {
		deps.Replication = r.node.replication
		deps.Forward = r.node.Publish
		deps.Sections = append(deps.Sections, r.node.infoSections()...)
	}
	families = append(families, commands.Specs(deps)...)
	families = append(families, clusterFamilies(r)...)
	table, err := command.Build(families...)
	if err != nil {
		return fmt.Errorf("command table: %w", err)
	}
	if err := r.newUsers(table); err != nil {
		return err
	}
	r.server.Use(table)
	r.disk.Use(table)
	r.repl.Use(table)
	return nil
}

// listen opens the client ports. An address with a leading dash may be missing.
func (r *rooms) listen() ([]net.Listener, error) {
	c := r.cfg.Current()
	var ls []net.Listener
	fail := func(err error) ([]net.Listener, error) {
		closeAll(ls)
		return nil, err
	}
	if c.Port != 0 {
		var err error
		if ls, err = r.listenTCP(c.Port); err != nil {
			return nil, err
		}
	}
	if c.UnixSocket != "" {
		if err := os.Remove(c.UnixSocket); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fail(fmt.Errorf("unix socket: %w", err))
		}
		l, err := net.Listen("unix", c.UnixSocket)
		if err != nil {
			return fail(fmt.Errorf("unix socket: %w", err))
		}
		ls = append(ls, l)
		if c.UnixSocketPerm != 0 {
			if err := os.Chmod(c.UnixSocket, os.FileMode(c.UnixSocketPerm)); err != nil {
				return fail(fmt.Errorf("unix socket: %w", err))
			}
		}
	}
	if c.TLS.Port != 0 {
		sockets, err := r.listenTCP(c.TLS.Port)
		if err != nil {
			return fail(err)
		}
		r.tls.port.replace(sockets)
	} else if len(ls) == 0 {
		return nil, errors.New("Configured to not listen anywhere, exiting.")
	}
	return append(ls, r.tls.port), nil // it may get sockets later
}

// listenTCP listens on a port at the addresses of bind.
func (r *rooms) listenTCP(port int) ([]net.Listener, error) {
	var ls []net.Listener
	for _, a := range r.cfg.Current().Bind {
		optional := len(a) > 0 && a[0] == '-'
		if optional {
			a = a[1:]
		}
		network := "tcp"
		switch a {
		case "*":
			network, a = "tcp4", "0.0.0.0"
		case "::*":
			network, a = "tcp6", "::"
		}
		l, err := net.Listen(network, net.JoinHostPort(a, strconv.Itoa(port)))
		if err != nil {
			if optional {
				r.log.Debug("optional address not available", "addr", a, "err", err)
				continue
			}
			closeAll(ls)
			return nil, fmt.Errorf("Could not create server TCP listening socket %s:%d: %w", a, port, err)
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close() // closed by Serve before, as a rule
	}
}

// followConfig keeps what other rooms read in step with the directives.
func (r *rooms) followConfig() {
	r.limits.Store(limitsOf(r.cfg.Current()))
	r.followMemoryLimit()
	r.cfg.OnChange(func(_, c *config.Config) error {
		if c.ClusterEnabled {
			return errors.New("the control plane's directory can't change while it runs")
		}
		return os.Chdir(c.Dir)
	}, "dir")
	r.cfg.OnChange(func(_, c *config.Config) error {
		r.limits.Store(limitsOf(c))
		return nil
	}, "maxclients", "timeout", "tcp-keepalive", "proto-max-bulk-len", "client-query-buffer-limit",
		"client-output-buffer-limit", "protected-mode", "slowlog-log-slower-than", "slowlog-max-len",
		"latency-monitor-threshold", "latency-tracking", "tracking-table-max-keys", "busy-reply-threshold")
	r.store.SetLimits(encodingLimits(&r.cfg.Current().Encodings))
	r.cfg.OnChange(func(_, c *config.Config) error {
		r.store.SetLimits(encodingLimits(&c.Encodings))
		return nil
	}, config.EncodingDirectives()...)
}

func encodingLimits(e *config.Encodings) kv.Limits {
	return kv.Limits{
		HashEntries: e.HashMaxListpackEntries, HashValue: int(e.HashMaxListpackValue),
		SetEntries: e.SetMaxListpackEntries, SetValue: int(e.SetMaxListpackValue), IntsetEntries: e.SetMaxIntsetEntries,
		ZSetEntries: e.ZSetMaxListpackEntries, ZSetValue: int(e.ZSetMaxListpackValue),
		ListSize: e.ListMaxListpackSize, StreamBytes: int(e.StreamNodeMaxBytes), StreamEntries: e.StreamNodeMaxEntries,
	}
}

func limitsOf(c *config.Config) *server.Limits {
	out := func(l config.OutputLimit) server.OutputLimit {
		return server.OutputLimit{Hard: l.Hard, Soft: l.Soft, SoftFor: l.SoftFor}
	}
	return &server.Limits{
		MaxClients: int(c.MaxClients), Timeout: c.Timeout, TCPKeepAlive: c.TCPKeepAlive,
		MaxBulk: c.ProtoMaxBulkLen, MaxQuery: c.ClientQueryBufferLimit,
		OutputNormal: out(c.ClientOutput.Normal), OutputReplica: out(c.ClientOutput.Replica), OutputPubSub: out(c.ClientOutput.PubSub),
		ProtectedMode:     c.ProtectedMode,
		SlowlogSlowerThan: time.Duration(c.SlowlogSlowerThan) * time.Microsecond, SlowlogMaxLen: int(c.SlowlogMaxLen),
		LatencyThreshold: time.Duration(c.LatencyMonitorThreshold) * time.Millisecond, LatencyTracking: c.LatencyTracking,
		TrackingKeys: int(c.TrackingKeys), BusyReplyThreshold: time.Duration(c.BusyReplyThreshold) * time.Millisecond,
	}
}

// gate refuses commands that the state of the node forbids.
func (r *rooms) gate(f command.Flags) string {
	if text := r.diskGate(f); text != "" {
		return text
	}
	if text := r.replicationGate(f); text != "" {
		return text
	}
	return r.memoryGate(f)
}

func (r *rooms) allowProtected(local bool) bool {
	switch r.cfg.Current().EnableDebugCommand {
	case "yes":
		return true
	case "local":
		return local
	}
	return false
}

func (r *rooms) dataset() commands.Dataset {
	s := r.store.Stats()
	d := commands.Dataset{
		Bytes: r.store.Bytes(), OffHeap: r.store.Bytes(), Used: r.store.Used(), EvictedKeys: r.store.Evicted(), Dirty: s.Dirty, ExpiredKeys: s.Expired, Hits: s.Hits, Misses: s.Misses,
		StalePercent: s.StalePercent, TimeCapCycles: s.TimeCapped, CycleMillis: s.CycleTime.Milliseconds(),
	}
	for db := range r.store.Databases() {
		d.Keys += r.store.DBStats(db).Keys
	}
	scripts := r.scripts.Info()
	d.Scripts, d.Libraries, d.Functions = int64(scripts.Scripts), int64(scripts.Libraries), int64(scripts.Functions)
	d.ScriptBytes, d.LibraryBytes = scripts.ScriptBytes, scripts.LibraryBytes
	return d
}

func (r *rooms) keyspaceInfo(b []byte) []byte {
	for db := range r.store.Databases() {
		if s := r.store.DBStats(db); s.Keys > 0 {
			b = fmt.Appendf(b, "db%d:keys=%d,expires=%d,avg_ttl=%d\r\n", db, s.Keys, s.Expires, s.AvgTTL)
		}
	}
	return b
}
