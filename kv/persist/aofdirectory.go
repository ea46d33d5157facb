package persist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// AOFDirectory keeps the parts of an append-only file and their manifest, under
// Redis's names. What it does is durable when it returns, and a crash in the
// middle leaves a manifest that describes complete data. Not for concurrent use.
type AOFDirectory struct {
	files FileSystem
	dir   string
	name  string // appendfilename
	m     Manifest
	begun int64    // the highest number of an increment that was created
	loose []string // files of BeginAnew that aren't part of anything yet
}

// OpenAOFDirectory reads the manifest, if there is one. name is the directive
// appendfilename, from which the names of the parts are made. What a crash left
// behind is removed.
func OpenAOFDirectory(files FileSystem, dir, name string) (*AOFDirectory, error) {
	a := &AOFDirectory{files: files, dir: dir, name: name}
	f, err := files.Open(a.manifestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the append-only file's manifest: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, longestManifest))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		a.m, err = ParseManifest(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", a.manifestPath(), err)
	}
	return a, a.clean()
}

// longestManifest is far more than any number of parts needs.
const longestManifest = 16 << 20

func (a *AOFDirectory) manifestPath() string { return filepath.Join(a.dir, a.name+".manifest") }

// Empty reports whether there is nothing to load.
func (a *AOFDirectory) Empty() bool { return a.m.Base == nil && len(a.m.Increments) == 0 }

// Parts are the files to load, in order.
func (a *AOFDirectory) Parts() []Part {
	var parts []Part
	if a.m.Base != nil {
		parts = append(parts, *a.m.Base)
	}
	return append(parts, a.m.Increments...)
}

// Path is where a part lies.
func (a *AOFDirectory) Path(p Part) string { return filepath.Join(a.dir, p.Name) }

// Size is the length of a part.
func (a *AOFDirectory) Size(p Part) (int64, error) {
	info, err := a.files.Stat(a.Path(p))
	if err != nil {
		return 0, fmt.Errorf("size of a part of the append-only file: %w", err)
	}
	return info.Size(), nil
}

// save makes a manifest the valid one.
func (a *AOFDirectory) save(m Manifest) error {
	err := ReplaceFile(a.files, a.manifestPath(), func(w io.Writer) error {
		_, err := w.Write(m.Append(nil))
		return err
	})
	if err == nil {
		a.m = m
	}
	return err
}

// Upgrade takes over the single file that Redis up to 6 wrote, as the base. It
// goes on with an upgrade that was interrupted, and does nothing if there is
// nothing to do.
func (a *AOFDirectory) Upgrade(path string) error {
	base := Part{Name: a.name, Seq: 1, Type: BasePart}
	begun := a.m.Base != nil && *a.m.Base == base && len(a.m.Increments) == 0
	if !begun && !a.Empty() {
		return nil
	}
	if _, err := a.files.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // or it has been moved already
		}
		return fmt.Errorf("upgrade the append-only file: %w", err)
	}
	if err := a.make(); err != nil {
		return err
	}
	if !begun {
		if err := a.save(Manifest{Base: &base}); err != nil {
			return err
		}
	}
	if err := a.files.Rename(path, a.Path(base)); err != nil {
		return fmt.Errorf("upgrade the append-only file: %w", err)
	}
	return errors.Join(a.files.SyncDirectory(a.dir), a.files.SyncDirectory(filepath.Dir(path)))
}

// make creates the directory where it is missing.
func (a *AOFDirectory) make() error {
	if err := a.files.MakeDirectory(a.dir); err != nil {
		return fmt.Errorf("make the append-only file's directory: %w", err)
	}
	return a.files.SyncDirectory(filepath.Dir(a.dir))
}

// Last opens the last increment to write behind its end, or begins the first.
func (a *AOFDirectory) Last() (f File, size int64, err error) {
	n := len(a.m.Increments)
	if n == 0 {
		f, err = a.Begin()
		return f, 0, err
	}
	p := a.m.Increments[n-1]
	if size, err = a.Size(p); err != nil {
		return nil, 0, err
	}
	if f, err = a.files.Append(a.Path(p)); err != nil {
		return nil, 0, fmt.Errorf("open the append-only file: %w", err)
	}
	return f, size, nil
}

