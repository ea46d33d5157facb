package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Load makes the configuration of `conclave-server [file] [--directive value
// ...] [-]`: defaults, then the file, then standard input if there is a lone
// dash, then the command line; what comes later wins. args doesn't contain the
// program's name. Paths in the result are absolute where a later change of the
// working directory would turn them into others.
func Load(args []string, stdin io.Reader) (*Store, error) {
	t := newTable()
	c := Default()
	r := newReader(t, c)

	path := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		path = args[0]
		args = args[1:]
	}
	if path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("Fatal error, can't open config file '%s': %w", path, cause(err))
		}
		if err := r.file(path, 0); err != nil {
			return nil, err
		}
		path = abs
	}
	args, dash := withoutDash(args)
	if dash {
		if err := r.read(stdin, "standard input", 0); err != nil {
			return nil, err
		}
	}
	if err := r.arguments(args); err != nil {
		return nil, err
	}
	if err := settle(c); err != nil {
		return nil, err
	}
	return newStore(t, c, path), nil
}

// withoutDash removes a lone dash at either end, the sign for standard input.
func withoutDash(args []string) ([]string, bool) {
	switch n := len(args); {
	case n > 0 && args[n-1] == "-":
		return args[:n-1], true
	case n > 0 && args[0] == "-":
		return args[1:], true
	}
	return args, false
}

// arguments applies `--directive value ...`. A word that starts with two dashes
// begins a directive, unless it is the first value of one. One word may hold
// a directive and its values ("--port 7000").
func (r *reader) arguments(args []string) error {
	for len(args) > 0 {
		name, ok := strings.CutPrefix(args[0], "--")
		if !ok || name == "" {
			return &FileError{Text: args[0], Err: errUnknown(args[0])}
		}
		words, err := splitWords(name)
		if err != nil || len(words) == 0 {
			return &FileError{Text: args[0], Err: errors.Join(err, errArgs)}
		}
		n := 1
		for n < len(args) && !strings.HasPrefix(args[n], "--") {
			n++
		}
		given := strings.Join(args[:n], " ")
		words = append(words, args[1:n]...)
		args = args[n:]
		if strings.EqualFold(words[0], "include") {
			err = r.include(words[1:], 1)
		} else if d, ok := r.table.lookup(words[0]); ok {
			err = d.apply(r.config, words[1:])
		} else {
			err = errUnknown(words[0])
		}
		if err != nil {
			if in := (*FileError)(nil); errors.As(err, &in) {
				return err
			}
			return &FileError{Text: given, Err: err}
		}
	}
	return nil
}

// settle checks what concerns several directives and resolves what depends on
// where the process was started.
func settle(c *Config) error {
	abs, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("Can't resolve dir '%s': %w", c.Dir, cause(err))
	}
	c.Dir = abs
	switch info, err := os.Stat(c.Dir); {
	case err != nil:
		return fmt.Errorf("Can't use dir '%s': %w", c.Dir, cause(err))
	case !info.IsDir():
		return fmt.Errorf("Can't use dir '%s': not a directory", c.Dir)
	}
	c.Persistence.pointsRead = false
	if !c.ClusterEnabled {
		return nil
	}
	if c.Replication.PrimaryHost != "" {
		return errors.New("replicaof directive not allowed in cluster mode")
	}
	c.Databases = 1
	if c.Port == 0 && c.TLS.Port == 0 {
		return errors.New("cluster-enabled needs a port: peers and clients couldn't be told where this node is")
	}
	port := c.clientPort()
	if port == 0 {
		return errors.New("the bus takes its port from port, or with tls-cluster from tls-port, which is 0; set it")
	}
	if c.ClusterPort == 0 && port > 65535-busPortOffset {
		return fmt.Errorf("Redis port number too high for cluster mode: port %d leaves no room for the bus port %d; set cluster-port", port, port+busPortOffset)
	}
	c.busPort = c.BusPort()
	if c.busPort == c.Port {
		return fmt.Errorf("port and cluster-port are both %d", c.Port)
	}
	if c.busPort == c.TLS.Port {
		return fmt.Errorf("tls-port and cluster-port are both %d", c.TLS.Port)
	}
	return nil
}
