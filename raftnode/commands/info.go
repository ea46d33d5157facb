package commands

import (
	"fmt"

	"conclave/fsm"
	"conclave/resp/command"
)

// info is CLUSTER INFO: Redis's fields in Redis's order, then the control
// plane's.
func (r *room) info(c *command.Ctx) {
	st, self, status := r.Plane.View(), r.Plane.Self(), r.Plane.Status()
	var b []byte
	field := func(name string, value any) { b = fmt.Appendf(b, "%s:%v\r\n", name, value) }
	state := "fail"
	if r.Plane.ClusterOK() {
		state = "ok"
	}
	suspect, failed := r.slotsInDanger(st)
	field("cluster_state", state)
	field("cluster_slots_assigned", st.Assigned())
	field("cluster_slots_ok", st.Assigned()-suspect-failed)
	field("cluster_slots_pfail", suspect)
	field("cluster_slots_fail", failed)
	field("cluster_known_nodes", len(st.Nodes()))
	field("cluster_size", st.Size())
	field("cluster_current_epoch", st.CurrentEpoch())
	field("cluster_my_epoch", st.EpochOf(self))
	field("cluster_stats_messages_sent", status.MessagesSent)
	field("cluster_stats_messages_received", status.MessagesReceived)
	field("total_cluster_links_buffer_limit_exceeded", 0)

	plane := "lost"
	if status.ControlPlaneOK {
		plane = "ok"
	}
	field("cluster_control_plane", plane)
	field("cluster_config_index", st.Index())
	field("cluster_lease_remaining_ms", status.LeaseRemainingMs)
	field("cluster_raft_role", status.Role)
	field("cluster_raft_leader", status.Leader)
	field("cluster_raft_current_term", status.Term)
	field("cluster_raft_commit_index", status.CommitIndex)
	field("cluster_raft_last_applied", status.LastApplied)
	field("cluster_messages_dropped", status.MessagesDropped)
	field("cluster_raft_log_entries", status.LogEntries)
	field("cluster_raft_voters", status.Voters)
	field("cluster_raft_voters_wanted", status.VotersWanted)
	if status.Voters == 1 && len(st.Nodes()) > 1 {
		field("cluster_raft_warning", "one voter: the configuration can't change while its node is down")
	}
	if status.Joining {
		field("cluster_joining", 1)
	}
	c.Verbatim("txt", string(b))
}

// slotsInDanger counts the slots of suspected and of failed owners.
func (r *room) slotsInDanger(st *fsm.State) (suspect, failed int) {
	for _, sh := range st.Shards() {
		n := st.CountSlots(sh.ID)
		if n == 0 || sh.Primary == r.Plane.Self() {
			continue
		}
		switch p := st.Node(sh.Primary); {
		case p == nil || p.Has(fsm.Failed):
			failed += n
		case r.Plane.Health(p.ID).Suspect:
			suspect += n
		}
	}
	return suspect, failed
}
