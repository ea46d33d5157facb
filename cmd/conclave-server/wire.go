package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"conclave/cmd/internal/config"
)

// run holds the port until ctx ends.
func run(ctx context.Context, cfg *config.Store, log *slog.Logger, ready func()) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", cfg.Current().Port))
	if err != nil {
		return err
	}
	log.Info("ready to accept connections", "port", cfg.Current().Port)
	ready()
	<-ctx.Done()
	return l.Close()
}
