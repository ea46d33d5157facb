package command

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// maxName bounds the names a lookup folds on its stack; longer ones exist
// nowhere.
const maxName = 64

// Table is every command of a server. It is built once and then only read.
type Table struct {
	top    map[string]*Spec           // by lower-case name
	subs   map[*Spec]map[string]*Spec // by container, then lower-case name
	byFull map[string]*Spec           // "get", "cluster|nodes"
	list   []*Spec                    // top level, in the order of the families
	all    []*Spec                    // list with the subcommands behind their containers
}

// Build makes a table of the families' lists. It copies the specs, fills in
// what can be derived, and reports everything that is wrong with them.
func Build(families ...[]Spec) (*Table, error) {
	t := &Table{top: map[string]*Spec{}, subs: map[*Spec]map[string]*Spec{}, byFull: map[string]*Spec{}}
	var errs []error
	for _, family := range families {
		for i := range family {
			spec := family[i]
			errs = append(errs, t.add(&spec)...)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("build command table: %w", err)
	}
	return t, nil
}

func (t *Table) add(s *Spec) []error {
	errs := t.enter(s, nil, s.Name)
	if t.top[s.Name] != nil {
		return append(errs, fmt.Errorf("%s: declared twice", s.Name))
	}
	t.top[s.Name] = s
	t.list = append(t.list, s)
	if len(s.Sub) == 0 {
		return errs
	}
	subs := make(map[string]*Spec, len(s.Sub))
	own := make([]Spec, len(s.Sub))
	copy(own, s.Sub)
	s.Sub = own
	for i := range s.Sub {
		sub := &s.Sub[i]
		errs = append(errs, t.enter(sub, s, s.Name+"|"+sub.Name)...)
		if subs[sub.Name] != nil {
			errs = append(errs, fmt.Errorf("%s: declared twice", sub.FullName()))
		}
		subs[sub.Name] = sub
	}
	t.subs[s] = subs
	return errs
}

// enter fills in what Build derives and checks one spec.
func (t *Table) enter(s, parent *Spec, full string) []error {
	s.full, s.parent, s.index = full, parent, len(t.all)
	t.all = append(t.all, s)
	t.byFull[full] = s
	s.legacy, s.Flags = legacyRange(s)
	s.simple = simpleKey(s)

	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(full+": "+format, a...)) }
	switch {
	case s.Name == "" || s.Name != strings.ToLower(s.Name) || len(s.Name) > maxName:
		bad("name must be lower case, of 1 to %d bytes", maxName)
	case s.Run == nil && len(s.Sub) == 0:
		bad("neither Run nor subcommands")
	case parent != nil && len(s.Sub) > 0:
		bad("subcommands of a subcommand")
	}
	if s.Doc == "" {
		bad("no Doc")
	}
	least := 1
	if parent != nil {
		least = 2
	}
	if s.Arity == 0 || abs(s.Arity) < least {
		bad("arity %d is less than its own words", s.Arity)
	}
	var err error
	if s.args, err = parseArgs(s.Args); err != nil {
		bad("%w", err)
	}
	for i := range s.Keys {
		if err := s.Keys[i].check(s.Arity); err != nil {
			bad("key specification %d: %w", i, err)
		}
	}
	if s.Batch != nil && s.BatchName == "" {
		bad("Batch without BatchName")
	}
	if s.Flags&WholeStore != 0 && len(s.Keys) > 0 {
		bad("WholeStore, yet it has keys")
	}
	return errs
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// check reports a key specification that no call of this arity can satisfy.
func (k *KeySpec) check(arity int) error {
	if k.Find != nil {
		return nil
	}
	least := abs(arity)
	switch {
	case k.Keyword == "" && k.Begin < 1:
		return fmt.Errorf("begins at %d", k.Begin)
	case k.Keyword == "" && k.Begin >= least && arity > 0:
		return fmt.Errorf("begins at %d, arity is %d", k.Begin, arity)
	case k.Step < 0 || k.Limit < 0:
		return errors.New("negative step or limit")
	case arity > 0 && k.Keyword == "" && !k.NumKeys && k.Last > 0 && k.Begin+k.Last >= arity:
		return fmt.Errorf("ends at %d, arity is %d", k.Begin+k.Last, arity)
	}
	return nil
}

