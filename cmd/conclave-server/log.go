package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"conclave/cmd/internal/config"
)

// logOutput is where the log goes. The working directory is set already.
func logOutput(c *config.Config) (io.Writer, error) {
	switch {
	case c.LogFile != "":
		f := logFile(c.LogFile)
		if _, err := f.Write(nil); err != nil {
			return nil, fmt.Errorf("Can't open the log file: %w", err)
		}
		return f, nil
	case c.Daemonize:
		return io.Discard, nil
	}
	return os.Stdout, nil
}

// logFile is a path. It is opened for each message, as redis-server does, so
// that a log that is rotated away is followed by a new one.
type logFile string

func (f logFile) Write(b []byte) (int, error) {
	w, err := os.OpenFile(string(f), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	return w.Write(b)
}

// buildInfo is what the Go toolchain knows of this binary.
func buildInfo() string {
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return fmt.Sprintf("build=%s go=%s %s/%s", revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
