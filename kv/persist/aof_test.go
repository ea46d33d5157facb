package persist_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"conclave/kv/persist"
)

// memory is a file that fails when it is told to.
type memory struct {
	bytes.Buffer
	room            int // what a write may still take, if limited
	limited         bool
	syncErr, cutErr error
}

var errFull = errors.New("no space left")

func (m *memory) Write(p []byte) (int, error) {
	if m.limited && len(p) > m.room {
		n, _ := m.Buffer.Write(p[:m.room])
		m.room = 0
		return n, errFull
	}
	return m.Buffer.Write(p)
}

func (m *memory) Sync() error  { return m.syncErr }
func (m *memory) Close() error { return nil }
func (m *memory) Truncate(n int64) error {
	if m.cutErr != nil {
		return m.cutErr
	}
	m.Buffer.Truncate(int(n))
	return nil
}

func args(line string) (a [][]byte) {
	for _, w := range strings.Fields(line) {
		a = append(a, []byte(w))
	}
	return a
}

// written is a part with three batches, the last with a transaction, and where
// each batch ends.
func written(t *testing.T, o persist.AOFOptions) (part []byte, ends []int64) {
	t.Helper()
	var f memory
	w := persist.NewAOFWriter(&f, 0, o)
	for i, batch := range [][]string{
		{"SET a 1", "SET b 2"},
		{"RPUSH l x y z"},
		{"MULTI", "SET c 3", "DEL a", "EXEC", "SET d 4"},
	} {
		for _, line := range batch {
			w.Command(1700000000+int64(i), 0, args(line)...)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, w.Size())
	}
	return f.Bytes(), ends
}

// read is what a part holds, a command a line, and how reading ended.
func read(part io.Reader) (lines []string, checked bool, err error) {
	r := persist.NewAOFReader(part, 0)
	checked = true
	for {
		b, err := r.Next()
		if err != nil {
			return lines, checked, err
		}
		checked = checked && b.Checked
		for _, c := range b.Commands {
			lines = append(lines, string(bytes.Join(c, []byte(" "))))
		}
	}
}

func TestPartsRoundTrip(t *testing.T) {
	t.Parallel()
	want := "[SELECT 0 SET a 1 SET b 2 RPUSH l x y z MULTI SET c 3 DEL a EXEC SET d 4]"
	for _, o := range []persist.AOFOptions{{}, {Checksums: true}, {Timestamps: true}, {Checksums: true, Timestamps: true}} {
		part, _ := written(t, o)
		for name, src := range map[string]io.Reader{
			"at once": bytes.NewReader(part), "byte by byte": iotest.OneByteReader(bytes.NewReader(part)), "late end": iotest.DataErrReader(bytes.NewReader(part)),
		} {
			lines, checked, err := read(src)
			if !errors.Is(err, io.EOF) || fmt.Sprint(lines) != want || checked != o.Checksums {
				t.Errorf("%+v, %s: %v, checked %v, %v", o, name, lines, checked, err)
			}
		}
		if n := bytes.Count(part, []byte("#TS:")); o.Timestamps && n != 3 || !o.Timestamps && n != 0 {
			t.Errorf("%+v: %d time stamps", o, n)
		}
	}
}

func TestLargeParts(t *testing.T) {
	t.Parallel()
	var f memory
	w := persist.NewAOFWriter(&f, 0, persist.AOFOptions{Checksums: true})
	const n, batch = 30000, 100
	for i := range n {
		w.Command(0, i/1000%2, []byte("SET"), fmt.Appendf(nil, "key:%d", i), bytes.Repeat([]byte("v"), i%500))
		if i%batch == batch-1 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Command(0, 9, []byte("SET"), []byte("huge"), bytes.Repeat([]byte("h"), 3<<20))
	w.Command(0, 9, []byte("SET"), []byte("after"), []byte("it"))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	lines, _, err := read(&f)
	if !errors.Is(err, io.EOF) || len(lines) != n+30+1+2 || lines[len(lines)-1] != "SET after it" {
		t.Fatalf("%d commands, %v", len(lines), err)
	}
}

// A part cut off anywhere gives the commands that are complete, no half of a
// transaction, and the place to cut it, after which it is good.
func TestTruncatedParts(t *testing.T) {
	t.Parallel()
	part, ends := written(t, persist.AOFOptions{Checksums: true, Timestamps: true})
	for n := range part {
		for _, tail := range [][]byte{nil, make([]byte, 1), make([]byte, 3000)} {
			lines, _, err := read(bytes.NewReader(append(bytes.Clone(part[:n]), tail...)))
			all := fmt.Sprint(lines)
			if strings.Contains(all, "MULTI") != strings.Contains(all, "EXEC") {
				t.Errorf("cut at %d: half a transaction: %v", n, lines)
			}
			if errors.Is(err, io.EOF) {
				continue
			}
			var e *persist.AOFError
			if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &e) {
				t.Errorf("cut at %d, with %d zeros: %v", n, len(tail), err)
				continue
			}
			for _, end := range ends {
				if int64(n) >= end && e.Good < end {
					t.Errorf("cut at %d: good up to %d, but a batch ends at %d", n, e.Good, end)
				}
			}
			if again, _, err := read(bytes.NewReader(part[:e.Good])); !errors.Is(err, io.EOF) || fmt.Sprint(again) != all {
				t.Errorf("cut at %d and then at %d: %v, %v, before %v", n, e.Good, again, err, lines)
			}
		}
	}
}

