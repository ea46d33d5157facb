package persist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FileSystem is what files are kept with. [OS] is the real one; tests put one
// in its place that fails or forgets.
type FileSystem interface {
	// Create makes an empty file, in place of one that may exist.
	Create(path string) (File, error)
	// Append opens a file that exists, to write behind its end.
	Append(path string) (File, error)
	Open(path string) (io.ReadCloser, error)
	Stat(path string) (fs.FileInfo, error)
	List(dir string) ([]string, error)
	MakeDirectory(path string) error
	Rename(from, to string) error
	Remove(path string) error
	// SyncDirectory makes durable what was created, renamed or removed in it.
	SyncDirectory(path string) error
}

// File is a file to write to.
type File interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// OS is the operating system's file system. Files are the owner's alone.
type OS struct{}

func (OS) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
}

func (OS) Append(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
}

func (OS) Open(path string) (io.ReadCloser, error) { return os.Open(path) }
func (OS) Stat(path string) (fs.FileInfo, error)   { return os.Stat(path) }
func (OS) MakeDirectory(path string) error         { return os.MkdirAll(path, 0o700) }
func (OS) Rename(from, to string) error            { return os.Rename(from, to) }
func (OS) Remove(path string) error                { return os.Remove(path) }

func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (OS) SyncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// temporaryPrefix marks files that aren't finished. What is left of them after
// a crash may be removed.
const temporaryPrefix = "temp-"

// ReplaceFile puts a file in the place of another, or of none. Whoever looks,
// also after a crash, sees the old one or the new one, complete. When it returns
// nil the new one is durable; after an error the old one is still there, unless
// the error came from making the new one's name durable.
func ReplaceFile(files FileSystem, path string, write func(io.Writer) error) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	temporary := filepath.Join(dir, temporaryPrefix+name)
	f, err := files.Create(temporary)
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = files.Rename(temporary, path)
	}
	if err != nil {
		_ = files.Remove(temporary) // a full disk needs the room
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := files.SyncDirectory(dir); err != nil {
		return fmt.Errorf("replace %s: sync its directory: %w", path, err)
	}
	return nil
}
