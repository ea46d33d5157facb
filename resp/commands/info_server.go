package commands

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

func (r *room) infoServer(b []byte) []byte {
	f := fields{b}
	now := time.Now()
	uptime := int64(now.Sub(r.Server.StartTime()) / time.Second)
	hz, err := strconv.ParseInt(r.directive("hz", "10"), 10, 64)
	if err != nil {
		hz = 10
	}
	port, err := strconv.ParseInt(r.directive("port", "0"), 10, 64)
	if err != nil || port == 0 {
		port, _ = strconv.ParseInt(r.directive("tls-port", "0"), 10, 64) // 0 if it can't be read
	}
	f.str("redis_version", RedisVersion)
	f.str("conclave_version", r.Version)
	f.str("redis_git_sha1", "00000000")
	f.num("redis_git_dirty", 0)
	f.str("redis_build_id", buildID())
	f.str("redis_mode", r.mode())
	f.str("os", osName())
	f.num("arch_bits", strconv.IntSize)
	f.str("monotonic_clock", "Go runtime")
	f.str("multiplexing_api", "Go runtime")
	f.str("go_version", runtime.Version())
	f.num("process_id", int64(os.Getpid()))
	f.str("process_supervised", "no")
	f.str("run_id", r.Server.RunID())
	f.num("tcp_port", port)
	f.num("server_time_usec", now.UnixMicro())
	f.num("uptime_in_seconds", uptime)
	f.num("uptime_in_days", uptime/86400)
	f.nums(hz, "hz", "configured_hz")
	f.num("lru_clock", now.Unix()&(1<<24-1))
	f.str("executable", r.Executable)
	f.str("config_file", r.ConfigFile)
	f.num("io_threads_active", 0)
	return f.b
}

// mode is the word of HELLO and INFO for cluster mode or its absence.
func (r *room) mode() string {
	if r.Cluster {
		return "cluster"
	}
	return "standalone"
}

// buildID is the start of the commit the binary was built from, or zero.
func buildID() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 16 {
				return s.Value[:16]
			}
		}
	}
	return "0000000000000000"
}

// infoPersistence: nothing is saved and nothing loaded yet. Clients that wait
// for the end of loading, and monitoring that watches for failed saves, read
// these.
func (r *room) infoPersistence(b []byte) []byte {
	f := fields{b}
	f.nums(0, "loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age")
	f.str("current_fork_perc", "0.00")
	f.nums(0, "current_save_keys_processed", "current_save_keys_total")
	f.num("rdb_changes_since_last_save", r.dataset().Dirty)
	f.num("rdb_bgsave_in_progress", 0)
	f.num("rdb_last_save_time", r.Server.StartTime().Unix())
	f.str("rdb_last_bgsave_status", "ok")
	f.nums(-1, "rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec")
	f.nums(0, "rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded",
		"aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
	f.nums(-1, "aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec")
	f.str("aof_last_bgrewrite_status", "ok")
	f.nums(0, "aof_rewrites", "aof_rewrites_consecutive_failures")
	f.str("aof_last_write_status", "ok")
	f.nums(0, "aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size")
	return f.b
}

func (r *room) infoCluster(b []byte) []byte {
	f := fields{b}
	f.flag("cluster_enabled", r.Cluster)
	return f.b
}

func infoCPU(b []byte) []byte {
	f := fields{b}
	user, system := cpuTimes()
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
	f.str("used_cpu_sys", seconds(system))
	f.str("used_cpu_user", seconds(user))
	// There are no children, and no one thread is the main one.
	f.str("used_cpu_sys_children", seconds(0))
	f.str("used_cpu_user_children", seconds(0))
	f.str("used_cpu_sys_main_thread", seconds(system))
	f.str("used_cpu_user_main_thread", seconds(user))
	return f.b
}