// Whatever bit flips in a part with checksums, no other command is read than
// was written, and what is read before is good.
func TestDamagedParts(t *testing.T) {
	t.Parallel()
	part, ends := written(t, persist.AOFOptions{Checksums: true, Timestamps: true})
	lines, _, _ := read(bytes.NewReader(part))
	whole := fmt.Sprint(lines)
	for i := range 8 * len(part) {
		damaged := bytes.Clone(part)
		damaged[i/8] ^= 1 << (i % 8)
		lines, checked, err := read(bytes.NewReader(damaged))
		if errors.Is(err, io.EOF) {
			// A line that is no checksum any more leaves commands unchecked.
			if fmt.Sprint(lines) != whole || checked {
				t.Errorf("bit %d: not noticed: %v", i, lines)
			}
			continue
		}
		var e *persist.AOFError
		if !errors.As(err, &e) {
			t.Fatalf("bit %d: %v", i, err)
		}
		if e.Good > int64(i/8) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("bit %d in byte %d: good up to %d: %v", i, i/8, e.Good, err)
		}
		if e.Last && int64(i/8) < ends[1] {
			t.Errorf("bit %d in byte %d: not in the last batch", i, i/8)
		}
	}
}

func TestForeignParts(t *testing.T) {
	t.Parallel()
	const set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
	ours, _ := written(t, persist.AOFOptions{Checksums: true})
	var f memory
	f.Write([]byte(string(ours) + set)) // redis-server went on with our part
	w := persist.NewAOFWriter(&f, int64(f.Len()), persist.AOFOptions{Checksums: true})
	w.Command(0, 0, args("SET e 5")...)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, part string
		n          int // commands
		err        error
	}{
		{"empty", "", 0, io.EOF},
		{"plain", set + set, 2, io.EOF},
		{"other annotations", "#TS:x\r\n#hello\r\n" + set, 1, io.EOF},
		{"between ours", f.String(), 9 + 1 + 2, io.EOF},
		{"after a checksum", string(ours) + set, 9 + 1, io.EOF},
		{"transaction without end", set + "*1\r\n$5\r\nmulti\r\n" + set, 1, io.ErrUnexpectedEOF},
		{"inline command", set + "PING\r\n", 0, persist.ErrFormat},
		{"no arguments", "*0\r\n", 0, persist.ErrFormat},
		{"negative count", "*-1\r\n", 0, persist.ErrFormat},
		{"huge count", "*99999999999\r\n", 0, persist.ErrFormat},
		{"count of nothing", "*2147483647\r\n", 0, io.ErrUnexpectedEOF},
		{"huge length", "*1\r\n$99999999999\r\n", 0, persist.ErrFormat},
		{"length of nothing", "*1\r\n$500000000\r\nabc", 0, io.ErrUnexpectedEOF},
		{"too long", "*1\r\n$1\r\nabc\r\n", 0, persist.ErrFormat},
		{"line without CR", "*1\n$1\na\n", 0, persist.ErrFormat},
		{"empty line", "\r\n", 0, persist.ErrFormat},
		{"endless line", "#" + strings.Repeat("a", 5000), 0, persist.ErrFormat},
		{"a checksum that isn't", "#CRC:5:xyz\r\n", 0, persist.ErrChecksum},
		{"a checksum of other bytes", set + "#CRC:5:0000000000000000\r\n", 0, persist.ErrChecksum},
	} {
		lines, _, err := read(strings.NewReader(tt.part))
		if len(lines) != tt.n || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d commands, %v; want %d, %v", tt.name, len(lines), err, tt.n, tt.err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for room := range 200 {
		f := &memory{limited: true, room: room}
		w := persist.NewAOFWriter(f, 0, persist.AOFOptions{Checksums: true})
		w.Command(0, 0, args("SET a 1")...)
		if err := w.Flush(); err != nil && !errors.Is(err, errFull) {
			t.Fatal(err)
		}
		w.Command(0, 0, args("SET b 2")...)
		_ = w.Flush()
		f.limited = false // space returns
		w.Command(0, 0, args("SET c 3")...)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if int64(f.Len()) != w.Size() {
			t.Errorf("room for %d: size %d of %d", room, w.Size(), f.Len())
		}
		lines, checked, err := read(f)
		if fmt.Sprint(lines) != "[SELECT 0 SET a 1 SET b 2 SET c 3]" || !checked || !errors.Is(err, io.EOF) {
			t.Fatalf("room for %d: %v, %v", room, lines, err)
		}
	}
}

