package persist_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"conclave/kv/persist"
)

func TestManifests(t *testing.T) {
	t.Parallel()
	base := persist.Part{Name: "a.1.base.rdb", Seq: 1, Type: persist.BasePart}
	incr := func(n int64) persist.Part {
		return persist.Part{Name: fmt.Sprintf("a.%d.incr.aof", n), Seq: n, Type: persist.IncrementalPart}
	}
	for _, tt := range []struct {
		name, text string
		want       persist.Manifest
	}{
		{"base and increments", "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n",
			persist.Manifest{Base: &base, Increments: []persist.Part{incr(1), incr(2)}}},
		{"comment, later keys, order", "# comment\r\n seq 1 type i new x FILE a.1.incr.aof \r\n", persist.Manifest{Increments: []persist.Part{incr(1)}}},
		{"history", "file h seq 3 type h\n", persist.Manifest{Superseded: []persist.Part{{Name: "h", Seq: 3, Type: persist.HistoryPart}}}},
		{"quoted", `file "a b\"\x41\n" seq 1 type b` + "\n", persist.Manifest{Base: &persist.Part{Name: "a b\"A\n", Seq: 1, Type: persist.BasePart}}},
		{"single quotes", `file 'a b' seq 1 type b` + "\n", persist.Manifest{Base: &persist.Part{Name: "a b", Seq: 1, Type: persist.BasePart}}},
	} {
		m, err := persist.ParseManifest([]byte(tt.text))
		if err != nil || fmt.Sprint(m.Append(nil)) != fmt.Sprint(tt.want.Append(nil)) {
			t.Errorf("%s: %+v, %v", tt.name, m, err)
		}
		again, err := persist.ParseManifest(m.Append(nil))
		if err != nil || !bytes.Equal(again.Append(nil), m.Append(nil)) {
			t.Errorf("%s: written %q and read: %v", tt.name, m.Append(nil), err)
		}
	}
	for text, want := range map[string]string{
		"":                           "empty AOF manifest",
		"\n":                         "Invalid AOF manifest file format",
		"file a seq 1 type b":        "too long line",
		"file a seq 1\n":             "Invalid AOF manifest",
		"file a seq 0 type b\n":      "Invalid AOF manifest",
		"file a seq 1 type b x\n":    "Invalid AOF manifest",
		"file \"a seq 1 type b\n":    "Invalid AOF manifest",
		"file \"a\"b seq 1 type b\n": "Invalid AOF manifest",
		"file ../a seq 1 type b\n":   "can't be a path",
		"file .. seq 1 type b\n":     "can't be a path",
		"file a seq 1 type x\n":      "Unknown AOF file type",
		"file a seq 1 type b\nfile b seq 2 type b\n":            "duplicate base",
		"file a seq 2 type i\nfile b seq 2 type i\n":            "non-monotonic",
		"file " + strings.Repeat("a", 1100) + " seq 1 type b\n": "too long line",
	} {
		if _, err := persist.ParseManifest([]byte(text)); !errors.Is(err, persist.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.50q: %v, want %q", text, err, want)
		}
	}
}

