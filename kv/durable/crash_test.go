package durable_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"conclave/kv/durable"
)

// write is a random change. The n-th differs from all before, so that each state
// of the data is another.
func write(r *rand.Rand, n int) string {
	key := fmt.Sprintf("k%d", r.IntN(20))
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("hset h%s f%d %d", key, r.IntN(5), n)
	case 1:
		return fmt.Sprintf("sadd s%s %d", key, n)
	case 2:
		return fmt.Sprintf("set %s %d ex 1000", key, n)
	case 3:
		return fmt.Sprintf("append %s %d", key, n)
	case 4:
		return fmt.Sprintf("mset %s %d x%s y%d", key, n, key, n)
	}
	return fmt.Sprintf("set %s v%d", key, n)
}

// history is what a node did until it is made to crash.
type history struct {
	digests map[string]int // of the data after so many writes
	acked   []int          // by write: operations of the disk when it was acknowledged
}

// acknowledged is how many writes were when the disk had done n operations.
func (h *history) acknowledged(n int) (writes int) {
	for i, ops := range h.acked {
		if ops <= n {
			writes = i + 1
		}
	}
	return writes
}

func images(t *testing.T) int {
	if testing.Short() {
		return 200
	}
	return 2000
}

// With appendfsync always no crash loses what was acknowledged, whatever of the
// rest it leaves; and what it leaves can be loaded, twice.
func TestCrashesOfTheAppendOnlyFile(t *testing.T) {
	t.Parallel()
	for _, preamble := range []bool{true, false} {
		disk := newCrashDisk()
		set := defaults("")
		set.AppendOnly, set.Fsync, set.Preamble = true, durable.FsyncAlways, preamble
		n := mustOpen(t, disk, set)
		h := &history{digests: map[string]int{n.digest(): 0}}
		r := rand.New(rand.NewPCG(1, 2))
		begun := disk.ops()
		for i := 1; i <= 300; i++ {
			if !n.do(write(r, i)) {
				t.Fatal("the disk failed")
			}
			h.acked = append(h.acked, disk.ops())
			h.digests[n.digest()] = i
			if i%40 == 20 {
				if err := n.disk.StartRewrite(); err != nil {
					t.Fatal(err)
				}
			}
			if i%100 == 0 {
				n.until("aof_rewrite_in_progress", "0")
			}
		}
		n.until("aof_rewrite_in_progress", "0")
		if err := n.close(); err != nil {
			t.Fatal(err)
		}
		for i := range images(t) / 2 {
			at := begun + r.IntN(disk.ops()-begun+1)
			image := disk.after(at, r)
			h.check(t, fmt.Sprintf("preamble %v, image %d", preamble, i), image, set, h.acknowledged(at))
		}
	}
}

// check loads an image, which has to hold at least so many writes.
func (h *history) check(t *testing.T, name string, image *crashDisk, set durable.Settings, least int) {
	t.Helper()
	var first string
	for round := range 2 {
		n, err := open(t, image, set)
		if err != nil {
			t.Fatalf("%s, round %d: %v", name, round, err)
		}
		got := n.digest()
		writes, known := h.digests[got]
		switch {
		case round == 1 && got != first:
			t.Fatalf("%s: loaded again it is something else", name)
		case !known:
			t.Fatalf("%s: data that never were", name)
		case writes < least:
			t.Fatalf("%s: %d writes, %d were acknowledged", name, writes, least)
		}
		first = got
		if err := n.close(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// A crash leaves the last snapshot or the one that was being written, complete.
func TestCrashesOfSnapshots(t *testing.T) {
	t.Parallel()
	disk := newCrashDisk()
	set := defaults("")
	n := mustOpen(t, disk, set)
	h := &history{digests: map[string]int{n.digest(): 0}}
	r := rand.New(rand.NewPCG(3, 4))
	for i := 1; i <= 300; i++ {
		n.do(write(r, i))
		h.digests[n.digest()] = i
		if i%10 == 0 {
			if err := n.disk.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			// Only snapshots are kept: those before were acknowledged with it.
			for len(h.acked) < i {
				h.acked = append(h.acked, disk.ops())
			}
		}
	}
	for i := range images(t) {
		at := r.IntN(disk.ops() + 1)
		h.check(t, fmt.Sprintf("image %d", i), disk.after(at, r), set, h.acknowledged(at))
	}
}
