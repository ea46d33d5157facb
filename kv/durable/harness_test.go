package durable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/commands"
	"conclave/kv/durable"
	"conclave/kv/persist"
	"conclave/resp"
	"conclave/resp/command"
)

// client is the session of commands that a test runs.
type client struct{ db int }

func (s *client) ID() uint64       { return 1 }
func (s *client) DB() int          { return s.db }
func (s *client) SetDB(n int)      { s.db = n }
func (s *client) NoTouch() bool    { return false }
func (s *client) ReadOnly() bool   { return false }
func (s *client) SetReadOnly(bool) {}
func (s *client) SetAsking()       {}
func (s *client) Host() string     { return "" }
func (s *client) TLS() bool        { return false }

// node is a store that is kept on disk, with one client.
type node struct {
	t     testing.TB
	store *kv.Store
	disk  *durable.Disk
	table *command.Table

	settings atomic.Pointer[durable.Settings]
	client   client
	w        resp.Writer
	ctx      *command.Ctx
	unit     command.Unit
	stop     context.CancelFunc
	done     sync.WaitGroup
	failed   error // of Run
}

// defaults are Redis's, with the files in a directory.
func defaults(dir string) durable.Settings {
	return durable.Settings{
		Dir: dir, Filename: "dump.rdb", Checksum: true, IncrementalFsync: true, StopWrites: true, Encoding: persist.DefaultEncoding(),
		MaxString: 512 << 20, AppendFilename: "appendonly.aof", AppendDir: "appendonlydir",
		RewritePercentage: 100, RewriteMinSize: 64 << 20, LoadTruncated: true, Preamble: true, RewriteIncrementFsync: true,
	}
}

// open starts a node on what files hold. The error is that of loading.
func open(t testing.TB, files persist.FileSystem, set durable.Settings) (*node, error) {
	t.Helper()
	n := &node{t: t, store: kv.New(kv.Config{Databases: 16})}
	n.settings.Store(&set)
	n.disk = durable.New(durable.Config{Store: n.store, Settings: n.settings.Load, Files: files, Version: "7.2.4"})
	table, err := command.Build(append(commands.Specs(commands.Deps{Store: n.store}), command.Specs(), n.disk.Specs())...)
	if err != nil {
		t.Fatal(err)
	}
	n.table = table
	n.disk.Use(table)
	n.ctx = command.NewCtx(table, &n.client, &n.w)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	if err := n.disk.Load(ctx); err != nil {
		stop()
		n.disk.Close()
		return nil, err
	}
	n.done.Go(func() { n.failed = n.disk.Run(ctx) })
	return n, nil
}

func mustOpen(t testing.TB, files persist.FileSystem, set durable.Settings) *node {
	t.Helper()
	n, err := open(t, files, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.close() })
	return n
}

// close ends the node in order, without saving.
func (n *node) close() error {
	err := n.disk.Shutdown(false)
	n.stop()
	n.done.Wait()
	return errors.Join(err, n.disk.Close(), n.failed)
}

// set changes a setting.
func (n *node) set(change func(*durable.Settings)) error {
	s := *n.settings.Load()
	change(&s)
	n.settings.Store(&s)
	return n.disk.Switch()
}

// run runs a command as the server would, up to the moment at which its reply
// could leave if there were no disk.
func (n *node) run(args ...string) string {
	n.t.Helper()
	in := make([][]byte, len(args))
	for i, a := range args {
		in[i] = []byte(a)
	}
	spec := n.table.Resolve(in)
	if spec == nil || spec.Run == nil || !spec.ArityOK(len(in)) {
		n.t.Fatalf("bad command %q", args)
	}
	var mask uint64
	keys, _ := spec.AppendKeys(nil, in)
	for _, i := range keys {
		mask |= command.PartitionOf(command.SlotOf(in[i]))
	}
	if spec.Is(command.WholeStore) {
		mask = command.AllPartitions
	}
	feed := n.disk.Feed()
	n.w.Reset(nil)
	c := n.ctx
	c.Spec, c.Args, c.NowMs = spec, in, time.Now().UnixMilli()
	n.store.Lock(mask)
	defer n.store.Unlock(mask)
	c.Keep(feed.Wanted())
	before := n.store.Changes(mask)
	spec.Run(c)
	if feed.Wanted() {
		effects, rewritten := c.TakeEffects()
		switch {
		case rewritten:
			for _, e := range effects {
				n.unit.Add(n.client.db, e...)
			}
		case n.store.Changes(mask) != before:
			n.unit.Add(n.client.db, in...)
		}
		if n.unit.Len() > 0 {
			n.unit.NowMs = c.NowMs
			feed.Feed(&n.unit)
			n.unit.Reset()
		}
	}
	return string(n.w.Bytes())
}

// do runs a command, given as words, and waits until its reply may leave. It
// reports whether it may.
func (n *node) do(line string) bool {
	n.t.Helper()
	if reply := n.run(strings.Fields(line)...); strings.HasPrefix(reply, "-") {
		n.t.Fatalf("%s: %s", line, reply)
	}
	return n.released()
}

func (n *node) released() bool {
	feed := n.disk.Feed()
	position := feed.Hold()
	return position == 0 || feed.Released(position) || feed.Wait(position, nil)
}

func (n *node) digest() string {
	n.store.Lock(command.AllPartitions)
	defer n.store.Unlock(command.AllPartitions)
	return fmt.Sprintf("%x", n.store.Digest(time.Now().UnixMilli()))
}

// info is one field of INFO persistence.
func (n *node) info(field string) string {
	for _, line := range strings.Split(string(n.disk.AppendInfo(nil)), "\r\n") {
		if name, value, _ := strings.Cut(line, ":"); name == field {
			return value
		}
	}
	return ""
}

// until waits for a field of INFO persistence to have a value.
func (n *node) until(field, value string) {
	n.t.Helper()
	eventually(n.t, field+" is "+value, func() bool { return n.info(field) == value })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened that %s", what)
		}
	}
}
