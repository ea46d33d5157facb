package persist_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"conclave/kv/persist"
)

// A million small strings, as a cache has them.
func benchmarkFile(b *testing.B) []byte {
	b.Helper()
	var out bytes.Buffer
	w := persist.NewRDBWriter(&out, persist.DefaultEncoding(), true)
	value := bytes.Repeat([]byte("0123456789abcdef"), 6)
	for i := range 1_000_000 {
		copy(value, fmt.Sprintf("%08x", i*2654435761))
		w.Entry(&persist.Entry{Key: fmt.Appendf(nil, "key:%012d", i), Idle: persist.NoIdle, Freq: persist.NoFreq, Value: persist.String(value[:i%len(value)])})
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

func BenchmarkReadRDB(b *testing.B) {
	file := benchmarkFile(b)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r := persist.RDBReader{MaxString: maxString, Entry: func(persist.Entry) error { return nil }}
		if _, err := r.Read(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteRDB(b *testing.B) {
	file := benchmarkFile(b)
	var entries []persist.Entry
	r := persist.RDBReader{MaxString: maxString, Entry: func(e persist.Entry) error { entries = append(entries, e); return nil }}
	if _, err := r.Read(bytes.NewReader(file)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		w := persist.NewRDBWriter(io.Discard, persist.DefaultEncoding(), true)
		for i := range entries {
			w.Entry(&entries[i])
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadAOF(b *testing.B) {
	var f memory
	w := persist.NewAOFWriter(&f, 0, persist.AOFOptions{Checksums: true})
	for i := range 1_000_000 {
		w.Command(0, 0, []byte("SET"), fmt.Appendf(nil, "key:%012d", i), []byte("0123456789abcdef0123456789abcdef"))
		if i%100 == 99 {
			if err := w.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(int64(f.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := persist.NewAOFReader(bytes.NewReader(f.Bytes()), 0)
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
