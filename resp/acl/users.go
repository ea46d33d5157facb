package acl

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"conclave/resp/command"
)

// DefaultName is the name of the user that new connections belong to.
const DefaultName = "default"

// Users are all users of a server. It is safe for concurrent use.
type Users struct {
	table    *command.Table
	channels func() bool // acl-pubsub-default is allchannels

	mu    sync.RWMutex
	all   map[string]*User
	first *User // the default user

	Log Log
}

// New makes users, of which there is the default user, who may do everything.
// channels reports whether new users may listen to all channels; nil: they may
// not.
func New(t *command.Table, channels func() bool) *Users {
	if channels == nil {
		channels = func() bool { return false }
	}
	u := &Users{table: t, channels: channels}
	u.first = u.newDefault()
	u.all = map[string]*User{DefaultName: u.first}
	return u
}

func (u *Users) newDefault() *User {
	d := &User{name: DefaultName}
	r := fresh(true)
	// The words are right.
	_ = r.apply(u.table, []string{"on", "nopass", "~*", "&*", "+@all"}, true)
	d.rules.Store(r)
	return d
}

// Default is the default user. There always is one.
func (u *Users) Default() *User { return u.first }

// Get is the user of a name, or nil.
func (u *Users) Get(name string) *User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.all[name]
}

// Authenticate is the user of a name, if the password is right; or nil.
func (u *Users) Authenticate(name string, password []byte) *User {
	user := u.Get(name)
	if user == nil || !user.rules.Load().knows(password) {
		return nil
	}
	return user
}

var errName = errors.New("Usernames can't contain spaces or null characters")

// Set changes a user by rules, all or none of them, and makes it if there is none
// of the name.
func (u *Users) Set(name string, words []string) error {
	if strings.ContainsAny(name, " \x00") {
		return errName
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	user, channels := u.all[name], u.channels()
	r := fresh(channels)
	if user != nil {
		r = user.rules.Load().clone()
	}
	if err := r.apply(u.table, words, channels); err != nil {
		return err
	}
	if user == nil {
		user = &User{name: name}
		u.all[name] = user
	}
	user.rules.Store(r)
	return nil
}

// Delete removes a user, which isn't the default user, and reports whether there
// was one. Sessions that have it are the caller's business.
func (u *Users) Delete(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all[name] == nil || name == DefaultName {
		return false
	}
	delete(u.all, name)
	return true
}

// Names are those of all users, sorted.
func (u *Users) Names() []string {
	u.mu.RLock()
	defer u.mu.RUnlock()
	names := make([]string, 0, len(u.all))
	for n := range u.all {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Lines are all users in the words of ACL LIST and of ACL files.
func (u *Users) Lines() []string {
	var lines []string
	for _, n := range u.Names() {
		if user := u.Get(n); user != nil {
			lines = append(lines, user.line())
		}
	}
	return lines
}

// Load replaces all users by those of an ACL file, or none of them. A default user
// that isn't in the file becomes what it is at first. gone are users that are no
// more, or have other rules than before: their sessions are the caller's business.
func (u *Users) Load(src io.Reader) (gone []string, err error) {
	text, err := io.ReadAll(src)
	if err != nil {
		return nil, fmt.Errorf("read the ACL file: %w", err)
	}
	next, err := u.parse(strings.Split(string(text), "\n"))
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, user := range u.all {
		now := next[name]
		switch {
		case now == nil && name == DefaultName:
			user.rules.Store(u.newDefault().rules.Load())
		case now == nil:
			delete(u.all, name)
			gone = append(gone, name)
		default:
			before := user.line()
			user.rules.Store(now.rules.Load())
			if user.line() != before {
				gone = append(gone, name)
			}
		}
	}
	for name, user := range next {
		if u.all[name] == nil {
			u.all[name] = user
		}
	}
	return gone, nil
}

// parse reads lines of an ACL file.
func (u *Users) parse(lines []string) (map[string]*User, error) {
	next := map[string]*User{}
	var wrong []string
	bad := func(n int, format string, a ...any) {
		wrong = append(wrong, fmt.Sprintf("%d: ", n+1)+fmt.Sprintf(format, a...))
	}
	for n, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		switch {
		case words[0] != "user" || len(words) < 2:
			bad(n, "line should start with user keyword.")
			continue
		case next[words[1]] != nil:
			bad(n, "WARNING: duplicate user '%s' found.", words[1])
			continue
		}
		user := &User{name: words[1]}
		r := fresh(u.channels())
		if err := r.apply(u.table, words[2:], u.channels()); err != nil {
			bad(n, "%v.", err)
			continue
		}
		user.rules.Store(r)
		next[user.name] = user
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, " "))
	}
	return next, nil
}

// SelectorInfo is a selector in the words of ACL GETUSER.
type SelectorInfo struct{ Commands, Keys, Channels string }

// UserInfo is a user in the words of ACL GETUSER.
type UserInfo struct {
	Flags, Passwords []string
	SelectorInfo
	Selectors []SelectorInfo
}

// Info describes the user.
func (u *User) Info() UserInfo {
	r := u.rules.Load()
	i := UserInfo{Flags: r.flags(), Passwords: r.passwords, SelectorInfo: r.selectors[0].info()}
	for _, s := range r.selectors[1:] {
		i.Selectors = append(i.Selectors, s.info())
	}
	return i
}

func (s *selector) info() SelectorInfo {
	return SelectorInfo{Commands: s.commandText(), Keys: s.keyText(), Channels: s.channelText()}
}
