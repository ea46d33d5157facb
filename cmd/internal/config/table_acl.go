package config

import (
	"errors"
	"strings"
)

// AccessControl is what the directives say of users.
type AccessControl struct {
	File        string
	AllChannels string // acl-pubsub-default: resetchannels, allchannels
	LogLen      int
	// Users are the lines of user directives, without that word.
	Users []string
}

func aclRows() []directive {
	return []directive{
		{"aclfile", nil, fixed, text(func(c *Config) *string { return &c.ACL.File }, nil),
			"File with one `user` line per user, read at start and by ACL LOAD, written by ACL SAVE. It can't go with `user` directives."},
		{"user", nil, fixed, users(func(c *Config) *AccessControl { return &c.ACL }),
			"A user and its rules, as in `ACL SETUSER`: `user alice on >secret ~cache:* +@read`. Several lines add up."},
		{"acl-pubsub-default", nil, live, enum(func(c *Config) *string { return &c.ACL.AllChannels }, "resetchannels", "allchannels"),
			"Channels that new users may use."},
		{"acllog-max-len", nil, live, integer(func(c *Config) *int { return &c.ACL.LogLen }, 0, maxInt),
			"Entries that ACL LOG keeps."},
	}
}

func users(at func(*Config) *AccessControl) value {
	return value{
		kind: "name rules ...",
		many: true,
		parse: func(c *Config, args []string) error {
			if len(args) == 0 {
				return errArgs
			}
			if c.ACL.File != "" {
				return errUsersTwice
			}
			at(c).Users = append(at(c).Users[:len(at(c).Users):len(at(c).Users)], strings.Join(args, " "))
			return nil
		},
		format: func(c *Config) string { return strings.Join(at(c).Users, "\n") },
		lines: func(c *Config) []string {
			if at(c).File != "" {
				return nil
			}
			return at(c).Users
		},
	}
}

var errUsersTwice = errors.New("Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.")

// SetUsers replaces the users, after they changed at run time: CONFIG REWRITE
// writes them. lines are as those of user directives, without that word.
func (s *Store) SetUsers(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.Current().clone()
	next.ACL.Users = lines
	s.publish(next)
}
