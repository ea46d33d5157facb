package persist_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"conclave/kv/persist"
)

// content is what a file holds, a fact a line.
type content struct {
	lines  []string
	values []persist.Entry
}

func (c *content) reader() *persist.RDBReader {
	say := func(format string, args ...any) { c.lines = append(c.lines, fmt.Sprintf(format, args...)) }
	return &persist.RDBReader{
		MaxString: 1 << 24,
		Entry: func(e persist.Entry) error {
			say("key %d %q %d %d %d %.200q", e.DB, e.Key, e.ExpireMs, e.Idle, e.Freq, normal(e.Value, persist.Version))
			c.values = append(c.values, e)
			return nil
		},
		Aux:      func(name, value []byte) error { say("aux %s=%s", name, value); return nil },
		Function: func(code []byte) error { say("function %s", code); return nil },
		SizeHint: func(db int, keys, expires uint64) { say("hint %d %d %d", db, keys, expires) },
		Module:   func(db int, key []byte, module string) error { say("module %d %q %s", db, key, module); return nil },
	}
}

func (c *content) text() string { return strings.Join(c.lines, "\n") }

// sum puts the end and the checksum behind the records of a file.
func sum(records string) []byte {
	b := []byte(records + "\xff")
	return binary.LittleEndian.AppendUint64(b, persist.Checksum(0, b))
}

func TestRecords(t *testing.T) {
	t.Parallel()
	// The module "ABCDEFGHI", version 1, as a length of 64 bits.
	const module = "\x81\x00\x10\x83\x10\x51\x87\x20\x01"
	all := sum("REDIS0011" + "\xfa\x09redis-ver\x057.2.4" + "\xfa\x05ctime\xc2\x00\xf1\x53\x65" + "\xf5\x04code" +
		"\xf7" + module + "\x02\x02" + "\x02\x05" + "\x01\x05" + "\x03\x00\x00\x80\x3f" + "\x04\x00\x00\x00\x00\x00\x00\xf0\x3f" + "\x05\x02ab" + "\x00" +
		"\xfe\x00" + "\xfb\x05\x02" + "\xf4\x40\x64\x03\x01" +
		"\x00\x01a\x01x" +
		"\xfd\x00\xf1\x53\x65" + "\x00\x01b\xc0\x05" +
		"\xfc\x01\x02\x03\x00\x00\x00\x00\x00" + "\xf8\x40\xff" + "\x01\x01c\x02\x01x\x01y" +
		"\xf9\x07" + "\x00\x00\x01z" +
		"\xfc\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x04past\x01x" +
		"\xfc\xff\xff\xff\xff\xff\xff\xff\xff" + "\x01\x05empty\x00" +
		"\x07\x01m" + module + "\x05\x01v\x00" +
		"\xfe\x03" + "\x00\x01a\x01q")
	var c content
	s, err := c.reader().Read(bytes.NewReader(append(all, "more"...)))
	if err != nil {
		t.Fatal(err)
	}
	want := `aux redis-ver=7.2.4
aux ctime=1700000000
function code
module 0 "" ABCDEFGHI
hint 0 5 2
key 0 "a" 0 -1 -1 "x"
key 0 "b" 1700000000000 -1 -1 "5"
key 0 "c" 197121 255 -1 ["x" "y"]
key 0 "" 0 -1 7 "z"
key 0 "past" 1 -1 -1 "x"
module 0 "m" ABCDEFGHI
key 3 "a" 0 -1 -1 "q"`
	if c.text() != want {
		t.Errorf("%s\nwant\n%s", c.text(), want)
	}
	if s.Version != 11 || s.Bytes != int64(len(all)) || string(s.Rest) != "more" || s.Keys != 6 || s.Empty != 1 || !s.Checked {
		t.Errorf("%+v", s)
	}
	// The same from a reader that gives little at a time.
	var again content
	if _, err := again.reader().Read(iotest.OneByteReader(bytes.NewReader(all))); err != nil || again.text() != want {
		t.Errorf("byte by byte: %v\n%s", err, again.text())
	}
	// A module is refused where nobody wants to know.
	r := c.reader()
	r.Module = nil
	if _, err := r.Read(bytes.NewReader(all)); !errors.Is(err, persist.ErrFormat) || !strings.Contains(err.Error(), "ABCDEFGHI") {
		t.Errorf("module: %v", err)
	}
}

