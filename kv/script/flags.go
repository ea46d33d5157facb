package script

import (
	"bytes"
	"fmt"
	"strings"

	"conclave/resp/command"
)

// Flags are what a script or a function says of itself.
type Flags uint8

// The flags, in the order in which FUNCTION LIST shows them.
const (
	NoWrites Flags = 1 << iota
	AllowOOM
	AllowStale
	NoCluster
	AllowCrossSlot
	declared // it said something, if only that it says nothing
)

var flagNames = []string{"no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"}

// parseFlag is the flag of that name, or 0.
func parseFlag(name string, fold bool) Flags {
	for i, n := range flagNames {
		if n == name || fold && strings.EqualFold(n, name) {
			return 1 << i
		}
	}
	return 0
}

// names are the names of the flags that are set.
func (f Flags) names() []string {
	var names []string
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// command is what the flags make of those of the command that runs the script.
func (f Flags) command() command.Flags {
	if f&declared == 0 {
		return 0
	}
	var c command.Flags
	if f&(AllowOOM|NoWrites) == 0 {
		c |= command.DenyOOM
	}
	if f&NoWrites == 0 {
		c |= command.Write
	}
	if f&AllowStale != 0 {
		c |= command.Stale
	}
	return c
}

// call is what the flags make of those of a call of the script.
func (f Flags) call(c command.Flags) command.Flags {
	if f&declared == 0 {
		return c
	}
	c &^= command.Stale | command.DenyOOM | command.Write
	if f&NoWrites != 0 {
		c &^= command.MayReplicate
	}
	return c | f.command()
}

func (e *Engine) evalFlags(own command.Flags) func([][]byte) command.Flags {
	return func(args [][]byte) command.Flags {
		if len(args) < 2 || !bytes.HasPrefix(args[1], []byte("#!")) {
			return own
		}
		f, _, err := shebang(string(args[1]))
		if err != nil {
			return own
		}
		return f.call(own)
	}
}

func (e *Engine) evalSHAFlags(own command.Flags) func([][]byte) command.Flags {
	return func(args [][]byte) command.Flags {
		if len(args) < 2 || len(args[1]) != 40 {
			return own
		}
		s := e.find(args[1])
		if s == nil {
			return own
		}
		return s.flags.call(own)
	}
}

func (e *Engine) fcallFlags(own command.Flags) func([][]byte) command.Flags {
	return func(args [][]byte) command.Flags {
		if len(args) < 2 {
			return own
		}
		e.mu.Lock()
		f := e.functions[strings.ToLower(string(args[1]))]
		e.mu.Unlock()
		if f == nil {
			return own
		}
		return f.flags.call(own)
	}
}

// shebang splits a script into the flags of its first line, if that is one, and
// the program, whose lines keep their numbers.
func shebang(source string) (f Flags, program string, err error) {
	if !strings.HasPrefix(source, "#!") {
		return 0, source, nil
	}
	line, _, ok := strings.Cut(source, "\n")
	if !ok {
		return 0, "", fmt.Errorf("Invalid script shebang")
	}
	words := strings.Fields(line)
	if words[0] != "#!lua" {
		return 0, "", fmt.Errorf("Unexpected engine in script shebang: %s", words[0])
	}
	f = declared
	for _, w := range words[1:] {
		list, ok := strings.CutPrefix(w, "flags=")
		if !ok {
			return 0, "", fmt.Errorf("Unknown lua shebang option: %s", w)
		}
		if list == "" {
			continue
		}
		for _, name := range strings.Split(list, ",") {
			flag := parseFlag(name, false)
			if flag == 0 {
				return 0, "", fmt.Errorf("Unexpected flag in script shebang: %s", name)
			}
			f |= flag
		}
	}
	return f, source[len(line):], nil
}
