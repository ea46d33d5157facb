package main

import (
	"fmt"
	"io"
	"os"

	"conclave/cmd/internal/config"
	"conclave/cmd/internal/version"
)

// writeBanner writes what always-show-logo asks for. Programs that start a server
// and read its log look for the line with the process id.
func writeBanner(out io.Writer, c *config.Config) error {
	mode := "standalone"
	if c.ClusterEnabled {
		mode = "cluster"
	}
	_, err := fmt.Fprintf(out, "\n  Conclave %s\n  Running in %s mode\n  Port: %d\n  PID: %d\n\n", version.Version, mode, c.Port, os.Getpid())
	return err
}
