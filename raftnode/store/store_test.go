package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func sample() Metadata {
	return Metadata{
		NodeID: "n", ShardID: "s", IncarnationCount: 3, Attempt: 2, Generation: 1,
		Membership: Membership{ClusterID: "c", Attempt: 2, JoinIndex: 9, Peers: []PeerAddr{{ID: "p", Addr: "127.0.0.1:21600"}}},
		Intent:     &Intent{Attempt: 3, TargetCluster: "d", Addrs: []string{"127.0.0.1:21601"}, HelloIndex: 4},
		Former:     []string{"e"},
	}
}

func TestFormatExample(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "```hex\n")
	text, _, _ = strings.Cut(text, "```")
	want, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	got, err := encodeMetadata(sample())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoded %x, %v", got, err)
	}
	m, err := decodeMetadata(want)
	if err != nil || !reflect.DeepEqual(m, sample()) {
		t.Errorf("decoded %+v, %v", m, err)
	}
}

func FuzzMetadata(f *testing.F) {
	raw, err := encodeMetadata(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMetadata(b)
		if err != nil {
			return
		}
		raw, err := encodeMetadata(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeMetadata(raw)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := encodeMetadata(again); err != nil || !bytes.Equal(twice, raw) {
			t.Fatalf("%s became %s, %v", raw, twice, err)
		}
	})
}

