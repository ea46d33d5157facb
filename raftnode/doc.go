// Package raftnode is the control plane of one node: it runs the Raft group
// that agrees on the configuration (or follows it as an observer), joins and
// leaves clusters, proposes and forwards operations, watches other nodes and
// decides whether this node may serve.
//
// It never sees a user's key: what it must know of the data it asks through
// [Data]. hashicorp/raft and bbolt appear here and below, nowhere else.
package raftnode
