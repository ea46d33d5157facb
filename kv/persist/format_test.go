package persist_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"conclave/kv/persist"
)

// Each example in FORMAT.md is read as what it says, and is what is written.
func TestFormatExamples(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	b := func(s string) []byte { return []byte(s) }
	values := []persist.Value{
		persist.String("hello world"),
		persist.String(strings.Repeat("ab", 100)),
		persist.Set{b("1"), b("2"), b("300")},
		persist.Hash{{b("a"), b("1")}, {b("b"), b("xyz")}},
		persist.SortedSet{{b("a"), 1.5}},
		persist.List{b("a"), b("7")},
		&persist.Stream{
			Entries: []persist.StreamEntry{{ID: persist.StreamID{Ms: 5, Seq: 1}, Fields: [][]byte{b("f"), b("9")}}},
			LastID:  persist.StreamID{Ms: 5, Seq: 1}, EntriesAdded: 1,
			Groups: []persist.StreamGroup{{Name: b("g")}},
		},
	}
	seen := 0
	for _, block := range regexp.MustCompile("(?s)```hex( [a-z]+)?\n(.*?)```").FindAllSubmatch(page, -1) {
		digits := regexp.MustCompile(`#[^\n]*|\s`).ReplaceAll(block[2], nil)
		p, err := hex.DecodeString(string(digits))
		if err != nil {
			t.Fatal(err)
		}
		switch string(block[1]) {
		case " file":
			var c content
			if _, err := c.reader().Read(bytes.NewReader(p)); err != nil || c.text() != "aux foo=bar\nhint 0 1 1\nkey 0 \"k\" 1700000000000 -1 -1 \"v\"" {
				t.Errorf("file: %v\n%s", err, c.text())
			}
			var out bytes.Buffer
			w := persist.NewRDBWriter(&out, persist.DefaultEncoding(), true)
			w.Aux("foo", "bar")
			w.Database(0, 1, 1)
			w.Entry(&persist.Entry{Key: b("k"), ExpireMs: 1700000000000, Idle: persist.NoIdle, Freq: persist.NoFreq, Value: persist.String("v")})
			if err := w.Close(); err != nil || !bytes.Equal(out.Bytes(), p) {
				t.Errorf("file: written as %x, %v", out.Bytes(), err)
			}
		case " part":
			lines, checked, err := read(bytes.NewReader(p))
			if !errors.Is(err, io.EOF) || !checked || fmt.Sprint(lines) != "[SELECT 0 DEL a]" {
				t.Errorf("part: %q, %v, %v", lines, checked, err)
			}
			var f memory
			w := persist.NewAOFWriter(&f, 0, persist.AOFOptions{Checksums: true})
			w.Command(0, 0, args("DEL a")...)
			if err := w.Flush(); err != nil || !bytes.Equal(f.Bytes(), p) {
				t.Errorf("part: written as %q, %v", f.Bytes(), err)
			}
		default:
			v, err := persist.ParseDump(p, maxString)
			if err != nil || seen >= len(values) || !sameValue(v, values[seen], persist.Version) {
				t.Fatalf("example %d is %q, %v", seen, v, err)
			}
			e := persist.DefaultEncoding()
			if _, ok := v.(persist.SortedSet); ok {
				e.SortedSetMaxListpackEntries = 0
			}
			// The compressed example is Redis's; ours needn't be the same.
			if got := e.AppendDump(nil, v); !bytes.Equal(got, p) && p[1] != 0xc3 {
				t.Errorf("example %d is written as %x", seen, got)
			}
			seen++
		}
	}
	if seen != len(values) {
		t.Errorf("%d examples of values, want %d", seen, len(values))
	}
}
