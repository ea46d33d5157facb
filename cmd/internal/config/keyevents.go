package config

import (
	"errors"
	"strings"
)

// Letters of notify-keyspace-events, in the order in which they are printed:
// those that A stands for, and the others.
const (
	allEvents   = "g$lshzxetd"
	otherEvents = "nKEm"
)

var errKeyEvents = errors.New("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")

// keyEvents is a set of letters, kept as it is printed.
func keyEvents(at func(*Config) *string) value {
	return value{
		kind:   "letters of Ag$lshzxeKEtmdn",
		quoted: true,
		parse: func(c *Config, args []string) error {
			if strings.Trim(args[0], "A"+allEvents+otherEvents) != "" {
				return errKeyEvents
			}
			*at(c) = sortEvents(args[0])
			return nil
		},
		format: func(c *Config) string { return *at(c) },
	}
}

func sortEvents(given string) string {
	var b strings.Builder
	pick := func(letters string) {
		for _, l := range letters {
			if strings.ContainsRune(given, l) {
				b.WriteRune(l)
			}
		}
	}
	pick(allEvents)
	if strings.Contains(given, "A") || b.String() == allEvents {
		b.Reset()
		b.WriteByte('A')
	}
	pick(otherEvents)
	return b.String()
}
