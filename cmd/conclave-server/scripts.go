package main

import (
	"errors"

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

// shutdownByClient is SHUTDOWN. While a script runs for long, only NOSAVE is
// followed: it ends the script, whatever it has done.
func (r *rooms) shutdownByClient(save, noSave, force bool) error {
	if noSave {
		r.scripts.SetStopped(true)
	} else if text := r.scripts.Busy(); text != "" {
		return errors.New(text)
	}
	return r.prepareShutdown(save, noSave, force)
}