func TestDiskMeta(t *testing.T) {
	dir := t.TempDir()
	m, err := OpenMeta(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Load(); err != nil || !reflect.DeepEqual(got, Metadata{}) {
		t.Fatalf("fresh: %+v, %v", got, err)
	}
	if err := m.Save(sample()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMeta(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("second open: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m, err = OpenMeta(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got, err := m.Load(); err != nil || !reflect.DeepEqual(got, sample()) {
		t.Errorf("reopened: %+v, %v", got, err)
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	junk := bytes.Repeat([]byte("junk"), 10000)
	dir := t.TempDir()
	for _, name := range []string{metaFile, logFile} {
		if err := os.WriteFile(filepath.Join(dir, name), junk, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenMeta(dir); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), metaFile) {
		t.Errorf("meta: %v", err)
	}
	if _, err := OpenLog(filepath.Join(dir, logFile)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), logFile) {
		t.Errorf("log: %v", err)
	}
	for _, b := range [][]byte{{}, {1, 0, 0, 0, 0, '{', '}'}, {9, 0, 0, 0, 0, '{', '}'}} {
		if _, err := decodeMetadata(b); err == nil {
			t.Errorf("%x decodes", b)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	a := sample()
	a.Extra = map[string]string{"k": "v"}
	b := a.Clone()
	b.Membership.Peers[0].Addr = "x"
	b.Intent.Addrs[0] = "x"
	b.Former[0] = "x"
	b.Extra["k"] = "x"
	want := sample()
	want.Extra = map[string]string{"k": "v"}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("original became %+v", a)
	}
}

// factories are all the implementations.
func factories(t *testing.T) map[string]Factory {
	return map[string]Factory{
		"disk":   Disk(t.TempDir(), slog.New(slog.DiscardHandler)),
		"memory": NewMemory(),
	}
}

func entries(term, lo, hi uint64) []*raft.Log {
	var out []*raft.Log
	for i := lo; i <= hi; i++ {
		out = append(out, &raft.Log{Index: i, Term: term, Type: raft.LogCommand, Data: []byte("x")})
	}
	return out
}

func TestFactory(t *testing.T) {
	for name, f := range factories(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, f, 1)
			if has, err := raft.HasExistingState(s.Log, s.Stable, s.Snaps); has || err != nil {
				t.Fatalf("fresh directory has state: %v, %v", has, err)
			}
			if !s.Fresh {
				t.Error("new directory is not said to be new")
			}
			if _, err := f.Open("c1", 1); !errors.Is(err, ErrInUse) {
				t.Errorf("second open: %v", err)
			}
			must(t, s.Log.StoreLogs(entries(1, 1, 10)))
			must(t, s.Stable.SetUint64([]byte("CurrentTerm"), 7))
			takeSnapshot(t, s, 8, 1, "state")
			must(t, s.Close())

			s = open(t, f, 1)
			if s.Fresh {
				t.Error("old directory is said to be new")
			}
			must(t, s.CheckSnapshots())
			if last, err := s.Log.LastIndex(); last != 10 || err != nil {
				t.Errorf("last index %d, %v", last, err)
			}
			if term, err := s.Stable.GetUint64([]byte("CurrentTerm")); term != 7 || err != nil {
				t.Errorf("term %d, %v", term, err)
			}
			if snaps, err := s.Snaps.List(); err != nil || len(snaps) != 1 || snaps[0].Index != 8 {
				t.Errorf("snapshots %v, %v", snaps, err)
			}
			must(t, s.Close())

			must(t, open(t, f, 2).Close())
			if got, err := f.List(); err != nil || !reflect.DeepEqual(got, []DirInfo{{"c1", 1}, {"c1", 2}}) {
				t.Errorf("list %v, %v", got, err)
			}
			must(t, f.SetAside("c1", 1))
			must(t, f.SetAside("c1", 9))
			if got, err := f.List(); err != nil || !reflect.DeepEqual(got, []DirInfo{{"c1", 2}}) {
				t.Errorf("list after SetAside %v, %v", got, err)
			}
			must(t, f.Remove("c1", 1))
			must(t, f.Remove("c1", 2))
			if got, err := f.List(); err != nil || len(got) != 0 {
				t.Errorf("list after Remove %v, %v", got, err)
			}
		})
	}
}

func TestClusterIDIsNoPath(t *testing.T) {
	f := Disk(t.TempDir(), slog.New(slog.DiscardHandler))
	for _, id := range []string{"", "..", "a/b", "A", strings.Repeat("a", 65)} {
		if _, err := f.Open(id, 1); err == nil {
			t.Errorf("opened %q", id)
		}
	}
}

func open(t *testing.T, f Factory, gen uint64) *Stores {
	t.Helper()
	s, err := f.Open("c1", gen)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func takeSnapshot(t *testing.T, s *Stores, index, term uint64, state string) {
	t.Helper()
	_, trans := raft.NewInmemTransport("")
	sink, err := s.Snaps.Create(1, index, term, raft.Configuration{}, 1, trans)
	must(t, err)
	_, err = sink.Write([]byte(state))
	must(t, err)
	must(t, sink.Close())
}

func TestCheckAtOpening(t *testing.T) {
	tests := []struct {
		name    string
		build   func(t *testing.T, s *Stores)
		first   uint64 // of the log after opening
		last    uint64
		corrupt bool
	}{
		{"empty", func(*testing.T, *Stores) {}, 0, 0, false},
		{"log", func(t *testing.T, s *Stores) { must(t, s.Log.StoreLogs(entries(1, 1, 5))) }, 1, 5, false},
		{"log and snapshot", func(t *testing.T, s *Stores) {
			must(t, s.Log.StoreLogs(entries(1, 1, 9)))
			takeSnapshot(t, s, 5, 1, "s")
			must(t, s.Log.DeleteRange(1, 3))
		}, 4, 9, false},
		{"installed snapshot far ahead", func(t *testing.T, s *Stores) {
			must(t, s.Log.StoreLogs(entries(1, 1, 5)))
			takeSnapshot(t, s, 50, 3, "s")
		}, 0, 0, false},
		{"installed snapshot, hole, entries after it", func(t *testing.T, s *Stores) {
			must(t, s.Log.StoreLogs(entries(2, 1, 5)))
			takeSnapshot(t, s, 50, 3, "s")
			must(t, s.Log.StoreLogs(entries(3, 51, 60)))
		}, 51, 60, false},
		{"tail conflicts with the snapshot", func(t *testing.T, s *Stores) {
			must(t, s.Log.StoreLogs(entries(2, 1, 60)))
			takeSnapshot(t, s, 50, 3, "s")
		}, 0, 0, false},
		{"hole", func(t *testing.T, s *Stores) {
			must(t, s.Log.StoreLogs(entries(1, 1, 4)))
			must(t, s.Log.StoreLogs(entries(1, 6, 9)))
		}, 0, 0, true},
		{"hole after the snapshot", func(t *testing.T, s *Stores) {
			takeSnapshot(t, s, 5, 1, "s")
			must(t, s.Log.StoreLogs(entries(1, 7, 9)))
		}, 0, 0, true},
		{"beginning lost", func(t *testing.T, s *Stores) { must(t, s.Log.StoreLogs(entries(1, 3, 9))) }, 0, 0, true},
	}
	for _, tt := range tests {
		for name, f := range factories(t) {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				s := open(t, f, 1)
				tt.build(t, s)
				must(t, s.Close())
				s, err := f.Open("c1", 1)
				if tt.corrupt {
					if !errors.Is(err, ErrCorrupt) {
						t.Fatalf("open: %v", err)
					}
					return
				}
				must(t, err)
				defer s.Close()
				first, err := s.Log.FirstIndex()
				must(t, err)
				last, err := s.Log.LastIndex()
				must(t, err)
				if first != tt.first || last != tt.last {
					t.Errorf("log %d to %d, want %d to %d", first, last, tt.first, tt.last)
				}
			})
		}
	}
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	dir := t.TempDir()
	f := Disk(dir, slog.New(slog.DiscardHandler))
	s := open(t, f, 1)
	takeSnapshot(t, s, 5, 1, "state")
	must(t, s.Close())
	files, err := filepath.Glob(filepath.Join(dir, raftDir, "c1", "1", "snapshots", "*", "state.bin"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	must(t, os.WriteFile(files[0], []byte("stale"), 0o600))
	if _, err := f.Open("c1", 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("open: %v", err)
	}
}

func TestFirstFailedWriteIsTheLast(t *testing.T) {
	m := NewMemory()
	s := open(t, m, 1)
	must(t, s.Log.StoreLogs(entries(1, 1, 3)))
	select {
	case <-s.Failed():
		t.Fatal("failed before anything did")
	default:
	}
	broken := errors.New("disk on fire")
	m.Fail(broken)
	if err := s.Log.StoreLogs(entries(1, 4, 4)); !errors.Is(err, broken) {
		t.Errorf("store: %v", err)
	}
	m.Fail(nil)
	writes := map[string]func() error{
		"StoreLogs":   func() error { return s.Log.StoreLogs(entries(1, 4, 4)) },
		"DeleteRange": func() error { return s.Log.DeleteRange(1, 1) },
		"Set":         func() error { return s.Stable.Set([]byte("k"), nil) },
		"SetUint64":   func() error { return s.Stable.SetUint64([]byte("k"), 1) },
	}
	for name, w := range writes {
		if err := w(); !errors.Is(err, ErrPoisoned) || !errors.Is(err, broken) {
			t.Errorf("%s after the failure: %v", name, err)
		}
	}
	<-s.Failed()
	if !errors.Is(s.Err(), broken) {
		t.Errorf("failure: %v", s.Err())
	}
	if last, err := s.Log.LastIndex(); last != 3 || err != nil {
		t.Errorf("reads: %d, %v", last, err)
	}
}

func TestWriteAgeOfAStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		s := open(t, m, 1)
		if s.WriteAge() != 0 {
			t.Error("age without a write")
		}
		m.Stall()
		done := make(chan error, 1)
		go func() { done <- s.Log.StoreLogs(entries(1, 1, 1)) }()
		time.Sleep(3 * time.Second)
		if age := s.WriteAge(); age != 3*time.Second {
			t.Errorf("age %v", age)
		}
		m.Resume()
		must(t, <-done)
		if s.WriteAge() != 0 {
			t.Error("age after the write")
		}
	})
}

func TestCrashLosesOnlyWhatHungAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		s := open(t, m, 1)
		must(t, m.Save(Metadata{Attempt: 1}))
		must(t, s.Log.StoreLogs(entries(1, 1, 3)))
		m.Stall()
		done := make(chan error, 2)
		go func() { done <- s.Log.StoreLogs(entries(1, 4, 4)) }()
		go func() { done <- m.Save(Metadata{Attempt: 2}) }()
		synctest.Wait()
		m.Crash()
		for range 2 {
			if err := <-done; err == nil {
				t.Error("a hanging write of a dead process succeeded")
			}
		}
		if err := s.Log.StoreLogs(entries(1, 4, 4)); err == nil {
			t.Error("a dead process writes")
		}
		s = open(t, m, 1)
		if last, err := s.Log.LastIndex(); last != 3 || err != nil {
			t.Errorf("last %d, %v", last, err)
		}
		if rec, err := m.Load(); rec.Attempt != 1 || err != nil {
			t.Errorf("record %+v, %v", rec, err)
		}
	})
}

func TestLargeDeletionsLeaveNoHole(t *testing.T) {
	const n = 3*deleteChunk + 5
	tests := []struct{ lo, hi, first, last uint64 }{
		{1, n - 10, n - 9, n},
		{11, n, 1, 10},
		{1, n, 0, 0},
		{0, 1 << 60, 0, 0},
	}
	for _, tt := range tests {
		s := open(t, NewMemory(), 1)
		must(t, s.Log.StoreLogs(entries(1, 1, n)))
		must(t, s.Log.DeleteRange(tt.lo, tt.hi))
		first, _ := s.Log.FirstIndex()
		last, _ := s.Log.LastIndex()
		if first != tt.first || last != tt.last {
			t.Errorf("delete %d to %d leaves %d to %d", tt.lo, tt.hi, first, last)
		}
	}
}