// Begin begins a new increment: commands from now on go there.
func (a *AOFDirectory) Begin() (File, error) {
	f, p, err := a.create()
	if err != nil {
		return nil, err
	}
	m := a.m
	m.Increments = append(slices.Clone(m.Increments), p)
	if err := a.save(m); err != nil {
		// The file stays: the manifest may have it by now.
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// BeginAnew begins an increment that doesn't continue what is there. It is not
// part of the file until Replace has made a base for it.
func (a *AOFDirectory) BeginAnew() (File, Part, error) {
	f, p, err := a.create()
	if err == nil {
		a.loose = append(a.loose, p.Name)
	}
	return f, p, err
}

// create makes the file of the next increment.
func (a *AOFDirectory) create() (File, Part, error) {
	if err := a.make(); err != nil {
		return nil, Part{}, err
	}
	p := Part{Seq: 1, Type: IncrementalPart}
	if n := len(a.m.Increments); n > 0 {
		p.Seq = a.m.Increments[n-1].Seq + 1
	}
	p.Seq = max(p.Seq, a.begun+1) // one that came to nothing may still be open
	a.begun = p.Seq
	p.Name = fmt.Sprintf("%s.%d.incr.aof", a.name, p.Seq)
	f, err := a.files.Create(a.Path(p))
	if err != nil {
		return nil, Part{}, fmt.Errorf("begin a part of the append-only file: %w", err)
	}
	// The name is durable before the manifest has it.
	if err := a.files.SyncDirectory(a.dir); err != nil {
		return nil, Part{}, errors.Join(err, f.Close())
	}
	return f, p, nil
}

// Rewrite puts a new base in the place of the old one and of all increments but
// the last: it holds the data as of when that one began. write writes an RDB
// file, or commands if rdb is false. If it fails everything stays as it was.
func (a *AOFDirectory) Rewrite(rdb bool, write func(io.Writer) error) error {
	var last []Part
	if n := len(a.m.Increments); n > 0 {
		last = a.m.Increments[n-1:]
	}
	return a.rewrite(rdb, last, write)
}

// Replace is Rewrite with an increment that BeginAnew has begun: nothing of what
// was there before is kept.
func (a *AOFDirectory) Replace(rdb bool, p Part, write func(io.Writer) error) error {
	return a.rewrite(rdb, []Part{p}, write)
}

func (a *AOFDirectory) rewrite(rdb bool, keep []Part, write func(io.Writer) error) error {
	if err := a.make(); err != nil {
		return err
	}
	p := Part{Seq: 1, Type: BasePart}
	if a.m.Base != nil {
		p.Seq = a.m.Base.Seq + 1
	}
	p.Name = fmt.Sprintf("%s.%d.base.aof", a.name, p.Seq)
	if rdb {
		p.Name = fmt.Sprintf("%s.%d.base.rdb", a.name, p.Seq)
	}
	if err := ReplaceFile(a.files, a.Path(p), write); err != nil {
		return err
	}
	m := Manifest{Base: &p, Superseded: slices.Clone(a.m.Superseded), Increments: slices.Clone(keep)}
	supersede := func(p Part) {
		p.Type = HistoryPart
		m.Superseded = append(m.Superseded, p)
	}
	if a.m.Base != nil {
		supersede(*a.m.Base)
	}
	for _, p := range a.m.Increments {
		if !slices.Contains(keep, p) {
			supersede(p)
		}
	}
	if err := a.save(m); err != nil {
		return err
	}
	return a.clean()
}

// clean removes superseded parts and what wasn't finished.
func (a *AOFDirectory) clean() error {
	names, err := a.files.List(a.dir)
	if err != nil {
		return fmt.Errorf("look for remains of the append-only file: %w", err)
	}
	isIn := func(parts []Part, name string) bool {
		return slices.ContainsFunc(parts, func(p Part) bool { return p.Name == name })
	}
	for _, name := range names {
		if isIn(a.Parts(), name) {
			continue
		}
		if isIn(a.m.Superseded, name) || slices.Contains(a.loose, name) || strings.HasPrefix(name, temporaryPrefix+a.name+".") {
			if err := a.files.Remove(filepath.Join(a.dir, name)); err != nil {
				return fmt.Errorf("remove remains of the append-only file: %w", err)
			}
		}
	}
	a.loose = nil
	if len(a.m.Superseded) == 0 {
		return nil
	}
	m := a.m
	m.Superseded = nil
	return a.save(m)
}
