package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"

	"conclave/raftnode/raftlog"
)

const (
	raftDir     = "raft"
	logFile     = "raft.db"
	asideSuffix = ".aside"
	keepSnaps   = 3
)

// disk is a Factory in <dir>/raft/.
type disk struct {
	dir string
	log *slog.Logger
}

// Disk keeps Raft directories below dir.
func Disk(dir string, log *slog.Logger) Factory {
	return &disk{dir: filepath.Join(dir, raftDir), log: log}
}

// path is <dir>/raft/<cluster>/<generation>. Cluster ids come from the network
// and must not lead anywhere else.
func (d *disk) path(cluster string, gen uint64) (string, error) {
	if !validID(cluster) {
		return "", fmt.Errorf("cluster id %q is no directory name", cluster)
	}
	return filepath.Join(d.dir, cluster, strconv.FormatUint(gen, 10)), nil
}

func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }) < 0
}

// Open implements Factory.
func (d *disk) Open(cluster string, gen uint64) (*Stores, error) {
	path, err := d.path(cluster, gen)
	if err != nil {
		return nil, err
	}
	s, err := openDir(path, d.log)
	if err != nil {
		return nil, err
	}
	// The names of what was just made, up to the one that was there before.
	for _, p := range []string{path, filepath.Dir(path), d.dir, filepath.Dir(d.dir)} {
		if err := syncDir(p); err != nil {
			return nil, errors.Join(fmt.Errorf("sync %s: %w", p, err), s.Close())
		}
	}
	return s, nil
}

func openDir(path string, log *slog.Logger) (*Stores, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(path, logFile)
	_, err := os.Lstat(file)
	fresh := errors.Is(err, os.ErrNotExist)
	l, err := OpenLog(file)
	if err != nil {
		return nil, err
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(path, keepSnaps, raftlog.New(log).Named("snapshot"))
	if err == nil {
		err = check(l, snaps)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), l.Close())
	}
	return &Stores{Log: l.guardedLog, Stable: l.Stable, Snaps: snaps, Fresh: fresh, guard: l.guard, close: l.Close}, nil
}

// List implements Factory.
func (d *disk) List() ([]DirInfo, error) {
	clusters, err := os.ReadDir(d.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []DirInfo
	for _, c := range clusters {
		if !c.IsDir() || !validID(c.Name()) {
			continue
		}
		gens, err := os.ReadDir(filepath.Join(d.dir, c.Name()))
		if err != nil {
			return nil, err
		}
		for _, g := range gens {
			if gen, err := strconv.ParseUint(g.Name(), 10, 64); err == nil && g.IsDir() {
				out = append(out, DirInfo{Cluster: c.Name(), Generation: gen})
			}
		}
	}
	return out, nil
}

// SetAside implements Factory.
func (d *disk) SetAside(cluster string, gen uint64) error {
	path, err := d.path(cluster, gen)
	if err != nil {
		return err
	}
	// A former one of this name never mattered again.
	if err := os.RemoveAll(path + asideSuffix); err != nil {
		return err
	}
	if err := os.Rename(path, path+asideSuffix); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Remove implements Factory.
func (d *disk) Remove(cluster string, gen uint64) error {
	path, err := d.path(cluster, gen)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(path), os.RemoveAll(path+asideSuffix)); err != nil {
		return err
	}
	// The cluster's own directory goes with its last generation.
	if rest, err := os.ReadDir(filepath.Dir(path)); err == nil && len(rest) == 0 {
		return os.Remove(filepath.Dir(path))
	}
	return nil
}
