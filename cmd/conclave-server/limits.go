package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"syscall"

	"conclave/cmd/internal/config"
)

// reservedFiles are what the server needs beside clients: listeners, data
// files, the cluster bus.
const reservedFiles = 128

// raiseFileLimit makes room for maxclients connections, or lowers maxclients to
// what there is room for. Later changes of maxclients are held to the limit too.
func raiseFileLimit(cfg *config.Store, log *slog.Logger) error {
	want := cfg.Current().MaxClients
	room, err := roomFor(want)
	if err != nil {
		log.Warn("limit of open files unknown", "err", err)
		return nil
	}
	if room < 1 {
		return fmt.Errorf("the current 'ulimit -n' of %d is not enough for the server to start, increase it to at least %d",
			room+reservedFiles, want+reservedFiles)
	}
	if room < want {
		log.Warn("maxclients lowered to fit the limit of open files; to keep it increase 'ulimit -n'",
			"maxclients", room, "wanted", want, "ulimit", room+reservedFiles)
		if err := cfg.Set([]config.Pair{{"maxclients", strconv.FormatInt(room, 10)}}); err != nil {
			return err
		}
	}
	cfg.OnChange(func(_, new *config.Config) error {
		room, err := roomFor(new.MaxClients)
		if err == nil && room < new.MaxClients {
			return fmt.Errorf("The operating system is not able to handle the specified number of clients, try with %d", room)
		}
		return nil
	}, "maxclients")
	return nil
}

// roomFor raises the limit of open files for so many clients as far as it goes,
// and returns for how many there is room.
func roomFor(clients int64) (int64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	need := uint64(clients + reservedFiles)
	if l.Cur < need {
		// The hard limit too, where the process may; else up to it.
		for _, try := range []syscall.Rlimit{{Cur: need, Max: max(l.Max, need)}, {Cur: min(need, l.Max), Max: l.Max}} {
			if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &try) == nil {
				l = try
				break
			}
		}
	}
	return int64(min(l.Cur, need)) - reservedFiles, nil
}
