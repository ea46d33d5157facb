package durable_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/kv/durable"
	"conclave/kv/persist"
)

// fill makes some keys of the types that every version has.
func (n *node) fill() {
	n.t.Helper()
	for _, line := range []string{
		"set a 1", "set b hello", "set e x px 100000000", "hset h f1 v1 f2 v2", "sadd s 1 2 3", "sadd t x y", "append b !",
	} {
		n.do(line)
	}
	n.client.db = 3
	n.do("set other 1")
	n.client.db = 0
}

// again closes the node and opens another on its files.
func (n *node) again(files persist.FileSystem, set durable.Settings) *node {
	n.t.Helper()
	if err := n.close(); err != nil {
		n.t.Fatal(err)
	}
	return mustOpen(n.t, files, set)
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: the data are something else", what)
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("d")
	n := mustOpen(t, disk, set)
	n.fill()
	want := n.digest()
	if err := n.disk.StartSave(); err != nil {
		t.Fatal(err)
	}
	n.until("rdb_bgsave_in_progress", "0")
	n.until("rdb_changes_since_last_save", "0")
	n.do("set later 1")
	n = n.again(disk, set)
	same(t, "loaded", n.digest(), want)
	if got := n.info("rdb_last_load_keys_loaded"); got != "7" {
		t.Errorf("%s keys loaded", got)
	}
}

func TestSavePointsAreReached(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.SavePoints = []durable.SavePoint{{After: 0, Changes: 3}}
	n := mustOpen(t, disk, set)
	n.do("set a 1")
	n.do("set a 2")
	if got := n.info("rdb_saves"); got != "0" {
		t.Errorf("%s saves", got)
	}
	n.do("set a 3")
	n.until("rdb_saves", "1")
}

// A snapshot that can't be written makes writes be refused, until one can.
func TestSnapshotOnFullDisk(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.SavePoints = []durable.SavePoint{{After: time.Hour, Changes: 1}}
	n := mustOpen(t, disk, set)
	n.fill()
	if err := n.disk.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := n.digest()
	n.do("set more 1")
	disk.mu.Lock()
	disk.room = 10
	disk.mu.Unlock()
	if err := n.disk.Save(t.Context()); err == nil {
		t.Fatal("saved without room")
	}
	if got := n.disk.Refusal(); !strings.HasPrefix(got, "MISCONF Redis is configured to save RDB snapshots") {
		t.Errorf("refusal %q", got)
	}
	if got := n.info("rdb_last_bgsave_status"); got != "err" {
		t.Errorf("status %q", got)
	}
	m := mustOpen(t, disk, set)
	same(t, "the snapshot before", m.digest(), want)
	disk.mu.Lock()
	disk.room = -1
	disk.mu.Unlock()
	if err := n.disk.Save(t.Context()); err != nil || n.disk.Refusal() != "" {
		t.Errorf("with room again: %v, refusal %q", err, n.disk.Refusal())
	}
}

func TestAppendOnlyFile(t *testing.T) {
	t.Parallel()
	for _, fsync := range []durable.Fsync{durable.FsyncAlways, durable.FsyncEverySecond, durable.FsyncNo} {
		for _, preamble := range []bool{true, false} {
			disk, set := newCrashDisk(), defaults("d")
			set.AppendOnly, set.Fsync, set.Preamble, set.Timestamps = true, fsync, preamble, preamble
			n := mustOpen(t, disk, set)
			n.fill()
			n.do("flushdb")
			n.fill()
			n.do("del t")
			want := n.digest()
			name := fmt.Sprintf("fsync %d, preamble %v", fsync, preamble)
			n = n.again(disk, set)
			same(t, name, n.digest(), want)
			n.do("set more 1")
			if err := n.disk.StartRewrite(); err != nil {
				t.Fatal(err)
			}
			n.do("set even more")
			n.until("aof_rewrite_in_progress", "0")
			n.do("append even more")
			want = n.digest()
			n = n.again(disk, set)
			same(t, name+", rewritten", n.digest(), want)
		}
	}
}

