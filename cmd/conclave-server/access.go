package main

import (
	"fmt"
	"strings"

	"conclave/cmd/internal/config"
	"conclave/resp/acl"
	"conclave/resp/command"
	"conclave/resp/commands"
)

// newUsers makes the users that the directives and the ACL file speak of.
func (r *rooms) newUsers(t *command.Table) error {
	c := r.cfg.Current()
	u := acl.New(t, func() bool { return r.cfg.Current().ACL.AllChannels == "allchannels" })
	if c.RequirePass != "" {
		if err := setPassword(u, c.RequirePass); err != nil {
			return err
		}
	}
	for _, line := range c.ACL.Users {
		words := strings.Fields(line)
		if err := u.Set(words[0], words[1:]); err != nil {
			return fmt.Errorf("user %s: %w", words[0], err)
		}
	}
	if c.ACL.File != "" {
		if _, err := commands.LoadUsers(u, c.ACL.File); err != nil {
			return err
		}
	}
	r.users.Store(u)
	r.cfg.OnChange(func(_, c *config.Config) error { return setPassword(u, c.RequirePass) }, "requirepass")
	return nil
}

// setPassword is requirepass: the default user's only password, or none.
func setPassword(u *acl.Users, password string) error {
	rules := []string{"nopass"}
	if password != "" {
		rules = []string{"resetpass", ">" + password}
	}
	return u.Set(acl.DefaultName, rules)
}

func (r *rooms) aclFiles() commands.ACLFiles {
	return commands.ACLFiles{
		Path: r.cfg.Current().ACL.File, LogLen: func() int { return r.cfg.Current().ACL.LogLen },
		Changed: func(lines []string) {
			for i := range lines {
				lines[i] = strings.TrimPrefix(lines[i], "user ")
			}
			r.cfg.SetUsers(lines)
		},
	}
}

// access is the users, for the server.
type access rooms

func (a *access) PasswordNeeded() bool { return a.users.Load().Default().PasswordNeeded() }

func (a *access) Authenticate(user string, password []byte) bool {
	return a.users.Load().Authenticate(user, password) != nil
}

func (a *access) Permissions(user string) command.Permissions {
	if u := a.users.Load().Get(user); u != nil {
		return u
	}
	return nil
}
