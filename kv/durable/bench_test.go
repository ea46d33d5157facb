package durable_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	"conclave/kv"
	"conclave/kv/durable"
	"conclave/resp/command"
)

// appended is a file system with an append-only file of n commands.
func appended(b *testing.B, set durable.Settings, n int) *crashDisk {
	b.Helper()
	disk := newCrashDisk()
	m := mustOpen(b, disk, set)
	if err := m.close(); err != nil {
		b.Fatal(err)
	}
	var text []byte
	value := make([]byte, 100)
	for i := range n {
		key := fmt.Appendf(nil, "key:%012d", i*7919%n)
		switch i % 4 {
		case 0, 1:
			text = command.AppendCall(text, []byte("SET"), key, value)
		case 2:
			text = command.AppendCall(text, []byte("LPUSH"), append([]byte("l"), key...), value[:20])
		default:
			text = command.AppendCall(text, []byte("HSET"), append([]byte("h"), key...), []byte("field"), value[:20])
		}
	}
	disk.files["appendonlydir/appendonly.aof.1.incr.aof"].data = text
	return disk
}

func BenchmarkLoadAppendOnlyFile(b *testing.B) {
	set := defaults("")
	set.AppendOnly = true
	const commands = 400_000
	disk := appended(b, set, commands)
	b.SetBytes(int64(len(disk.files["appendonlydir/appendonly.aof.1.incr.aof"].data)))
	for b.Loop() {
		n, err := open(b, disk, set)
		if err != nil {
			b.Fatal(err)
		}
		if err := n.close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/commands, "ns/command")
}

// strung is a store of n strings, every third of which is an integer and every
// fifth of which expires.
func strung(t testing.TB, n int) *node {
	t.Helper()
	m := mustOpen(t, newCrashDisk(), defaults(""))
	value := bytes.Repeat([]byte("0123456789"), 10)
	for i := range n {
		key, v, expiry := fmt.Appendf(nil, "key:%012d", i), value, int64(kv.NoExpiry)
		if i%3 == 0 {
			v = strconv.AppendInt(nil, int64(i), 10)
		}
		if i%5 == 0 {
			expiry = time.Now().Add(time.Hour).UnixMilli()
		}
		mask := kv.MaskOf(key)
		m.store.Lock(mask)
		m.store.DB(0, time.Now().UnixMilli()).SetString(key, v, expiry)
		m.store.Unlock(mask)
	}
	return m
}

// Saving strings takes no memory for each of them: garbage would have the
// collector take the processors from those who write.
func TestSaveWithoutGarbage(t *testing.T) {
	const keys = 50_000
	m := strung(t, keys)
	defer m.close()
	allocs := testing.AllocsPerRun(1, func() {
		if err := m.disk.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > keys/50 {
		t.Errorf("%v allocations for %d keys", allocs, keys)
	}
}

func BenchmarkSave(b *testing.B) {
	const keys = 300_000
	m := strung(b, keys)
	defer m.close()
	b.ReportAllocs()
	for b.Loop() {
		if err := m.disk.Save(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
}
