package main

import (
	"conclave/kv/script"
)

// newScripts makes the engine of scripts and functions.
func (r *rooms) newScripts() {
	log := r.log.With("sub", "scripts")
	r.scripts = script.New(script.Config{
		Cluster:    r.cfg.Current().ClusterEnabled,
		MaxBulkLen: func() int64 { return r.cfg.Current().ProtoMaxBulkLen },
		Log: func(level int, text string) {
			switch level {
			case script.LogDebug, script.LogVerbose:
				log.Debug("a script says", "text", text)
			case script.LogNotice:
				log.Info("a script says", "text", text)
			default:
				log.Warn("a script says", "text", text)
			}
		},
	})
}
