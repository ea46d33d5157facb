package config

import (
	"fmt"
	"strings"
)

// absent are directives of Redis 7.2 whose features aren't there: they are
// refused by name, so that an operator doesn't look for a spelling mistake.
func absent(name string) (feature string, ok bool) {
	for _, f := range []struct{ feature, names string }{
		{"checking serialized values less", "sanitize-dump-payload"},
		{"processor lists for saving", "bgsave_cpulist aof_rewrite_cpulist"},
		{"keeping superseded parts of the append-only file", "aof-disable-auto-gc"},
		{"modules", "loadmodule"},
		{"renaming of commands", "rename-command"},
		{"active defragmentation", "active-defrag-cycle-max active-defrag-cycle-min active-defrag-ignore-bytes active-defrag-max-scan-fields active-defrag-threshold-lower active-defrag-threshold-upper"},
		{"syslog", "syslog-facility syslog-ident"},
		{"tuning of redis-server's memory and timers", "activerehashing dynamic-hz jemalloc-bg-thread disable-thp oom-score-adj-values maxmemory-eviction-tenacity"},
		{"process titles, processor lists and crash logs", "set-proc-title proc-title-template server_cpulist bio_cpulist crash-log-enabled crash-memcheck-enabled ignore-warnings locale-collate"},
		{"source addresses and socket marks", "bind-source-addr socket-mark-id"},
		{"choosing how signals end the server", "shutdown-timeout shutdown-on-sigint shutdown-on-sigterm"},
		{"this gossip setting", "cluster-ping-interval cluster-blacklist-ttl cluster-announce-client-ipv4 cluster-announce-client-ipv6 cluster-slot-stats-enabled"},
	} {
		for n := range strings.FieldsSeq(f.names) {
			if n == strings.ToLower(name) {
				return f.feature, true
			}
		}
	}
	return "", false
}

// errUnknown is the error of a directive that isn't in the table.
func errUnknown(name string) error {
	if feature, ok := absent(name); ok {
		return fmt.Errorf("Directive '%s' isn't available in this version of Conclave: it has no support for %s", name, feature)
	}
	return fmt.Errorf("Bad directive or wrong number of arguments")
}