// legacyRange derives the first/last/step triple of COMMAND INFO, and the
// movablekeys flag where that triple doesn't say it all, as Redis 7 does.
func legacyRange(s *Spec) (r [3]int, f Flags) {
	f = s.Flags
	if len(s.Keys) == 0 {
		return r, f
	}
	if k := &s.Keys[0]; len(s.Keys) == 1 && k.plain() {
		if k.Flags&Incomplete != 0 || k.Find != nil {
			f |= MovableKeys
		}
		return [3]int{k.Begin, k.absLast(), k.step()}, f
	}
	first, last, prev := math.MaxInt, 0, 0
	for i := range s.Keys {
		k := &s.Keys[i]
		if !k.plain() || k.step() != 1 || (prev != 0 && prev != k.Begin-1) {
			f |= MovableKeys
			continue
		}
		if k.Flags&Incomplete != 0 || k.Find != nil {
			f |= MovableKeys
		}
		first = min(first, k.Begin)
		// A negative end is further away than any positive one.
		if l := k.absLast(); uint(l) > uint(last) {
			last = l
		}
		prev = last
	}
	if first == math.MaxInt {
		return r, f
	}
	return [3]int{first, last, 1}, f
}

func (k *KeySpec) plain() bool { return k.Keyword == "" && !k.NumKeys && k.Begin > 0 }

func (k *KeySpec) absLast() int {
	if k.Last < 0 {
		return k.Last
	}
	return k.Begin + k.Last
}

func (k *KeySpec) step() int {
	if k.Step == 0 {
		return 1
	}
	return k.Step
}

// Lookup finds a top-level command by the name a client sent, in any case.
// It doesn't allocate.
func (t *Table) Lookup(name []byte) *Spec { return lookup(t.top, name) }

// Subcommand finds a container's subcommand by the word a client sent.
func (t *Table) Subcommand(container *Spec, word []byte) *Spec {
	return lookup(t.subs[container], word)
}

func lookup(m map[string]*Spec, name []byte) *Spec {
	var buf [maxName]byte
	if len(name) > len(buf) {
		return nil
	}
	n := copy(buf[:], name)
	for i, c := range buf[:n] {
		if c >= 'A' && c <= 'Z' {
			buf[i] = c + 'a' - 'A'
		}
	}
	return m[string(buf[:n])]
}

// Resolve finds what a request names. A container with a known subcommand
// gives the subcommand. sub is nil if there is no such command; sub is a
// container (Run == nil) if its subcommand is missing or unknown.
func (t *Table) Resolve(args [][]byte) *Spec {
	s := t.Lookup(args[0])
	if s == nil || len(s.Sub) == 0 || len(args) < 2 {
		return s
	}
	if sub := t.Subcommand(s, args[1]); sub != nil {
		return sub
	}
	return s
}

// Full finds a command by its full name, "get" or "cluster|nodes", in any case.
func (t *Table) Full(name string) *Spec { return t.byFull[strings.ToLower(name)] }

// Commands are the top-level commands in the order of the families.
func (t *Table) Commands() []*Spec { return t.list }

// All are the commands and their subcommands; the i-th has Index i.
func (t *Table) All() []*Spec { return t.all }

// Index is the position in [Table.All], for arrays kept beside the table.
func (s *Spec) Index() int { return s.index }

// Container is the command this is a subcommand of, or nil.
func (s *Spec) Container() *Spec { return s.parent }

// ArityOK reports whether a call with n arguments, the name included, has the
// right number of them.
func (s *Spec) ArityOK(n int) bool {
	if s.Arity >= 0 {
		return n == s.Arity
	}
	return n >= -s.Arity
}
