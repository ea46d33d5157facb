package config

import (
	"fmt"
	"strings"
)

// absent are directives of Redis 7.2 whose features aren't there: they are
// refused by name, so that an operator doesn't look for a spelling mistake.
func absent(name string) (feature string, ok bool) {
	for _, f := range []struct{ feature, names string }{
		{"modules", "loadmodule"},
		{"renaming of commands", "rename-command"},
		{"other collations", "locale-collate"},
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
