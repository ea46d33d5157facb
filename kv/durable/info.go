package durable

import (
	"strconv"
	"time"
)

// AppendInfo appends INFO's section "persistence".
func (d *Disk) AppendInfo(b []byte) []byte {
	num := func(name string, n int64) {
		b = strconv.AppendInt(append(append(b, name...), ':'), n, 10)
		b = append(b, "\r\n"...)
	}
	str := func(name, s string) { b = append(append(append(append(b, name...), ':'), s...), "\r\n"...) }
	flag := func(name string, v bool) { num(name, count(v)) }
	status := func(name string, failed bool) {
		if failed {
			str(name, "err")
			return
		}
		str(name, "ok")
	}

	now, scheduled := d.jobs.state()
	save, rewrite := now != nil && now.kind == saveJob, now != nil && now.kind == rewriteJob
	on := d.aof.on.Load()
	flag("loading", d.Loading())
	num("async_loading", 0)
	num("current_cow_peak", 0)
	num("current_cow_size", 0)
	num("current_cow_size_age", 0)
	var done, total, seconds int64 = 0, 0, -1
	share := 0.0
	if now != nil {
		done, total = now.done.Load(), now.total
		seconds = int64(time.Since(now.began) / time.Second)
		share = 100 * float64(done) / float64(max(total, 1))
	}
	str("current_fork_perc", strconv.FormatFloat(min(share, 100), 'f', 2, 64))
	num("current_save_keys_processed", done)
	num("current_save_keys_total", total)
	num("rdb_changes_since_last_save", d.Changes())
	flag("rdb_bgsave_in_progress", save)
	num("rdb_last_save_time", d.lastSave.Load())
	status("rdb_last_bgsave_status", d.saveFailed.Load())
	num("rdb_last_bgsave_time_sec", d.saveTook.Load())
	num("rdb_current_bgsave_time_sec", orNone(save, seconds))
	num("rdb_saves", d.saves.Load())
	num("rdb_last_cow_size", 0)
	num("rdb_last_load_keys_expired", d.expiredKeys.Load())
	num("rdb_last_load_keys_loaded", d.loadedKeys.Load())
	flag("aof_enabled", on)
	flag("aof_rewrite_in_progress", rewrite)
	flag("aof_rewrite_scheduled", scheduled[rewriteJob])
	num("aof_last_rewrite_time_sec", d.rewriteTook.Load())
	num("aof_current_rewrite_time_sec", orNone(rewrite, seconds))
	status("aof_last_bgrewrite_status", d.rewriteFailed.Load())
	num("aof_rewrites", d.rewrites.Load())
	num("aof_rewrites_consecutive_failures", d.rewriteFailures.Load())
	status("aof_last_write_status", d.aof.writeFailed.Load())
	num("aof_last_cow_size", 0)
	num("module_fork_in_progress", 0)
	num("module_fork_last_cow_size", 0)
	if on {
		num("aof_current_size", d.aof.size.Load())
		num("aof_base_size", d.aof.baseSize.Load())
		flag("aof_pending_rewrite", scheduled[rewriteJob])
		num("aof_buffer_length", d.aof.waitingBytes())
		num("aof_pending_bio_fsync", count(d.aof.syncing.Load()))
		num("aof_delayed_fsync", d.aof.delayed.Load())
	}
	if d.Loading() {
		b = d.loading.appendInfo(b)
	}
	return b
}

func (p *progress) appendInfo(b []byte) []byte {
	num := func(name string, n int64) {
		b = strconv.AppendInt(append(append(b, name...), ':'), n, 10)
		b = append(b, "\r\n"...)
	}
	total, loaded := p.total.Load(), p.loaded.Load()
	share := 100 * float64(loaded) / float64(max(total, 1))
	took := max(0, time.Now().Unix()-p.began.Load())
	eta := int64(1) // as Redis says while it can't tell
	if loaded > 0 {
		eta = took * max(0, total-loaded) / loaded
	}
	num("loading_start_time", p.began.Load())
	num("loading_total_bytes", total)
	num("loading_rdb_used_mem", p.memory.Load())
	num("loading_loaded_bytes", loaded)
	b = append(b, "loading_loaded_perc:"...)
	b = append(strconv.AppendFloat(b, min(share, 100), 'f', 2, 64), "\r\n"...)
	num("loading_eta_seconds", eta)
	return b
}

func count(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

func orNone(v bool, n int64) int64 {
	if v {
		return n
	}
	return -1
}
