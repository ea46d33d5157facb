package durable_test

import (
	"fmt"
	"testing"

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