// A key that has expired is gone for what comes later, whenever that is loaded.
func TestExpiredKeysInTheAppendOnlyFile(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly = true
	n := mustOpen(t, disk, set)
	n.do("set k 5 px 20")
	n.do("set idle 5 px 20")
	eventually(t, "the key expires", func() bool { return n.run("get", "k") == "$-1\r\n" })
	n.do("incr k")
	want := n.digest()
	n = n.again(disk, set)
	same(t, "loaded", n.digest(), want)
	if got := n.run("get", "k") + n.run("ttl", "k"); got != "$1\r\n1\r\n:-1\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestSwitchOnAndOff(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	n := mustOpen(t, disk, set)
	n.fill()
	on := func(v bool) {
		if err := n.set(func(s *durable.Settings) { s.AppendOnly = v }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		on(true)
		n.do(fmt.Sprintf("set on %d", i))
		n.until("aof_rewrite_in_progress", "0")
		n.do(fmt.Sprintf("append on %d", i))
		want := n.digest()
		if i < 2 {
			on(false)
			n.do("set off 1")
			continue
		}
		set.AppendOnly = true
		n = n.again(disk, set)
		same(t, "loaded", n.digest(), want)
	}
	if names, _ := disk.List("appendonlydir"); len(names) != 3 {
		t.Errorf("left: %q", names)
	}
}

// Where there is no append-only file yet the snapshot is what it begins with.
func TestAppendOnlyFileBeginsWithTheSnapshot(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	n := mustOpen(t, disk, set)
	n.fill()
	want := n.digest()
	if err := n.disk.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	set.AppendOnly = true
	n = n.again(disk, set)
	same(t, "loaded", n.digest(), want)
	if err := disk.Remove("dump.rdb"); err != nil {
		t.Fatal(err)
	}
	n = n.again(disk, set)
	same(t, "loaded again", n.digest(), want)
}

// With everysec a full disk makes writes be refused until there is room. Nothing
// that was acknowledged is lost.
func TestFullDiskEverySecond(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly, set.Fsync = true, durable.FsyncEverySecond
	n := mustOpen(t, disk, set)
	n.fill()
	disk.mu.Lock()
	disk.room = 100
	disk.mu.Unlock()
	for i := 0; n.disk.Refusal() == ""; i++ {
		n.do(fmt.Sprintf("set k%d some-value", i%10))
	}
	if got := n.disk.Refusal(); got != "MISCONF Errors writing to the AOF file: No space left on device" {
		t.Errorf("refusal %q", got)
	}
	if n.info("aof_last_write_status") != "err" {
		t.Error("INFO doesn't say so")
	}
	want := n.digest()
	disk.mu.Lock()
	disk.room = -1
	disk.mu.Unlock()
	n.until("aof_last_write_status", "ok")
	if n.disk.Refusal() != "" {
		t.Error("still refused")
	}
	n = n.again(disk, set)
	same(t, "loaded", n.digest(), want)
}

// With always nothing is acknowledged that the disk doesn't take, and the node
// gives up.
func TestFailingDiskAlways(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*crashDisk){
		"no room": func(d *crashDisk) { d.room = 300 },
		"write fails": func(d *crashDisk) {
			d.fail = failing(opWrite, 5)
		},
		"fsync fails": func(d *crashDisk) {
			d.fail = failing(opSync, 5)
		},
		"taking back fails": func(d *crashDisk) {
			d.room = 300
			d.fail = failing(opTruncate, 0)
		},
	} {
		disk, set := newCrashDisk(), defaults("")
		set.AppendOnly, set.Fsync = true, durable.FsyncAlways
		n := mustOpen(t, disk, set)
		disk.mu.Lock()
		fail(disk)
		disk.mu.Unlock()
		digests := map[string]int{n.digest(): 0}
		acked := 0
		for i := 1; i < 100; i++ {
			ok := n.do(fmt.Sprintf("set k%d %d", i, i))
			digests[n.digest()] = i
			if !ok {
				break
			}
			acked = i
		}
		if acked == 99 {
			t.Fatalf("%s: everything was acknowledged", name)
		}
		if n.do("get k1") {
			t.Errorf("%s: a reply leaves after the disk failed", name)
		}
		if err := n.close(); err == nil {
			t.Errorf("%s: no error", name)
		}
		disk.mu.Lock()
		disk.room, disk.fail = -1, nil
		disk.mu.Unlock()
		m := mustOpen(t, disk, set)
		if got, ok := digests[m.digest()]; !ok || got < acked {
			t.Errorf("%s: %d writes are left of %d", name, got, acked)
		}
	}
}

// failing lets an operation fail after it was done so many times.
func failing(kind opKind, after int) func(diskOp) error {
	return func(op diskOp) error {
		if op.kind != kind {
			return nil
		}
		if after--; after < 0 {
			return errDisk
		}
		return nil
	}
}

func TestFailingFsyncEverySecond(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly, set.Fsync = true, durable.FsyncEverySecond
	n := mustOpen(t, disk, set)
	n.do("set a 1")
	disk.mu.Lock()
	disk.fail = failing(opSync, 0)
	disk.mu.Unlock()
	eventually(t, "the node gives up", func() bool { return !n.disk.Feed().Released(0) })
	if err := n.close(); !errors.Is(err, persist.ErrAOFBroken) || !errors.Is(err, errDisk) {
		t.Errorf("error %v", err)
	}
}

