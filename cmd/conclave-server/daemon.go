package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"conclave/cmd/internal/config"
)

// A Go process can't fork. A daemon is therefore a second process of the same
// program with the same arguments in a session of its own, and the first one
// waits on a pipe for what becomes of it: "ready", an error, or the end of the
// pipe when it died.

// daemonEnv marks the second process; its file 3 is the pipe.
const (
	daemonEnv   = "CONCLAVE_DAEMON"
	daemonReady = "ready\n"
)

// parent is told once what becomes of the server.
type parent interface {
	ready()
	failed(error)
}

type nopParent struct{}

func (nopParent) ready()       {}
func (nopParent) failed(error) {}

// pipeParent is the process that waits for a daemon.
type pipeParent struct{ pipe *os.File }

// parentPipe returns nil in a process that nobody waits for.
func parentPipe() parent {
	if os.Getenv(daemonEnv) == "" {
		return nil
	}
	os.Unsetenv(daemonEnv)
	syscall.CloseOnExec(3)
	return pipeParent{os.NewFile(3, "parent")}
}

// Failing writes mean that the parent is gone; there is nobody left to tell.
func (p pipeParent) ready() {
	_, _ = io.WriteString(p.pipe, daemonReady)
	_ = p.pipe.Close()
}

func (p pipeParent) failed(err error) {
	_, _ = io.WriteString(p.pipe, err.Error())
	_ = p.pipe.Close()
}

// startDaemon returns when the daemon is ready, or with its error.
func startDaemon(args []string, stdin []byte, c *config.Config) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("Can't daemonize: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("Can't daemonize: %w", err)
	}
	defer read.Close()
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), daemonEnv+"=1")
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if len(stdin) > 0 {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	if c.LogFile != "" {
		// What the runtime itself prints, a crash, belongs into the log too.
		path := c.LogFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.Dir, path)
		}
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			write.Close()
			return fmt.Errorf("Can't open the log file: %w", err)
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
	}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return fmt.Errorf("Can't daemonize: %w", err)
	}
	const most = 64 << 10
	said, err := io.ReadAll(io.LimitReader(read, most))
	switch {
	case err != nil:
		return fmt.Errorf("Can't hear from the daemon: %w", err)
	case string(said) == daemonReady:
		return cmd.Process.Release()
	case len(said) > 0:
		return errors.New(string(said))
	}
	return fmt.Errorf("the server ended before it was ready: %w", cmd.Wait())
}
