package raftnode

import (
	"context"

	"conclave/raftnode/peer"
)

// AskToVote is what a leader asks of a member whose last recorded generation is
// the given one; it returns the generation that answered.
func (n *Node) AskToVote(ctx context.Context, recorded uint64) (uint64, error) {
	g := n.group()
	out, err := n.handlePromote(ctx, peer.Identity{}, &promoteRequest{Cluster: g.cluster, Attempt: g.attempt, Generation: recorded})
	if err != nil {
		return 0, err
	}
	return out.Generation, nil
}
