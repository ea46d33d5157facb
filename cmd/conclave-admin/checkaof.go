package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"conclave/kv/persist"
)

// checkAOF reads an append-only file as a server would: a manifest with all its
// parts, the directory that has one, or a single part.
func checkAOF(args []string, out io.Writer) error {
	path, fix, err := checkFlags("check-aof", args)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if path, err = manifestIn(path); err != nil {
			return err
		}
	}
	if !strings.HasSuffix(path, ".manifest") {
		return checkPart(out, path, fix, true)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m, err := persist.ParseManifest(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	parts := m.Increments
	if m.Base != nil {
		parts = append([]persist.Part{*m.Base}, parts...)
	}
	for i, p := range parts {
		// What follows a part that was cut off would be run on other data.
		if err := checkPart(out, filepath.Join(filepath.Dir(path), p.Name), fix, i == len(parts)-1); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "All %d parts are good.\n", len(parts))
	return nil
}

func manifestIn(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.manifest"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s has %d manifests", dir, len(found))
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// checkPart checks one part. Only the last can be cut off.
func checkPart(out io.Writer, path string, fix, last bool) error {
	size, err := sizeOf(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	src, at, err := checkPreamble(out, path, f, size)
	if err != nil {
		return err
	}
	bar := newProgressBar(size)
	in := persist.NewAOFReader(src, at)
	in.MaxString = math.MaxInt
	in.Progress = bar.at
	commands, checked := 0, 0
	for {
		b, next := in.Next()
		if next != nil {
			err = next
			break
		}
		commands += len(b.Commands)
		if b.Checked {
			checked += len(b.Commands)
		}
	}
	bar.end()
	fmt.Fprintf(out, "%s: %d bytes, %d commands, of which checksums cover %d\n", path, size, commands, checked)
	var bad *persist.AOFError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case !errors.As(err, &bad):
		return err
	}
	fmt.Fprintf(out, "The file is damaged: %v\n", err)
	switch {
	case !last:
		return errors.New("it isn't the last part: what follows it would be run on other data; restore an older file")
	case !fix:
		return fmt.Errorf("it is good up to byte %d; --fix drops the %d bytes that follow", bad.Good, size-bad.Good)
	}
	copied, err := backUp(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A copy is in %s\n", copied)
	if err := cutOff(path, bad.Good); err != nil {
		return err
	}
	fmt.Fprintf(out, "Cut %s off at byte %d\n", path, bad.Good)
	return nil
}

// checkPreamble checks the snapshot that a part may begin with, and returns what
// follows it.
func checkPreamble(out io.Writer, path string, f io.Reader, size int64) (rest io.Reader, at int64, err error) {
	head := make([]byte, len("REDIS"))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, err
	}
	src := io.MultiReader(bytes.NewReader(head[:n]), f)
	if string(head[:n]) != "REDIS" {
		return src, 0, nil
	}
	r := newRDBReport(size)
	sum, err := r.read(src)
	r.print(out, path, sum)
	if err != nil {
		return nil, 0, fmt.Errorf("the snapshot at its beginning is damaged: %w", err)
	}
	return io.MultiReader(bytes.NewReader(sum.Rest), f), sum.Bytes, nil
}

func cutOff(path string, size int64) error {
	f, err := persist.OS{}.Append(path)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