// A rewrite that fails leaves everything as it was, and is tried again.
func TestRewriteOnFullDisk(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly = true
	n := mustOpen(t, disk, set)
	n.fill()
	for _, kind := range []opKind{opCreate, opRename, opSync, opWrite} {
		// Only of the base: what is fed goes on being written.
		disk.mu.Lock()
		disk.fail = func(op diskOp) error {
			if op.kind == kind && strings.Contains(op.path, ".base.") {
				return errDisk
			}
			return nil
		}
		disk.mu.Unlock()
		err := n.disk.StartRewrite()
		n.until("aof_rewrite_in_progress", "0")
		if kind == opCreate || kind == opRename {
			if got := n.info("aof_last_bgrewrite_status"); got != "err" {
				t.Errorf("operation %d: status %q, %v", kind, got, err)
			}
		}
		n.do(fmt.Sprintf("set k%d 1", kind))
	}
	disk.mu.Lock()
	disk.fail = nil
	disk.mu.Unlock()
	want := n.digest()
	n = n.again(disk, set)
	same(t, "loaded", n.digest(), want)
}

func TestWaitAOF(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	n := mustOpen(t, disk, set)
	for _, tt := range []struct{ args, want string }{
		{"1 0 0", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n"},
		{"2 0 0", "-ERR value is out of range, must be between 0 and 1\r\n"},
		{"0 -1 0", "-ERR value is out of range, must be positive\r\n"},
		{"0 0 -1", "-ERR timeout is negative\r\n"},
		{"0 0 x", "-ERR timeout is not an integer or out of range\r\n"},
		{"0 0 0", "*2\r\n:0\r\n:0\r\n"},
		{"0 1 10", "*2\r\n:0\r\n:0\r\n"},
	} {
		if got := n.run(append([]string{"waitaof"}, strings.Fields(tt.args)...)...); got != tt.want {
			t.Errorf("WAITAOF %s: %q, want %q", tt.args, got, tt.want)
		}
	}
	if err := n.set(func(s *durable.Settings) { s.AppendOnly = true }); err != nil {
		t.Fatal(err)
	}
	n.until("aof_rewrite_in_progress", "0")
	n.do("set a 1")
	if got := n.run("waitaof", "1", "0", "1"); got != "*2\r\n:0\r\n:0\r\n" && got != "*2\r\n:1\r\n:0\r\n" {
		t.Errorf("got %q", got)
	}
	if got := n.run("waitaof", "1", "0", "0"); got != "*2\r\n:1\r\n:0\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly = true
	n := mustOpen(t, disk, set)
	n.fill()
	want := n.digest()
	locked := func(what string, f func() error) {
		n.store.Lock(^uint64(0))
		defer n.store.Unlock(^uint64(0))
		if err := f(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	locked("reload", func() error { return n.disk.Reload(false, false) })
	same(t, "reloaded", n.digest(), want)
	locked("load the append-only file", n.disk.ReloadAOF)
	same(t, "the append-only file", n.digest(), want)
	n.do("set more 1")
	locked("reload without saving", func() error { return n.disk.Reload(true, false) })
	same(t, "reloaded without saving", n.digest(), want)
}

// With everysec replies are held back while the disk hangs: no more than the last
// two seconds could be lost.
func TestHangingDiskEverySecond(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly = true
	n := mustOpen(t, disk, set)
	hang := make(chan struct{})
	disk.mu.Lock()
	disk.fail = func(op diskOp) error {
		if op.kind == opSync {
			<-hang
		}
		return nil
	}
	disk.mu.Unlock()
	n.do("set a 1")
	feed := n.disk.Feed()
	if feed.Hold() != 0 {
		t.Error("held back at once")
	}
	eventually(t, "replies are held back", func() bool { return feed.Hold() != 0 })
	released := make(chan struct{}, 1)
	feed.OnRelease(func() {
		select {
		case released <- struct{}{}:
		default:
		}
	})
	position := feed.Hold()
	if feed.Released(position) || n.info("aof_delayed_fsync") != "1" {
		t.Error("released while the disk hangs, or not counted")
	}
	close(hang)
	<-released
	if !feed.Wait(position, nil) || feed.Hold() != 0 {
		t.Error("still held back")
	}
}

// One that is switched off before its first base is there, and on again, begins
// anew.
func TestSwitchOffWhileItBegins(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.SaveDelay = 20 * time.Millisecond
	n := mustOpen(t, disk, set)
	n.fill()
	on := func(v bool) {
		if err := n.set(func(s *durable.Settings) { s.AppendOnly = v }); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		on(true)
		n.do("incr a")
		on(false)
		n.do("incr a")
	}
	// Also while a snapshot is written.
	if err := n.disk.StartSave(); err != nil {
		t.Fatal(err)
	}
	on(true)
	n.until("aof_enabled", "1")
	n.until("aof_rewrite_in_progress", "0")
	n.do("incr a")
	want := n.digest()
	set.AppendOnly = true
	n = n.again(disk, set)
	same(t, "loaded", n.digest(), want)
	if names, _ := disk.List("appendonlydir"); len(names) != 3 {
		t.Errorf("left: %q", names)
	}
}
