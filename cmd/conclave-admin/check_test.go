package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/kv/persist"
)

// snapshotFile writes a snapshot of some keys.
func snapshotFile(t *testing.T, path string, keys int) {
	t.Helper()
	var b bytes.Buffer
	w := persist.NewRDBWriter(&b, persist.DefaultEncoding(), true)
	w.Info(persist.RDBInfo{ServerVersion: "7.2.4", Created: time.Now()})
	for i := range keys {
		w.Entry(&persist.Entry{Key: fmt.Appendf(nil, "key%d", i), ExpireMs: persist.NoExpiry, Idle: persist.NoIdle, Freq: persist.NoFreq, Value: persist.String("value")})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, b.Bytes())
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// admin runs the tool and checks its status and some of what it says.
func admin(t *testing.T, status int, says string, args ...string) {
	t.Helper()
	var out, errOut bytes.Buffer
	got := dispatch(args, &out, &errOut)
	if got != status || !strings.Contains(out.String()+errOut.String(), says) {
		t.Errorf("%q: status %d, want %d and %q in\n%s%s", args, got, status, says, out.String(), errOut.String())
	}
}

func TestCheckRDB(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dump.rdb")
	snapshotFile(t, path, 10)
	admin(t, 0, "database 0: 10 keys", "check-rdb", path)
	whole := readFile(t, path)

	writeFile(t, path, whole[:len(whole)-40])
	admin(t, 1, "--fix keeps them", "check-rdb", path)
	if !bytes.Equal(readFile(t, path), whole[:len(whole)-40]) {
		t.Error("checked, it is another file")
	}
	admin(t, 0, "A copy is in "+path+".1.backup", "check-rdb", "--fix", path)
	admin(t, 0, "database 0: 7 keys", "check-rdb", path)
	if !bytes.Equal(readFile(t, path+".1.backup"), whole[:len(whole)-40]) {
		t.Error("the copy is another file")
	}

	bad := bytes.Clone(whole)
	bad[len(bad)-11]++
	writeFile(t, path, bad)
	admin(t, 1, "restore an older file", "check-rdb", "--fix", path)
	writeFile(t, path, []byte("nonsense"))
	admin(t, 1, "there is nothing that --fix could save", "check-rdb", "--fix", path)
	writeFile(t, path, append(bytes.Clone(whole), "more"...))
	admin(t, 1, "4 bytes follow", "check-rdb", path)
	admin(t, 1, "no such file", "check-rdb", path+"x")
	admin(t, 2, "Usage: conclave-admin check-rdb", "check-rdb")
}

func TestCheckAOF(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	base, incr := filepath.Join(dir, "a.aof.1.base.rdb"), filepath.Join(dir, "a.aof.1.incr.aof")
	manifest := filepath.Join(dir, "a.aof.manifest")
	snapshotFile(t, base, 3)
	writeFile(t, incr, nil)
	f, err := persist.OS{}.Append(incr)
	if err != nil {
		t.Fatal(err)
	}
	w := persist.NewAOFWriter(f, 0, persist.AOFOptions{Checksums: true})
	for i := range 5 {
		w.Command(1, 0, []byte("SET"), fmt.Appendf(nil, "k%d", i), []byte("v"))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, manifest, []byte("file a.aof.1.base.rdb seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n"))
	admin(t, 0, "All 2 parts are good", "check-aof", manifest)
	admin(t, 0, "All 2 parts are good", "check-aof", dir)
	admin(t, 0, "6 commands, of which checksums cover 6", "check-aof", incr)

	whole := readFile(t, incr)
	writeFile(t, incr, whole[:len(whole)-45])
	admin(t, 1, "--fix drops the", "check-aof", dir)
	admin(t, 0, "A copy is in "+incr+".1.backup", "check-aof", "--fix", dir)
	admin(t, 0, "All 2 parts are good", "check-aof", dir)
	if fixed := readFile(t, incr); !bytes.HasPrefix(whole, fixed) || len(fixed) < len(whole)/2 {
		t.Errorf("%d bytes are left of %d", len(fixed), len(whole))
	}

	bad := bytes.Clone(whole)
	bad[len(bad)/2]++
	writeFile(t, incr, bad)
	admin(t, 1, "The file is damaged", "check-aof", dir)
	writeFile(t, base, readFile(t, base)[:30])
	admin(t, 1, "the snapshot at its beginning is damaged", "check-aof", dir)
	writeFile(t, manifest, []byte("nonsense\n"))
	admin(t, 1, "Invalid AOF manifest", "check-aof", dir)
}
