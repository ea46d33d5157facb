package config

import (
	"maps"
	"strings"
)

// acceptedRows are directives of redis-server that tune what this server does in
// another way: their values are kept, and nothing depends on them.
func acceptedRows() []directive {
	const doc = "Accepted for the sake of configuration files, without effect: "
	yesno := []string{"yes", "no"}
	return []directive{
		{"activerehashing", nil, live, accepted("activerehashing", yesno...), doc + "tables grow a bit at a time."},
		{"dynamic-hz", nil, live, accepted("dynamic-hz", yesno...), doc + "background work doesn't depend on the number of clients."},
		{"jemalloc-bg-thread", nil, live, accepted("jemalloc-bg-thread", yesno...), doc + "memory comes from Go's runtime and from the system."},
		{"maxmemory-eviction-tenacity", nil, live, accepted("maxmemory-eviction-tenacity"), doc + "a command that needs memory waits until there is some, or none can be had."},
		{"disable-thp", nil, fixed, accepted("disable-thp", yesno...), doc + "no copies of the process are made."},
		{"set-proc-title", nil, fixed, accepted("set-proc-title", yesno...), doc + "the process keeps its title."},
		{"proc-title-template", nil, live, accepted("proc-title-template"), doc + "the process keeps its title."},
		{"crash-log-enabled", nil, live, accepted("crash-log-enabled", yesno...), doc + "a crash is reported by Go's runtime."},
		{"crash-memcheck-enabled", nil, live, accepted("crash-memcheck-enabled", yesno...), doc + "memory isn't tested after a crash."},
		{"ignore-warnings", nil, live, accepted("ignore-warnings"), doc + "no warning stops the server."},
		{"syslog-ident", nil, fixed, accepted("syslog-ident"), doc + "there is no syslog."},
		{"syslog-facility", nil, fixed, accepted("syslog-facility"), doc + "there is no syslog."},
		{"oom-score-adj-values", nil, live, accepted("oom-score-adj-values"), doc + "the OOM killer isn't told anything."},
		{"active-defrag-threshold-lower", nil, live, accepted("active-defrag-threshold-lower"), doc + "there is no active defragmentation."},
		{"active-defrag-threshold-upper", nil, live, accepted("active-defrag-threshold-upper"), doc + "see active-defrag-threshold-lower."},
		{"active-defrag-ignore-bytes", nil, live, accepted("active-defrag-ignore-bytes"), doc + "see active-defrag-threshold-lower."},
		{"active-defrag-cycle-min", nil, live, accepted("active-defrag-cycle-min"), doc + "see active-defrag-threshold-lower."},
		{"active-defrag-cycle-max", nil, live, accepted("active-defrag-cycle-max"), doc + "see active-defrag-threshold-lower."},
		{"active-defrag-max-scan-fields", nil, live, accepted("active-defrag-max-scan-fields"), doc + "see active-defrag-threshold-lower."},
	}
}

// acceptedDefaults are redis-server's defaults.
func acceptedDefaults() map[string]string {
	return map[string]string{
		"activerehashing": "yes", "dynamic-hz": "yes", "jemalloc-bg-thread": "yes", "maxmemory-eviction-tenacity": "10",
		"disable-thp": "yes", "set-proc-title": "yes", "proc-title-template": "{title} {listen-addr} {server-mode}",
		"crash-log-enabled": "yes", "crash-memcheck-enabled": "yes", "ignore-warnings": "",
		"syslog-ident": "redis", "syslog-facility": "local0", "oom-score-adj-values": "0 200 800",
		"active-defrag-threshold-lower": "10", "active-defrag-threshold-upper": "100", "active-defrag-ignore-bytes": "104857600",
		"active-defrag-cycle-min": "1", "active-defrag-cycle-max": "25", "active-defrag-max-scan-fields": "1000",
	}
}

// accepted is a value without effect: one of the words, if there are any, else any
// text.
func accepted(name string, words ...string) value {
	standard := acceptedDefaults()[name]
	v := value{
		kind:   "without effect",
		many:   true,
		quoted: true,
		format: func(c *Config) string {
			if word, ok := c.Accepted[name]; ok {
				return word
			}
			return standard
		},
	}
	keep := func(c *Config, word string) {
		if word == standard && len(c.Accepted) == 0 {
			return
		}
		// Configurations are shared once they are published.
		given := maps.Clone(c.Accepted)
		if given == nil {
			given = map[string]string{}
		}
		given[name] = word
		c.Accepted = given
	}
	v.parse = func(c *Config, args []string) error {
		keep(c, strings.Join(args, " "))
		return nil
	}
	if len(words) > 0 {
		v.many, v.quoted, v.kind = false, false, strings.Join(words, ", ")+"; without effect"
		v.parse = func(c *Config, args []string) error {
			got := ""
			if err := enum(func(*Config) *string { return &got }, words...).parse(c, args); err != nil {
				return err
			}
			keep(c, got)
			return nil
		}
	}
	return v
}
