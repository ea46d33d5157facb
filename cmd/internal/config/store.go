package config

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"sync/atomic"
)

// Store holds the configuration of a running server.
type Store struct {
	table   *table
	file    string // absolute; empty: started without one
	current atomic.Pointer[Config]
	level   slog.LevelVar

	mu    sync.Mutex // one change or rewrite at a time; held while hooks run
	hooks []hook
}

// hook is asked before a change of one of its directives takes effect.
type hook struct {
	directives []*directive
	apply      func(old, new *Config) error
}

// New returns a store that holds c and belongs to no file.
func New(c *Config) *Store { return newStore(newTable(), c, "") }

func newStore(t *table, c *Config, file string) *Store {
	s := &Store{table: t, file: file}
	s.publish(c)
	return s
}

func (s *Store) publish(c *Config) {
	s.current.Store(c)
	s.level.Set(c.Level())
}

// Current is the configuration as it is now. It is never written to again: take
// it once per unit of work.
func (s *Store) Current() *Config { return s.current.Load() }

// File is the absolute path of the configuration file, empty if there is none.
func (s *Store) File() string { return s.file }

// Level follows loglevel, for a slog handler.
func (s *Store) Level() slog.Leveler { return &s.level }

// OnChange has fn called when one of the directives changes, before the new
// configuration is published: fn acts on its second argument, not on Current.
// An error refuses the whole change; hooks that had agreed are then called
// again with the arguments exchanged. Hooks run one at a time, in the order in
// which they were added, and may block; they may not call Set. It panics if a
// directive doesn't exist: names are constants in wiring code.
func (s *Store) OnChange(fn func(old, new *Config) error, directives ...string) {
	h := hook{apply: fn}
	for _, n := range directives {
		d, ok := s.table.lookup(n)
		if !ok {
			panic("config: no directive " + n)
		}
		h.directives = append(h.directives, d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, h)
}

// Pair is the name of a directive and its value, as CONFIG GET prints and CONFIG
// SET reads them.
type Pair = [2]string

// Match returns the directives whose names, or whose aliases, match a glob-style
// pattern, ignoring case. A name without wildcards is answered as it was spelt.
func (s *Store) Match(pattern string) []Pair {
	c := s.Current()
	if !strings.ContainsAny(pattern, "*?[") {
		d, ok := s.table.lookup(pattern)
		if !ok {
			return nil
		}
		return []Pair{{pattern, d.value.format(c)}}
	}
	var pairs []Pair
	for _, n := range s.table.names {
		if ok, err := path.Match(strings.ToLower(pattern), n); err == nil && ok && !s.table.rows[n].hidden() {
			pairs = append(pairs, Pair{n, s.table.rows[n].value.format(c)})
		}
	}
	return pairs
}

// Set changes all of the directives or none. The error is the text of Redis's
// reply, without its code.
func (s *Store) Set(pairs []Pair) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, err := s.settable(pairs)
	if err != nil {
		return err
	}
	old := s.Current()
	next := old.clone()
	for i, p := range pairs {
		args := []string{p[1]}
		if rows[i].value.many {
			// Quotes aren't special here, as in Redis.
			args = strings.Fields(p[1])
		}
		if err := rows[i].value.parse(next, args); err != nil {
			return errSet(p[0], err)
		}
	}
	reread := map[*directive]bool{}
	for _, d := range rows {
		if d.value.volatile {
			reread[d] = true
		}
	}
	if name, err := s.agree(old, next, reread); err != nil {
		return errSet(name, err)
	}
	s.publish(next)
	return nil
}

// settable looks the pairs up and refuses what can't be set at all.
func (s *Store) settable(pairs []Pair) ([]*directive, error) {
	rows := make([]*directive, len(pairs))
	seen := make(map[string]bool, len(pairs))
	for i, p := range pairs {
		d, ok := s.table.lookup(p[0])
		if !ok {
			return nil, fmt.Errorf("Unknown option or number of arguments for CONFIG SET - '%s'", p[0])
		}
		switch name := strings.ToLower(p[0]); {
		case d.mode == fixed, d.mode == settled && d.value.format(s.Current()) != p[1]:
			return nil, errSet(name, errors.New("can't set immutable config"))
		case d.mode == protected && s.Current().EnableProtectedConfigs != "yes":
			return nil, errSet(name, errors.New("can't set protected config"))
		case seen[name]:
			return nil, errSet(name, errors.New("duplicate parameter"))
		default:
			seen[name] = true
		}
		rows[i] = d
	}
	return rows, nil
}

// agree asks the hooks whose directives differ or are to be read again. It
// returns the directive that was refused.
func (s *Store) agree(old, next *Config, reread map[*directive]bool) (string, error) {
	var asked []hook
	for _, h := range s.hooks {
		name := h.changed(old, next, reread)
		if name == "" {
			continue
		}
		if err := h.apply(old, next); err != nil {
			for i := len(asked) - 1; i >= 0; i-- {
				// The old state was agreed to before; there is nobody left to
				// tell if a hook can't go back to it.
				_ = asked[i].apply(next, old)
			}
			return name, err
		}
		asked = append(asked, h)
	}
	return "", nil
}

// changed is the first of the hook's directives that differs or is to be read
// again, or empty.
func (h hook) changed(a, b *Config, reread map[*directive]bool) string {
	for _, d := range h.directives {
		if reread[d] || d.value.format(a) != d.value.format(b) {
			return d.name
		}
	}
	return ""
}

func errSet(name string, err error) error {
	return fmt.Errorf("CONFIG SET failed (possibly related to argument '%s') - %w", strings.ToLower(name), err)
}
