package differential

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// program is what runs on both servers, from empty databases.
type program struct {
	number uint64
	setup  [][]string
	// units are one command each, or a transaction.
	units [][][]string
}

func (p *program) commands() (n int) {
	for _, u := range p.units {
		n += len(u)
	}
	return n
}

// grammars are the families' parsed patterns.
type grammars [][]node

func parseFamilies(only string) (all grammars) {
	v := values()
	for _, f := range families {
		if only != "" && only != f.name {
			continue
		}
		var nodes []node
		for _, p := range f.patterns {
			nodes = append(nodes, parse(p, v))
		}
		all = append(all, nodes)
	}
	return all
}

// make makes the program with a number, of about n commands.
func (all grammars) make(number uint64, n int) *program {
	g := &generator{rng: rand.New(rand.NewPCG(number, 0x636f6e63)), ms: 1}
	p := &program{number: number, setup: [][]string{{"FLUSHALL"}, {"SELECT", "0"}, {"HELLO", strconv.Itoa(2 + g.rng.IntN(2))}}}
	for _, c := range []struct {
		directive string
		values    []string
	}{
		{"hash-max-listpack-entries", []string{"512", "8"}}, {"hash-max-listpack-value", []string{"64", "12"}},
		{"set-max-intset-entries", []string{"512", "8"}}, {"zset-max-listpack-entries", []string{"128", "8"}},
		{"zset-max-listpack-value", []string{"64", "12"}}, {"list-max-listpack-size", []string{"-2", "5", "-1"}},
		{"hll-sparse-max-bytes", []string{"3000", "80", "0"}}, {"stream-node-max-entries", []string{"100", "5"}},
	} {
		p.setup = append(p.setup, []string{"CONFIG", "SET", c.directive, g.of(c.values...)})
	}
	// One family or a few in most programs, so that their keys grow.
	some := all
	if g.rng.IntN(3) > 0 {
		some = nil
		for range 1 + g.rng.IntN(3) {
			some = append(some, all[g.rng.IntN(len(all))])
		}
	}
	for size := 0; size < n; size = p.commands() {
		switch {
		case g.one(25):
			p.units = append(p.units, some.transaction(g))
		default:
			p.units = append(p.units, some.unit(g))
		}
	}
	return p
}

func (all grammars) command(g *generator) []string {
	family := all[g.rng.IntN(len(all))]
	args := family[g.rng.IntN(len(family))].append(g, nil)
	if g.one(40) {
		args = g.spoil(args)
	}
	return args
}

// mayBlock are commands that would wait, were they not in a transaction.
var mayBlock = regexp.MustCompile(`(?i)^B[LRZ]`)

// has reports whether a program has commands whose names begin with prefix.
func (p *program) has(prefix string) bool {
	for _, u := range p.units {
		for _, args := range u {
			if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(strings.ToUpper(a), prefix) }) {
				return true
			}
		}
	}
	return false
}

// consumerOf is the call that makes the consumer whom a command names: from 7.2 on
// he is there even if he gets nothing, before only otherwise.
func consumerOf(args []string) []string {
	words := []string{"", "", "", ""}
	switch copy(words, args); strings.ToUpper(args[0]) {
	case "XCLAIM", "XAUTOCLAIM":
		return []string{"XGROUP", "CREATECONSUMER", words[1], words[2], words[3]}
	case "XREADGROUP":
		if i := slices.IndexFunc(args, func(a string) bool { return strings.EqualFold(a, "STREAMS") }); i > 0 && i+1 < len(args) {
			return []string{"XGROUP", "CREATECONSUMER", args[i+1], words[2], words[3]}
		}
	}
	return nil
}

func (all grammars) unit(g *generator) [][]string {
	args := all.command(g)
	if c := consumerOf(args); c != nil {
		return [][]string{c, args}
	}
	switch {
	case mayBlock.MatchString(args[0]):
		return [][]string{{"MULTI"}, args, {"EXEC"}}
	case g.one(12):
		call := g.of("return redis.call(unpack(ARGV))", "return redis.pcall(unpack(ARGV))", "return {redis.pcall(unpack(ARGV)), 'end'}",
			"local r = redis.pcall(unpack(ARGV)) if type(r) == 'table' then return {#r, r.err, r.ok} end return r")
		return [][]string{append([]string{"EVAL", call, "0"}, args...)}
	}
	return [][]string{args}
}

func (all grammars) transaction(g *generator) (unit [][]string) {
	if g.one(3) {
		unit = append(unit, []string{"WATCH", g.of("s0", "l0", "h0", "m0", "z0", "x0", "none")}, all.command(g))
		if mayBlock.MatchString(unit[1][0]) || consumerOf(unit[1]) != nil {
			unit = unit[:1]
		}
	}
	unit = append(unit, []string{"MULTI"})
	for range g.rng.IntN(5) {
		args := all.command(g)
		if c := consumerOf(args); c != nil {
			unit = append(unit, c)
		}
		unit = append(unit, args)
	}
	return append(unit, []string{g.of("EXEC", "EXEC", "EXEC", "exec", "DISCARD")})
}

// line is a command as redis-cli takes it.
func line(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if plain.MatchString(a) {
			b.WriteString(a)
			continue
		}
		b.WriteString(strconv.QuoteToASCII(a))
	}
	return b.String()
}

var plain = regexp.MustCompile(`^[-+_.:a-zA-Z0-9()\[#$>*?]+$`)
