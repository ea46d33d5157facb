package durable_test

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"conclave/kv/durable"
)

// copyDisk is another disk with the same files.
func copyDisk(d *crashDisk) *crashDisk {
	c := newCrashDisk()
	for path, f := range d.files {
		c.files[path] = &inode{bytes.Clone(f.data)}
	}
	return c
}

// states runs writes and returns what the data were after each, and after how
// many.
func states(n *node, writes int) map[string]int {
	digests := map[string]int{n.digest(): 0}
	for i := 1; i <= writes; i++ {
		n.do(fmt.Sprintf("set k%d %d", i%7, i))
		digests[n.digest()] = i
	}
	return digests
}

// A file that is cut off at any byte is loaded up to its last good record, or
// refused with advice, as the directive says.
func TestTruncatedAppendOnlyFile(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly, set.Fsync = true, durable.FsyncAlways
	n := mustOpen(t, disk, set)
	digests := states(n, 6)
	if err := n.close(); err != nil {
		t.Fatal(err)
	}
	const path = "appendonlydir/appendonly.aof.1.incr.aof"
	whole := disk.files[path].data
	before := -1
	for size := range len(whole) {
		if size < len(whole)-200 && size%5 != 0 {
			continue
		}
		c := copyDisk(disk)
		c.files[path].data = whole[:size:size]
		m, err := open(t, c, set)
		if err != nil {
			t.Fatalf("cut off at %d: %v", size, err)
		}
		got, known := digests[m.digest()]
		if !known || got < before {
			t.Fatalf("cut off at %d: %d writes, %v", size, got, known)
		}
		before = got
		m.do("set after 1") // what comes later isn't lost behind what was cut off
		want := m.digest()
		if err := m.close(); err != nil {
			t.Fatal(err)
		}
		if m, err = open(t, c, set); err != nil {
			t.Fatalf("cut off at %d, written and loaded: %v", size, err)
		}
		same(t, fmt.Sprintf("cut off at %d, written and loaded", size), m.digest(), want)
		if err := m.close(); err != nil {
			t.Fatal(err)
		}
	}
	if before < 5 {
		t.Errorf("of nearly everything %d writes are left", before)
	}
	strict := set
	strict.LoadTruncated = false
	c := copyDisk(disk)
	c.files[path].data = whole[: len(whole)-30 : len(whole)-30]
	if _, err := open(t, c, strict); err == nil || !strings.Contains(err.Error(), "conclave-admin check-aof --fix, or set aof-load-truncated") {
		t.Errorf("refused with %v", err)
	}
}

// A flipped bit anywhere is found: the data are refused, or loaded as they were at
// some time before.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	disk, set := newCrashDisk(), defaults("")
	set.AppendOnly, set.Fsync = true, durable.FsyncAlways
	n := mustOpen(t, disk, set)
	digests := states(n, 10)
	if err := n.disk.StartRewrite(); err != nil {
		t.Fatal(err)
	}
	n.until("aof_rewrite_in_progress", "0")
	n.do("set k1 11")
	digests[n.digest()] = 11
	n.do("set k1 12")
	digests[n.digest()] = 12
	if err := n.disk.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.close(); err != nil {
		t.Fatal(err)
	}
	refused, loaded := 0, 0
	for path := range maps.Keys(disk.files) {
		s := set
		s.AppendOnly = path != "dump.rdb"
		size := len(disk.files[path].data)
		for i := range size * 8 {
			if i%29 != 0 && size > 100 { // a part of the bits of long files
				continue
			}
			c := copyDisk(disk)
			c.files[path].data[i/8] ^= 1 << (i % 8)
			m, err := open(t, c, s)
			if err != nil {
				refused++
				continue
			}
			loaded++
			if _, known := digests[m.digest()]; !known {
				t.Errorf("%s, bit %d: data that never were", path, i)
			}
			if err := m.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if refused == 0 || loaded == 0 {
		t.Errorf("%d refused, %d loaded", refused, loaded)
	}
}
