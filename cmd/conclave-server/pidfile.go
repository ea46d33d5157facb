package main

import (
	"fmt"
	"os"

	"conclave/cmd/internal/config"
)

const defaultPidFile = "/var/run/conclave.pid"

// pidPath is where the process id is written, or empty.
func pidPath(c *config.Config) string {
	if c.PidFile == "" && c.Daemonize {
		return defaultPidFile
	}
	return c.PidFile
}

// pidFile removes only what it wrote.
type pidFile struct {
	path    string
	written bool
}

func (p *pidFile) write() error {
	if p.path == "" {
		return nil
	}
	if err := os.WriteFile(p.path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		return err
	}
	p.written = true
	return nil
}

func (p *pidFile) remove() {
	if p.written {
		_ = os.Remove(p.path)
	}
}
