package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"conclave/cmd/internal/version"
)

// Bounds on what a configuration may be made of, far above any real one.
const (
	maxFileSize     = 16 << 20
	maxIncludeDepth = 16
	maxIncludes     = 256 // files in all: a file that includes itself twice doubles at each level
)

// FileError says where a configuration is wrong, in redis-server's form.
type FileError struct {
	Source string // a path, "standard input", or empty for the command line
	Line   int
	Text   string // the directive as it was written
	Err    error
}

func (e *FileError) Error() string {
	where := "Reading the command line"
	if e.Source != "" {
		where = fmt.Sprintf("Reading the configuration file, at line %d of %s", e.Line, e.Source)
	}
	return fmt.Sprintf("\n*** FATAL CONFIG FILE ERROR (Conclave %s) ***\n%s\n>>> '%s'\n%s", version.Version, where, e.Text, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// reader applies the lines of files, and of the files that they include, to a
// configuration. The last of several lines for one directive wins.
type reader struct {
	table    *table
	config   *Config
	open     func(path string) (io.ReadCloser, error)
	glob     func(pattern string) ([]string, error)
	includes int
}

func newReader(t *table, c *Config) *reader {
	return &reader{table: t, config: c, glob: filepath.Glob, open: func(path string) (io.ReadCloser, error) { return os.Open(path) }}
}

// file reads the file at path.
func (r *reader) file(path string, depth int) error {
	f, err := r.open(path)
	if err != nil {
		return fmt.Errorf("Fatal error, can't open config file '%s': %w", path, cause(err))
	}
	defer f.Close()
	return r.read(f, path, depth)
}

// read reads what is called source from f.
func (r *reader) read(f io.Reader, source string, depth int) error {
	b, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return fmt.Errorf("Fatal error, can't read config file '%s': %w", source, cause(err))
	}
	if len(b) > maxFileSize {
		return fmt.Errorf("Fatal error, config file '%s' is larger than %d bytes", source, maxFileSize)
	}
	n := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		n++
		if err := r.line(strings.Trim(line, " \t\r"), depth); err != nil {
			// An error inside an included file already says where it is.
			if in := (*FileError)(nil); errors.As(err, &in) {
				return err
			}
			return &FileError{Source: source, Line: n, Text: strings.Trim(line, " \t\r"), Err: err}
		}
	}
	return nil
}

func (r *reader) line(line string, depth int) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	words, err := splitWords(line)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return nil
	}
	if strings.EqualFold(words[0], "include") {
		return r.include(words[1:], depth+1)
	}
	d, ok := r.table.lookup(words[0])
	if !ok {
		return errUnknown(words[0])
	}
	return d.apply(r.config, words[1:])
}

// include reads the files that a pattern names, in order. A pattern that names
// none is no error, a plain path to nowhere is.
func (r *reader) include(args []string, depth int) error {
	if len(args) != 1 {
		return errArgs
	}
	if depth > maxIncludeDepth {
		return fmt.Errorf("more than %d levels of include", maxIncludeDepth)
	}
	paths := args
	if strings.ContainsAny(args[0], "*?[") {
		var err error
		if paths, err = r.glob(args[0]); err != nil {
			return fmt.Errorf("include: %w", err)
		}
	}
	for _, p := range paths {
		if r.includes++; r.includes > maxIncludes {
			return fmt.Errorf("more than %d included files", maxIncludes)
		}
		if err := r.file(p, depth); err != nil {
			return err
		}
	}
	return nil
}

// cause strips the path that os puts in front: the message names it already.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
