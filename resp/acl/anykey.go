package acl

import (
	"slices"

	"conclave/resp/command"
)

var _ command.AnyKeyReader = (*User)(nil)

// ReadsAnyKey implements [command.AnyKeyReader]: one selector allows both the
// command and every key.
func (u *User) ReadsAnyKey(spec *command.Spec, args [][]byte) bool {
	return slices.ContainsFunc(u.rules.Load().selectors, func(s *selector) bool {
		return (s.allCommands || s.has(spec.Index()) || s.hasFirstArg(spec, args)) &&
			(s.allKeys || slices.ContainsFunc(s.keys, func(p keyPattern) bool { return p.glob == "*" && p.may&canRead != 0 }))
	})
}
