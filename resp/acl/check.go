package acl

import (
	"slices"

	"conclave/resp/command"
)

// farther is how far a call got with a selector before it was refused: the user is
// told of the selector with which it got farthest.
var farther = []command.DenialReason{command.DeniedCommand, command.DeniedKey, command.DeniedChannel}

// Check implements [command.Permissions].
func (u *User) Check(spec *command.Spec, args [][]byte) (d command.Denial, ok bool) {
	r := u.rules.Load()
	for i, s := range r.selectors {
		why, allowed := s.check(spec, args)
		if allowed {
			return command.Denial{}, true
		}
		if i == 0 || slices.Index(farther, why.Reason) > slices.Index(farther, d.Reason) {
			d = why
		}
	}
	return d, false
}

func (s *selector) check(spec *command.Spec, args [][]byte) (d command.Denial, ok bool) {
	if !s.allCommands && spec.Flags&command.NoAuth == 0 && !s.has(spec.Index()) && !s.hasFirstArg(spec, args) {
		return command.Denial{Reason: command.DeniedCommand, Object: spec.FullName()}, false
	}
	if !s.allKeys {
		if key, ok := s.checkKeys(spec, args); !ok {
			return command.Denial{Reason: command.DeniedKey, Object: key}, false
		}
	}
	if !s.allChannels {
		if channel, ok := s.checkChannels(spec, args); !ok {
			return command.Denial{Reason: command.DeniedChannel, Object: channel}, false
		}
	}
	return command.Denial{}, true
}

func (s *selector) hasFirstArg(spec *command.Spec, args [][]byte) bool {
	if len(args) < 2 {
		return false
	}
	return slices.ContainsFunc(s.firstArgs[spec.Index()], func(a string) bool { return command.EqualFold(args[1], a) })
}

// needs is what a command does to a key, as far as permissions go.
func needs(f command.KeyFlags) (p permission) {
	if f&command.Access != 0 {
		p |= canRead
	}
	if f&(command.Insert|command.Delete|command.Update) != 0 {
		p |= canWrite
	}
	return p
}

func (s *selector) checkKeys(spec *command.Spec, args [][]byte) (key string, ok bool) {
	var buf [16]int
	for i := range spec.Keys {
		k := &spec.Keys[i]
		if k.Flags&command.NotKey != 0 {
			continue
		}
		found, err := k.Append(buf[:0], args)
		if err != nil {
			continue // malformed: it has no keys and says so itself
		}
		need := needs(k.CallFlags(spec, args))
		for _, at := range found {
			if !s.mayKey(args[at], need) {
				return string(args[at]), false
			}
		}
	}
	return "", true
}

func (s *selector) mayKey(key []byte, need permission) bool {
	for _, p := range s.keys {
		if p.may&need == need && command.Glob([]byte(p.glob), key, false) {
			return true
		}
	}
	return false
}

// channelArgs are the commands that name channels: the first argument that is one,
// whether all that follow are, and whether they are patterns.
var channelArgs = map[string]struct {
	first         int
	all, patterns bool
}{
	"publish": {1, false, false}, "spublish": {1, false, false},
	"subscribe": {1, true, false}, "ssubscribe": {1, true, false}, "psubscribe": {1, true, true},
}

func (s *selector) checkChannels(spec *command.Spec, args [][]byte) (channel string, ok bool) {
	if spec.Flags&command.PubSub == 0 {
		return "", true
	}
	c, ok := channelArgs[spec.Name]
	if !ok {
		return "", true
	}
	for i := c.first; i < len(args) && (c.all || i == c.first); i++ {
		if !s.mayChannel(args[i], c.patterns) {
			return string(args[i]), false
		}
	}
	return "", true
}

// mayChannel reports whether a channel, or a pattern of channels, is allowed. A
// pattern must be one of the selector's own.
func (s *selector) mayChannel(channel []byte, pattern bool) bool {
	for _, p := range s.channels {
		if pattern && p == string(channel) || !pattern && command.Glob([]byte(p), channel, false) {
			return true
		}
	}
	return false
}

// MaySubscribe reports whether the user may listen to a channel, or to a pattern.
func (u *User) MaySubscribe(channel []byte, pattern bool) bool {
	for _, s := range u.rules.Load().selectors {
		if s.allChannels || s.mayChannel(channel, pattern) {
			return true
		}
	}
	return false
}
