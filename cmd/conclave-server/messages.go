package main

import (
	"context"
	"slices"

	"conclave/fsm/slot"
)

// deliver takes a message that was published on another node.
func (n *clusterRooms) deliver(shard bool, channel, message []byte) {
	if shard {
		n.r.server.PublishShard(channel, message)
	} else {
		n.r.server.Publish(channel, message)
	}
}

// dropShardChannels ends subscriptions to shard channels when their slots move to
// another shard, until ctx ends.
func (n *clusterRooms) dropShardChannels(ctx context.Context) {
	var before []slot.Range
	for {
		changed := n.Changed()
		st := n.View()
		var mine []slot.Range
		shard := st.ShardOf(n.Self())
		if shard != nil {
			mine = st.SlotsOf(shard.ID)
		}
		if !slices.Equal(mine, before) {
			// Who was still routed by the former view is subscribed afterwards.
			slotData{n.r.store}.Drain([]slot.Range{{Start: 0, End: slot.Count - 1}})
			n.r.server.DropShardChannels(func(s int) bool { return shard != nil && st.Owner(s) == shard })
			before = mine
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