func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	f := &memory{syncErr: errors.New("I/O error")}
	if err := persist.NewAOFWriter(f, 0, persist.AOFOptions{}).Sync(); !errors.Is(err, persist.ErrAOFBroken) {
		t.Errorf("a failed sync: %v", err)
	}
	f = &memory{limited: true, room: 3, cutErr: errors.New("I/O error")}
	w := persist.NewAOFWriter(f, 0, persist.AOFOptions{})
	w.Command(0, 0, args("SET a 1")...)
	for range 2 {
		if err := w.Flush(); !errors.Is(err, persist.ErrAOFBroken) {
			t.Errorf("half a command on disk: %v", err)
		}
	}
}

func FuzzAOFReader(f *testing.F) {
	var m memory
	w := persist.NewAOFWriter(&m, 0, persist.AOFOptions{Checksums: true, Timestamps: true})
	for _, line := range []string{"SET a 1", "MULTI", "INCR b", "EXEC", "HSET h f v"} {
		w.Command(1700000000, 0, args(line)...)
	}
	_ = w.Flush()
	f.Add(m.Bytes())
	f.Add([]byte("*1\r\n$4\r\nPING\r\n#CRC:0:0000000000000000\r\n*1\r\n$4\r\nPI"))
	f.Add([]byte("*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, part []byte) {
		lines, _, err := read(bytes.NewReader(part))
		slow, _, slowErr := read(iotest.OneByteReader(bytes.NewReader(part)))
		if fmt.Sprintf("%q %v", lines, err) != fmt.Sprintf("%q %v", slow, slowErr) {
			t.Fatalf("at once %q, %v; byte by byte %q, %v", lines, err, slow, slowErr)
		}
		var e *persist.AOFError
		switch {
		case errors.Is(err, io.EOF):
		case !errors.As(err, &e) || e.Good < 0 || e.Good > e.Offset || e.Offset > int64(len(part)):
			t.Fatalf("%+v", err)
		case errors.Is(err, io.ErrUnexpectedEOF):
			again, _, err := read(bytes.NewReader(part[:e.Good]))
			if !errors.Is(err, io.EOF) || fmt.Sprintf("%q", again) != fmt.Sprintf("%q", lines) {
				t.Fatalf("cut at %d: %q, %v; before %q", e.Good, again, err, lines)
			}
		}
	})
}

// A single file of Redis 4 to 6: a snapshot, and commands behind it.
func TestCommandsBehindSnapshot(t *testing.T) {
	t.Parallel()
	part, _ := written(t, persist.AOFOptions{})
	snapshot := small(t)
	src := iotest.HalfReader(bytes.NewReader(append(bytes.Clone(snapshot), part[:len(part)-3]...)))
	var c content
	s, err := c.reader().Read(src)
	if err != nil || s.Bytes != int64(len(snapshot)) || len(c.values) != 7 {
		t.Fatalf("%+v, %v", s, err)
	}
	r := persist.NewAOFReader(io.MultiReader(bytes.NewReader(s.Rest), src), s.Bytes)
	n := 0
	for {
		b, err := r.Next()
		n += len(b.Commands)
		var e *persist.AOFError
		if errors.As(err, &e) {
			// Offsets are those of the whole file.
			if e.Good != int64(len(snapshot)+len(part)-len("*3\r\n$3\r\nSET\r\n$1\r\nd\r\n$1\r\n4\r\n")) {
				t.Errorf("good up to %d", e.Good)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != 8 {
		t.Errorf("%d commands", n)
	}
}
