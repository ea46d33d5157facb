package config

import (
	"sort"
	"strings"
)

// directive is one row of the table.
type directive struct {
	name    string
	aliases []string
	mode    mode
	value   value
	doc     string
}

// hidden reports whether the directive is for tests: CONFIG GET shows it by its name
// only.
func (d *directive) hidden() bool {
	return d.name == "user" || d.name == "key-load-delay" || d.name == "rdb-key-save-delay"
}

// mode says when a directive may change.
type mode uint8

const (
	fixed     mode = iota // at start only
	live                  // CONFIG SET
	settled               // at start only; CONFIG SET accepts the value it has
	protected             // at start only, because a client with CONFIG SET could reach files with it
)

// table is the directives of this version, grouped as they are documented.
type table struct {
	groups []group
	rows   map[string]*directive // by lower-case name and alias
	names  []string              // of rows, sorted
}

type group struct {
	title string
	rows  []directive
}

func newTable() *table {
	t := &table{groups: groups(), rows: make(map[string]*directive)}
	for gi := range t.groups {
		for ri := range t.groups[gi].rows {
			d := &t.groups[gi].rows[ri]
			for _, n := range append([]string{d.name}, d.aliases...) {
				t.rows[n] = d
				t.names = append(t.names, n)
			}
		}
	}
	sort.Strings(t.names)
	return t
}

// lookup ignores case.
func (t *table) lookup(name string) (*directive, bool) {
	d, ok := t.rows[strings.ToLower(name)]
	return d, ok
}

// apply reads one directive's arguments, as a file or the command line gives
// them, into c.
func (d *directive) apply(c *Config, args []string) error {
	if !d.value.many && len(args) != 1 {
		return errArgs
	}
	if d.value.many && len(args) == 1 && strings.Contains(args[0], " ") {
		args = strings.Fields(args[0]) // all of them in one quoted word, as Redis takes it
	}
	return d.value.parse(c, args)
}
