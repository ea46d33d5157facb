//go:build !linux || !(amd64 || arm64)

package server

import (
	"context"
	"net"
)

// loops are the event loops, of which there are none on this platform.
type loops struct{}

func (*Server) releaseReplies() {}

func (*Server) acceptOnLoops(context.Context, net.Listener) (bool, error) { return false, nil }
