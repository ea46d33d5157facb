package commands

import "fmt"

func (r *room) infoReplication(b []byte) []byte {
	rep := r.replication()
	f := fields{b}
	if rep.Replica {
		infoMasterLink(&f, rep)
	} else {
		f.str("role", "master")
	}
	f.num("connected_slaves", int64(len(rep.Replicas)))
	for i, l := range rep.Replicas {
		f.str(fmt.Sprintf("slave%d", i), fmt.Sprintf("ip=%s,port=%d,state=%s,offset=%d,lag=%d", l.IP, l.Port, l.State, l.Offset, l.Lag))
	}
	f.str("master_failover_state", "no-failover")
	f.str("master_replid", orZeros(rep.ID))
	f.str("master_replid2", orZeros(rep.ID2))
	f.num("master_repl_offset", rep.Offset)
	f.num("second_repl_offset", rep.SecondOffset)
	f.flag("repl_backlog_active", rep.BacklogActive)
	f.num("repl_backlog_size", rep.BacklogSize)
	f.num("repl_backlog_first_byte_offset", rep.BacklogFirst)
	f.num("repl_backlog_histlen", rep.BacklogLen)
	return f.b
}

func infoMasterLink(f *fields, rep Replication) {
	up := rep.Master.State == "connected"
	f.str("role", "slave")
	f.str("master_host", rep.Master.Host)
	f.num("master_port", int64(rep.Master.Port))
	if up {
		f.str("master_link_status", "up")
	} else {
		f.str("master_link_status", "down")
	}
	f.num("master_last_io_seconds_ago", rep.Master.LastIO)
	f.flag("master_sync_in_progress", rep.Master.SyncRunning)
	f.num("slave_read_repl_offset", rep.Master.ReadOffset)
	f.num("slave_repl_offset", rep.Offset)
	if !up {
		f.num("master_link_down_since_seconds", rep.Master.DownSeconds)
	}
	f.num("slave_priority", int64(rep.Master.Priority))
	f.flag("slave_read_only", !rep.Master.ReplicaWrites)
	f.flag("replica_announced", !rep.Master.Unannounced)
}

func orZeros(id string) string {
	if id == "" {
		return "0000000000000000000000000000000000000000"
	}
	return id
}
