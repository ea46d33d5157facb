package acl

import (
	"slices"
	"strings"

	"conclave/resp/command"
)

// permission is what a pattern of keys allows.
type permission uint8

const (
	canRead permission = 1 << iota
	canWrite
	canAll = canRead | canWrite
)

type keyPattern struct {
	glob string
	may  permission
}

// String is the pattern as a rule.
func (p keyPattern) String() string {
	switch p.may {
	case canRead:
		return "%R~" + p.glob
	case canWrite:
		return "%W~" + p.glob
	}
	return "~" + p.glob
}

// selector is one set of permissions. It isn't changed once it is in use.
type selector struct {
	allKeys, allChannels bool
	// allCommands: every command there is. fromAll: the rules begin with all, from
	// which some may have been taken.
	allCommands, fromAll bool
	commands             []uint64 // bits by Spec.Index
	// firstArgs are the first arguments with which a command is allowed that
	// otherwise isn't, by the command's index.
	firstArgs map[int][]string
	rules     []string // about commands, in the order in which they hold
	keys      []keyPattern
	channels  []string
}

func (s *selector) clone() *selector {
	c := *s
	c.commands = slices.Clone(s.commands)
	c.rules, c.keys, c.channels = slices.Clone(s.rules), slices.Clone(s.keys), slices.Clone(s.channels)
	c.firstArgs = map[int][]string{}
	for k, v := range s.firstArgs {
		c.firstArgs[k] = slices.Clone(v)
	}
	return &c
}

func (s *selector) has(i int) bool {
	return i/64 < len(s.commands) && s.commands[i/64]&(1<<(i%64)) != 0
}

func (s *selector) set(i int, on bool) {
	for i/64 >= len(s.commands) {
		s.commands = append(s.commands, 0)
	}
	if on {
		s.commands[i/64] |= 1 << (i % 64)
	} else {
		s.commands[i/64] &^= 1 << (i % 64)
	}
}

// setTree allows or forbids a command and its subcommands, and forgets what was
// said of first arguments.
func (s *selector) setTree(t *command.Table, spec *command.Spec, on bool) {
	s.set(spec.Index(), on)
	delete(s.firstArgs, spec.Index())
	for i := range spec.Sub {
		s.setTree(t, &spec.Sub[i], on)
	}
}

// rule applies a rule about commands: its sign, and what follows.
func (s *selector) rule(t *command.Table, text string) bool {
	on, name := text[0] == '+', strings.ToLower(text[1:])
	switch {
	case name == "@all":
		s.allCommands, s.fromAll, s.rules, s.firstArgs = on, on, nil, map[int][]string{}
		s.commands = nil
		if on {
			for _, spec := range t.All() {
				s.set(spec.Index(), true)
			}
		}
		return true
	case strings.HasPrefix(name, "@"):
		cat, ok := categoryNamed(name[1:])
		if !ok {
			return false
		}
		for _, spec := range t.All() {
			if inCategory(spec, cat) {
				s.set(spec.Index(), on)
				delete(s.firstArgs, spec.Index())
			}
		}
		s.note(text[:1]+name, func(old string) bool { return old == name })
	default:
		spec := t.Full(name)
		if spec == nil {
			return s.firstArgRule(t, on, name)
		}
		s.setTree(t, spec, on)
		s.note(text[:1]+name, func(old string) bool { return old == name || strings.HasPrefix(old, name+"|") })
	}
	if !on {
		s.allCommands = false
	}
	return true
}

// firstArgRule is +command|argument, for commands without subcommands.
func (s *selector) firstArgRule(t *command.Table, on bool, name string) bool {
	cmd, arg, _ := strings.Cut(name, "|")
	spec := t.Full(cmd)
	if spec == nil || !on || arg == "" || strings.Contains(arg, "|") || len(spec.Sub) > 0 {
		return false
	}
	if s.has(spec.Index()) {
		return true
	}
	if !slices.Contains(s.firstArgs[spec.Index()], arg) {
		if s.firstArgs == nil {
			s.firstArgs = map[int][]string{}
		}
		s.firstArgs[spec.Index()] = append(s.firstArgs[spec.Index()], arg)
	}
	s.note("+"+name, func(old string) bool { return old == name })
	return true
}

// note keeps a rule, in place of those that it overrules.
func (s *selector) note(rule string, overruled func(name string) bool) {
	s.rules = slices.DeleteFunc(s.rules, func(old string) bool { return overruled(old[1:]) })
	s.rules = append(s.rules, rule)
}

// commandText is the rules about commands, as ACL LIST shows them.
func (s *selector) commandText() string {
	base := "-@all"
	if s.fromAll {
		base = "+@all"
	}
	return strings.Join(append([]string{base}, s.rules...), " ")
}

func (s *selector) keyText() string {
	if s.allKeys {
		return "~*"
	}
	words := make([]string, len(s.keys))
	for i, k := range s.keys {
		words[i] = k.String()
	}
	return strings.Join(words, " ")
}

func (s *selector) channelText() string {
	if s.allChannels {
		return "&*"
	}
	words := make([]string, len(s.channels))
	for i, c := range s.channels {
		words[i] = "&" + c
	}
	return strings.Join(words, " ")
}
