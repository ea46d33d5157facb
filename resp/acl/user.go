package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"conclave/resp/command"
)

// User is one user. It stands for the same user as long as there is one of that
// name; its rules change.
type User struct {
	name  string
	rules atomic.Pointer[rules]
}

// rules aren't changed once a user has them.
type rules struct {
	enabled, noPass, skipSanitize bool
	passwords                     []string    // SHA-256, in hexadecimal digits
	selectors                     []*selector // at least one
}

// Name implements [command.Permissions].
func (u *User) Name() string { return u.name }

// Unrestricted implements [command.Permissions].
func (u *User) Unrestricted() bool {
	s := u.rules.Load().selectors[0]
	return s.allCommands && s.allKeys && s.allChannels
}

// PasswordNeeded reports whether the user must give one, or is off.
func (u *User) PasswordNeeded() bool {
	r := u.rules.Load()
	return !r.noPass || !r.enabled
}

// knows reports whether a password is the user's.
func (r *rules) knows(password []byte) bool {
	if !r.enabled {
		return false
	}
	if r.noPass {
		return true
	}
	given, ok := []byte(hash(password)), 0
	for _, p := range r.passwords { // all of them: the time tells nothing
		ok |= subtle.ConstantTimeCompare(given, []byte(p))
	}
	return ok == 1
}

func hash(password []byte) string {
	sum := sha256.Sum256(password)
	return hex.EncodeToString(sum[:])
}

// fresh is a user without any right. channels is what acl-pubsub-default gives.
func fresh(channels bool) *rules {
	return &rules{selectors: []*selector{{allChannels: channels, firstArgs: map[int][]string{}}}}
}

func (r *rules) clone() *rules {
	c := *r
	c.passwords = slices.Clone(r.passwords)
	c.selectors = make([]*selector, len(r.selectors))
	for i, s := range r.selectors {
		c.selectors[i] = s.clone()
	}
	return &c
}

// Errors of rules, in Redis's words.
var (
	errSyntax      = errors.New("Syntax error")
	errCommand     = errors.New("Unknown command or category name in ACL")
	errAllKeys     = errors.New("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns")
	errAllChannels = errors.New("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels")
	errNoPassword  = errors.New("The password you are trying to remove from the user does not exist")
	errHash        = errors.New("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")
)

// RuleError says which of the rules is wrong.
type RuleError struct {
	Rule string
	Err  error
}

// Error is in the words of ACL SETUSER.
func (e *RuleError) Error() string {
	return "Error in ACL SETUSER modifier '" + e.Rule + "': " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *RuleError) Unwrap() error { return e.Err }

// UnmatchedError is a selector without its closing parenthesis.
type UnmatchedError string

// Error is in the words of ACL SETUSER.
func (e UnmatchedError) Error() string {
	return "Unmatched parenthesis in acl selector starting at '" + string(e) + "'."
}

// join puts the words of a selector, which may have been split at spaces, together
// again.
func join(words []string) ([]string, error) {
	var out []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if !strings.HasPrefix(w, "(") {
			out = append(out, w)
			continue
		}
		for !strings.HasSuffix(w, ")") {
			if i++; i == len(words) {
				return nil, UnmatchedError(w)
			}
			w += " " + words[i]
		}
		out = append(out, w)
	}
	return out, nil
}

// apply applies rules in their order. channels is what acl-pubsub-default gives.
func (r *rules) apply(t *command.Table, words []string, channels bool) error {
	words, err := join(words)
	if err != nil {
		return err
	}
	for _, w := range words {
		if err := r.one(t, w, channels); err != nil {
			return &RuleError{w, err}
		}
	}
	return nil
}

