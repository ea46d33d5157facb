package commands

import (
	"cmp"
	"fmt"
	"time"

	"conclave/resp/server"
)

func (r *room) infoClients(b []byte) []byte {
	t := r.clientTotals()
	f := fields{b}
	f.num("connected_clients", t.connected)
	f.num("cluster_connections", 0)
	f.num("maxclients", int64(cmp.Or(r.Server.Limits().MaxClients, server.DefaultLimits().MaxClients)))
	f.num("client_recent_max_input_buffer", t.maxInput)
	f.num("client_recent_max_output_buffer", t.maxOutput)
	blocked := r.Server.BlockedFigures()
	f.num("blocked_clients", blocked.Clients+blocked.Paused)
	tracking, _, _, _ := r.Server.TrackingFigures()
	f.num("tracking_clients", tracking)
	f.num("clients_in_timeout_table", blocked.Limited)
	f.num("total_blocking_keys", int64(blocked.Keys))
	f.num("total_blocking_keys_on_nokey", int64(blocked.RemovalKeys))
	if left, all := r.Server.Paused(); left > 0 {
		actions := "write"
		if all {
			actions = "all"
		}
		f.str("paused_reason", "client_pause")
		f.str("paused_actions", actions)
		f.num("paused_timeout_milliseconds", left.Milliseconds())
	} else {
		f.str("paused_reason", "none")
		f.str("paused_actions", "none")
		f.num("paused_timeout_milliseconds", 0)
	}
	return f.b
}

func (r *room) infoStats(b []byte) []byte {
	st := r.Server.Stats()
	data := r.dataset()
	ops, in, out := st.Rates()
	f := fields{b}
	f.num("total_connections_received", st.Connections())
	f.num("total_commands_processed", st.Commands())
	f.num("instantaneous_ops_per_sec", int64(ops+0.5))
	f.num("total_net_input_bytes", st.BytesIn())
	f.num("total_net_output_bytes", st.BytesOut())
	f.nums(0, "total_net_repl_input_bytes", "total_net_repl_output_bytes")
	f.ratio("instantaneous_input_kbps", in/1024)
	f.ratio("instantaneous_output_kbps", out/1024)
	f.ratio("instantaneous_input_repl_kbps", 0)
	f.ratio("instantaneous_output_repl_kbps", 0)
	f.num("rejected_connections", st.RejectedConnections())
	rep := r.replication()
	f.num("sync_full", rep.SyncFull)
	f.num("sync_partial_ok", rep.SyncPartial)
	f.num("sync_partial_err", rep.SyncRefused)
	f.num("expired_keys", data.ExpiredKeys)
	f.ratio("expired_stale_perc", data.StalePercent)
	f.num("expired_time_cap_reached_count", data.TimeCapCycles)
	f.num("expire_cycle_cpu_milliseconds", data.CycleMillis)
	f.num("evicted_keys", data.EvictedKeys)
	f.nums(0, "evicted_clients", "total_eviction_exceeded_time", "current_eviction_exceeded_time")
	f.num("keyspace_hits", data.Hits)
	f.num("keyspace_misses", data.Misses)
	f.num("pubsub_channels", int64(r.Server.Topics(server.Channel)))
	f.num("pubsub_patterns", int64(r.Server.Topics(server.Pattern)))
	f.num("pubsubshard_channels", int64(r.Server.Topics(server.ShardChannel)))
	f.nums(0, "latest_fork_usec", "total_forks",
		"migrate_cached_sockets", "slave_expires_tracked_keys",
		"active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
		"total_active_defrag_time", "current_active_defrag_time")
	_, keys, items, prefixes := r.Server.TrackingFigures()
	f.num("tracking_total_keys", keys)
	f.num("tracking_total_items", items)
	f.num("tracking_total_prefixes", prefixes)
	f.num("unexpected_error_replies", 0)
	f.num("total_error_replies", st.Errors())
	f.num("dump_payload_sanitizations", 0)
	f.nums(0, "io_threaded_reads_processed", "io_threaded_writes_processed")
	f.num("client_query_buffer_limit_disconnections", st.QueryLimitDisconnections())
	f.num("client_output_buffer_limit_disconnections", st.OutputLimitDisconnections())
	f.num("unconfirmed_disconnections", st.Unconfirmed())
	f.num("acl_access_denied_auth", st.AuthFailures())
	denied, keys, channels := st.Denials()
	f.num("acl_access_denied_cmd", denied)
	f.num("acl_access_denied_key", keys)
	f.num("acl_access_denied_channel", channels)
	return f.b
}

func (r *room) infoCommandstats(b []byte) []byte {
	f := fields{b}
	for _, c := range r.Server.Stats().CommandStats() {
		f.str("cmdstat_"+c.Spec.FullName(), fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
			c.Calls, c.Micros, ratio(c.Micros, c.Calls), c.Rejected, c.Failed))
	}
	return f.b
}

func (r *room) infoErrorstats(b []byte) []byte {
	f := fields{b}
	for _, e := range r.Server.Stats().ErrorStats() {
		f.str("errorstat_"+e.Code, fmt.Sprintf("count=%d", e.Count))
	}
	return f.b
}

func (r *room) infoLatencystats(b []byte) []byte {
	f := fields{b}
	for _, c := range r.Server.Stats().CommandStats() {
		if c.Latency.Count() == 0 {
			continue
		}
		at := func(p float64) float64 { return float64(c.Latency.Percentile(p)) / float64(time.Microsecond) }
		f.str("latency_percentiles_usec_"+c.Spec.FullName(), fmt.Sprintf("p50=%.3f,p99=%.3f,p99.9=%.3f", at(50), at(99), at(99.9)))
	}
	return f.b
}