func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file string
		err        error
		offset     int64
		record     int64
	}{
		{"empty", "", io.ErrUnexpectedEOF, 0, 0},
		{"something else", "PK\x03\x04 and so on", persist.ErrFormat, 9, 0},
		{"no version", "REDISxxxx\xff", persist.ErrFormat, 9, 0},
		{"version 0", "REDIS0000\xff", persist.ErrFormat, 9, 0},
		{"version 12", "REDIS0012\xff", persist.ErrFormat, 9, 0},
		{"no end", "REDIS0010\x00\x01a\x01b", io.ErrUnexpectedEOF, 14, 14},
		{"no checksum", "REDIS0010\xff\x00\x00", io.ErrUnexpectedEOF, 10, 9},
		{"wrong checksum", "REDIS0010\xff\x01\x00\x00\x00\x00\x00\x00\x00", persist.ErrChecksum, 18, 9},
		{"unknown type", "REDIS0010\x00\x01a\x01b\x08\x01a", persist.ErrFormat, 17, 14},
		{"malformed value", "REDIS0010\x00\x01a\x01b\x02\x01a\x02\x01x\x01x", persist.ErrFormat, 22, 14},
		{"release candidate's function", "REDIS0010\xf6\x01a", persist.ErrFormat, 10, 9},
		{"release candidate's module", "REDIS0010\x06\x01a\x05\x00", persist.ErrFormat, 13, 9},
		{"module's data of an unknown kind", "REDIS0010\x07\x01a\x05\x09\x00", persist.ErrFormat, 14, 9},
		{"database out of range", "REDIS0010\xfe\x80\xff\xff\xff\xff\x00\x01a\x01b", persist.ErrFormat, 15, 9},
		{"long key", "REDIS0010\x00\x80\x7f\xff\xff\xffa", persist.ErrFormat, 15, 9},
	} {
		var c content
		_, err := c.reader().Read(strings.NewReader(tt.file))
		var e *persist.RDBError
		if !errors.Is(err, tt.err) || !errors.As(err, &e) || e.Offset != tt.offset || e.Record != tt.record {
			t.Errorf("%s: %v; want %v at %d, in the record at %d", tt.name, err, tt.err, tt.offset, tt.record)
		}
	}
	for name, file := range map[string]string{
		"version 4, without checksum":   "REDIS0004\x00\x01a\x01b\xff",
		"written without checksum":      "REDIS0010\x00\x01a\x01b\xff\x00\x00\x00\x00\x00\x00\x00\x00",
		"wrong checksum, not asked for": "REDIS0010\x00\x01a\x01b\xff\x01\x00\x00\x00\x00\x00\x00\x00",
	} {
		var c content
		r := c.reader()
		r.NoChecksum = strings.Contains(name, "not asked")
		if s, err := r.Read(strings.NewReader(file)); err != nil || s.Keys != 1 || s.Checked || s.Bytes != int64(len(file)) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestErrorsOfCallers(t *testing.T) {
	t.Parallel()
	file := "REDIS0010\xfa\x01a\x01b\xf5\x01f\x00\x01a\x01b\xff"
	stop := errors.New("stop")
	for i := range 3 {
		var c content
		r := c.reader()
		switch i {
		case 0:
			r.Aux = func(_, _ []byte) error { return stop }
		case 1:
			r.Function = func([]byte) error { return stop }
		case 2:
			r.Entry = func(persist.Entry) error { return stop }
		}
		if _, err := r.Read(strings.NewReader(file)); err != stop { //nolint:errorlint // as it is
			t.Errorf("function %d: %v", i, err)
		}
	}
	var c content
	broken := io.MultiReader(strings.NewReader(file[:12]), iotest.ErrReader(stop))
	if _, err := c.reader().Read(broken); !errors.Is(err, stop) {
		t.Errorf("the reader below: %v", err)
	}
	w := persist.NewRDBWriter(&memory{limited: true, room: 20}, persist.DefaultEncoding(), true)
	for range 100 {
		w.Entry(&persist.Entry{Key: []byte("k"), Idle: -1, Freq: -1, Value: persist.String(bytes.Repeat([]byte("0123456789abcdefg"), 1))})
	}
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

// sample is a file with every type of value.
func sample(t testing.TB, e persist.Encoding) []byte {
	t.Helper()
	var out bytes.Buffer
	w := persist.NewRDBWriter(&out, e, true)
	w.Info(persist.RDBInfo{ServerVersion: "7.2.4", Created: time.Unix(1700000000, 0), UsedMemory: 1 << 20, Base: true})
	w.Function([]byte("#!lua name=f\n"))
	w.Database(0, 9, 2)
	for name, v := range collections() {
		w.Entry(&persist.Entry{Key: []byte(name), ExpireMs: 4102444800000, Idle: 5, Freq: persist.NoFreq, Value: v})
	}
	for name, s := range samples() {
		w.Entry(&persist.Entry{DB: 2, Key: []byte(name), Idle: persist.NoIdle, Freq: 9, Value: persist.String(s)})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFilesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, e := range encodings() {
		file := sample(t, e)
		var c content
		var progress []int64
		r := c.reader()
		r.Progress = func(n int64) { progress = append(progress, n) }
		s, err := r.Read(iotest.HalfReader(bytes.NewReader(file)))
		if err != nil || !s.Checked || s.Version != int(e.Version) {
			t.Fatalf("%+v, %v", s, err)
		}
		if n := len(progress); n == 0 || progress[n-1] != int64(len(file)) {
			t.Errorf("progress up to %v of %d", progress, len(file))
		}
		// Values outlive the window that they were read from.
		all, strings := collections(), samples()
		for _, v := range c.values {
			want, ok := all[string(v.Key)]
			if v.DB == 2 {
				want, ok = persist.String(strings[string(v.Key)]), true
			}
			if !ok || !sameValue(v.Value, want, e.Version) {
				t.Errorf("%q isn't what it was", v.Key)
			}
		}
		if len(c.values) != len(all)+len(strings) {
			t.Errorf("%d values", len(c.values))
		}
	}
}

// small is a file short enough to try every damage.
func small(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := persist.NewRDBWriter(&out, persist.DefaultEncoding(), true)
	w.Database(0, 6, 1)
	for i, v := range []persist.Value{
		persist.String("text"), persist.List{[]byte("a"), []byte("7")}, persist.Set{[]byte("a"), []byte("b")}, persist.Set{[]byte("1")},
		persist.Hash{{Name: []byte("f"), Value: []byte("v")}}, persist.SortedSet{{Member: []byte("m"), Score: 1.5}}, stream(2),
	} {
		w.Entry(&persist.Entry{Key: fmt.Appendf(nil, "k%d", i), ExpireMs: int64(i) * 1e12, Idle: -1, Freq: -1, Value: v})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	file := small(t)
	for n := range file {
		var c content
		_, err := c.reader().Read(bytes.NewReader(file[:n]))
		var e *persist.RDBError
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &e) || e.Record > int64(n) {
			t.Errorf("cut at %d: %v", n, err)
			continue
		}
		// Up to the record it is whole: an end there makes it a file.
		if e.Record > 0 {
			var again content
			if _, err := again.reader().Read(bytes.NewReader(sum(string(file[:e.Record])))); err != nil || again.text() != c.text() {
				t.Errorf("cut at %d and ended at %d: %v", n, e.Record, err)
			}
		}
	}
	for i := range 8 * len(file) {
		damaged := bytes.Clone(file)
		damaged[i/8] ^= 1 << (i % 8)
		var c content
		if s, err := c.reader().Read(bytes.NewReader(damaged)); err == nil && (s.Checked || i/8 < len(file)-8) && s.Version >= 5 {
			t.Errorf("bit %d of byte %d: not noticed: %+v", i%8, i/8, s)
		}
	}
}

// A claimed length costs memory only as far as the file earns it.
func TestClaimsOfFiles(t *testing.T) {
	for name, record := range map[string]string{
		"string":      "\x00\x01a\x80\x00\xff\xff\xff",
		"list":        "\x01\x01a\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
		"hash":        "\x04\x01a\x80\xff\xff\xff\xff",
		"sorted set":  "\x05\x01a\x80\xff\xff\xff\xff",
		"stream":      "\x13\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x00\x00\x00\x80\xff\xff\xff\xff",
		"size hint":   "\xfb\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00",
		"listpack":    "\x10\x01a\x0b\xff\xff\xff\x7f\xff\xff\x80\x01\x80\x01\xff",
		"compressed":  "\x00\x01a\xc3\x80\x00\xff\xff\xff\x80\x00\xff\xff\xff",
		"module text": "\x07\x01a\x05\x05\x80\x00\xff\xff\xff",
	} {
		file := []byte("REDIS0010" + record)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var c content
		if _, err := c.reader().Read(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: accepted", name)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(file))
		}
	}
}

func TestReplaceFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "dump.rdb")
	if err := persist.ReplaceFile(persist.OS{}, path, text("one")); err != nil {
		t.Fatal(err)
	}
	failed := func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of")
		return errFull
	}
	if err := persist.ReplaceFile(persist.OS{}, path, failed); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
	names, err := persist.OS{}.List(dir)
	if b, _ := os.ReadFile(path); string(b) != "one" || err != nil || len(names) != 1 {
		t.Errorf("after a failure: %q, %v", b, names)
	}
	if err := persist.ReplaceFile(persist.OS{}, path, text("two")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "two" {
		t.Errorf("replaced: %q", b)
	}
}

func FuzzRDBReader(f *testing.F) {
	f.Add(small(f))
	f.Add([]byte("REDIS0010\xfa\x01a\x01b\xf5\x01f\xfb\x01\x01\xf4\x01\x01\x01\xfd\x01\x01\x01\x01\x09\x01a\x00\xff"))
	f.Add([]byte("REDIS0009\x07\x01a\x05\x05\x01v\x00\xf7\x05\x02\x02\x00\xf8\x05\xf9\x05\x03\x01z\x01\x01m\xfe\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		read := func(src io.Reader) (content, persist.RDBSummary, error) {
			var c content
			r := c.reader()
			r.MaxString, r.NoChecksum = 1<<16, true
			s, err := r.Read(src)
			return c, s, err
		}
		c, s, err := read(bytes.NewReader(file))
		slow, _, slowErr := read(iotest.OneByteReader(bytes.NewReader(file)))
		if c.text() != slow.text() || fmt.Sprint(err) != fmt.Sprint(slowErr) {
			t.Fatalf("at once: %v\n%s\nbyte by byte: %v\n%s", err, c.text(), slowErr, slow.text())
		}
		var e *persist.RDBError
		if err != nil && (!errors.As(err, &e) || e.Record > e.Offset || e.Offset > int64(len(file))) {
			t.Fatalf("%v", err)
		}
		// What was read can be written, and is the same then.
		var out bytes.Buffer
		w := persist.NewRDBWriter(&out, persist.DefaultEncoding(), true)
		for i := range c.values {
			w.Entry(&c.values[i])
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var again content
		r := again.reader()
		r.MaxString = math.MaxInt32
		if _, err := r.Read(&out); err != nil || len(again.values) != s.Keys {
			t.Fatalf("%d keys written, %d read: %v", s.Keys, len(again.values), err)
		}
		for i, v := range c.values {
			if !sameValue(v.Value, again.values[i].Value, persist.Version) {
				t.Fatalf("%q: %#v became %#v", v.Key, v.Value, again.values[i].Value)
			}
		}
	})
}