// list names the files in a directory, and what its manifest says.
func list(t *testing.T, dir string) string {
	t.Helper()
	names, err := persist.OS{}.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	text, err := os.ReadFile(filepath.Join(dir, "a.aof.manifest"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ") + "\n" + string(text)
}

func open(t *testing.T, dir string) *persist.AOFDirectory {
	t.Helper()
	a, err := persist.OpenAOFDirectory(persist.OS{}, dir, "a.aof")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustBegin(t *testing.T, a *persist.AOFDirectory) {
	t.Helper()
	f, err := a.Begin()
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "appendonlydir")
	a := open(t, dir)
	if !a.Empty() {
		t.Error("a new one isn't empty")
	}
	if err := a.Rewrite(true, text("one")); err != nil {
		t.Fatal(err)
	}
	mustBegin(t, a)
	mustBegin(t, a)
	mustBegin(t, a)
	want := "a.aof.1.base.rdb a.aof.1.incr.aof a.aof.2.incr.aof a.aof.3.incr.aof a.aof.manifest\n" +
		"file a.aof.1.base.rdb seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\nfile a.aof.2.incr.aof seq 2 type i\nfile a.aof.3.incr.aof seq 3 type i\n"
	if got := list(t, dir); got != want {
		t.Errorf("begun: %s", got)
	}
	// A rewrite that fails changes nothing.
	if err := a.Rewrite(true, func(io.Writer) error { return errFull }); !errors.Is(err, errFull) {
		t.Errorf("failed rewrite: %v", err)
	}
	if got := list(t, dir); got != want {
		t.Errorf("after a failed rewrite: %s", got)
	}
	if err := a.Rewrite(false, text("two")); err != nil {
		t.Fatal(err)
	}
	want = "a.aof.2.base.aof a.aof.3.incr.aof a.aof.manifest\nfile a.aof.2.base.aof seq 2 type b\nfile a.aof.3.incr.aof seq 3 type i\n"
	if got := list(t, dir); got != want {
		t.Errorf("rewritten: %s", got)
	}
	// What a crash left behind goes, strangers' files stay.
	for _, name := range []string{"temp-a.aof.3.base.rdb", "mine"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a = open(t, dir)
	if got := list(t, dir); got != strings.Replace(want, "manifest\n", "manifest mine\n", 1) {
		t.Errorf("opened again: %s", got)
	}
	f, size, err := a.Last()
	if err != nil || size != 0 {
		t.Fatalf("last: %d, %v", size, err)
	}
	if _, err := f.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Size(a.Parts()[1]); n != 3 || err != nil {
		t.Errorf("size: %d, %v", n, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a.aof.2.base.aof")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
}

// A single file of Redis 6 becomes the base, also if an attempt was interrupted
// before or after the file was moved.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	const manifest = "file a.aof seq 1 type b\n"
	for _, interrupted := range []string{"", "manifest written", "done"} {
		root := t.TempDir()
		dir, old := filepath.Join(root, "appendonlydir"), filepath.Join(root, "a.aof")
		if err := os.WriteFile(old, []byte("data"), 0o600); err != nil {
			t.Fatal(err)
		}
		if interrupted != "" {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "a.aof.manifest"), []byte(manifest), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if interrupted == "done" {
			if err := os.Rename(old, filepath.Join(dir, "a.aof")); err != nil {
				t.Fatal(err)
			}
		}
		a := open(t, dir)
		if err := a.Upgrade(old); err != nil {
			t.Fatal(err)
		}
		if got := list(t, dir); got != "a.aof a.aof.manifest\n"+manifest {
			t.Errorf("%q: %s", interrupted, got)
		}
		if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: the old file: %v", interrupted, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "d")
	if err := open(t, dir).Upgrade(filepath.Join(dir, "none")); err != nil {
		t.Errorf("nothing to upgrade: %v", err)
	}
}

// An append-only file of redis-server is read and written here, and is the same
// data to redis-server; which goes on with it.
func TestAppendOnlyFileOfRedis(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	on := []string{"--appendonly", "yes", "--aof-timestamp-enabled", "yes", "--appendfsync", "no", "--appendfilename", "a.aof"}
	r := startRedis(t, dir, on...)
	if r == nil {
		return
	}
	r.must("config", "set", "auto-aof-rewrite-percentage", "0")
	r.must("select", "3")
	r.must("set", "before", "rewriting")
	r.must("bgrewriteaof")
	for {
		if info := r.must("info", "persistence").(string); strings.Contains(info, "aof_rewrite_in_progress:0") &&
			strings.Contains(info, "aof_rewrite_scheduled:0") && strings.Contains(info, "aof_base_size") {
			break
		}
	}
	r.fill()
	r.must("multi")
	r.must("set", "in", "transaction")
	r.must("incr", "counter")
	r.must("exec")
	// Its own commands don't bring back everything (how far a group has read, when
	// a consumer was seen): what redis-server makes of its file is what counts.
	r.must("debug", "loadaof")
	want := r.state()

	theirs := open(t, filepath.Join(dir, "appendonlydir"))
	root := t.TempDir()
	ours := open(t, filepath.Join(root, "appendonlydir"))
	copyParts(t, theirs, ours)
	check := func() {
		t.Helper()
		path := filepath.Join(root, "appendonlydir", "a.aof.manifest")
		if out, err := exec.Command("redis-check-aof", path).CombinedOutput(); err != nil {
			t.Errorf("redis-check-aof: %v: %s", err, out)
		}
	}
	check()
	second := startRedis(t, root, on...)
	sameState(t, replayed(second.state()), replayed(want))

	// redis-server has opened our part; what it appends stands between ours.
	second.must("set", "from", "redis")
	f, size, err := open(t, filepath.Join(root, "appendonlydir")).Last()
	if err != nil {
		t.Fatal(err)
	}
	w := persist.NewAOFWriter(f, size, persist.AOFOptions{Checksums: true})
	w.Command(0, 5, args("SET from ours")...)
	if err := errors.Join(w.Flush(), w.Sync(), w.Close()); err != nil {
		t.Fatal(err)
	}
	check()
	third := startRedis(t, root, on...)
	third.must("select", "5")
	if got := third.must("get", "from"); got != "ours" {
		t.Errorf("redis-server reads %v", got)
	}
}

// replayed is a state without the times at which consumers were seen: they are
// when the commands were run, which is again when they are read.
func replayed(state map[string]any) map[string]any {
	seen := regexp.MustCompile(`seen-time \d+`)
	out := map[string]any{}
	for k, v := range state {
		out[k] = seen.ReplaceAllString(fmt.Sprint(v), "")
	}
	return out
}

// copyParts reads an append-only file and writes it into another directory.
func copyParts(t *testing.T, from, to *persist.AOFDirectory) {
	t.Helper()
	for _, p := range from.Parts() {
		part, err := os.ReadFile(from.Path(p))
		if err != nil {
			t.Fatal(err)
		}
		if p.Type == persist.BasePart {
			base := rewrite(t, part, persist.DefaultEncoding(), true)
			if err := to.Rewrite(true, text(string(base))); err != nil {
				t.Fatal(err)
			}
			continue
		}
		f, err := to.Begin()
		if err != nil {
			t.Fatal(err)
		}
		w := persist.NewAOFWriter(f, 0, persist.AOFOptions{Checksums: true, Timestamps: true})
		r := persist.NewAOFReader(bytes.NewReader(part), 0)
		r.Hold = 10000
		db, unix := 0, int64(0)
		r.Time = func(n int64) { unix = n }
		for {
			b, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range b.Commands {
				if strings.EqualFold(string(c[0]), "select") {
					db = int(c[1][0] - '0')
					continue
				}
				w.Command(unix, db, c...)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Sync(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if unix == 0 {
			t.Error("no time stamps")
		}
	}
}
