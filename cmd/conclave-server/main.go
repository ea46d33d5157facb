package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"conclave/cmd/internal/config"
	"conclave/cmd/internal/version"
)

const usage = `Usage: conclave-server [/path/to/conclave.conf] [--directive value ...] [-]
       conclave-server - (read the configuration from standard input)
       conclave-server -v or --version
       conclave-server -h or --help

Examples:
       conclave-server (with the default configuration)
       echo 'maxmemory 128mb' | conclave-server -
       conclave-server /etc/conclave/7001.conf
       conclave-server --port 7001 --cluster-enabled yes --dir /var/lib/conclave
       conclave-server /etc/conclave/7001.conf --loglevel verbose

Directives: docs/configuration.md, or conclave-admin config
`

func main() { os.Exit(start(os.Args[1:])) }

// start is the process up to its exit status.
func start(args []string) int {
	if len(args) == 1 {
		switch args[0] {
		case "-v", "--version":
			fmt.Printf("Conclave server v=%s %s\n", version.Version, buildInfo())
			return 0
		case "-h", "--help":
			fmt.Print(usage)
			return 0
		}
	}
	stdin, err := readStdin(args)
	if err != nil {
		return fail(err)
	}
	cfg, err := config.Load(args, bytes.NewReader(stdin))
	if err != nil {
		return fail(err)
	}
	parent := parentPipe()
	if cfg.Current().Daemonize && parent == nil {
		if err := startDaemon(args, stdin, cfg.Current()); err != nil {
			return fail(err)
		}
		return 0
	}
	// In the foreground reports go nowhere; the log has them.
	if parent == nil {
		parent = nopParent{}
	}
	if err := serve(cfg, parent); err != nil {
		parent.failed(err)
		return 1
	}
	return 0
}

// serve takes the process's place and runs the server until it is asked to end.
func serve(cfg *config.Store, parent parent) error {
	c := cfg.Current()
	if err := os.Chdir(c.Dir); err != nil {
		return report(fmt.Errorf("Can't chdir to '%s': %w", c.Dir, err))
	}
	out, err := logOutput(c)
	if err != nil {
		return report(err)
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: cfg.Level()}))
	log.Info("starting", "version", version.Version, "pid", os.Getpid(), "config_file", cfg.File(), "dir", c.Dir)
	if c.ShowLogo {
		if err := writeBanner(out, c); err != nil {
			return report(err)
		}
	}
	if cfg.File() == "" {
		log.Warn("no config file specified, using the default config")
	}
	if err := raiseFileLimit(cfg, log); err != nil {
		log.Error("not enough open files allowed", "err", err)
		return err
	}
	ctx, stop := untilSignalled(log)
	defer stop()
	// The pid file is written once the ports are ours: a second server started
	// by mistake must not take the first one's.
	pid := pidFile{path: pidPath(c)}
	defer pid.remove()
	ready := func() {
		if err := pid.write(); err != nil {
			log.Warn("pid file not written", "path", pid.path, "err", err)
		}
		parent.ready()
	}
	if err := run(ctx, cfg, log, ready); err != nil {
		log.Error("server failed", "err", err)
		return err
	}
	log.Info("bye")
	return nil
}

// untilSignalled returns a context that the first SIGTERM or SIGINT ends. The
// second ends the process, for when ending in order doesn't.
func untilSignalled(log *slog.Logger) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() { // ends with the process, or by stop
		s, ok := <-signals
		if !ok {
			return
		}
		log.Info("signal received, shutting down", "signal", s.String())
		cancel()
		if s, ok = <-signals; ok {
			log.Warn("second signal received, exiting now", "signal", s.String())
			os.Exit(1)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// readStdin reads the configuration that a lone dash announces. A daemon is
// given the same bytes again.
func readStdin(args []string) ([]byte, error) {
	if len(args) == 0 || args[0] != "-" && args[len(args)-1] != "-" {
		return nil, nil
	}
	const most = 16 << 20
	b, err := io.ReadAll(io.LimitReader(os.Stdin, most+1))
	if err == nil && len(b) > most {
		err = errors.New("too long")
	}
	if err != nil {
		return nil, fmt.Errorf("Fatal error, can't read the configuration from standard input: %w", err)
	}
	return b, nil
}

// fail prints why there is no server.
func fail(err error) int {
	_ = report(err)
	return 1
}

func report(err error) error {
	fmt.Fprintln(os.Stderr, err)
	return err
}
