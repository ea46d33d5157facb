// Package raftlog lets hashicorp/raft write to a slog.Logger. It wants an
// hclog.Logger; this one maps levels one to one and names to an attribute.
package raftlog
