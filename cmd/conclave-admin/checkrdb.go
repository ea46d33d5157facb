package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"conclave/kv/persist"
)

// checkFlags are those of the checks.
func checkFlags(name string, args []string) (path string, fix bool, err error) {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&fix, "fix", false, "")
	if err := f.Parse(args); err != nil || f.NArg() != 1 {
		return "", false, flag.ErrHelp
	}
	return f.Arg(0), fix, nil
}

// checkRDB reads a snapshot as a server would and says what is in it.
func checkRDB(args []string, out io.Writer) error {
	path, fix, err := checkFlags("check-rdb", args)
	if err != nil {
		return err
	}
	size, err := sizeOf(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newRDBReport(size)
	sum, err := r.read(f)
	if err == nil && sum.Bytes != size {
		err = fmt.Errorf("%d bytes follow the end of the snapshot", size-sum.Bytes)
	}
	r.print(out, path, sum)
	if err == nil {
		fmt.Fprintln(out, "The file is good.")
		return nil
	}
	fmt.Fprintf(out, "The file is damaged: %v\n", err)
	var at *persist.RDBError
	switch {
	case !errors.As(err, &at) || sum.Version == 0:
		return errors.New("there is nothing that --fix could save")
	case errors.Is(err, persist.ErrChecksum):
		return errors.New("something in it differs from what was written, and nothing says what: restore an older file, or set rdbchecksum to no to load this one nevertheless")
	case !fix:
		return fmt.Errorf("%d keys before byte %d are whole; --fix keeps them and drops what follows", sum.Keys, at.Record)
	}
	return fixRDB(out, path, at.Record, sum.Version)
}

// fixRDB ends a snapshot where its last good record does.
func fixRDB(out io.Writer, path string, size int64, version int) error {
	copied, err := backUp(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A copy is in %s\n", copied)
	src, err := os.Open(copied)
	if err != nil {
		return err
	}
	defer src.Close()
	err = persist.ReplaceFile(persist.OS{}, path, func(w io.Writer) error {
		sum := &checksummed{w: w}
		if _, err := io.CopyN(sum, src, size); err != nil {
			return err
		}
		const end, firstSummed = 0xff, 5
		if _, err := sum.Write([]byte{end}); err != nil || version < firstSummed {
			return err
		}
		_, err := w.Write(binary.LittleEndian.AppendUint64(nil, sum.crc))
		return err
	})
	if err == nil {
		fmt.Fprintf(out, "Ended %s at byte %d\n", path, size)
	}
	return err
}

// checksummed counts a checksum of what passes.
type checksummed struct {
	w   io.Writer
	crc uint64
}

func (c *checksummed) Write(b []byte) (int, error) {
	c.crc = persist.Checksum(c.crc, b)
	return c.w.Write(b)
}

// backUp copies a file beside itself, under a name that is free.
func backUp(path string) (copied string, err error) {
	src, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer src.Close()
	for n := 1; ; n++ {
		copied = fmt.Sprintf("%s.%d.backup", path, n)
		dst, err := os.OpenFile(copied, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("make a copy first: %w", err)
		}
		_, err = io.Copy(dst, src)
		if err == nil {
			err = dst.Sync()
		}
		if err = errors.Join(err, dst.Close()); err != nil {
			return "", fmt.Errorf("make a copy first: %w", err)
		}
		return copied, persist.OS{}.SyncDirectory(filepath.Dir(copied))
	}
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return 0, err
	case info.IsDir():
		return 0, fmt.Errorf("%s is a directory", path)
	}
	return info.Size(), nil
}

// rdbReport is what a snapshot holds.
type rdbReport struct {
	bar       *progressBar
	now       int64
	keys      map[int]int // by database
	expiring  int
	expired   int
	functions int
	facts     [][2]string
}

func newRDBReport(size int64) *rdbReport {
	return &rdbReport{bar: newProgressBar(size), now: time.Now().UnixMilli(), keys: map[int]int{}}
}

func (r *rdbReport) read(src io.Reader) (persist.RDBSummary, error) {
	defer r.bar.end()
	in := persist.RDBReader{
		MaxString: math.MaxInt,
		Entry: func(e persist.Entry) error {
			r.keys[e.DB]++
			if e.ExpireMs != persist.NoExpiry {
				r.expiring++
				if e.ExpireMs <= r.now {
					r.expired++
				}
			}
			return nil
		},
		Aux: func(name, value []byte) error {
			r.facts = append(r.facts, [2]string{string(name), string(value)})
			return nil
		},
		Function: func([]byte) error { r.functions++; return nil },
		Module:   func(int, []byte, string) error { return nil },
		Progress: r.bar.at,
	}
	return in.Read(src)
}

func (r *rdbReport) print(out io.Writer, path string, sum persist.RDBSummary) {
	fmt.Fprintf(out, "%s: version %d", path, sum.Version)
	if sum.Checked {
		fmt.Fprint(out, ", checksum right")
	}
	fmt.Fprintln(out)
	for _, f := range r.facts {
		fmt.Fprintf(out, "  %s: %.200q\n", f[0], f[1])
	}
	dbs := make([]int, 0, len(r.keys))
	for db := range r.keys {
		dbs = append(dbs, db)
	}
	slices.Sort(dbs)
	for _, db := range dbs {
		fmt.Fprintf(out, "  database %d: %d keys\n", db, r.keys[db])
	}
	fmt.Fprintf(out, "  %d keys expire, %d of them have; %d libraries of functions\n", r.expiring, r.expired, r.functions)
}