func (r *rules) one(t *command.Table, w string, channels bool) error {
	if w == "" {
		return nil
	}
	switch strings.ToLower(w) {
	case "on":
		r.enabled = true
		return nil
	case "off":
		r.enabled = false
		return nil
	case "nopass":
		r.noPass, r.passwords = true, nil
		return nil
	case "resetpass":
		r.noPass, r.passwords = false, nil
		return nil
	case "sanitize-payload":
		r.skipSanitize = false
		return nil
	case "skip-sanitize-payload":
		r.skipSanitize = true
		return nil
	case "clearselectors":
		r.selectors = r.selectors[:1]
		return nil
	case "reset":
		*r = *fresh(channels)
		return nil
	}
	switch w[0] {
	case '>', '#':
		h := w[1:]
		if w[0] == '>' {
			h = hash([]byte(h))
		} else if !validHash(h) {
			return errHash
		}
		if !slices.Contains(r.passwords, h) {
			r.passwords = append(r.passwords, h)
		}
		r.noPass = false
		return nil
	case '<', '!':
		h := w[1:]
		if w[0] == '<' {
			h = hash([]byte(h))
		} else if !validHash(h) {
			return errHash
		}
		i := slices.Index(r.passwords, h)
		if i < 0 {
			return errNoPassword
		}
		r.passwords = slices.Delete(r.passwords, i, i+1)
		return nil
	case '(':
		s := &selector{allChannels: channels, firstArgs: map[int][]string{}}
		for _, inner := range strings.Fields(w[1 : len(w)-1]) {
			if err := s.one(t, inner); err != nil {
				return err
			}
		}
		r.selectors = append(r.selectors, s)
		return nil
	}
	return r.selectors[0].one(t, w)
}

func validHash(h string) bool {
	return len(h) == 2*sha256.Size && strings.Trim(h, "0123456789abcdef") == ""
}

// one applies a rule that a selector can have.
func (s *selector) one(t *command.Table, w string) error {
	switch strings.ToLower(w) {
	case "allkeys", "~*":
		s.allKeys, s.keys = true, nil
		return nil
	case "resetkeys":
		s.allKeys, s.keys = false, nil
		return nil
	case "allchannels", "&*":
		s.allChannels, s.channels = true, nil
		return nil
	case "resetchannels":
		s.allChannels, s.channels = false, nil
		return nil
	case "allcommands":
		w = "+@all"
	case "nocommands":
		w = "-@all"
	}
	switch w[0] {
	case '~', '%':
		p, ok := parsePattern(w)
		if !ok {
			return errSyntax
		}
		if s.allKeys {
			return errAllKeys
		}
		if p.glob == "*" && p.may == canAll {
			s.allKeys, s.keys = true, nil
			return nil
		}
		for i := range s.keys {
			if s.keys[i].glob == p.glob {
				s.keys[i].may |= p.may
				return nil
			}
		}
		s.keys = append(s.keys, p)
	case '&':
		if strings.ContainsAny(w, " \x00") {
			return errSyntax
		}
		if s.allChannels {
			return errAllChannels
		}
		if !slices.Contains(s.channels, w[1:]) {
			s.channels = append(s.channels, w[1:])
		}
	case '+', '-':
		if len(w) == 1 || !s.rule(t, w) {
			return errCommand
		}
	default:
		return errSyntax
	}
	return nil
}

// parsePattern reads ~glob, %R~glob, %W~glob and %RW~glob.
func parsePattern(w string) (p keyPattern, ok bool) {
	p.may = canAll
	if w[0] == '%' {
		i := strings.IndexByte(w, '~')
		if i < 2 {
			return p, false
		}
		p.may = 0
		for _, c := range w[1:i] {
			switch c {
			case 'R', 'r':
				p.may |= canRead
			case 'W', 'w':
				p.may |= canWrite
			default:
				return p, false
			}
		}
		w = w[i:]
	}
	p.glob = w[1:]
	return p, !strings.ContainsAny(p.glob, " \x00")
}

// line is the user in the words of ACL LIST.
func (u *User) line() string {
	r := u.rules.Load()
	words := append([]string{"user", u.name}, r.flags()...)
	for _, p := range r.passwords {
		words = append(words, "#"+p)
	}
	words = append(words, r.selectors[0].line())
	for _, s := range r.selectors[1:] {
		words = append(words, "("+s.line()+")")
	}
	return strings.Join(words, " ")
}

func (s *selector) line() string {
	var words []string
	if k := s.keyText(); k != "" {
		words = append(words, k)
	}
	if !s.allChannels {
		words = append(words, "resetchannels")
	}
	if c := s.channelText(); c != "" {
		words = append(words, c)
	}
	return strings.Join(append(words, s.commandText()), " ")
}

// flags are the words of ACL LIST and ACL GETUSER.
func (r *rules) flags() []string {
	f := []string{"off"}
	if r.enabled {
		f[0] = "on"
	}
	if r.noPass {
		f = append(f, "nopass")
	}
	if r.skipSanitize {
		return append(f, "skip-sanitize-payload")
	}
	return append(f, "sanitize-payload")
}
