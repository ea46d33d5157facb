package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMeasureSave: how long writes take while a snapshot is saved, how long that
// takes, and what memory it needs. MEASURE is the number of keys if it is more
// than 1, and 5 million otherwise.
func TestMeasureSave(t *testing.T) {
	const valueSize, rate = 100, 50_000
	bins := servers(t)
	keys, err := strconv.Atoi(os.Getenv("MEASURE"))
	if err != nil || keys <= 1 {
		keys = 5_000_000
	}
	value := bytes.Repeat([]byte("0123456789"), valueSize/10)
	for name, bin := range bins {
		t.Run(name, func(t *testing.T) {
			n := newNodeOf(t, bin)
			n.start()
			fillInOrder(t, n, keys, value)
			w := startPaced(t, n, keys, value, rate)
			<-time.After(2 * time.Second)
			alone := w.cut()

			before := n.resident()
			begin := time.Now()
			n.do("BGSAVE")
			peak := before
			for saving := true; saving; <-time.After(20 * time.Millisecond) {
				peak = max(peak, n.resident())
				saving = strings.Contains(n.text("INFO", "persistence"), "rdb_bgsave_in_progress:1")
			}
			took := time.Since(begin)
			during := w.stop()

			extra := peak - before
			if name == "redis-server" { // its child's
				extra = infoNumber(t, n, "rdb_last_cow_size")
			}
			file, err := os.Stat(filepath.Join(n.dir, "dump.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%-12s %d keys, %d MB resident: saved in %.2f s, %.0f MB/s, %d MB more memory; writes: %s; while saving: %s",
				name, keys, before>>20, took.Seconds(), float64(file.Size())/1e6/took.Seconds(), extra>>20,
				summary(alone), summary(during))
			n.kill()
		})
	}
}

func summary(all []time.Duration) string {
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[int(float64(len(all)-1)*q)].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d, p50 %v, p99 %v, p99.9 %v, max %v", len(all), at(0.5), at(0.99), at(0.999), at(1))
}

// resident is the resident memory of the node's process.
func (n *node) resident() int64 {
	n.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.process.Pid))
	if err != nil {
		n.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	if err != nil {
		n.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func infoNumber(t *testing.T, n *node, field string) int64 {
	t.Helper()
	_, after, _ := strings.Cut(n.text("INFO"), field+":")
	line, _, _ := strings.Cut(after, "\r")
	v, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", field, err)
	}
	return v
}

func appendSet(b []byte, key int, value []byte) []byte {
	b = fmt.Appendf(b, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n", key, len(value))
	return append(append(b, value...), "\r\n"...)
}

// fillInOrder sets the keys 0 to keys-1.
func fillInOrder(t *testing.T, n *node, keys int, value []byte) {
	t.Helper()
	c, err := net.Dial("tcp", n.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const batch = 1000
	replies := make([]byte, batch*len("+OK\r\n"))
	r := bufio.NewReaderSize(c, len(replies))
	var b []byte
	for from := 0; from < keys; from += batch {
		b = b[:0]
		for k := from; k < from+batch; k++ {
			b = appendSet(b, k, value)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(replies[:1]); err != nil {
			t.Fatal(err)
		}
		for left := len(replies) - 1; left > 0; {
			n, err := r.Read(replies[:left])
			if err != nil {
				t.Fatal(err)
			}
			left -= n
		}
	}
}

// paced sends writes at a steady rate, whether or not the replies come, and
// notes how long each reply took from when its write was sent.
type paced struct {
	conn   net.Conn
	sent   chan time.Time // one per write under way
	ending atomic.Bool
	cuts   chan chan []time.Duration
	ended  chan []time.Duration
}

func startPaced(t *testing.T, n *node, keys int, value []byte, rate int) *paced {
	t.Helper()
	c, err := net.Dial("tcp", n.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	w := &paced{conn: c, sent: make(chan time.Time, 10*rate), cuts: make(chan chan []time.Duration, 1), ended: make(chan []time.Duration, 1)}
	go func() {
		defer close(w.sent)
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		begin, done, key := time.Now(), 0, 1
		var b []byte
		for !w.ending.Load() {
			<-tick.C
			due := int(time.Since(begin).Seconds() * float64(rate))
			b = b[:0]
			now := time.Now()
			for ; done < due && len(b) < 64<<10; done++ {
				key = (key*1103515245 + 12345) & (1<<31 - 1)
				b = appendSet(b, key%keys, value)
				w.sent <- now
			}
			if _, err := c.Write(b); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	go func() {
		r := bufio.NewReader(c)
		times := make([]time.Duration, 0, 60*rate)
		for at := range w.sent {
			if line, err := r.ReadSlice('\n'); err != nil || line[0] != '+' {
				t.Errorf("%q, %v", line, err)
				break
			}
			times = append(times, time.Since(at))
			select {
			case reply := <-w.cuts:
				reply <- times
				times = make([]time.Duration, 0, 60*rate)
			default:
			}
		}
		w.ended <- times
	}()
	return w
}

// cut is the times since the start, or the last cut.
func (w *paced) cut() []time.Duration {
	reply := make(chan []time.Duration, 1)
	w.cuts <- reply
	return <-reply
}

// stop ends the writes.
func (w *paced) stop() []time.Duration {
	w.ending.Store(true)
	return <-w.ended
}
